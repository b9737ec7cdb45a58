package bank

import (
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"depositd/platform/deposit"
)

// Supply is where the sub-account numbers of a bank's pool come from.
type Supply string

// The ways.
const (
	Loaded   Supply = "load" // from a list that the bank gives, once and for all of them
	OnDemand Supply = "open" // one by one at the bank, as they are needed
	Computed Supply = "rule" // by a rule that the bank has agreed to
)

// Numbers says how a bank's pool of sub-accounts is run.
type Numbers struct {
	From           Supply
	Rule           Rule // of Computed
	QuarantineDays int  // how long a number rests before another bidder gets it; never 0
	LeadDays       int  // how many days the bank takes to give new numbers
	LowWater       int  // fewer free numbers than these are reported; 0: only the forecast warns
}

// What is assumed where banks.yaml says nothing. Late money, and refunds that come back, have been seen for weeks.
const (
	defaultQuarantine = 90
	defaultLead       = 5
)

// mostDays bounds quarantine and lead time, to catch a slip of the key: ten years.
const mostDays = 3650

var numbersKeys = []string{"from", "rule", "quarantine_days", "lead_days", "low_water"}

// numbers reads "numbers": where they come from, or a section of it.
func (r *setReader) numbers(b *Bank, node ast.Node) Numbers {
	n := Numbers{From: Loaded, QuarantineDays: defaultQuarantine, LeadDays: defaultLead}
	if node == nil {
		return n
	}
	said := map[string]ast.Node{"from": node}
	if isSection(node) {
		if said = r.section(node, "numbers", numbersKeys); said == nil {
			return n
		}
	}
	r.supply(b, &n, node, said["from"])
	r.rule(b, &n, node, said["rule"])
	r.between(said, "quarantine_days", 1, mostDays, &n.QuarantineDays)
	r.between(said, "lead_days", 0, mostDays, &n.LeadDays)
	r.between(said, "low_water", 0, maxRule, &n.LowWater)
	return n
}

// supply reads where the numbers come from and holds the bank to what that needs.
func (r *setReader) supply(b *Bank, n *Numbers, section, node ast.Node) {
	switch from := Supply(r.scalar(node, "numbers.from")); from {
	case "":
	case Loaded, OnDemand, Computed:
		n.From = from
	default:
		r.complain(node.GetToken(), "numbers.from", "应为 load（从文件载入）、open（逐个向银行申请）或 rule（按规则计算）：", clip(string(from)))
	}
	if n.From != OnDemand || b.Adapter == nil {
		return
	}
	if b.Adapter.Calls == nil || b.Adapter.Calls.Open == nil {
		r.complain(section.GetToken(), "numbers.from", "报文格式 ", b.Adapter.Name, " 不能向银行申请子账号；请改为 load 或 rule")
	} else if b.Reach.URL == "" {
		r.complain(section.GetToken(), "numbers.from", "逐个向银行申请子账号需要银行地址，请配置 call")
	}
}

func (r *setReader) rule(b *Bank, n *Numbers, section, node ast.Node) {
	text := r.scalar(node, "numbers.rule")
	switch {
	case text == "" && n.From == Computed:
		r.complain(section.GetToken(), "numbers.rule", "缺少号码规则，如 \"{parent}-{000001..009999}\"")
	case text != "" && n.From != Computed:
		r.complain(node.GetToken(), "numbers.rule", "只有 from: rule 才使用号码规则，请删去或改正 from")
	case text != "":
		var err error
		if n.Rule, err = ParseRule(text, b.ParentAccounts); err != nil {
			r.complain(node.GetToken(), "numbers.rule", deposit.AsRefusal(err).Text)
		}
	}
}

// between reads a whole number within bounds into the value, which it leaves alone where nothing is said.
func (r *setReader) between(said map[string]ast.Node, key string, least, most int, value *int) {
	node, name := said[key], "numbers."+key
	text := r.scalar(node, name)
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.complain(node.GetToken(), name, "应为 ", least, " 到 ", most, " 的整数：", clip(text))
		return
	}
	*value = n
}

// Rule is how numbers are computed: "{parent}-{000001..009999}" is the parent account, a hyphen and a count of six digits.
// The zero Rule has none.
type Rule struct {
	text        string
	head, tail  string // around the count
	from, to    int
	width       int
	withParents bool
}

// maxRule is the most numbers a rule gives: six digits.
const maxRule = 1_000_000

const parentMark = "{parent}"

var ruleRange = regexp.MustCompile(`^([^{}]*)\{([0-9]{1,7})\.\.([0-9]{1,7})\}([^{}]*)$`)

// ParseRule reads a rule for the given parent accounts. Where there are several it has to hold {parent}: otherwise two
// accounts would have the same numbers. rule_malformed, Invalid, says what is wrong.
func ParseRule(text string, parents []string) (Rule, error) {
	wrong := func(why ...any) (Rule, error) {
		return Rule{}, deposit.Refuse(deposit.Invalid, "rule_malformed", append([]any{"号码规则“", clip(text), "”"}, why...)...)
	}
	const stand = "\x00" // for {parent}, which no number holds
	parts := ruleRange.FindStringSubmatch(strings.ReplaceAll(text, parentMark, stand))
	if parts == nil || strings.Contains(text, stand) {
		return wrong("应含一个范围，如 {parent}-{000001..009999}")
	}
	from, _ := strconv.Atoi(parts[2])
	to, _ := strconv.Atoi(parts[3])
	r := Rule{text: text, head: parts[1], tail: parts[4], from: from, to: to, width: len(parts[2]), withParents: strings.Contains(text, parentMark)}
	switch {
	case len(parts[2]) != len(parts[3]):
		return wrong("范围两端的位数应相同，如 {000001..009999}")
	case from > to:
		return wrong("范围的起点大于终点")
	case r.Count() > maxRule:
		return wrong("有 ", r.Count(), " 个号码，最多 ", maxRule, " 个")
	case !r.withParents && len(parents) > 1:
		return wrong("没有 ", parentMark, "，几个母账户的号码会相同")
	}
	for _, parent := range parents {
		if err := checkNumber("", r.number(parent, to)); err != nil {
			return wrong("算出的号码应为 1 到 40 位数字、字母或连字符")
		}
	}
	return r, nil
}

// String is the rule as banks.yaml has it.
func (r Rule) String() string { return r.text }

// Count is how many numbers the rule gives for each parent account.
func (r Rule) Count() int {
	if r.text == "" {
		return 0
	}
	return r.to - r.from + 1
}

// Of gives the numbers of a parent account, in their order.
func (r Rule) Of(parent string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n := range r.Count() {
			if !yield(r.number(parent, r.from+n)) {
				return
			}
		}
	}
}

func (r Rule) number(parent string, n int) string {
	return strings.ReplaceAll(fmt.Sprintf("%s%0*d%s", r.head, r.width, n, r.tail), "\x00", parent)
}
