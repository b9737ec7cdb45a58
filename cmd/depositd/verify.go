package main

import (
	"context"
	"fmt"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/reconcile"
	"depositd/refund"
)

type verifyCmd struct {
	Checkpoint string `placeholder:"FILE" help:"库外保存的检查点（depositd checkpoint 的输出，每行一个）：审计日志须与每一个相符"`
	JSON       bool   `name:"json" help:"以 JSON 打印"`
}

// Run prints every check with the number of rows that violate it; exit code 3 when there is one.
func (v *verifyCmd) Run(ctx context.Context, c *call) error {
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		desk := reconcile.NewDesk(db, nil, reconcile.Rules{})
		desk.Join(refund.NewDesk(db, nil, nil, refund.Limits{}).Beside())
		checks, err := desk.Verify(ctx)
		if err != nil {
			return err
		}
		if checks, err = desk.Told(ctx, checks); err != nil {
			return err
		}
		if v.Checkpoint != "" { // of which a checkpoint and its day are no secret
			held, err := holdToCheckpoints(ctx, desk, v.Checkpoint)
			if err != nil {
				return err
			}
			checks = append(checks, held)
		}
		return v.print(c, checks)
	})
}

func (v *verifyCmd) print(c *call, checks []reconcile.Check) error {
	fired := 0
	for _, check := range checks {
		if check.Count > 0 {
			fired++
		}
	}
	if v.JSON {
		if err := printJSON(c.stdout, map[string]any{"checks": checks, "fired": fired}); err != nil {
			return err
		}
	} else {
		v.printText(c, checks)
		fmt.Fprintf(c.stdout, "共 %d 项检查，%d 项不通过\n", len(checks), fired)
	}
	if fired > 0 {
		return errMismatches
	}
	return nil
}

func (v *verifyCmd) printText(c *call, checks []reconcile.Check) {
	for _, check := range checks {
		mark := "通过"
		if check.Count > 0 {
			mark = "不符"
		}
		line := fmt.Sprintf("%s  %s  %s  %d", mark, pad(check.Code, 6), pad(check.Title, 48), check.Count)
		if check.Sample != "" {
			line += "  例：" + check.Sample
		}
		fmt.Fprintln(c.stdout, strings.TrimRight(line, " "))
	}
}
