package incident_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// The plan as people read it, with who signs what: a change of it is seen.
func TestPlanIsDrawn(t *testing.T) { golden(t, "plan.txt", plan(t).Describe(incident.ByBoth)) }

// The plan stands in the house verbatim, byte for byte, where the specification is there to compare.
func TestPlanIsVerbatim(t *testing.T) {
	original, err := os.ReadFile("../../../shared/plan.yaml")
	if err != nil {
		t.Skip("the specification is not there")
	}
	if !bytes.Equal(original, incident.DefaultPlan) {
		t.Error("the embedded plan is another one")
	}
}

// What is wrong with a plan is told with its line.
func TestPlansThatAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, says string }{
		{"owners: [land_dept]", "owners: [sea_dept]", "没有参与方 sea_dept"},
		{"helpers: [platform_maintainer]", "helpers: [nobody]", "没有参与方 nobody"},
		{`  - id: "4.6.3"`, `  - id: "4.6.2"`, "情形 4.6.2 写了两次"},
		{`  - id: "4.6.3"`, `  - id: "4.6.9"`, "缺少情形 4.6.3"},
		{"    name: 生成投标文件", "    name: 生成投标文件\n    name: 又一次", "name"},
		{"    name: 生成投标文件", "    naem: 生成投标文件", "naem"},
		{`step_no: "1.2"`, `step_no: "1.1"`, "1.1 写了两次"},
		{"relation: sequential", "relation: parallel", "应为 sequential、alternative 之一"},
		{"limits: [land_fix]", "limits: [sea_fix]", "sea_fix 不在 time_limits 中"},
		{"value: 100, unit: minute", "value: 100, unit: moon", "unit 应为 minute、hour、day 之一"},
		{"value: 100, unit: minute", "value: -1, unit: minute", "value 应大于零"},
		{"effect: 系统不能被正常访问", "effect: 系统很慢", "系统很慢"},
		{"severity_order: [level_1, level_2, level_3]", "severity_order: [level_1, level_3]", "severity_order"},
		{"decided_by: it_dept_head", "decided_by: it_boss", "没有参与方 it_boss"},
		{"      start_declared_by: leading_group  ", "      start_declared_by: ''  ", "没有写明由谁签署"},
		{"      id: review", "      id: look_back", "缺少阶段 review"},
		{`alternative_after: "2"`, `alternative_after: "7"`, "应为同一分支中在前的步骤"},
		{"{id: finance, name: 财务,", "{id: general_dept, name: 财务,", "general_dept 写了两次"},
		{"schema_version: 1", "schema_version: [1", "不是应急预案文件的格式"},
	} {
		spoilt := strings.Replace(string(incident.DefaultPlan), c.old, c.new, 1)
		if spoilt == string(incident.DefaultPlan) {
			t.Errorf("%s does not stand in the plan", c.old)
			continue
		}
		_, err := incident.ParsePlan([]byte(spoilt))
		if text := deposit.AsRefusal(err).Text; err == nil || !strings.Contains(text, c.says) || !strings.Contains(text, " 行") {
			t.Errorf("%s: %s", c.new, text)
		}
	}
	if _, err := incident.ParsePlan([]byte("\xff")); err == nil {
		t.Error("what is no UTF-8 was taken")
	}
}

// An incident keeps the plan that it was opened under.
func TestIncidentKeepsItsPlan(t *testing.T) {
	eachHouse(t, incident.ByBoth, func(t *testing.T, h *house) {
		i := h.report("5.1.1")
		other, err := incident.ParsePlan(bytes.Replace(incident.DefaultPlan, []byte("100 分钟内恢复服务"), []byte("60 分钟内恢复服务"), 1))
		h.ok(err)
		r, err := incident.NewDesk(h.db, other, incident.ByBoth).Record(ctx, i.ID)
		h.ok(err)
		if r.Plan.Digest() != h.Plan().Digest() || r.Plan.Limit("restart_recovery").Evidence != "100 分钟内恢复服务" {
			t.Errorf("its plan is %s", r.Plan.Digest())
		}
	})
}

// A step that is given to a department is its head's too, and one that is given to all departments is each one's.
func TestPlanIncludes(t *testing.T) {
	p := plan(t)
	for _, c := range []struct {
		party, office string
		included      bool
	}{
		{"it_dept", "it_dept", true}, {"it_dept", "it_dept_head", true}, {"it_dept_head", "it_dept", false}, {"business_depts", "land_dept", true}, {"business_depts", "it_dept", false},
		{"working_group", "working_group_head", true}, {"access_bank", "it_dept", false},
	} {
		if got := p.Includes(c.party, c.office); got != c.included {
			t.Errorf("%s includes %s: %v", c.party, c.office, got)
		}
	}
	if got := p.Events(); !slices.Equal(got, []string{incident.RefundDue, "投标截止时间", "解密截止时间"}) {
		t.Errorf("deadlines can be of %v", got)
	}
}
