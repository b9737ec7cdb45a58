package reconcile

import (
	"cmp"
	"context"
	"slices"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// stray is a credit that is not on a number of its payer's, so that what it is depends on the payer's bids too. They are few
// among many: an index over the payers of all entries would change a page for each notice.
type stray struct {
	EntryID  sqldb.ID
	PayerKey string
}

// strayTag is the place of the tags of PayerKey, which is kept in no other way.
const strayTag = "strays.payer"

var strays = sqldb.NewTable("strays", "entry_id, payer_tag", func(s *stray) []any { return []any{&s.EntryID, sqldb.Tag(strayTag, &s.PayerKey)} })

// noteStrays keeps which credits have gone astray. One that has found its way is kept all the same: it is looked at once more
// than need be.
func (h *hearing) noteStrays(ctx context.Context, tx *sqldb.Tx) error {
	var astray []stray
	var ids []sqldb.ID
	for id, c := range h.credits {
		if c.astray {
			astray, ids = append(astray, stray{id, c.credit.PayerKey}), append(ids, id)
		}
	}
	known := map[sqldb.ID]bool{}
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := strays.All(ctx, tx, "WHERE entry_id IN "+in, args...)
		for _, s := range rows {
			known[s.EntryID] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	astray = slices.DeleteFunc(astray, func(s stray) bool { return known[s.EntryID] })
	slices.SortFunc(astray, func(a, b stray) int { return cmp.Compare(a.EntryID, b.EntryID) })
	return strays.Insert(ctx, tx, astray...)
}

// paidAstray reads the credits, judged before, of payers whose bids may have changed what they are.
func paidAstray(ctx context.Context, r sqldb.Reader, payers []string) ([]bank.Entry, error) {
	var ids []sqldb.ID
	err := sqldb.Chunks(sqldb.Tags(strayTag, payers), func(in string, args []any) error {
		rows, err := strays.All(ctx, r, "WHERE payer_tag IN "+in, args...)
		for _, s := range rows {
			ids = append(ids, s.EntryID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return bank.EntriesByID(ctx, r, ids)
}
