package refund

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"depositd/platform/deposit"
)

var ruleID = regexp.MustCompile(`^[0-9A-Za-z-]{1,16}$`)

func (r *rulesReader) rule(path string, said ruleText, rates map[string][]YearlyRate) Rule {
	if !ruleID.MatchString(said.ID) {
		r.Complain(path+".id", "规则的 id 应为 1 到 16 个字母、数字或连字符：", said.ID)
	}
	complain := func(key string, text ...any) {
		r.Complain(path+"."+key, append([]any{"规则 ", said.ID, " 的 ", key, " "}, text...)...)
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
			r.Complain(fmt.Sprintf("$.rates.%s[%d].%s", table, i, key), append([]any{"利率表 ", table, " 的 ", key, " "}, text...)...)
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
		r.Complain("$.rates."+table, "利率表 ", table, " 为空")
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
