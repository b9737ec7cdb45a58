package reconcile

import (
	"context"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// differencesAtOnce is how many findings of a comparison share a transaction.
const differencesAtOnce = 1000

// difference is what a comparison found of one kind on an account's day: the keys of the entries, and what is said of each.
type difference struct {
	kind   FindingKind
	code   Code
	book   bank.Book
	day    deposit.Day
	ids    []sqldb.ID
	detail func(*bank.Entry) string
}

// keepDifference makes the findings of the kind on the account's day be exactly those found, some at a time. A credit that
// becomes an orphan, or ceases to be one, is judged again.
func (d *Desk) keepDifference(ctx context.Context, by string, diff difference) error {
	slices.Sort(diff.ids)
	standing, err := sqldb.Select(ctx, d.db, func(id *sqldb.ID) []any { return []any{id} },
		"SELECT subject FROM findings WHERE day = ? AND kind = ? AND bank = ? AND parent_account = ? AND state <> 'CLEARED' ORDER BY subject",
		diff.day, diff.kind, diff.book.Bank, diff.book.ParentAccount)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(diff.ids, differencesAtOnce) {
		wanted, err := d.describe(ctx, diff, some)
		if err != nil {
			return err
		}
		if err := d.keepSome(ctx, by, diff.kind, some, wanted, without(some, standing)); err != nil {
			return err
		}
	}
	for gone := range slices.Chunk(without(standing, diff.ids), differencesAtOnce) {
		if err := d.keepSome(ctx, by, diff.kind, gone, nil, gone); err != nil {
			return err
		}
	}
	return nil
}

// keepSome keeps the findings on some subjects, and asks for another verdict on those of which it is news.
func (d *Desk) keepSome(ctx context.Context, by string, kind FindingKind, subjects []sqldb.ID, wanted []Finding, news []sqldb.ID) error {
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if err := keep(ctx, tx, kind, subjects, wanted); err != nil || kind != KindOrphan {
			return err
		}
		return bank.Requeue(ctx, tx, news...)
	})
}

// describe makes the findings on some entries, with the bid and lot that the credits were judged to be for.
func (d *Desk) describe(ctx context.Context, diff difference, ids []sqldb.ID) ([]Finding, error) {
	entries, err := bank.EntriesByID(ctx, d.db, ids)
	if err != nil {
		return nil, err
	}
	judged, err := matchesOf(ctx, d.db, ids)
	wanted := make([]Finding, len(entries))
	for i := range entries {
		e, m := &entries[i], judged[entries[i].ID]
		wanted[i] = Finding{Subject: e.ID, Code: diff.code, Reasons: string(diff.code), Day: e.BookingDate, Bank: e.Bank, ParentAccount: e.ParentAccount,
			Amount: e.Amount, LotID: m.LotID, BidID: m.BidID, Department: string(meanings[diff.code].acts), Detail: diff.detail(e)}
	}
	return wanted, err
}

// without gives the keys that are not among the others; both come in order.
func without(all, others []sqldb.ID) (rest []sqldb.ID) {
	for _, id := range all {
		if _, there := slices.BinarySearch(others, id); !there {
			rest = append(rest, id)
		}
	}
	return rest
}

// saying is the same detail for every entry.
func saying(text string) func(*bank.Entry) string { return func(*bank.Entry) string { return text } }
