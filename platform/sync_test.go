package platform

import (
	"fmt"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// month is a small month: n lots of three bids each, the first lot opened.
func month(n int) SyncOrder {
	var o SyncOrder
	for i := range n {
		lot := lotA
		lot.Number, lot.OpensAt = fmt.Sprint("LC-", i), at("2026-06-10 09:00:00").Add(time.Duration(i)*time.Hour)
		o.Lots = append(o.Lots, lot)
		for j := range 3 {
			o.Bids = append(o.Bids, bidOrder(lot.Number, fmt.Sprint("投标人", (i+j)%7), fmt.Sprint("9", i, "-", j)))
		}
	}
	o.Events = []EventOrder{{Number: "E-1", Kind: EventOpened, Lot: "LC-0", HappenedAt: at("2026-06-10 09:00:00")}}
	return o
}

func TestSyncAgainChangesNothing(t *testing.T) {
	each(t, func(h house) {
		o := month(150)
		result, err := h.desk.Sync(ctx, "platform", o)
		if err != nil || result != (SyncResult{Lots: 150, Bids: 450, Events: 1}) {
			h.Fatalf("%+v %v", result, err)
		}
		notes, err := sqldb.Events.All(ctx, h.db, "WHERE became = ? AND by_whom = ? ORDER BY seq", "CREATED", "platform")
		if err != nil || len(notes) != 150+450+450 || notes[0].Table != "lots" || !notes[0].At.Equal(noon) {
			h.Errorf("%d notes of what was created, %v", len(notes), err)
		}
		before := h.written()
		result, err = h.desk.Sync(ctx, "platform", o)
		if err != nil || result != (SyncResult{Unchanged: 601}) || h.written() != before {
			h.Errorf("again: %+v %v, written %s, before %s", result, err, h.written(), before)
		}
		o.Lots[7].Deposit++
		o.Bids[3].BidderAccount = "370000000009"
		o.Bids[4].LeaseTo = at("2026-07-01 00:00:00")
		result, err = h.desk.Sync(ctx, "platform", o)
		if err != nil || result != (SyncResult{Lots: 1, Bids: 2, Unchanged: 598}) {
			h.Errorf("changed: %+v %v", result, err)
		}
		if n := h.overlapping(); n != 0 {
			h.Errorf("%d pairs overlap", n)
		}
	})
}

// Elements of one call may build on each other, and be told twice.
func TestSyncWithinOneCall(t *testing.T) {
	each(t, func(h house) {
		o := month(1)
		o.Lots = append(o.Lots, o.Lots[0])
		closed, next := o.Bids[0], o.Bids[1]
		closed.LeaseTo = at("2026-06-05 08:00:00")
		next.SubAccount, next.LeaseFrom = closed.SubAccount, closed.LeaseTo
		other := o.Bids[2]
		other.SubAccount, other.BidderAccount = "another", ""
		o.Bids = append(o.Bids, o.Bids[2], closed, next, other)
		o.Events = append(o.Events, o.Events[0], EventOrder{Number: "E-2", Kind: EventAwardNotice, Lot: "LC-0", Bidder: "投标人0", HappenedAt: noon})
		result, err := h.desk.Sync(ctx, "platform", o)
		if err != nil || result != (SyncResult{Lots: 1, Bids: 6, Events: 2, Unchanged: 3}) {
			h.Fatalf("%+v %v", result, err)
		}
		if got := h.line(closed.SubAccount); got != "投标人01-5 投标人15-" {
			h.Errorf("leases %s", got)
		}
		if lot, err := LotByNumber(ctx, h.db, "LC-0"); err != nil || lot.State != LotAwarded {
			h.Errorf("%+v %v", lot, err)
		}
	})
}

// One bad element refuses the call, is named, and leaves nothing behind.
func TestSyncIsAllOrNothing(t *testing.T) {
	each(t, func(h house) {
		for _, c := range []struct {
			name        string
			spoil       func(*SyncOrder)
			kind        deposit.Kind
			code, field string
		}{
			{"a deposit", func(o *SyncOrder) { o.Lots[3].Deposit = 0 }, deposit.Invalid, "deposit_out_of_range", "lots[3].deposit"},
			{"two words on one lot", func(o *SyncOrder) { o.Lots[2].Number = o.Lots[1].Number }, deposit.Invalid, "lot_twice", "lots[2].number"},
			{"a bidder", func(o *SyncOrder) { o.Bids[5].Bidder = "" }, deposit.Invalid, "field_missing", "bids[5].bidder"},
			{"a bid on no lot", func(o *SyncOrder) { o.Bids[5].Lot = "nowhere" }, deposit.NotFound, "lot_unknown", "bids[5].lot"},
			{"two accounts of one bid", func(o *SyncOrder) { o.Bids = append(o.Bids, o.Bids[0]); o.Bids[12].BidderAccount = "2" }, deposit.Invalid, "bid_twice", "bids[12].bidder_account"},
			{"two bids on one number", func(o *SyncOrder) { o.Bids[4].SubAccount = o.Bids[3].SubAccount }, deposit.Conflict, "lease_overlaps", "bids[4].sub_account"},
			{"an early opening", func(o *SyncOrder) { o.Events[0].HappenedAt = at("2026-06-10 08:00:00") }, deposit.Conflict, "opening_early", "events[0].happened_at"},
			{"one event number for two", func(o *SyncOrder) {
				o.Events = append(o.Events, o.Events[0])
				o.Events[1].Note = "other"
			}, deposit.Conflict, "event_number_reused", "events[1].number"},
		} {
			h.Run(c.name, func(t *testing.T) {
				o, before := month(4), h.written()
				c.spoil(&o)
				result, err := h.desk.Sync(ctx, "platform", o)
				wantRefused(t, err, c.kind, c.code, c.field)
				if result != (SyncResult{}) || h.written() != before {
					t.Errorf("refused, and yet %+v, written %s, before %s", result, h.written(), before)
				}
			})
		}
		_, err := h.desk.Sync(ctx, "platform", SyncOrder{Lots: make([]LotOrder, 6000), Bids: make([]BidOrder, 4000), Events: make([]EventOrder, 1)})
		if r := deposit.AsRefusal(err); r.Code != "sync_too_large" || r.Kind != deposit.Invalid {
			h.Errorf("%v", err)
		}
		if result, err := h.desk.Sync(ctx, "platform", SyncOrder{}); err != nil || result != (SyncResult{}) {
			h.Errorf("nothing: %+v %v", result, err)
		}
	})
}

// The largest call goes through in one transaction.
func TestSyncOfTheLargestCall(t *testing.T) {
	sqldbtest.Unwatched(t)
	each(t, func(h house) {
		o := month(2500)
		o.Bids = o.Bids[:7499]
		start := time.Now()
		result, err := h.desk.Sync(ctx, "platform", o)
		if err != nil || result != (SyncResult{Lots: 2500, Bids: 7499, Events: 1}) {
			h.Fatalf("%+v %v", result, err)
		}
		h.Logf("%d elements in %v", mostElements, time.Since(start).Round(time.Millisecond))
		n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM touched")
		if err != nil || n != 7499+3 {
			h.Errorf("%d touches %v", n, err)
		}
	})
}
