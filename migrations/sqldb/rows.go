package sqldb

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
)

// Rows are rows on their way into a table.
type Rows struct {
	name, columns string
	width, count  int
	row           func(i int) []any
}

// Rows gives rows to be inserted together with those of other tables.
func (t Table[T]) Rows(rows ...T) Rows {
	return Rows{t.name, t.columns, t.width, len(rows), func(i int) []any { return t.row(&rows[i]) }}
}

// insert writes the rows, at most n a statement, each given to do.
func (r Rows) insert(n int, do func(query string, args []any) error) error {
	n, query := min(n, mostParameters/r.width), ""
	for begin := 0; begin < r.count; begin += n {
		if n > r.count-begin || query == "" {
			n = min(n, r.count-begin)
			query = "INSERT INTO " + r.name + " (" + r.columns + ") VALUES " + Places(n, r.width)
		}
		args := make([]any, 0, n*r.width)
		for i := range n {
			args = append(args, r.row(begin+i)...)
		}
		if err := do(query, args); err != nil {
			return fmt.Errorf("insert into %s: %w", r.name, err)
		}
	}
	return nil
}

// InsertAll writes rows of several tables. To a server it is one way there and back, unless they are large.
func (tx *Tx) InsertAll(ctx context.Context, all ...Rows) error {
	write := joint{tx: tx, ctx: ctx}
	for _, rows := range all {
		if err := rows.insert(min(tx.lane.engine.rowsAtOnce(), rowsJoined), write.add); err != nil {
			return err
		}
	}
	return write.send()
}

// A text stays below the 16 MiB that servers take if nothing else was set, though its values may double in it: more than
// mostJoined bytes of them only by the last statement, in which rowsJoined rows of 64 KiB are 4 MiB.
const (
	mostJoined = 2 << 20
	rowsJoined = 64
)

// joint is statements that go to the engine together where it takes several at once.
type joint struct {
	tx   *Tx
	ctx  context.Context
	text strings.Builder
	args []any
	size int
}

func (j *joint) add(query string, args []any) error {
	if !j.tx.lane.engine.joins() {
		_, err := j.tx.Exec(j.ctx, query, args...)
		return err
	}
	if j.text.Len() > 0 {
		j.text.WriteString("; ")
	}
	j.text.WriteString(query)
	handKeys(args, j.tx.ring)
	for _, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return err
		}
		switch v := value.(type) {
		case string:
			j.size += len(v)
		case []byte:
			j.size += len(v)
		}
		j.args = append(j.args, value)
	}
	if j.size < mostJoined {
		return nil
	}
	return j.send()
}

func (j *joint) send() error {
	if j.text.Len() == 0 {
		return nil
	}
	text, args := j.text.String(), j.args
	j.text.Reset()
	j.args, j.size = nil, 0
	_, err := j.tx.Exec(j.ctx, text, args...)
	return err
}
