package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/refund"
)

// The people of a centre.
const (
	clerk    = "科室甲"
	maker    = "经办乙"
	checker  = "复核丙"
	releaser = "放行丁"
)

// as plays a request of somebody who has come in; "" is nobody.
func (h *house) as(person, method, target, kind, body string, header ...string) *answer {
	h.t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(body))
	request.Header.Set("Content-Type", kind)
	if person != "" {
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(person)})
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return h.held(request, []byte(body))
}

func (h *house) act(person, target, body string) *answer {
	h.t.Helper()
	return h.as(person, "POST", target, jsonType, body)
}

// move is act on a version that the person has seen.
func (h *house) move(person, target string, seen int64, body string) *answer {
	h.t.Helper()
	return h.as(person, "POST", target, jsonType, body, "If-Match", versionOf(seen))
}

const (
	lineParent = "3705018860000000123"
	bankCode   = "402471000009"
)

func payerName(i int) string    { return fmt.Sprintf("聊城市第%d建设工程有限公司", i) }
func payerAccount(i int) string { return fmt.Sprintf("6212%015d", i) }
func creditSerial(i int) string { return fmt.Sprintf("2606120000%05d", i) }

// lost makes n bidders whose deposits stand on the statement and who have lost the lot that is opened and awarded.
func (h *house) lost(n int) {
	h.t.Helper()
	h.lostBy(payerName, n)
}

// lostBy is lost of bidders who are called so.
func (h *house) lostBy(payerName func(int) string, n int) {
	h.t.Helper()
	h.json("PUT", "/v1/lots/LC-1", with(lot, "2026-06-20T09", "2026-06-12T09")).want(201, "")
	statement := "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"
	for i := range n + 1 { // the last has won, and has not paid into our account
		h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":"LC-1","bidder":%q,"bidder_account":%q,"bank":"line","sub_account":"%s-%06d","lease_from":"2026-06-01T00:00:00+08:00"}`,
			payerName(i), payerAccount(i), lineParent, i)).want(201, "")
		if i < n {
			statement += fmt.Sprintf("%s,2026-06-12,2026-06-12 08:%02d:00,%s,%s-%06d,C,800000.00,%s,%s,聊城农商银行,,\n", creditSerial(i), i, lineParent, lineParent, i, payerName(i), payerAccount(i))
		}
	}
	h.send("POST", "/v1/banks/line/statements", []byte(statement)).want(201, "")
	if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.happens("E1", `"kind":"opened","happened_at":"2026-06-12T09:30:00+08:00"`)
	h.happens("E2", fmt.Sprintf(`"kind":"award_notice","bidder":%q,"happened_at":"2026-06-12T11:00:00+08:00"`, payerName(n)))
}

func (h *house) happens(number, what string) {
	h.t.Helper()
	h.json("POST", "/v1/platform/events", fmt.Sprintf(`{"number":%q,"lot":"LC-1",%s}`, number, what)).want(201, "")
}

// lineOf is one line of a list; the statement does not tell the payer's bank's code.
func lineOf(i int) string {
	return fmt.Sprintf(`{"bank":"line","booking_date":"2026-06-12","bank_serial":%q,"payee_bank_code":%q}`, creditSerial(i), bankCode)
}

func listBody(department, more string, lines ...string) string {
	return fmt.Sprintf(`{"department":%q,"reference":"R1"%s,"lines":[%s]}`, department, more, strings.Join(lines, ","))
}

const department = "建设工程科"

// drafts submits the first n credits and gives the lines.
func (h *house) drafts(n int) []Refund {
	h.t.Helper()
	var lines []string
	for i := range n {
		lines = append(lines, lineOf(i))
	}
	var done Submitted
	h.act(clerk, "/v1/refund-lists", listBody(department, "", lines...)).want(201, "").into(&done)
	return done.Refunds
}

func idsOf(all []Refund) string {
	var ids []string
	for _, r := range all {
		ids = append(ids, `"`+r.ID.String()+`"`)
	}
	return strings.Join(ids, ",")
}

func (h *house) batch(all []Refund) Batch {
	h.t.Helper()
	var made BatchPage
	h.act(maker, "/v1/refund-batches", `{"lines":[`+idsOf(all)+`]}`).want(201, "").into(&made)
	if len(made.Batches) != 1 {
		h.t.Fatalf("made %+v", made)
	}
	return made.Batches[0]
}

func signature(b *Batch) string {
	if b.Sealed {
		return fmt.Sprintf(`{"digest":%q,"count":%d}`, b.Digest, b.Count)
	}
	return fmt.Sprintf(`{"digest":%q,"count":%d,"total":%q}`, b.Digest, b.Count, b.Total)
}

// sign has somebody sign the batch as it is.
func (h *house) sign(person, act string, b *Batch) *answer {
	h.t.Helper()
	return h.move(person, "/v1/refund-batches/"+b.ID.String()+"/"+act, b.Version, signature(b))
}

// released takes n lines to a released batch.
func (h *house) released(n int) Batch {
	h.t.Helper()
	h.lost(n)
	b := h.batch(h.drafts(n))
	h.sign(checker, "check", &b).want(200, "").into(&b)
	h.sign(releaser, "release", &b).want(200, "").into(&b)
	return b
}

func TestList(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(2)
		var done Submitted
		h.act(clerk, "/v1/refund-lists", listBody(department, `,"dry_run":true`, lineOf(0))).want(200, "").into(&done)
		if len(done.Refunds) != 1 || done.List != nil || done.Refunds[0].ID != 0 || h.count("refunds") != 0 {
			t.Errorf("a dry run: %+v", done)
		}
		body := listBody(department, "", lineOf(0), lineOf(1))
		h.act(clerk, "/v1/refund-lists", body).want(201, "").into(&done)
		r := done.Refunds[0]
		if len(done.Refunds) != 2 || done.List.Number != "TF-20260612-01" || done.List.MadeBy != clerk || r.Amount.String() != "800000.00" || r.Cause != refund.Lost ||
			r.Lot != "LC-1" || r.Bidder.Full() != payerName(0) || r.State != refund.Draft || r.WaitsForName != "综合科组批" || r.WaitsSince == nil {
			t.Errorf("stored %+v %+v", done.List, r)
		}
		h.act(clerk, "/v1/refund-lists", body).want(200, "").into(&done)
		if !done.Known || len(done.Refunds) != 2 {
			t.Errorf("the same list: %+v", done)
		}
		h.act(clerk, "/v1/refund-lists", listBody(department, "", lineOf(0))).want(409, "list_reference_reused")

		var lists RefundListPage
		h.get("/v1/refund-lists?department="+department).want(200, "").into(&lists)
		if len(lists.Lists) != 1 || lists.Lists[0].Count != 2 || lists.Lists[0].Total.String() != "1600000.00" {
			t.Errorf("lists %+v", lists)
		}
		var list RefundListLines
		h.get("/v1/refund-lists/"+lists.Lists[0].ID.String()).want(200, "").into(&list)
		if len(list.Refunds) != 2 {
			t.Errorf("list %+v", list)
		}
		h.get("/v1/refund-lists/0000000000002").want(404, "list_unknown")
	})
}

func TestRefusedList(t *testing.T) {
	h := local(t)
	h.lost(2)
	bad := func(change string) string { return with(lineOf(0), `"bank":"line"`, `"bank":"line",`+change) }
	cases := []struct{ name, line, column, code string }{
		{"no such credit", with(lineOf(0), creditSerial(0), "7"), "bank_serial", "receipt_unknown"},
		{"another lot", bad(`"lot":"LC-2"`), "lot", "lot_differs"},
		{"another bidder", bad(`"bidder":"不知名公司"`), "bidder", "bidder_differs"},
		{"too much", bad(`"amount":"800000.01"`), "amount", "amount_exceeds_left"},
		{"another payee", bad(`"payee_account":"1"`), "payee_account", "payee_differs"},
		{"a bank code with a slip", with(lineOf(0), bankCode, "402471000008"), "payee_bank_code", "payee_bank_code_check_digit"},
		{"another cause", bad(`"cause":"LATE_CREDIT"`), "cause", "cause_differs"},
	}
	for _, c := range cases {
		var refused RefusedList
		h.act(clerk, "/v1/refund-lists", listBody(department, "", lineOf(1), c.line)).want(422, "list_refused").into(&refused)
		if len(refused.Faults) == 0 || refused.Faults[0].Row != 2 || refused.Faults[0].Column != c.column || refused.Faults[0].Code != c.code ||
			refused.Faults[0].ColumnName == "" || refused.Right != 1 {
			t.Errorf("%s: %+v", c.name, refused)
		}
	}
	h.act(clerk, "/v1/refund-lists", listBody("其他科", "", lineOf(0))).want(422, "list_refused")
	h.act(clerk, "/v1/refund-lists", listBody(department, "", bad(`"amount":800000`))).want(400, "field_type")
	h.act(clerk, "/v1/refund-lists", listBody(department, "", bad(`"cause":"WHIM"`))).want(422, "cause_unknown")
	h.act(clerk, "/v1/refund-lists", listBody(department, "")).want(422, "list_empty")
	h.act(clerk, "/v1/refund-lists", with(listBody(department, "", lineOf(0)), `"R1"`, `""`)).want(422, "field_missing")
	if h.count("refunds")+h.count("refund_lists") != 0 {
		t.Fatal("a refused list left something")
	}
	var done Submitted
	h.act(clerk, "/v1/refund-lists", listBody(department, `,"valid_only":true`, cases[0].line, lineOf(1))).want(201, "").into(&done)
	if len(done.Refunds) != 1 || len(done.Faults) != 1 || done.Faults[0].Row != 1 {
		t.Errorf("the valid ones only: %+v", done)
	}
}

// Three people, and the fourth who submitted: none of them may be two of them.
func TestFourPersons(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(3)
		drafts := h.drafts(3)
		b := h.batch(drafts)
		if b.Number != "PC-20260612-01" || b.Count != 3 || b.Total.String() != "2400000.00" || b.MadeBy != maker {
			t.Errorf("batch %+v", b)
		}
		h.act(maker, "/v1/refund-batches", `{"lines":[`+idsOf(drafts)+`]}`).want(409, "lines_taken")
		h.sign(maker, "check", &b).want(403, "same_person")
		wrong := b
		wrong.Count = 2
		h.sign(checker, "check", &wrong).want(422, "totals_differ")
		wrong = b
		wrong.Total++
		h.sign(checker, "check", &wrong).want(422, "totals_differ")
		wrong = b
		wrong.Version++
		h.sign(checker, "check", &wrong).want(412, "batch_changed")
		wrong = b
		wrong.Digest = strings.Repeat("0", 64)
		h.sign(checker, "check", &wrong).want(412, "batch_changed")
		h.sign(releaser, "release", &b).want(409, "state_forbids")
		seen := b
		h.sign(checker, "check", &b).want(200, "").into(&b)
		h.sign(maker, "release", &b).want(403, "same_person")
		h.sign(checker, "release", &b).want(403, "same_person")
		h.sign(releaser, "release", &seen).want(412, "batch_changed")
		h.sign(releaser, "release", &b).want(200, "").into(&b)
		if b.State != refund.BatchReleased || b.CheckedBy != checker || b.ReleasedBy != releaser || b.ReleasedAt == nil {
			t.Errorf("released %+v", b)
		}
		var page RefundPage
		h.get("/v1/refunds?state=RELEASED&limit=2&batch="+b.ID.String()).want(200, "").into(&page)
		if len(page.Refunds) != 2 || page.Next == "" || page.Refunds[0].WaitsForName != "系统发送" {
			t.Fatalf("page %+v", page)
		}
		h.get("/v1/refunds?state=RELEASED&limit=2&batch="+b.ID.String()+"&cursor="+page.Next).want(200, "").into(&page)
		if len(page.Refunds) != 1 || page.Refunds[0].BatchNumber != b.Number {
			t.Errorf("second page %+v", page)
		}
		take := fmt.Sprintf(`{"lines":[%q],"note":"账户有误","cancel":true}`, page.Refunds[0].ID)
		var left BatchLines
		h.move(checker, "/v1/refund-batches/"+b.ID.String()+"/take-out", b.Version, take).want(200, "").into(&left)
		if left.State != refund.Submitted || len(left.Refunds) != 2 || left.Digest == b.Digest {
			t.Errorf("left %+v", left)
		}
		h.move(checker, "/v1/refund-batches/"+b.ID.String()+"/take-out", b.Version, take).want(422, "line_not_in_batch")
		var story RefundStory
		h.get("/v1/refunds/"+page.Refunds[0].ID.String()).want(200, "").into(&story)
		var became []string
		for _, e := range story.History {
			became = append(became, e.By+" "+e.Became)
		}
		if want := []string{clerk + " DRAFT", checker + " CHECKED", releaser + " RELEASED", checker + " CANCELLED"}; !slices.Equal(became, want) {
			t.Errorf("history %q, want %q", became, want)
		}
		var batches BatchPage
		h.get("/v1/refund-batches?state=SUBMITTED&bank=line").want(200, "").into(&batches)
		if len(batches.Batches) != 1 || batches.Batches[0].ID != b.ID {
			t.Errorf("batches %+v", batches)
		}
		h.get("/v1/refund-batches/"+b.ID.String()).want(200, "")
		h.get("/v1/refund-batches/0000000000002").want(404, "batch_unknown")
	})
}

// Whoever signs is a person: nobody and no machine gets as far.
func TestPersonIsKnown(t *testing.T) {
	h := local(t)
	for _, target := range []string{"/v1/refund-lists", "/v1/refund-batches", "/v1/refund-freezes", "/v1/payee-changes", "/v1/refund-dispositions", "/v1/refund-results", "/v1/refund-hand-payments",
		"/v1/refunds/0000000000002/moves", "/v1/refund-batches/0000000000002/check", "/v1/refund-batches/0000000000002/release", "/v1/refund-batches/0000000000002/take-out",
		"/v1/refund-dispositions/0000000000002/moves", "/v1/payee-changes/0000000000002/moves", "/v1/refund-freezes/0000000000002/lift"} {
		h.move("", target, 1, "{}").want(401, "unauthenticated")
		h.send("POST", target, []byte("{}"), "Content-Type", jsonType, "If-Match", versionOf(1), "Authorization", h.bearer()).want(403, "role_missing")
	}
	h.act(clerk, "/v1/refund-lists", listBody(department, "", lineOf(0))).want(422, "list_refused")
}

func TestProposalsAndDue(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(3)
		var page ProposalPage
		h.get("/v1/refunds/proposals?limit=2").want(200, "").into(&page)
		if len(page.Proposals) != 2 || page.Next == "" {
			t.Fatalf("page %+v", page)
		}
		p := page.Proposals[0]
		if p.Cause != refund.Lost || p.CauseName != "未中标退还" || p.Amount.String() != "800000.00" || p.Department != department || p.WaitsFor != refund.ForDepartment || p.WaitsSince == nil {
			t.Errorf("proposal %+v", p)
		}
		next := page.Next
		page = ProposalPage{}
		h.get("/v1/refunds/proposals?limit=2&cursor="+next).want(200, "").into(&page)
		if len(page.Proposals) != 1 || page.Next != "" {
			t.Errorf("second page %+v", page)
		}
		h.get("/v1/refunds/proposals?department=x").want(200, "").into(&page)
		if len(page.Proposals) != 0 {
			t.Errorf("another department's: %+v", page)
		}
		h.drafts(1)
		var due Due // that the lot is awarded starts no clock; its contract will
		h.get("/v1/refunds/due?days=60").want(200, "").into(&due)
		if len(due.Proposals)+len(due.Stale) != 0 || due.Today != "2026-06-12" || due.Until != "2026-08-11" {
			t.Errorf("due %+v", due)
		}
		h.happens("E3", fmt.Sprintf(`"kind":"contract_signed","bidder":%q,"happened_at":"2026-06-12T11:30:00+08:00"`, payerName(3)))
		h.get("/v1/refunds/due?days=0&department="+department).want(200, "").into(&due)
		if len(due.Proposals) != 0 {
			t.Errorf("due today: %+v", due.Proposals)
		}
		h.get("/v1/refunds/due").want(200, "").into(&due)
		if len(due.Proposals) != 2 || due.Proposals[0].DaysLeft == nil || due.Proposals[0].Rule == "" || due.Proposals[0].Basis == "" {
			t.Errorf("due in a week: %+v", due.Proposals)
		}
		h.now = h.now.Add(200 * 24 * time.Hour)
		h.get("/v1/refunds/due").want(200, "").into(&due)
		if len(due.Proposals) != 0 || len(due.Stale) != 2 || *due.Stale[0].DaysLeft > -150 {
			t.Errorf("forgotten: %+v", due)
		}
		h.get("/v1/refunds/due?days=x").want(400, "days_malformed")
		h.get("/v1/refunds/due?days=367").want(400, "days_malformed")
	})
}

func TestBadRefundQuestions(t *testing.T) {
	h := local(t)
	for target, code := range map[string]string{
		"/v1/refunds?state=X": "state_unknown", "/v1/refunds?batch=1": "id_malformed", "/v1/refunds?due_by=x": "day_malformed", "/v1/refunds?limit=0": "limit_malformed",
		"/v1/refunds?cursor=!": "cursor_malformed", "/v1/refunds?cursor=eHww": "cursor_malformed", "/v1/refunds?x=1": "parameter_unknown", "/v1/refunds/7": "id_malformed",
		"/v1/refund-lists?cursor=eHww": "cursor_malformed", "/v1/refund-lists?x=1": "parameter_unknown", "/v1/refund-batches?state=X": "state_unknown",
		"/v1/refunds/proposals?cursor=!": "cursor_malformed", "/v1/refund-dispositions?state=X": "state_unknown", "/v1/payee-changes?credit=1": "id_malformed",
		"/v1/refund-freezes?x=1": "parameter_unknown", "/v1/refund-lists/template.xlsx?x=1": "parameter_unknown",
	} {
		h.get(target).want(400, code)
	}
	h.get("/v1/refunds/0000000000002").want(404, "refund_unknown")
}
