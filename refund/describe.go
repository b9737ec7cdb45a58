package refund

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Describe prints the table for people: a rule a line, with what it rests on below it, then rates and departments.
func (r *Rules) Describe() string {
	var b strings.Builder
	b.WriteString("退付规则\n")
	for _, rule := range r.rules {
		fmt.Fprintf(&b, "\n  %s  %s  %s：%s\n", rule.ID, rule.Business.Chinese(), joined(rule.Parties), rule.terms())
		fmt.Fprintf(&b, "      依据：%s%s\n", rule.Basis, rule.validity())
		if rule.Note != "" {
			fmt.Fprintf(&b, "      说明：%s\n", rule.Note)
		}
	}
	b.WriteString("\n年利率\n\n")
	for _, table := range slices.Sorted(maps.Keys(r.rates)) {
		for _, rate := range r.rates[table] {
			unverified := ""
			if !rate.Verified {
				unverified = "（未核实）"
			}
			fmt.Fprintf(&b, "  %s  %s 起  %s  %s%s\n", table, rate.From, rate.Rate, rate.Source, unverified)
		}
	}
	b.WriteString("\n科室\n\n")
	for _, department := range slices.Sorted(maps.Keys(r.departments)) {
		fmt.Fprintf(&b, "  %s：%s\n", department, r.departments[department].Chinese())
	}
	return b.String()
}

// terms says in Chinese what a rule demands: "自签订合同之日起 5 日内退还，计息（demand）".
func (r Rule) terms() string {
	if r.Treatment != GoesBack {
		return r.Treatment.Chinese()
	}
	start := joined(r.Starts)
	if len(r.Starts) > 1 {
		start += "中最先发生"
	}
	text := fmt.Sprintf("自%s之日起 %d %s内退还", start, r.N, r.Unit.Chinese())
	if r.Own {
		text += "（期限为中心自定）"
	}
	if r.Interest != "" {
		text += "，计息（" + r.Interest + "）"
	}
	if r.Overdue != "" {
		text += fmt.Sprintf("，逾期按 %s 的 %d%% 计占用费", r.Overdue, r.OverduePercent)
	}
	return text
}

func (r Rule) validity() string {
	var text string
	if r.From != "" {
		text += "；" + string(r.From) + " 起"
	}
	if r.To != "" {
		text += "；至 " + string(r.To)
	}
	if !r.Active {
		text += "；示例，未启用"
	}
	return text
}

func joined[W interface{ Chinese() string }](words []W) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = word.Chinese()
	}
	return strings.Join(names, "、")
}
