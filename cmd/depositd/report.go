package main

import (
	"context"
	"io"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

type reportCmd struct {
	Day  deposit.Day `placeholder:"2026-06-12" help:"日期；缺省为昨天（北京时间）"`
	JSON bool        `name:"json" help:"以 JSON 打印"`
}

// Run prints the report of a day as it stands, as far as anybody may see it: whoever has a shell is no exemption. Exit code 3 when something does not fit.
func (r *reportCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		day := r.Day
		if day == "" {
			day = yesterday(a.db.Now())
		}
		report, err := a.reconcile.Report(ctx, deposit.SightOfAll(), day)
		if err != nil {
			return err
		}
		return c.printReport(report, a.banks, r.JSON)
	})
}

// printReport prints a report for people or for machines, and errMismatches if there is something in it to act on.
func (c *call) printReport(report *reconcile.Report, banks *bank.Set, asJSON bool) error {
	write := func(w io.Writer) error { return writeReport(w, report, banks) }
	if asJSON {
		write = func(w io.Writer) error { return printJSON(w, report) }
	}
	if err := write(c.stdout); err != nil {
		return err
	}
	if report.Mismatches() {
		return errMismatches
	}
	return nil
}
