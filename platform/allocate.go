package platform

import (
	"context"
	"errors"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// NumberOrder is what POST /v1/bids/{id}/sub-account says: that a bid needs a number, and from which pool.
type NumberOrder struct {
	Bid          sqldb.ID
	Bank, Parent string
}

// Allocate leases a number of the pool to the bid, or to its lot where the bids share one: one of those longest free,
// chosen at random among them, since numbers in sequence would tell how many bidders there are. Asked again it gives the
// same lease; isNew says that there was none before.
//
// Where the pool is empty the bid waits in the pool's queue, in the order of asking, and is refused with Conflict
// "pool_exhausted"; it has its number when it asks after one has come back. Whoever waits is served before whoever comes.
// NotFound "bid_unknown"; Conflict "bid_not_live", "lot_closed" for a bid or lot that takes no deposit any more.
func (d *Desk) Allocate(ctx context.Context, by string, o NumberOrder) (lease Lease, isNew bool, err error) {
	for {
		more := false
		err := d.write(ctx, by, func(tx *sqldb.Tx) (err error) {
			lease, isNew, more, err = d.allocate(ctx, tx, o)
			return err
		})
		switch {
		case err != nil:
			return Lease{}, false, err
		case lease.ID != 0:
			return lease, isNew, nil
		case !more:
			return Lease{}, false, deposit.Refuse(deposit.Conflict, "pool_exhausted", "子账号已用完，该投标已进入等候队列；有子账号可用时将优先分配，请稍后用同一请求查询")
		}
	}
}

// allocate is one transaction of Allocate: the bid takes its place in the queue and the queue is served. more says that
// it can go on.
func (d *Desk) allocate(ctx context.Context, tx *sqldb.Tx, o NumberOrder) (lease Lease, isNew, more bool, err error) {
	bid, lot, err := bidAndLot(ctx, tx, o.Bid)
	if err != nil {
		return lease, false, false, err
	}
	who := bid.leaser(lot)
	ask, asked, err := askOf(ctx, tx, who)
	if err != nil {
		return lease, false, false, err
	}
	if lease, err = leaseHeld(ctx, tx, who, ask.LeaseID, tx.Now); err != nil || lease.ID != 0 {
		return lease, false, false, err
	}
	switch {
	case bid.State != BidLive:
		return lease, false, false, deposit.Refuse(deposit.Conflict, "bid_not_live", "投标当前为“", bid.State.Chinese(), "”，不再分配子账号")
	case lot.State != LotAnnounced:
		return lease, false, false, deposit.Refuse(deposit.Conflict, "lot_closed", "标段当前为“", lot.State.Chinese(), "”，不再分配子账号")
	}
	if err := enqueue(ctx, tx, who, o, ask, asked); err != nil {
		return lease, false, false, err
	}
	served, more, err := d.serve(ctx, tx, o.Bank, o.Parent)
	if err != nil {
		return lease, false, false, err
	}
	if i := slices.IndexFunc(served, func(l Lease) bool { return l.leaser() == who }); i >= 0 {
		return served[i], true, false, nil
	}
	return lease, false, more, nil
}

func bidAndLot(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Bid, Lot, error) {
	bid, err := bids.One(ctx, r, "WHERE id = ?", id)
	if errors.Is(err, sqldb.ErrNone) {
		return bid, Lot{}, deposit.Refuse(deposit.NotFound, "bid_unknown", "投标不存在，请先推送该投标，并使用返回的 id")
	}
	if err != nil {
		return bid, Lot{}, err
	}
	lot, err := lots.One(ctx, r, "WHERE id = ?", bid.LotID)
	return bid, lot, err
}

// leaseHeld is the lease that whoever asks has: the one served, or else one that the platform told of, has still to end and
// is not of a number released since.
func leaseHeld(ctx context.Context, r sqldb.Reader, who leaser, served sqldb.ID, now time.Time) (Lease, error) {
	where, args := "WHERE bid_id = ? AND lot_id = ? AND leased_to > ? AND barred_until = ? ORDER BY leased_to, id LIMIT 1",
		[]any{who.bid, who.lot, sqldb.At(now), sqldb.At(time.Time{})}
	if served != 0 {
		where, args = "WHERE id = ?", []any{served}
	}
	lease, err := leases.One(ctx, r, where, args...)
	if errors.Is(err, sqldb.ErrNone) {
		return Lease{}, nil
	}
	return lease, err
}

// longestFree finds one of the pool's numbers that are longest free: the first at or after a random key. Keys are random
// themselves, so that their order tells nothing.
func longestFree(ctx context.Context, tx *sqldb.Tx, bank, parent string, from sqldb.ID) (Number, error) {
	const pool = "WHERE bank = ? AND parent_account = ? AND state = 'FREE' "
	oldest, err := numbers.One(ctx, tx, pool+"ORDER BY free_since, id LIMIT 1", bank, parent)
	if err != nil {
		return oldest, err
	}
	n, err := numbers.One(ctx, tx, pool+"AND free_since = ? AND id >= ? ORDER BY id LIMIT 1", bank, parent, sqldb.At(oldest.FreeSince), from)
	if errors.Is(err, sqldb.ErrNone) {
		return oldest, nil // none after the key: the first one follows the last
	}
	return n, err
}

// take leases a free number to whoever asked. The guarded statement of its step keeps a number from being given out twice:
// of two who saw it free one moves it on, the other is told ErrStale and looks again.
func take(ctx context.Context, tx *sqldb.Tx, n Number, ask numberAsk) (Lease, error) {
	lease := Lease{ID: tx.NewID(), Bank: n.Bank, SubAccount: n.SubAccount, LotID: ask.LotID, BidID: ask.BidID, From: tx.Now.Truncate(time.Second), To: sqldb.Forever, Version: 1}
	if lease.From.Before(n.QuarantinedUntil) {
		lease.From = n.QuarantinedUntil // by another replica's clock it is over
	}
	n.LeaseID = lease.ID
	if _, err := n.step(ctx, tx, actLease, ""); err != nil {
		return lease, err
	}
	if err := leases.Insert(ctx, tx, lease); err != nil {
		return lease, err
	}
	if err := tx.Note(ctx, "leases", lease.ID, "CREATED", ""); err != nil {
		return lease, err
	}
	if err := serveAsk(ctx, tx, ask, lease.ID); err != nil {
		return lease, err
	}
	if ask.BidID == 0 {
		return lease, touchLots(ctx, tx, []sqldb.ID{ask.LotID})
	}
	return lease, touchBids(ctx, tx, []sqldb.ID{ask.BidID})
}
