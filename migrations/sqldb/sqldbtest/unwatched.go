package sqldbtest

import "testing"

// Unwatched skips a test under the race detector: what is to be seen runs on one goroutine, or in a process of its own. Such
// tests, and those that do less under it, are WHOLE in the Makefile, which has them played without.
func Unwatched(t *testing.T) {
	t.Helper()
	if UnderRace {
		t.Skip("nothing here for the race detector: make test plays it without")
	}
}
