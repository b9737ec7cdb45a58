package main

import (
	"context"
	"fmt"

	"depositd/migrations/sqldb"
)

type migrateCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// Run brings the schema to this program's version and seals what stood open in it; run again, it changes nothing.
func (m *migrateCmd) Run(ctx context.Context, c *call) error {
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	if _, err := config.master.key(); err != nil && !config.master.mayMake() {
		return err
	}
	db, err := sqldb.Open(ctx, config.db)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	applied, err := db.Migrate(ctx)
	if err != nil {
		return err
	}
	if err := c.unlock(ctx, &config.master, db, brought); err != nil {
		return err
	}
	if m.JSON {
		return printJSON(c.stdout, map[string][]int64{"applied": append([]int64{}, applied...)})
	}
	if len(applied) == 0 {
		fmt.Fprintln(c.stdout, "表结构已是本程序的版本，无需升级")
		return nil
	}
	fmt.Fprintf(c.stdout, "已执行 %d 个升级：%v\n", len(applied), applied)
	return nil
}
