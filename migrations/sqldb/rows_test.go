package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// part is a row of some size.
type part struct {
	Message sqldb.ID
	Part    int
	Body    []byte
}

var parts = sqldb.NewTable("message_parts", "message_id, part, body", func(p *part) []any { return []any{&p.Message, &p.Part, &p.Body} })

// someParts are rows of the given size, whose bytes are the hardest to write into a text.
func someParts(from, to, size int) (rows []part) {
	for i := from; i < to; i++ {
		rows = append(rows, part{Message: 1, Part: i, Body: []byte(strings.Repeat("'\\?;\x00\xff", size/6))})
	}
	return rows
}

// Rows of several tables are stored as they are, however many and however large.
func TestInsertAll(t *testing.T) {
	for name, c := range map[string]struct {
		rows []sqldb.Rows
		want int
	}{
		"nothing":               {nil, 0},
		"two tables":            {[]sqldb.Rows{parts.Rows(someParts(0, 3, 60)...), table.Rows(unjudged{ID: 1}), parts.Rows()}, 4},
		"more than a statement": {[]sqldb.Rows{parts.Rows(someParts(0, 500, 6)...)}, 500},
		"more than a text":      {[]sqldb.Rows{parts.Rows(someParts(0, 260, 64<<10)...), table.Rows(unjudged{ID: 1})}, 261},
	} {
		t.Run(name, func(t *testing.T) {
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				ctx := context.Background()
				if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return tx.InsertAll(ctx, c.rows...) }); err != nil {
					t.Fatal(err)
				}
				if n := count(t, db) + countParts(t, db); n != c.want {
					t.Errorf("%d rows, want %d", n, c.want)
				}
			})
		})
	}
}

// countParts counts the parts, each of which has to be as it was made.
func countParts(t *testing.T, db *sqldb.DB) (n int) {
	t.Helper()
	err := parts.Each(context.Background(), db, "", nil, func(p *part) error {
		n++
		if string(p.Body) != string(someParts(p.Part, p.Part+1, len(p.Body))[0].Body) {
			t.Error("other bytes in part", p.Part)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// Whoever hoped in vain is run again without hope, and of what was written in hope nothing stays, his own or his neighbours';
// a key that is taken is an answer like any other to whoever did not hope.
func TestHopeInVain(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		var calls []string
		// writer stores a part and, unless it has asked and knows of them, some keys.
		writer := func(name string, hopes bool, ids ...sqldb.ID) func() error {
			return func() error {
				return db.Write(ctx, name, func(tx *sqldb.Tx) error {
					hope := hopes && tx.Hopeful()
					calls = append(calls, fmt.Sprint(name, map[bool]string{true: "?"}[hope]))
					rows := parts.Rows(part{Message: tx.NewID(), Body: []byte{}})
					if hopes && !hope && slices.Contains(ids, 7) {
						return tx.InsertAll(ctx, rows)
					}
					var keys []unjudged
					for _, id := range ids {
						keys = append(keys, unjudged{ID: id})
					}
					return tx.InsertAll(ctx, rows, table.Rows(keys...))
				})
			}
		}
		if err := writer("before", true, 7)(); err != nil {
			t.Fatal(err)
		}
		came := crowd(db, writer("a", false, 1), writer("b", true, 7), writer("c", true, 3))
		if at := failed(came); at != nil || count(t, db) != 3 || countParts(t, db) != 4 {
			t.Errorf("failed: %v; %d and %d rows, want 3 and 4", came, count(t, db), countParts(t, db))
		}
		if err := writer("d", false, 7)(); !errors.Is(err, sqldb.ErrTaken) {
			t.Error(err)
		}
		if got, want := strings.Join(calls, " "), "before? a b? a b c d"; got != want {
			t.Errorf("called %s, want %s", got, want)
		}
	})
}
