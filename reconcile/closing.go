package reconcile

import (
	"context"
	"errors"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Chain says whether a statement begins where the account's last one ended.
type Chain string

// The chains. A statement without an opening balance has nothing to compare: it is a first one too.
const (
	ChainOK       Chain = "OK"
	ChainIsBroken Chain = "BROKEN"
	ChainFirst    Chain = "FIRST"
)

// The states of a day's closing.
const (
	DayOpen   = "OPEN"   // the statement is not here yet, or a gap in it is not explained
	DayClosed = "CLOSED" // the proofs hold, or a person has explained why not
)

// ClosingMoves is how a closing's state changes: a corrected statement that does not hold opens the day again.
var ClosingMoves = deposit.Machine{
	DayOpen:   {"close": DayClosed},
	DayClosed: {"open": DayOpen},
}

// Closing is what the comparison of an account's day came to.
type Closing struct {
	ID            sqldb.ID
	Bank          string
	ParentAccount string
	Day           deposit.Day
	StatementID   sqldb.ID
	Chain         Chain
	NoticeCount   int64
	NoticeCredits deposit.Fen
	NoticeDebits  deposit.Fen
	AtRoundCap    bool
	State         string
	Version       int64
	ComparedAt    time.Time
}

var closings = sqldb.NewTable("closings", "id, bank, parent_account, day, statement_id, chain, notice_count, notice_credits, notice_debits, at_round_cap, state, version, compared_at",
	func(c *Closing) []any {
		return []any{&c.ID, &c.Bank, &c.ParentAccount, &c.Day, &c.StatementID, &c.Chain, &c.NoticeCount, &c.NoticeCredits, &c.NoticeDebits, &c.AtRoundCap,
			&c.State, &c.Version, sqldb.Wall(&c.ComparedAt)}
	})

// ClosedBeyond says whether a day of an account is closed, and a later one that begins where the day before it ended: what was
// booked in between is known then, also over days without a statement.
func ClosedBeyond(ctx context.Context, r sqldb.Reader, b bank.Book, day deposit.Day) (bool, error) {
	n, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM closings AS c WHERE c.bank = ? AND c.parent_account = ? AND c.day = ? AND c.state = 'CLOSED' AND "+
		"EXISTS (SELECT 1 FROM closings AS n WHERE n.bank = c.bank AND n.parent_account = c.parent_account AND n.day > c.day AND n.state = 'CLOSED' AND n.chain = 'OK')",
		b.Bank, b.ParentAccount, day)
	return n > 0, err
}

// figures is what is known of an account's day.
type figures struct {
	book      bank.Book
	day       deposit.Day
	statement *bank.StatementRow // nil before it came
	chain     Chain
	before    deposit.Fen // the closing balance of the statement before
	pushed    bank.Pushed
}

// look reads the figures of an account's day.
func (d *Desk) look(ctx context.Context, b bank.Book, day deposit.Day) (figures, error) {
	fig, err := d.proofOf(ctx, b, day)
	if err != nil {
		return fig, err
	}
	fig.pushed, err = bank.PushedOn(ctx, d.db, b, day)
	return fig, err
}

// proofOf reads the figures of an account's day without those of its notices.
func (d *Desk) proofOf(ctx context.Context, b bank.Book, day deposit.Day) (figures, error) {
	fig := figures{book: b, day: day, chain: ChainFirst}
	s, err := bank.StatementOf(ctx, d.db, b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return fig, nil
	}
	if err != nil {
		return fig, err
	}
	fig.statement = &s
	before, err := bank.StatementBefore(ctx, d.db, b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return fig, nil
	}
	if err == nil && before.KnowsClosing() && s.KnowsOpening() {
		fig.before, fig.chain = before.Closing, ChainOK
		if before.Closing != s.Opening {
			fig.chain = ChainIsBroken
		}
	}
	return fig, err
}

// atRoundCap says whether a number of notices is one at which banks are known to cut off silently: 100, 200, 500, 1000 …
func atRoundCap(n int64) bool {
	for round := int64(100); round <= n; round *= 10 {
		if n == round || n == 2*round || n == 5*round {
			return true
		}
	}
	return false
}

// keepClosing stores the outcome of a comparison, if it differs from the one that stands.
func keepClosing(ctx context.Context, tx *sqldb.Tx, fig figures) error {
	c := Closing{Bank: fig.book.Bank, ParentAccount: fig.book.ParentAccount, Day: fig.day, Chain: fig.chain, NoticeCount: fig.pushed.Entries,
		NoticeCredits: fig.pushed.Credits, NoticeDebits: fig.pushed.Debits, AtRoundCap: atRoundCap(fig.pushed.Entries)}
	if fig.statement != nil {
		c.StatementID = fig.statement.ID
	}
	old, err := closingOf(ctx, tx, c.Bank, c.ParentAccount, c.Day)
	if errors.Is(err, sqldb.ErrNone) {
		c.ID, c.State, c.Version, c.ComparedAt = tx.NewID(), DayOpen, 1, tx.Now
		err = closings.Insert(ctx, tx, c)
	} else if err == nil {
		err = replaceClosing(ctx, tx, old, c)
	}
	if err != nil {
		return err
	}
	return closeIfProved(ctx, tx, c.Bank, c.ParentAccount, c.Day)
}

func replaceClosing(ctx context.Context, tx *sqldb.Tx, old, c Closing) error {
	c.ID, c.State, c.Version, c.ComparedAt = old.ID, old.State, old.Version, old.ComparedAt
	if c == old {
		return nil
	}
	n, err := tx.Exec(ctx, "UPDATE closings SET statement_id = ?, chain = ?, notice_count = ?, notice_credits = ?, notice_debits = ?, at_round_cap = ?, compared_at = ?, "+
		"version = version + 1 WHERE id = ? AND version = ?",
		c.StatementID, c.Chain, c.NoticeCount, c.NoticeCredits, c.NoticeDebits, c.AtRoundCap, sqldb.At(tx.Now), c.ID, c.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return sqldb.ErrStale
	}
	return tx.Note(ctx, "closings", c.ID, "COMPARED", "重新对账")
}

func closingOf(ctx context.Context, r sqldb.Reader, bank, parent string, day deposit.Day) (Closing, error) {
	return closings.One(ctx, r, "WHERE day = ? AND bank = ? AND parent_account = ?", day, bank, parent)
}

// closeIfProved closes a day whose statement is here and whose figures hold or are explained, and opens it again when
// that is no longer so.
func closeIfProved(ctx context.Context, tx *sqldb.Tx, bank, parent string, day deposit.Day) error {
	c, err := closingOf(ctx, tx, bank, parent, day)
	if err != nil {
		return err
	}
	unexplained, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM findings WHERE day = ? AND bank = ? AND parent_account = ? AND kind IN ('BALANCE','CHAIN') AND state = 'OPEN'",
		day, bank, parent)
	if err != nil {
		return err
	}
	holds := c.StatementID != 0 && unexplained == 0
	if holds == (c.State == DayClosed) {
		return nil
	}
	act := map[bool]string{true: "close", false: "open"}[holds]
	next, err := ClosingMoves.Next(c.State, act)
	if err != nil {
		return err
	}
	return tx.Move(ctx, sqldb.Move{Table: "closings", ID: c.ID, Version: c.Version, From: c.State, To: next, Note: "日终对账"})
}

// DaysToClose lists the days since the given one that have something booked and are not closed for every account, for the
// nightly job to look at again.
func (d *Desk) DaysToClose(ctx context.Context, since, until deposit.Day) ([]deposit.Day, error) {
	return sqldb.Select(ctx, d.db, func(day *deposit.Day) []any { return []any{day} },
		"SELECT s.day FROM statements AS s WHERE s.day >= ? AND s.day < ? AND s.state = 'COMPLETE' "+
			"AND NOT EXISTS (SELECT 1 FROM statements AS n WHERE n.bank = s.bank AND n.parent_account = s.parent_account AND n.day = s.day AND n.state = 'COMPLETE' AND n.revision > s.revision) "+
			"AND NOT EXISTS (SELECT 1 FROM closings AS c "+
			"WHERE c.day = s.day AND c.bank = s.bank AND c.parent_account = s.parent_account AND c.state = 'CLOSED' AND c.statement_id = s.id) GROUP BY s.day ORDER BY s.day", since, until)
}
