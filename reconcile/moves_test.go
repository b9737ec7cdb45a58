package reconcile_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

var update = flag.Bool("update", false, "rewrite the drawings in testdata/golden")

// A change of a state machine is seen by a person: its drawing stands in testdata/golden.
func TestMachinesAreDrawn(t *testing.T) {
	for name, m := range map[string]deposit.Machine{"statement": bank.StatementMoves, "finding": reconcile.FindingMoves, "closing": reconcile.ClosingMoves, "opening": reconcile.OpeningMoves} {
		file := "../testdata/golden/machine_" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, []byte(m.Draw()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || m.Draw() != string(want) {
			t.Errorf("%s is drawn as\n%swhich is not %s (%v)", name, m.Draw(), file, err)
		}
	}
}

// Every act in every state: what is not on the map is refused.
func TestFindingActs(t *testing.T) {
	allowed := map[string][]string{
		reconcile.Open:      {"explain", "settle", "clear"},
		reconcile.Explained: {"settle", "reopen", "clear", "change"},
		reconcile.Settled:   {"reopen", "clear", "change"},
		reconcile.Cleared:   {"recur"},
	}
	for state := range reconcile.StateName {
		for _, act := range []string{"explain", "settle", "reopen", "clear", "change", "recur"} {
			_, err := reconcile.FindingMoves.Next(state, act)
			if (err == nil) != slices.Contains(allowed[state], act) {
				t.Errorf("%s in %s: %v", act, state, err)
			}
		}
	}
}
