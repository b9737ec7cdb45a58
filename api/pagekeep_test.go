package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"depositd/platform/deposit"
	"depositd/refund"
)

// form sends a form of a page and follows to the page that it leads to.
func (h *house) form(person, target string, pairs ...string) *answer {
	h.t.Helper()
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	got := h.page(person, http.MethodPost, target, values)
	if got.Code != http.StatusSeeOther {
		return got
	}
	at, _, _ := strings.Cut(got.Header().Get("Location"), "#")
	return h.page(person, http.MethodGet, at, nil)
}

// owed makes n deposits that have to go back, and gives the keys of their credits.
func (h *house) owed(n int) (credits []string) {
	h.t.Helper()
	h.lost(n)
	for i := range n {
		credits = append(credits, h.key("SELECT id FROM entries WHERE serial = ?", creditSerial(i)))
	}
	return credits
}

// Money is held by a paper and two persons, and set free again, before a browser as through the interface.
func TestKeepPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		credit := h.owed(2)[0]
		at := "/credits/" + credit
		h.page(maker, "GET", at, nil).shows(200, "没有扣留与处置", "没有收款变更", "登记网银付款", `href="/messages/`)
		h.form(maker, "/refunds/dispositions", "credit", credit, "keep", "HELD").shows(400, "field_missing")
		h.form(maker, "/refunds/dispositions", "credit", credit, "keep", "FORFEITED NOBODY", "amount", "1.00", "document", "7号").shows(422, "disposition_unknown")
		shown := h.form(maker, "/refunds/dispositions", "credit", credit, "keep", "HELD", "document", "聊公资〔2026〕7号", "reason", "投诉").shows(200, "聊公资〔2026〕7号", "暂缓退还", "待批准")
		if strings.Contains(shown.Body.String(), `value="approve"`) {
			t.Error("who proposed is offered to approve")
		}
		var kept DispositionPage
		h.get("/v1/refund-dispositions?credit="+credit).want(200, "").into(&kept)
		move := "/refunds/dispositions/" + kept.Dispositions[0].ID.String()
		h.page(checker, "GET", "/refunds/dispositions?state=PROPOSED", nil).shows(200, "聊公资〔2026〕7号", `value="approve"`)
		h.form(maker, move, "act", "approve", "note", "同意", "version", "1").shows(403, "same_person")
		h.form(checker, move, "act", "approve", "note", "同意", "version", "2").shows(409, "changed_meanwhile")
		h.form(checker, move, "act", "approve", "note", "同意", "version", "1").shows(200, "已生效", checker)
		h.form(releaser, move, "act", "lift", "note", "投诉已处理", "version", "2").shows(200, "已解除")
		h.form(maker, "/refunds/dispositions", "credit", credit, "keep", "CONVERTED SERVICE_FEE", "amount", "1,000.00", "document", "8号").shows(200, "抵扣服务费", "1,000.00")

		h.form(clerk, "/refunds/changes", "credit", credit, "payee_name", "新公司", "payee_account", "6212000000000000999", "evidence", "工商变更登记").shows(200, "待科室审核", "新公司")
		var changes PayeeChangePage
		h.get("/v1/payee-changes?credit="+credit).want(200, "").into(&changes)
		move = "/refunds/changes/" + changes.Changes[0].ID.String()
		for i, step := range [][3]string{{maker, "review", "待财务批准"}, {checker, "approve", "待再次确认"}, {releaser, "confirm", "冷静期至"}} {
			h.page(step[0], "GET", "/refunds/changes", nil).shows(200, `value="`+step[1]+`"`)
			h.form(step[0], move, "act", step[1], "note", "同意", "version", plainNumber(float64(i+1))).shows(200, step[2])
		}
		shown = h.page(maker, "GET", "/refunds/changes?state=CONFIRMED", nil).shows(200, "新公司")
		if strings.Contains(shown.Body.String(), "6212000000000000999") {
			t.Error("the list shows a whole account number")
		}
		h.form(maker, move+"/reveal", "reason", "").shows(400, "请写明查看完整户名、账号的事由")
		got := h.form(maker, move+"/reveal", "reason", "核对变更").shows(200, "6212000000000000999")
		if !strings.Contains(got.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("a whole number may be kept: %s", got.Header().Get("Cache-Control"))
		}
		h.form(maker, at+"/reveal", "reason", "核对").shows(200, payerAccount(0))
	})
}

// A credit is found by what a bank slip says – unless it may not be seen, which is told in the words for one that is not there.
func TestCreditFinder(t *testing.T) {
	h := local(t)
	credit := h.owed(1)[0]
	find := func(serial string) *answer {
		return h.page(maker, "GET", "/credits?"+url.Values{"bank": {"line"}, "booking_date": {"2026-06-12"}, "bank_serial": {serial}}.Encode(), nil)
	}
	if got := find(creditSerial(0)); got.Header().Get("Location") != "/credits/"+credit {
		t.Errorf("found at %q", got.Header().Get("Location"))
	}
	find("7").shows(200, "没有这笔入账")
	h.page(maker, "GET", "/credits", nil).shows(200, "按银行回单")
	h.page(maker, "GET", "/credits/0000000000002", nil).shows(404, "credit_unknown")
}

// A payment made in online banking is entered once, confirmed by another person, offered to no batch, and never paid again.
func TestHandPaymentPage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		credit := h.owed(2)[0]
		enter := func(reference string) *answer {
			return h.form(maker, "/refunds/by-hand", "credit", credit, "department", department, "reference", reference, "payment_serial", "WY1", "note", "系统停机", "payee_bank_code", bankCode)
		}
		enter("H1").shows(200, "确认已由网银付出", "网银（系统外）")
		enter("H1").shows(200, "确认已由网银付出")
		enter("H2").shows(422, "list_refused")
		lines, _, err := h.server.Refund.Lines(t.Context(), deposit.SightOfAll(), refund.LineQuery{Channel: refund.ByHand})
		if err != nil || len(lines) != 1 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		at := "/refunds/lines/" + lines[0].ID.String()
		h.page(checker, "GET", "/refunds/by-hand", nil).shows(200, lines[0].Serial, "1 笔")
		if got := h.page(maker, "GET", "/refunds/batches", nil); strings.Contains(got.Body.String(), lines[0].Serial) {
			t.Error("a payment made by hand is offered to a batch")
		}
		confirm := []string{"act", "confirm_hand", "note", "已核对网银回单", "version", "1"}
		h.form(maker, at, confirm...).shows(403, "same_person")
		h.form(checker, at, confirm...).shows(200, "已核对网银回单", "已付款")
		h.form(checker, at, confirm...).shows(409)
		h.form(maker, at+"/reveal", "reason", "核对").shows(200, payerAccount(0))
		if got := h.page(maker, "GET", "/refunds", nil); strings.Contains(got.Body.String(), credit) {
			t.Error("what was paid by hand is still proposed")
		}
	})
}

// The stop of all payments stands until it is lifted, with who stopped what and why.
func TestFreezePage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.page(maker, "GET", "/refunds/freezes", nil).shows(200, "没有停付", lineParent)
		h.form(releaser, "/refunds/freezes", "of", "").shows(400, "field_missing")
		h.form(releaser, "/refunds/freezes", "of", "line "+lineParent, "reason", "银行通知维护").shows(200, "银行通知维护", lineParent, releaser)
		h.form(maker, "/refunds/freezes", "of", "", "reason", "发现异常付款").shows(200, "全部银行")
		h.form(maker, "/refunds/freezes", "of", "nobank", "reason", "x").shows(404, "bank_unknown")
		var all FreezeList
		if h.get("/v1/refund-freezes").want(200, "").into(&all); len(all.Freezes) != 2 {
			t.Fatalf("%+v", all)
		}
		for _, f := range all.Freezes {
			h.form(checker, "/refunds/freezes/"+f.ID.String()+"/lift", "version", "1", "note", "").shows(400)
			h.form(checker, "/refunds/freezes/"+f.ID.String()+"/lift", "version", "1", "note", "已核实").shows(200)
		}
		h.page(maker, "GET", "/refunds/freezes", nil).shows(200, "没有停付")
	})
}

// The pages of money that is kept, redirected, paid by hand and stopped are sound before a browser.
func TestJourneyKeep(t *testing.T) {
	h := local(t)
	credits := h.owed(2)
	s := h.screenOf(maker)
	s.open("/credits")
	s.sound("credits")
	s.fill("input[name=bank_serial]", creditSerial(0))
	s.until(`(() => { document.querySelector('select[name=bank]').value = 'line'; document.querySelector('input[name=booking_date]').value = '2026-06-12'; return true; })()`, "no form")
	s.click("main form button.primary")
	s.sees("h1", "800,000.00")
	s.fill("#keep input[name=document]", "聊公资〔2026〕7号")
	s.click("#keep button.primary")
	s.sees("#kept", "待批准")
	s.fill("#change input[name=payee_name]", "新公司")
	s.fill("#change input[name=payee_account]", "6212000000000000999")
	s.fill("#change textarea", "工商变更登记，存档 7 号")
	s.click("#change button.primary")
	s.sees("#changed", "待科室审核")
	s.sound("credit")
	s.become(checker)
	s.open("/refunds/dispositions")
	s.sound("dispositions")
	s.fill("tbody input[name=note]", "同意")
	s.click("button[value=approve]")
	s.sees("#kept", "已生效")
	s.open("/refunds/changes")
	s.sound("changes")
	s.open("/refunds/freezes")
	s.fill("textarea[name=reason]", "发现异常付款")
	s.click("button.danger")
	s.sees("tbody", "全部银行")
	s.sound("freezes")
	h.form(maker, "/refunds/by-hand", "credit", credits[1], "department", department, "reference", "H1", "payment_serial", "WY1", "note", "系统停机", "payee_bank_code", bankCode)
	s.open("/refunds/by-hand")
	s.sound("byhand")
	s.click("tbody a[data-open]")
	s.sees("main", "确认已由网银付出")
	s.sound("line")
}
