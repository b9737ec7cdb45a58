package incident

import (
	"cmp"
	"fmt"
	"strings"
)

// Describe prints the plan for people: the levels, who signs what by an authority, the limits, the scenarios with their steps,
// and what the plan leaves open.
func (p *Plan) Describe(a Authority) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s（%s）\n\n级别（由轻到重）\n", p.Document.Number, p.Document.Title, p.Document.Issued)
	for _, id := range p.Levels.SeverityOrder {
		fmt.Fprintf(&b, "  %s  %s\n", id, p.Level(id).Text)
	}
	fmt.Fprintf(&b, "\n签署（2.2 与 3.1 不一致时：%s）\n", a)
	for _, id := range p.Levels.SeverityOrder {
		for _, act := range []Act{Confirm, Assess, Activate, End, Recover, File, Review} {
			who := p.Names(p.Signers(a, act, id))
			if act == File {
				who += p.filedWith(id)
			}
			who = cmp.Or(who, "预案未规定")
			fmt.Fprintf(&b, "  %s  %s：%s\n", p.LevelName(id), act.Chinese(), who)
		}
	}
	b.WriteString("\n时限\n")
	for _, l := range p.Limits {
		fmt.Fprintf(&b, "  %s  %s（%s）\n", l.ID, l.Evidence, l.Ref)
	}
	for k := range p.Scenarios {
		p.Scenarios[k].describe(&b, p)
	}
	b.WriteString("\n预案未写明之处\n")
	for _, one := range p.Ambiguities {
		fmt.Fprintf(&b, "  %s（%s） %s\n", one.ID, one.Ref, one.Question)
	}
	return b.String()
}

func (s *Scenario) describe(b *strings.Builder, p *Plan) {
	fmt.Fprintf(b, "\n%s %s\n", s.ID, s.Name)
	for k := range s.Branches {
		branch := &s.Branches[k]
		if branch.Title != "" {
			fmt.Fprintf(b, "  %s\n", branch.Title)
		}
		for j := range branch.Steps {
			step := &branch.Steps[j]
			fmt.Fprintf(b, "    %s  %s〔负责：%s", s.Key(branch, step), step.Text, p.Names(step.Owners))
			if len(step.Helpers) > 0 {
				fmt.Fprintf(b, "；%s：%s", s.HelperColumn, p.Names(step.Helpers))
			}
			b.WriteString("〕\n")
		}
	}
}
