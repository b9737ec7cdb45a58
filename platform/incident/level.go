package incident

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// Scope is what fails, as far as a level depends on it.
type Scope string

// The scopes, each with the plan's words of section 3.1 for its effect.
const (
	NoScope    Scope = ""           // none that the plan has a level for
	Part       Scope = "PART"       // 部分模块故障
	Whole      Scope = "WHOLE"      // 系统不能被正常访问
	Evaluation Scope = "EVALUATION" // 评标过程无法顺利进行, and people have to step in
)

var effects = map[string]Scope{"部分模块故障": Part, "系统不能被正常访问": Whole, "评标过程无法顺利进行": Evaluation}

// Chinese is the scope's name, "" of none.
func (s Scope) Chinese() string {
	for words, scope := range effects {
		if scope == s {
			return words
		}
	}
	return ""
}

// Scopes lists those that the plan has a level for.
func Scopes() []Scope { return []Scope{Part, Whole, Evaluation} }

// KnownScope says whether a word is a scope; "" is one.
func KnownScope(word string) bool { return word == "" || Scope(word).Chinese() != "" }

func effectWords() string { return strings.Join(slices.Sorted(maps.Keys(effects)), "、") }

func mapKeys(m map[string]bool) iter.Seq[string] { return maps.Keys(m) }

// A Suggestion is the level that the plan's letter gives a trouble, and why. Level "" with a Gap: the plan has none for it.
type Suggestion struct {
	Level string
	Why   string
	Gap   bool
	Next  time.Time // when another level begins if the trouble lasts; zero: none does
}

// fits says whether a trigger speaks of the scope: an evaluation that cannot go on is a part that fails, too.
func (t *Trigger) fits(s Scope) bool {
	effect := effects[t.Effect]
	return effect == s || s == Evaluation && effect == Part
}

// Suggest says which level the plan gives to what fails since began: the gravest one whose time is over. It begins when the
// trouble has lasted longer than the limit (超过), not at the very moment.
func (p *Plan) Suggest(s Scope, began, now time.Time) Suggestion {
	if s == NoScope {
		return Suggestion{Gap: true, Why: "预案第三章未对此类故障规定级别，由人员判定"}
	}
	var found Suggestion
	for _, id := range slices.Backward(p.Levels.SeverityOrder) {
		begins, t := p.begins(p.Level(id), s, began)
		switch {
		case t == nil:
		case now.After(begins) || t.Limit == "":
			found.Level, found.Why = id, fmt.Sprintf("%s，已持续 %s，符合“%s”", s.Chinese(), Lasted(now.Sub(began)), p.condition(t))
			return found
		case found.Next.IsZero() || begins.Before(found.Next):
			found.Next = begins
		}
	}
	found.Gap, found.Why = true, p.gap(s, now.Sub(began), found.Next.Sub(began))
	return found
}

// begins is when a level begins for a trouble, and by which trigger; nil if it never does.
func (p *Plan) begins(level *Level, s Scope, began time.Time) (first time.Time, by *Trigger) {
	for i := range level.Triggers {
		t, at := &level.Triggers[i], began
		if t.Limit != "" {
			at = began.Add(p.Limit(t.Limit).Length())
		}
		if t.fits(s) && (by == nil || at.Before(first)) {
			first, by = at, t
		}
	}
	return first, by
}

// condition is a trigger in the plan's words.
func (p *Plan) condition(t *Trigger) string {
	if t.Limit == "" {
		return t.Effect + "，" + t.Requires
	}
	return t.Effect + p.Limit(t.Limit).Evidence
}

// gap tells why no level fits: the whole system that is down for two to four hours stands in none (ambiguity A3).
func (p *Plan) gap(s Scope, since, next time.Duration) string {
	why := fmt.Sprintf("%s，已持续 %s，尚未超过 %s：预案对此没有规定级别", s.Chinese(), Lasted(since), Lasted(next))
	switch {
	case next <= 0:
		return fmt.Sprintf("%s，已持续 %s：预案对此没有规定级别", s.Chinese(), Lasted(since))
	case s != Whole:
		return why
	}
	began := time.Unix(0, 0)
	if part := p.Suggest(Part, began, began.Add(since)); part.Level != "" {
		why += fmt.Sprintf("，由人员判定（部分模块故障持续同样时长即为%s）", p.LevelName(part.Level))
	}
	return why
}

// Length is how long a limit lasts; 0 of one that ends with an event. A day is one of work: 半天 is read as four hours, the
// shortest of its meanings (ambiguity A10).
func (l *Limit) Length() time.Duration {
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": workday}[l.Unit]
	return time.Duration(l.Value * float64(unit))
}

const (
	workday   = 8 * time.Hour
	mostLimit = 366 * 24 * time.Hour
)

// Lasted prints a time for people: 3 小时 20 分钟.
func Lasted(d time.Duration) string {
	hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case hours >= 48:
		return fmt.Sprintf("%d 天 %d 小时", hours/24, hours%24)
	case hours == 0:
		return fmt.Sprintf("%d 分钟", minutes)
	case minutes == 0:
		return fmt.Sprintf("%d 小时", hours)
	}
	return fmt.Sprintf("%d 小时 %d 分钟", hours, minutes)
}
