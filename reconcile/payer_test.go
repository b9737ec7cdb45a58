package reconcile_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Two bidders of a lot who were paid for from one account are told of once their lot is open (条例 §40(6)), and not looked for before.
func TestSharedPayer(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.lot("L1", "1000.00", "2026-06-12 15:00:00")
		h.lot("L2", "1000.00", "2026-06-12 15:00:00")
		for _, b := range []struct{ lot, bidder, number string }{{"L1", "甲公司", "n1"}, {"L1", "乙公司", "n2"}, {"L1", "丙公司", "n3"}, {"L2", "丁公司", "n4"}} {
			h.bid(b.lot, b.bidder, b.number)
		}
		for i, p := range []struct{ number, payer string }{{"n1", "某咨询公司"}, {"n2", "某咨询公司"}, {"n3", "丙公司"}, {"n4", "某咨询公司"}} {
			h.push(paid(string(rune('1'+i)), p.number, p.payer, "1000.00", "13:00:00"))
		}
		found := func() []string {
			t.Helper()
			_, err := h.reconcile.JudgeAll(context.Background())
			h.must(err)
			rows, _, err := h.reconcile.Findings(context.Background(), deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.SharedPayer, State: "OPEN"})
			h.must(err)
			var told []string
			for _, f := range rows {
				told = append(told, f.Detail)
			}
			slices.Sort(told)
			return told
		}
		*h.now = wall("2026-06-13 08:00:00") // the clock alone tells nothing
		if got := found(); len(got) > 0 {
			t.Fatalf("before the opening: %q", got)
		}
		h.openLots()
		if got := found(); !slices.Equal(got, []string{"同一付款账户为 2 个投标人缴纳：乙公司、甲公司"}) {
			t.Errorf("after the opening: %q", got)
		}
		_, err := h.platform.Record(context.Background(), "platform", platform.EventOrder{Number: "again", Kind: platform.EventFailed, Lot: "L1", HappenedAt: *h.now})
		h.must(err)
		if got := strings.Join(found(), ""); !strings.Contains(got, "甲公司") {
			t.Errorf("after the tender has failed: %q", got)
		}
	})
}
