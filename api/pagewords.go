package api

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/reconcile"
	"depositd/refund"
)

// words are what templates say things by: money, times and names are written here and nowhere else, never by a script.
func (s *server) words() template.FuncMap {
	return template.FuncMap{
		"asset":   func(name string) string { return s.assets.paths[name] },
		"bank":    s.bankName,
		"yuan":    deposit.Fen.Grouped,
		"balance": groupedBalance,
		"signed":  signedYuan,
		"wall":    deposit.Wall,
		"clock":   clockOf,
		"code":    reconcile.Code.Name,
		"state":   func(state string) string { return reconcile.StateName[state] },
		"states": func() []string {
			return []string{reconcile.Open, reconcile.Explained, reconcile.Settled, reconcile.Cleared}
		},
		"came":        func(source string) string { return sourceNames[source] },
		"colour":      platform.PoolColour.Chinese,
		"join":        strings.Join,
		"step":        stepName,
		"coded":       func(text string) string { return coded().Replace(text) },
		"left":        daysLeft,
		"refundstate": func(state string) string { return cmp.Or(refund.State(state).Chinese(), state) },
		"tone":        func(state refund.State) string { return tones[state] },
		"weekdays":    func() []string { return []string{"周一", "周二", "周三", "周四", "周五", "周六", "周日"} },
		"kind":        func(kind string) string { return messageKinds[kind] },
		"outcome":     func(o bank.Outcome) string { return messageOutcomes[o] },
		"but":         butWith,
		"without":     func(q url.Values, name string) url.Values { q = maps.Clone(q); q.Del(name); return q },
		"count":       func(n int64) string { return strings.TrimSuffix(deposit.Fen(n*100).Grouped(), ".00") },
		"percent":     func(part, whole int64) int64 { return 100 * part / max(1, whole) },
		"offices":     officeNames,
		"took":        tookText,
		"table":       auditTable,
		"happened":    auditWord,
		"place":       s.placeOf,
		"role":        Role.Chinese,
		"account":     func(state string) string { return people.StateName[state] },
		"department": func(name string) string {
			if name == "" {
				return "未定"
			}
			return name
		},
	}
}

// bankName is the bank's name for people; a bank that is no longer configured keeps its code.
func (s *server) bankName(code string) string {
	if b, err := s.Banks.Bank(code); err == nil {
		return b.Name
	}
	return code
}

// groupedBalance prints a balance as reports hold it; what the bank did not tell is a dash.
func groupedBalance(text string) string {
	fen, err := deposit.ParseBalance(text)
	if err != nil {
		return "—"
	}
	return fen.Grouped()
}

// signedYuan prints a difference with its sign; zero has none.
func signedYuan(f deposit.Fen) string {
	if f > 0 {
		return "+" + f.Grouped()
	}
	return f.Grouped()
}

// clockOf prints an instant as short as the day allows: the time alone on the same day, else month and day as well.
func clockOf(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "—"
	case deposit.DayOf(t) == deposit.DayOf(now):
		return t.In(deposit.Shanghai).Format("15:04:05")
	case t.In(deposit.Shanghai).Year() == now.In(deposit.Shanghai).Year():
		return t.In(deposit.Shanghai).Format("01-02 15:04")
	}
	return t.In(deposit.Shanghai).Format(time.DateOnly)
}

// sourceNames say where a booking was seen.
var sourceNames = map[string]string{"NOTICE": "到账通知", "STATEMENT": "对账单", bank.ByHTTP: "接口", bank.ByTCP: "专线", "FILE": "文件"}

// stepName says what a step of a finding's history was.
func stepName(step reconcile.FindingStep) string {
	switch step.Kind {
	case reconcile.StepMoved:
		if step.Was == "" {
			return reconcile.StateName[step.Became]
		}
		return reconcile.StateName[step.Was] + " → " + reconcile.StateName[step.Became]
	case reconcile.StepComment:
		return "留言"
	case reconcile.StepOwner:
		return "认领"
	case reconcile.StepHandOver:
		return "移交"
	case reconcile.StepRevealed:
		return auditWord(step.Became)
	}
	return "重新判定"
}

// coded replaces codes in a text of the audit trail by their names.
var coded = sync.OnceValue(func() *strings.Replacer {
	all := reconcile.AllCodes()
	slices.SortFunc(all, func(a, b reconcile.Code) int { return len(b) - len(a) }) // the longer one first, where one begins with the other
	var pairs []string
	for _, code := range all {
		pairs = append(pairs, string(code), code.Name())
	}
	return strings.NewReplacer(pairs...)
})

// told is a word with the class of its tone.
type told struct{ Text, Tone string }

// daysLeft says how near a day is; nothing of what has none, or is done with.
func daysLeft(n *int) *told {
	switch {
	case n == nil:
		return nil
	case *n < 0:
		return &told{fmt.Sprint("逾期 ", -*n, " 天"), "bad"}
	case *n == 0:
		return &told{"今日到期", "warn"}
	}
	return &told{fmt.Sprint("剩 ", *n, " 天"), ""}
}

// butWith is a query with one parameter set, or taken away where the value is empty. The cursor never stays: it belongs to
// what was asked before.
func butWith(q url.Values, name string, value any) template.URL {
	next := url.Values{}
	for k, v := range q {
		next[k] = v
	}
	next.Del("cursor")
	if text := fmt.Sprint(value); text != "" {
		next.Set(name, text)
	} else {
		next.Del(name)
	}
	return template.URL("?" + next.Encode()) //nolint:gosec // the values are escaped by Encode
}
