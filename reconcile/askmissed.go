package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/bank"
	"depositd/platform"
)

// What the banks are asked for after an outage begins so much before it: what was on its way when the service went is lost
// as well. A round asks a bank of at most so many numbers; the next one goes on.
const (
	onItsWay     = 10 * time.Minute
	askedAtOnce  = 200
	keptAsking   = 72 * time.Hour // after that a bank that does not answer is a person's to ask
	missedAtOnce = 20             // outages
)

// AskMissed asks the banks what they booked during the outages that were found, and keeps it as if they had pushed it. It
// goes on where it ended: a number that has answered since is not asked again. A bank that fails stops no other.
func (k *Keeper) AskMissed(ctx context.Context, by string) error {
	found, err := outages.All(ctx, k.db, "WHERE state = 'FOUND' ORDER BY ended_at, id LIMIT ?", missedAtOnce)
	if err != nil {
		return err
	}
	var failed []error
	for _, o := range found {
		done := true
		for _, b := range k.banks.All() {
			p, err := k.pull(ctx, b, o.Began.Add(-onItsWay), o.Ended, o.Ended)
			failed = append(failed, err)
			done = done && p.Complete
		}
		if done || k.db.Now().Sub(o.Ended) > keptAsking {
			failed = append(failed, k.settleOutage(ctx, by, o, done))
		}
	}
	return errors.Join(failed...)
}

// pulling is how far the asking of a bank came.
type pulling struct {
	Complete bool // it was asked of all numbers in use, or cannot be asked
	Asked    int  // numbers in this round
	Fresh    int  // credits that we did not have
	Failed   *bank.Call
}

// pull asks a bank what came in on the numbers in use in [from, to), but for those that have answered since an instant.
func (k *Keeper) pull(ctx context.Context, b *bank.Bank, from, to, since time.Time) (p pulling, err error) {
	line := k.lines[b.Code]
	if line == nil || b.Adapter.Calls.Credit == nil {
		return pulling{Complete: true}, nil
	}
	numbers, err := platform.NumbersInUse(ctx, k.db, b.Code, from, to)
	if err != nil {
		return p, err
	}
	answered, err := k.bank.AskedSince(ctx, b.Code, b.Adapter.Calls.Credit.Code, since)
	if err != nil {
		return p, err
	}
	for _, n := range numbers {
		if n.Parent == "" {
			n.Parent = b.Parent()
		}
		if n.Parent == "" || answered[n.SubAccount] {
			continue
		}
		if p.Asked == askedAtOnce {
			return p, nil
		}
		fresh, call, err := k.pullNumber(ctx, line, n, from, to)
		p.Asked, p.Fresh = p.Asked+1, p.Fresh+fresh
		switch call.Outcome {
		case bank.CallUnsent, bank.CallUnknown:
			p.Failed = &call
			return p, fmt.Errorf("pull the credits of %s: %w", b.Code, err)
		case bank.CallRefused: // it does not know the number: the nightly asking finds that
		case bank.CallDone:
			if err != nil {
				return p, fmt.Errorf("keep the credits of %s: %w", b.Code, err)
			}
		}
	}
	p.Complete = true
	return p, nil
}

func (k *Keeper) pullNumber(ctx context.Context, line *bank.Line, n platform.NumberInUse, from, to time.Time) (fresh int, call bank.Call, err error) {
	told, call, err := line.Credits(ctx, bank.OfNumber{Parent: n.Parent, Number: n.SubAccount})
	if err == nil {
		if fresh, err = k.bank.TakePulled(ctx, line.Bank(), told, from, to); err != nil {
			return fresh, call, err // not noted as answered: it is asked again
		}
	}
	return fresh, call, errors.Join(err, k.bank.NoteCall(ctx, call))
}
