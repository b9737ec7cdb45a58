package sqldb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// many is how many have to wait before a second connection stores joint work beside the first: with fewer, one commit for all costs
// less than two.
const many = 16

// mostShared bounds how many transactions share one commit, and with it how long the first of them waits.
const mostShared = 256

// attempts bounds how often a transaction is run again after a deadlock or a busy database.
const attempts = 8

// A waiter is one Write in the queue.
type waiter struct {
	ctx  context.Context
	by   string
	f    func(*Tx) error // nil where kind says what is to be done
	kind *kind
	work any
	done chan error // holds one
}

// Write runs f in a transaction: one author, one instant, all or nothing. Those who wait share one commit, so that one
// fsync serves them all; an f that fails is rolled back alone. f may run more than once, after a deadlock, a busy
// database or a neighbour's failure, and must leave nothing behind outside the transaction that a second run would not
// overwrite.
//
// ErrUnavailable means that the database is away or that the answer to the commit was lost: the rows may be there or not.
func (db *DB) Write(ctx context.Context, by string, f func(*Tx) error) error {
	return db.wait(&waiter{ctx: ctx, by: by, f: f, done: make(chan error, 1)})
}

// wait stands in the queue, and leads it when the lane is free, or those whose work is joint on the lane beside it when they are many.
func (db *DB) wait(w *waiter) error {
	if db.join(w) >= many && w.kind != nil {
		select {
		case l := <-db.beside:
			db.lead(w.ctx, db.beside, l, db.take(joint))
		default:
		}
	}
	for {
		select {
		case err := <-w.done:
			return err
		case <-w.ctx.Done():
			if db.leave(w) {
				return w.ctx.Err()
			}
			return <-w.done // somebody runs it already; its outcome is the answer
		case l := <-db.lane:
			db.lead(w.ctx, db.lane, l, db.take(anybody))
		}
	}
}

// lead runs a batch for all who are in it, mostly the leader too, unless more than may share a commit came before it.
func (db *DB) lead(ctx context.Context, lanes chan *lane, l *lane, batch []*waiter) {
	tell := db.run(context.WithoutCancel(ctx), l, batch)
	lanes <- l // first of all: whoever leads next need not wait until those who are told have done what they do then
	tell()
}

// ShareCommits sets how many transactions share one commit at most; 1 is the naive way, for comparison. It is called
// before the first Write.
func (db *DB) ShareCommits(most int) { db.shared = most }

// join goes to the end of the queue and tells how many wait now.
func (db *DB) join(w *waiter) int {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.queue = append(db.queue, w)
	return len(db.queue)
}

// take takes from the queue those who may share the next commit.
func (db *DB) take(may func(*waiter) bool) (batch []*waiter) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.queue = slices.DeleteFunc(db.queue, func(w *waiter) bool {
		taken := len(batch) < db.shared && may(w)
		if taken {
			batch = append(batch, w)
		}
		return taken
	})
	return batch
}

func anybody(*waiter) bool { return true }

// joint says that the work only adds rows, mostly new ones: beside others' it waits for no lock.
func joint(w *waiter) bool { return w.kind != nil }

func (db *DB) leave(w *waiter) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	for i := range db.queue {
		if db.queue[i] == w {
			db.queue = append(db.queue[:i:i], db.queue[i+1:]...)
			return true
		}
	}
	return false
}

// run commits a batch together; tell tells each waiter how it went.
func (db *DB) run(ctx context.Context, l *lane, batch []*waiter) (tell func()) {
	if len(batch) == 0 {
		return func() {}
	}
	outcome := make([]error, len(batch))
	var err error
	for attempt := range attempts {
		clear(outcome)
		if err = db.commit(ctx, l, batch, outcome); !errors.Is(err, errAgain) {
			break
		}
		time.Sleep(rand.N(time.Duration(1<<attempt) * 2 * time.Millisecond)) // spread two writers that met once
	}
	if errors.Is(err, errAgain) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return func() {
		for i, w := range batch {
			if err != nil {
				outcome[i] = err
			}
			w.done <- outcome[i]
		}
	}
}

// errAgain marks an error after which the whole transaction may simply be run again.
var errAgain = errors.New("run again")

// manner is how a batch is run.
type manner int

// The manners, from the one that nearly always does to the one that always does.
const (
	hopeful manner = iota // whoever asks may take what is stored for new; see Tx.Hopeful
	sober
	apart // each with a savepoint of his own
)

// commit runs the batch in one transaction. At first in hope and without savepoints, since nearly always nobody fails; if
// somebody does, everything is rolled back and run again, and at last those who fail are left out.
func (db *DB) commit(ctx context.Context, l *lane, batch []*waiter, outcome []error) error {
	for how := hopeful; ; {
		if err := l.begin(ctx); err != nil {
			return err
		}
		clear(outcome)
		next, err := db.perform(ctx, l, batch, outcome, how)
		switch {
		case err != nil, next == apart && len(batch) == 1:
			l.rollback(ctx)
			return err
		case next != how:
			l.rollback(ctx)
			how = next
			continue
		}
		if seeded(bugEarly) {
			answerEarly(batch, outcome)
		}
		return l.commit(ctx)
	}
}

// perform runs each function of the batch, work of one kind together unless they are run apart; next is the manner in which
// all has to be run again because of an error of one of them, or else how. Whoever has left by now is left out.
// The error is one that concerns the whole transaction.
func (db *DB) perform(ctx context.Context, l *lane, batch []*waiter, outcome []error, how manner) (next manner, err error) {
	now, near := db.Now(), &keys{draw: db.draw}
	for i, w := range batch {
		outcome[i] = w.ctx.Err()
	}
	for _, part := range parts(batch, outcome, how == apart) {
		if how == apart {
			if _, err := l.exec(ctx, "SAVEPOINT one", nil); err != nil {
				return how, err
			}
		}
		tx := &Tx{By: part.waiters[0].by, Now: now, lane: l, keys: near, ring: db.ring, asksClock: db.asksClock, hope: how == hopeful}
		err := call(part.run, tx)
		if errors.Is(err, errAgain) || errors.Is(err, ErrUnavailable) {
			return how, err
		}
		for _, i := range part.at {
			outcome[i] = err
		}
		switch {
		case err == nil:
			continue
		case tx.hoped && errors.Is(err, ErrTaken):
			return sober, nil
		case how != apart:
			return apart, nil
		}
		if _, err := l.exec(ctx, "ROLLBACK TO SAVEPOINT one", nil); err != nil {
			return how, err
		}
	}
	return how, nil
}

// call turns a panic into an error, so that one writer's bug does not take the others' commit along.
func call(f func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", p, debug.Stack())
		}
	}()
	return f(tx)
}
