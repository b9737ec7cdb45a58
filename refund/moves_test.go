package refund_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

var machines = map[string]deposit.Machine{"refund": refund.LineMoves, "refund_batch": refund.BatchMoves, "disposition": refund.DispositionMoves,
	"payee_change": refund.ChangeMoves, "freeze": platform.FreezeMoves}

// A change of a state machine is seen by a person: its drawing stands in testdata/golden.
func TestMachinesAreDrawn(t *testing.T) {
	for name, m := range machines {
		file := "../testdata/golden/machine_" + name + ".txt"
		if flag.Lookup("update").Value.String() == "true" {
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

// allowed are the acts of each state; every other act is refused there.
var allowed = map[string]map[string][]string{
	"refund": {
		"DRAFT": {"check", "cancel"}, "CHECKED": {"release", "revise", "cancel", "pay_by_hand"}, "RELEASED": {"claim", "revise", "cancel"},
		"SENDING": {"accept", "pay", "reject", "lose", "unsent"}, "ACCEPTED": {"pay", "reject", "lose", "disprove"}, "UNKNOWN": {"accept", "pay", "reject", "disprove"},
		"PAID": {"return"}, "FAILED": nil, "RETURNED": nil, "CANCELLED": nil,
	},
	"refund_batch": {"SUBMITTED": {"check", "cancel"}, "CHECKED": {"release", "return", "cancel"}, "RELEASED": {"start", "return", "cancel"}, "STARTED": nil, "CANCELLED": nil},
	"disposition":  {"PROPOSED": {"approve", "refuse"}, "STANDING": {"lift"}, "LIFTED": nil, "REFUSED": nil},
	"payee_change": {"PROPOSED": {"review", "refuse"}, "REVIEWED": {"approve", "refuse"}, "APPROVED": {"confirm", "refuse"}, "CONFIRMED": {"refuse"}, "REFUSED": nil},
	"freeze":       {"FROZEN": {"lift"}, "LIFTED": nil},
}

// Every act in every state: what is not on the map is refused, and no way leads from a final state.
func TestEveryActInEveryState(t *testing.T) {
	for name, m := range machines {
		var acts []string
		for _, of := range allowed[name] {
			acts = append(acts, of...)
		}
		if len(m) != len(allowed[name]) {
			t.Errorf("%s has %d states, %d are known", name, len(m), len(allowed[name]))
		}
		for state, may := range allowed[name] {
			for _, act := range append(acts, "resend") {
				if _, err := m.Next(state, act); (err == nil) != slices.Contains(may, act) {
					t.Errorf("%s: %s in %s: %v", name, act, state, err)
				}
			}
		}
	}
}

// No way leads from a state in which the bank may have the money back to one in which it is promised again, but a refusal of the
// bank's or the three facts.
func TestNoWayBack(t *testing.T) {
	for _, state := range []string{"SENDING", "ACCEPTED", "UNKNOWN", "PAID"} {
		for act, next := range refund.LineMoves[state] {
			free := slices.Contains([]string{"DRAFT", "CHECKED", "RELEASED", "FAILED", "CANCELLED"}, next)
			if free && act != "reject" && act != "disprove" && act != "unsent" {
				t.Errorf("%s leads from %s to %s", act, state, next)
			}
		}
	}
}

// Every state and everybody waited for has a Chinese name.
func TestNames(t *testing.T) {
	for state := range refund.LineMoves {
		l := refund.Line{State: refund.State(state)}
		if l.State.Chinese() == "" || l.WaitsFor() != "" && l.WaitsFor().Chinese() == "" {
			t.Errorf("%s has no name", state)
		}
	}
}
