package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Report is what a day came to: per account the proof of its balances, then how many credits got which verdict, then
// every finding of the day, as far as these may be seen (see package platform's veil). It is printed, served as JSON and
// drawn from nothing but what is stored.
type Report struct {
	Day      deposit.Day    `json:"day"`
	Banks    []BankReport   `json:"banks"` // none for eyes that reach some departments only
	Counts   map[Code]int64 `json:"counts"`
	Findings []FindingRow   `json:"findings"`
	Sealed   *SealedPart    `json:"sealed,omitempty"` // while any lot is
}

// BankReport is one parent account's day. As long as a lot is sealed that was announced when its figures were known, balances,
// sums and counts could be of that lot, and one bit is told: that it agrees, or that something differs.
type BankReport struct {
	Bank          string `json:"bank"`
	ParentAccount string `json:"parent_account"`
	Currency      string `json:"currency"`
	Sealed        bool   `json:"sealed"`
	Compared      bool   `json:"compared"` // by the nightly job; before that agrees says nothing
	Agrees        bool   `json:"agrees"`   // the statement is here, holds together, and has what the notices have

	*DayFigures // nil while sealed
}

// DayFigures is what an account's day comes to. Shortfall is statement minus notices.
type DayFigures struct {
	Proof       bank.Proof   `json:"proof"`
	Opening     string       `json:"opening"` // "" when the bank does not tell
	Credits     deposit.Fen  `json:"credits"`
	Debits      deposit.Fen  `json:"debits"`
	Closing     string       `json:"closing"` // "" when the bank does not tell
	Gap         deposit.Fen  `json:"gap"`     // closing − (opening + credits − debits)
	Chain       Chain        `json:"chain"`
	Statement   Sides        `json:"statement"`
	Notices     Sides        `json:"notices"`
	Shortfall   Shortfall    `json:"shortfall"`
	AtRoundCap  bool         `json:"at_round_cap"`
	Differences []Difference `json:"differences"` // what the comparison found, by kind
	State       string       `json:"state"`       // OPEN, CLOSED; "" before the day was compared
	Arrived     bool         `json:"statement_arrived"`
}

// Difference is how often a comparison found the same thing on an account's day, and the money concerned.
type Difference struct {
	Code    Code        `json:"code"`
	Entries int64       `json:"entries"`
	Amount  deposit.Fen `json:"amount"`
}

// Sides is a number of entries and what they come to.
type Sides struct {
	Entries int64       `json:"entries"`
	Credits deposit.Fen `json:"credits"`
	Debits  deposit.Fen `json:"debits"`
}

// Shortfall is what the statement has more than the notices; negative where notices have more.
type Shortfall struct {
	Credits deposit.Fen `json:"credits"`
	Debits  deposit.Fen `json:"debits"`
}

// Mismatches says whether there is anything that a person has to look at.
func (r *Report) Mismatches() bool {
	for _, b := range r.Banks {
		if b.Sealed && b.Compared && !b.Agrees {
			return true
		}
	}
	for _, f := range r.Findings {
		if f.State == Open || f.State == Explained {
			return true
		}
	}
	return false
}

// Mismatches is what the day's report for all eyes would answer, without reading its findings.
func (d *Desk) Mismatches(ctx context.Context, day deposit.Day) (bool, error) {
	banks, err := d.bankReports(ctx, day)
	if err != nil {
		return false, err
	}
	one, err := findingRows(ctx, d.db, deposit.SightOfAll(), "f.day = ? AND f.state IN ('OPEN', 'EXPLAINED')", "LIMIT 1", day)
	return (&Report{Banks: banks, Findings: one}).Mismatches(), err
}

// Report reads the day's report for somebody's eyes. It changes nothing and may be asked before the day is closed.
func (d *Desk) Report(ctx context.Context, eyes deposit.Sight, day deposit.Day) (*Report, error) {
	r := &Report{Day: day, Banks: []BankReport{}}
	if eyes.Everything() {
		var err error
		if r.Banks, err = d.bankReports(ctx, day); err != nil {
			return nil, err
		}
	}
	err := together(
		func() (err error) { r.Counts, err = d.counts(ctx, eyes, day); return err },
		func() (err error) {
			r.Findings, err = findingRows(ctx, d.db, eyes, "f.day = ? AND f.state <> 'CLEARED'", "", day)
			return err
		},
		func() (err error) { r.Sealed, err = d.sealedPart(ctx, eyes); return err })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(r.Findings, inReportOrder)
	return r, nil
}

func (d *Desk) bankReports(ctx context.Context, day deposit.Day) ([]BankReport, error) {
	since, err := platform.SealedSince(ctx, d.db)
	if err != nil {
		return nil, err
	}
	books, err := d.books(ctx, day)
	all := make([]BankReport, len(books))
	for i, b := range books {
		if all[i], err = d.bankReport(ctx, b, day, since); err != nil {
			return nil, err
		}
	}
	return all, err
}

// bankReport is an account's day. since is when the first lot that is sealed was announced.
func (d *Desk) bankReport(ctx context.Context, b bank.Book, day deposit.Day, since time.Time) (BankReport, error) {
	one := BankReport{Bank: b.Bank, ParentAccount: b.ParentAccount, Currency: "CNY"}
	fig, err := d.look(ctx, b, day)
	if err != nil {
		return one, err
	}
	one.DayFigures = fig.told()
	c, err := closingOf(ctx, d.db, b.Bank, b.ParentAccount, day)
	if err != nil && !errors.Is(err, sqldb.ErrNone) {
		return one, err
	}
	one.State, one.Compared = c.State, c.ID != 0
	one.Differences, err = d.differences(ctx, b, day)
	one.Agrees = c.State == DayClosed && len(one.Differences) == 0
	if one.Sealed = !since.After(fig.known(d.db.Now())); one.Sealed {
		one.DayFigures = nil
	}
	return one, err
}

// known is when the figures of a day were known: at its end, or when its statement came, or, while there is none, now. A lot
// that was announced by then may have its money in them.
func (fig *figures) known(now time.Time) time.Time {
	end := fig.day.Add(1).Start()
	switch {
	case fig.statement == nil:
		return now
	case fig.statement.ImportedAt.After(end):
		return fig.statement.ImportedAt
	}
	return end
}

// told is the figures as a report has them.
func (fig *figures) told() *DayFigures {
	f := &DayFigures{Proof: bank.ProofNone, Chain: fig.chain, Notices: Sides{fig.pushed.Entries, fig.pushed.Credits, fig.pushed.Debits}, AtRoundCap: atRoundCap(fig.pushed.Entries)}
	s := fig.statement
	if s == nil {
		return f
	}
	f.Arrived, f.Proof, f.Credits, f.Debits, f.Gap = true, s.Proof, s.CreditSum, s.DebitSum, s.Gap
	f.Statement = Sides{s.CreditCount + s.DebitCount, s.CreditSum, s.DebitSum}
	f.Shortfall = Shortfall{s.CreditSum - fig.pushed.Credits, s.DebitSum - fig.pushed.Debits}
	if s.KnowsOpening() {
		f.Opening = s.Opening.String()
	}
	if s.KnowsClosing() {
		f.Closing = s.Closing.String()
	}
	return f
}

// differences sums what the comparison of an account's day found, in the order of Codes.
func (d *Desk) differences(ctx context.Context, b bank.Book, day deposit.Day) ([]Difference, error) {
	all, err := sqldb.Select(ctx, d.db, func(f *Difference) []any { return []any{&f.Code, &f.Entries, &f.Amount} },
		"SELECT code, COUNT(*), SUM(amount) FROM findings WHERE day = ? AND bank = ? AND parent_account = ? AND kind NOT IN ('CREDIT','BID','PAYER','CHECK','POOL','NUMBER','WORD') AND state <> 'CLEARED' GROUP BY code",
		day, b.Bank, b.ParentAccount)
	slices.SortFunc(all, func(a, b Difference) int { return slices.Index(codes, a.Code) - slices.Index(codes, b.Code) })
	return append([]Difference{}, all...), err
}

// counts tells how many of the day's credits that may be seen got which verdict, and how many such findings of the other
// kinds there are. What sets a credit aside is counted once, as the finding.
func (d *Desk) counts(ctx context.Context, eyes deposit.Sight, day deposit.Day) (map[Code]int64, error) {
	type count struct {
		Code Code
		N    int64
	}
	credits, args := platform.Seen("m.lot_id", "e.first_seen", eyes)
	found, more := findingSeen(eyes)
	args = slices.Concat([]any{day}, args, []any{day}, more)
	rows, err := sqldb.Select(ctx, d.db, func(c *count) []any { return []any{&c.Code, &c.N} },
		"SELECT m.verdict, COUNT(*) FROM entries AS e JOIN matches AS m ON m.entry_id = e.id WHERE e.booking_date = ? AND m.verdict NOT IN ('ADVICE_CONFLICT','ADVICE_ORPHAN') AND "+credits+" GROUP BY m.verdict "+
			"UNION ALL SELECT f.code, COUNT(*) FROM findings AS f LEFT JOIN entries AS e ON e.id = f.subject WHERE f.day = ? AND f.kind <> 'CREDIT' AND f.state <> 'CLEARED' AND "+found+" GROUP BY f.code", args...)
	all := map[Code]int64{}
	for _, c := range rows {
		all[c.Code] += c.N
	}
	return all, err
}
