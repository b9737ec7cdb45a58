package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

const sightFile = "../testdata/golden/sight.txt"

// sightLots are the columns of the table: the caller's department's lots and another's, each before its opening and after.
var sightLots = []struct {
	number, department string
	opened             bool
}{{"own-before", department, false}, {"own-after", department, true}, {"other-before", "政府采购科", false}, {"other-after", "政府采购科", true}}

// sightCallers are whoever has a door to something of a lot.
var sightCallers = []struct {
	name string
	role Role
}{{"department", people.Department}, {"maker", people.FinanceMaker}, {"checker", people.FinanceChecker}, {"leader", people.Leader}, {"auditor", people.Auditor}}

// things are what can be asked for of a lot, by name; random ones for what is not there.
type things map[string]string

// nowhere is a thing of each kind that does not exist.
var nowhere = things{"credit": "7zzzzzzzzzzzz", "finding": "7zzzzzzzzzzzz", "list": "7zzzzzzzzzzzz", "line": "7zzzzzzzzzzzz", "batch": "7zzzzzzzzzzzz", "disposition": "7zzzzzzzzzzzz",
	"change": "7zzzzzzzzzzzz", "number": lineParent + "-999999", "serial": "260612000099999", "short": "260612000099998", "lot": "nowhere", "message": "7zzzzzzzzzzzz"}

// sightRows are the questions: what is written in <> is the thing's.
var sightRows = []struct{ method, target, body string }{
	{"GET", "/v1/credits/<credit>", ""},
	{"GET", "/v1/sub-accounts/<number>/diagnosis", ""},
	{"GET", "/v1/messages/<message>", ""},
	{"GET", "/v1/findings?search=<short>", ""},
	{"GET", "/v1/findings/<finding>", ""},
	{"POST", "/v1/findings/<finding>/moves", `{"act":"explain","note":"x"}`},
	{"POST", "/v1/findings/<finding>/work", `{"act":"comment","note":"x"}`},
	{"GET", "/v1/refund-lists/<list>", ""},
	{"GET", "/v1/refunds/<line>", ""},
	{"GET", "/v1/refund-batches/<batch>", ""},
	{"GET", "/v1/refund-batches/<batch>/diagnosis", ""},
	{"POST", "/v1/refund-lists", `{"department":"建设工程科","dry_run":true,"lines":[{"bank":"line","booking_date":"2026-06-12","bank_serial":"<serial>"}]}`},
	{"POST", "/v1/refunds/<line>/moves", `{"act":"cancel","note":"x"}`},
	{"POST", "/v1/refund-dispositions", `{"credit":"<credit>","kind":"HELD","document":"D2"}`},
	{"POST", "/v1/refund-dispositions/<disposition>/moves", `{"act":"refuse","note":"x"}`},
	{"POST", "/v1/payee-changes", `{"credit":"<credit>","payee_name":"N","payee_account":"6212999","evidence":"E"}`},
	{"POST", "/v1/payee-changes/<change>/moves", `{"act":"refuse","note":"x"}`},
	{"GET", "/v1/refund-dispositions?credit=<credit>", ""},
	{"GET", "/v1/payee-changes?credit=<credit>", ""},
	{"GET", "/v1/refunds?credit=<credit>", ""},
	{"POST", "/v1/credits/<credit>/reveal", `{"reason":"x"}`},
	{"POST", "/v1/findings/<finding>/reveal", `{"reason":"x"}`},
	{"POST", "/v1/refunds/<line>/reveal", `{"reason":"x"}`},
	{"POST", "/v1/payee-changes/<change>/reveal", `{"reason":"x"}`},
	{"POST", "/v1/lots/<lot>/opening", `{"reason":"x"}`},
	{"POST", "/v1/lots/<lot>/earlier-opening", `{"opening_at":"2026-06-19T09:00:00+08:00","reason":"x"}`},
}

// worked makes a lot of each column with a deposit that fits and one that is short, and, once it is opened, what came of them.
func (h *house) worked() (all []things) {
	h.t.Helper()
	statement := "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"
	for i, l := range sightLots {
		h.json("PUT", "/v1/lots/"+l.number, fmt.Sprintf(`{"department":%q,"deposit":"800000.00","opening_at":"2026-06-%s"}`, l.department, map[bool]string{true: "12T09:00:00+08:00", false: "20T09:00:00+08:00"}[l.opened])).want(201, "")
		for j, yuan := range []string{"800000.00", "700000.00", ""} {
			n := 10*i + j
			h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":%q,"bidder":%q,"bidder_account":%q,"bank":"line","sub_account":"%s-%06d","lease_from":"2026-06-01T00:00:00+08:00"}`,
				l.number, payerName(n), payerAccount(n), lineParent, n)).want(201, "")
			if yuan != "" {
				statement += fmt.Sprintf("%s,2026-06-12,2026-06-12 08:%02d:00,%s,%s-%06d,C,%s,%s,%s,聊城农商银行,,\n", creditSerial(n), n, lineParent, lineParent, n, yuan, payerName(n), payerAccount(n))
			}
		}
	}
	h.send("POST", "/v1/banks/line/statements", []byte(statement)).want(201, "")
	for i, l := range sightLots {
		if l.opened {
			h.json("POST", "/v1/platform/events", fmt.Sprintf(`{"number":"E%d","lot":%q,"kind":"opened","happened_at":"2026-06-12T09:30:00+08:00"}`, i, l.number)).want(201, "")
			h.json("POST", "/v1/platform/events", fmt.Sprintf(`{"number":"F%d","lot":%q,"kind":"award_notice","bidder":%q,"happened_at":"2026-06-12T11:00:00+08:00"}`, i, l.number, payerName(10*i+2))).want(201, "")
		}
	}
	if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	for i, l := range sightLots {
		t := things{"lot": l.number, "message": h.key("SELECT MAX(id) FROM messages"), "short": creditSerial(10*i + 1), "number": fmt.Sprintf("%s-%06d", lineParent, 10*i), "serial": creditSerial(10 * i), "credit": h.key("SELECT id FROM entries WHERE serial = ?", creditSerial(10*i)),
			"finding": h.key("SELECT COALESCE(MAX(f.id), 0) FROM findings AS f JOIN entries AS e ON e.id = f.subject WHERE e.serial = ?", creditSerial(10*i+1))}
		if l.opened {
			h.refunding(t, i, l.department)
		}
		all = append(all, t)
	}
	return all
}

// refunding has finance bring a deposit on its way, and ask for what may keep another.
func (h *house) refunding(t things, i int, department string) {
	h.t.Helper()
	var done Submitted
	h.act(maker, "/v1/refund-lists", fmt.Sprintf(`{"department":%q,"reference":"R%d","lines":[%s]}`, department, i, lineOf(10*i))).want(201, "").into(&done)
	b := h.batch(done.Refunds)
	t["list"], t["line"], t["batch"] = done.List.ID.String(), done.Refunds[0].ID.String(), b.ID.String()
	short := h.key("SELECT id FROM entries WHERE serial = ?", creditSerial(10*i+1))
	var kept, changed struct{ ID string }
	h.act(maker, "/v1/refund-dispositions", `{"credit":"`+short+`","kind":"HELD","document":"D1"}`).want(201, "").into(&kept)
	h.act(maker, "/v1/payee-changes", `{"credit":"`+short+`","payee_name":"N","payee_account":"6212888","evidence":"E"}`).want(201, "").into(&changed)
	t["disposition"], t["change"] = kept.ID, changed.ID
}

func (h *house) key(query string, args ...any) string {
	h.t.Helper()
	id, err := sqldb.Value[sqldb.ID](context.Background(), h.db, query, args...)
	if err != nil {
		h.t.Fatalf("%s %v: %v", query, args, err)
	}
	return id.String()
}

var instance = regexp.MustCompile(`"instance":"[^"]*"`)

// asked plays a question about a thing, and gives the answer without what names the thing or the request.
func (h *house) asked(name string, role Role, row int, of things) (status int, text string) {
	h.t.Helper()
	q := sightRows[row]
	var pairs, hidden []string
	for kind, id := range of {
		if id != "" {
			pairs, hidden = append(pairs, "<"+kind+">", id), append(hidden, id, "<thing>")
		}
	}
	put := strings.NewReplacer(pairs...)
	request := httptest.NewRequest(q.method, put.Replace(q.target), strings.NewReader(put.Replace(q.body)))
	request.Header.Set("Content-Type", jsonType)
	request.Header.Set("If-Match", `"99"`)
	h.stands(request, name, role)
	got := h.play(request)
	headers := got.Header().Clone()
	headers.Del("X-Request-Id")
	return got.Code, fmt.Sprint(headers) + instance.ReplaceAllString(strings.NewReplacer(hidden...).Replace(got.Body.String()), "")
}

// sight walks every question, asked by each caller about each lot. A cell tells the status of the answer, and "none" where it is to
// the byte what is answered about a thing that does not exist; "-" where there is no such thing before the opening.
func (h *house) sight() string {
	h.t.Helper()
	all := h.worked()
	var b strings.Builder
	for _, c := range sightCallers {
		fmt.Fprintf(&b, "%s of %s\n%-50s", c.name, department, "")
		for _, l := range sightLots {
			fmt.Fprintf(&b, " %-12s", l.number)
		}
		for row, q := range sightRows {
			fmt.Fprintf(&b, "\n%-50s", q.method+" "+q.target)
			_, nothing := h.asked(c.name, c.role, row, nowhere)
			for i := range sightLots {
				fmt.Fprintf(&b, " %-12s", h.cell(c.name, c.role, row, all[i], nothing))
			}
		}
		b.WriteString("\n\n")
	}
	return regexp.MustCompile(` +\n`).ReplaceAllString(b.String(), "\n")
}

func (h *house) cell(name string, role Role, row int, of things, nothing string) string {
	h.t.Helper()
	for _, kind := range regexp.MustCompile(`<(\w+)>`).FindAllStringSubmatch(sightRows[row].target+sightRows[row].body, -1) {
		if of[kind[1]] == "" {
			return "-"
		}
	}
	status, text := h.asked(name, role, row, of)
	if text == nothing && status != 403 {
		return "none"
	}
	return fmt.Sprint(status)
}

// Whose lots somebody sees, and when: the table in testdata/golden says it for people, and the running handler does just that. What
// may not be seen is answered, to the byte, as what is not there.
func TestSight(t *testing.T) {
	h := local(t)
	asWritten(t, sightFile, h.sight())
}
