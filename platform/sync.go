package platform

import (
	"context"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// SyncOrder is what POST /v1/platform/sync says: lots, then bids, then events, each as their own call would say it.
type SyncOrder struct {
	Lots   []LotOrder
	Bids   []BidOrder
	Events []EventOrder
}

// SyncResult counts the elements that were new or changed something, and those that changed nothing.
type SyncResult struct {
	Lots      int
	Bids      int
	Events    int
	Unchanged int
}

func (r *SyncResult) count(kind *int, o outcome) {
	if o == unchanged {
		kind = &r.Unchanged
	}
	*kind++
}

// mostElements bounds one Sync. It is one transaction, for which all other writers wait: ten thousand elements are a
// second or so, and some megabytes where engines of that protocol refuse transactions beyond a hundred.
const mostElements = 10_000

// Sync takes over many lots, bids and events, all or nothing, by the rules of PutLot, PutBid and Record. A refusal names
// its element: "lots[3].deposit …". At most 10,000 elements a call, else Invalid "sync_too_large"; whoever has more
// splits them, lots first.
func (d *Desk) Sync(ctx context.Context, by string, o SyncOrder) (SyncResult, error) {
	if n := len(o.Lots) + len(o.Bids) + len(o.Events); n > mostElements {
		return SyncResult{}, deposit.Refuse(deposit.Invalid, "sync_too_large", "一次最多推送 ", mostElements, " 条，本次 ", n, " 条，请分批推送（先标段，后投标和事件）")
	}
	calledAt := d.db.Now()
	var result SyncResult
	err := d.write(ctx, by, func(tx *sqldb.Tx) error {
		result = SyncResult{}
		lots, err := putLots(ctx, tx, "lots", o.Lots)
		if err != nil {
			return err
		}
		bids, err := d.putBids(ctx, tx, "bids", o.Bids, calledAt)
		if err != nil {
			return err
		}
		events, err := recordEvents(ctx, tx, "events", o.Events)
		for _, lot := range lots {
			result.count(&result.Lots, lot.outcome)
		}
		for _, bid := range bids {
			result.count(&result.Bids, bid.outcome)
		}
		for _, event := range events {
			result.count(&result.Events, event)
		}
		return err
	})
	if err != nil {
		return SyncResult{}, err
	}
	return result, nil
}
