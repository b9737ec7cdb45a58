package api

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// misremitted is a morning on which the second bidder has paid into the first one's number: two lots of one opening that is over.
func (h *house) misremitted() {
	h.t.Helper()
	for i := range 2 {
		h.json("PUT", fmt.Sprintf("/v1/lots/LC-%d", i+1), with(with(lot, "2026-06-20T09", "2026-06-12T11"), "一标段", fmt.Sprint(i+1, "标段"))).want(201, "")
		h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":"LC-%d","bidder":%q,"bidder_account":%q,"bank":"line","sub_account":"%s-%06d","lease_from":"2026-06-01T00:00:00+08:00"}`,
			i+1, payerName(i), payerAccount(i), lineParent, i)).want(201, "")
	}
	h.send("POST", "/v1/banks/line/statements", fmt.Appendf(nil, "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"+
		"%s,2026-06-12,2026-06-12 09:08:00,%s,%s-000000,C,800000.00,%s,%s,聊城农商银行,投标保证金,\n", creditSerial(1), lineParent, lineParent, payerName(1), payerAccount(1))).want(201, "")
	if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	for i := range 2 {
		h.json("POST", "/v1/platform/events", fmt.Sprintf(`{"number":"O%d","lot":"LC-%d","kind":"opened","happened_at":"2026-06-12T11:05:00+08:00"}`, i, i+1)).want(201, "")
	}
	if err := h.server.Reconcile.CloseDay(context.Background(), "test", "2026-06-12"); err != nil {
		h.t.Fatal(err)
	}
}

// Finance settles a deposit that was paid into another bidder's number: found by the payer's name, looked at from both sides,
// confirmed by keys, put on a refund list, taken back and settled.
func TestJourneyMisremitted(t *testing.T) {
	h := local(t)
	h.misremitted()
	s := h.screenOf(maker)
	s.open("/")
	s.sees("main", "汇错子账号")
	s.sound("overview")
	s.open("/findings")
	s.press("/")
	s.fill("input[type=search]:focus", payerName(1))
	s.press(kb.Enter)
	s.sees("#queue", payerName(1))
	s.click(`.reasons a[href*="WRONG_SUB_ACCOUNT"]`)
	s.sees(".reasons a[aria-current]", "汇错子账号")
	s.press("j")
	s.press(kb.Enter)
	s.sees(".drawer tr.differs", payerName(0))
	s.sees(".drawer", "可信度高 100")
	s.sees(".drawer", "疑为 LC-2")
	s.sound("finding")

	s.press("a")
	s.fill(".drawer textarea:focus", "已电话核实，付款人确为二标段投标人")
	s.click(".drawer form[hx-post] button.primary")
	s.sees(".drawer .notice", "已确认")
	s.sees("#queue", "已说明")

	s.click(".drawer input[value=reopen]")
	s.fill(".drawer textarea", "意见写错，撤销")
	s.click(".drawer form[hx-post] button.primary")
	s.sees(".drawer .notice", "原记录保留")

	s.click(".drawer input[value=refund]")
	s.fill(".drawer textarea", "按汇错子账号退回")
	s.fill(".drawer input[name=payee_bank_code]", bankCode)
	s.click(".drawer form[hx-post] button.primary")
	s.sees(".drawer .notice", "已提出退付")
	s.sees(".drawer .trail", "名单 TF-")

	s.click(".drawer input[value=settle]")
	s.fill(".drawer textarea", "退付已列入名单")
	s.click(".drawer form[hx-post] button.primary")
	s.sees(".drawer .notice", "已办结")
	s.sees("#queue", "没有符合条件的差异")
	s.press(kb.Escape)
	s.gone(".drawer article")
	h.settledBy(maker, "已办结")
}

// settledBy holds what the journey left behind: each step a line of the audit trail by that person, and one refund.
func (h *house) settledBy(person, state string) {
	h.t.Helper()
	page, _, err := h.server.Reconcile.Findings(context.Background(), deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.WrongSubAccount})
	if err != nil || len(page) != 1 || reconcile.StateName[page[0].State] != state {
		h.t.Fatalf("%+v %v", page, err)
	}
	v, err := h.server.Reconcile.Finding(context.Background(), deposit.SightOfAll(), page[0].ID)
	if err != nil {
		h.t.Fatal(err)
	}
	var steps []string
	for _, step := range v.History {
		if step.Kind != reconcile.StepMoved {
			continue
		}
		steps = append(steps, step.Became)
		if step.By != person {
			h.t.Errorf("%s by %s", step.Became, step.By)
		}
	}
	if got := strings.Join(steps, " "); got != "EXPLAINED OPEN EXPLAINED SETTLED" {
		h.t.Errorf("the trail is %s", got)
	}
	lines, _, err := h.server.Refund.Lines(context.Background(), deposit.SightOfAll(), refund.LineQuery{})
	if err != nil || len(lines) != 1 || lines[0].EntryID != v.Credit {
		h.t.Errorf("%d refunds, %v", len(lines), err)
	}
}

// A department uploads a list with three bad rows, mends it and submits it; finance makes a batch of it, another checks it, the leader
// releases it; it partly fails, and what failed can be downloaded to be corrected.
func TestJourneyRefund(t *testing.T) {
	h := newHouse(t, "sqlite:"+t.TempDir()+"/deposit.db", with(banksYAML, "payout: gseries", "payout: delimited"))
	h.lost(5)
	folder := t.TempDir()
	file := func(name string, wrong ...int) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, filled(t, listRows(5, wrong...)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s := h.screenOf(clerk)
	s.open("/refunds")
	s.sees("main", payerName(4))
	s.sound("proposals")
	s.open("/refunds/due")
	s.sound("due")
	s.open("/refunds/upload")
	s.until(`(() => { document.querySelector('select[name=department]').value = '`+department+`'; return true; })()`, "no choice of departments")
	s.fill("input[name=reference]", "JS-0612")
	s.do(chromedp.SetUploadFiles("input[type=file]", []string{file("bad.xlsx", 0, 2, 3)}, chromedp.ByQuery))
	s.click("button[value=submit]")
	s.sees("#result", "3 行有误")
	s.sees("#result a[download]", "错误原因")
	s.sound("upload")
	s.do(chromedp.SetUploadFiles("input[type=file]", []string{file("good.xlsx")}, chromedp.ByQuery))
	s.click("button[value=check]")
	s.sees("#result", "5 行全部无误")
	s.click("button[value=submit]")
	s.sees("h1", "TF-20260612-01")
	s.sound("list")

	s.become(maker)
	s.open("/refunds/batches")
	s.click("input[data-all=line]")
	s.sound("batches")
	s.click("main form button.primary")
	s.sees("h1", "PC-20260612-01")
	for _, signer := range []struct{ person, act string }{{checker, "check"}, {releaser, "release"}} {
		s.become(signer.person)
		s.do(chromedp.Reload())
		s.fill("form[action$="+signer.act+"] input[name=count]", "5")
		s.fill("form[action$="+signer.act+"] input[name=total]", "4,000,000.00")
		s.sound(signer.act)
		s.click("form[action$=" + signer.act + "] button.primary")
		s.gone("form[action$=" + signer.act + "]")
	}
	s.sees("dd .tag", "已放行")
	h.partlyFailed()
	s.sees("#progress", "退付失败") // by itself
	s.do(chromedp.Reload())
	s.sees("main", "可重新提交 1 笔")
	s.sees("tbody", "账号户名不符")
	s.sound("batch")
}
