package api

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
	"depositd/refund"
)

// The several persons whom the plan takes, with what lets them sign.
const (
	operator  = "值班员"
	itHead    = "科长刘涛"
	deputy    = "分管领导赵卫"
	principal = "主要负责人孙立"
)

// stuck is a morning on which a released batch does not reach its bank: the service sees it and opens an incident.
func (h *house) stuck() {
	h.t.Helper()
	peopletest.Person(h.t, h.db, operator, "", people.ITOperator)
	peopletest.Person(h.t, h.db, itHead, "", people.ITOperator, people.Head)
	peopletest.Person(h.t, h.db, deputy, "", people.Leader)
	peopletest.Person(h.t, h.db, principal, "", people.Leader)
	h.released(3)
	b, err := h.server.Banks.Bank("line")
	if err != nil {
		h.t.Fatal(err)
	}
	cut := *b
	cut.Reach = bank.Reach{URL: "tcp://127.0.0.1:1", Timeout: time.Second} // nobody listens there
	line, err := bank.NewLine(&cut, h.db.Now, nil)
	if err == nil {
		_, err = h.server.Refund.SendDue(context.Background(), "sender", b, func(ctx context.Context, _ *bank.Bank, _ string, raw []byte) ([]byte, error) {
			return line.Exchange(ctx, raw)
		})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.now = h.now.Add(130 * time.Minute)
	h.watched()
}

// watched has the service look at its refunds.
func (h *house) watched() {
	h.t.Helper()
	seen, err := h.server.Refund.Watch(context.Background())
	if err == nil {
		_, err = h.server.Incident.Survey(context.Background(), "watch", refund.WatchedCodes(), seen)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// signs has a person sign an act on the page that is before them, as an office if there are several.
func (s *screen) signs(person string, act incident.Act, office, opinion string) {
	s.t.Helper()
	s.now = s.now.Add(time.Minute)
	s.become(person)
	s.do(chromedp.Reload())
	form := `.signings form:has(input[name=act][value=` + string(act) + `])`
	s.until(`(() => { const f = document.querySelector(`+quoted(form)+`); if (!f) return false; f.closest('details').open = true; const as = f.elements.as; if (as.tagName === 'SELECT') as.value = `+quoted(office)+`; return as.value === `+quoted(office)+`; })()`,
		person+" cannot sign "+string(act)+" as "+office)
	s.fill(form+" textarea", opinion)
	s.click(form + " button.primary")
	s.sees(".notice.good", "已签署")
	s.sees(".signings + h3 + .trail", opinion)
}

// The working group walks 4.6.3 to its review: the service finds a batch that does not reach the bank and freezes its account, the
// level is set, the event confirmed and assessed, the plan declared, the checklist worked off by those whom it names, the plan
// ended, recovery confirmed, data backfilled, the record filed and reviewed – each by the persons it takes.
func TestJourneyIncident(t *testing.T) {
	h := local(t)
	h.stuck()
	s := h.screenOf(operator)
	s.open("/incidents")
	s.sees("tbody", "批量退付不成功")
	s.sound("incidents")
	s.press("j")
	s.press(kb.Enter)
	s.sees("h1", "YJ-2026-0001")
	s.sees(".pairs div", "建议级别一级应急响应")
	s.sees(".exhibits", "连接不上银行")
	s.gone(".exhibits a") // an operator sees no refunds
	s.sound("incident")

	s.signs(itHead, incident.Grade, "it_dept_head", "部分模块故障超过两小时")
	s.sees(".pairs .tag.warn", "一级应急响应")
	s.signs(itHead, incident.Confirm, "it_dept_head", "专线不通，确认")
	s.sees(".signings", "尚待应急工作小组")
	s.signs(deputy, incident.Confirm, "working_group", "同意确认")
	s.sees(".phases .now", "已确认")
	s.signs(itHead, incident.Assess, "it_dept_head", "暂不能确定持续时间")
	s.signs(deputy, incident.Assess, "working_group_head", "确认为应急事件")
	s.signs(itHead, incident.Activate, "it_dept_head", "启动预案")
	h.now = h.now.Add(5 * time.Minute)
	s.signs(principal, incident.Activate, "leading_group_head", "宣布启动")
	s.sees(".phases .now", "预案启动中")
	s.sound("incident-activated")

	s.become(operator)
	s.do(chromedp.Reload())
	s.fill("form[action$=notes] input[name=text]", "已致电专线银行")
	s.click("form[action$=notes] button")
	s.sees(".notice.good", "已记入时间线")
	s.walks(maker, "4.6.3/2/2.1", "general_dept", "银行确认专线中断，三笔均未付，名单已核对")
	h.now = h.now.Add(40 * time.Minute)
	s.become(maker)
	s.do(chromedp.Reload())
	s.sees(".stack .notice", "应急事件")
	s.sees(".exhibits a", "打开该批次")
	s.fill("form[action$=lift] input[name=note]", "专线已恢复，恢复发送")
	s.click("form[action$=lift] button")
	s.sees(".notice.good", "已解除冻结")
	s.sees(".stack", "退付照常发送")
	h.pay(banksim.Always(banksim.Pays))
	h.watched()
	s.signs(principal, incident.End, "leading_group_head", "专线恢复，结束预案")
	s.signs(itHead, incident.Recover, "working_group", "退付已发出，恢复正常")
	s.sees(".phases .now", "已恢复")
	s.backfills(operator)
	s.signs(operator, incident.File, "it_dept", "备案")
	s.signs(deputy, incident.Review, "working_group", "预案与实际相符，须增加备用线路")
	s.signs(principal, incident.Review, "leading_group_head", "同意")
	s.sees(".phases .now", "已回顾")
	s.sound("incident-reviewed")
	s.onA4("incident")
	s.become(maker)
	s.open("/incidents/statistics")
	s.sees("tbody", "投标保证金无法正常退付")
	s.sound("incident-statistics")
	h.walked()
}

// onA4 prints the page and holds every sheet of it to A4 upright, with no form on it.
func (s *screen) onA4(name string) {
	s.t.Helper()
	var sheets []byte
	var forms int
	s.do(emulation.SetEmulatedMedia().WithMedia("print"), chromedp.Evaluate(`[...document.querySelectorAll('form, button, summary')].filter(e => e.checkVisibility()).length`, &forms),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			sheets, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).Do(ctx)
			return err
		}))
	if shots != "" {
		var picture []byte
		s.do(emulation.SetDeviceMetricsOverride(794-90, 1123, 1, false), chromedp.CaptureScreenshot(&picture))
		if err := os.WriteFile(filepath.Join(shots, name+"-a4.png"), picture, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.do(emulation.SetEmulatedMedia().WithMedia(""), emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
	boxes := regexp.MustCompile(`/MediaBox \[0 0 59[45]\.?[0-9]* 84[12]\.?[0-9]*\]`).FindAll(sheets, -1)
	if all := bytes.Count(sheets, []byte("/MediaBox")); all == 0 || len(boxes) != all || forms > 0 {
		s.t.Errorf("%s: %d sheets, %d of them A4 upright; %d forms and buttons are printed", name, all, len(boxes), forms)
	}
}

// A drill is opened by a form, bears its banner wherever it is shown, and freezes nothing.
func TestJourneyDrill(t *testing.T) {
	h := local(t)
	h.stuck()
	s := h.screenOf(operator)
	s.open("/incidents/new?drill=1")
	s.sees(".drill", "演练")
	s.until(`(() => { const f = document.querySelector('main form'); for (const [k, v] of [['scenario','4.2.1'], ['account','line/`+lineParent+`'], ['event','解密截止时间'], ['event_at','2026-06-12T14:40:00']]) f.elements[k].value = v; return true; })()`, "no form")
	s.fill("input[name=title]", "年度解密演练")
	s.fill("input[name=lot]", "LC-404")
	s.click("main form button.primary")
	s.sees("#complaint", "lot_unknown")
	s.fill("input[name=lot]", "")
	s.sound("incident-new")
	s.click("main form button.primary")
	s.sees("h1", "【演练】YJ-2026-0002")
	s.sees(".drill", "【演练】YJ-2026-0002")
	s.sees("#limits", "剩 30 分钟")
	s.press("j")
	s.press("j")
	s.press(kb.Enter)
	s.until(`!!document.querySelector('tr.at details[open] form')`, "the step's form is not open")
	s.sound("drill")
	h.now = h.now.Add(2 * time.Minute)
	h.act(itHead, "/v1/incidents/YJ-2026-0002/notes", `{"as":"it_dept","text":"开始计时"}`).want(200, "")
	s.fill("tr.at input[name=text]", "正在写的")
	s.do(chromedp.Evaluate(`document.dispatchEvent(new Event('visibilitychange'))`, nil)) // as when the tab comes back
	s.sees("#limits", "剩 28 分钟")
	s.sees("#limits .notice", "有 1 条新记录")
	s.until(`document.querySelector('tr.at input[name=text]').value === '正在写的'`, "what was being written is lost")
	s.become(maker)
	s.open("/")
	s.sees("#incidents", "未结束 2 起")
	s.sees("tbody", "【演练】YJ-2026-0002")
	s.sound("overview-incidents")
}

// walks has a person end a step of the checklist, which is reached by keys.
func (s *screen) walks(person, step, office, outcome string) {
	s.t.Helper()
	s.become(person)
	s.do(chromedp.Reload())
	form := `.checklist form:has(input[name=step][value="` + step + `"])`
	s.until(`(() => { const f = document.querySelector(`+quoted(form)+`); if (!f) return false; f.closest('details').open = true; return f.elements.as.value === `+quoted(office)+`; })()`,
		person+" is not offered "+step+" as "+office)
	s.fill(form+" input[name=text]", outcome)
	s.click(form + " button.primary")
	s.sees(".notice.good", "步骤已登记")
	s.sees(".checklist .outcome", outcome)
}

// backfills has a person enter what was done by hand, and what is to be mended.
func (s *screen) backfills(person string) {
	s.t.Helper()
	s.become(person)
	s.do(chromedp.Reload())
	set := func(form string, values ...string) {
		s.until(`(() => { const f = document.querySelector('form[action$="/`+form+`"]'); if (!f) return false; f.closest('details').open = true; for (const [k, v] of [`+strings.Join(values, ",")+`]) f.elements[k].value = v; f.requestSubmit(); return true; })()`,
			"there is no form of "+form)
	}
	set("backfills", `['text','人工登记的三笔退付']`, `['records','3']`, `['from','2026-06-12T12:00:00']`, `['to','2026-06-12T14:50:00']`)
	s.sees(".notice.good", "补录已登记")
	set("actions", `['text','增加备用线路']`, `['owner','信息技术科']`, `['due_on','2026-07-01']`)
	s.sees(".notice.good", "整改事项已登记")
}

// walked holds what the journey left behind.
func (h *house) walked() {
	h.t.Helper()
	var r IncidentRecord
	h.get("/v1/incidents/YJ-2026-0001").want(200, "").into(&r)
	var acts []string
	for _, x := range r.Signatures {
		acts = append(acts, string(x.Act)+":"+x.Person)
	}
	want := "grade:" + itHead + " confirm:" + itHead + " confirm:" + deputy + " assess:" + itHead + " assess:" + deputy + " activate:" + itHead + " activate:" + principal +
		" end:" + principal + " recover:" + itHead + " file:" + operator + " review:" + deputy + " review:" + principal
	if got := strings.Join(acts, " "); got != want {
		h.t.Errorf("signed by\n%s\nwant\n%s", got, want)
	}
	var frozen FreezeList
	if h.get("/v1/refund-freezes").want(200, "").into(&frozen); r.State != incident.Reviewed || len(r.Backfills) != 1 || len(r.Actions) != 1 || len(frozen.Freezes) != 0 {
		h.t.Errorf("it is %s, %d backfills, %d actions, frozen %v", r.State, len(r.Backfills), len(r.Actions), frozen)
	}
}
