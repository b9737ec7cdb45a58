package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// CloseDay compares a day's statements with its notices, both ways, proves the balances and judges what the day changed. The statement is the truth: a line that was never pushed counts as paid at its booking time. It may be run
// again at any time, also when a later statement or notice has come; without news it changes nothing.
func (d *Desk) CloseDay(ctx context.Context, by string, day deposit.Day) error {
	if _, err := d.JudgeAll(ctx); err != nil {
		return err
	}
	books, err := d.books(ctx, day)
	if err != nil {
		return err
	}
	all := make([]figures, len(books))
	for i, b := range books {
		all[i], err = d.closeBook(ctx, by, b, day)
		if err := errors.Join(err, d.chainOn(ctx, by, b, day), d.orphansOn(ctx, by, b, day)); err != nil {
			return fmt.Errorf("close %s of %s: %w", day, b.Bank, err)
		}
	}
	if err := d.openings(ctx, by, day); err != nil {
		return fmt.Errorf("bids of %s: %w", day, err)
	}
	if _, err := d.JudgeAll(ctx); err != nil {
		return err
	}
	if err := d.delayed(ctx, by, all); err != nil {
		return fmt.Errorf("delayed notices of %s: %w", day, err)
	}
	return d.findViolations(ctx, by, day)
}

// books lists the accounts that have something on a day, and those of banks.yaml, of which a statement is expected.
func (d *Desk) books(ctx context.Context, day deposit.Day) ([]bank.Book, error) {
	books, err := bank.BooksOn(ctx, d.db, day)
	for _, b := range d.banks.All() {
		for _, parent := range b.ParentAccounts {
			if book := (bank.Book{Bank: b.Code, ParentAccount: parent}); !slices.Contains(books, book) {
				books = append(books, book)
			}
		}
	}
	return books, err
}

// expectsNotices says whether a bank pushes at all; one that does not misses none.
func (d *Desk) expectsNotices(code string) bool {
	b, err := d.banks.Bank(code)
	return err == nil && b.Notices != bank.None
}

// closeBook compares one account's day, keeps its findings, and then its closing.
func (d *Desk) closeBook(ctx context.Context, by string, b bank.Book, day deposit.Day) (figures, error) {
	fig, err := d.proofOf(ctx, b, day)
	if err != nil {
		return fig, err
	}
	orphans := difference{kind: KindOrphan, code: AdviceOrphan, book: b, day: day, detail: saying("银行已推送，但当日对账单无此流水")}
	missing := difference{kind: KindMissing, code: AdviceMissing, book: b, day: day, detail: saying("对账单有此流水，银行未推送到账通知")}
	err = together(
		func() (err error) { fig.pushed, err = bank.PushedOn(ctx, d.db, b, day); return err },
		func() (err error) {
			if fig.statement == nil {
				return nil
			}
			if orphans.ids, err = bank.NotOnStatement(ctx, d.db, b, day, fig.statement.ID); err == nil && d.expectsNotices(b.Bank) {
				missing.ids, err = bank.NeverPushed(ctx, d.db, b, day, fig.statement.ID)
			}
			return err
		})
	if err != nil {
		return fig, err
	}
	if fig.statement != nil {
		if err := errors.Join(d.keepDifference(ctx, by, missing), d.keepDifference(ctx, by, orphans)); err != nil {
			return fig, err
		}
	}
	return fig, d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if fig.statement != nil {
			if err := keepProofs(ctx, tx, fig); err != nil {
				return err
			}
		}
		return keepClosing(ctx, tx, fig)
	})
}

// chainOn compares an account's next day again where it no longer begins as it was found to: a corrected statement has
// moved the balance that it follows on.
func (d *Desk) chainOn(ctx context.Context, by string, b bank.Book, day deposit.Day) error {
	next, err := closings.One(ctx, d.db, "WHERE bank = ? AND parent_account = ? AND day > ? AND statement_id <> 0 ORDER BY day LIMIT 1", b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	fig, err := d.proofOf(ctx, b, next.Day)
	if err == nil && (fig.chain != next.Chain || fig.chain == ChainIsBroken) {
		_, err = d.closeBook(ctx, by, b, next.Day)
	}
	return err
}

// orphansOn compares the days again whose notices were on no statement until this one came: the bank books on another day
// than the notice's clock told.
func (d *Desk) orphansOn(ctx context.Context, by string, b bank.Book, day deposit.Day) error {
	s, err := bank.StatementOf(ctx, d.db, b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	days, err := bank.OrphansOn(ctx, d.db, b, s.ID)
	for _, earlier := range days {
		if earlier != day && err == nil {
			_, err = d.closeBook(ctx, by, b, earlier)
		}
	}
	return err
}

// keepProofs keeps the findings on a statement whose figures do not hold together, or that does not begin where the last
// one ended. Those on an earlier revision of it go with that revision.
func keepProofs(ctx context.Context, tx *sqldb.Tx, fig figures) error {
	s := fig.statement
	base := Finding{Subject: s.ID, Day: fig.day, Bank: s.Bank, ParentAccount: s.ParentAccount, Department: string(Finance)}
	var balance, chain []Finding
	if why := s.Unproved(); why != "" {
		f := base
		f.Code, f.Reasons, f.Amount, f.Detail = BalanceMismatch, string(BalanceMismatch), s.Gap, why
		balance = append(balance, f)
	}
	if fig.chain == ChainIsBroken {
		f := base
		f.Code, f.Reasons, f.Amount = ChainBroken, string(ChainBroken), s.Opening-fig.before
		f.Detail = "期初 " + s.Opening.Grouped() + "，上一份对账单期末 " + fig.before.Grouped()
		chain = append(chain, f)
	}
	if err := keepProof(ctx, tx, KindBalance, fig, balance); err != nil {
		return err
	}
	return keepProof(ctx, tx, KindChain, fig, chain)
}

// keepProof makes the finding of a kind on an account's statement be the one found, if any.
func keepProof(ctx context.Context, tx *sqldb.Tx, kind FindingKind, fig figures, wanted []Finding) error {
	subjects := []sqldb.ID{fig.statement.ID}
	standing, err := findings.All(ctx, tx, "WHERE day = ? AND kind = ? AND bank = ? AND parent_account = ?", fig.day, kind, fig.book.Bank, fig.book.ParentAccount)
	for _, old := range standing {
		if old.Subject != fig.statement.ID {
			subjects = append(subjects, old.Subject)
		}
	}
	if err != nil {
		return err
	}
	return keep(ctx, tx, kind, subjects, wanted)
}
