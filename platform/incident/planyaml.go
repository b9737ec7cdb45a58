package incident

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"depositd/platform/yamlfile"
)

// byLevel is an office for each level; the key "" is for all of them, as when the file has one word.
type byLevel map[string]string

// UnmarshalYAML reads a word or a mapping of levels.
func (o *byLevel) UnmarshalYAML(read func(any) error) error {
	var one string
	if read(&one) == nil {
		*o = byLevel{"": one}
		return nil
	}
	return read((*map[string]string)(o))
}

func (o byLevel) of(level string) string {
	if office, ok := o[level]; ok {
		return office
	}
	return o[""]
}

// ParsePlan reads a plan in the form of plan.yaml. The error is one Invalid Refusal, plan_invalid, whose text lists
// everything that is wrong, each with its line; what cannot be read at all, or has a key that there is none of, ends the list.
func ParsePlan(body []byte) (*Plan, error) {
	r := &planReader{}
	p := r.file(body)
	if err := r.Refused("plan_invalid", "应急预案"); err != nil {
		return nil, err
	}
	p.body, p.digest = body, digestOf(body)
	return p, nil
}

// storedPlan reads a plan that was checked when incidents were opened under it: a later program that asks for more still reads it.
func storedPlan(body []byte) (*Plan, error) {
	p := &Plan{body: body, digest: digestOf(body)}
	return p, yaml.Unmarshal(yamlfile.Plain(body), p)
}

// planReader checks what the file says and goes on after each complaint.
type planReader struct {
	yamlfile.Reader
	plan *Plan
}

func (r *planReader) file(body []byte) *Plan {
	r.plan = &Plan{}
	if !r.Read(body, "应急预案文件", r.plan) {
		return nil
	}
	r.parties()
	r.limits()
	r.levels()
	r.phases()
	r.scenarios()
	return r.plan
}

// key complains about an id that is missing, too long for its column, or there twice.
func (r *planReader) key(path, what, id string, most int, seen map[string]bool) {
	switch {
	case id == "" || len(id) > most || strings.ContainsAny(id, "/ "):
		r.Complain(path, what, "的编号应为 1 到 ", most, " 个字符，不含空格和 /：", id)
	case seen[id]:
		r.Complain(path, what, " ", id, " 写了两次")
	}
	seen[id] = true
}

func (r *planReader) parties() {
	seen := map[string]bool{}
	for i, one := range r.plan.Parties {
		path := fmt.Sprintf("$.parties[%d]", i)
		r.key(path+".id", "参与方", one.ID, mostOffice, seen)
		r.needs(path, "参与方 "+one.ID+" 的 name", one.Name)
		r.known(path+".member_of", one.MemberOf)
		r.known(path+".mapped_to", one.MappedTo)
		r.known(path+".members", one.Members...)
	}
}

// known complains about a party that is none; "" is nobody.
func (r *planReader) known(path string, ids ...string) {
	for _, id := range ids {
		if id != "" && r.plan.Party(id) == nil {
			r.Complain(path, "没有参与方 ", id, "，请先在 parties 中写明")
		}
	}
}

func (r *planReader) needs(path, what, text string) {
	if strings.TrimSpace(text) == "" {
		r.Complain(path, what, " 不能为空")
	}
}

// oneOf complains about a word that is none of those there are.
func (r *planReader) oneOf(path, what, word string, words ...string) {
	if !slices.Contains(words, word) {
		r.Complain(path, what, " 应为 ", strings.Join(words, "、"), " 之一：", word)
	}
}

func (r *planReader) limits() {
	seen := map[string]bool{}
	for i, l := range r.plan.Limits {
		path := fmt.Sprintf("$.time_limits[%d]", i)
		r.key(path+".id", "时限", l.ID, mostName, seen)
		r.oneOf(path+".sense", "时限 "+l.ID+" 的 sense", l.Sense, moreThan, within, beforeEvent, lateAfterEvent)
		if l.Sense == beforeEvent || l.Sense == lateAfterEvent {
			r.needs(path, "时限 "+l.ID+" 的 event", l.Event)
			continue
		}
		r.oneOf(path+".unit", "时限 "+l.ID+" 的 unit", l.Unit, "minute", "hour", "day")
		if l.Value <= 0 || l.Length() <= 0 || l.Length() > mostLimit {
			r.Complain(path+".value", "时限 ", l.ID, " 的 value 应大于零，且不超过一年")
		}
	}
}

func (r *planReader) levels() {
	seen := map[string]bool{}
	for i, l := range r.plan.Levels.Items {
		path := fmt.Sprintf("$.levels.items[%d]", i)
		r.key(path+".id", "级别", l.ID, mostState, seen)
		r.needs(path, "级别 "+l.ID+" 的 name", l.Name)
		r.known(path, l.DecidedBy, l.FiledBy, l.FiledWith, l.ReportedBy, l.ConfirmedBy, l.StartDeclaredBy, l.EndDeclaredBy)
		r.known(path+".carried_out_by", l.CarriedOutBy...)
		if l.DecidedBy == "" && (l.ConfirmedBy == "" || l.StartDeclaredBy == "") {
			r.Complain(path, "级别 ", l.ID, " 应写明 decided_by，或 confirmed_by 与 start_declared_by")
		}
		for j, t := range l.Triggers {
			at := fmt.Sprintf("%s.triggers_any[%d]", path, j)
			if _, ok := effects[t.Effect]; !ok {
				r.Complain(at+".effect", "级别 ", l.ID, " 的 effect 应为 ", effectWords(), " 之一：", t.Effect)
			}
			if limit := r.plan.Limit(t.Limit); t.Limit != "" && (limit == nil || limit.Sense != moreThan) {
				r.Complain(at+".limit", "级别 ", l.ID, " 的时限 ", t.Limit, " 不在 time_limits 中，或不是 more_than")
			}
		}
	}
	order := slices.Clone(r.plan.Levels.SeverityOrder)
	if slices.Sort(order); len(order) == 0 || !slices.Equal(order, slices.Sorted(mapKeys(seen))) {
		r.Complain("$.levels.severity_order", "severity_order 应由轻到重列出每个级别，各一次")
	}
}

// phases complains about whoever has to sign in a phase and is not named, or is nobody.
func (r *planReader) phases() {
	seen := map[string]bool{}
	for i, one := range r.plan.Phases.Items {
		path := fmt.Sprintf("$.phases.items[%d]", i)
		r.key(path+".id", "阶段", one.ID, mostState, seen)
		r.known(path, one.StartDeclaredBy, one.EndDeclaredBy)
		r.known(path, slices.Concat(one.AssessedBy, one.ReportedToAny, one.Inform, one.PerformedBy)...)
		for _, office := range one.ConfirmedBy {
			r.known(path+".confirmed_by", office)
		}
		for _, e := range one.Escalated {
			r.known(path+".escalated", e.By, e.To)
		}
	}
	for _, id := range []string{"occurrence", "onset", "assessment", "activation", "recovery", "review"} {
		if !seen[id] {
			r.Complain("$.phases.items", "缺少阶段 ", id)
		}
	}
	if !r.Clean() {
		return
	}
	for _, act := range []Act{Confirm, Assess, Activate, End, Recover, Review} {
		for _, level := range r.plan.Levels.Items {
			if len(r.plan.Signers(By22, act, level.ID)) == 0 {
				r.Complain("$.phases.items", level.Name, "的“", act.Chinese(), "”没有写明由谁签署")
			}
		}
	}
}

func (r *planReader) scenarios() {
	seen := map[string]bool{}
	for i := range r.plan.Scenarios {
		s := &r.plan.Scenarios[i]
		path := fmt.Sprintf("$.scenarios[%d]", i)
		r.key(path+".id", "情形", s.ID, mostState, seen)
		r.needs(path, "情形 "+s.ID+" 的 name", s.Name)
		branches := map[string]bool{}
		if len(s.Branches) == 0 {
			r.Complain(path, "情形 ", s.ID, " 没有步骤")
		}
		for j := range s.Branches {
			at := fmt.Sprintf("%s.branches[%d]", path, j)
			r.key(at+".id", "情形 "+s.ID+" 的分支", s.Branches[j].ID, mostBranch, branches)
			r.branch(at, s, &s.Branches[j])
		}
	}
	for _, id := range []string{Unpayable, Unshown, Unrefundable, Outage} {
		if !seen[id] {
			r.Complain("$.scenarios", "缺少情形 ", id, "：本服务会自行发现并登记该情形")
		}
	}
}

func (r *planReader) branch(path string, s *Scenario, b *Branch) {
	where := "分支 " + s.ID + "/" + b.ID
	r.oneOf(path+".kind", where+" 的 kind", b.Kind, branchMain, "plan", "case")
	r.oneOf(path+".relation", where+" 的 relation", b.Relation, sequential, alternative)
	if len(b.Steps) == 0 {
		r.Complain(path, where, " 没有步骤")
	}
	seen := map[string]bool{}
	for i, step := range b.Steps {
		at := fmt.Sprintf("%s.steps[%d]", path, i)
		key := s.Key(b, &b.Steps[i])
		if step.AlternativeAfter != "" && !seen[step.AlternativeAfter] {
			r.Complain(at+".alternative_after", "步骤 ", key, " 的 alternative_after 应为同一分支中在前的步骤：", step.AlternativeAfter)
		}
		r.key(at+".step_no", where+" 的步骤", step.No, mostBranch, seen)
		r.needs(at, "步骤 "+key+" 的 text", step.Text)
		if len(step.Owners) == 0 {
			r.Complain(at, "步骤 ", key, " 没有负责人（owners）")
		}
		r.known(at+".owners", step.Owners...)
		r.known(at+".helpers", step.Helpers...)
		for _, limit := range step.Limits {
			if r.plan.Limit(limit) == nil {
				r.Complain(at+".limits", "步骤 ", key, " 的时限 ", limit, " 不在 time_limits 中")
			}
		}
	}
}
