package refund

import (
	"depositd/platform/deposit"
)

// YearlyRate is a rate from a day on.
type YearlyRate struct {
	From     deposit.Day
	Rate     deposit.Rate
	Source   string
	Verified bool // false: from trade knowledge, not held against the text or the bank's notice
}

// Interest is what we expect the bank, or whoever is late, to pay beside the principal. The zero Interest expects nothing.
type Interest struct {
	Rate   deposit.Rate // the one applied: for an overdue fee the raised one
	Of     YearlyRate   // the table's row
	Days   int
	Amount deposit.Fen
}

// Gap is what the bank paid more than expected; negative where it paid less. The bank's figure is what counts: a gap is
// reported, never corrected.
func (i Interest) Gap(bank deposit.Fen) deposit.Fen { return bank - i.Amount }

// Interest is what a deposit should have earned by the day it goes back: the day it was credited counts, the day it goes
// back does not. All of the time earns the rate of the settlement day, which is the day it goes back: so a bank settles
// demand deposits when they are withdrawn. What a bank settles and adds to the principal each quarter is left out; on a
// deposit of 800,000 yuan that is less than four yuan a year. Not ok: the rule's table has no rate for that day.
func (r *Rules) Interest(rule Rule, principal deposit.Fen, credited, refunded deposit.Day) (Interest, bool) {
	return r.accrued(rule.Interest, 100, principal, credited.DaysTo(refunded), refunded)
}

// OverdueFee is what is owed for a refund after its last day (超期资金占用费, 财政部令第87号 §38): the table's rate of the day it
// is paid, raised, for each day after the last one up to and with the day it is paid. Not ok as for Interest.
func (r *Rules) OverdueFee(rule Rule, principal deposit.Fen, last, paid deposit.Day) (Interest, bool) {
	return r.accrued(rule.Overdue, rule.OverduePercent, principal, last.DaysTo(paid), paid)
}

func (r *Rules) accrued(table string, percent int, principal deposit.Fen, days int, at deposit.Day) (Interest, bool) {
	if table == "" || days <= 0 {
		return Interest{}, true
	}
	yearly, ok := r.Rate(table, at)
	if !ok {
		return Interest{}, false
	}
	rate := yearly.Rate.Raised(percent)
	return Interest{Rate: rate, Of: yearly, Days: days, Amount: deposit.Interest(principal, rate, days)}, true
}

// Rate is the table's rate on a day; not ok before its first.
func (r *Rules) Rate(table string, day deposit.Day) (rate YearlyRate, ok bool) {
	for _, one := range r.rates[table] {
		if one.From <= day {
			rate, ok = one, true
		}
	}
	return rate, ok
}
