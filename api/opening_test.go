package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"depositd/reconcile"
	"depositd/refund"
)

// agreeEarlier has two persons consent to the earlier opening that the platform wishes.
func (h *house) agreeEarlier(number, at string) {
	h.t.Helper()
	body := fmt.Sprintf(`{"opening_at":%q,"reason":"平台来函"}`, at)
	h.act(clerk, "/v1/lots/"+number+"/earlier-opening", body).want(201, "")
	h.act(releaser, "/v1/lots/"+number+"/earlier-opening", body).want(200, "")
}

// A lot is opened by the platform's event or by two persons, after its hour by our clock, and never by the clock alone.
func TestOpening(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		say := func(person string) *answer {
			return h.act(person, "/v1/lots/LC-1/opening", `{"reason":"平台网络中断，现场已开标"}`)
		}
		h.act(clerk, "/v1/lots/LC-9/opening", `{"reason":"x"}`).want(404, "lot_unknown")
		say(clerk).want(409, "opening_early")
		h.now = h.now.AddDate(0, 0, 30)
		var after Lot
		h.json("PUT", "/v1/lots/LC-1", lot).want(200, "").into(&after)
		if after.OpenedAt != nil || after.State != "ANNOUNCED" {
			t.Fatalf("the clock opened it: %+v", after)
		}
		var o Opening
		say(clerk).want(201, "").into(&o)
		if o.Done || o.OpenedAt != nil {
			t.Errorf("one person opened it: %+v", o)
		}
		say(clerk).want(403, "same_person")
		say(releaser).want(200, "").into(&o)
		if !o.Done || o.OpenedAt == nil || !o.OpenedAt.Equal(h.now) || len(o.Persons) != 2 {
			t.Errorf("two persons: %+v", o)
		}
		say(checker).want(409, "state_forbids")
		h.happens("E-late", `"kind":"opened","happened_at":"2026-06-20T09:00:05+08:00"`) // the platform's word comes after all
		h.now = h.now.AddDate(-1, 0, 0)
		h.json("PUT", "/v1/lots/LC-1", lot).want(200, "").into(&after)
		if after.OpenedAt == nil || after.State != "OPENED" {
			t.Errorf("a clock that goes back sealed it again: %+v", after)
		}
	})
}

// An opening is put off freely; it becomes earlier by two persons only, a day ahead, and until then stands as it was.
func TestEarlierOpening(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		var l Lot
		h.json("PUT", "/v1/lots/LC-1", with(lot, "06-20T09", "06-25T09")).want(200, "").into(&l)
		if !l.OpeningAt.Equal(time.Date(2026, 6, 25, 1, 0, 0, 0, time.UTC)) {
			t.Errorf("put off: %+v", l)
		}
		h.json("PUT", "/v1/lots/LC-1", with(lot, "06-20T09", "06-13T11")).want(409, "notice_short")
		h.json("PUT", "/v1/lots/LC-1", with(lot, "06-20T09", "06-15T09")).want(200, "").into(&l)
		if l.OpeningAt.Day() != 25 || l.EarlierWished == nil || l.EarlierWished.Day() != 15 {
			t.Errorf("wished: %+v", l)
		}
		agree := func(person, at string) *answer {
			return h.act(person, "/v1/lots/LC-1/earlier-opening", fmt.Sprintf(`{"opening_at":"2026-06-%sT09:00:00+08:00","reason":"平台来函"}`, at))
		}
		agree(clerk, "14").want(404, "earlier_unasked")
		agree(clerk, "15").want(201, "")
		agree(clerk, "15").want(403, "same_person")
		var o Opening
		agree(releaser, "15").want(200, "").into(&o)
		if !o.Done || o.OpeningAt.Day() != 15 {
			t.Errorf("agreed: %+v", o)
		}
		agree(checker, "15").want(404, "earlier_unasked")
		h.json("PUT", "/v1/lots/LC-1", with(lot, "06-20T09", "06-14T13")).want(200, "")
		h.now = h.now.AddDate(0, 0, 2)
		h.act(clerk, "/v1/lots/LC-1/earlier-opening", `{"opening_at":"2026-06-14T13:00:00+08:00","reason":"x"}`).want(409, "notice_short")
	})
}

// sealedCredit makes a sealed lot with one bidder who has paid, and gives the bid's key.
func (h *house) sealedCredit() string {
	h.t.Helper()
	h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
	var b Bid
	h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":"LC-1","bidder":%q,"bidder_account":%q,"bank":"line","sub_account":"%s-000000","lease_from":"2026-06-01T00:00:00+08:00"}`,
		payerName(0), payerAccount(0), lineParent)).want(201, "").into(&b)
	statement := "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,payer_bank_code,remark,reversal_of\n" +
		fmt.Sprintf("%s,2026-06-11,2026-06-11 08:00:00,%s,%s-000000,C,800000.00,%s,%s,聊城农商银行,%s,,\n", creditSerial(0), lineParent, lineParent, payerName(0), payerAccount(0), bankCode)
	h.send("POST", "/v1/banks/line/statements", []byte(statement)).want(201, "")
	h.judgeAll()
	return b.ID.String()
}

func (h *house) judgeAll() {
	h.t.Helper()
	if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// The bidder's own question is answered by two persons to whoever knows the whole voucher, and his status to the platform.
func TestOwnMoneyBeforeOpening(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		bidID := h.sealedCredit()
		var status BidStatus
		h.get("/v1/bids/"+bidID+"/status").want(200, "").into(&status)
		if status.Deposit != reconcile.WhollyPaid || len(status.Codes) != 0 {
			t.Errorf("status %+v", status)
		}
		h.get("/v1/bids/0000000000002/status").want(404, "bid_unknown")
		ask := fmt.Sprintf(`{"bank":"line","sub_account":"%s-000000","amount":"800000.00","booking_date":"2026-06-11","bank_serial":%q,"payer_name":%q,"reason":"投标人持凭证来电"}`,
			lineParent, creditSerial(0), payerName(0))
		for _, c := range []struct {
			name, body string
			want       reconcile.EnquiryAnswer
		}{
			{"all of it", ask, reconcile.MoneyHere},
			{"another amount", with(ask, "800000.00", "800000.01"), reconcile.MoneyUnknown},
			{"another payer", with(ask, payerName(0), payerName(1)), reconcile.MoneyUnknown},
			{"another serial", with(ask, creditSerial(0), creditSerial(1)), reconcile.MoneyUnknown},
			{"another number", with(ask, "-000000", "-000001"), reconcile.MoneyUnknown},
		} {
			var e Enquiry
			h.act(clerk, "/v1/enquiries", c.body).want(201, "").into(&e)
			if e.Answer != "" || e.State != reconcile.Asked {
				t.Errorf("%s: answered at once: %+v", c.name, e)
			}
			path := "/v1/enquiries/" + e.ID.String() + "/release"
			h.act(clerk, path, "{}").want(403, "same_person")
			h.act(checker, path, "{}").want(200, "").into(&e)
			if e.Answer != c.want || e.Place != "" {
				t.Errorf("%s: %+v", c.name, e)
			}
			h.act(checker, path, "{}").want(200, "")
			h.act(releaser, path, "{}").want(409, "state_forbids")
		}
		h.act(clerk, "/v1/enquiries", with(ask, payerName(0), "王*")).want(422, "payer_masked")
		if h.count("enquiries") != 5 {
			t.Error("a question was not kept")
		}
	})
}

// A bid that was withdrawn gets its deposit back before the opening, by people who see neither name, lot nor amount.
func TestBlindRefund(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.sealedCredit()
		h.happens("W", fmt.Sprintf(`"kind":"bid_withdrawn","bidder":%q,"happened_at":"2026-06-12T11:00:00+08:00"`, payerName(0)))
		h.judgeAll()
		var all strings.Builder
		see := func(a *answer, into any) {
			a.into(into)
			all.WriteString(a.Body.String())
		}
		var page ProposalPage
		see(h.get("/v1/refunds/proposals").want(200, ""), &page)
		if len(page.Proposals) != 1 || !page.Proposals[0].Sealed || page.Proposals[0].Rule == "" || page.Proposals[0].DueOn == "" {
			t.Fatalf("proposed %+v", page)
		}
		credit := page.Proposals[0].Credit.String()
		h.get("/v1/credits/"+credit).want(404, "credit_unknown")
		h.act(maker, "/v1/refund-lists", listBody("综合科", "", fmt.Sprintf(`{"credit":%q,"bidder":%q}`, credit, payerName(0)))).want(422, "list_refused")
		h.act(maker, "/v1/refund-lists", listBody(department, "", lineOf(0))).want(422, "list_refused")
		var done Submitted
		see(h.act(maker, "/v1/refund-lists", listBody("综合科", "", fmt.Sprintf(`{"credit":%q}`, credit))).want(201, ""), &done)
		if len(done.Refunds) != 1 || !done.Refunds[0].Sealed {
			t.Fatalf("listed %+v", done)
		}
		var made BatchPage
		see(h.act(maker, "/v1/refund-batches", `{"lines":[`+idsOf(done.Refunds)+`]}`).want(201, ""), &made)
		b := made.Batches[0]
		see(h.sign(checker, "check", &b).want(200, ""), &b)
		see(h.sign(releaser, "release", &b).want(200, ""), &b)
		if b.State != refund.BatchReleased || !b.Sealed {
			t.Errorf("released %+v", b)
		}
		h.get("/v1/refund-batches/"+b.ID.String()+"/diagnosis").want(409, "batch_sealed")
		for _, target := range []string{"/v1/refunds", "/v1/refunds/due?days=30", "/v1/refund-lists", "/v1/refund-batches", "/v1/refund-batches/" + b.ID.String(), "/v1/refunds/" + done.Refunds[0].ID.String()} {
			all.WriteString(h.get(target).want(200, "").Body.String())
		}
		for _, secret := range []string{payerName(0), payerAccount(0), "800000", "LC-1", "-000000", creditSerial(0), department} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("%s was told", secret)
			}
		}
		h.now = h.now.AddDate(0, 0, 9)
		h.happens("O", `"kind":"opened","happened_at":"2026-06-20T09:00:05+08:00"`)
		var r RefundStory
		h.get("/v1/refunds/"+done.Refunds[0].ID.String()).want(200, "").into(&r)
		if r.Sealed || r.Lot != "LC-1" || r.PayeeName.Full() != payerName(0) || r.Amount.String() != "800000.00" {
			t.Errorf("after the opening: %+v", r)
		}
		h.get("/v1/refund-batches/"+b.ID.String()).want(200, "").into(&b)
		if b.Sealed || b.Total.String() != "800000.00" {
			t.Errorf("after the opening: %+v", b)
		}
	})
}
