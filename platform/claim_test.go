package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
)

func told(claims []Claim) string {
	var parts []string
	for _, c := range claims {
		part := c.Lot.Number + "/" + c.Bid.Bidder
		if c.Lease.ID != 0 {
			part += "/" + c.Lease.Bank + c.Lease.SubAccount
		}
		if c.Lot.ID != c.Bid.LotID || c.Lease.ID != 0 && (c.Lease.BidID != c.Bid.ID || c.Lease.LotID != c.Lot.ID || c.Lease.From.IsZero()) ||
			c.Lease.ID == 0 && c.Lease != (Lease{}) {
			part += fmt.Sprintf(" torn: %+v", c)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// twoLots is a place with bids of every sort: with one number, several, an old one, none; one is withdrawn.
func (h house) twoLots() {
	h.Helper()
	b := lotA
	b.Number = "LC-2026-B"
	h.putLot(b)
	h.putLot(lotA)
	h.putBid(bidOrder("LC-2026-B", "海岳", "9001"))
	h.putBid(bidOrder("LC-2026-A", "海岳", "9002"))
	old := bidOrder("LC-2026-A", "明湖", "9003")
	old.LeaseTo = at("2026-06-05 00:00:00")
	h.putBid(old)
	again := bidOrder("LC-2026-B", "东昌", "9003")
	again.LeaseFrom = old.LeaseTo
	h.putBid(again)
	ccb := bidOrder("LC-2026-A", "海岳", "9001")
	ccb.Bank = "CCB"
	h.putBid(ccb)
	h.putBid(BidOrder{Lot: "LC-2026-A", Bidder: "东昌"})
	gone := bidOrder("LC-2026-A", "卫河", "9004")
	h.putBid(gone)
	h.record(EventOrder{Number: "1", Kind: EventBidWithdrawn, Lot: "LC-2026-A", Bidder: "卫河", HappenedAt: noon})
}

func TestClaims(t *testing.T) {
	each(t, func(h house) {
		h.twoLots()
		rules := []struct {
			name string
			ask  Ask
			want string
		}{
			{"nothing", Ask{}, ""},
			{"neither ours", Ask{"ICBC", "1", "路人"}, ""},
			{"the number alone", Ask{"ICBC", "9002", "路人"}, "LC-2026-A/海岳/ICBC9002"},
			{"the number of another bank", Ask{"CCB", "9001", ""}, "LC-2026-A/海岳/CCB9001"},
			{"a bank that has no such number", Ask{"CCB", "9002", ""}, ""},
			{"every lease of the number, whenever", Ask{"ICBC", "9003", ""}, "LC-2026-A/明湖/ICBC9003 LC-2026-B/东昌/ICBC9003"},
			{"the payer alone", Ask{"ICBC", "", "海岳"}, "LC-2026-A/海岳/CCB9001 LC-2026-A/海岳/ICBC9002 LC-2026-B/海岳/ICBC9001"},
			{"the payer's own number, once", Ask{"ICBC", "9001", "海岳"}, "LC-2026-A/海岳/CCB9001 LC-2026-A/海岳/ICBC9002 LC-2026-B/海岳/ICBC9001"},
			{"another's number", Ask{"ICBC", "9003", "海岳"},
				"LC-2026-A/明湖/ICBC9003 LC-2026-A/海岳/CCB9001 LC-2026-A/海岳/ICBC9002 LC-2026-B/东昌/ICBC9003 LC-2026-B/海岳/ICBC9001"},
			{"a bid without a number", Ask{"ICBC", "", "东昌"}, "LC-2026-A/东昌 LC-2026-B/东昌/ICBC9003"},
			{"withdrawn: the money is theirs still", Ask{"ICBC", "9004", "卫河"}, "LC-2026-A/卫河/ICBC9004"},
		}
		asks := []Ask{}
		for _, c := range rules {
			asks = append(asks, c.ask)
		}
		many := slices.Repeat(asks, 60) // several chunks
		inTx := [][]Claim{}
		err := h.db.Write(ctx, "test", func(tx *sqldb.Tx) (err error) { inTx, err = Claims(ctx, tx, many); return err })
		claims, err2 := Claims(ctx, h.db, many)
		if err != nil || err2 != nil || len(claims) != len(many) || len(inTx) != len(many) {
			h.Fatal(err, err2, len(claims), len(inTx))
		}
		for i, c := range slices.Repeat(rules, 60) {
			if got := told(claims[i]); got != c.want || told(inTx[i]) != c.want {
				h.Fatalf("%s: %q, in a transaction %q, want %q", c.name, got, told(inTx[i]), c.want)
			}
		}
		if c := claims[len(asks)-1][0]; c.Bid.State != BidWithdrawn || c.Lot.Deposit != lotA.Deposit || !c.Lease.To.Equal(sqldb.Forever) || c.Lease.Version != 1 {
			h.Errorf("%+v", c)
		}
	})
}
