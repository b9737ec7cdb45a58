package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// TestSharedNumber: where the bids of a lot share one number (一标一号), the payer's name says whose deposit a credit is,
// and what each bid has is summed by itself.
func TestSharedNumber(t *testing.T) {
	cases := []struct {
		name string
		told string // serial payer amount time, …; payers A and B bid for the lot, C for nothing, D for another lot
		want string // as told: serial, or the bidder of a bid
	}{
		{"two bidders, each the whole deposit", "1 A 1000.00 13:00:00, 2 B 1000.00 13:01:00", ""},
		{"in two parts each, crosswise", "1 A 400.00 13:00:00, 2 B 500.00 13:01:00, 3 A 600.00 13:02:00, 4 B 500.00 13:03:00",
			"1 MATCHED [SPLIT_PAYMENT], 2 MATCHED [SPLIT_PAYMENT], 3 MATCHED [SPLIT_PAYMENT], 4 MATCHED [SPLIT_PAYMENT]"},
		{"one of them too little, the other too much", "1 A 999.99 13:00:00, 2 B 1000.01 13:01:00", "1 UNDERPAID [UNDERPAID], 2 OVERPAID [OVERPAID]"},
		{"one of them twice, the other not", "1 A 1000.00 13:00:00, 2 A 1000.00 13:01:00", "2 DUPLICATE_PAYMENT [DUPLICATE_PAYMENT], B UNPAID [UNPAID]"},
		{"too late", "1 A 1000.00 15:00:00, 2 B 1000.00 14:59:59", "1 LATE_CREDIT [LATE_CREDIT], A UNPAID [UNPAID]"},
		{"by somebody who has no bid", "1 A 1000.00 13:00:00, 2 B 1000.00 13:01:00, 3 C 1000.00 13:02:00", "3 THIRD_PARTY_PAYER [THIRD_PARTY_PAYER]"},
		{"by a bidder of another lot, which is sealed", "1 A 1000.00 13:00:00, 2 B 1000.00 13:01:00, 3 D 1000.00 13:02:00", "3 THIRD_PARTY_PAYER [THIRD_PARTY_PAYER]"},
	}
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.lot("T", "1000.00", "2026-06-20 15:00:00")
		for i, c := range cases {
			h.sharedLot(fmt.Sprint("S", i))
			h.bid(fmt.Sprint("S", i), fmt.Sprint("A", i), fmt.Sprint("shared", i))
			h.bid(fmt.Sprint("S", i), fmt.Sprint("B", i), fmt.Sprint("shared", i))
			h.bid("T", fmt.Sprint("D", i), fmt.Sprint("own", i))
			for told := range strings.SplitSeq(c.told, ", ") {
				w := strings.Fields(told)
				h.push(paid(fmt.Sprint(i, "-", w[0]), fmt.Sprint("shared", i), fmt.Sprint(w[1], i), w[2], w[3]))
			}
		}
		got := verdicts(h.close())
		for i, c := range cases {
			var found []string
			for key, verdict := range got {
				if serial, ok := strings.CutPrefix(key, fmt.Sprint("CREDIT ", i, "-")); ok {
					found = append(found, serial+" "+verdict)
				} else if bidder, ok := strings.CutPrefix(key, "BID bid "); ok && bidder[1:] == fmt.Sprint(i) {
					found = append(found, bidder[:1]+" "+verdict)
				}
			}
			slices.Sort(found)
			if told := strings.Join(found, ", "); told != c.want {
				t.Errorf("%s: found %q, want %q", c.name, told, c.want)
			}
		}
		*h.now = wall("2026-06-20 15:00:00")
		h.openLots()
		_, err := h.reconcile.JudgeAll(context.Background())
		h.must(err)
		if got := sqldbtest.Strings(t, url, "SELECT m.verdict FROM matches AS m JOIN entries AS e ON e.id = m.entry_id WHERE e.serial = '6-3'"); !slices.Equal(got, []string{"WRONG_SUB_ACCOUNT"}) {
			t.Errorf("when the other lot is opened, the credit is %q", got)
		}
		if fired := firing(h); len(fired) > 0 {
			t.Errorf("violated: %v", fired)
		}
	})
}

// sharedLot is a lot of 1,000 yuan that opens at three and whose bids share a number.
func (h *house) sharedLot(number string) {
	h.t.Helper()
	_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: number, Department: "建设工程科", Deposit: fen("1000.00"),
		OpensAt: wall("2026-06-12 15:00:00"), Numbering: platform.PerLot})
	h.must(err)
}

// A bid that comes after its money takes it over from the lot, and one that is told of later still is not asked for it.
func TestSharedNumberIsJudgedAgain(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		*h.now = wall("2026-06-11 10:00:00")
		h.sharedLot("S")
		h.bid("S", "甲公司", "shared")
		h.push(paid("1", "shared", "乙公司", "1000.00", "13:00:00"))
		judged := func(want reconcile.Code) {
			t.Helper()
			_, err := h.reconcile.JudgeAll(context.Background())
			h.must(err)
			if got := strings.Join(sqldbtest.Strings(t, url, "SELECT code FROM findings WHERE state = 'OPEN'"), " "); got != string(want) {
				t.Errorf("found %q, want %q", got, want)
			}
		}
		judged(reconcile.ThirdPartyPayer)
		h.bid("S", "乙公司", "shared")
		judged("")
		h.push(paid("2", "shared", "丙公司", "1000.00", "14:30:00"))
		judged(reconcile.ThirdPartyPayer)
		_, err := h.platform.Record(context.Background(), "platform", platform.EventOrder{Number: "E", Kind: platform.EventOpeningMoved, Lot: "S",
			HappenedAt: *h.now, OpensAt: wall("2026-06-12 14:00:00")})
		h.must(err)
		for _, by := range []string{"张科长", "李主任"} {
			_, err := h.platform.AgreeEarlier(context.Background(), platform.Word{By: by, Eyes: deposit.SightOfAll(), Lot: "S", Reason: "平台函件"}, wall("2026-06-12 14:00:00"))
			h.must(err)
		}
		_, err = h.reconcile.JudgeAll(context.Background())
		h.must(err)
		reasons := sqldbtest.Strings(t, url, "SELECT m.reasons FROM matches m JOIN entries e ON e.id = m.entry_id WHERE e.serial = '2'")
		if len(reasons) != 1 || reasons[0] != "THIRD_PARTY_PAYER;LATE_CREDIT" {
			t.Errorf("after the opening was moved: %q", reasons)
		}
	})
}
