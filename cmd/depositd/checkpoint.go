package main

import (
	"context"
	"fmt"
	"os"

	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

type checkpointCmd struct{}

// Run prints what the audit trail is now, in one line. It is to be kept where whoever can write the database cannot write:
// depositd checkpoint >> on-another-machine.jsonl.
func (*checkpointCmd) Run(ctx context.Context, c *call) error {
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		now, err := reconcile.NewDesk(db, nil, reconcile.Rules{}).Checkpoint(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, now.Line())
		return nil
	})
}

// holdToCheckpoints compares the audit trail with every checkpoint of a file.
func holdToCheckpoints(ctx context.Context, desk *reconcile.Desk, name string) (reconcile.Check, error) {
	check := reconcile.Check{Code: "I29b", Title: "审计日志与外存检查点一致"}
	file, err := os.Open(name)
	if err != nil {
		return check, usageError{err}
	}
	defer func() { _ = file.Close() }()
	kept, err := reconcile.ReadCheckpoints(file)
	if err != nil {
		return check, err
	}
	for _, c := range kept {
		differs, err := desk.HoldTo(ctx, c)
		if err != nil {
			return check, err
		}
		if differs == "" {
			continue
		}
		if check.Count++; check.Sample == "" {
			check.Sample = c.TakenAt.Format("2006-01-02 15:04:05") + " 的检查点：" + differs
		}
	}
	return check, nil
}

// tellCheckpoint writes a checkpoint into the log, which goes to another machine where there is one.
func (a *app) tellCheckpoint(ctx context.Context) {
	now, err := a.reconcile.Checkpoint(ctx)
	if err != nil {
		a.log.Warn("nightly: no checkpoint of the audit trail", "error", err)
		return
	}
	a.log.Info("audit checkpoint", "checkpoint", now.Line())
}
