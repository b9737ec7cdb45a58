package refund

import (
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// Each mistake is told with its line, all of them at once.
func TestParseRulesComplains(t *testing.T) {
	const r1 = "    basis: 招标投标法实施条例第五十七条"
	for _, test := range []struct{ from, to, want string }{
		{"n: 5", "n: 0", "第 29 行：规则 R1 的 n 应为 1 至 365 的整数：0"},
		{"n: 5", "n: 2.5", "规则 R1 的 n 应为 1 至 365 的整数：2.5"},
		{"n: 5\n", "\n", "规则 R1 的 n 应为 1 至 365 的整数："},
		{"unit: calendar", "unit: day", "规则 R1 的 unit 应为 calendar、workday 之一：day"},
		{"business: construction", "business: building", "规则 R1 的 business 应为 any、construction、land、procurement、property 之一：building"},
		{"[winner, candidate, loser]", "[winner, second]", "规则 R1 的 parties 应为"},
		{"[winner, candidate, loser]", "[]", "规则 R1 的 parties 为空"},
		{"starts: [CONTRACT_SIGNED]", "starts: [SIGNED]", "规则 R1 的 starts 应为"},
		{"starts: [CONTRACT_SIGNED]", "starts: []", "规则 R1 的 starts 为空"},
		{"interest: demand", "interest: saving", "规则 R1 的 interest 所指的利率表 saving 不在 rates 中"},
		{"overdue: loan\n    overdue_percent: 120", "overdue: loan", "规则 R4 的 overdue_percent 应与 overdue 同时写明"},
		{"overdue_percent: 120", "overdue_percent: 1.2", "规则 R4 的 overdue_percent 应为 100 至 400 的整数：1.2"},
		{r1, "", "规则 R1 的 basis 为空"},
		{"id: R2", "id: R1", "规则 R1 写了两次"},
		{"id: R2", "id: 规则二", "规则的 id 应为"},
		{"own: true", "own: ja", "规则 R3 的 own 应为 true 或 false：ja"},
		{"active: false", "active: 0", "规则 R12a 的 active 应为 true 或 false：0"},
		{"treatment: kept", "treatment: forfeit", "规则 R9 的 treatment 应为"},
		{"treatment: kept", "treatment: kept\n    n: 5", "规则 R9 的 n 和 unit 不适用于 treatment kept"},
		{"from: 2012-02-01", "from: 2012-02-30", "规则 R1 的 from 日期不存在"},
		{"from: 2012-02-01", "from: 2012-02-01\n    to: 2012-01-31", "规则 R1 的 to 早于 from"},
		{"n: 5", "days: 5", "不是规则文件的格式"},
		{"rules:", "rules: 3 #", "不是规则文件的格式"},
		{"建设工程科: construction", "建设工程科: any", "科室 建设工程科 的业务类别应为 construction、land、procurement、property 之一：any"},
		{"percent: \"0.35\"", "percent: \"0.35%\"", "利率表 demand 的 percent 年利率应为"},
		{"{from: 2015-10-24, percent: \"0.30\"", "{from: 2012-07-06, percent: \"0.30\"", "利率表 demand 的 from 应写明，且各行日期由早到晚"},
		{"source: 人民银行活期存款基准利率", "source: \"\"", "利率表 demand 的 source 为空"},
	} {
		text := string(DefaultRules)
		if !strings.Contains(text, test.from) {
			t.Errorf("the table does not say %q", test.from)
		}
		_, err := ParseRules([]byte(strings.Replace(text, test.from, test.to, 1)))
		if refusal := deposit.AsRefusal(err); refusal.Code != "refund_rules_invalid" || !strings.Contains(refusal.Text, test.want) || !strings.Contains(refusal.Text, "第 ") {
			t.Errorf("%s → %s: %v, want %s", test.from, test.to, err, test.want)
		}
	}
}

func TestParseRulesTellsAll(t *testing.T) {
	_, err := ParseRules([]byte(`
departments: {建设工程科: construction, 产权交易科: property}
rules:
  - id: A
    business: construction
    parties: [all]
    starts: [FAILED]
    n: 400
    unit: month
    basis: 条例
rates: {demand: []}
`))
	for _, want := range []string{"有 4 处错误", "第 8 行：规则 A 的 n", "第 9 行：规则 A 的 unit", "科室 产权交易科 的业务类别 property 没有启用的规则", "利率表 demand 为空"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, text := range []string{"", "[]", "departments: {}", "\xff\xfe", "a: b: c", "departments: {甲: land, 甲: land}"} {
		if _, err := ParseRules([]byte(text)); deposit.AsRefusal(err).Code != "refund_rules_invalid" {
			t.Errorf("%q is answered %v", text, err)
		}
	}
}

// Whatever is in the file, it is read or refused.
func FuzzParseRules(f *testing.F) {
	f.Add(DefaultRules)
	f.Add([]byte("departments: {a: land}\nrules: [{id: R, starts: [x], parties: null}]\nrates: {\"a.b\": [{from: 1}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rules, err := ParseRules(text)
		if err == nil && rules.Describe() == "" || err != nil && deposit.AsRefusal(err).Code != "refund_rules_invalid" {
			t.Errorf("%q: %v", text, err)
		}
	})
}
