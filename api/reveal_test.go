package api

import (
	"strings"
	"testing"

	"depositd/platform/deposit"
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
