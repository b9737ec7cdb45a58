package refund

import (
	"testing"

	"pgregory.net/rapid"

	"depositd/platform/deposit"
)

func ruleNamed(t testing.TB, rules *Rules, id string) Rule {
	t.Helper()
	for _, rule := range rules.All() {
		if rule.ID == id {
			return rule
		}
	}
	t.Fatalf("there is no rule %s", id)
	return Rule{}
}

const cap80 deposit.Fen = 800_000_00

// The day of the credit counts, the day it goes back does not; the rate is that of the day it goes back.
func TestInterest(t *testing.T) {
	rules := table(t)
	for _, test := range []struct {
		why                string
		rule               string
		credited, refunded deposit.Day
		days               int
		rate, want         string
	}{
		{"ninety days at 0.05 %", "R1", "2026-03-01", "2026-05-30", 90, "0.05%", "100.00"},
		{"back the next day is one day", "R1", "2026-06-01", "2026-06-02", 1, "0.05%", "1.11"},
		{"back the same day is none", "R1", "2026-06-01", "2026-06-01", 0, "0%", "0.00"},
		{"the day before the rate fell", "R1", "2025-05-09", "2025-05-19", 10, "0.1%", "22.22"},
		{"and the day it fell: all days earn the new rate", "R1", "2025-05-10", "2025-05-20", 10, "0.05%", "11.11"},
		{"terminated", "R3", "2026-03-01", "2026-05-30", 90, "0.05%", "100.00"},
		{"withdrawn: the law mentions none", "R2", "2026-03-01", "2026-05-30", 0, "0%", "0.00"},
		{"procurement: none", "R4", "2026-03-01", "2026-05-30", 0, "0%", "0.00"},
		{"land: none", "R8", "2026-03-01", "2026-05-30", 0, "0%", "0.00"},
		{"no deposit: none", "Z1", "2026-03-01", "2026-05-30", 0, "0%", "0.00"},
	} {
		got, ok := rules.Interest(ruleNamed(t, rules, test.rule), cap80, test.credited, test.refunded)
		if !ok || got.Days != test.days || got.Rate.String() != test.rate || got.Amount.String() != test.want || got.Of.Verified {
			t.Errorf("%s: %d days at %s are %s (%v), want %d at %s: %s", test.why, got.Days, got.Rate, got.Amount, ok, test.days, test.rate, test.want)
		}
	}
	if _, ok := rules.Interest(ruleNamed(t, rules, "R1"), cap80, "2012-06-01", "2012-07-05"); ok {
		t.Error("there is a rate before the first")
	}
}

// Each day after the last one costs the base rate raised by a fifth.
func TestOverdueFee(t *testing.T) {
	rules := table(t)
	for _, test := range []struct {
		why        string
		rule       string
		last, paid deposit.Day
		days       int
		want       string
	}{
		{"on the last day", "R4", "2026-06-23", "2026-06-23", 0, "0.00"},
		{"before it", "R4", "2026-06-23", "2026-06-20", 0, "0.00"},
		{"a day late", "R4", "2026-06-23", "2026-06-24", 1, "116.00"},
		{"thirty days late", "R5", "2026-06-23", "2026-07-23", 30, "3480.00"},
		{"construction has none", "R1", "2026-06-23", "2026-07-23", 0, "0.00"},
		{"nor has a centre's own rule", "R7", "2026-06-23", "2026-07-23", 0, "0.00"},
	} {
		got, ok := rules.OverdueFee(ruleNamed(t, rules, test.rule), cap80, test.last, test.paid)
		if !ok || got.Days != test.days || got.Amount.String() != test.want || test.days > 0 && got.Rate.String() != "5.22%" {
			t.Errorf("%s: %d days at %s are %s (%v), want %s", test.why, got.Days, got.Rate, got.Amount, ok, test.want)
		}
	}
	if fee, _ := changed(t, "overdue_percent: 120", "overdue_percent: 100").OverdueFee(Rule{Overdue: "loan", OverduePercent: 100}, cap80, "2026-06-23", "2026-06-24"); fee.Amount == 116_00 {
		t.Error("the fee is the same without the raise")
	}
}

func TestGap(t *testing.T) {
	expected := Interest{Amount: 100_00}
	for bank, want := range map[deposit.Fen]deposit.Fen{100_00: 0, 100_01: 1, 99_99: -1, 0: -100_00} {
		if got := expected.Gap(bank); got != want {
			t.Errorf("the bank's %s is %s more", bank, got)
		}
	}
	if (Interest{}).Gap(7) != 7 {
		t.Error("interest where none is due is no gap")
	}
}

// A day more never earns less, and under one rate two parts of a time earn what the whole does, to the fen of their rounding.
func TestInterestAdds(t *testing.T) {
	rules := table(t)
	rule := ruleNamed(t, rules, "R1")
	rapid.Check(t, func(t *rapid.T) {
		principal := deposit.Fen(rapid.Int64Range(1, int64(deposit.MaxFen)).Draw(t, "principal"))
		first, second := rapid.IntRange(0, 200).Draw(t, "first"), rapid.IntRange(0, 200).Draw(t, "second")
		const from deposit.Day = "2025-05-20"
		whole, _ := rules.Interest(rule, principal, from, from.Add(first+second))
		a, _ := rules.Interest(rule, principal, from, from.Add(first))
		b, _ := rules.Interest(rule, principal, from.Add(first), from.Add(first+second))
		if gap := whole.Gap(a.Amount + b.Amount); gap < -1 || gap > 1 || a.Amount > whole.Amount || whole.Days != first+second {
			t.Fatalf("%s and %s, together %s", a.Amount, b.Amount, whole.Amount)
		}
	})
}
