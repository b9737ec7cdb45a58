package platform

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

func TestPutBidSaidAgainChangesNothing(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		for _, o := range []BidOrder{
			bidOrder(lotA.Number, "海岳（集团）建设有限公司", "9001"),
			{Lot: lotA.Number, Bidder: "明湖路桥有限公司"},
			{Lot: lotA.Number, Bidder: "东昌置业有限公司", Bank: "ICBC", SubAccount: "9003"},
		} {
			bid, isNew, err := h.desk.PutBid(ctx, "test", o)
			if err != nil || !isNew || bid.Version != 1 || bid.Bidder != o.Bidder || bid.BidderKey != deposit.NameKey(o.Bidder) {
				h.Errorf("first: %+v new=%v %v", bid, isNew, err)
			}
			before := h.written()
			told, isNew, err := h.desk.PutBid(ctx, "test", o)
			if err != nil || isNew || !same(told, bid) || h.written() != before {
				h.Errorf("again: %+v new=%v %v, written %s, before %s", told, isNew, err, h.written(), before)
			}
		}
		h.wantTouched("/明湖路桥有限公司", "9001/海岳集团建设有限公司", "9003/东昌置业有限公司")
	})
}

func TestPutBidTakesOverAccountAndSpelling(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		was := h.putBid(bidOrder(lotA.Number, "海岳（集团）建设有限公司", "9001"))
		h.untouch()
		for _, c := range []struct {
			name, bidder, account   string
			wantBidder, wantAccount string
			changes                 bool
		}{
			{"another account", was.Bidder, "370000000002", was.Bidder, "370000000002", true},
			{"no account said", was.Bidder, "", was.Bidder, "370000000002", false},
			{"another spelling", "海岳(集团)建设有限公司", "", "海岳(集团)建设有限公司", "370000000002", true},
		} {
			bid, isNew, err := h.desk.PutBid(ctx, "test", BidOrder{Lot: lotA.Number, Bidder: c.bidder, BidderAccount: c.account})
			if err != nil || isNew || bid.ID != was.ID || bid.Bidder != c.wantBidder || bid.BidderAccount != c.wantAccount {
				h.Errorf("%s: %+v new=%v %v", c.name, bid, isNew, err)
			}
			if read, err := BidsByID(ctx, h.db, []sqldb.ID{was.ID}); err != nil || !same(read[was.ID], bid) {
				h.Errorf("%s: read %+v %v", c.name, read, err)
			}
			if c.changes {
				h.wantTouched("9001/海岳集团建设有限公司")
			} else {
				h.wantTouched()
			}
		}
		events, err := sqldb.Events.All(ctx, h.db, "WHERE table_name = ? AND became = ? ORDER BY seq", "bids", "CHANGED")
		if err != nil || len(events) != 2 || strings.Contains(events[0].Note+events[1].Note, "3700") {
			h.Errorf("the audit trail lacks a change or holds an account: %+v %v", events, err)
		}
	})
}

// Two replicas are told of one bid at once: one of its account, the other of another spelling. Neither undoes the other.
func TestTwoReplicasToldOfOneBid(t *testing.T) {
	replicas(t, func(h house, a, b *Desk) {
		for i := range 40 {
			name := fmt.Sprint("海岳", i, "有限公司")
			h.putBid(BidOrder{Lot: lotA.Number, Bidder: name, BidderAccount: "1"})
			var wg sync.WaitGroup
			errs := make([]error, 2)
			wg.Go(func() {
				_, _, errs[0] = a.PutBid(ctx, "test", BidOrder{Lot: lotA.Number, Bidder: name, BidderAccount: "2"})
			})
			wg.Go(func() {
				_, _, errs[1] = b.PutBid(ctx, "test", BidOrder{Lot: lotA.Number, Bidder: "（" + name + "）"})
			})
			wg.Wait()
			bid, err := bids.One(ctx, h.db, "WHERE bidder_tag = ?", sqldb.Tag(bidderTag, &name))
			if err != nil || errs[0] != nil || errs[1] != nil || bid.BidderAccount != "2" {
				h.Fatalf("%+v %v %v", bid, err, errs)
			}
		}
	})
}

func TestPutBidRefusesWhatIsNoBid(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		for _, c := range []struct {
			name        string
			spoil       func(*BidOrder)
			kind        deposit.Kind
			code, field string
		}{
			{"no such lot", func(o *BidOrder) { o.Lot = "nowhere" }, deposit.NotFound, "lot_unknown", "lot"},
			{"no lot", func(o *BidOrder) { o.Lot = "" }, deposit.Invalid, "field_missing", "lot"},
			{"no bidder", func(o *BidOrder) { o.Bidder = "　" }, deposit.Invalid, "field_missing", "bidder"},
			{"brackets for a name", func(o *BidOrder) { o.Bidder = "（）" }, deposit.Invalid, "field_missing", "bidder"},
			{"a key longer than its name", func(o *BidOrder) { o.Bidder = strings.Repeat("㈱", 201) }, deposit.Invalid, "field_too_long", "bidder"},
			{"account too long", func(o *BidOrder) { o.BidderAccount = strings.Repeat("1", 65) }, deposit.Invalid, "field_too_long", "bidder_account"},
			{"a number without its bank", func(o *BidOrder) { o.Bank = "" }, deposit.Invalid, "number_incomplete", "sub_account"},
			{"a bank without a number", func(o *BidOrder) { o.SubAccount = "" }, deposit.Invalid, "number_incomplete", "sub_account"},
			{"a time without a number", func(o *BidOrder) { o.Bank, o.SubAccount = "", "" }, deposit.Invalid, "number_incomplete", "sub_account"},
			{"number too long", func(o *BidOrder) { o.SubAccount = strings.Repeat("1", 41) }, deposit.Invalid, "field_too_long", "sub_account"},
			{"an empty lease", func(o *BidOrder) { o.LeaseTo = o.LeaseFrom }, deposit.Invalid, "lease_empty", "lease_to"},
			{"a lease that ends before it begins now", func(o *BidOrder) { o.LeaseFrom, o.LeaseTo = time.Time{}, noon }, deposit.Invalid, "lease_empty", "lease_to"},
		} {
			h.Run(c.name, func(t *testing.T) {
				o, before := bidOrder(lotA.Number, "海岳建设有限公司", "9001"), h.written()
				c.spoil(&o)
				_, _, err := h.desk.PutBid(ctx, "test", o)
				wantRefused(t, err, c.kind, c.code, c.field)
				if h.written() != before {
					t.Error("refused, and yet something was written")
				}
			})
		}
	})
}

func TestBidsAndLeasesOfManyLots(t *testing.T) {
	each(t, func(h house) {
		a, o := h.putLot(lotA), lotA
		o.Number = "LC-2026-B"
		b := h.putLot(o)
		x := h.putBid(bidOrder(a.Number, "海岳建设有限公司", "9001"))
		y := h.putBid(bidOrder(b.Number, "海岳建设有限公司", "9002"))
		h.putBid(bidOrder(b.Number, "明湖路桥有限公司", "9003"))
		bids, err := BidsOf(ctx, h.db, []sqldb.ID{a.ID, b.ID})
		if err != nil || len(bids) != 3 {
			h.Errorf("%+v %v", bids, err)
		}
		leases, err := LeasesOf(ctx, h.db, []sqldb.ID{x.ID, y.ID})
		if err != nil || len(leases) != 2 || leases[0].LotID == leases[1].LotID || !leases[0].To.Equal(sqldb.Forever) {
			h.Errorf("%+v %v", leases, err)
		}
	})
}
