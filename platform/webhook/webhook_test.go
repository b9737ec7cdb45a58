package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/webhook"
)

var ctx = context.Background()

// house is the two desks over one database, with a clock that is set by hand.
type house struct {
	t         *testing.T
	url       string
	db        *sqldb.DB
	now       time.Time
	settings  *webhook.Settings
	incidents *incident.Desk
	hooks     *webhook.Desk
}

func plan(t *testing.T) *incident.Plan {
	t.Helper()
	p, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func each(t *testing.T, settings string, test func(h *house)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) { test(newHouse(t, url, settings)) })
}

func newHouse(t *testing.T, url, settings string) *house {
	t.Helper()
	h := &house{t: t, url: url, now: time.Date(2026, 6, 12, 3, 0, 0, 0, deposit.Shanghai)}
	var err error
	h.settings, err = webhook.ParseSettings([]byte(settings), plan(t), key)
	h.ok(err)
	return h.over(sqldbtest.Open(t, url, func() time.Time { return h.now }))
}

// over puts the desks on a database.
func (h *house) over(db *sqldb.DB) *house {
	h.t.Helper()
	h.db, h.incidents, h.hooks = db, incident.NewDesk(db, plan(h.t), incident.ByBoth), webhook.NewDesk(db, h.settings, plan(h.t))
	h.incidents.Join(h.hooks.Queue)
	return h
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func key(name string) ([]byte, error) {
	switch name {
	case "a.key", "b.key":
		return []byte(strings.Repeat(name[:1], 32)), nil
	case "short.key":
		return nil, deposit.Refuse(deposit.Invalid, "key_too_short", "密钥太短")
	case "locked.key":
		return nil, os.ErrPermission
	}
	return nil, os.ErrNotExist
}

const two = `webhooks:
  - {name: all, url: "https://a.example.cn/hook", secret_files: [a.key]}
  - {name: it, url: "http://127.0.0.1:8090/hook", secret_files: [a.key, b.key], departments: [信息技术科], levels: [level_1, none], events: [OPENED, MOVED], drills: false}
retry: {after: [1m, 5m], jitter: 0.5}
`

func (h *house) report(o incident.Order) incident.Incident {
	h.t.Helper()
	o.Source = incident.FromPerson
	i, err := h.incidents.Report(ctx, "张三丰", o)
	h.ok(err)
	return i
}

func (h *house) page(q webhook.Query) []webhook.Delivery {
	h.t.Helper()
	q.Limit = 100
	all, _, err := h.hooks.Page(ctx, q)
	h.ok(err)
	return all
}

// A change is queued for whoever wants it, once, with nothing in it that a person has typed and no name.
func TestQueued(t *testing.T) {
	each(t, two, func(h *house) {
		i := h.report(incident.Order{Scenario: "4.6.1", Title: "聊城甲公司汇不进保证金", Detail: "账号 6212345", Department: "建设工程科", Reference: "R1"})
		h.report(incident.Order{Scenario: "4.6.1", Title: "聊城甲公司汇不进保证金", Detail: "账号 6212345", Department: "建设工程科", Reference: "R1"})
		h.report(incident.Order{Scenario: "5.1.1", Title: "断网", Scope: incident.Whole})
		h.report(incident.Order{Scenario: "5.1.1", Title: "演练断网", Drill: true})
		all, it := h.page(webhook.Query{Endpoint: "all"}), h.page(webhook.Query{Endpoint: "it"})
		if len(all) != 3 || len(it) != 1 || it[0].Event != "incident.opened" || it[0].Number == i.Number {
			t.Fatalf("for all %d, for it %+v", len(all), it)
		}
		drill := false
		for _, d := range all {
			var body struct {
				Type string
				Data map[string]any
			}
			h.ok(json.Unmarshal(d.Body, &body))
			drill = drill || body.Data["drill"] == true && strings.HasPrefix(body.Data["number"].(string), "【演练】")
			for _, secret := range []string{"甲公司", "6212345", "张三丰", "断网"} {
				if strings.Contains(string(d.Body), secret) {
					t.Errorf("it tells %s: %s", secret, d.Body)
				}
			}
			if body.Type != d.Event || body.Data["phase"] != "REPORTED" || body.Data["title"] != "登记" || body.Data["link"] != "/v1/incidents/"+d.IncidentID.String() {
				t.Errorf("it is %s", d.Body)
			}
		}
		if !drill {
			t.Error("no notice is marked as a drill's")
		}
	})
}

// What is undone is not told: the queue is written by the change's own commit.
func TestUndoneIsNotTold(t *testing.T) {
	each(t, two, func(h *house) {
		broken := errors.New("the commit fails")
		h.incidents.Join(func(context.Context, *sqldb.Tx, incident.Change) error { return broken })
		if _, err := h.incidents.Report(ctx, "某人", incident.Order{Scenario: "5.1.1", Title: "断网", Source: incident.FromPerson}); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if all := h.page(webhook.Query{}); len(all) != 0 {
			t.Errorf("%d are queued", len(all))
		}
	})
}

// An attempt that fails is followed by the next of the schedule, and behind the last one by none, until a person wants it.
func TestTried(t *testing.T) {
	each(t, two, func(h *house) {
		h.report(incident.Order{Scenario: "4.6.1", Title: "x", Department: "建设工程科"})
		next := func() webhook.Delivery {
			h.t.Helper()
			due, err := h.hooks.Due(ctx)
			if h.ok(err); len(due) != 1 {
				h.t.Fatalf("%d are due", len(due))
			}
			return due[0]
		}
		first := next()
		for n, wait := range []time.Duration{90 * time.Second, 5 * time.Minute} { // the first with all its jitter, and a receiver who wants longer
			o := webhook.Outcome{Answer: 503, Failure: webhook.Refused, Wait: time.Duration(n) * time.Minute}
			state, err := h.hooks.Tried(ctx, "test", next(), o, []float64{1, 0}[n])
			if h.ok(err); state != webhook.Waiting {
				t.Errorf("after failure %d it is %s", n+1, state)
			}
			h.now = h.now.Add(wait - time.Millisecond)
			if due, err := h.hooks.Due(ctx); err != nil || len(due) != 0 {
				t.Errorf("%d are due too early (%v)", len(due), err)
			}
			h.now = h.now.Add(time.Millisecond)
		}
		state, err := h.hooks.Tried(ctx, "test", next(), webhook.Outcome{Failure: webhook.NoAnswer}, 0)
		if h.ok(err); state != webhook.Dead {
			t.Errorf("after the last it is %s", state)
		}
		stale, err := h.hooks.Tried(ctx, "test", first, webhook.Outcome{Answer: 200}, 0)
		dead := h.page(webhook.Query{State: webhook.Dead})
		if h.ok(err); stale != webhook.Waiting || len(dead) != 1 || dead[0].Attempts != 3 {
			t.Errorf("a second replica's word counts: %+v", dead)
		}
		again, err := h.hooks.Resend(ctx, "某人", first.ID, dead[0].Version)
		if h.ok(err); again.State != webhook.Waiting || again.Attempts != 0 || again.MessageID() != first.MessageID() || !slices.Equal(again.Body, first.Body) {
			t.Errorf("sent again it is %+v", again)
		}
		if state, err = h.hooks.Tried(ctx, "test", next(), webhook.Outcome{Answer: 204}, 0); err != nil || state != webhook.Delivered {
			t.Errorf("delivered it is %s (%v)", state, err)
		}
	})
}

// Who wants no more of it is not asked again.
func TestGone(t *testing.T) {
	each(t, two, func(h *house) {
		h.report(incident.Order{Scenario: "4.6.1", Title: "x", Department: "建设工程科"})
		due, err := h.hooks.Due(ctx)
		h.ok(err)
		state, err := h.hooks.Tried(ctx, "test", due[0], webhook.Outcome{Answer: 410, Failure: webhook.Refused, Gone: true}, 0)
		if h.ok(err); state != webhook.Dead {
			t.Errorf("it is %s", state)
		}
	})
}

// Every mistake of the file is told at once.
func TestMistakes(t *testing.T) {
	_, err := webhook.ParseSettings([]byte(`webhooks:
  - {name: A B, url: "ftp://x", secret_files: [c.key]}
  - {name: a, url: "http://hooks.example.cn/", secret_files: []}
  - {name: a, url: "https://u:p@example.cn/", secret_files: [short.key, locked.key], levels: [level_9], events: [NONE], departments: [" "]}
retry: {after: [0s, x], jitter: 2}
`), plan(t), key)
	text := deposit.AsRefusal(err).Text
	for _, want := range []string{"15 处错误", "第 1 个接收方：name 应为", "url 应如 https", "c.key 不存在", "http 不加密", "1 到 4 个密钥文件", "name 重复", "不能有口令", "short.key：密钥太短", "locked.key 无法读取",
		"levels 中没有“level_9”", "events 中没有“NONE”", "空的科室", "jitter", "retry.after：应为 1s 到"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, broken := range []string{"webhooks: [", "hooks: []", "webhooks: [{name: a, secret: x}]"} {
		if _, err := webhook.ParseSettings([]byte(broken), plan(t), key); deposit.AsRefusal(err).Code != "webhooks_invalid" {
			t.Errorf("%q: %v", broken, err)
		}
	}
	if s, err := webhook.ParseSettings(nil, plan(t), key); err != nil || len(s.Endpoints) != 0 || len(s.Retry.After) != 9 {
		t.Errorf("nobody is to be told: %+v, %v", s, err)
	}
}

// The machine is drawn, and every act in every state is thought of.
func TestMoves(t *testing.T) {
	const file = "../../testdata/golden/machine_webhook.txt"
	want, err := os.ReadFile(file)
	if err != nil || webhook.Moves.Draw() != string(want) {
		t.Errorf("it is drawn as\n%swhich is not %s (%v)", webhook.Moves.Draw(), file, err)
	}
	allowed := map[string][]string{"WAITING": {"deliver", "give_up"}, "DELIVERED": {"resend"}, "DEAD": {"resend"}}
	for state := range webhook.Moves {
		if webhook.State(state).Chinese() == "" {
			t.Errorf("%s has no name", state)
		}
		for _, act := range []string{"deliver", "give_up", "resend", "forget"} {
			if _, err := webhook.Moves.Next(state, act); (err == nil) != slices.Contains(allowed[state], act) {
				t.Errorf("%s in %s: %v", act, state, err)
			}
		}
	}
}
