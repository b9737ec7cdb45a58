package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/reconcile"
	"depositd/refund"
)

// still is a centre whose bank can be called, and where nothing moves but when a test says so.
type still struct {
	*life
	app    *app
	hangUp func() error // the bank's end of the line
	folder string
}

func newStill(t *testing.T) *still {
	t.Helper()
	return newStillAt(t, "")
}

// newStillAt keeps its data at an address, or for "" in a file of its own.
func newStillAt(t *testing.T, url string) *still {
	t.Helper()
	l := &still{life: &life{T: t, now: time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)}, folder: sqldbtest.InMemory(t)}
	plain, err := bank.ParseSet(fmt.Appendf(nil, lifeBanks, ""), nil)
	l.must(err)
	l.sim = banksim.New(plain.Only(), rand.New(rand.NewPCG(1, 1)), l.clock)
	address, stop, err := l.sim.Listen(context.Background(), banksim.TCP)
	l.must(err)
	l.hangUp = stop
	t.Cleanup(func() { l.must(stop()) })
	l.must(os.WriteFile(filepath.Join(l.folder, "banks.yaml"), fmt.Appendf(nil, lifeBanks, ", numbers: open, call: '"+address+"'"), 0o600))
	if url == "" {
		url = sqldb.FileURL(filepath.Join(l.folder, "deposit.db"))
	}
	l.app, l.base = openQuietly(t, url, l.folder, l.clock, func(a *app) error {
		l.client = visit(t, a.db)
		return a.letIn()
	})
	return l
}

// tend goes a round of the pools; that a bank fails is what the test is about.
func (l *still) tend() { _, _ = l.app.keeper.Tend(l.Context(), poolsJob) }

func (l *still) night() { _ = l.app.keeper.Nightly(l.Context(), nightlyJob, yesterday(l.clock())) }

func (l *still) judge() {
	l.Helper()
	_, err := l.app.reconcile.JudgeAll(l.Context())
	l.must(err)
}

// sees goes a round of the watch and holds the one incident that it opens to what is wanted; none for the zero wanted. also are
// the codes of those that follow from the same cause under another scenario of the plan.
func (l *still) sees(w wanted, also ...string) (told string) {
	l.Helper()
	signs, opened, err := l.app.watch(l.Context(), watchJob)
	l.must(err)
	switch {
	case w.code == "" && len(opened) == 0:
		return ""
	case w.code == "" || len(opened) != 1+len(also) || !slices.EqualFunc(opened[1:], also, func(i incident.Incident, code string) bool { return i.Code == code }):
		l.Fatalf("opened %+v, want %q; signs %+v", opened, w.code, signs)
	}
	if _, again, err := l.app.watch(l.Context(), watchJob); err != nil || len(again) > 0 {
		l.Errorf("seen again it opens another one: %+v, %v", again, err)
	}
	return w.holds(l.T, l.app, opened[0].ID)
}

// asks lets a bidder ask for a number of a lot that opens in a week, and gives it.
func (l *still) asks(lot, bidder string) string {
	l.Helper()
	path := l.bid(lot, bidder, l.clock().AddDate(0, 0, 7).Format(time.RFC3339))
	answer := l.say("POST", path, `{}`, 0)
	_, rest, _ := strings.Cut(answer, `"sub_account":"`)
	number, _, _ := strings.Cut(rest, `"`)
	return number
}

const pool = "ccb|3705018860000000123"

// TestWatchNumbers: the troubles of plan 4.6.1, each caused by a bank or by us.
func TestWatchNumbers(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range []struct {
		name  string
		cause func(*still)
		want  wanted
		also  []string
	}{
		{"the bank has no number left", func(l *still) {
			l.sim.Stock("", "n1")
			l.asks("L1", "甲公司")
			l.asks("L2", "乙公司")
			for range failsBeforeAlarm {
				l.pass(time.Minute)
				l.tend()
			}
		}, wanted{"4.6.1", "1", reconcile.SignPoolExhausted, pool, incident.SideBank, map[string]string{"1/1.1": "封存", "1/1.2": "G00003 最近一次“银行拒绝”：开标前不公开"}}, nil},
		{"the bank gives no answer that can be read", func(l *still) {
			l.sim.Stock("", "n1")
			l.sim.Fail("G00003", banksim.Garbage, banksim.Garbage, banksim.Garbage, banksim.Garbage, banksim.Garbage)
			l.asks("L1", "甲公司")
			for range failsBeforeAlarm {
				l.pass(time.Minute)
				l.tend()
			}
		}, wanted{"4.6.1", "1", reconcile.SignAllocation, pool, incident.SideBank, map[string]string{"1/1.1": "致电", "1/1.2": "结果未知"}}, nil},
		{"the bank cannot be reached", func(l *still) {
			l.must(l.hangUp())
			l.asks("L1", "甲公司")
			for range failsBeforeAlarm {
				l.pass(time.Minute)
				l.tend()
			}
		}, wanted{"4.6.1", "1", reconcile.SignAllocation, pool, incident.SideLink, map[string]string{"1/1.2": "未发出"}}, nil},
		{"the bank does not close a number that is paid back", func(l *still) {
			l.sim.Stock("", "n1")
			l.asks("L1", "甲公司")
			l.event("failed", "L1")
			l.sim.Fail("G00004", banksim.Refuses09)
			l.tend()
			l.night()
		}, wanted{"4.6.1", "1", reconcile.SignUnreleased, pool, incident.SideBank, map[string]string{"1/1.1": "银行拒绝注销”：n1"}}, nil},
		{"we have not paid back", func(l *still) {
			l.sim.Stock("", "n1")
			l.asks("L1", "甲公司")
			l.books(bank.Credit, "n1", "甲公司", l.clock())
			l.judge()
			l.event("failed", "L1")
			l.tend()
			l.pass(8 * 24 * time.Hour)
			l.night()
		}, wanted{"4.6.1", "1", reconcile.SignUnreleased, pool, incident.SideOurs, map[string]string{"1/1.1": "资金未退清"}}, []string{refund.SignOverdue}},
		{"the bank does not know a number with money on it", func(l *still) {
			l.sim.Stock("", "n1")
			l.asks("L1", "甲公司")
			l.books(bank.Credit, "n1", "甲公司", l.clock())
			l.judge()
			l.event("failed", "L1")
			l.tend()
			l.sim.Fail("G00005", banksim.Forgotten)
			l.night()
		}, wanted{"4.6.1", "2", reconcile.SignNotBooked, pool, incident.SideBank, map[string]string{"2/2.1": "子账号 n1：本系统记为“待释放”，属于标段 L1", "2/2.2": "尚无该母账户的对账单", "2/2.3": "LEASED → DRAINING"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newStill(t)
			l.sees(wanted{})
			c.cause(l)
			told := l.sees(c.want, c.also...)
			if strings.Contains(told, "甲公司") || strings.Contains(told, "乙公司") {
				t.Errorf("it tells of a bidder: %s", told)
			}
		})
	}
}

const failsBeforeAlarm = 3

// learnt lets a bank push for three weeks, so many credits a working day.
func (l *still) learnt(aDay int) (number string) {
	l.Helper()
	l.sim.Stock("", "n1")
	number = l.asks("L1", "甲公司")
	for range 21 {
		if day := l.clock().Weekday(); day != time.Saturday && day != time.Sunday {
			for i := range aDay {
				l.sim.Credit(banksim.Transfer{SubAccount: number, With: banksim.Party{Name: "甲公司", Account: "62"}, Amount: 1_00, At: l.clock().Add(time.Duration(i) * 20 * time.Minute)})
			}
			_, err := l.sim.Deliver(l.Context(), l.sim.OverHTTP(http.DefaultClient, l.base, nil))
			l.must(err)
		}
		l.pass(24 * time.Hour)
	}
	l.judge()
	return number
}

// TestWatchSilence: a bank that pushes no more is asked. What it has booked comes in, once, and whose fault it is is known; one
// that has booked nothing is quiet, not dead; one that cannot be reached is not waited for.
func TestWatchSilence(t *testing.T) {
	sqldbtest.Unwatched(t)
	dead := func(l *still, credits int) {
		l.pass(-l.clock().Sub(deposit.DayOf(l.clock()).Start()) + 10*time.Hour) // ten o'clock, an hour after the usual
		for i := range credits {
			l.sim.Credit(banksim.Transfer{SubAccount: "n1", With: banksim.Party{Name: "甲公司", Account: "62"}, Amount: 1_00, At: l.clock().Add(time.Duration(i) * time.Minute), Fault: banksim.Lost})
		}
		l.pass(72*time.Hour + 30*time.Minute)
	}
	t.Run("credits were booked", func(t *testing.T) {
		l := newStill(t)
		l.learnt(12)
		had := l.entries()
		dead(l, 3)
		told := l.sees(wanted{"4.6.2", "2", reconcile.SignNotPushed, "ccb", incident.SideBank, map[string]string{"2/2.1": "补回未推送的到账", "2/2.2": "没有中断"}})
		if strings.Contains(told, "甲公司") {
			t.Error(told)
		}
		if got := l.entries(); got != had+3 {
			t.Errorf("%d entries, want %d", got, had+3)
		}
	})
	t.Run("nothing was booked", func(t *testing.T) {
		l := newStill(t)
		l.learnt(12)
		dead(l, 0)
		l.sees(wanted{})
	})
	t.Run("the bank is away", func(t *testing.T) {
		l := newStill(t)
		l.learnt(12)
		dead(l, 3)
		l.must(l.hangUp())
		l.sees(wanted{"4.6.2", "2", reconcile.SignNotPushed, "ccb", incident.SideLink, map[string]string{"2/2.1": "未发出"}})
	})
}

func (l *still) entries() int {
	l.Helper()
	n, err := sqldb.Value[int](l.Context(), l.app.db, "SELECT COUNT(*) FROM entries")
	l.must(err)
	return n
}

// TestWatchOutage: after a time in which nobody heard the banks the service says how long it was, asks them, and tells what came
// back; pushed again it is no other money.
func TestWatchOutage(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) { watchOutage(t, newStillAt(t, url)) })
}

func watchOutage(t *testing.T, l *still) {
	l.sim.Stock("", "n1")
	l.asks("L1", "甲公司")
	ctx := l.Context()
	beat := func(failed, stopping bool) *reconcile.Outage {
		o, err := reconcile.Beat(ctx, l.app.db, "a", failed, stopping)
		l.must(err)
		return o
	}
	beat(false, false)
	l.pass(30 * time.Second)
	if o := beat(false, false); o != nil {
		t.Errorf("thirty seconds are an outage: %+v", o)
	}
	l.pass(5 * time.Minute)
	for i := range 2 {
		l.sim.Credit(banksim.Transfer{SubAccount: "n1", With: banksim.Party{Name: "甲公司", Account: "62"}, Amount: 500_00, At: l.clock().Add(time.Duration(i) * time.Minute)})
	}
	l.pass(20 * time.Minute)
	o := beat(true, false)
	if o == nil || o.Cause != reconcile.LostDatabase || o.Lasted() != 25*time.Minute || beat(false, false) != nil {
		t.Fatalf("the outage: %+v", o)
	}
	l.sim.Fail("G00005", banksim.HungUp) // it is asked again in the next round
	if _, _, err := l.app.watch(ctx, watchJob); err != nil {
		t.Error(err)
	}
	l.pass(2 * time.Minute)
	if _, _, err := l.app.watch(ctx, watchJob); err != nil {
		t.Fatal(err)
	}
	if n := l.entries(); n != 2 {
		t.Fatalf("%d credits came back, want 2", n)
	}
	i, err := incident.Latest(ctx, l.app.db, incident.Key{Scenario: incident.Outage, Code: reconcile.SignOutage, Subject: "2026-06-12 09:00:30"})
	l.must(err)
	told := (&wanted{"5.1.1", "1", reconcile.SignOutage, "2026-06-12 09:00:30", incident.SideOurs, map[string]string{"1/1": "25 分钟", "1/4": "已逐个子账号查询"}}).holds(t, l.app, i.ID)
	if strings.Contains(told, "甲公司") || !strings.Contains(told, "开标前不披露") {
		t.Errorf("before the opening: %s", told)
	}

	if _, err := l.sim.Deliver(ctx, l.sim.OverHTTP(http.DefaultClient, l.base, nil)); err != nil || l.entries() != 2 { // the bank pushes at last
		t.Errorf("pushed again: %d credits, %v", l.entries(), err)
	}
	l.pass(7 * 24 * time.Hour)
	l.judge()
	_, err = l.app.platform.Record(ctx, "platform", platform.EventOrder{Number: "open", Kind: platform.EventOpened, Lot: "L1", HappenedAt: l.clock()})
	l.must(err)
	l.judge()
	if _, _, err := l.app.watch(ctx, watchJob); err != nil {
		t.Fatal(err)
	}
	if told := (&wanted{"5.1.1", "1", reconcile.SignOutage, "2026-06-12 09:00:30", incident.SideOurs, map[string]string{"1/4": "已开标标段 2 笔"}}).holds(t, l.app, i.ID); strings.Contains(told, "甲公司") {
		t.Error(told)
	}
}
