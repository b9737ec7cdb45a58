package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/platform/incident"
)

// What the keeper looks for: the codes of its signs.
const (
	SignPoolExhausted = "POOL_EXHAUSTED"      // 4.6.1, case 1
	SignUnreleased    = "NUMBERS_UNRELEASED"  // 4.6.1, case 1
	SignAllocation    = "ALLOCATION_FAILING"  // 4.6.1, case 1
	SignNotBooked     = "CREDITS_NOT_BOOKED"  // 4.6.1, case 2
	SignAstray        = "DEPOSITS_ASTRAY"     // 4.6.2, case 1
	SignSealed        = "SEALED_TO_CHECK"     // 4.6.2, case 1, of lots that are not opened
	SignNotPushed     = "PUSHES_MISSING"      // 4.6.2, case 2: the bank is silent, or its statement tells what it never pushed
	SignRejected      = "PUSHES_REJECTED"     // 4.6.2, case 2
	SignUndecodable   = "MESSAGES_UNREADABLE" // 4.6.2, case 2
	SignOutage        = "SERVICE_DEAF"        // 5.1.1
)

// The branches of the plan: the cases of 4.6, and the only way of 5.1.1.
const (
	caseOne    = "1"
	caseTwo    = "2"
	mainBranch = "1"
)

// WatchedCodes are the codes of which a round looks at everything there is: what it does not see of them is gone.
func WatchedCodes() []string {
	return []string{SignPoolExhausted, SignUnreleased, SignAllocation, SignNotBooked, SignAstray, SignSealed, SignNotPushed, SignRejected, SignUndecodable, SignOutage}
}

// Watch looks for the troubles of 4.6.1, 4.6.2 and 5.1.1, each with the evidence per step of the plan and where the fault
// lies. Where a bank is silent for longer than is usual it is asked; what it then tells is kept as if it had pushed it. A bank
// that fails is part of what is seen. clockOff is how far the database's clock is ahead of this machine's.
func (k *Keeper) Watch(ctx context.Context, by string, clockOff time.Duration) ([]incident.Sign, error) {
	missed := k.AskMissed(ctx, by)
	c, err := k.circumstances(ctx, clockOff)
	if err != nil {
		return nil, err
	}
	var all []incident.Sign
	for _, look := range []func(context.Context, circumstances) ([]incident.Sign, error){k.watchPools, k.watchPushes, k.watchLots, k.watchSealed, k.watchOutages} {
		signs, err := look(ctx, c)
		if err != nil {
			return nil, errors.Join(err, missed)
		}
		all = append(all, signs...)
	}
	if missed != nil && ctx.Err() == nil && len(c.outages) > 0 { // it is told in the outage's incident
		missed = nil
	}
	return all, missed
}

// Exhibits makes evidence of proofs, for the steps of a branch; the steps that the service could check by itself are answered.
func Exhibits(scenario, branch string, all []Proof) []incident.Evidence {
	evidence := make([]incident.Evidence, len(all))
	for i := range all {
		p := &all[i]
		evidence[i] = incident.Evidence{Step: scenario + "/" + branch + "/" + p.Step, Key: "watch:" + p.Step, Kind: incident.AsText, Text: p.Text(), Answers: len(p.Asks) == 0}
	}
	return evidence
}

// weigh says where a fault lies by the facts that speak for each side: the side with most of them, if no other has as many.
type weighing struct{ facts []weighed }

type weighed struct {
	side incident.Side
	fact string
}

func (w *weighing) say(applies bool, side incident.Side, fact ...any) {
	if applies {
		w.facts = append(w.facts, weighed{side, fmt.Sprint(fact...)})
	}
}

// fault counts: the facts of the leading side are for it, all others against it. Where two lead nobody does.
func (w *weighing) fault() *incident.Fault {
	count := map[incident.Side]int{}
	for _, f := range w.facts {
		count[f.side]++
	}
	lead, even := incident.SideOpen, false
	for _, side := range []incident.Side{incident.SideOurs, incident.SideBank, incident.SideLink, incident.SideBidder} {
		switch n := count[side]; {
		case n > count[lead]:
			lead, even = side, false
		case n > 0 && n == count[lead]:
			even = true
		}
	}
	if even {
		lead = incident.SideOpen
	}
	f := &incident.Fault{Side: lead, For: []string{}, Against: []string{}}
	for _, one := range w.facts {
		switch {
		case lead == incident.SideOpen:
			f.For = append(f.For, "指向"+one.side.Chinese()+"："+one.fact)
		case one.side == lead:
			f.For = append(f.For, one.fact)
		default:
			f.Against = append(f.Against, "指向"+one.side.Chinese()+"："+one.fact)
		}
	}
	return f
}

// firstOf is a list's beginning: what is too much to be told in one incident is the same trouble.
func firstOf[T any](all []T, most int) []T { return slices.Clone(all[:min(len(all), most)]) }
