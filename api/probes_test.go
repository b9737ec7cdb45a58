package api

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"depositd/api/worlds"
)

// allProbes asks every route of the table; one that nobody has thought of fails the test.
func allProbes(t *testing.T, all []*worlds.World, own []string) (probes []probe) {
	t.Helper()
	keys := []string{"0000000000002"}
	for _, w := range all[1:3] {
		for _, id := range w.SecretKeys() {
			keys = append(keys, id.String())
		}
	}
	known := probesByRoute(all[0])
	for _, r := range (&server{}).routes() {
		route := r.Method + " " + r.Path
		some, covered := known[route]
		if !covered && !slices.Contains(own, route) {
			t.Fatalf("%s: the two worlds are not asked for it; add it to probesByRoute, or to declassified.txt with the reason", route)
		}
		for _, p := range some {
			probes = append(probes, probe{r.Method, p.target, p.body})
		}
		if before, after, ok := strings.Cut(r.Path, ":id"); ok && strings.Count(r.Path, ":") == 1 && !slices.Contains(own, route) {
			for _, key := range keys {
				probes = append(probes, probe{r.Method, before + key + after, anyBody[route]})
			}
		}
	}
	return probes
}

// anyBody is what is sent to a key that nothing is known of.
var anyBody = map[string]string{
	"POST /v1/findings/:id/moves":            `{"act":"explain","note":"核对"}`,
	"POST /v1/findings/:id/work":             `{"act":"comment","note":"核对"}`,
	"POST /findings/:id":                     "act=comment&note=x&version=1",
	"POST /users/:id":                        "act=grant&version=1",
	"POST /refunds/batches/:id/check":        "version=1&digest=x&count=1&total=1.00",
	"POST /refunds/batches/:id/release":      "version=1&digest=x&count=1&total=1.00&code=000000",
	"POST /refunds/batches/:id/take-out":     "version=1&line=0000000000002&note=x",
	"POST /credits/:id/reveal":               "reason=x",
	"POST /findings/:id/reveal":              "reason=x",
	"POST /refunds/dispositions/:id":         "version=1&act=approve&note=x",
	"POST /refunds/changes/:id":              "version=1&act=review&note=x",
	"POST /refunds/changes/:id/reveal":       "reason=x",
	"POST /refunds/lines/:id":                "version=1&act=cancel&note=x",
	"POST /refunds/lines/:id/reveal":         "reason=x",
	"POST /refunds/freezes/:id/lift":         "version=1&note=x",
	"POST /v1/refunds/:id/moves":             `{"act":"cancel","note":"核对"}`,
	"POST /v1/refund-batches/:id/check":      `{"digest":"x","count":1,"total":"1.00"}`,
	"POST /v1/refund-batches/:id/release":    `{"digest":"x","count":1,"total":"1.00"}`,
	"POST /v1/refund-batches/:id/take-out":   `{"lines":["0000000000002"],"note":"核对"}`,
	"POST /v1/refund-dispositions/:id/moves": `{"act":"approve","note":"核对"}`,
	"POST /v1/payee-changes/:id/moves":       `{"act":"review","note":"核对"}`,
	"POST /v1/credits/:id/reveal":            `{"reason":"核对"}`,
	"POST /v1/findings/:id/reveal":           `{"reason":"核对"}`,
	"POST /v1/refunds/:id/reveal":            `{"reason":"核对"}`,
	"POST /v1/payee-changes/:id/reveal":      `{"reason":"核对"}`,
	"POST /v1/refund-freezes/:id/lift":       `{"note":"核对"}`,
}

func probesByRoute(w *worlds.World) map[string][]probe {
	at := func(targets ...string) (all []probe) {
		for _, t := range targets {
			all = append(all, probe{target: t})
		}
		return all
	}
	post := func(target string, bodies ...any) (all []probe) {
		for _, b := range bodies {
			text, ok := b.(string)
			if !ok {
				raw, _ := json.Marshal(b)
				text = string(raw)
			}
			all = append(all, probe{target: target, body: text})
		}
		return all
	}
	each := func(before, table, after string) (all []probe) {
		for _, id := range w.OpenKeys("SELECT id FROM " + table + " ORDER BY id LIMIT 12") {
			all = append(all, probe{target: before + id.String() + after})
		}
		return all
	}
	open := "entries WHERE booking_date < '2026-06-12'"
	payer := url.QueryEscape("聊城市东昌建设工程有限公司")
	firstOpen := w.OpenKeys("SELECT id FROM " + open + " ORDER BY id LIMIT 1")[0].String()
	return map[string][]probe{
		"GET /v1/reports/:day":              at("/v1/reports/2026-06-09", "/v1/reports/2026-06-10", "/v1/reports/2026-06-11", "/v1/reports/2026-06-15", "/v1/reports/2026-06-16", "/v1/reports/2026-06-17"),
		"GET /v1/findings":                  at("/v1/findings", "/v1/findings?owner=-&age=T3", "/v1/findings?limit=1", "/v1/findings?day=2026-06-16", "/v1/findings?code=WRONG_SUB_ACCOUNT", "/v1/findings?code=THIRD_PARTY_PAYER", "/v1/findings?state=OPEN&department=建设工程科", "/v1/findings?bank=line"),
		"GET /v1/credits/:id":               each("/v1/credits/", open, ""),
		"POST /v1/credits/:id/reveal":       nil,
		"POST /v1/findings/:id/reveal":      nil,
		"POST /v1/refunds/:id/reveal":       nil,
		"POST /v1/payee-changes/:id/reveal": nil,
		"POST /v1/findings/:id/moves":       nil,
		"GET /v1/pools":                     at("/v1/pools"),
		"GET /v1/sub-accounts/:number/diagnosis": at("/v1/sub-accounts/p1-0/diagnosis", "/v1/sub-accounts/s0-0/diagnosis", "/v1/sub-accounts/s1-1/diagnosis?bank=line", "/v1/sub-accounts/none/diagnosis?bank=line",
			"/v1/sub-accounts/"+worlds.Parent+"-0000/diagnosis", "/v1/sub-accounts/"+worlds.Parent+"-0007/diagnosis?bank=line", "/v1/sub-accounts/"+worlds.Parent+"-0123/diagnosis"),
		"POST /v1/session":                             nil, // attempts are counted; nothing of money is read
		"POST /v1/session/invitation":                  nil,
		"GET /v1/session":                              at("/v1/session"),
		"DELETE /v1/session":                           nil, // ends the onlooker's own
		"POST /v1/session/step-up":                     nil,
		"POST /v1/session/password":                    nil, // the onlooker's own
		"POST /v1/session/factor":                      nil,
		"POST /v1/session/factor/confirm":              nil,
		"GET /v1/departments":                          at("/v1/departments"),
		"POST /v1/departments":                         post("/v1/departments", `{"name":""}`),
		"GET /v1/webhook-deliveries":                   at("/v1/webhook-deliveries"),
		"POST /v1/webhook-deliveries/:id/resend":       nil,
		"GET /v1/docs":                                 at("/v1/docs"),
		"GET /v1/docs.css":                             at("/v1/docs.css"),
		"GET /v1/events":                               at("/v1/events", "/v1/events?limit=1", "/v1/events?day=2026-06-16", "/v1/events?table=entries", "/v1/events?by=line"),
		"GET /v1/seals/:day":                           at("/v1/seals/2026-06-12", "/v1/seals/2026-06-16"),
		"GET /v1/users":                                at("/v1/users"),
		"POST /v1/users":                               post("/v1/users", `{"name":""}`),
		"POST /v1/users/:id/roles":                     nil,
		"POST /v1/users/:id/grant":                     nil,
		"POST /v1/users/:id/refuse":                    nil,
		"POST /v1/users/:id/disable":                   nil,
		"POST /v1/users/:id/enable":                    nil,
		"POST /v1/users/:id/reset":                     nil,
		"POST /v1/platform/incidents":                  post("/v1/platform/incidents", `{}`),
		"POST /v1/incidents":                           post("/v1/incidents", `{}`),
		"GET /v1/incidents":                            at("/v1/incidents", "/v1/incidents?limit=1"),
		"GET /v1/incidents/plan":                       at("/v1/incidents/plan"),
		"GET /v1/incidents/statistics":                 at("/v1/incidents/statistics"),
		"GET /v1/incidents/:id":                        each("/v1/incidents/", "incidents", ""),
		"GET /v1/incidents/:id/timeline":               each("/v1/incidents/", "incidents", "/timeline"),
		"GET /v1/incidents/:id/export.html":            each("/v1/incidents/", "incidents", "/export.html"),
		"GET /v1/incidents/:id/export.xlsx":            each("/v1/incidents/", "incidents", "/export.xlsx"),
		"POST /v1/incidents/:id/signatures":            nil,
		"POST /v1/incidents/:id/branch":                nil,
		"POST /v1/incidents/:id/steps":                 nil,
		"POST /v1/incidents/:id/deadlines":             nil,
		"POST /v1/incidents/:id/evidence":              nil,
		"POST /v1/incidents/:id/files":                 nil,
		"GET /v1/incidents/:id/files/:file":            at("/v1/incidents/0000000000002/files/0000000000002"),
		"POST /v1/incidents/:id/backfills":             nil,
		"POST /v1/incidents/:id/actions":               nil,
		"POST /v1/incidents/:id/actions/:action/moves": post("/v1/incidents/0000000000002/actions/0000000000002/moves", `{}`),
		"POST /v1/incidents/:id/notes":                 nil,

		"GET /v1/findings/counts":    at("/v1/findings/counts", "/v1/findings/counts?state=TODO", "/v1/findings/counts?search=200000", "/v1/findings/counts?search="+payer, "/v1/findings/counts?search=s0-0"),
		"GET /v1/findings/:id":       each("/v1/findings/", "findings WHERE day < '2026-06-12'", ""),
		"POST /v1/findings/:id/work": nil,
		"POST /v1/findings/moves":    post("/v1/findings/moves?search="+payer, `{"act":"explain","note":"x","count":999,"total":"1.00"}`, `{"act":"vanish","note":"x","count":1,"total":"1.00"}`),
		"GET /v1/overview":           at("/v1/overview", "/v1/overview?day=2026-06-09", "/v1/overview?day=2026-06-15", "/v1/overview?day=2026-06-16", "/v1/overview?day=2026-06-17"),
		"GET /v1/messages":           at("/v1/messages", "/v1/messages?kind=NOTICE", "/v1/messages?kind=STATEMENT&limit=1", "/v1/messages?day=2026-06-16", "/v1/messages?outcome=CONFLICT"),
		"GET /v1/messages/:id":       each("/v1/messages/", "messages", ""),

		"GET /":                   at("/", "/?day=2026-06-09", "/?day=2026-06-15", "/?day=2026-06-16", "/?day=2026-06-17"),
		"GET /static/:file":       at("/static/none.css"),
		"GET /numbers":            at("/numbers", "/numbers?number=p1-0", "/numbers?number=s0-0&bank=line", "/numbers?number="+worlds.Parent+"-0007&bank=line"),
		"GET /audit":              at("/audit", "/audit?limit=1", "/audit?day=2026-06-16", "/audit?table=findings"),
		"GET /audit.xlsx":         at("/audit.xlsx", "/audit.xlsx?day=2026-06-16"),
		"GET /users":              at("/users", "/users?state=asked", "/users?find=x"),
		"POST /users":             post("/users", "name="),
		"POST /users/departments": post("/users/departments", "name="),
		"GET /users/:id":          nil,
		"POST /users/:id":         nil,
		"GET /messages":           at("/messages", "/messages?kind=NOTICE", "/messages?day=2026-06-16"),
		"GET /messages/:id":       each("/messages/", "messages", ""),
		"GET /findings": slices.Concat(at("/findings", "/findings?counts=1", "/findings?state=TODO&age=T1", "/findings?owner=-", "/findings?state=OPEN", "/findings?search="+payer, "/findings?search=s0-0", "/findings?search=200000", "/findings?day=2026-06-16", "/findings?code=WRONG_SUB_ACCOUNT"),
			each("/findings?open=", "findings WHERE day < '2026-06-12'", "")),
		"GET /findings.xlsx":    at("/findings.xlsx", "/findings.xlsx?day=2026-06-16", "/findings.xlsx?search="+payer),
		"GET /findings/bulk":    at("/findings/bulk", "/findings/bulk?state=OPEN", "/findings/bulk?search="+payer, "/findings/bulk?day=2026-06-16"),
		"POST /findings/bulk":   post("/findings/bulk?search="+payer, "act=explain&note=x&count=999&total=1.00"),
		"POST /findings/choose": post("/findings/choose?state=OPEN", "id=0000000000002"),
		"POST /findings/:id":    nil,

		"GET /login":                   at("/login"),
		"POST /login":                  nil, // as POST /v1/session
		"GET /invitation":              at("/invitation"),
		"POST /invitation":             nil,
		"POST /logout":                 nil, // ends the onlooker's own
		"GET /account":                 at("/account"),
		"POST /account/password":       nil, // the onlooker's own
		"POST /account/factor":         nil,
		"POST /account/factor/confirm": nil,
		"POST /account/step-up":        nil,

		"GET /refunds":                            at("/refunds", "/refunds?limit=1", "/refunds?department=建设工程科", "/refunds?department=综合科"),
		"POST /refunds":                           post("/refunds", "credit=0000000000002", ""),
		"GET /refunds/due":                        at("/refunds/due", "/refunds/due?department=建设工程科"),
		"GET /refunds/lists":                      at("/refunds/lists", "/refunds/lists?limit=1"),
		"GET /refunds/lists/:id":                  each("/refunds/lists/", "refund_lists", ""),
		"GET /refunds/upload":                     at("/refunds/upload"),
		"POST /refunds/upload":                    post("/refunds/upload", ""), // a file's lines are taken as those of POST /v1/refund-lists
		"GET /refunds/batches":                    at("/refunds/batches", "/refunds/batches?limit=1", "/refunds/batches?state=CHECKED"),
		"POST /refunds/batches":                   post("/refunds/batches", "line=0000000000002"),
		"GET /refunds/batches/:id":                each("/refunds/batches/", "refund_batches", ""),
		"GET /refunds/batches/:id/corrected.xlsx": each("/refunds/batches/", "refund_batches", "/corrected.xlsx"),
		"POST /refunds/batches/:id/check":         nil,
		"POST /refunds/batches/:id/release":       nil,
		"POST /refunds/batches/:id/take-out":      nil,
		"GET /balances.xlsx":                      at("/balances.xlsx", "/balances.xlsx?day=2026-06-16"),
		"GET /refunds/due.xlsx":                   at("/refunds/due.xlsx", "/refunds/due.xlsx?department=建设工程科"),
		"GET /refunds/lists.xlsx":                 at("/refunds/lists.xlsx"),
		"GET /refunds/lists/:id/list.xlsx":        each("/refunds/lists/", "refund_lists", "/list.xlsx"),
		"GET /refunds/batches/:id/batch.xlsx":     each("/refunds/batches/", "refund_batches", "/batch.xlsx"),
		"GET /credits":                            at("/credits", "/credits?bank=line&booking_date=2026-06-16&bank_serial=S1"),
		"GET /credits/:id":                        each("/credits/", open, ""),
		"POST /credits/:id/reveal":                nil,
		"POST /findings/:id/reveal":               nil,
		"GET /refunds/dispositions":               at("/refunds/dispositions", "/refunds/dispositions?limit=1", "/refunds/dispositions?credit="+firstOpen),
		"POST /refunds/dispositions":              post("/refunds/dispositions", "credit=0000000000002&keep=HELD&document=1"),
		"POST /refunds/dispositions/:id":          nil,
		"GET /refunds/changes":                    at("/refunds/changes", "/refunds/changes?limit=1"),
		"POST /refunds/changes":                   post("/refunds/changes", "credit=0000000000002&payee_name=x&payee_account=1&evidence=x"),
		"POST /refunds/changes/:id":               nil,
		"POST /refunds/changes/:id/reveal":        nil,
		"GET /refunds/lines/:id":                  each("/refunds/lines/", "refunds", ""),
		"POST /refunds/lines/:id":                 nil,
		"POST /refunds/lines/:id/reveal":          nil,
		"GET /refunds/by-hand":                    at("/refunds/by-hand"),
		"POST /refunds/by-hand":                   post("/refunds/by-hand", "bank=line&booking_date=2026-06-16&bank_serial=S1&department=综合科&reference=H1&payment_serial=X1&note=x"),
		"GET /refunds/freezes":                    at("/refunds/freezes"),
		"POST /refunds/freezes":                   post("/refunds/freezes", "reason="),
		"POST /refunds/freezes/:id/lift":          nil,

		"GET /incidents":                           at("/incidents", "/incidents?limit=1", "/incidents?open=0&state=REPORTED", "/incidents?number=YJ-2026-0001", "/incidents?number=YJ-2026-0999"),
		"GET /incidents/new":                       at("/incidents/new", "/incidents/new?drill=1"),
		"POST /incidents":                          post("/incidents", ""),
		"GET /incidents/statistics":                at("/incidents/statistics"),
		"GET /incidents/:id":                       each("/incidents/", "incidents", ""),
		"POST /incidents/:id/signatures":           nil,
		"POST /incidents/:id/branch":               nil,
		"POST /incidents/:id/steps":                nil,
		"POST /incidents/:id/deadlines":            nil,
		"POST /incidents/:id/evidence":             nil,
		"POST /incidents/:id/backfills":            nil,
		"POST /incidents/:id/actions":              nil,
		"POST /incidents/:id/actions/:action":      post("/incidents/0000000000002/actions/0000000000002", "as=it_dept&act=finish&version=1&text=x"),
		"POST /incidents/:id/notes":                nil,
		"POST /incidents/:id/freezes":              nil,
		"POST /incidents/:id/freezes/:freeze/lift": post("/incidents/0000000000002/freezes/0000000000002/lift", "version=1&note=x"),

		"GET /v1/openapi.yaml": at("/v1/openapi.yaml"),
		"GET /livez":           at("/livez"),
		"GET /readyz":          at("/readyz"),
		"GET /version":         at("/version"),

		"GET /v1/refund-lists":                   at("/v1/refund-lists", "/v1/refund-lists?limit=1", "/v1/refund-lists?department=综合科"),
		"GET /v1/refund-lists/template.xlsx":     at("/v1/refund-lists/template.xlsx"),
		"GET /v1/refund-lists/template.csv":      at("/v1/refund-lists/template.csv"),
		"GET /v1/refund-lists/:id":               each("/v1/refund-lists/", "refund_lists", ""),
		"GET /v1/refunds":                        at("/v1/refunds", "/v1/refunds?limit=1", "/v1/refunds?state=CHECKED", "/v1/refunds?department=综合科", "/v1/refunds?credit="+firstOpen, "/v1/refunds?due_by=2026-12-31"),
		"GET /v1/refunds/proposals":              at("/v1/refunds/proposals", "/v1/refunds/proposals?limit=1", "/v1/refunds/proposals?department=建设工程科", "/v1/refunds/proposals?department=综合科"),
		"GET /v1/refunds/due":                    at("/v1/refunds/due", "/v1/refunds/due?days=366", "/v1/refunds/due?days=366&department=建设工程科"),
		"GET /v1/refunds/:id":                    each("/v1/refunds/", "refunds", ""),
		"POST /v1/refunds/:id/moves":             nil,
		"GET /v1/refund-batches":                 at("/v1/refund-batches", "/v1/refund-batches?limit=1", "/v1/refund-batches?state=CHECKED"),
		"GET /v1/refund-batches/:id":             each("/v1/refund-batches/", "refund_batches", ""),
		"GET /v1/refund-batches/:id/diagnosis":   each("/v1/refund-batches/", "refund_batches", "/diagnosis"),
		"POST /v1/refund-batches/:id/check":      nil,
		"POST /v1/refund-batches/:id/release":    nil,
		"POST /v1/refund-batches/:id/take-out":   nil,
		"GET /v1/refund-dispositions":            at("/v1/refund-dispositions", "/v1/refund-dispositions?limit=1", "/v1/refund-dispositions?credit="+firstOpen),
		"POST /v1/refund-dispositions/:id/moves": nil,
		"GET /v1/payee-changes":                  at("/v1/payee-changes", "/v1/payee-changes?limit=1"),
		"POST /v1/payee-changes/:id/moves":       nil,
		"GET /v1/refund-freezes":                 at("/v1/refund-freezes"),
		"POST /v1/refund-freezes/:id/lift":       nil,

		"POST /v1/refund-lists": post("/v1/refund-lists",
			`{"department":"综合科","dry_run":true,"lines":[{"bank":"line","booking_date":"2026-06-16","bank_serial":"S1"},{"bank":"line","booking_date":"2026-06-15","bank_serial":"S2","bidder":"聊城市东昌建设工程有限公司"}]}`,
			`{"department":"建设工程科","dry_run":true,"lines":[{"bank":"line","booking_date":"2026-06-15","bank_serial":"S1","lot":"S1","amount":"200000.00"},{"credit":"`+firstOpen+`"}]}`),
		"POST /v1/refund-hand-payments": post("/v1/refund-hand-payments",
			`{"department":"综合科","reference":"H1","payment_serial":"X1","note":"网银","bank":"line","booking_date":"2026-06-16","bank_serial":"S1"}`),
		"POST /v1/refund-batches":      post("/v1/refund-batches", `{"lines":["0000000000002"]}`),
		"POST /v1/refund-results":      post("/v1/refund-results?bank=line", "no result"),
		"POST /v1/refund-dispositions": post("/v1/refund-dispositions", `{"credit":"0000000000002","kind":"HELD","document":"1","reason":"x"}`),
		"POST /v1/payee-changes":       post("/v1/payee-changes", `{"credit":"0000000000002","payee_name":"x","payee_account":"1","evidence":"x"}`),
		"POST /v1/refund-freezes":      post("/v1/refund-freezes", `{"reason":""}`),

		"PUT /v1/lots/:number":                  post("/v1/lots/S1", `{"department":"建设工程科","deposit":"200000.00","opening_at":"2026-06-25T09:00:00+08:00"}`),
		"POST /v1/lots/:number/opening":         post("/v1/lots/S1/opening", `{"reason":"x"}`),
		"POST /v1/lots/:number/earlier-opening": post("/v1/lots/S1/earlier-opening", `{"opening_at":"2026-06-24T09:00:00+08:00","reason":"x"}`),
		"POST /v1/enquiries": post("/v1/enquiries",
			`{"bank":"line","sub_account":"s0-0","amount":"200000.00","booking_date":"2026-06-16","bank_serial":"S1","payer_name":"聊城市东昌建设工程有限公司","reason":"投标人来电"}`),
		"POST /v1/platform/sync":          post("/v1/platform/sync", `{"lots":[],"bids":[],"events":[]}`),
		"POST /v1/platform/events":        post("/v1/platform/events", `{"number":"T1","kind":"opened","lot":"S1","happened_at":"2026-06-18T09:00:00+08:00"}`),
		"POST /v1/bids":                   post("/v1/bids", `{"lot":"P1","bidder":"聊城市东昌建设工程有限公司"}`),
		"POST /v1/banks/:bank/messages":   post("/v1/banks/line/messages", "no message"),
		"POST /v1/banks/:bank/statements": post("/v1/banks/line/statements", "no statement"),
	}
}
