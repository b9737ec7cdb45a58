package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"depositd/migrations/sqldb"
)

// A claim lasts minutes, so that a replica that died is soon replaced, and is renewed while the work goes on.
const (
	claimLasts = 5 * time.Minute
	claimRenew = time.Minute
)

// holding claims a job for its subject, does it and gives the claim back; errHeld while another run has it, of this process or
// another. A claim that is lost ends the work.
func (a *app) holding(ctx context.Context, job, of string, work func(ctx context.Context) error) (err error) {
	run := a.holder + "/" + sqldb.NewID().String() // a claim lets its own holder in again: each run is a holder of its own
	held, err := a.db.Claim(ctx, job, of, run, claimLasts)
	if err != nil {
		return err
	}
	if !held {
		return errHeld
	}
	working, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { a.renew(working, stop, job, of, run, claimRenew) })
	defer func() {
		stop(nil)
		renewing.Wait()
		err = errors.Join(err, a.db.Release(context.WithoutCancel(ctx), job, of, run))
	}()
	err = work(working)
	if err != nil && ctx.Err() == nil && working.Err() != nil {
		return context.Cause(working)
	}
	return err
}

// renew keeps the claim until the work ends, and ends the work when the claim is lost, or could not be renewed for so long that
// another run may have it.
func (a *app) renew(ctx context.Context, stop context.CancelCauseFunc, job, of, run string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			held, err := a.db.Claim(ctx, job, of, run, claimLasts)
			if err != nil {
				failures++
			} else {
				failures = 0
			}
			if err == nil && !held || failures >= int(claimLasts/claimRenew)-1 {
				stop(errHeld)
			}
		}
	}
}
