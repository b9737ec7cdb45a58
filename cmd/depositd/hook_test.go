package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/webhook"
)

var (
	oldHookKey = []byte("old-old-old-old-old-old-old-old-")
	newHookKey = []byte("new-new-new-new-new-new-new-new-")
)

// receiver is another system: it believes what is signed with its key, and answers as it is told to.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	seal    bank.Seal
	now     func() time.Time
	answers []func(http.ResponseWriter) // one for each request; 204 behind the last
	taken   []string                    // the ids of what was believed
	bodies  []string
	strange int // requests that were not believed
}

func newReceiver(t *testing.T, key []byte, now func() time.Time) *receiver {
	t.Helper()
	r := &receiver{seal: bank.SealWith(bank.HMACSHA256, key), now: now}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(request.Body)
	if request.Method != http.MethodPost || request.Header.Get("Content-Type") != "application/json" || (&bank.Bank{Seal: r.seal}).Believe(bank.Envelope{Header: request.Header.Get, At: r.now()}, bytes.NewReader(body)) != nil {
		r.strange++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if len(r.answers) > 0 {
		answer := r.answers[0]
		r.answers = r.answers[1:]
		answer(w)
		return
	}
	r.taken, r.bodies = append(r.taken, request.Header.Get("webhook-id")), append(r.bodies, string(body))
	w.WriteHeader(http.StatusNoContent)
}

func status(code int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20)) // more than anybody wants to read
	}
}

// toldTo is an app that tells an endpoint, with a clock that is set by hand.
type toldTo struct {
	t    *testing.T
	now  time.Time
	app  *app
	args []string
}

func tellsTo(t *testing.T, url string) *toldTo {
	t.Helper()
	folder := sqldbtest.InMemory(t)
	x := &toldTo{t: t, now: time.Date(2026, 6, 12, 3, 0, 0, 0, deposit.Shanghai)}
	for name, text := range map[string]string{
		"banks.yaml": "banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: none}}]\n",
		"old.key":    string(oldHookKey), "new.key": string(newHookKey),
		"webhooks.yaml": fmt.Sprintf("webhooks: [{name: oncall, url: %q, secret_files: [old.key, new.key], events: [OPENED]}]\nretry: {after: [1m, 5m], jitter: 0}\n", url),
	} {
		x.must(os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	x.args = []string{"--db", sqldb.FileURL(filepath.Join(folder, "deposit.db")), "--webhooks", filepath.Join(folder, "webhooks.yaml"), "--master-key-file", sqldbtest.MasterFile(t)}
	sqldbtest.Lay(t, x.args[1])
	c := &call{settings: &Settings{DB: x.args[1], MasterKeyFile: x.args[5], Banks: filepath.Join(folder, "banks.yaml"), Webhooks: x.args[3], PlanAuthority: "both", Listen: "127.0.0.1:0", NightlyAt: "30 0 * * *", MaxStatementSize: "1MiB", LogFormat: "text",
		PasswordPolicy: "dengbao", RefundLineLimit: "1", RefundBatchLimit: "1", RefundDayLimit: "1", RefundApproval: "24h", RefundCooling: "24h", RevealsPerDay: 50},
		getenv: noEnvironment, now: func() time.Time { return x.now }, stdout: io.Discard, stderr: io.Discard}
	var err error
	x.app, err = c.open(t.Context(), asIs)
	x.must(err)
	t.Cleanup(func() { _ = x.app.db.Close() })
	return x
}

func (x *toldTo) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// runs plays a command and gives what it prints.
func (x *toldTo) runs(code int, args ...string) string {
	x.t.Helper()
	var out bytes.Buffer
	if got := runAt(x.t.Context(), append(args, x.args...), noEnvironment, func() time.Time { return x.now }, &out, &out); got != code {
		x.t.Fatalf("%v: exit code %d, want %d\n%s", args, got, code, &out)
	}
	return out.String()
}

func (x *toldTo) opens(title string) {
	x.t.Helper()
	_, err := x.app.incident.Report(x.t.Context(), "值班员", incident.Order{Scenario: "5.1.1", Title: title, Source: incident.FromPerson})
	x.must(err)
}

// tells sends what is due, with so much patience.
func (x *toldTo) tells(patience time.Duration) {
	x.t.Helper()
	client := newHookClient()
	defer client.CloseIdleConnections()
	client.Timeout = patience
	x.must(x.app.tell(x.t.Context(), client))
}

func (x *toldTo) stands() webhook.Delivery {
	x.t.Helper()
	all, _, err := x.app.webhook.Page(x.t.Context(), webhook.Query{Limit: 10})
	if x.must(err); len(all) != 1 {
		x.t.Fatalf("%d deliveries", len(all))
	}
	return all[0]
}

// What goes wrong at a receiver is kept and tried again, under the same id and with the same bytes, until it is taken.
func TestWebhookIsTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter)
		answers int
		failure webhook.Failure
		wait    time.Duration
	}{
		"it fails":           {status(500), 500, webhook.Refused, time.Minute},
		"it is overloaded":   {status(429, "Retry-After", "120"), 429, webhook.Refused, 2 * time.Minute},
		"it leads elsewhere": {status(302, "Location", "http://127.0.0.1:1/"), 302, webhook.Redirected, time.Minute},
		"it is slow":         {func(http.ResponseWriter) { time.Sleep(300 * time.Millisecond) }, 0, webhook.NoAnswer, time.Minute},
		"it hangs up":        {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 0, webhook.NoAnswer, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			var x *toldTo
			r := newReceiver(t, newHookKey, func() time.Time { return x.now })
			r.answers = []func(http.ResponseWriter){c.answer}
			x = tellsTo(t, r.URL)
			x.opens("断网")
			x.tells(200 * time.Millisecond)
			d := x.stands()
			if d.State != webhook.Waiting || d.Failure != c.failure || d.Answer != c.answers || d.DueAt.Sub(x.now) != c.wait {
				t.Fatalf("it is %s, %s %d, due in %s", d.State, d.Failure, d.Answer, d.DueAt.Sub(x.now))
			}
			x.tells(time.Minute) // too early
			r.mu.Lock()          // the slow one may still be looking at the clock
			x.now = x.now.Add(c.wait)
			r.mu.Unlock()
			x.tells(time.Minute)
			if d = x.stands(); d.State != webhook.Delivered || len(r.taken) != 1 || r.taken[0] != d.MessageID() || r.bodies[0] != string(d.Body) || r.strange != 0 {
				t.Errorf("it is %s; taken %v, %d not believed", d.State, r.taken, r.strange)
			}
		})
	}
}

// A receiver that has the old key believes what one that has the new believes; one with another believes nobody.
func TestWebhookKeys(t *testing.T) {
	for key, believed := range map[string]bool{string(oldHookKey): true, string(newHookKey): true, "another-another-another-another-": false} {
		var x *toldTo
		r := newReceiver(t, []byte(key), func() time.Time { return x.now })
		x = tellsTo(t, r.URL)
		x.opens("断网")
		x.tells(time.Minute)
		if (x.stands().State == webhook.Delivered) != believed || (r.strange == 0) != believed {
			t.Errorf("%s: it is %s", key, x.stands().State)
		}
	}
}

// What is given up is listed, and sent again on a person's word. One that cannot be reached is not dialled for each notice.
func TestWebhookGivenUp(t *testing.T) {
	var x *toldTo
	r := newReceiver(t, newHookKey, func() time.Time { return x.now })
	x = tellsTo(t, r.URL)
	r.Close()
	x.opens("断网")
	for range 3 {
		x.tells(time.Second)
		x.now = x.now.Add(5 * time.Minute)
	}
	if d := x.stands(); d.State != webhook.Dead || d.Failure != webhook.Unreachable || d.Attempts != 3 {
		t.Fatalf("%+v", d)
	}
	if text := x.runs(exitOK, "webhook", "list", "--state", "dead"); !strings.Contains(text, "未送达") || !strings.Contains(text, "连接不上") || !strings.Contains(text, "密钥 2 把") {
		t.Error(text)
	}
	x.runs(exitUsage, "webhook", "resend")
	if text := x.runs(exitOK, "webhook", "resend", "--dead"); !strings.Contains(text, "1 条") {
		t.Error(text)
	}
	if d := x.stands(); d.State != webhook.Waiting {
		t.Errorf("it is %s", d.State)
	}
	x.runs(exitFailure, "webhook", "test", "oncall")
	x.runs(exitUsage, "webhook", "test", "nobody")
}

// A test notice is signed like any other and stored nowhere.
func TestWebhookTest(t *testing.T) {
	var x *toldTo
	r := newReceiver(t, oldHookKey, func() time.Time { return x.now })
	x = tellsTo(t, r.URL)
	if text := x.runs(exitOK, "webhook", "test", "oncall"); !strings.Contains(text, "已接收（204）") || len(r.taken) != 1 || !strings.Contains(r.bodies[0], "webhook.test") {
		t.Error(text, r.bodies)
	}
	if all, _, err := x.app.webhook.Page(t.Context(), webhook.Query{Limit: 1}); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// Whatever opens an incident while the service is up is told, and another replica's claim is respected.
func TestWebhookWhileServing(t *testing.T) {
	var x *toldTo
	r := newReceiver(t, newHookKey, func() time.Time { return x.now })
	x = tellsTo(t, r.URL)
	held, err := x.app.db.Claim(t.Context(), webhooksJob, "", "another replica", time.Minute)
	if x.must(err); !held {
		t.Fatal("the claim is taken")
	}
	x.opens("断网")
	if err := x.app.tell(t.Context(), newHookClient()); err == nil || len(r.taken) != 0 {
		t.Errorf("two replicas tell: %v", err)
	}
	x.must(x.app.db.Release(t.Context(), webhooksJob, "", "another replica"))
	ctx, stop := context.WithCancel(t.Context())
	var telling sync.WaitGroup
	telling.Go(func() { x.app.tellAlways(ctx, newJobMetrics(prometheus.NewRegistry())) })
	defer func() { stop(); telling.Wait() }()
	for until := time.Now().Add(time.Minute); x.stands().State != webhook.Delivered && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
	}
	if d := x.stands(); d.State != webhook.Delivered {
		t.Errorf("it is %s", d.State)
	}
}

// Settings that are wrong stop every command at its start, all of them at once.
func TestWebhookSettingsWrong(t *testing.T) {
	x := tellsTo(t, "https://hooks.example.cn/")
	x.must(os.WriteFile(x.args[3], []byte("webhooks: [{name: A, url: \"ftp://x\", secret_files: [none.key]}]"), 0o600))
	if text := x.runs(exitUsage, "webhook", "list"); !strings.Contains(text, "webhooks.yaml 有 3 处错误") || !strings.Contains(text, "none.key 不存在") {
		t.Error(text)
	}
}

// The signature is that of the specification's own example.
func TestWebhookSignature(t *testing.T) {
	key := func(string) ([]byte, error) { return bank.ParseKey([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")) }
	plan, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	s, err := webhook.ParseSettings([]byte(`webhooks: [{name: a, url: "https://example.cn/", secret_files: [a.key, b.key]}]`), plan, key)
	if err != nil {
		t.Fatal(err)
	}
	got := signatures(&s.Endpoints[0], "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want+" "+want {
		t.Errorf("signed %s, want %s twice", got, want)
	}
}
