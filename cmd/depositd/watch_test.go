package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"depositd/api"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/reconcile"
)

// errDead is what a bank's push comes to when nothing of it arrives: it keeps what it has, and pushes it later.
var errDead = errors.New("the push does not arrive")

func dead(context.Context, string, time.Time, []byte) ([]byte, error) { return nil, errDead }

// calm is a month of a centre in which all goes well but for what a test plans, watched at every hour.
type calm struct {
	*testing.T
	*demoMonth
	p      *player
	sends  [3]banksim.Send // that work
	opened []incident.Incident
	rounds int
}

func newCalm(t *testing.T) *calm {
	t.Helper()
	p := &player{clock: &demoClock{}, client: &http.Client{}}
	c := &calm{T: t, p: p, demoMonth: newCalmMonth(7, mostDays, p)}
	folder := sqldbtest.InMemory(t)
	key, err := writeDemoBanks(folder, "127.0.0.1:1")
	c.must(err)
	p.keys[1] = key
	p.clock.advance(c.clock(0, "00:00:00"))
	p.app, p.base = openQuietly(t, sqldb.FileURL(filepath.Join(folder, "deposit.db")), folder, p.clock.now, func(a *app) error { return p.letIn(t.Context(), a) })
	for i := range demoBanks {
		b, err := p.app.banks.Bank(demoBanks[i].code)
		c.must(err)
		p.sims[i] = banksim.New(b, mathrand.New(mathrand.NewPCG(7, uint64(i))), p.clock.now)
		p.sims[i].Hold(demoBanks[i].parent, demoBanks[i].balance)
		c.sends[i] = p.sims[i].OverHTTP(p.client, p.base, p.keys[i])
		p.sends[i] = c.sends[i]
	}
	return c
}

// openQuietly opens the app on a folder with its banks.yaml, and serves its API: no job runs but when a test says so.
func openQuietly(t *testing.T, url, folder string, now func() time.Time, letIn func(*app) error) (*app, string) {
	t.Helper()
	c := &call{settings: &Settings{DB: url, MasterKeyFile: sqldbtest.MasterFile(t), Banks: filepath.Join(folder, "banks.yaml"), Listen: "127.0.0.1:0", NightlyAt: "30 0 * * *", MaxStatementSize: "1MiB",
		LogFormat: "text", PasswordPolicy: "dengbao", RefundLineLimit: "100000000", RefundBatchLimit: "1000000000", RefundDayLimit: "5000000000", RefundApproval: "24h", RefundCooling: "24h", RevealsPerDay: 50, PlanAuthority: "both"},
		getenv: noEnvironment, now: now, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	a, err := c.open(t.Context(), brought)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.db.Close() })
	if err := letIn(a); err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(a.desks(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return a, server.URL
}

func (c *calm) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// plan lets everybody pay as he should, but for those who are not plain.
func (c *calm) plan() {
	c.announce()
	for _, lot := range c.lots {
		for _, b := range lot.bids {
			if b.plain {
				c.paysPlainly(b)
			}
		}
	}
	c.nights()
}

// play lets the month happen. The watch goes its round two minutes after each full hour: what it says of silence changes with it.
func (c *calm) play() {
	c.Helper()
	slices.SortStableFunc(c.steps, func(a, b demoStep) int { return a.at.Compare(b.at) })
	for _, s := range c.steps {
		if !s.at.Before(c.clock(lastDay+1, "00:00:00")) {
			break
		}
		for next := c.p.clock.now().Truncate(time.Hour).Add(time.Hour + 2*time.Minute); next.Before(s.at); next = next.Add(time.Hour) {
			c.p.clock.advance(next)
			c.watch()
		}
		c.p.clock.advance(s.at)
		if err := s.do(c.Context()); err != nil && !errors.Is(err, errDead) {
			c.Fatalf("%s: %v", deposit.Wall(s.at), err)
		}
		_, err := c.p.app.reconcile.JudgeAll(c.Context())
		c.must(err)
	}
}

func (c *calm) watch() {
	c.Helper()
	_, opened, err := c.p.app.watch(c.Context(), watchJob)
	c.must(err)
	c.rounds++
	c.opened = append(c.opened, opened...)
}

// onDay plans something.
func (c *calm) onDay(day int, clock string, do func(context.Context)) {
	c.at(c.clock(day, clock), func(ctx context.Context) error { do(ctx); return nil })
}

// settle lets people settle what was found, so that one trouble is over before the next begins.
func (c *calm) settle(ctx context.Context, code reconcile.Code) {
	c.Helper()
	page, _, err := c.p.app.reconcile.Findings(ctx, deposit.SightOfAll(), reconcile.FindingQuery{Code: code, State: reconcile.Open})
	c.must(err)
	for _, f := range page {
		c.must(c.p.app.reconcile.MoveFinding(ctx, "科员", deposit.SightOfAll(), reconcile.FindingMove{ID: f.ID, Version: f.Version, Act: "settle", Note: "已核对"}))
	}
}

// bidderOf chooses a bid of a day's lot at a bank, who then does not pay plainly.
func (c *calm) bidderOf(day, bank int) *demoBid {
	c.Helper()
	for _, lot := range c.lots {
		for _, b := range lot.bids {
			if lot.opens == day && b.bank == bank && b.plain && b.registered.Before(c.clock(day, "07:00:00")) {
				b.plain = false
				return b
			}
		}
	}
	c.Fatalf("no bid of day %d at bank %d", day, bank)
	return nil
}

// wanted is an incident that has to be there, and what it has to say.
type wanted struct {
	scenario, branch, code, subject string
	side                            incident.Side
	says                            map[string]string // per step
}

// holds compares what was opened with what had to be, one for one.
func (c *calm) holds(want []wanted) {
	c.Helper()
	var got []string
	for _, i := range c.opened {
		got = append(got, i.Scenario+" "+i.Code+" "+i.Subject)
	}
	var wants []string
	for _, w := range want {
		wants = append(wants, w.scenario+" "+w.code+" "+w.subject)
	}
	if !slices.Equal(got, wants) {
		c.Fatalf("opened:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(wants, "\n"))
	}
	for k, w := range want {
		c.says(c.opened[k].ID, w)
	}
}

func (c *calm) says(id sqldb.ID, w wanted) {
	c.Helper()
	told := w.holds(c.T, c.p.app, id)
	for _, lot := range c.lots {
		for _, b := range lot.bids {
			if strings.Contains(told, b.Name) || strings.Contains(told, b.Account) {
				c.Errorf("%s tells of the payer %s", w.code, b.Name)
			}
		}
	}
}

// holds compares an incident with what it has to say, and gives all that it says.
func (w *wanted) holds(t *testing.T, a *app, id sqldb.ID) (told string) {
	t.Helper()
	i, err := incident.ByID(t.Context(), a.db, id)
	if err != nil {
		t.Fatal(err)
	}
	if i.FaultSide != w.side || i.Branch != w.branch || i.Scenario != w.scenario || i.Code != w.code || i.Subject != w.subject {
		t.Errorf("%s %s %s: branch %q, side %q %+v; want %+v", i.Scenario, i.Code, i.Subject, i.Branch, i.FaultSide, i.Fault(), w)
	}
	exhibits, err := incident.Exhibits(t.Context(), a.db, id)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range exhibits {
		all[e.Step] += e.Text
	}
	for step, text := range w.says {
		if !strings.Contains(all[w.scenario+"/"+step], text) {
			t.Errorf("%s, step %s does not say %q:\n%s", i.Code, step, text, all[w.scenario+"/"+step])
		}
	}
	return i.Title + i.Detail + fmt.Sprint(i.Fault(), all)
}

// The days of the month on which something goes wrong; until then all goes well, and between them.
const (
	lostDay     = 12
	sealDay     = 13
	garbledDay  = 14
	deafDay     = 15
	astrayDay   = 16
	silentDay   = 17
	lastDay     = 19 // what came astray is overdue after it
	healthyDays = lostDay
)

// TestWatchMonth: in the healthy days of a month nothing is found, although the banks are silent every night, at weekends
// and over the holiday. Then one fault after the other: each opens one incident, with what each step has to say and
// whose fault it is, and nothing else is opened.
func TestWatchMonth(t *testing.T) {
	if testing.Short() {
		t.Skip("plays a month")
	}
	sqldbtest.Unwatched(t)
	c := newCalm(t)
	c.leaseNumbers()
	var want []wanted
	for _, fault := range []func() wanted{c.losesNotices, c.changesItsKey, c.garbles, c.goesDeaf, c.paysAstray, c.fallsSilent} {
		want = append(want, fault())
	}
	c.at(c.clock(healthyDays, "00:00:01"), func(context.Context) error {
		if len(c.opened) > 0 || c.rounds < 24*healthyDays {
			t.Errorf("in %d rounds of the healthy days: %+v", c.rounds, c.opened)
		}
		return nil
	})
	c.plan()
	c.play()
	c.holds(want)
}

// losesNotices: the bank never pushes two payments; its statement has them. Their lot is opened by then.
func (c *calm) losesNotices() wanted {
	for range 2 {
		t := c.bidderOf(lostDay, 0)
		lost := t.whole()
		lost.Fault = banksim.Lost
		c.credit(0, c.clock(lostDay, "08:40:00"), lost)
	}
	c.onDay(lostDay+1, "08:00:00", func(ctx context.Context) { c.settle(ctx, reconcile.AdviceMissing) })
	return wanted{"4.6.2", "2", reconcile.SignNotPushed, "luxi", incident.SideBank, map[string]string{"2/2.1": "对账单有而从未推送", "2/2.2": "没有中断", "2/2.3": "没有变动"}}
}

// changesItsKey: the bank signs with a key that we do not know.
func (c *calm) changesItsKey() wanted {
	c.onDay(sealDay, "10:20:00", func(ctx context.Context) {
		other := c.p.sims[1].OverHTTP(c.p.client, c.p.base, bytes.Repeat([]byte{7}, 32))
		for i := range 4 {
			_, err := other(ctx, fmt.Sprint("strange_", i), c.p.clock.now(), []byte(`{"notice_id":"x"}`))
			if err == nil {
				c.Error("a message with a wrong signature was taken")
			}
		}
	})
	return wanted{"4.6.2", "2", reconcile.SignRejected, "open", incident.SideBank, map[string]string{"2/2.1": "seal_wrong", "2/2.2": "验签不通过"}}
}

// garbles: the bank's messages cannot be read any more.
func (c *calm) garbles() wanted {
	c.onDay(garbledDay, "10:20:00", func(ctx context.Context) {
		for i := range 5 {
			_, _ = c.sends[0](ctx, "", c.p.clock.now(), fmt.Appendf(nil, "<root><head/><body>%d", i)) // refused, in the dialect's words
		}
	})
	return wanted{"4.6.2", "2", reconcile.SignUndecodable, "luxi", incident.SideBank, map[string]string{"2/2.1": "报文格式是否调整", "2/2.2": "无法解码的报文：1–9 条"}}
}

// paysAstray: a bidder pays some minutes after the opening.
func (c *calm) paysAstray() wanted {
	b := c.bidderOf(astrayDay, 1)
	c.afterOpening(b, time.Time{})
	c.onDay(astrayDay+1, "07:00:00", func(ctx context.Context) { c.settle(ctx, reconcile.LateCredit) })
	return wanted{"4.6.2", "1", reconcile.SignAstray, b.lot.number, incident.SideBidder, map[string]string{"1/1.2": "晚 257 秒"}}
}

// goesDeaf: the service is away for an hour and a half; the banks push again what it did not take.
func (c *calm) goesDeaf() wanted {
	beat := func(ctx context.Context) { c.beat(ctx, false) }
	c.onDay(deafDay, "09:00:00", func(ctx context.Context) { beat(ctx); c.p.sends = [3]banksim.Send{dead, dead, dead} })
	c.onDay(deafDay, "10:31:00", func(ctx context.Context) { c.p.sends = c.sends; beat(ctx) })
	return wanted{"5.1.1", "1", reconcile.SignOutage, string(c.days[deafDay]) + " 09:00:00", incident.SideOurs,
		map[string]string{"1/1": "1 小时 31 分钟", "1/2": "100 分钟以内", "1/4": "请 鲁西示例银行、示例开放银行 补推"}}
}

func (c *calm) beat(ctx context.Context, stopping bool) {
	_, err := reconcile.Beat(ctx, c.p.app.db, watchJob, false, stopping)
	c.must(err)
}

// fallsSilent: one bank pushes no more, the other does.
func (c *calm) fallsSilent() wanted {
	c.onDay(silentDay, "08:45:00", func(context.Context) { c.p.sends[1] = dead })
	return wanted{"4.6.2", "2", reconcile.SignNotPushed, "open", incident.SideBank, map[string]string{"2/2.1": "静默期间预期推送", "2/2.2": "没有等待核对的到账"}}
}
