package refund

import (
	"bytes"
	_ "embed" // the table that holds unless a file replaces it
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"depositd/platform/deposit"
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
	rules := r.file(bytes.TrimPrefix(text, []byte("\uFEFF")))
	if len(r.wrong) > 0 {
		return nil, deposit.Refuse(deposit.Invalid, "refund_rules_invalid", "退付规则有 ", len(r.wrong), " 处错误：\n", strings.Join(r.wrong, "\n"))
	}
	return rules, nil
}

// rulesReader checks what the file says and goes on after each complaint.
type rulesReader struct {
	tree  *ast.File
	wrong []string
}

// complain tells what is wrong at a place such as $.rules[3].n, or else at what holds it.
func (r *rulesReader) complain(path string, text ...any) {
	for place := path; r.tree != nil && place != "$"; place = place[:strings.LastIndexAny(place, ".[")] {
		at, err := yaml.PathString(place)
		if err != nil {
			continue
		}
		if node, err := at.FilterFile(r.tree); err == nil && node.GetToken() != nil {
			r.wrong = append(r.wrong, fmt.Sprintf("第 %d 行：%s", node.GetToken().Position.Line, fmt.Sprint(text...)))
			return
		}
	}
	r.wrong = append(r.wrong, fmt.Sprint(text...))
}

func (r *rulesReader) file(text []byte) *Rules {
	if !utf8.Valid(text) {
		r.complain("$", "文件不是 UTF-8 编码，请另存为 UTF-8")
		return nil
	}
	var said rulesText
	tree, err := parser.ParseBytes(text, 0)
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, &said, yaml.Strict())
	}
	if err != nil {
		r.unreadable(err)
		return nil
	}
	r.tree = tree
	rules := &Rules{departments: map[string]Business{}, rates: map[string][]YearlyRate{}}
	for _, table := range slices.Sorted(maps.Keys(said.Rates)) {
		rules.rates[table] = r.table(table, said.Rates[table])
	}
	ids := map[string]bool{}
	for i, one := range said.Rules {
		rule := r.rule(fmt.Sprintf("$.rules[%d]", i), one, rules.rates)
		if ids[rule.ID] {
			r.complain(fmt.Sprintf("$.rules[%d].id", i), "规则 ", rule.ID, " 写了两次")
		}
		ids[rule.ID] = true
		rules.rules = append(rules.rules, rule)
	}
	for _, department := range slices.Sorted(maps.Keys(said.Departments)) {
		r.department(rules, department, Business(said.Departments[department]))
	}
	if len(said.Departments) == 0 {
		r.complain("$", "departments 为空：至少应写明一个科室的业务类别")
	}
	return rules
}

// unreadable reports what has not the file's form, where the decoder says it is.
func (r *rulesReader) unreadable(err error) {
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		r.complain("$", "第 ", located.GetToken().Position.Line, " 行：不是规则文件的格式：", located.GetMessage())
		return
	}
	r.complain("$", "不是规则文件的格式：", err)
}

// department: one whose lots no rule is for would never have anything due.
func (r *rulesReader) department(rules *Rules, department string, b Business) {
	if b == Any || businessNames[b] == "" {
		r.complain("$.departments", "科室 ", department, " 的业务类别应为 ", words(businessNames, Any), " 之一：", b)
		return
	}
	if !slices.ContainsFunc(rules.rules, func(rule Rule) bool { return rule.Active && rule.Business == b }) {
		r.complain("$.departments", "科室 ", department, " 的业务类别 ", b, " 没有启用的规则")
	}
	rules.departments[department] = b
}
