package reconcile_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/incident"
	"depositd/reconcile"
)

func (h *house) judge() {
	h.t.Helper()
	_, err := h.reconcile.JudgeAll(context.Background())
	h.must(err)
}

// TestWatchTellsNothingSealed: what the watch finds of lots that are not opened it tells of no lot, number, serial or time, and of
// one or two sealed lots not even that there is something; once the lot is opened it tells what there is.
func TestWatchTellsNothingSealed(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "open", true)
		k.lot("L1", "1000.00", "2026-06-12 15:00:00")
		k.lot("L2", "1000.00", "2026-06-20 15:00:00")
		k.bid("L1", "甲公司", "n1")
		k.bid("L2", "乙公司", "n2")
		k.push(paid("astray", "n1", "乙公司", "1000.00", "09:30:00"))
		k.judge()
		look := func() (told string, codes []string) {
			t.Helper()
			signs, err := k.keeper.Watch(context.Background(), "test", 0)
			k.must(err)
			for _, s := range signs {
				codes = append(codes, s.Code)
				told += s.Title + s.Detail + s.Subject
				for _, e := range s.Evidence {
					told += e.Text
				}
			}
			return told, codes
		}
		quiet := func(when string) {
			t.Helper()
			if told, codes := look(); len(codes) > 0 {
				t.Errorf("%s it tells %v: %s", when, codes, told)
			}
		}
		quiet("while two lots are sealed")
		*k.now = wall("2026-06-13 08:30:00")
		quiet("in the morning, while two lots are sealed")
		k.lot("L3", "1000.00", "2026-06-20 15:00:00")
		told, codes := look()
		if len(codes) != 1 || codes[0] != reconcile.SignSealed || !strings.Contains(told, "1–9 笔") {
			t.Errorf("of three sealed lots it tells %v: %s", codes, told)
		}
		for _, secret := range []string{"甲", "乙", "n1", "L1", "L2", "astray", "09:30", "06-12", "lcyh"} {
			if strings.Contains(told, secret) {
				t.Errorf("it tells %q: %s", secret, told)
			}
		}
		*k.now = wall("2026-06-13 09:30:00")
		quiet("at another hour")

		k.happens(platform.EventOpened, "L1")
		k.judge()
		quiet("while the lot that was meant is sealed")
		*k.now = wall("2026-06-20 15:00:00")
		k.happens(platform.EventOpened, "L2")
		k.judge()
		told, codes = look()
		if len(codes) != 1 || codes[0] != reconcile.SignAstray || !strings.Contains(told, "子账号 n1 当时属于标段 L1；付款人当时投标的标段是 L2") {
			t.Errorf("of the opened lots it tells %v: %s", codes, told)
		}
	})
}

// TestWatchCodes: every sign says which side, if any, and gives each piece of evidence to a step that the plan has.
func TestWatchCodes(t *testing.T) {
	plan, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "open", true)
		k.lot("L1", "1000.00", "2026-06-12 10:00:00")
		k.bid("L1", "甲公司", "n1")
		k.push(paid("late", "n1", "甲公司", "1000.00", "10:00:01"))
		*k.now = wall("2026-06-12 10:05:00")
		k.happens(platform.EventOpened, "L1")
		k.judge()
		for range 3 {
			k.must(k.bank.Refuse(context.Background(), bank.Message{Bank: "lcyh", Source: bank.ByHTTP, Kind: bank.KindNotice, Raw: []byte("x")}, &bank.Doubt{Code: "seal_stale", Text: "x"}))
			k.must(k.bank.Refuse(context.Background(), bank.Message{Bank: "lcyh", Source: bank.ByHTTP, Kind: bank.KindNotice, Raw: []byte("x")}, context.Canceled))
		}
		_, err := reconcile.Beat(context.Background(), k.db, "test", false, true)
		k.must(err)
		*k.now = k.now.Add(20 * time.Minute)
		_, err = reconcile.Beat(context.Background(), k.db, "test", false, false)
		k.must(err)
		signs, err := k.keeper.Watch(context.Background(), "test", 0)
		k.must(err)
		var codes []string
		for _, s := range signs {
			codes = append(codes, s.Code)
			if s.Fault == nil || s.Fault.Side.Chinese() == "" || len(s.Fault.For) == 0 {
				t.Errorf("%s: fault %+v", s.Code, s.Fault)
			}
			for _, e := range s.Evidence {
				if _, step := plan.Scenario(s.Scenario).Step(e.Step); step == nil || e.Text == "" {
					t.Errorf("%s: evidence %+v for a step that the plan has not", s.Code, e)
				}
			}
		}
		if got, want := strings.Join(codes, " "), strings.Join([]string{reconcile.SignRejected, reconcile.SignAstray, reconcile.SignOutage}, " "); got != want {
			t.Errorf("it sees %s, want %s", got, want)
		}
	})
}
