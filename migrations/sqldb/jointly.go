package sqldb

import "context"

// Jointly is Write for work of one kind that costs less when much of it is done at once: the work of those who wait at
// the same time is handed to do together, in the order in which they came, each author's by itself. do looks up what it
// needs for all of it in a statement or two, and inserts in as few.
//
// do must come to what it would come to for one after the other, and tell how each fared through the work itself; what it
// tells is true only when the write returns nil. An error of do concerns all of the work: nothing of it stays, and do is
// called again with each alone, so that a fault of one costs the others time and nothing else. Like the function of a Write
// it may run more than once. Its ctx does not end with anybody's: whoever has left before it began is not among the work.
func Jointly[T any](db *DB, do func(ctx context.Context, tx *Tx, work []T) error) func(ctx context.Context, by string, one T) error {
	k := &kind{do: func(tx *Tx, some []*waiter) error {
		work := make([]T, len(some))
		for i, w := range some {
			work[i] = w.work.(T)
		}
		return do(context.WithoutCancel(some[0].ctx), tx, work)
	}}
	return func(ctx context.Context, by string, one T) error {
		return db.wait(&waiter{ctx: ctx, by: by, kind: k, work: one, done: make(chan error, 1)})
	}
}

// kind is a kind of work; what is of the same kind and author can be done together.
type kind struct {
	do func(tx *Tx, some []*waiter) error
}

// part is what is run in one go: one waiter's function, or the work of several.
type part struct {
	waiters []*waiter
	at      []int // their places in the batch
}

// parts divides a batch, in the order in which it came; whoever has an outcome already is in none.
func parts(batch []*waiter, outcome []error, apart bool) []*part {
	type together struct {
		kind *kind
		by   string
	}
	var all []*part
	known := map[together]*part{}
	for i, w := range batch {
		if outcome[i] != nil {
			continue
		}
		key := together{w.kind, w.by}
		p := known[key]
		if p == nil || w.kind == nil || apart {
			p = &part{}
			known[key], all = p, append(all, p)
		}
		p.waiters, p.at = append(p.waiters, w), append(p.at, i)
	}
	return all
}

func (p *part) run(tx *Tx) error {
	if first := p.waiters[0]; first.kind == nil {
		return first.f(tx)
	}
	return p.waiters[0].kind.do(tx, p.waiters)
}
