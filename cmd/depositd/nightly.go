package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"depositd/api/once"
	"depositd/platform/deposit"
)

type nightlyCmd struct {
	Day  deposit.Day `placeholder:"2026-06-12" help:"对账日期；缺省为昨天（北京时间）"`
	JSON bool        `name:"json" help:"以 JSON 打印报告"`
}

// Run closes one day and prints its report; exit code 3 when something does not fit, 4 when another process is at it.
func (n *nightlyCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		day := n.Day
		if day == "" {
			day = yesterday(a.db.Now())
		}
		if err := a.closeDay(ctx, c.author(), day); err != nil {
			return err
		}
		report, err := a.reconcile.Report(ctx, deposit.SightOfAll(), day)
		if err != nil {
			return err
		}
		return c.printReport(report, a.banks, n.JSON)
	})
}

func yesterday(now time.Time) deposit.Day { return deposit.DayOf(now).Add(-1) }

// nightlyJob is the job's name in its claims and metrics.
const nightlyJob = "nightly"

// closeDay claims the day, closes it, holds its debits against the refunds and gives the claim back; errHeld while another process
// has it.
func (a *app) closeDay(ctx context.Context, by string, day deposit.Day) error {
	return a.holding(ctx, nightlyJob, string(day), func(ctx context.Context) error {
		if day == yesterday(a.db.Now()) {
			if err := a.keeper.Nightly(ctx, by, day); err != nil && ctx.Err() == nil {
				a.log.Warn("nightly: not everything is known of the pools of sub-accounts", "error", err)
			}
		}
		if err := a.reconcile.CloseDay(ctx, by, day); err != nil {
			return err
		}
		return a.settle(ctx, by, day)
	})
}

// runNightlies runs the nightly job at its times until ctx ends. cron only ticks; which days are due is asked each time.
func (a *app) runNightlies(ctx context.Context, jobs *jobMetrics) {
	table := cron.New(cron.WithLocation(deposit.Shanghai), cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	table.Schedule(a.config.nightly, cron.FuncJob(func() { a.nightly(ctx, jobs) }))
	table.Start()
	<-ctx.Done()
	<-table.Stop().Done()
}

// lookBack is how many days a statement may be late and still be found by the nightly job.
const lookBack = 31

// nightly closes yesterday and every earlier day whose statement has come since it was last compared. A day that another
// replica has claimed is left to it; one that fails stops none of the others.
func (a *app) nightly(ctx context.Context, jobs *jobMetrics) {
	last := yesterday(a.db.Now())
	days, err := a.reconcile.DaysToClose(ctx, last.Add(-lookBack), last)
	if err != nil {
		jobs.failed(nightlyJob)
		a.log.Error("nightly: which days are due is not known", "error", err)
	}
	if !slices.Contains(days, last) {
		days = append(days, last)
	}
	if _, err := once.NewDesk(a.db).Forget(ctx, nightlyJob); err != nil {
		a.log.Warn("nightly: old answers are not forgotten", "error", err)
	}
	for _, day := range days {
		if ctx.Err() != nil {
			return
		}
		err := a.closeDay(ctx, nightlyJob, day)
		var mismatches bool
		if err == nil {
			mismatches, err = a.reconcile.Mismatches(ctx, day)
		}
		switch {
		case errors.Is(err, errHeld):
			a.log.Info("nightly: another replica has the day", "day", day)
		case err != nil:
			jobs.failed(nightlyJob)
			a.log.Error("nightly failed; it may be run again: depositd nightly --day "+string(day), "day", day, "error", err)
		default:
			jobs.succeeded(nightlyJob, a.db.Now())
			a.wakeTheWatch()
			a.log.Info("nightly done", "day", day, "mismatches", mismatches)
		}
	}
	a.tellCheckpoint(ctx)
}
