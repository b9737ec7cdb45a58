package reconcile

import (
	"context"
	"fmt"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// vaultChecks opens everything that is stored sealed, a row at a time. The nightly job leaves that to verify: it takes as long as
// there is of it, and what the day read was opened.
func (d *Desk) vaultChecks(ctx context.Context) ([]Check, error) {
	vaults := sqldb.Vaults()
	shut, untrue := make([]sqldb.Damage, len(vaults)), make([]sqldb.Damage, len(vaults)+1)
	var files sqldb.Damage
	runs := []func() error{
		func() (err error) { files, err = bank.ChangedFiles(ctx, d.db); return err },
		func() (err error) { untrue[len(vaults)], err = d.untrueStrays(ctx); return err },
	}
	for i, v := range vaults {
		runs = append(runs, func() (err error) { shut[i], untrue[i], err = v.Look(ctx, d.db); return err })
	}
	err := together(runs...)
	return []Check{
		damaged("I45", "每个密文都能在所在的行打开", shut...),
		damaged("I46", "检索标记和摘要与密文内容一致", untrue...),
		damaged("I47", "对账文件的各部分合起来与其摘要一致", files),
	}, err
}

func damaged(code, title string, parts ...sqldb.Damage) Check {
	var all sqldb.Damage
	for _, part := range parts {
		all.Join(part)
	}
	return Check{Code: code, Title: title, Count: all.Count, Sample: strings.Join(all.Rows, "、")}
}

// untrueStrays finds the credits gone astray whose tag is not that of their payer, by which they would be looked for in vain.
func (d *Desk) untrueStrays(ctx context.Context) (untrue sqldb.Damage, err error) {
	type row struct {
		tag   string
		entry bank.Entry
	}
	var shut func() bool // which is told of entries
	fields := func(r *row) []any {
		var payer any
		payer, shut = sqldb.Perhaps(bank.SealedPayer(&r.entry))
		return []any{&r.tag, &r.entry.ID, payer}
	}
	err = sqldb.Stream(ctx, d.db, fields, func(r *row) error {
		tag, err := d.db.Tag(strayTag, r.entry.PayerKey)
		if err == nil && tag != r.tag && !shut() {
			untrue.Add("strays " + r.entry.ID.String())
		}
		return err
	}, "SELECT s.payer_tag, e.id, e.sealed FROM strays AS s JOIN entries AS e ON e.id = s.entry_id")
	if err != nil {
		err = fmt.Errorf("open strays: %w", err)
	}
	return untrue, err
}
