package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

const lifeBanks = `banks: [{code: ccb, name: 示例建设银行, adapter: gseries, statement: csv, parent_accounts: ["3705018860000000123"], seal: {scheme: none}%s}]`

// life is the real program with a simulated bank beside it, both on one clock.
type life struct {
	*testing.T
	mu      sync.Mutex
	now     time.Time
	sim     *banksim.Sim
	getenv  environment
	base    string
	service *service
	client  *http.Client
	events  int
}

func (l *life) clock() time.Time { l.mu.Lock(); defer l.mu.Unlock(); return l.now }

func (l *life) pass(d time.Duration) { l.mu.Lock(); defer l.mu.Unlock(); l.now = l.now.Add(d) }

func startLife(t *testing.T, url string) *life {
	t.Helper()
	l := &life{T: t, now: time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)}
	plain, err := bank.ParseSet(fmt.Appendf(nil, lifeBanks, ""), nil)
	l.must(err)
	l.sim = banksim.New(plain.Only(), rand.New(rand.NewPCG(1, 1)), l.clock)
	address, stop, err := l.sim.Listen(context.Background(), banksim.TCP)
	l.must(err)
	t.Cleanup(func() { l.must(stop()) })
	l.getenv = settingsFor(t, url, nil)
	banks, _ := l.getenv("DEPOSITD_BANKS")
	l.must(os.WriteFile(banks, fmt.Appendf(nil, lifeBanks, ", numbers: open, call: '"+address+"'"), 0o600))
	l.client = visit(t, sqldbtest.Open(t, url, l.clock))
	l.service = startServiceAt(t, l.getenv, l.clock)
	l.base = "http://" + l.service.says(`listening on ([0-9.:]+)`)
	return l
}

func (l *life) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// say sends JSON and gives the answer, of any status for 0.
func (l *life) say(method, path, body string, status int) string {
	l.Helper()
	request, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	l.must(err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(request)
	l.must(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	l.must(err)
	if status != 0 && answer.StatusCode != status {
		l.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return string(text)
}

// bid announces a lot with a bid and gives the path on which the bid asks for a number.
func (l *life) bid(lot, bidder string, opens string) string {
	l.Helper()
	l.say("PUT", "/v1/lots/"+lot, `{"department":"建设工程科","deposit":"1000.00","opening_at":"`+opens+`"}`, http.StatusCreated)
	var b struct{ ID string }
	l.must(json.Unmarshal([]byte(l.say("POST", "/v1/bids", `{"lot":"`+lot+`","bidder":"`+bidder+`"}`, http.StatusCreated)), &b))
	return "/v1/bids/" + b.ID + "/sub-account"
}

func (l *life) event(kind, lot string) {
	l.Helper()
	l.events++
	l.say("POST", "/v1/platform/events", fmt.Sprintf(`{"number":"E%d","kind":%q,"lot":%q,"happened_at":%q}`, l.events, kind, lot, l.clock().Format(time.RFC3339)), http.StatusCreated)
}

// wake has the pools tended by an event that changes nothing of them.
func (l *life) wake() {
	l.Helper()
	lot := fmt.Sprint("W", l.events)
	l.say("PUT", "/v1/lots/"+lot, `{"department":"科","deposit":"1.00","opening_at":"2036-06-12T15:00:00+08:00"}`, http.StatusCreated)
	l.event("terminated", lot)
}

// books lets money come to a number or leave it, tells the service of it, and has the day's statement read.
func (l *life) books(direction bank.Direction, number, payer string, at time.Time) {
	l.Helper()
	t := banksim.Transfer{SubAccount: number, With: banksim.Party{Name: payer, Account: "62"}, Amount: 1000_00, At: at}
	if direction == bank.Credit {
		l.sim.Credit(t)
		_, err := l.sim.Deliver(context.Background(), l.sim.OverHTTP(l.client, l.base, nil))
		l.must(err)
		return
	}
	l.sim.Debit(t)
	l.must(l.sim.SendStatement(context.Background(), l.client, l.base, nil, "", deposit.DayOf(l.clock())))
}

// command runs a command of the program beside the service.
func (l *life) command(code int, args ...string) string {
	l.Helper()
	var out, complaint strings.Builder
	if got := runAt(context.Background(), args, l.getenv, l.clock, &out, &complaint); got != code {
		l.Errorf("depositd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), complaint.String())
	}
	return out.String()
}

// wants waits until the number is in a state.
func (l *life) wants(number string, state string) {
	l.Helper()
	waitFor(l.T, func() bool {
		return l.diagnosis(number).Number.State == "" || string(l.diagnosis(number).Number.State) == state
	})
}

func (l *life) diagnosis(number string) (d reconcile.Diagnosis) {
	l.Helper()
	l.must(json.Unmarshal([]byte(l.say("GET", "/v1/sub-accounts/"+number+"/diagnosis", "", http.StatusOK)), &d))
	return d
}

// finding waits for a finding of a code and gives it.
func (l *life) finding(code reconcile.Code) (f reconcile.FindingRow) {
	l.Helper()
	waitFor(l.T, func() bool { return len(l.findings(code)) > 0 })
	return l.findings(code)[0]
}

func (l *life) findings(code reconcile.Code) []reconcile.FindingRow {
	l.Helper()
	var page struct{ Findings []reconcile.FindingRow }
	l.must(json.Unmarshal([]byte(l.say("GET", "/v1/findings?state=OPEN&code="+string(code), "", http.StatusOK)), &page))
	return page.Findings
}

// TestLifeOfANumber: the real service and a bank over TCP. A number is opened for a bid, paid on, its lot fails, its money is
// paid back; the bank refuses to close it and then does; it rests, takes late money, is opened again for another bid, and takes
// money of the time in between. Nothing of it is ever the other bidder's.
func TestLifeOfANumber(t *testing.T) {
	url := sqldbtest.FileNamed + filepath.Join(t.TempDir(), "deposit.db")
	l := startLife(t, url)
	const first, second = "聊城市东昌建设工程有限公司", "临清市卫河工程有限公司"
	l.sim.Stock("", "n1")
	ask := l.bid("LC-1", first, "2026-06-12T15:00:00+08:00")
	if got := l.say("POST", ask, `{}`, http.StatusCreated); !strings.Contains(got, `"n1"`) {
		t.Fatal(got)
	}
	l.pass(time.Hour)
	l.books(bank.Credit, "n1", first, l.clock())
	if got := l.command(exitOK, "pool", "status"); !strings.Contains(got, "已封存") || strings.Contains(got, "LC-1") || strings.Contains(got, "n1") {
		t.Errorf("before the opening:\n%s", got)
	}

	l.pass(6 * time.Hour)
	l.event("failed", "LC-1")
	l.wants("n1", "DRAINING")
	if got := l.command(exitOK, "pool", "status"); !strings.Contains(got, "1,000.00  资金未退清") {
		t.Errorf("with money on it:\n%s", got)
	}
	l.sim.Fail("G00004", banksim.Refuses09)
	l.books(bank.Debit, "n1", first, time.Time{})
	l.wake()
	waitFor(t, func() bool {
		return strings.Contains(l.command(exitOK, "pool", "status"), "银行拒绝注销（09）")
	})
	if got := l.command(exitMismatches, "pool", "reconcile"); !strings.Contains(got, "子账号未释放") || !strings.Contains(got, "银行拒绝注销（09）") {
		t.Errorf("the bank refuses:\n%s", got)
	}
	l.pass(31 * time.Minute)
	l.wake()
	l.wants("n1", "QUARANTINED")

	l.pass(10 * 24 * time.Hour)
	l.books(bank.Credit, "n1", first, l.clock())
	late := l.finding(reconcile.UnknownSubAccount)
	if fmt.Sprint(late.Reasons) != "[UNKNOWN_SUB_ACCOUNT NOT_LEASED LATE_NUMBER_MONEY]" || late.SuggestedBidder != first {
		t.Errorf("late money: %+v", late)
	}
	between := l.clock().Add(24 * time.Hour)
	l.pass(95 * 24 * time.Hour)
	next := l.bid("LC-2", second, "2026-12-12T15:00:00+08:00")
	l.say("POST", next, `{}`, http.StatusConflict) // the late money is on the number still
	l.finding(reconcile.PoolExhausted)
	l.books(bank.Debit, "n1", first, time.Time{})
	l.wake()
	waitFor(t, func() bool {
		return strings.Contains(l.say("POST", next, `{}`, 0), `"n1"`)
	})
	l.books(bank.Credit, "n1", second, between) // a notice that comes a quarter late
	l.pass(24 * time.Hour)
	l.books(bank.Credit, "n1", first, l.clock().Add(-time.Hour))
	l.must(l.sim.SendStatement(context.Background(), l.client, l.base, nil, "", deposit.DayOf(l.clock())))
	l.pass(24 * time.Hour)
	if got := l.command(exitOK, "nightly", "--json"); !strings.Contains(got, `"sealed": true`) || strings.Contains(got, "THIRD_PARTY_PAYER") {
		t.Errorf("while LC-2 is sealed: %s", got)
	}
	if got := sqldbtest.Strings(t, url, "SELECT verdict FROM matches WHERE verdict NOT IN ('UNKNOWN_SUB_ACCOUNT') ORDER BY judged_at"); !slices.Equal(got, []string{"MATCHED", "THIRD_PARTY_PAYER"}) {
		t.Errorf("money of the first on the second's number: %q", got)
	}
	orphaned := sqldbtest.Strings(t, url, "SELECT reasons FROM findings WHERE code = 'UNKNOWN_SUB_ACCOUNT' AND state = 'OPEN' AND bid_id = 0")
	for _, reasons := range orphaned {
		if !strings.Contains(reasons, string(reconcile.LateNumberMoney)) {
			t.Errorf("late money was given to somebody: %s", reasons)
		}
	}
	if len(orphaned) != 2 {
		t.Errorf("%d credits are nobody's, want 2", len(orphaned))
	}

	l.sim.Lend("", "n7", "K7")
	if got := l.command(exitMismatches, "pool", "reconcile"); !strings.Contains(got, "已开立数比本系统多 1 个") {
		t.Errorf("the bank has opened another:\n%s", got)
	}
	d := l.diagnosis("n1")
	if !d.Number.Sealed || len(d.Number.Leases) != 1 || d.Account.StatementDay == "" || len(d.Changes) == 0 || !strings.Contains(d.Changes[0].Note, "版本") {
		t.Errorf("the diagnosis: %+v", d)
	}
	l.service.ends()
	if got := l.command(exitOK, "verify"); !strings.Contains(got, "0 项不通过") {
		t.Error(got)
	}
}
