package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/reconcile"
	"depositd/refund"
)

func noEnvironment(string) (string, bool) { return "", false }

// runDemo plays the month and gives what is printed.
func runDemo(t *testing.T, args ...string) string {
	t.Helper()
	var stdout bytes.Buffer
	stderr := &lockedText{} // the service's log and the progress of the month
	code := run(t.Context(), append([]string{"demo", "--once", "--listen", "127.0.0.1:0", "--days", strconv.Itoa(leastDays)}, args...), noEnvironment, &stdout, stderr)
	if code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	return stdout.String()
}

// TestDemo: the demonstration shows each verdict and each finding of the closing on its last day, and what it leaves behind
// holds together. Played again it prints the same report, and serves on when it is not told to stop.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("plays two months, short ones")
	}
	first := ""
	t.Run("once", func(t *testing.T) { first = demoOnce(t) })
	t.Run("serving on", func(t *testing.T) { sqldbtest.Unwatched(t); demoServes(t, first) })
}

func demoOnce(t *testing.T) string {
	folder := filepath.Join(t.TempDir(), "kept")
	first := runDemo(t, "--keep", folder)
	for _, code := range reconcile.Codes() { // but those of pools and refunds: what goes wrong there is shown apart; nor does a bank of its use an id twice
		if code != reconcile.Violated && code != reconcile.MessageReused && !slices.Contains(slices.Concat(reconcile.PoolCodes(), reconcile.RefundCodes()), code) && !regexp.MustCompile(`(?m) [1-9][0-9]*  `+string(code)+`$`).MatchString(first) {
			t.Errorf("the report counts no %s", code)
		}
	}
	for _, text := range []string{"向银行逐个申请子账号 7 个", "账号户名不符", "已退汇，待核对账户后重新提交", "已付款 5 笔，其中 5 笔已由对账单借方流水证明；失败 1 笔", "通知恰为 100 笔", "平，期初与上日期末衔接，已日终关闭", "不平，期初与上日期末不符，未关闭", "户名写法不同", "分笔缴纳", "个人代缴", "须一次性足额缴纳", "子账号当时未分配"} {
		if !strings.Contains(first, text) {
			t.Errorf("the report does not say %q", text)
		}
	}
	if strings.Contains(first, string(reconcile.Violated)) {
		t.Error("the report tells of an invariant that does not hold")
	}
	db := []string{"--db", sqldb.FileURL(filepath.Join(folder, "deposit.db"))}
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitOK, []string{"verify"}},
		{exitMismatches, []string{"report", "--day", "2026-06-30"}},
		{exitMismatches, []string{"report", "--day", "2026-06-29"}},
		{exitOK, []string{"report", "--day", "2026-06-17"}},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), append(c.args, db...), noEnvironment, &out, &out); code != c.want {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.want, &out)
		}
	}
	return first
}

// TestDemoSeeds: whatever the seed, the plan is whole: every part of the cast has a number, and no number is leased twice at a time.
func TestDemoSeeds(t *testing.T) {
	for seed := range uint64(50) {
		m := newDemoMonth(seed, leastDays+int(seed)%(mostDays-leastDays+1), &player{})
		if m.credits[0] != lastDayCredits {
			t.Errorf("seed %d: the first bank has %d notices to push on the last day, want %d", seed, m.credits[0], lastDayCredits)
		}
		leases := map[string][]*demoBid{}
		for _, lot := range m.lots {
			for _, b := range lot.bids {
				leases[b.number] = append(leases[b.number], b)
				if b.registered.Before(lot.announced) || !b.registered.Before(lot.opensAt) {
					t.Errorf("seed %d: a bid on %s is registered at %s", seed, lot.number, b.registered)
				}
			}
		}
		for number, bids := range leases {
			slices.SortFunc(bids, before)
			for i := 1; i < len(bids); i++ {
				if bids[i].registered.Before(bids[i-1].leaseTo) || number == "" {
					t.Errorf("seed %d: number %q is leased twice at a time", seed, number)
				}
			}
		}
	}
	same := func(a, b *demoMonth) bool {
		return slices.EqualFunc(a.steps, b.steps, func(x, y demoStep) bool { return x.at.Equal(y.at) })
	}
	if one := newDemoMonth(1, mostDays, &player{}); !same(one, newDemoMonth(1, mostDays, &player{})) || same(one, newDemoMonth(2, mostDays, &player{})) {
		t.Error("the plan does not follow from the seed")
	}
}

// TestDemoMisses: a finding that was planned and is not in the report is an error, and so is one under another code.
func TestDemoMisses(t *testing.T) {
	p := &player{report: &reconcile.Report{Findings: []reconcile.FindingRow{{Code: reconcile.Underpaid, Serial: "1"}, {Code: reconcile.Unpaid, Lot: "L", Bidder: "甲"}}}}
	for _, c := range []struct {
		want  expected
		found bool
	}{
		{expected{code: reconcile.Underpaid, serial: "1"}, true},
		{expected{code: reconcile.Overpaid, serial: "1"}, false},
		{expected{code: reconcile.Underpaid, serial: "2"}, false},
		{expected{code: reconcile.Unpaid, lot: "L", bidder: "甲"}, true},
		{expected{code: reconcile.Unpaid, lot: "L", bidder: "乙"}, false},
	} {
		p.wants = []expected{c.want}
		if err := p.check(); (err == nil) != c.found {
			t.Errorf("%+v: %v", c.want, err)
		}
	}
}

// TestDemoMissesRefunds: what was planned of the money's way back and did not come about is an error.
func TestDemoMissesRefunds(t *testing.T) {
	planned := func() *demoPaid {
		return &demoPaid{numbers: 7, states: map[refund.State]int{refund.Paid: 5, refund.Failed: 1, refund.Returned: 1}, proven: map[refund.State]int{refund.Paid: 5}}
	}
	for name, spoil := range map[string]func(d *demoPaid){
		"": func(*demoPaid) {}, "a line is not proven": func(d *demoPaid) { d.proven[refund.Paid]-- }, "nothing came back": func(d *demoPaid) { delete(d.states, refund.Returned) },
		"one is unknown": func(d *demoPaid) { d.states[refund.Unknown] = 1 }, "a number is missing": func(d *demoPaid) { d.numbers-- }, "something is frozen": func(d *demoPaid) { d.frozen++ },
	} {
		d := planned()
		if spoil(d); (d.check() == nil) != (name == "") {
			t.Errorf("%s: %v", name, d.check())
		}
	}
}

// demoServes: the service answers after the report, and ends with exit code 0 when it is told to.
func demoServes(t *testing.T, first string) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stdout, stderr := &lockedText{}, &lockedText{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--days", strconv.Itoa(leastDays)}, noEnvironment, stdout, stderr)
	}()
	address := regexp.MustCompile(`curl -s -b sid (http://127\.0\.0\.1:[0-9]+)/v1/reports/2026-06-30`)
	var found []string
	for until := time.Now().Add(3 * time.Minute); found == nil && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		found = address.FindStringSubmatch(stdout.String())
	}
	if found == nil {
		t.Fatalf("no address in\n%s\n%s", stdout, stderr)
	}
	if second := stdout.String(); first == "" || !strings.HasPrefix(second, first) {
		t.Errorf("the second report differs from the first:\n%s\n%s", first, second)
	}
	login, err := http.Post(found[1]+"/v1/session", "application/json", strings.NewReader(`{"name":"`+demoPeople[0].name+`","password":"`+demoPassword+`"}`))
	if err != nil || login.StatusCode != http.StatusCreated {
		t.Fatalf("nobody can log in: %v %v", login, err)
	}
	_ = login.Body.Close()
	for path, want := range map[string]string{"/v1/reports/2026-06-30": `"at_round_cap":true`, "/v1/findings?code=ADVICE_ORPHAN": "ADVICE_ORPHAN", "/readyz": `"ok"`} {
		request, _ := http.NewRequest(http.MethodGet, found[1]+path, nil)
		request.AddCookie(login.Cookies()[0])
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: %s\n%s", path, response.Status, body)
		}
	}
	database := regexp.MustCompile(`--db (\S+)`).FindStringSubmatch(stdout.String())
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d\n%s", got, stderr)
	}
	if _, err := os.Stat(filepath.Dir(sqldb.File(database[1]))); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

// TestDemoRefuses: settings and folders that would mix the demonstration with real data.
func TestDemoRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "deposit.db"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--keep", full}, {"--db", sqldb.FileURL("other.db")}, {"--banks", "banks.yaml"}, {"--listen", "nowhere"}, {"--days", "3"}} {
		var out bytes.Buffer
		if code := run(t.Context(), append([]string{"demo", "--once"}, args...), noEnvironment, &out, &out); code != exitUsage {
			t.Errorf("%v: exit code %d, want %d\n%s", args, code, exitUsage, &out)
		}
	}
}

// TestDemoPortTaken: where the usual port is taken another one is used and named; one that was asked for is not replaced.
func TestDemoPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, asked := range []origin{"", fromFlag} {
		var stderr bytes.Buffer
		c := &call{origin: map[string]origin{"listen": asked}, stderr: &stderr}
		d, err := c.demoDoors(t.Context(), &app{config: &config{listen: taken.Addr().String()}})
		if asked != "" {
			if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
				t.Errorf("asked for a port that is taken: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stderr.String(), taken.Addr().String()) || !strings.Contains(stderr.String(), d.http.Addr().String()) {
			t.Errorf("the ports are not named: %s", &stderr)
		}
		d.close()
	}
}
