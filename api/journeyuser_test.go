package api

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"depositd/platform/people"
)

// A person is invited by one administrator, sets the password and the second factor, gets the role from another, comes in with
// it; and the third administrator finds who did what.
func TestJourneyInvited(t *testing.T) {
	h := local(t)
	h.administrators()
	s := h.screenOf(systemAdmin)
	s.open("/users")
	s.fill("#add input[name=name]", "王新")
	s.fill("#add input[name=staff]", "N7")
	s.click("#add input[value=finance_maker]")
	s.sound("users")
	s.click("#add button.primary")
	s.sees("h1", "一次性口令")
	s.sound("invited")
	var invitation string
	s.do(chromedp.Text("#invitation", &invitation, chromedp.ByQuery))

	const password = "Shuicheng-Dongchang-88"
	s.open("/invitation")
	s.fill("input[name=token]", strings.TrimSpace(invitation))
	s.fill("input[name=password]", password)
	s.fill("input[name=again]", password)
	s.click("button.primary")
	s.sees("main", "未授予")
	s.click("form[action='/account/factor'] button")
	s.sees("main", "密钥只显示这一次")
	var key string
	s.do(chromedp.Text("p.raw", &key, chromedp.ByQuery))
	factor := people.Factor{Secret: strings.TrimSpace(key)}
	s.fill("input[name=code]", factor.Code(h.now))
	s.click("form[action='/account/factor/confirm'] button")
	s.sees("main", "已启用")
	s.click("form[action='/logout'] button")
	s.sees("h1", "登录")

	s.become(securityAdmin)
	s.open("/users?state=asked")
	s.sees("tbody", systemAdmin+" 申请")
	s.press("j")
	s.press(kb.Enter)
	s.sees("h1", "王新")
	s.sound("granting")
	s.click("button[value=grant]")
	s.gone("button[value=grant]")

	h.now = h.now.Add(time.Minute) // a code is good once
	s.open("/login")
	s.fill("input[name=name]", "王新")
	s.fill("input[name=password]", password)
	s.fill("input[name=code]", factor.Code(h.now))
	s.click("button.primary")
	s.sees("h1", "总览")

	s.become(auditAdmin)
	s.open("/audit")
	for _, told := range []string{"新增", "授予角色", "启用动态口令", "登录", "finance_maker"} {
		s.sees("tbody", told)
	}
	s.sound("audit")
}
