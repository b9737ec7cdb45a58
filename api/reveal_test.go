package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/reconcile"
	"depositd/refund"
)

// masked is what of a payer's account is shown.
func masked(i int) string { return deposit.MaskAccount(payerAccount(i)) }

// An account number is shown whole to whoever says why, and the audit trail has told of it by then.
func TestReveal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.released(1)
		var refunds RefundPage
		h.get("/v1/refunds").want(200, "").into(&refunds)
		r := refunds.Refunds[0]
		var p PayeeChange
		h.act(clerk, "/v1/payee-changes", `{"credit":"`+r.Credit.String()+`","payee_name":"新公司","payee_account":"6212000000000000999","evidence":"工商变更登记"}`).want(201, "").into(&p)
		if r.PayeeAccount.Full() != masked(0) || p.PayeeAccount != "621200****0999" {
			t.Errorf("shown as %s and %s", r.PayeeAccount.Full(), p.PayeeAccount.Full())
		}
		for target, whole := range map[string]string{
			"/v1/credits/" + r.Credit.String():   payerAccount(0),
			"/v1/refunds/" + r.ID.String():       payerAccount(0),
			"/v1/payee-changes/" + p.ID.String(): "6212000000000000999",
		} {
			before := h.count("events")
			h.act(checker, target+"/reveal", `{"reason":" "}`).want(422, "reason_required")
			h.act("", target+"/reveal", `{"reason":"核对回单"}`).want(401, "unauthenticated")
			if h.count("events") != before {
				t.Errorf("%s: nothing was shown, and yet there is an event", target)
			}
			var shown RevealedAccount
			if h.act(checker, target+"/reveal", `{"reason":"核对回单"}`).want(200, "").into(&shown); shown.Account != whole {
				t.Errorf("%s: shown %s", target, shown.Account)
			}
			if h.count("events") != before+1 {
				t.Errorf("%s: no event tells of it", target)
			}
		}
		var credit reconcile.CreditView
		h.get("/v1/credits/"+r.Credit.String()).want(200, "").into(&credit)
		last := credit.History[len(credit.History)-1]
		if last.By != checker || last.Became != reconcile.Revealed || last.Note != "核对回单" {
			t.Errorf("the history ends with %+v", last)
		}
		h.act(checker, "/v1/credits/0000000000002/reveal", `{"reason":"x"}`).want(404, "credit_unknown")
		h.act(checker, "/v1/refunds/0000000000002/reveal", `{"reason":"x"}`).want(404, "refund_unknown")
		h.act(checker, "/v1/payee-changes/0000000000002/reveal", `{"reason":"x"}`).want(404, "change_unknown")
	})
}

// No answer to a question tells a whole account number, nor does the log.
func TestNothingTellsAWholeAccount(t *testing.T) {
	h := local(t)
	b := h.released(2)
	var page RefundPage
	h.get("/v1/refunds").into(&page)
	credit := page.Refunds[0].Credit.String()
	h.act(clerk, "/v1/payee-changes", `{"credit":"`+credit+`","payee_name":"新公司","payee_account":"6212000000000000999","evidence":"工商变更登记"}`).want(201, "")
	said := h.log.String()
	for _, target := range []string{"/v1/refunds", "/v1/refunds/proposals", "/v1/refunds/due", "/v1/payee-changes", "/v1/findings", "/v1/reports/2026-06-12", "/v1/refund-lists",
		"/v1/refund-batches/" + b.ID.String(), "/v1/refund-batches/" + b.ID.String() + "/diagnosis", "/v1/credits/" + credit} {
		said += h.get(target).want(200, "").Body.String()
	}
	for i := range 3 {
		if strings.Contains(said, payerAccount(i)) {
			t.Errorf("%s is told whole", payerAccount(i))
		}
	}
	if strings.Contains(said, "6212000000000000999") || !strings.Contains(said, masked(0)) {
		t.Error("an asked-for account is told whole, or nothing is told at all")
	}
}

// A list that is made of what is shown goes back to where the money came from.
func TestMaskedAccountMeansThePayers(t *testing.T) {
	h := local(t)
	h.lost(1)
	line := with(lineOf(0), `"bank":"line"`, `"bank":"line","payee_account":"`+masked(0)+`"`)
	h.act(clerk, "/v1/refund-lists", listBody(department, "", line)).want(201, "")
	paid, err := refund.LinesOfAccount(t.Context(), h.db, "line", lineParent)
	if err != nil || len(paid) != 1 || paid[0].PayeeAccount != payerAccount(0) {
		t.Errorf("it goes to %+v (%v)", paid, err)
	}
}

// personName is who bids where land is sold: two persons, and companies.
func personName(i int) string {
	if i < 2 {
		return []string{"王建国", "张会芳"}[i]
	}
	return payerName(i)
}

// owedToPersons is a lot that two persons and a company have lost, the first of whom wants the money on the account of another; what may be looked at
// of it.
func (h *house) owedToPersons() (credit, change string, targets []string) {
	h.t.Helper()
	h.lostBy(personName, 3)
	b := h.batch(h.drafts(3))
	var page RefundPage
	h.get("/v1/refunds").want(200, "").into(&page)
	line := page.Refunds[slices.IndexFunc(page.Refunds, func(r Refund) bool { return r.PayeeAccount.Full() == masked(0) })]
	var p PayeeChange
	h.act(clerk, "/v1/payee-changes", `{"credit":"`+line.Credit.String()+`","payee_name":"李四光","payee_account":"6212000000000000999","evidence":"户口簿"}`).want(201, "").into(&p)
	var messages struct{ Messages []struct{ ID string } }
	h.get("/v1/messages").want(200, "").into(&messages)
	return line.Credit.String(), p.ID.String(), []string{"/v1/refunds", "/v1/refunds/" + line.ID.String(), "/v1/refunds/proposals", "/v1/refunds/due", "/v1/payee-changes", "/v1/findings", "/v1/reports/2026-06-12",
		"/v1/overview", "/v1/refund-lists/" + line.List.String(), "/v1/refund-batches/" + b.ID.String(), "/v1/refund-batches/" + b.ID.String() + "/diagnosis", "/v1/credits/" + line.Credit.String(),
		"/v1/messages/" + messages.Messages[0].ID, "/v1/sub-accounts/" + lineParent + "-000000/diagnosis"}
}

// So many a day and person, over all that can be revealed; one more is refused, which is noted, and tells nothing.
func TestRevealsOfADay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.server.RevealsPerDay = 2
		credit, change, targets := h.owedToPersons()
		target := "/v1/credits/" + credit + "/reveal"
		const why = `{"reason":"核对回单"}`
		h.act(checker, target, why).want(200, "")
		h.act(checker, "/v1/credits/0000000000002/reveal", why).want(404, "credit_unknown") // counts for nothing
		h.act(checker, "/v1/payee-changes/"+change+"/reveal", why).want(200, "")
		before := h.count("events")
		for _, one := range []string{target, targets[1] + "/reveal", target} {
			if got := h.act(checker, one, why).want(429, "reveals_spent"); strings.Contains(got.Body.String(), personName(0)) || !strings.Contains(got.Body.String(), "2 次的上限") {
				t.Errorf("refused with %s", got.Body)
			}
		}
		h.form(checker, "/credits/"+credit+"/reveal", "reason", "核对").shows(429, "reveals_spent", "明日再查看")
		if h.count("events") != before+4 {
			t.Errorf("%d events tell of 4 refusals", h.count("events")-before)
		}
		var seen reconcile.CreditView
		h.get("/v1/credits/"+credit).want(200, "").into(&seen)
		if last := seen.History[len(seen.History)-1]; last.By != checker || last.Became != reconcile.RevealRefused || last.Note != "核对" {
			t.Errorf("the history ends with %+v", last)
		}
		h.act(maker, target, why).want(200, "") // another person
		h.now = h.now.AddDate(0, 0, 1)
		h.act(checker, target, why).want(200, "")
	})
}

// Many at once are shown no more than one after another.
func TestRevealsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(1)
		ask := reconcile.Revealing{By: maker, Eyes: deposit.SightOfAll(), Reason: "核对", Most: 4}
		ask.ID, _ = sqldb.ParseID(h.key("SELECT id FROM entries WHERE serial = ?", creditSerial(0)))
		if _, err := h.server.Reconcile.Reveal(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
		var shown atomic.Int64
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				w, err := h.server.Reconcile.Reveal(t.Context(), ask)
				switch {
				case err == nil:
					shown.Add(1)
				case deposit.AsRefusal(err).Code != "reveals_spent" || w != reconcile.Whole{}:
					t.Errorf("%v, and %s", err, w.Account)
				}
			})
		}
		if all.Wait(); shown.Load() != 3 || h.count("events WHERE became = 'REVEALED'") != 4 || h.count("events WHERE became = 'REVEAL_REFUSED'") != 9 {
			t.Errorf("%d of 3 were shown", shown.Load())
		}
	})
}

// Who reads what is masked has proved themselves within the last minutes, by a second factor; the page takes the code with the reason.
func TestRevealIsFresh(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		credit, _, _ := h.owedToPersons()
		target := "/credits/" + credit
		who, _, _ := h.comes("审计庚", people.Auditor)
		const why = `{"reason":"核对回单"}`
		who.does("POST", "/v1"+target+"/reveal", why).want(403, "step_up_needed")
		who.looks("GET", target, nil).shows(200, "启用动态口令")
		who.looks("POST", target+"/reveal", url.Values{"reason": {"核对"}, "password": {sitterPassword}}).shows(403, "step_up_needed")
		f := who.enrols()
		who.does("POST", "/v1"+target+"/reveal", why).want(200, "")
		if got := who.looks("GET", target, nil).shows(200, "/reveal"); strings.Contains(got.Body.String(), `name="code"`) {
			t.Error("a code is asked for that was given just now")
		}
		h.now = h.now.Add(5 * time.Minute)
		before := h.count("events")
		who.does("POST", "/v1"+target+"/reveal", why).want(403, "step_up_needed")
		who.looks("GET", target, nil).shows(200, `name="code"`)
		who.looks("POST", target+"/reveal", url.Values{"reason": {"核对"}}).shows(401, "login_refused")
		who.looks("POST", target+"/reveal", url.Values{"reason": {"核对"}, "code": {"000000"}}).shows(401, "login_refused")
		if shown := h.count("events WHERE became = 'REVEALED'"); shown != 1 {
			t.Errorf("%d were shown, %d events before", shown, before)
		}
		who.looks("POST", target+"/reveal", url.Values{"reason": {"核对"}, "code": {f.Code(h.now)}}).shows(200, personName(0), payerAccount(0))
		who.looks("POST", target+"/reveal", url.Values{"reason": {"再核对"}}).shows(200, payerAccount(0)) // for some minutes
	})
}

// looks plays a request of the visitor's for a page, and takes the cookie that comes back.
func (v *visitor) looks(method, target string, values url.Values) *answer {
	v.t.Helper()
	request := httptest.NewRequest(method, target, strings.NewReader(values.Encode()))
	request.RemoteAddr = "10.1.2.3:4"
	request.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", formType)
	}
	request.AddCookie(&http.Cookie{Name: cookieName, Value: v.cookie})
	got := v.play(request)
	for _, c := range got.Result().Cookies() {
		v.cookie = c.Value
	}
	return got
}

// A finding is revealed as what it is about: who paid, or of a deposit that is not there, who owes it.
func TestFindingIsRevealed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lostBy(personName, 2)
		h.json("PUT", "/v1/lots/LC-2", with(lot, "2026-06-20T09", "2026-06-12T09")).want(201, "")
		for i := range 2 { // one owes the deposit, the other pays too little
			h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":"LC-2","bidder":%q,"bidder_account":%q,"bank":"line","sub_account":"%s-%06d","lease_from":"2026-06-01T00:00:00+08:00"}`,
				personName(i), payerAccount(i), lineParent, 50+i)).want(201, "")
		}
		h.send("POST", "/v1/banks/line/statements", fmt.Appendf(nil, "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"+
			"%s,2026-06-11,2026-06-11 08:50:00,%s,%s-000051,C,700000.00,%s,%s,聊城农商银行,,\n", creditSerial(51), lineParent, lineParent, personName(1), payerAccount(7))).want(201, "")
		h.json("POST", "/v1/platform/events", `{"number":"E9","lot":"LC-2","kind":"opened","happened_at":"2026-06-12T09:30:00+08:00"}`).want(201, "")
		if _, err := h.server.Reconcile.JudgeAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.now = h.now.AddDate(0, 0, 1)
		if err := h.server.Reconcile.CloseDay(t.Context(), "test", "2026-06-12"); err != nil {
			t.Fatal(err)
		}
		var page FindingPage
		h.get("/v1/findings").want(200, "").into(&page)
		wanted := map[reconcile.Code]RevealedAccount{reconcile.Unpaid: {personName(0), payerAccount(0), personName(0)}, reconcile.Underpaid: {personName(1), payerAccount(7), personName(1)}}
		for _, f := range page.Findings {
			want, asked := wanted[f.Code]
			if !asked || f.Lot != "LC-2" || f.Bidder.Full() != deposit.MaskName(want.Bidder) {
				continue
			}
			delete(wanted, f.Code)
			var shown RevealedAccount
			if h.act(maker, "/v1/findings/"+f.ID.String()+"/reveal", `{"reason":"致电"}`).want(200, "").into(&shown); shown != want {
				t.Errorf("%s: shown %+v", f.Code, shown)
			}
			h.form(maker, "/findings/"+f.ID.String()+"/reveal", "reason", "再致电").shows(200, want.Name, want.Account, "/findings?open="+f.ID.String())
			h.page(maker, "GET", "/findings?open="+f.ID.String(), nil).shows(200, "查看完整户名、账号", "再致电")
			var story reconcile.FindingView
			h.get("/v1/findings/"+f.ID.String()).want(200, "").into(&story)
			if last := story.History[len(story.History)-1]; last.Kind != reconcile.StepRevealed || last.Note != "再致电" {
				t.Errorf("the story ends with %+v", last)
			}
		}
		if len(wanted) > 0 {
			t.Errorf("not found: %v among %+v", wanted, page.Findings)
		}
		h.act(maker, "/v1/findings/0000000000002/reveal", `{"reason":"x"}`).want(404, "finding_unknown")
	})
}
