package platform

import (
	"context"
	"slices"

	"depositd/migrations/sqldb"
)

// Touch says that a fact of the platform changed which the verdicts on some credits rest on: those on the number, and
// those whose payer has that key. SubAccount is empty for a bid that has no number of its own, BidderKey for a number that
// the bids of a lot share.
type Touch struct {
	ID         sqldb.ID
	Bank       string
	SubAccount string
	BidderKey  string
}

var touched = sqldb.NewTable("touched", "id, bank, sub_account, sealed", func(t *Touch) []any {
	return []any{&t.ID, &t.Bank, &t.SubAccount, sqldb.Sealed("touched", &t.ID, &t.BidderKey)}
})

// Touched lists some of what changed and was not judged again yet; Untouch says that it was.
func Touched(ctx context.Context, r sqldb.Reader, limit int) ([]Touch, error) {
	return touched.All(ctx, r, "ORDER BY id LIMIT ?", limit)
}

// Untouch forgets touches, in the transaction that judges again what they touched. A change made meanwhile has a row of
// its own and stays.
func Untouch(ctx context.Context, tx *sqldb.Tx, ids []sqldb.ID) error {
	return inLists(ids, func(in string, args []any) error {
		_, err := tx.Exec(ctx, "DELETE FROM touched WHERE id "+in, args...)
		return err
	})
}

// touchLots touches every lease of the lots that have bids, and their bids that have none.
func touchLots(ctx context.Context, tx *sqldb.Tx, ids []sqldb.ID) error {
	return touch(ctx, tx, "b.lot_id", ids)
}

// touchBids touches every lease of the bids, or the bid itself where it has none.
func touchBids(ctx context.Context, tx *sqldb.Tx, ids []sqldb.ID) error {
	return touch(ctx, tx, "b.id", ids)
}

// bidTouch is a touch with the bid that is its reason.
type bidTouch struct {
	Touch
	bid Bid
}

func touchRow(t *bidTouch) []any {
	return []any{&t.Bank, &t.SubAccount, &t.bid.ID, SealedBidder(&t.bid)}
}

func touch(ctx context.Context, tx *sqldb.Tx, column string, ids []sqldb.ID) error {
	slices.Sort(ids)
	return inLists(slices.Compact(ids), func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, tx, touchRow, "SELECT COALESCE(l.bank, ''), COALESCE(l.sub_account, ''), b.id, b.sealed FROM bids b "+
			"LEFT JOIN leases l ON l.bid_id = b.id WHERE "+column+" "+in+" ORDER BY b.id, l.id", args...)
		if err != nil {
			return err
		}
		shared, err := sqldb.Select(ctx, tx, func(t *bidTouch) []any { return []any{&t.Bank, &t.SubAccount} },
			"SELECT DISTINCT l.bank, l.sub_account FROM bids b JOIN lots t ON t.id = b.lot_id AND t.numbering = 'PER_LOT' "+
				"JOIN leases l ON l.lot_id = t.id AND l.bid_id = 0 WHERE "+column+" "+in+" ORDER BY l.bank, l.sub_account", args...)
		if err != nil {
			return err
		}
		var fresh []Touch
		for _, t := range append(rows, shared...) {
			fresh = append(fresh, Touch{tx.NewID(), t.Bank, t.SubAccount, t.bid.BidderKey})
		}
		return touched.Insert(ctx, tx, fresh...)
	})
}
