package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/migrations/sqldb/sqldbtest"
)

// A service is the whole program, serving until it is told to stop.
type service struct {
	t    *testing.T
	log  *lockedText
	stop context.CancelFunc
	code chan int
}

// lockedText is a text that one goroutine writes and another reads.
type lockedText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

const serveBanks = `banks: [{code: ccb, adapter: gseries, statement: csv, payout: gseries, parent_accounts: ["3705018860000000123"], seal: {scheme: none}}]`

// environmentOf is an environment of these variables and no others.
func environmentOf(env map[string]string) environment {
	return func(name string) (string, bool) {
		value, there := env[name]
		return value, there
	}
}

// settingsFor makes a folder with a banks.yaml and gives the settings of a service in it.
func settingsFor(t *testing.T, url string, more map[string]string) environment {
	t.Helper()
	banks := filepath.Join(t.TempDir(), "banks.yaml")
	if err := os.WriteFile(banks, []byte(serveBanks), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DEPOSITD_DB": url, "DEPOSITD_BANKS": banks, "DEPOSITD_MASTER_KEY_FILE": sqldbtest.MasterFile(t), "DEPOSITD_LISTEN": "127.0.0.1:0", "DEPOSITD_METRICS_LISTEN": "127.0.0.1:0"}
	for name, value := range more {
		env[name] = value
	}
	return environmentOf(env)
}

func startService(t *testing.T, getenv environment) *service {
	t.Helper()
	return startServiceAt(t, getenv, time.Now)
}

func startServiceAt(t *testing.T, getenv environment, now func() time.Time) *service {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &service{t: t, log: &lockedText{}, stop: stop, code: make(chan int, 1)}
	go func() { s.code <- runAt(ctx, []string{"serve"}, getenv, now, io.Discard, s.log) }()
	t.Cleanup(stop)
	return s
}

// says waits for a line of the log and gives what the pattern's group matched.
func (s *service) says(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if found := re.FindStringSubmatch(s.log.String()); found != nil {
			return found[len(found)-1]
		}
	}
	s.t.Fatalf("the service never said %s:\n%s", pattern, s.log)
	return ""
}

// ends stops the service and wants exit code 0 within the time that a shutdown may take.
func (s *service) ends() {
	s.t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		if code != exitOK {
			s.t.Errorf("exit code %d:\n%s", code, s.log)
		}
	case <-time.After(shutdownTime + 5*time.Second):
		s.t.Fatalf("the service does not end:\n%s", s.log)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	return getAs(t, http.DefaultClient, url)
}

func getAs(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

const notice = `<?xml version="1.0" encoding="GBK"?><root><head><TransCode>G00001</TransCode><TransDate>20260612</TransDate><TransTime>093000</TransTime><SeqNo>%[1]s</SeqNo></head>` +
	`<body><InstCode>3705018860000000123</InstCode><InDate>20260612092958</InDate><InAmount>800000.00</InAmount><InName>ACME</InName><InAcct>6212000000000000005</InAcct>` +
	`<InMemo>3705018860000000123-000147</InMemo><InBankFLCode>%[1]s</InBankFLCode></body></root>`

// TestServe: a message over HTTP and one over the line are received, judged without being asked, and reported; the
// metrics stand on a listener of their own.
func TestServe(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		s := startService(t, settingsFor(t, url, map[string]string{"DEPOSITD_TCP_LISTEN": "127.0.0.1:0", "DEPOSITD_TCP_BANK": "ccb"}))
		at, metrics, line := "http://"+s.says(`listening on ([0-9.:]+)`), s.says(`metrics on ([0-9.:]+)`), s.says(`frames on ([0-9.:]+)`)
		if status, _ := get(t, at+"/readyz"); status != http.StatusOK {
			t.Errorf("readyz: %d", status)
		}
		if status, _ := get(t, at+"/metrics"); status != http.StatusNotFound {
			t.Errorf("the metrics stand on the service's listener: %d", status)
		}
		answer, err := http.Post(at+"/v1/banks/ccb/messages", "application/xml", strings.NewReader(fmt.Sprintf(notice, "A1")))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if !strings.Contains(string(body), "<Result>00</Result>") {
			t.Errorf("over HTTP: %s", body)
		}
		for _, c := range []struct{ message, result string }{{fmt.Sprintf(notice, "B1"), "00"}, {fmt.Sprintf(notice, "B1"), "0"}, {"rubbish", "09"}} {
			if got := frame(t, line, c.message); !strings.Contains(got, "<Result>"+c.result) {
				t.Errorf("over the line: %s", got)
			}
		}
		if got := frame(t, line, strings.Replace(fmt.Sprintf(notice, "B2"), "G00001", "G00012", 1)); !strings.Contains(got, "result_of_nobody") {
			t.Errorf("a result over the line is not the refunds': %s", got)
		}
		inside := visit(t, sqldbtest.Open(t, url, time.Now))
		if status, _ := get(t, at+"/v1/reports/2026-06-12"); status != http.StatusUnauthorized {
			t.Errorf("a stranger read the report: %d", status)
		}
		waitFor(t, func() bool {
			_, report := getAs(t, inside, at+"/v1/reports/2026-06-12")
			return strings.Contains(report, `"UNKNOWN_SUB_ACCOUNT":2`)
		})
		if _, text := get(t, "http://"+metrics+"/metrics"); !strings.Contains(text, "depositd_http_requests_total") || !strings.Contains(text, "go_goroutines") {
			t.Errorf("the metrics lack ours or Go's:\n%s", text)
		}
		s.ends()
	})
}

func frame(t *testing.T, address, message string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%06d%s", len(message), message)
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer[:n])
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it never came to hold")
		}
	}
}

// TestShutdownLetsRequestsFinish: a request whose body is still on its way when the service is told to stop is answered.
func TestShutdownLetsRequestsFinish(t *testing.T) {
	s := startService(t, settingsFor(t, "", map[string]string{"DEPOSITD_DB": sqldbtest.FileNamed + filepath.Join(t.TempDir(), "deposit.db")}))
	at := s.says(`listening on ([0-9.:]+)`)
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	message := fmt.Sprintf(notice, "C1")
	fmt.Fprintf(conn, "POST /v1/banks/ccb/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s", len(message), message[:100])
	time.Sleep(200 * time.Millisecond) // until the handler has it
	s.stop()
	waitFor(t, func() bool { // until nobody is let in any more
		late, err := net.Dial("tcp", at)
		if err == nil {
			_ = late.Close()
		}
		return err != nil
	})
	fmt.Fprint(conn, message[100:])
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "<Result>00</Result>") {
		t.Errorf("the request in flight got %q, %v", answer, err)
	}
	s.ends()
}

// TestNightlyBelongsToOne: while another process has the day, the command gives up with a code of its own and cron leaves
// the day alone; when it is free again, cron closes it.
func TestNightlyBelongsToOne(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, time.Now)
		day := yesterday(time.Now())
		if held, err := db.Claim(t.Context(), nightlyJob, string(day), "another", time.Minute); err != nil || !held {
			t.Fatal(held, err)
		}
		getenv := settingsFor(t, url, map[string]string{"DEPOSITD_NIGHTLY_AT": "@every 1s"})
		var complaint strings.Builder
		if code := run(t.Context(), []string{"nightly"}, getenv, io.Discard, &complaint); code != exitHeld {
			t.Errorf("exit code %d, want %d: %s", code, exitHeld, complaint.String())
		}
		s := startService(t, getenv)
		s.says(`(another replica has the day)`)
		if strings.Contains(s.log.String(), "nightly done") {
			t.Errorf("cron closed a day that another holds:\n%s", s.log)
		}
		if err := db.Release(t.Context(), nightlyJob, string(day), "another"); err != nil {
			t.Fatal(err)
		}
		s.says(`(nightly done)`)
		s.ends()
		if code := run(t.Context(), []string{"nightly"}, getenv, io.Discard, &complaint); code != exitOK {
			t.Errorf("the claim was not given back: exit code %d, %s", code, complaint.String())
		}
	})
}

// TestClaimIsLost: work whose claim another process has taken over is broken off.
func TestClaimIsLost(t *testing.T) {
	db := sqldbtest.Open(t, sqldbtest.FileNamed+filepath.Join(t.TempDir(), "deposit.db"), time.Now)
	a := &app{db: db}
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	if _, err := db.Claim(ctx, nightlyJob, "2026-06-12", "another", time.Minute); err != nil {
		t.Fatal(err)
	}
	a.renew(ctx, stop, nightlyJob, "2026-06-12", "me", time.Millisecond)
	if cause := context.Cause(ctx); !errors.Is(cause, errHeld) {
		t.Errorf("the work goes on: %v", cause)
	}
}

// TestOneRunAtATime: a job that one run has keeps out another run of the same process, for as long as it lasts.
func TestOneRunAtATime(t *testing.T) {
	a := &app{db: sqldbtest.Open(t, sqldbtest.FileNamed+filepath.Join(t.TempDir(), "deposit.db"), time.Now), holder: "me"}
	again := func(work func() error) error {
		return a.holding(t.Context(), payerJob, "ccb", func(context.Context) error { return work() })
	}
	for range 2 {
		err := again(func() error {
			return again(func() error { t.Error("two runs have the bank"); return nil })
		})
		if !errors.Is(err, errHeld) {
			t.Errorf("the second run is told %v", err)
		}
	}
	ran := false
	if err := again(func() error { ran = true; return nil }); err != nil || !ran {
		t.Errorf("the bank was not given back: %v", err)
	}
}

// TestListenTellsAll: two ports that are taken are both told.
func TestListenTellsAll(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	getenv := settingsFor(t, sqldbtest.FileNamed+filepath.Join(t.TempDir(), "deposit.db"), map[string]string{"DEPOSITD_LISTEN": address, "DEPOSITD_METRICS_LISTEN": address})
	var complaint strings.Builder
	if code := run(t.Context(), []string{"serve"}, getenv, io.Discard, &complaint); code != exitFailure || strings.Count(complaint.String(), "不能监听") != 2 {
		t.Errorf("exit code %d: %s", code, complaint.String())
	}
}

// TestReplicasStartAtOnce: three on an empty database; one makes the tables, all serve.
func TestReplicasStartAtOnce(t *testing.T) {
	sqldbtest.EachEmpty(t, func(t *testing.T, url string) {
		getenv := settingsFor(t, url, nil)
		var replicas []*service
		for range 3 {
			replicas = append(replicas, startService(t, getenv))
		}
		for _, s := range replicas {
			if status, _ := get(t, "http://"+s.says(`listening on ([0-9.:]+)`)+"/readyz"); status != http.StatusOK {
				t.Errorf("readyz: %d", status)
			}
		}
		for _, s := range replicas {
			s.ends()
		}
	})
}
