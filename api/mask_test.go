package api

import (
	"fmt"
	"strings"
	"testing"

	"depositd/api/sheet/sheettest"
	"depositd/platform/deposit"
	"depositd/refund"
)

// Whatever is asked, a person's name is told by its first character, and a company's is told whole; the reveal alone tells it.
func TestPersonsAreMasked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		credit, change, targets := h.owedToPersons()
		said := h.log.String()
		for _, target := range targets {
			said += h.get(target).want(200, "").Body.String()
		}
		for _, target := range []string{"/", "/findings", "/findings/bulk", "/refunds", "/refunds/due", "/refunds/batches", "/refunds/changes", "/credits/" + credit, strings.Replace(targets[1], "/v1/refunds", "/refunds/lines", 1),
			strings.TrimPrefix(targets[12], "/v1")} {
			said += h.page(maker, "GET", target, nil).shows(200).Body.String()
		}
		for _, book := range [][2]string{{"/findings.xlsx", "差异"}, {"/refunds/due.xlsx", "到期与逾期"}, {strings.Replace(targets[9], "/v1/refund-batches", "/refunds/batches", 1) + "/batch.xlsx", "退付批次"}} {
			said += sheettest.Cells(t, h.page(maker, "GET", book[0], nil).shows(200).Body.Bytes(), book[1])
		}
		for _, name := range []string{personName(0), personName(1), "李四光"} {
			if strings.Contains(said, name) {
				t.Errorf("%s is told whole: …%s…", name, said[max(0, strings.Index(said, name)-200):strings.Index(said, name)+50])
			}
			if !strings.Contains(said, deposit.MaskName(name)) {
				t.Errorf("%s is not told at all", name)
			}
		}
		if !strings.Contains(said, personName(2)) {
			t.Error("a company is not told whole")
		}
		for target, want := range map[string]RevealedAccount{"/v1/credits/" + credit: {personName(0), payerAccount(0), personName(0)}, targets[1]: {personName(0), payerAccount(0), personName(0)},
			"/v1/payee-changes/" + change: {"李四光", "6212000000000000999", personName(0)}} {
			var shown RevealedAccount
			if h.act(checker, target+"/reveal", `{"reason":"核对身份证"}`).want(200, "").into(&shown); shown != want {
				t.Errorf("%s: shown %+v", target, shown)
			}
		}
	})
}

// What is shown cannot be sent back as what is meant: nobody is called 张*. Where it can mean one alone, it means that.
func TestMaskedNamesAreNotWritten(t *testing.T) {
	h := local(t)
	h.lostBy(personName, 2)
	credit := h.key("SELECT id FROM entries WHERE serial = ?", creditSerial(1))
	order := `{"credit":"` + credit + `","payee_name":%q,"payee_account":%q,"evidence":"户口簿"}`
	h.act(clerk, "/v1/payee-changes", fmt.Sprintf(order, "李*", "6212000000000000999")).want(422, "payee_masked")
	h.act(clerk, "/v1/payee-changes", fmt.Sprintf(order, "李四光", "621200****0999")).want(422, "payee_masked")
	h.form(clerk, "/refunds/changes", "credit", credit, "payee_name", "李*", "payee_account", "6212000000000000999", "evidence", "户口簿").shows(422, "payee_masked")
	if h.count("payee_changes") != 0 {
		t.Error("a masked payee is kept")
	}
	named := func(name string, i int) string {
		return with(lineOf(i), `"bank":"line"`, `"bank":"line","bidder":"`+deposit.MaskName(personName(i))+`","payee_name":"`+name+`","payee_account":"`+masked(i)+`"`)
	}
	var refused RefusedList
	h.act(clerk, "/v1/refund-lists", listBody(department, "", named("李*", 0))).want(422, "list_refused").into(&refused)
	if len(refused.Faults) != 1 || refused.Faults[0].Code != "payee_masked" {
		t.Errorf("refused for %+v", refused.Faults)
	}
	h.act(clerk, "/v1/refund-lists", listBody(department, "", named("王*", 0), named("张*", 1))).want(201, "")
	paid, err := refund.LinesOfAccount(t.Context(), h.db, "line", lineParent)
	if err != nil || len(paid) != 2 {
		t.Fatalf("%d lines (%v)", len(paid), err)
	}
	for _, l := range paid {
		if want := map[string]string{payerAccount(0): personName(0), payerAccount(1): personName(1)}[l.PayeeAccount]; want == "" || l.PayeeName != want {
			t.Errorf("it goes to %s %s", l.PayeeName, l.PayeeAccount)
		}
	}
}

// Nor does a message tell one, whether its records could be read or not.
func TestMessagesAreMasked(t *testing.T) {
	h := local(t)
	h.json("PUT", "/v1/lots/LC-1", with(lot, "2026-06-20T09", "2026-06-12T09")).want(201, "")
	file := "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"
	for i, record := range []string{"800000.00,王建国", "8OO.00,李四光"} {
		amount, name, _ := strings.Cut(record, ",")
		file += fmt.Sprintf("%s,2026-06-12,2026-06-12 08:%02d:00,%s,,C,%s,%s,%s,聊城农商银行,,\n", creditSerial(i), i, lineParent, amount, name, payerAccount(i))
	}
	h.send("POST", "/v1/banks/line/statements", []byte(file)).want(201, "")
	h.happens("E1", `"kind":"opened","happened_at":"2026-06-12T09:30:00+08:00"`)
	var messages struct{ Messages []struct{ ID string } }
	h.get("/v1/messages").want(200, "").into(&messages)
	said := h.get("/v1/messages/"+messages.Messages[0].ID).want(200, "").Body.String()
	if strings.Contains(said, "王建国") || strings.Contains(said, "李四光") {
		t.Errorf("told whole in %s", said)
	}
	if !strings.Contains(said, "王*") || !strings.Contains(said, "李*") || !strings.Contains(said, "聊城农商银行") {
		t.Errorf("masked too much in %s", said)
	}
}
