package reconcile

import (
	"context"
	"errors"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Report is what a day came to: per account the proof of its balances, then how many credits got which verdict, then
// every finding of the day. It is printed, served as JSON and drawn from nothing but what is stored.
type Report struct {
	Day      deposit.Day    `json:"day"`
	Banks    []BankReport   `json:"banks"`
	Counts   map[Code]int64 `json:"counts"`
	Findings []FindingRow   `json:"findings"`
}

// BankReport is one parent account's day. Shortfall is statement minus notices.
type BankReport struct {
	Bank          string       `json:"bank"`
	ParentAccount string       `json:"parent_account"`
	Currency      string       `json:"currency"`
	Proof         bank.Proof   `json:"proof"`
	Opening       string       `json:"opening"` // "" when the bank does not tell
	Credits       deposit.Fen  `json:"credits"`
	Debits        deposit.Fen  `json:"debits"`
	Closing       string       `json:"closing"` // "" when the bank does not tell
	Gap           deposit.Fen  `json:"gap"`     // closing − (opening + credits − debits)
	Chain         Chain        `json:"chain"`
	Statement     Sides        `json:"statement"`
	Notices       Sides        `json:"notices"`
	Shortfall     Shortfall    `json:"shortfall"`
	AtRoundCap    bool         `json:"at_round_cap"`
	Differences   []Difference `json:"differences"` // what the comparison found, by kind
	State         string       `json:"state"`       // OPEN, CLOSED; "" before the day was compared
	Arrived       bool         `json:"statement_arrived"`
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
	for _, f := range r.Findings {
		if f.State == Open || f.State == Explained {
			return true
		}
	}
	return false
}

// Report reads the day's report. It changes nothing and may be asked before the day is closed.
func (d *Desk) Report(ctx context.Context, day deposit.Day) (*Report, error) {
	books, err := d.books(ctx, day)
	if err != nil {
		return nil, err
	}
	all := make([]figures, len(books))
	for i, b := range books {
		if all[i], err = d.look(ctx, b, day); err != nil {
			return nil, err
		}
	}
	return d.report(ctx, day, all)
}

// report is Report of a day whose figures have been read.
func (d *Desk) report(ctx context.Context, day deposit.Day, figs []figures) (*Report, error) {
	r := &Report{Day: day, Banks: []BankReport{}, Findings: []FindingRow{}}
	for _, fig := range figs {
		one, err := d.bankReport(ctx, fig)
		if err != nil {
			return nil, err
		}
		r.Banks = append(r.Banks, one)
	}
	err := together(
		func() (err error) { r.Counts, err = d.counts(ctx, day); return err },
		func() (err error) {
			r.Findings, err = findingRows(ctx, d.db, "WHERE f.day = ? AND f.state <> 'CLEARED'", day)
			return err
		})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(r.Findings, inReportOrder)
	return r, nil
}

func (d *Desk) bankReport(ctx context.Context, fig figures) (BankReport, error) {
	b, day := fig.book, fig.day
	one := BankReport{Bank: b.Bank, ParentAccount: b.ParentAccount, Currency: "CNY", Proof: bank.ProofNone, Chain: fig.chain,
		Notices: Sides{fig.pushed.Entries, fig.pushed.Credits, fig.pushed.Debits}, AtRoundCap: atRoundCap(fig.pushed.Entries)}
	if s := fig.statement; s != nil {
		one.Arrived, one.Proof, one.Credits, one.Debits, one.Gap = true, s.Proof, s.CreditSum, s.DebitSum, s.Gap
		one.Statement = Sides{s.CreditCount + s.DebitCount, s.CreditSum, s.DebitSum}
		one.Shortfall = Shortfall{s.CreditSum - fig.pushed.Credits, s.DebitSum - fig.pushed.Debits}
		if s.KnowsOpening() {
			one.Opening = s.Opening.String()
		}
		if s.KnowsClosing() {
			one.Closing = s.Closing.String()
		}
	}
	c, err := closingOf(ctx, d.db, b.Bank, b.ParentAccount, day)
	if err != nil && !errors.Is(err, sqldb.ErrNone) {
		return one, err
	}
	one.State = c.State
	one.Differences, err = d.differences(ctx, b, day)
	return one, err
}

// differences sums what the comparison of an account's day found, in the order of Codes.
func (d *Desk) differences(ctx context.Context, b bank.Book, day deposit.Day) ([]Difference, error) {
	all, err := sqldb.Select(ctx, d.db, func(f *Difference) []any { return []any{&f.Code, &f.Entries, &f.Amount} },
		"SELECT code, COUNT(*), SUM(amount) FROM findings WHERE day = ? AND bank = ? AND parent_account = ? AND kind NOT IN ('CREDIT','BID','CHECK','POOL','NUMBER','WORD') AND state <> 'CLEARED' GROUP BY code",
		day, b.Bank, b.ParentAccount)
	slices.SortFunc(all, func(a, b Difference) int { return slices.Index(codes, a.Code) - slices.Index(codes, b.Code) })
	return append([]Difference{}, all...), err
}

// counts tells how many of the day's credits got which verdict, and how many findings of the other kinds there are.
// What sets a credit aside is counted once, as the finding.
func (d *Desk) counts(ctx context.Context, day deposit.Day) (map[Code]int64, error) {
	type count struct {
		Code Code
		N    int64
	}
	rows, err := sqldb.Select(ctx, d.db, func(c *count) []any { return []any{&c.Code, &c.N} },
		"SELECT m.verdict, COUNT(*) FROM entries AS e JOIN matches AS m ON m.entry_id = e.id WHERE e.booking_date = ? AND m.verdict NOT IN ('ADVICE_CONFLICT','ADVICE_ORPHAN') GROUP BY m.verdict "+
			"UNION ALL SELECT code, COUNT(*) FROM findings WHERE day = ? AND kind <> 'CREDIT' AND state <> 'CLEARED' GROUP BY code", day, day)
	all := map[Code]int64{}
	for _, c := range rows {
		all[c.Code] += c.N
	}
	return all, err
}
