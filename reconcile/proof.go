package reconcile

import (
	"fmt"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// Band is a count as it may be told while it is secret: 0, 1–9 or 10+.
func Band(n int) string {
	switch {
	case n == 0:
		return "0"
	case n < 10:
		return "1–9"
	}
	return "10+"
}

// Counted is a count for people, as a band where it is veiled.
func Counted(n int, veiled bool) string {
	if veiled {
		return Band(n)
	}
	return fmt.Sprint(n)
}

// SealedNote says that there is more to look at, of lots that are not opened, and no more than that; "" for nothing.
func SealedNote(n int) string {
	if n == 0 {
		return ""
	}
	return "另有未开标标段需核对：" + Band(n) + " 笔（开标后可见）"
}

// Proof is what the service has found out for one step of the plan (domain.md §7.1), in lines for people. It is stored with
// the incident and shown to many: it names no payer and no amount, and of lots that are not opened nothing but bands.
type Proof struct {
	Step  string   // of the branch: "2.1"
	Facts []string // what the service knows
	Asks  []string // what a person still has to do, ready for the telephone
}

// proofs collects what was found out, in the order of the steps.
type proofs []Proof

// know adds facts to a step; empty ones say nothing.
func (p *proofs) know(step string, facts ...string) {
	one := p.step(step)
	for _, fact := range facts {
		if fact != "" {
			one.Facts = append(one.Facts, fact)
		}
	}
}

// ask adds to a step what a person has to do.
func (p *proofs) ask(step string, asks ...string) {
	one := p.step(step)
	one.Asks = append(one.Asks, asks...)
}

func (p *proofs) step(step string) *Proof {
	for i := range *p {
		if (*p)[i].Step == step {
			return &(*p)[i]
		}
	}
	*p = append(*p, Proof{Step: step})
	return &(*p)[len(*p)-1]
}

// Text is the proof as it is attached to the step.
func (p *Proof) Text() string {
	var b strings.Builder
	for _, fact := range p.Facts {
		b.WriteString("· " + fact + "\n")
	}
	for i, ask := range p.Asks {
		if i == 0 {
			b.WriteString("需人工办理：\n")
		}
		fmt.Fprintf(&b, "%d. %s\n", i+1, ask)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// mostListed is how many serials or numbers a proof lists; the rest is counted.
const mostListed = 20

// Listed writes the first of many texts, and how many there are.
func Listed(all []string) string {
	if len(all) <= mostListed {
		return strings.Join(all, "、")
	}
	return strings.Join(all[:mostListed], "、") + fmt.Sprint(" 等 ", len(all), " 个")
}

// lasting is a time for people: 3 小时 20 分钟.
func lasting(d time.Duration) string {
	hours, minutes := int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case d < time.Minute:
		return fmt.Sprint(int(d/time.Second), " 秒")
	case hours == 0:
		return fmt.Sprint(minutes, " 分钟")
	case minutes == 0:
		return fmt.Sprint(hours, " 小时")
	}
	return fmt.Sprint(hours, " 小时 ", minutes, " 分钟")
}

// onDay is an instant for people, the day alone where it is veiled: the moment would tell when somebody paid.
func onDay(t time.Time, veiled bool) string {
	if veiled {
		return string(deposit.DayOf(t))
	}
	return deposit.Wall(t)
}
