package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/bits"
	"reflect"
	"strings"
	"time"
)

// Table says how rows of T are read and written: one list of columns, one of fields, in the same order.
type Table[T any] struct {
	name    string
	columns string
	width   int
	row     func(*T) []any
	holds   func(*DB, *T) (bool, error) // nil: nothing more than that it opens
}

// NewTable declares a table, in a package variable beside the type: each one is known to Vaults. row gives pointers to the fields, instants
// wrapped by Wall.
func NewTable[T any](name, columns string, row func(*T) []any) Table[T] {
	t := Table[T]{name: name, columns: columns, width: strings.Count(columns, ",") + 1, row: row}
	declared = append(declared, t)
	return t
}

// rowsAtOnce is how many rows or values one statement carries at most: beyond some hundreds nothing is gained, and SQLite
// takes no more than 32,766 parameters a statement.
const rowsAtOnce = 400

const mostParameters = 32766

// Insert writes rows, however many, as many a statement as suits the engine. ErrTaken where a key is there already.
func (t Table[T]) Insert(ctx context.Context, tx *Tx, rows ...T) error {
	n, query := min(tx.lane.engine.rowsAtOnce(), mostParameters/t.width), ""
	var one T
	fields := t.row(&one)
	handKeys(fields, tx.ring)
	for len(rows) > 0 {
		if n > len(rows) || query == "" {
			n = min(n, len(rows))
			query = "INSERT INTO " + t.name + " (" + t.columns + ") VALUES " + Places(n, t.width)
		}
		args := make([]any, 0, n*t.width)
		for i := range rows[:n] {
			one = rows[i]
			for _, field := range fields {
				arg, err := stored(field)
				if err != nil {
					return fmt.Errorf("insert into %s: %w", t.name, err)
				}
				args = append(args, arg)
			}
		}
		if _, err := tx.Exec(ctx, query, args...); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, err)
		}
		rows = rows[n:]
	}
	return nil
}

// stored is what a field that row points to is stored as: what database/sql would make of the pointer, at half the allocations.
func stored(field any) (driver.Value, error) {
	if v, ok := field.(driver.Valuer); ok {
		return v.Value()
	}
	switch v := reflect.ValueOf(field).Elem(); v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Int, reflect.Int64:
		return v.Int(), nil
	default:
		return driver.DefaultParameterConverter.ConvertValue(v.Interface())
	}
}

// Places is n groups of placeholders of the given width: Places(2, 3) is "(?,?,?),(?,?,?)".
// With width 1 it serves IN as well: "IN (" + Places… is written by In.
func Places(n, width int) string {
	group := "(" + strings.Repeat("?,", width-1) + "?)"
	return strings.Repeat(group+",", n-1) + group
}

// In is the placeholders of an IN list: In(3) is "(?,?,?)".
func In(n int) string { return Places(1, n) }

// One reads the row that tail finds, such as "WHERE id = ?"; ErrNone if there is none.
func (t Table[T]) One(ctx context.Context, r Reader, tail string, args ...any) (T, error) {
	var one T
	found := false
	err := query(ctx, r, "SELECT "+t.columns+" FROM "+t.name+" "+tail, args, t.row, func(row *T) error {
		one, found = *row, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%s: %w", t.name, ErrNone)
	}
	return one, err
}

// All reads every row that tail finds, in its order. It is for lists whose length something bounds.
func (t Table[T]) All(ctx context.Context, r Reader, tail string, args ...any) ([]T, error) {
	var all []T
	err := query(ctx, r, "SELECT "+t.columns+" FROM "+t.name+" "+tail, args, t.row, func(row *T) error {
		all = append(all, *row)
		return nil
	})
	return all, err
}

// Each streams the rows that tail finds. It takes the DB and cannot be given a Tx, since MySQL cannot write while rows
// are open: that mistake does not compile. The row is f's only until it returns.
func (t Table[T]) Each(ctx context.Context, db *DB, tail string, args []any, f func(*T) error) error {
	return query(ctx, db, "SELECT "+t.columns+" FROM "+t.name+" "+tail, args, t.row, f)
}

// Select reads rows of a query that is no table's: sums, joins. row gives pointers to the fields in the query's order.
func Select[T any](ctx context.Context, r Reader, row func(*T) []any, text string, args ...any) ([]T, error) {
	var all []T
	err := query(ctx, r, text, args, row, func(one *T) error {
		all = append(all, *one)
		return nil
	})
	return all, err
}

// Stream is Select row by row; like Each it takes the DB only.
func Stream[T any](ctx context.Context, db *DB, row func(*T) []any, f func(*T) error, text string, args ...any) error {
	return query(ctx, db, text, args, row, f)
}

// Value reads a single value, such as a count; COALESCE what may be NULL.
func Value[T any](ctx context.Context, r Reader, text string, args ...any) (T, error) {
	var value T
	err := query(ctx, r, text, args, func(v *T) []any { return []any{v} }, func(v *T) error {
		value = *v
		return nil
	})
	return value, err
}

func query[T any](ctx context.Context, r Reader, text string, args []any, row func(*T) []any, f func(*T) error) (err error) {
	rows, err := r.query(ctx, text, args)
	if err != nil {
		return err
	}
	defer func() {
		closing := rows.Close()
		err = firstError(err, firstError(r.failed(rows.Err()), r.failed(closing)))
	}()
	var one T
	fields := row(&one)
	handKeys(fields, r.seals())
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		if err := f(&one); err != nil {
			return err
		}
	}
	return nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Wall lets an instant be stored: Shanghai wall time with milliseconds, the same text in both engines.
// The zero time ("not yet") is stored as never, since no column is NULL.
func Wall(t *time.Time) any { return (*wallTime)(t) }

type wallTime time.Time

const wallLayout = "2006-01-02 15:04:05.000"

const never = "1000-01-01 00:00:00.000"

// Forever stands for an end that is not known, such as that of a lease in force.
var Forever = time.Date(9999, 12, 31, 0, 0, 0, 0, shanghai)

var shanghai = time.FixedZone("CST", 8*60*60)

// At is an instant as a statement's argument, in the form that the columns hold.
func At(t time.Time) string {
	if t.IsZero() {
		return never
	}
	return t.In(shanghai).Format(wallLayout)
}

// Value implements driver.Valuer.
func (w *wallTime) Value() (driver.Value, error) { return At(time.Time(*w)), nil }

// Scan implements sql.Scanner.
func (w *wallTime) Scan(src any) error {
	var text sql.NullString
	if err := text.Scan(src); err != nil {
		return err
	}
	if text.String == never {
		*w = wallTime{}
		return nil
	}
	t, err := time.ParseInLocation(wallLayout, text.String, shanghai)
	*w = wallTime(t)
	return err
}

// Chunks calls f with some hundreds of the values at a time: the IN list for them, and the values as arguments. The last
// value may stand there several times: lists of few lengths are few texts, which stay prepared.
func Chunks[T any](values []T, f func(in string, args []any) error) error {
	return chunks(values, rowsAtOnce, f)
}

func chunks[T any](values []T, most int, f func(in string, args []any) error) error {
	for len(values) > 0 {
		n := min(most, len(values))
		args := make([]any, listLength(n))
		for i := range args {
			args[i] = values[min(i, n-1)]
		}
		if err := f(In(len(args)), args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// listLength is the next power of two, or the most there is.
func listLength(n int) int { return min(1<<bits.Len(uint(n-1)), rowsAtOnce) }
