package platform

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// HeldNumber is a number that something keeps from being released or from becoming free.
type HeldNumber struct {
	Bank, SubAccount string
	Ref              sqldb.ID
	Since            time.Time
}

// HeldFor lists the numbers that are held for a reason, the longest held first.
func HeldFor(ctx context.Context, r sqldb.Reader, reason HoldReason) ([]HeldNumber, error) {
	return sqldb.Select(ctx, r, func(h *HeldNumber) []any { return []any{&h.Bank, &h.SubAccount, &h.Ref, sqldb.Wall(&h.Since)} },
		"SELECT bank, sub_account, ref, held_since FROM number_holds WHERE reason = ? ORDER BY held_since, sub_account, bank, ref", reason)
}

// CountHeld counts the numbers of a pool that are held for a reason.
func CountHeld(ctx context.Context, r sqldb.Reader, bank, parent string, reason HoldReason) (int, error) {
	return sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM numbers n WHERE n.bank = ? AND n.parent_account = ? AND EXISTS (SELECT 1 FROM number_holds h "+
		"WHERE h.sub_account = n.sub_account AND h.bank = n.bank AND h.reason = ?)", bank, parent, reason)
}

// HoldsOn lists for what a number is held.
func HoldsOn(ctx context.Context, r sqldb.Reader, bank, subAccount string) ([]HoldReason, error) {
	return sqldb.Select(ctx, r, func(h *HoldReason) []any { return []any{h} },
		"SELECT reason FROM number_holds WHERE sub_account = ? AND bank = ? GROUP BY reason ORDER BY reason", subAccount, bank)
}

// NumberCalled finds the numbers of that name at every bank: those of our pools, and of those that the trading platform brought
// the ones that a lot which these eyes may see has held. That another one is known would tell that somebody bids.
func NumberCalled(ctx context.Context, r sqldb.Reader, subAccount string, eyes deposit.Sight) ([]Number, error) {
	seen, args := LotSeen("leases.lot_id", eyes)
	return numbers.All(ctx, r, "WHERE sub_account = ? AND (parent_account <> '' OR EXISTS (SELECT 1 FROM leases WHERE leases.sub_account = numbers.sub_account AND leases.bank = numbers.bank AND "+
		seen+")) ORDER BY bank", append([]any{subAccount}, args...)...)
}

// DrainsSeen reports whether a number of a pool drains after a lot of which everything may be told.
func DrainsSeen(ctx context.Context, r sqldb.Reader, bank, subAccount string) (bool, error) {
	seen, args := LotSeen("l.lot_id", deposit.SightOfAll())
	n, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM numbers AS n JOIN leases AS l ON l.id = n.lease_id WHERE n.sub_account = ? AND n.bank = ? AND n.state = 'DRAINING' AND "+seen,
		append([]any{subAccount, bank}, args...)...)
	return n > 0, err
}

// StillPaidInto is how long after its opening a lot's numbers may still take money that is late.
const StillPaidInto = 3 * 24 * time.Hour

// NumberInUse is a number into which money of a lot may come.
type NumberInUse struct{ SubAccount, Parent string } // Parent is "" where the trading platform brought the number

// NumbersInUse lists a bank's numbers that were leased at any time of [from, to) to a lot that was not long opened then.
func NumbersInUse(ctx context.Context, r sqldb.Reader, bank string, from, to time.Time) ([]NumberInUse, error) {
	return sqldb.Select(ctx, r, func(n *NumberInUse) []any { return []any{&n.SubAccount, &n.Parent} },
		"SELECT n.sub_account, n.parent_account FROM numbers AS n WHERE n.bank = ? AND EXISTS (SELECT 1 FROM leases AS l JOIN lots AS t ON t.id = l.lot_id "+
			"WHERE l.sub_account = n.sub_account AND l.bank = n.bank AND l.leased_from < ? AND l.leased_to > ? AND (t.state = 'ANNOUNCED' OR t.opens_at > ?)) ORDER BY n.sub_account",
		bank, sqldb.At(to), sqldb.At(from), sqldb.At(from.Add(-StillPaidInto)))
}

// SealedLots counts the lots that are not opened yet.
func SealedLots(ctx context.Context, r sqldb.Reader) (int, error) {
	return sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM lots WHERE state = 'ANNOUNCED'")
}
