package reconcile

import (
	"context"
	"errors"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// What an audit event says of a row whose masked facts somebody has read, or was not shown because it was too often that day.
const (
	Revealed      = "REVEALED"
	RevealRefused = "REVEAL_REFUSED"
)

// Revealing asks to be shown what everything else shows masked.
type Revealing struct {
	By     string
	Eyes   deposit.Sight
	ID     sqldb.ID
	Reason string // 1–400 characters
	Most   int    // that a person is shown in a day
}

// Whole is an account and its holder, and the bidder that the money is for. What there is none of is "".
type Whole struct {
	Name    deposit.Name
	Account deposit.Account
	Bidder  deposit.Name
}

// Reveal gives the name and the number of the account that a credit came from. Who read it and why stands in the audit trail
// before anybody has it. NotFound "credit_unknown"; Denied "reveals_spent".
func (d *Desk) Reveal(ctx context.Context, r Revealing) (Whole, error) {
	return r.Show(ctx, d.db, "entries", func(tx *sqldb.Tx) (w Whole, err error) {
		e, err := seenEntry(ctx, tx, r.Eyes, r.ID)
		if err != nil {
			return w, err
		}
		w = Whole{Name: deposit.Name(e.PayerName), Account: deposit.Account(e.PayerAccount)}
		w.Bidder, err = BidderOf(ctx, tx, e.ID)
		return w, err
	})
}

// RevealFinding gives who has paid, from which account, and whose deposit it is about; of one that is not paid the bidder and the
// account that is registered. NotFound "finding_unknown"; Denied "reveals_spent".
func (d *Desk) RevealFinding(ctx context.Context, r Revealing) (Whole, error) {
	return r.Show(ctx, d.db, "findings", func(tx *sqldb.Tx) (w Whole, err error) {
		row, err := findingRow(ctx, tx, r.Eyes, r.ID)
		if err != nil {
			return w, err
		}
		w = Whole{Name: row.Payer, Bidder: row.Bidder}
		if row.Credit != 0 {
			e, err := bank.EntryByID(ctx, tx, row.Credit)
			w.Account = deposit.Account(e.PayerAccount)
			return w, err
		}
		f, err := findings.One(ctx, tx, "WHERE id = ?", r.ID)
		if err != nil {
			return w, err
		}
		bids, err := platform.BidsByID(ctx, tx, []sqldb.ID{f.BidID})
		w.Name, w.Account = w.Bidder, deposit.Account(bids[f.BidID].BidderAccount)
		return w, err
	})
}

// Show gives what read finds of a row, counts it and notes it. One too many that day is Denied
// "reveals_spent", and that it was asked for is noted too.
func (r Revealing) Show(ctx context.Context, db *sqldb.DB, table string, read func(*sqldb.Tx) (Whole, error)) (w Whole, err error) {
	spent := false
	err = db.Write(ctx, r.By, func(tx *sqldb.Tx) error {
		shown, err := read(tx)
		if err != nil {
			return err
		}
		left, err := r.count(ctx, tx)
		if spent = err == nil && !left; spent {
			return tx.Note(ctx, table, r.ID, RevealRefused, r.Reason)
		}
		if err != nil {
			return err
		}
		w = shown
		return tx.Note(ctx, table, r.ID, Revealed, r.Reason)
	})
	if err == nil && spent {
		err = deposit.Refuse(deposit.Denied, "reveals_spent", "今日查看完整户名、账号已达每人每日 ", r.Most, " 次的上限，本次未显示，并已记入审计日志；请明日再查看，"+
			"急需的请由其他有权限的同事查看，经常不够用的请与运维员商定上限（--reveals-per-day）")
	}
	if err != nil {
		return Whole{}, err
	}
	return w, nil
}

// count takes one of the day's, if one is left.
func (r Revealing) count(ctx context.Context, tx *sqldb.Tx) (left bool, err error) {
	today := deposit.DayOf(tx.Now)
	n, err := tx.Exec(ctx, "UPDATE reveals SET shown = shown + 1 WHERE person = ? AND day = ? AND shown < ?", r.By, today, r.Most)
	if err != nil || n == 1 {
		return n == 1, err
	}
	if _, err = reveals.One(ctx, tx, "WHERE person = ? AND day = ?", r.By, today); !errors.Is(err, sqldb.ErrNone) {
		return false, err
	}
	return true, reveals.Insert(ctx, tx, revealRow{r.By, today, 1})
}

type revealRow struct {
	Person string
	Day    deposit.Day
	Shown  int
}

var reveals = sqldb.NewTable("reveals", "person, day, shown", func(r *revealRow) []any { return []any{&r.Person, &r.Day, &r.Shown} })

// BidderOf is the bidder that an entry's money is for.
func BidderOf(ctx context.Context, r sqldb.Reader, entry sqldb.ID) (deposit.Name, error) {
	found, err := matchesOf(ctx, r, []sqldb.ID{entry})
	if err != nil {
		return "", err
	}
	bids, err := platform.BidsByID(ctx, r, []sqldb.ID{found[entry].BidID})
	return deposit.Name(bids[found[entry].BidID].Bidder), err
}
