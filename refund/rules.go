package refund

import (
	_ "embed" // the table that holds unless a file replaces it
	"fmt"
	"maps"
	"slices"
	"sync"

	"depositd/platform/yamlfile"
)

// Rules is the table of limits with the rates of interest and the departments' lines of business: configuration, which
// a lawyer can read and a centre can replace.
type Rules struct {
	rules       []Rule
	rates       map[string][]YearlyRate // in the order of their days
	departments map[string]Business
}

// DefaultRules is the file of the table that the program carries, for a centre to begin its own with.
//
//go:embed rules.yaml
var DefaultRules []byte

// Default is DefaultRules, read once.
var Default = sync.OnceValues(func() (*Rules, error) { return ParseRules(DefaultRules) })

// All lists the rules in the table's order, those too that are not active.
func (r *Rules) All() []Rule { return slices.Clone(r.rules) }

// Business is the line of business of a department's lots; not ok for a department that the table does not name.
func (r *Rules) Business(department string) (Business, bool) {
	b, ok := r.departments[department]
	return b, ok
}

// The file as it is written: every value as text, so that all that is wrong can be told at once.
type (
	rulesText struct {
		Departments map[string]string     `yaml:"departments"`
		Rules       []ruleText            `yaml:"rules"`
		Rates       map[string][]rateText `yaml:"rates"`
	}
	ruleText struct {
		ID             string   `yaml:"id"`
		Business       string   `yaml:"business"`
		Parties        []string `yaml:"parties"`
		Starts         []string `yaml:"starts"`
		N              string   `yaml:"n"`
		Unit           string   `yaml:"unit"`
		Own            string   `yaml:"own"`
		Treatment      string   `yaml:"treatment"`
		Interest       string   `yaml:"interest"`
		Overdue        string   `yaml:"overdue"`
		OverduePercent string   `yaml:"overdue_percent"`
		Basis          string   `yaml:"basis"`
		Note           string   `yaml:"note"`
		From           string   `yaml:"from"`
		To             string   `yaml:"to"`
		Active         string   `yaml:"active"`
	}
	rateText struct {
		From     string `yaml:"from"`
		Percent  string `yaml:"percent"`
		Source   string `yaml:"source"`
		Verified string `yaml:"verified"`
	}
)

// ParseRules reads a table in the form of rules.yaml. The error is one Invalid Refusal, refund_rules_invalid, whose text
// lists everything that is wrong, a line each; what cannot be read at all, or has a key that there is none of, ends the list.
func ParseRules(text []byte) (*Rules, error) {
	r := &rulesReader{}
	rules := r.file(text)
	if err := r.Refused("refund_rules_invalid", "退付规则"); err != nil {
		return nil, err
	}
	return rules, nil
}

// rulesReader checks what the file says and goes on after each complaint.
type rulesReader struct{ yamlfile.Reader }

func (r *rulesReader) file(text []byte) *Rules {
	var said rulesText
	if !r.Read(text, "规则文件", &said) {
		return nil
	}
	rules := &Rules{departments: map[string]Business{}, rates: map[string][]YearlyRate{}}
	for _, table := range slices.Sorted(maps.Keys(said.Rates)) {
		rules.rates[table] = r.table(table, said.Rates[table])
	}
	ids := map[string]bool{}
	for i, one := range said.Rules {
		rule := r.rule(fmt.Sprintf("$.rules[%d]", i), one, rules.rates)
		if ids[rule.ID] {
			r.Complain(fmt.Sprintf("$.rules[%d].id", i), "规则 ", rule.ID, " 写了两次")
		}
		ids[rule.ID] = true
		rules.rules = append(rules.rules, rule)
	}
	for _, department := range slices.Sorted(maps.Keys(said.Departments)) {
		r.department(rules, department, Business(said.Departments[department]))
	}
	if len(said.Departments) == 0 {
		r.Complain("$", "departments 为空：至少应写明一个科室的业务类别")
	}
	return rules
}

// department: one whose lots no rule is for would never have anything due.
func (r *rulesReader) department(rules *Rules, department string, b Business) {
	if b == Any || businessNames[b] == "" {
		r.Complain("$.departments", "科室 ", department, " 的业务类别应为 ", words(businessNames, Any), " 之一：", b)
		return
	}
	if !slices.ContainsFunc(rules.rules, func(rule Rule) bool { return rule.Active && rule.Business == b }) {
		r.Complain("$.departments", "科室 ", department, " 的业务类别 ", b, " 没有启用的规则")
	}
	rules.departments[department] = b
}
