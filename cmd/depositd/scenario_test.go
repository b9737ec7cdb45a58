package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/reconcile"
)

// A scenario is a folder: steps.txt tells what happens on some days at a trading centre and its banks, in the words of
// scenario_steps_test.go; want.txt is what the service then has to say. Some hold files that are sent byte for byte.
const scenarios = "../../testdata/scenario"

// TestScenarios plays every scenario on every engine: the real service on real listeners, to which the platform and the
// banks speak over HTTP, TCP and files, closed by the nightly job. What it says must be want.txt, to the byte.
func TestScenarios(t *testing.T) {
	folders := scenarioFolders(t)
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		if !*update { // the engines beside each other; the files are written by one and held against the other
			t.Parallel()
		}
		for i, folder := range folders {
			if sqldbtest.UnderRace && i%4 != 0 {
				continue // slower by far, and of the same code: make test plays all once more without
			}
			t.Run(filepath.Base(folder), func(t *testing.T) {
				sqldbtest.Empty(t, url)
				holdToWant(t, folder, url)
			})
		}
	})
}

func holdToWant(t *testing.T, folder, url string) {
	t.Helper()
	said, err := playScenario(t, folder, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(folder, "want.txt")
	if *update {
		if err := os.WriteFile(want, []byte(said), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if differs := firstDifference(said, readText(t, want)); differs != "" {
		t.Errorf("%s: %s\n(rewrite it with -update if that is meant)\n\n%s", want, differs, said)
	}
}

func scenarioFolders(t *testing.T) (folders []string) {
	t.Helper()
	steps, err := filepath.Glob(filepath.Join(scenarios, "*", "steps.txt"))
	if err != nil || len(steps) == 0 {
		t.Fatal("no scenarios:", err)
	}
	for _, file := range steps {
		folders = append(folders, filepath.Dir(file))
	}
	return folders
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// firstDifference names the first line in which two texts differ; "" where they do not.
func firstDifference(got, want string) string {
	if got == want {
		return ""
	}
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	n := 0
	for n < min(len(g), len(w)) && g[n] == w[n] {
		n++
	}
	line := func(lines []string) string {
		if n < len(lines) {
			return fmt.Sprintf("%q", lines[n])
		}
		return "its end"
	}
	return fmt.Sprintf("line %d is %s, want %s", n+1, line(g), line(w))
}

// playScenario plays a scenario on a service of its own, and gives all that the service was asked to say. Its error is
// that of the step that failed.
func playScenario(t *testing.T, folder, url string, settings map[string]string) (said string, err error) {
	t.Helper()
	steps, err := readSteps(filepath.Join(folder, "steps.txt"))
	if err != nil {
		return "", err
	}
	return playSteps(t, folder, url, settings, steps)
}

func playSteps(t *testing.T, folder, url string, settings map[string]string, steps []step) (said string, err error) {
	t.Helper()
	s := newStage(t, folder, url, settingsIn(steps, settings))
	defer func() {
		switch failed := recover().(type) {
		case nil:
		case stepFailed:
			err = failed
		default:
			panic(failed)
		}
	}()
	for _, one := range steps {
		s.play(one)
	}
	s.end()
	return s.said.String(), nil
}

// TestScenariosCoverTheCodes: every verdict, every finding of the closing and every reason is what some scenario is about.
func TestScenariosCoverTheCodes(t *testing.T) {
	var all strings.Builder
	for _, folder := range scenarioFolders(t) {
		all.WriteString(readText(t, filepath.Join(folder, "want.txt")))
	}
	codes := append(reconcile.Codes(), reconcile.NotLeased, reconcile.LateNumberMoney, reconcile.SplitPayment, reconcile.SinglePaymentRequired, reconcile.NameVariant,
		reconcile.PersonalPayer, reconcile.PartialPayment)
	for _, code := range codes {
		// A violated invariant is a fault of the service itself, which no bank and no platform can bring about; pools and
		// refunds have tests of their own, with a bank that answers and pays.
		if code != reconcile.Violated && !slices.Contains(slices.Concat(reconcile.PoolCodes(), reconcile.RefundCodes()), code) && !strings.Contains(all.String(), string(code)) {
			t.Errorf("no scenario has %s", code)
		}
	}
}

// TestScenariosSeeAFault: the harness is worth something only if it notices what is wrong: a rule, a byte of the report,
// an answer, a step that nobody understands.
func TestScenariosSeeAFault(t *testing.T) {
	folder := filepath.Join(scenarios, "late-in-the-second-of-opening")
	want := readText(t, filepath.Join(folder, "want.txt"))
	fresh := func(t *testing.T) string { return sqldbtest.FileNamed + filepath.Join(t.TempDir(), "deposit.db") }

	t.Run("a rule", func(t *testing.T) {
		said, err := playScenario(t, folder, fresh(t), map[string]string{"DEPOSITD_LATE_AT_EQUALITY": "false"})
		if err != nil || firstDifference(said, want) == "" {
			t.Errorf("a credit in the very second of the opening is called in time, and nobody notices: %v", err)
		}
	})
	t.Run("a byte", func(t *testing.T) {
		said, err := playScenario(t, folder, fresh(t), nil)
		if err != nil || firstDifference(said, want) != "" || firstDifference(said, strings.Replace(want, "LATE_CREDIT", "LATE_CREDlT", 1)) == "" ||
			firstDifference(said, want+"\n") == "" || firstDifference(said, want[:len(want)-1]) == "" {
			t.Errorf("a want.txt with another byte passes, or the right one does not: %v", err)
		}
	})
	for name, wrong := range map[string]string{
		"an answer":           "expect 409 lot_opened",
		"a verb":              "dance 2026-06-15",
		"a word too many":     "report 2026-06-15 please",
		"a refusal":           "event E-9 opened LC-2026-999 at 2026-06-16 09:00:00",
		"a time that is past": "clock 2026-06-01 00:00:00",
		"no such finding":     "settle UNPAID \"已核实\"",
	} {
		t.Run(name, func(t *testing.T) {
			steps := []step{{line: 1, text: "clock 2026-06-15 10:00:00"}, {line: 99, text: wrong}}
			if _, err := playSteps(t, folder, fresh(t), nil, steps); err == nil || !strings.Contains(err.Error(), "99") {
				t.Errorf("the step %q passes: %v", wrong, err)
			}
		})
	}
}
