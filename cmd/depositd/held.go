package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A claim lasts minutes, so that a replica that died is soon replaced, and is renewed while the work goes on.
const (
	claimLasts = 5 * time.Minute
	claimRenew = time.Minute
)

// holding claims a job for its subject, does it and gives the claim back; errHeld while another process has it. A claim
// that is lost ends the work.
func (a *app) holding(ctx context.Context, job, of string, work func(ctx context.Context) error) (err error) {
	held, err := a.db.Claim(ctx, job, of, a.holder, claimLasts)
	if err != nil {
		return err
	}
	if !held {
		return errHeld
	}
	working, stop := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { a.renew(working, stop, job, of, claimRenew) })
	defer func() {
		stop(nil)
		renewing.Wait()
		err = errors.Join(err, a.db.Release(context.WithoutCancel(ctx), job, of, a.holder))
	}()
	err = work(working)
	if err != nil && ctx.Err() == nil && working.Err() != nil {
		return context.Cause(working)
	}
	return err
}

// renew keeps the claim until the work ends, and ends the work when the claim is lost, or could not be renewed for so long that
// another process may have it.
func (a *app) renew(ctx context.Context, stop context.CancelCauseFunc, job, of string, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			held, err := a.db.Claim(ctx, job, of, a.holder, claimLasts)
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
