package incident

import (
	"slices"

	"depositd/platform/deposit"
)

// Act is what a person signs.
type Act string

// The acts. Those of the machine lead from one state to the next once all have signed; the others are records.
const (
	Confirm  Act = "confirm"  // the event (2.2 (2), 3.1)
	Assess   Act = "assess"   // it is an 应急事件 (2.2 (3), 3.1)
	Activate Act = "activate" // the plan starts, with the notice's start time (2.2 (4), 3.1)
	End      Act = "end"      // the plan ends (2.2 (4), 3.1)
	Recover  Act = "recover"  // all runs again, with the notice's end time (2.2 (5))
	Review   Act = "review"   // what was learnt (2.2 (6))
	Dismiss  Act = "dismiss"  // it is no incident
	Grade    Act = "grade"    // its level
	File     Act = "file"     // 备案 (3.1)
)

var actNames = map[Act]string{Confirm: "确认事件", Assess: "评估确认为应急事件", Activate: "宣布启动预案", End: "宣布结束预案", Recover: "确认系统恢复", Review: "事件回顾",
	Dismiss: "排除", Grade: "定级", File: "备案"}

// Chinese is the act's name, "" of none.
func (a Act) Chinese() string { return actNames[a] }

// Acts lists the acts in the order of a response.
func Acts() []Act {
	return []Act{Grade, Confirm, Assess, Activate, End, Recover, File, Review, Dismiss}
}

// Authority says which section of the plan counts where 2.2 and 3.1 name different offices (ambiguities A4, A5, A6).
type Authority string

// The authorities.
const (
	ByBoth Authority = "both" // all whom either of them names
	By22   Authority = "2.2"
	By31   Authority = "3.1"
)

// Authorities lists them, the default first.
func Authorities() []Authority { return []Authority{ByBoth, By22, By31} }

// Signers are the offices that have to sign an act at a level, each by another person. Of a group and its head the head is
// enough. Section 3.1 is silent on some acts: there 2.2 counts. Of an act that anybody may sign, none.
func (p *Plan) Signers(a Authority, act Act, level string) []string {
	phase, table := p.by22(act, level), p.by31(act, level)
	switch {
	case a == By31 && len(table) > 0:
		phase = nil
	case a == By22:
		table = nil
	}
	var all []string
	for _, office := range slices.Concat(phase, table) {
		if office != "" && !slices.Contains(all, office) {
			all = append(all, office)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(group string) bool {
		return slices.ContainsFunc(all, func(office string) bool { return office != group && p.SignsFor(office, group) })
	})
}

// by22 is whom the phases of section 2.2 name. Level three is reported to the head of the leading group, who confirms it so.
func (p *Plan) by22(act Act, level string) []string {
	activation := p.phase("activation")
	switch act {
	case Confirm:
		onset := p.phase("onset")
		if up, ok := onset.Escalated[level]; ok {
			return []string{up.To}
		}
		return []string{onset.ConfirmedBy.of(level)}
	case Assess:
		return []string{p.phase("assessment").ConfirmedBy.of(level)}
	case Activate:
		return []string{activation.StartDeclaredBy}
	case End:
		return []string{activation.EndDeclaredBy}
	case Recover:
		return []string{p.phase("recovery").ConfirmedBy.of(level)}
	case Review:
		return p.phase("review").PerformedBy
	}
	return nil
}

// by31 is whom the level itself names: who decides, or else who confirms and declares.
func (p *Plan) by31(act Act, level string) []string {
	l := p.Level(level)
	if l == nil {
		return nil
	}
	switch act {
	case Confirm, Assess:
		return nonEmpty(l.DecidedBy, l.ConfirmedBy)
	case Activate:
		return nonEmpty(l.DecidedBy, l.StartDeclaredBy)
	case End:
		return nonEmpty(l.EndDeclaredBy)
	case File:
		return nonEmpty(l.FiledBy)
	}
	return nil
}

// nonEmpty is the first that is named, as a list.
func nonEmpty(offices ...string) []string {
	for _, office := range offices {
		if office != "" {
			return []string{office}
		}
	}
	return nil
}

// SignsFor says whether an office may sign where another one has to: itself, or the head of a group or department for it.
func (p *Plan) SignsFor(office, wanted string) bool {
	if office == wanted {
		return true
	}
	one := p.Party(office)
	return one != nil && one.Kind == "person" && one.MemberOf == wanted
}

// Offices are the parties of the centre that a person can act as, in the plan's order.
func (p *Plan) Offices() []Party {
	var all []Party
	for _, one := range p.Parties {
		if one.Kind != "external" && one.Kind != "department_set" {
			all = append(all, one)
		}
	}
	return all
}

// checkOffice refuses an office that nobody of the centre holds.
func (p *Plan) checkOffice(office string) error {
	if slices.ContainsFunc(p.Offices(), func(one Party) bool { return one.ID == office }) {
		return nil
	}
	return deposit.Refuse(deposit.Invalid, "office_unknown", "没有这个职务或部门：", office, "；应为预案 parties 中的编号，如 it_dept_head（信息技术科负责人）")
}
