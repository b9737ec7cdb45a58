package api

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

// stays posts a form of an incident's page, and fails unless it sends back to that page.
func (h *house) stays(person, at string, i Incident, values url.Values) {
	h.t.Helper()
	if got := h.page(person, "POST", "/incidents/"+i.ID.String()+at, values); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/incidents/"+i.ID.String() {
		h.t.Fatalf("%s: %d to %s: %s", at, got.Code, got.Header().Get("Location"), got.Body)
	}
}

// recordOf is the incident as it is by now.
func (h *house) recordOf(i Incident) (r IncidentRecord) {
	h.t.Helper()
	h.get("/v1/incidents/"+i.ID.String()).want(200, "").into(&r)
	return r
}

// The list keeps its filters in its address, shows what is open at first, and leads by a number to its incident.
func TestIncidentsPage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.page(everybody, "GET", "/incidents", nil).shows(200, "没有符合条件的应急事件", "登记事件")
		i := h.open(outage)
		drill := h.open(`{"as":"it_dept","scenario":"4.2.1","title":"解密演练","drill":true,"deadlines":[{"event":"解密截止时间","at":"2026-06-12T12:30:00+08:00"}]}`)
		row := "<tr data-row"
		for query, rows := range map[string]int{"": 2, "?open=1&drill=0": 1, "?drill=1": 1, "?state=REPORTED&scenario=5.1.1": 1, "?level=level_1": 0, "?open=0&limit=1": 1, "?state=&level=&scenario=&drill=&department=&bank=&number=&open=1": 2, "?bank=open": 0} {
			got := h.page(everybody, "GET", "/incidents"+query, nil).shows(200)
			if n := strings.Count(got.Body.String(), row); n != rows {
				t.Errorf("%s shows %d", query, n)
			}
		}
		h.page(everybody, "GET", "/incidents", nil).shows(200, "【演练】YJ-2026-0002", "机房断电", "剩 30 分钟", "剩 1 小时 40 分钟", "1 小时")
		h.page(everybody, "GET", "/incidents?limit=1", nil).shows(200, "下一页", "limit=1")
		h.page(everybody, "GET", "/incidents?state=BROKEN", nil).shows(400, "state_unknown")
		if got := h.page(everybody, "GET", "/incidents?number=YJ-2026-0001", nil); got.Header().Get("Location") != "/incidents/"+i.ID.String() {
			t.Errorf("the number leads to %q", got.Header().Get("Location"))
		}
		h.page(everybody, "GET", "/incidents?number=YJ-2026-0009", nil).shows(200, "没有这个应急事件")
		h.page(everybody, "GET", "/incidents/"+drill.ID.String(), nil).shows(200, `class="drill"`, "演练：【演练】YJ-2026-0002")
		h.page(everybody, "GET", "/incidents/YJ-2026-0001", nil).shows(200, "机房断电", "没有规定级别")
		h.page(everybody, "GET", "/incidents/YJ-2026-0099", nil).shows(404, "incident_unknown")
		h.page(everybody, "GET", "/incidents/statistics", nil).shows(200, "5.1.1 网络、服务器中断服务", "2026-06", `<span class="tag warn">演练</span>`)
		h.page(everybody, "GET", "/?day=2026-06-12", nil).shows(200, "【演练】YJ-2026-0002", "/incidents/"+i.ID.String())
		peopletest.Person(t, h.db, "旁观", "", people.Auditor)
		if body := h.page("旁观", "GET", "/incidents/YJ-2026-0001", nil).shows(200).Body.String(); strings.Contains(body, "<form method=\"post\"") || strings.Contains(body, "hx-post") {
			t.Error("an auditor is offered a form")
		}
	})
}

// One incident by forms alone, without a script: each does what its JSON twin does, and refuses by the same words.
func TestIncidentPageWithoutScript(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.staff()
		order := url.Values{"as": {"it_dept"}, "scenario": {"4.2.1"}, "title": {"无法解密"}, "account": {"line/" + lineParent}, "began_at": {"2026-06-12T11:00"}, "event": {"解密截止时间"}, "event_at": {"2026-06-12T13:00:00"},
			"reference": {"页面-1"}}
		h.page("值班员", "GET", "/incidents/new", nil).shows(200, "登记事件", `value="line/`+lineParent, "解密截止时间")
		h.page("值班员", "GET", "/incidents/new?drill=1", nil).shows(200, `class="drill"`, `name="drill" value="1"`)
		h.page("值班员", "POST", "/incidents", url.Values{"as": {"it_dept"}, "scenario": {"4.2.1"}}).shows(400, "field_missing")
		first := h.page("值班员", "POST", "/incidents", order)
		if again := h.page("值班员", "POST", "/incidents", order); first.Code != http.StatusSeeOther || again.Header().Get("Location") != first.Header().Get("Location") {
			t.Fatalf("%d to %q, again to %q: %s", first.Code, first.Header().Get("Location"), again.Header().Get("Location"), first.Body)
		}
		var i Incident
		h.get("/v1/incidents/YJ-2026-0001").want(200, "").into(&i)
		if i.Bank != "line" || i.ParentAccount != lineParent || i.BeganAt.Hour() != 11 {
			t.Errorf("opened is %+v", i)
		}
		h.stays("某it_dept_head", "/signatures", i, url.Values{"act": {"grade"}, "as": {"it_dept_head"}, "level": {"level_1"}, "text": {"部分\r\n受阻"}, "version": {fmt.Sprint(i.Version)}})
		h.page("某it_dept_head", "POST", "/incidents/YJ-2026-0001/signatures", url.Values{"act": {"confirm"}, "as": {"it_dept_head"}, "text": {"确认"}, "version": {"1"}}).shows(409, "changed_meanwhile")
		h.page("值班员", "POST", "/incidents/YJ-2026-0001/signatures", url.Values{"act": {"confirm"}, "as": {"working_group"}, "text": {"确认"}, "version": {"2"}}).shows(403, "office_not_held")
		h.page("某人", "GET", "/incidents/YJ-2026-0001", nil).shows(200, "部分 受阻", "尚待", "由您签署", "剩 1 小时")
		h.stays("值班员", "/steps", i, url.Values{"as": {"it_dept"}, "step": {"4.2.1/1/1"}, "act": {"start"}, "version": {"1"}})
		h.page("值班员", "POST", "/incidents/YJ-2026-0001/steps", url.Values{"as": {"it_dept"}, "step": {"4.2.1/1/1"}, "act": {"skip"}, "version": {"2"}}).shows(422, "text_missing")
		h.stays("值班员", "/deadlines", i, url.Values{"as": {"it_dept"}, "event": {"解密截止时间"}, "event_at": {"2026-06-12T14:00"}})
		h.stays("值班员", "/notes", i, url.Values{"as": {"it_dept"}, "text": {"已致电"}})
		h.stays("值班员", "/actions", i, url.Values{"as": {"it_dept"}, "text": {"更换电池"}, "owner": {"信息技术科"}, "due_on": {"2026-07-01"}})
		r := h.recordOf(i)
		h.stays("值班员", "/actions/"+r.Actions[0].ID.String(), i, url.Values{"as": {"it_dept"}, "act": {"finish"}, "text": {"已更换"}, "version": {"1"}})
		h.page("值班员", "POST", "/incidents/YJ-2026-0001/backfills", url.Values{"as": {"it_dept"}, "text": {"补"}, "records": {"3"}, "from": {"2026-06-12T11:00"}, "to": {"2026-06-12T12:00"}}).shows(409, "state_forbids")
		h.attaches(i)
		r = h.recordOf(i)
		if r.Level != "level_1" || r.Deadlines[0].At.Hour() != 14 || r.Actions[0].State != "DONE" || r.Steps[0].State != incident.StepStarted || len(r.Evidence) != 2 {
			t.Errorf("it has become %+v", r)
		}
	})
}

// attaches adds evidence in words and figures, and a file.
func (h *house) attaches(i Incident) {
	h.t.Helper()
	for _, file := range []string{"", "回单.html"} {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for _, field := range [][2]string{{"as", "it_dept"}, {"step", "4.2.1/1/1"}, {"text", "解密日志" + file}, {"number_name", map[bool]string{true: "失败"}[file == ""]}, {"number_value", map[bool]string{true: "7 家"}[file == ""]}} {
			_ = w.WriteField(field[0], field[1])
		}
		part, _ := w.CreateFormFile("file", file)
		_, _ = part.Write([]byte(map[bool]string{false: "<script>alert(1)</script>"}[file == ""]))
		_ = w.Close()
		request := httptest.NewRequest("POST", "/incidents/"+i.ID.String()+"/evidence", &body)
		request.Header.Set("Content-Type", w.FormDataContentType())
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie("值班员")})
		if got := h.play(request); got.Code != http.StatusSeeOther {
			h.t.Fatalf("%q: %d %s", file, got.Code, got.Body)
		}
	}
	h.page("值班员", "GET", "/incidents/"+i.ID.String(), nil).shows(200, "解密日志", "7 家", "回单.html", "/files/")
	request := httptest.NewRequest("POST", "/incidents/"+i.ID.String()+"/evidence", strings.NewReader("--x\r\nhalf"))
	request.Header.Set("Content-Type", fileType+"; boundary=x")
	request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie("值班员")})
	h.play(request).shows(400, "form_malformed")
}

// A part that is asked for again tells how limits stand and what has come since, and leaves what is being written alone.
func TestIncidentPagePolls(t *testing.T) {
	h := local(t)
	i := h.open(outage)
	at := "/incidents/" + i.ID.String()
	h.page("值班员", "GET", at, nil).shows(200, "<html", at+"?after=1", "剩 1 小时 40 分钟")
	h.now = h.now.Add(90 * time.Minute)
	h.act("值班员", "/v1/incidents/"+i.Number+"/notes", `{"as":"it_dept","text":"已致电"}`).want(200, "")
	part := h.page("值班员", "GET", at+"?after=1", nil, "HX-Request", "true").shows(200, "剩 10 分钟", "tag warn", "有 1 条新记录", at+"?after=1")
	if strings.Contains(part.Body.String(), "<html") || strings.Contains(part.Body.String(), "<form") {
		t.Errorf("the part is %s", part.Body)
	}
	h.now = h.now.Add(15 * time.Minute)
	h.page("值班员", "GET", at+"?after=2", nil, "HX-Request", "true").shows(200, "超过 5 分钟")
	h.page("值班员", "GET", at+"?after=x", nil).shows(400, "parameter_malformed")
	got := h.page("值班员", "POST", at+"/notes", url.Values{"as": {"it_dept"}, "text": {"再致电"}}, "HX-Request", "true").shows(200, "已记入时间线", "再致电")
	if strings.Contains(got.Body.String(), "<html") {
		t.Error("a whole page came for a part")
	}
}

// What freezes the account is told to those who may see it, and made and lifted by those who may; a drill freezes nothing.
func TestIncidentPageFreezes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		i := h.open(`{"as":"it_dept","scenario":"4.6.3","title":"批量退付失败","bank":"line","parent_account":"` + lineParent + `"}`)
		at := "/incidents/" + i.ID.String()
		if body := h.page("值班员", "GET", at, nil).shows(200).Body.String(); strings.Contains(body, "退付冻结") {
			t.Error("an operator, who may not see freezes, does")
		}
		h.page(maker, "GET", at, nil).shows(200, "退付冻结", "应急事件", "解除冻结")
		h.page("值班员", "POST", at+"/freezes", url.Values{"reason": {"核对"}}).shows(403, "role_missing")
		var standing FreezeList
		h.get("/v1/refund-freezes").want(200, "").into(&standing)
		lift := "/freezes/" + standing.Freezes[0].ID.String() + "/lift"
		h.page(maker, "POST", at+lift, url.Values{"version": {"9"}, "note": {"核实"}}).shows(409, "changed_meanwhile")
		h.stays(maker, lift, i, url.Values{"version": {"1"}, "note": {"核实无误"}})
		h.page(maker, "GET", at, nil).shows(200, "未冻结")
		h.stays(maker, "/freezes", i, url.Values{"reason": {"再核对"}})
		h.page(maker, "GET", at, nil).shows(200, "人工停付", "再核对")
		drill := h.open(`{"as":"it_dept","scenario":"4.6.3","title":"演练","drill":true,"bank":"line","parent_account":"` + lineParent + `"}`)
		h.page(maker, "POST", "/incidents/"+drill.ID.String()+"/freezes", url.Values{"reason": {"演练"}}).shows(409, "drill_freezes_nothing")
		h.page(maker, "GET", "/incidents/"+drill.ID.String(), nil).shows(200, "演练不冻结退付")
	})
}
