package api

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"mime"
	"strings"
	"testing"
	"time"

	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

const outage = `{"as":"it_dept","scenario":"5.1.1","title":"机房断电","scope":"WHOLE","reference":"值班-7","began_at":"2026-06-12T11:00:00+08:00"}`

// staff makes accounts for those who act on incidents: the operators of the IT department, and the leaders, who everybody else is.
func (h *house) staff() {
	h.t.Helper()
	peopletest.Person(h.t, h.db, "值班员", "", people.ITOperator)
	peopletest.Person(h.t, h.db, "某it_dept", "", people.ITOperator)
	peopletest.Person(h.t, h.db, "某it_dept_head", "", people.ITOperator, people.Head)
	peopletest.Person(h.t, h.db, "科员", "建设工程科", people.Department)
}

// open opens an incident by a person's word.
func (h *house) open(body string) (i Incident) {
	h.t.Helper()
	h.staff()
	h.act("值班员", "/v1/incidents", body).want(201, "").into(&i)
	return i
}

// signed has an act signed as an office by a person of its own.
func (h *house) signed(i Incident, act incident.Act, office, more string) (next Incident) {
	h.t.Helper()
	h.act("某"+office, "/v1/incidents/"+i.ID.String()+"/signatures", fmt.Sprintf(`{"as":%q,"version":%d,"act":%q,"text":"同意"%s}`, office, i.Version, act, more)).want(200, "").into(&next)
	return next
}

// One incident over HTTP, from the report to the review and its exports.
func TestIncidentOverHTTP(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		i := h.open(outage)
		if again := h.open(outage); again.ID != i.ID || i.Number != "YJ-2026-0001" || i.SuggestedLevel != "" {
			t.Fatalf("opened %+v, again %+v", i, again)
		}
		at := "/v1/incidents/" + i.Number
		i = h.signed(i, incident.Grade, "it_dept_head", `,"level":"level_1"`)
		i = h.signed(i, incident.Confirm, "it_dept_head", "")
		h.act("某it_dept_head", at+"/signatures", fmt.Sprintf(`{"as":"it_dept","version":%d,"act":"confirm","text":"同意"}`, i.Version)).want(403, "office_may_not")
		var r IncidentRecord
		h.get(at).want(200, "").into(&r)
		if !r.Suggestion.Gap || !strings.Contains(r.Suggestion.Why, "没有规定级别") || len(r.Pending) != 4 || r.Pending[1].Act != incident.Confirm || len(r.Pending[1].Missing) != 1 || r.Pending[1].Missing[0].Name != "应急工作小组" {
			t.Errorf("pending are %+v", r.Pending)
		}
		i = h.signed(i, incident.Confirm, "working_group", "")
		i = h.signed(i, incident.Assess, "it_dept_head", "")
		i = h.signed(i, incident.Assess, "working_group_head", "")
		i = h.signed(i, incident.Activate, "it_dept_head", `,"at":"2026-06-12T12:00:00+08:00"`)
		h.now = h.now.Add(10 * time.Minute)
		i = h.signed(i, incident.Activate, "leading_group", "")
		for n := range 5 {
			h.act("值班员", at+"/steps", fmt.Sprintf(`{"as":"it_dept","step":"5.1.1/1/%d","version":1,"act":"finish","text":"已处理"}`, n+1)).want(200, "")
		}
		h.act("值班员", at+"/evidence", `{"as":"it_dept","step":"5.1.1/1/2","text":"=cmd 供电记录","numbers":[{"name":"断电","value":"47 分钟"}]}`).want(201, "")
		var x IncidentEvidence
		h.as("值班员", "POST", at+"/files?as=it_dept&name=%E5%9B%9E%E5%8D%95.html&step=5.1.1/1/4", "text/html", "<script>alert(1)</script>").want(201, "").into(&x)
		h.act("值班员", at+"/notes", `{"as":"it_dept","text":"已电话告知各科室"}`).want(200, "")
		i = h.signed(i, incident.End, "leading_group_head", "")
		i = h.signed(i, incident.Recover, "working_group", "")
		h.act("值班员", at+"/backfills", `{"as":"it_dept","text":"人工登记的到账","records":3,"from":"2026-06-12T11:00:00+08:00","to":"2026-06-12T12:00:00+08:00"}`).want(201, "")
		var a IncidentAction
		h.act("值班员", at+"/actions", `{"as":"it_dept","text":"更换电池","owner":"信息技术科","due_on":"2026-07-01"}`).want(201, "").into(&a)
		i = h.signed(i, incident.File, "it_dept", "")
		i = h.signed(i, incident.Review, "leading_group", "")
		i = h.signed(i, incident.Review, "working_group", "")
		h.act("值班员", at+"/actions/"+a.ID.String()+"/moves", `{"as":"it_dept","act":"finish","version":1,"text":"已更换"}`).want(200, "").into(&a)
		if i.State != incident.Reviewed || i.NoticeStartAt == nil || a.StateName != "已完成" {
			t.Errorf("reviewed it is %+v, the action %+v", i, a)
		}
		h.get(at).want(200, "").into(&r)
		var later IncidentTimeline
		h.get(at+"/timeline?after=3").want(200, "").into(&later)
		if len(later.Entries) != len(r.Timeline)-3 || later.Entries[0].Seq != 4 {
			t.Errorf("after the third of %d there are %d", len(r.Timeline), len(later.Entries))
		}
		file := h.get(at+"/files/"+x.ID.String()).want(200, "")
		kind, params, err := mime.ParseMediaType(file.Header().Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] != "回单.html" || file.Header().Get("Content-Type") != "application/octet-stream" || file.Body.String() != "<script>alert(1)</script>" {
			t.Errorf("the file came as %s %v %s", kind, params, file.Header())
		}
		h.exports(at, "已电话告知各科室", "=cmd 供电记录", "断电：47 分钟", "机房断电", "更换电池", "人工登记的到账")
		var figures IncidentStatistics
		h.get("/v1/incidents/statistics?from=2026-06-01").want(200, "").into(&figures)
		if len(figures.Tallies) != 1 || figures.Tallies[0].Activate.Most != 10*60 {
			t.Errorf("the figures are %+v", figures)
		}
	})
}

// exports holds the page and the workbook to what they have to say.
func (h *house) exports(at string, says ...string) {
	h.t.Helper()
	page := h.get(at+"/export.html").want(200, "").Body.String()
	book := h.get(at+"/export.xlsx").want(200, "").Body.Bytes()
	zipped, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		h.t.Fatal(err)
	}
	strings1, err := zipped.Open("xl/sharedStrings.xml")
	if err != nil {
		h.t.Fatal(err)
	}
	cells, err := io.ReadAll(strings1)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, text := range says {
		if !strings.Contains(page, text) || !bytes.Contains(cells, []byte(text)) {
			h.t.Errorf("an export does not say %s: page %v, book %v", text, strings.Contains(page, text), bytes.Contains(cells, []byte(text)))
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http") {
		h.t.Error("the page runs or loads something")
	}
}

// Nobody acts without a name, and what is wrong is told.
func TestIncidentRefusals(t *testing.T) {
	h := local(t)
	i := h.open(outage)
	at := "/v1/incidents/" + i.ID.String()
	h.act("", "/v1/incidents", outage).want(401, "unauthenticated")
	h.act("值班员", "/v1/incidents", `{"as":"it_dept","scenario":"9.9","title":"x"}`).want(422, "scenario_unknown")
	h.act("某人", "/v1/incidents", `{"as":"king","scenario":"5.1.1","title":"x"}`).want(422, "office_unknown")
	h.act("值班员", "/v1/incidents", `{"as":"it_dept","scenario":"5.1.1","title":"x","bank":"open","parent_account":"1"}`).want(422, "parent_account_unknown")
	h.act("值班员", "/v1/incidents", `{"as":"it_dept","scenario":"5.1.1","title":"x","lot":"LC-404"}`).want(404, "")
	h.act("某人", "/v1/incidents", `{"scenario":"5.1.1","title":"x"}`).want(400, "field_missing")
	h.act("值班员", at+"/signatures", `{"as":"it_dept","version":1,"act":"confirm","text":"同意"}`).want(409, "level_missing")
	h.act("某it_dept_head", at+"/signatures", `{"as":"it_dept_head","version":7,"act":"grade","level":"level_1","text":"同意"}`).want(409, "changed_meanwhile")
	h.act("科员", at+"/signatures", `{"as":"construction_dept","version":1,"act":"grade","level":"level_1","text":"同意"}`).want(403, "office_may_not")
	h.act("值班员", at+"/steps", `{"as":"it_dept","step":"5.1.1/1/2","version":1,"act":"finish"}`).want(409, "step_out_of_order")
	h.act("值班员", at+"/branch", `{"as":"it_dept","version":1,"branch":"2"}`).want(422, "branch_unknown")
	h.act("值班员", at+"/actions/0000000000002/moves", `{"as":"it_dept","act":"finish","version":1,"text":"x"}`).want(404, "action_unknown")
	h.get("/v1/incidents/YJ-2026-0099").want(404, "incident_unknown")
	h.get("/v1/incidents?state=BROKEN").want(400, "state_unknown")
	h.get("/v1/incidents?cursor=x").want(400, "cursor_malformed")
	h.get(at+"/files/0000000000002").want(404, "evidence_unknown")
	h.as("值班员", "POST", at+"/files?as=it_dept", "text/plain", "x").want(400, "field_missing")
	h.as("值班员", "POST", at+"/files?as=it_dept&name=x", "text/plain", strings.Repeat("x", maxFile+1)).want(413, "body_too_large")
}

// Which of a scenario's cases it is, and when what its limits count from will be, is said once it is known.
func TestIncidentBecomesClearer(t *testing.T) {
	h := local(t)
	i := h.open(`{"as":"it_dept","scenario":"4.6.1","title":"子账号不能入账"}`)
	at := "/v1/incidents/" + i.ID.String()
	h.act("值班员", at+"/branch", fmt.Sprintf(`{"as":"it_dept","version":%d,"branch":"2"}`, i.Version)).want(200, "").into(&i)
	if i.Branch != "2" {
		t.Errorf("it is case %q", i.Branch)
	}
	h.act("值班员", at+"/branch", `{"as":"it_dept","version":1,"branch":"1"}`).want(409, "changed_meanwhile")
	h.act("值班员", at+"/deadlines", `{"as":"it_dept","deadlines":[{"event":"开标时间","at":"2026-06-12T14:00:00+08:00"}]}`).want(200, "")
}

// Nobody acts as what he is not: offices follow the account's roles and department.
func TestOffices(t *testing.T) {
	h := local(t)
	i := h.open(outage)
	at := "/v1/incidents/" + i.ID.String()
	peopletest.Person(t, h.db, "科长", "建设工程科", people.Department, people.Head)
	for _, c := range []struct {
		person, office string
		holds          bool
	}{
		{"某it_dept_head", "it_dept_head", true}, {"某it_dept_head", "it_dept", true}, {"某it_dept_head", "working_group", true}, {"某it_dept_head", "working_group_head", false}, {"某it_dept_head", "leading_group", false},
		{"科长", "construction_dept", true}, {"科长", "working_group", true}, {"科长", "it_dept_head", false}, {"科长", "procurement_dept", false},
		{"值班员", "it_dept", true}, {"值班员", "it_dept_head", false}, {"值班员", "working_group", false}, {"值班员", "general_dept", false}, {"值班员", "project_lead", true},
		{"科员", "construction_dept", true}, {"科员", "procurement_dept", false}, {"科员", "leading_group_head", false}, {"科员", "it_dept_head", false},
		{everybody, "leading_group", true}, {everybody, "working_group_head", true}, {everybody, "general_dept", true}, {everybody, "finance", true}, {everybody, "it_dept", false},
	} {
		status, code := 200, ""
		if !c.holds {
			status, code = 403, "office_not_held"
		}
		h.act(c.person, at+"/notes", fmt.Sprintf(`{"as":%q,"text":"我是 %s %s"}`, c.office, c.person, c.office)).want(status, code)
	}
	h.as("科员", "POST", at+"/files?as=leading_group&name=x", "text/plain", "x").want(403, "office_not_held")
	h.act("科员", "/v1/incidents", outage).want(403, "office_not_held")
}

// An incident about a lot is its department's: for another one it is not there, whatever is asked.
func TestIncidentsOfOtherDepartments(t *testing.T) {
	h := local(t)
	h.staff()
	peopletest.Person(t, h.db, "采购员", "政府采购科", people.Department)
	h.json("PUT", "/v1/lots/LC-1", lot).want(201, "") // 建设工程科
	i := h.open(`{"as":"it_dept","scenario":"4.6.2","title":"迟到的保证金","lot":"LC-1"}`)
	outage := h.open(outage)
	if i.Department != "建设工程科" {
		t.Errorf("it is the department's %s", i.Department)
	}
	for name, sees := range map[string]int{"科员": 2, "采购员": 1, "值班员": 2, everybody: 2} {
		var page IncidentPage
		h.as(name, "GET", "/v1/incidents", "", "").want(200, "").into(&page)
		if len(page.Incidents) != sees {
			t.Errorf("%s sees %d", name, len(page.Incidents))
		}
	}
	for _, at := range []string{i.ID.String(), i.Number} {
		for _, of := range []string{"", "/timeline", "/export.html", "/export.xlsx", "/files/0000000000002"} {
			h.as("采购员", "GET", "/v1/incidents/"+at+of, "", "").want(404, "incident_unknown")
		}
		h.act("采购员", "/v1/incidents/"+at+"/notes", `{"as":"procurement_dept","text":"x"}`).want(404, "incident_unknown")
	}
	h.as("采购员", "GET", "/v1/incidents/"+outage.Number, "", "").want(200, "")
	h.act("采购员", "/v1/incidents", `{"as":"procurement_dept","scenario":"4.6.2","title":"x","lot":"LC-1"}`).want(404, "lot_unknown")
}

// The platform reports under a reference; a drill bears its mark wherever it is shown, and freezes nothing.
func TestPlatformReportsAndDrills(t *testing.T) {
	h := local(t)
	h.staff()
	h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
	h.json("POST", "/v1/platform/incidents", `{"scenario":"4.2.1","title":"无法解密"}`).want(400, "field_missing")
	var i Incident
	h.json("POST", "/v1/platform/incidents", `{"scenario":"4.2.1","title":"无法解密","reference":"P-1","lot":"LC-1","deadlines":[{"event":"解密截止时间","at":"2026-06-12T13:00:00+08:00"}]}`).want(201, "").into(&i)
	if i.Source != incident.FromPlatform || i.Lot != "LC-1" {
		t.Errorf("the platform's is %+v", i)
	}
	var r IncidentRecord
	h.get("/v1/incidents/"+i.Number).want(200, "").into(&r)
	if len(r.Limits) != 2 || r.Limits[0].Left == nil || *r.Limits[0].Left != 3600 {
		t.Errorf("the limits are %+v", r.Limits)
	}
	drill := h.open(`{"as":"it_dept","scenario":"4.6.3","title":"退付演练","drill":true,"bank":"line","parent_account":"3705018860000000123"}`)
	if drill.Number != "【演练】YJ-2026-0002" {
		t.Errorf("the drill is called %s", drill.Number)
	}
	var frozen FreezeList
	h.get("/v1/refund-freezes").want(200, "").into(&frozen)
	h.open(`{"as":"it_dept","scenario":"4.6.3","title":"批量退付失败","bank":"line","parent_account":"3705018860000000123"}`)
	if len(frozen.Freezes) != 0 {
		t.Errorf("the drill froze %+v", frozen)
	}
	if h.get("/v1/refund-freezes").want(200, "").into(&frozen); len(frozen.Freezes) != 1 || frozen.Freezes[0].Reference != "YJ-2026-0003" {
		t.Errorf("the real one froze %+v", frozen)
	}
	h.exports("/v1/incidents/"+drill.ID.String(), "【演练】YJ-2026-0002")
	var page IncidentPage
	if h.get("/v1/incidents?drill=1").want(200, "").into(&page); len(page.Incidents) != 1 || !page.Incidents[0].Drill {
		t.Errorf("the drills are %+v", page)
	}
	if got := h.get("/v1/incidents/plan").want(200, "").Body.Bytes(); !bytes.Equal(got, incident.DefaultPlan) {
		t.Error("the plan is another one")
	}
}
