package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Veil is what lies over everything that is told while lots are sealed: how many are.
type Veil struct{ Lots int }

// leastSealed is how many lots have to be sealed for anything to be told of all of them together: of fewer it would tell of each.
const leastSealed = 3

// VeilNow reads how many lots are sealed.
func VeilNow(ctx context.Context, r sqldb.Reader) (v Veil, err error) {
	v.Lots, err = platform.SealedLots(ctx, r)
	return v, err
}

// Hides says whether counts and moments are secret.
func (v Veil) Hides() bool { return v.Lots > 0 }

// Count is a count for people, a band while counts are secret.
func (v Veil) Count(n int) string {
	if v.Hides() {
		return band(n)
	}
	return fmt.Sprint(n)
}

// When is an instant for people; while moments are secret not even its day is told: it would tell when somebody paid.
func (v Veil) When(t time.Time) string {
	if v.Hides() {
		return "开标前不公开"
	}
	return deposit.Wall(t)
}

// Note says what there is of lots that are not opened, and no more than that; where only one or two are sealed, the same
// whether there is something or not.
func (v Veil) Note(n int) string {
	switch {
	case v.Lots == 0:
		return ""
	case v.Lots < leastSealed:
		return "未开标标段的情况开标前不披露"
	}
	return "未开标标段需核对：" + band(n) + " 笔（开标后可见）"
}

// band is a count as it may be told while it is secret: 0, 1–9 or 10+.
func band(n int) string {
	switch {
	case n == 0:
		return "0"
	case n < 10:
		return "1–9"
	}
	return "10+"
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
