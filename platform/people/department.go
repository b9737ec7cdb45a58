package people

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

type department struct {
	ID   sqldb.ID
	Name string
}

var departments = sqldb.NewTable("departments", "id, name", func(d *department) []any { return []any{&d.ID, &d.Name} })

// AddDepartment adds a department, by the name that the trading platform writes on its lots; one that is there stays.
func (d *Desk) AddDepartment(ctx context.Context, by, name string) error {
	if name == "" || name != strings.TrimSpace(name) || !utf8.ValidString(name) || utf8.RuneCountInString(name) > mostDepartment || strings.ContainsFunc(name, unicode.IsControl) {
		return deposit.Refuse(deposit.Invalid, "department_malformed", "科室名称应为 1 至 ", mostDepartment, " 个字符，前后无空格")
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM departments WHERE name = ?", name)
		if err != nil || there > 0 {
			return err
		}
		one := department{tx.NewID(), name}
		if err := departments.Insert(ctx, tx, one); err != nil {
			return err
		}
		return tx.Note(ctx, "departments", one.ID, "ADDED", name)
	})
}

// Departments are the centre's departments by name.
func (d *Desk) Departments(ctx context.Context) ([]string, error) {
	all, err := departments.All(ctx, d.db, "ORDER BY name")
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names, err
}

// checkDepartment refuses an account of a department that is none; "" is the whole centre.
func checkDepartment(ctx context.Context, r sqldb.Reader, name string) error {
	if name == "" {
		return nil
	}
	there, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM departments WHERE name = ?", name)
	if err == nil && there == 0 {
		err = deposit.Refuse(deposit.Invalid, "department_unknown", "没有这个科室，请先增加（depositd department add）或核对名称")
	}
	return err
}
