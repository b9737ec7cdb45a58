package reconcile_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/reconcile"
)

// TestSharedNumber: where the bids of a lot share one number (一标一号), the payer's name says whose deposit a credit is,
// and what each bid has is summed by itself.
func TestSharedNumber(t *testing.T) {
	for _, c := range []struct {
		name string
		told []string // serial, payer, amount, time
		want map[string]string
	}{
		{"two bidders, each the whole deposit", []string{"1", "甲公司", "1000.00", "13:00:00", "2", "乙公司", "1000.00", "13:01:00"}, map[string]string{}},
		{"in two parts each, crosswise", []string{"1", "甲公司", "400.00", "13:00:00", "2", "乙公司", "500.00", "13:01:00", "3", "甲公司", "600.00", "13:02:00",
			"4", "乙公司", "500.00", "13:03:00"}, map[string]string{"CREDIT 1": "MATCHED [SPLIT_PAYMENT]", "CREDIT 2": "MATCHED [SPLIT_PAYMENT]",
			"CREDIT 3": "MATCHED [SPLIT_PAYMENT]", "CREDIT 4": "MATCHED [SPLIT_PAYMENT]"}},
		{"one of them too little, the other too much", []string{"1", "甲公司", "999.99", "13:00:00", "2", "乙公司", "1000.01", "13:01:00"},
			map[string]string{"CREDIT 1": "UNDERPAID [UNDERPAID]", "CREDIT 2": "OVERPAID [OVERPAID]"}},
		{"one of them twice, the other not", []string{"1", "甲公司", "1000.00", "13:00:00", "2", "甲公司", "1000.00", "13:01:00"},
			map[string]string{"CREDIT 2": "DUPLICATE_PAYMENT [DUPLICATE_PAYMENT]", "BID bid 乙公司": "UNPAID [UNPAID]"}},
		{"too late", []string{"1", "甲公司", "1000.00", "15:00:00", "2", "乙公司", "1000.00", "14:59:59"},
			map[string]string{"CREDIT 1": "LATE_CREDIT [LATE_CREDIT]", "BID bid 甲公司": "UNPAID [UNPAID]"}},
		{"by somebody who has no bid", []string{"1", "甲公司", "1000.00", "13:00:00", "2", "乙公司", "1000.00", "13:01:00", "3", "丙公司", "1000.00", "13:02:00"},
			map[string]string{"CREDIT 3": "THIRD_PARTY_PAYER [THIRD_PARTY_PAYER]"}},
		{"by a bidder of another lot", []string{"1", "甲公司", "1000.00", "13:00:00", "2", "乙公司", "1000.00", "13:01:00", "3", "丁公司", "1000.00", "13:02:00"},
			map[string]string{"CREDIT 3": "WRONG_SUB_ACCOUNT [WRONG_SUB_ACCOUNT]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sqldbtest.Quickly(t, func(t *testing.T, url string) {
				h := open(t, url)
				_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: "S", Department: "建设工程科", Deposit: fen("1000.00"),
					OpensAt: wall("2026-06-12 15:00:00"), Numbering: platform.PerLot})
				h.must(err)
				h.bid("S", "甲公司", "shared")
				h.bid("S", "乙公司", "shared")
				h.lot("T", "1000.00", "2026-06-13 15:00:00")
				h.bid("T", "丁公司", "own")
				for i := 0; i < len(c.told); i += 4 {
					h.push(paid(c.told[i], "shared", c.told[i+1], c.told[i+2], c.told[i+3]))
				}
				*h.now = wall("2026-06-12 18:00:00")
				_, err = h.reconcile.JudgeAll(context.Background())
				h.must(err)
				got := verdicts(h.close())
				maps.DeleteFunc(got, func(key, _ string) bool { return !strings.HasPrefix(key, "CREDIT") && !strings.HasPrefix(key, "BID") }) // there is no statement
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				if fired := firing(h); len(fired) > 0 {
					t.Errorf("violated: %v", fired)
				}
			})
		})
	}
}

// A bid that comes after its money takes it over from the lot, and one that is told of later still is not asked for it.
func TestSharedNumberIsJudgedAgain(t *testing.T) {
	sqldbtest.Quickly(t, func(t *testing.T, url string) {
		h := open(t, url)
		_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: "S", Department: "建设工程科", Deposit: fen("1000.00"),
			OpensAt: wall("2026-06-12 15:00:00"), Numbering: platform.PerLot})
		h.must(err)
		h.bid("S", "甲公司", "shared")
		h.push(paid("1", "shared", "乙公司", "1000.00", "13:00:00"))
		judged := func(want reconcile.Code) {
			t.Helper()
			_, err := h.reconcile.JudgeAll(context.Background())
			h.must(err)
			page, _, err := h.reconcile.Findings(context.Background(), reconcile.FindingQuery{State: reconcile.Open})
			h.must(err)
			got := reconcile.Code("")
			if len(page) > 0 {
				got = page[0].Code
			}
			if got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		}
		judged(reconcile.ThirdPartyPayer)
		h.bid("S", "乙公司", "shared")
		judged("")
		h.push(paid("2", "shared", "丙公司", "1000.00", "14:30:00"))
		judged(reconcile.ThirdPartyPayer)
		_, err = h.platform.Record(context.Background(), "platform", platform.EventOrder{Number: "E", Kind: platform.EventOpeningMoved, Lot: "S",
			HappenedAt: *h.now, OpensAt: wall("2026-06-12 14:00:00")})
		h.must(err)
		_, err = h.reconcile.JudgeAll(context.Background())
		h.must(err)
		reasons := sqldbtest.Strings(t, url, "SELECT m.reasons FROM matches m JOIN entries e ON e.id = m.entry_id WHERE e.serial = '2'")
		if len(reasons) != 1 || reasons[0] != "THIRD_PARTY_PAYER;LATE_CREDIT" {
			t.Errorf("after the opening was moved: %q", reasons)
		}
	})
}
