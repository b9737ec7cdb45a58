package sqldb

import "time"

// The bugs that a build with the tag "seeded" can be told to have, so that each harness can show that it would notice.
// In every other build there are none.
const (
	bugEarly  = "answer_before_commit"
	bugNormal = "synchronous_normal"
	bugDeaf   = "commit_errors_ignored"
	bugAlone  = "statements_commit_alone"

	bugUnsealed = "sealing_off"
)

// SeededBug names the environment variable by which such a build is told.
const SeededBug = "DEPOSITD_SEEDED_BUG"

// answerEarly tells those who wait that their rows are stored, and takes its time to store them.
func answerEarly(batch []*waiter, outcome []error) {
	for i, w := range batch {
		told := w.done
		w.done = make(chan error, 1) // for the true answer, which nobody hears
		told <- outcome[i]
	}
	time.Sleep(10 * time.Millisecond)
}
