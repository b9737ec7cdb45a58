package refund

import (
	"bytes"
	_ "embed" // the table that holds unless a file replaces it
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
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

var ruleID = regexp.MustCompile(`^[0-9A-Za-z-]{1,16}$`)

func (r *rulesReader) rule(path string, said ruleText, rates map[string][]YearlyRate) Rule {
	if !ruleID.MatchString(said.ID) {
		r.complain(path+".id", "规则的 id 应为 1 到 16 个字母、数字或连字符：", said.ID)
	}
	complain := func(key string, text ...any) {
		r.complain(path+"."+key, append([]any{"规则 ", said.ID, " 的 ", key, " "}, text...)...)
	}
	rule := Rule{ID: said.ID, Business: oneOf(complain, "business", said.Business, "", businessNames), Treatment: oneOf(complain, "treatment", said.Treatment, GoesBack, treatmentNames),
		Own: yes(complain, "own", said.Own, false), Active: yes(complain, "active", said.Active, true), Interest: said.Interest, Overdue: said.Overdue,
		Basis: strings.TrimSpace(said.Basis), Note: strings.TrimSpace(said.Note), From: day(complain, "from", said.From), To: day(complain, "to", said.To)}
	for _, party := range said.Parties {
		rule.Parties = append(rule.Parties, oneOf(complain, "parties", party, "", partyNames))
	}
	if len(rule.Parties) == 0 {
		complain("parties", "为空，至少应有一方")
	}
	if rule.Basis == "" {
		complain("basis", "为空，应写明依据的法律条文或文件")
	}
	if rule.To != "" && rule.To < rule.From {
		complain("to", "早于 from")
	}
	for _, named := range [][2]string{{"interest", rule.Interest}, {"overdue", rule.Overdue}} {
		if _, known := rates[named[1]]; named[1] != "" && !known {
			complain(named[0], "所指的利率表 ", named[1], " 不在 rates 中")
		}
	}
	checkLimit(complain, said, &rule)
	return rule
}

// mostDays bounds a limit; the longest known has 30.
const mostDays = 365

// checkLimit reads when the clock starts and how long it runs. Only what goes back has a limit.
func checkLimit(complain func(string, ...any), said ruleText, rule *Rule) {
	for _, event := range said.Starts {
		rule.Starts = append(rule.Starts, oneOf(complain, "starts", event, "", eventNames))
	}
	switch {
	case rule.Treatment != GoesBack:
		if said.N != "" || said.Unit != "" {
			complain("n", "和 unit 不适用于 treatment ", rule.Treatment, "，请删去")
		}
		return
	case len(rule.Starts) == 0:
		complain("starts", "为空，应写明期限从什么事件起算")
	}
	n, err := strconv.Atoi(said.N)
	if err != nil || n < 1 || n > mostDays {
		complain("n", "应为 1 至 ", mostDays, " 的整数：", said.N)
	}
	rule.N, rule.Unit = n, oneOf(complain, "unit", said.Unit, "", unitNames)
	if (said.Overdue == "") != (said.OverduePercent == "") {
		complain("overdue_percent", "应与 overdue 同时写明")
	}
	percent, err := strconv.Atoi(said.OverduePercent)
	if said.OverduePercent != "" && (err != nil || percent < 100 || percent > 400) {
		complain("overdue_percent", "应为 100 至 400 的整数：", said.OverduePercent)
	}
	rule.OverduePercent = percent
}

// table reads one table of rates, whose days have to rise.
func (r *rulesReader) table(table string, said []rateText) []YearlyRate {
	rates := make([]YearlyRate, 0, len(said))
	for i, one := range said {
		complain := func(key string, text ...any) {
			r.complain(fmt.Sprintf("$.rates.%s[%d].%s", table, i, key), append([]any{"利率表 ", table, " 的 ", key, " "}, text...)...)
		}
		rate, err := deposit.ParseRate(one.Percent)
		if err != nil {
			complain("percent", deposit.AsRefusal(err).Text)
		}
		from := day(complain, "from", one.From)
		if from == "" || i > 0 && from <= rates[i-1].From {
			complain("from", "应写明，且各行日期由早到晚：", one.From)
		}
		if strings.TrimSpace(one.Source) == "" {
			complain("source", "为空，应写明利率的出处")
		}
		rates = append(rates, YearlyRate{from, rate, strings.TrimSpace(one.Source), yes(complain, "verified", one.Verified, false)})
	}
	if len(rates) == 0 {
		r.complain("$.rates."+table, "利率表 ", table, " 为空")
	}
	return rates
}

// oneOf reads a word of a closed set; none stands for a word that is not written, where it may be left out.
func oneOf[W ~string](complain func(string, ...any), key, said string, none W, names map[W]string) W {
	word := W(said)
	if word == "" {
		word = none
	}
	if names[word] == "" {
		complain(key, "应为 ", words(names), " 之一：", said)
	}
	return word
}

func words[W ~string](names map[W]string, but ...W) string {
	var all []string
	for _, word := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(but, word) {
			all = append(all, string(word))
		}
	}
	return strings.Join(all, "、")
}

func yes(complain func(string, ...any), key, said string, otherwise bool) bool {
	switch said {
	case "":
		return otherwise
	case "true", "false":
		return said == "true"
	}
	complain(key, "应为 true 或 false：", said)
	return otherwise
}

func day(complain func(string, ...any), key, said string) deposit.Day {
	if said == "" {
		return ""
	}
	d, err := deposit.ParseDay(said)
	if err != nil {
		complain(key, deposit.AsRefusal(err).Text)
	}
	return d
}
