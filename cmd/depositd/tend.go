package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"depositd/bank"
)

// The pools are tended at the latest every few minutes; what the platform tells wakes the keeper sooner, but not more often
// than a round may take.
const (
	poolsJob  = "pools"
	tendEvery = 3 * time.Minute
	tendPause = 2 * time.Second
)

// wakeTending says that there may be something to do for the pools. It never waits.
func (a *app) wakeTending() { wake(a.wakePools) }

// tendAlways tends the pools whenever it is woken and every few minutes. A failure is logged and tried again.
func (a *app) tendAlways(ctx context.Context, jobs *jobMetrics) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		a.tend(ctx, jobs)
		select {
		case <-ctx.Done():
			return
		case <-time.After(tendPause):
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wakePools:
		case <-tick.C:
		}
	}
}

// tend goes one round, on one of the replicas.
func (a *app) tend(ctx context.Context, jobs *jobMetrics) {
	err := a.holding(ctx, poolsJob, "", func(ctx context.Context) error {
		_, err := a.keeper.Tend(ctx, poolsJob)
		return err
	})
	switch {
	case ctx.Err() != nil, errors.Is(err, errHeld):
	case err != nil:
		a.wakeTheWatch()
		jobs.failed(poolsJob)
		a.log.Warn("tending the pools of sub-accounts failed; it will be tried again", "error", err)
	default:
		jobs.succeeded(poolsJob, a.db.Now())
	}
}

// digest tells the settings and the banks' file apart from others, and nothing of what they hold.
func (c *call) digest(banks *bank.Set) string {
	h := sha256.New()
	for _, s := range c.effective() {
		_, _ = fmt.Fprintln(h, s.Name, s.Value)
	}
	_, _ = fmt.Fprint(h, banks.Describe())
	return hex.EncodeToString(h.Sum(nil)[:6])
}
