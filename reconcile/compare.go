package reconcile

import (
	"time"

	"depositd/platform/deposit"
)

// Compared is one thing that our books and the bank's both tell.
type Compared struct {
	Name    string `json:"name"`
	Ledger  string `json:"ledger"`
	Bank    string `json:"bank"`
	Differs bool   `json:"differs"`
}

// compare holds a bid against an entry, thing by thing. Either may be missing; what only one side tells does not differ.
func compare(l *Ledger, e *CreditView) []Compared {
	var left Ledger
	var right CreditView
	if l != nil {
		left = *l
	}
	if e != nil {
		right = *e
	}
	both := l != nil && e != nil
	rows := []Compared{
		{"户名", left.Bidder.String(), right.PayerName.String(), both && left.Bidder != "" && right.PayerName != "" && left.Bidder.Key() != right.PayerName.Key()},
		{"账号", left.BidderAccount.String(), right.PayerAccount.String(), both && left.BidderAccount != "" && right.PayerAccount != "" && left.BidderAccount != right.PayerAccount},
		{"子账号", left.SubAccount, right.SubAccount, both && left.SubAccount != right.SubAccount},
		{"金额", grouped(left.Deposit), grouped(right.Amount), both && left.Deposit != right.Amount},
		{"开标时间 | 记账时间", deposit.Wall(left.OpeningAt), deposit.Wall(right.BookedAt), both && !right.BookedAt.Before(left.OpeningAt)},
		{"子账号分配期", span(left.LeasedFrom, left.LeasedTo), "", both && !within(right.BookedAt, left.LeasedFrom, left.LeasedTo)},
		{"银行流水号", "", right.Serial, false},
		{"附言", "", right.Remark, false},
	}
	if l == nil && e == nil {
		return []Compared{}
	}
	return rows
}

func grouped(f deposit.Fen) string {
	if f == 0 {
		return ""
	}
	return f.Grouped()
}

// span prints a time range; one whose end is not known goes on.
func span(from, to *time.Time) string {
	switch {
	case from == nil:
		return ""
	case to == nil:
		return deposit.Wall(*from) + " 起"
	}
	return deposit.Wall(*from) + " 至 " + deposit.Wall(*to)
}

func within(t time.Time, from, to *time.Time) bool {
	return from != nil && !t.Before(*from) && (to == nil || t.Before(*to))
}

// Suggestion is the bid that was probably meant, and what speaks for it.
type Suggestion struct {
	Ledger
	Level    Level      `json:"level"`
	Score    int        `json:"score"` // of 100
	Evidence []Evidence `json:"evidence"`
}

// Level is how sure a suggestion is.
type Level string

// The levels, and from which score on they hold. High needs the payer's own name and no more than one thing missing.
const (
	LevelHigh   Level = "HIGH"
	LevelMiddle Level = "MIDDLE"
	LevelLow    Level = "LOW"

	highFrom, middleFrom = 80, 55
)

var levelNames = map[Level]string{LevelHigh: "高", LevelMiddle: "中", LevelLow: "低"}

// Chinese is the level's name for people.
func (l Level) Chinese() string { return levelNames[l] }

// Evidence is something that speaks for a suggestion if it holds, by so many points.
type Evidence struct {
	Text   string `json:"text"`
	Points int    `json:"points"`
	Holds  bool   `json:"holds"`
}

// suggestion weighs what speaks for a bid as the one that was meant. The points add up to 100: the name is what banks tell most
// reliably, the amount is the same for every bidder of a lot, and the rest tips the scales.
func suggestion(l Ledger, e *CreditView) *Suggestion {
	s := &Suggestion{Ledger: l, Level: LevelLow, Evidence: []Evidence{
		{"付款户名就是该投标人", 40, e.PayerName != "" && e.PayerName.Key() == l.Bidder.Key()},
		{"金额等于该标段保证金", 20, e.Amount == l.Deposit},
		{"付款账号就是登记的账户", 15, e.PayerAccount != "" && e.PayerAccount == l.BidderAccount},
		{"该投标的子账号当时有效", 15, within(e.BookedAt, l.LeasedFrom, l.LeasedTo)},
		{"该投标尚未缴纳", 10, !l.Paid},
	}}
	for _, one := range s.Evidence {
		if one.Holds {
			s.Score += one.Points
		}
	}
	switch {
	case s.Score >= highFrom:
		s.Level = LevelHigh
	case s.Score >= middleFrom:
		s.Level = LevelMiddle
	}
	return s
}
