package api

import (
	"fmt"
	"testing"

	"depositd/platform/people"
	"depositd/platform/people/peopletest"
	"depositd/refund"
)

func TestDispositionsAndChanges(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(2)
		var page ProposalPage
		h.get("/v1/refunds/proposals").want(200, "").into(&page)
		credit := page.Proposals[0].Credit.String()
		var x Disposition
		held := fmt.Sprintf(`{"credit":%q,"kind":"HELD","document":"聊公资〔2026〕7号","reason":"投诉"}`, credit)
		h.act(maker, "/v1/refund-dispositions", held).want(201, "").into(&x)
		h.act(maker, "/v1/refund-dispositions", held).want(201, "").into(&x)
		move := func(act string) string { return fmt.Sprintf(`{"act":%q,"note":"同意"}`, act) }
		moves := "/v1/refund-dispositions/" + x.ID.String() + "/moves"
		h.move(maker, moves, x.Version, move("approve")).want(403, "same_person")
		h.move(checker, moves, x.Version, move("lift")).want(409, "state_forbids")
		h.move(checker, moves, x.Version, move("approve")).want(200, "").into(&x)
		if x.State != refund.Standing || x.ApprovedBy != checker || x.PurposeName != "暂缓退还" {
			t.Errorf("approved %+v", x)
		}
		var kept DispositionPage
		h.get("/v1/refund-dispositions?state=STANDING&credit="+credit).want(200, "").into(&kept)
		if len(kept.Dispositions) != 1 {
			t.Errorf("kept %+v", kept)
		}
		h.move(releaser, moves, x.Version, move("lift")).want(200, "")
		h.act(maker, "/v1/refund-dispositions", fmt.Sprintf(`{"credit":%q,"kind":"FORFEITED","document":"7号"}`, credit)).want(422, "")
		h.act(maker, "/v1/refund-dispositions", `{"credit":"0000000000002","kind":"HELD","document":"7号"}`).want(404, "receipt_unknown")
		h.move(maker, "/v1/refund-dispositions/0000000000002/moves", 1, move("lift")).want(404, "disposition_unknown")
		h.move(maker, moves, 1, move("burn")).want(422, "act_unknown")

		var p PayeeChange
		h.act(clerk, "/v1/payee-changes", fmt.Sprintf(`{"credit":%q,"payee_name":"新公司","payee_account":"6212000000000000999","evidence":"工商变更登记，存档 7 号"}`, credit)).want(201, "").into(&p)
		moves = "/v1/payee-changes/" + p.ID.String() + "/moves"
		h.move(clerk, moves, p.Version, move("review")).want(403, "same_person")
		peopletest.Person(t, h.db, "经办丑", "", people.FinanceMaker)
		h.move("经办丑", moves, p.Version, move("approve")).want(403, "role_missing")
		for _, step := range [][2]string{{maker, "review"}, {checker, "approve"}, {releaser, "confirm"}} {
			h.move(step[0], moves, p.Version, move(step[1])).want(200, "").into(&p)
		}
		if p.State != "CONFIRMED" || p.StateName != "已确认" || p.EffectiveAt == nil || p.ReviewedBy != maker || p.ConfirmedBy != releaser {
			t.Errorf("confirmed %+v", p)
		}
		var changes PayeeChangePage
		h.get("/v1/payee-changes?state=CONFIRMED").want(200, "").into(&changes)
		if len(changes.Changes) != 1 {
			t.Errorf("changes %+v", changes)
		}
		h.move(clerk, moves, p.Version, move("refuse")).want(200, "")
		h.move(clerk, "/v1/payee-changes/0000000000002/moves", 1, move("refuse")).want(404, "change_unknown")
	})
}

func TestFreezes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(1)
		var frozen Freeze
		h.act(releaser, "/v1/refund-freezes", `{"bank":"line","parent_account":"`+lineParent+`","reason":"付款异常"}`).want(201, "").into(&frozen)
		var again Freeze
		h.act(maker, "/v1/refund-freezes", `{"bank":"line","parent_account":"`+lineParent+`","reason":"再次"}`).want(201, "").into(&again)
		if again.ID != frozen.ID || frozen.CauseName != "人工停付" || again.FrozenBy != releaser {
			t.Errorf("frozen %+v, then %+v", frozen, again)
		}
		var refused RefusedList
		h.act(clerk, "/v1/refund-lists", listBody(department, "", lineOf(0))).want(422, "list_refused").into(&refused)
		if refused.Faults[0].Code != "frozen" {
			t.Errorf("refused %+v", refused.Faults)
		}
		lift := "/v1/refund-freezes/" + frozen.ID.String() + "/lift"
		h.move(maker, lift, 7, `{"note":"已查明"}`).want(412, "changed_meanwhile")
		h.move(maker, lift, 1, `{"note":" "}`).want(422, "note_required")
		h.move(maker, lift, 1, `{"note":"已查明"}`).want(200, "").into(&frozen)
		if frozen.State != "LIFTED" {
			t.Errorf("lifted %+v", frozen)
		}
		h.move(maker, lift, 2, `{"note":"已查明"}`).want(409, "state_forbids")
		h.move(maker, "/v1/refund-freezes/0000000000002/lift", 2, `{"note":"已查明"}`).want(404, "freeze_unknown")
		h.act(maker, "/v1/refund-freezes", `{"parent_account":"1","reason":"x"}`).want(422, "freeze_incomplete")
		h.act(maker, "/v1/refund-freezes", `{"bank":"line","parent_account":"1","reason":"x"}`).want(422, "parent_account_unknown")
		h.act(maker, "/v1/refund-freezes", `{"bank":"nobody","reason":"x"}`).want(404, "")
		h.act(maker, "/v1/refund-freezes", `{"reason":"全部停付"}`).want(201, "")
		var all FreezeList
		h.get("/v1/refund-freezes").want(200, "").into(&all)
		if len(all.Freezes) != 1 || all.Freezes[0].Bank != "" {
			t.Errorf("frozen %+v", all)
		}
	})
}

func TestHandPayment(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.lost(1)
		body := with(lineOf(0), `"bank":"line"`, `"bank":"line","department":"综合科","reference":"H1","payment_serial":"WY1","note":"系统停机"`)
		var done Submitted
		h.act(maker, "/v1/refund-hand-payments", body).want(201, "").into(&done)
		r := done.Refunds[0]
		if r.Channel != refund.ByHand || r.PaymentSerial != "WY1" {
			t.Errorf("entered %+v", r)
		}
		h.act(maker, "/v1/refund-hand-payments", body).want(200, "")
		h.act(maker, "/v1/refund-hand-payments", with(body, creditSerial(0), "7")).want(409, "list_reference_reused")
		h.act(maker, "/v1/refund-hand-payments", with(with(body, creditSerial(0), "7"), "H1", "H2")).want(422, "list_refused")
		confirm := `{"act":"confirm_hand","note":"已核对回单"}`
		h.move(maker, "/v1/refunds/"+r.ID.String()+"/moves", r.Version, confirm).want(403, "same_person")
		h.move(checker, "/v1/refunds/"+r.ID.String()+"/moves", r.Version, confirm).want(200, "").into(&r)
		if r.State != refund.Paid || r.WaitsFor != refund.ForStatement {
			t.Errorf("confirmed %+v", r)
		}
		h.act(clerk, "/v1/refund-lists", listBody(department, "", lineOf(0))).want(422, "list_refused")
	})
}
