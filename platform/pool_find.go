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
