package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

type part struct {
	Message sqldb.ID
	Part    int
	Body    []byte
}

var parts = sqldb.NewTable("message_parts", "message_id, part, body", func(p *part) []any { return []any{&p.Message, &p.Part, &p.Body} })

// Whoever hoped in vain is run again without hope, and of what was written in hope nothing stays, his own or his neighbours';
// a key that is taken is an answer like any other to whoever did not hope.
func TestHopeInVain(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := context.Background()
		var calls []string
		// writer stores a part and, unless it has asked and knows of it, a key.
		writer := func(name string, hopes bool, key sqldb.ID) func() error {
			return func() error {
				return db.Write(ctx, name, func(tx *sqldb.Tx) error {
					hope := hopes && tx.Hopeful()
					calls = append(calls, fmt.Sprint(name, map[bool]string{true: "?"}[hope]))
					if err := parts.Insert(ctx, tx, part{Message: tx.NewID(), Body: []byte{}}); err != nil || hopes && !hope && key == 7 {
						return err
					}
					return table.Insert(ctx, tx, unjudged{ID: key})
				})
			}
		}
		if err := writer("before", true, 7)(); err != nil {
			t.Fatal(err)
		}
		came := crowd(db, writer("a", false, 1), writer("b", true, 7), writer("c", true, 3))
		stored, err := sqldb.Value[int](ctx, db, "SELECT COUNT(*) FROM message_parts")
		if at := failed(came); at != nil || err != nil || count(t, db) != 3 || stored != 4 {
			t.Errorf("failed: %v; %d and %d rows, want 3 and 4", came, count(t, db), stored)
		}
		if err := writer("d", false, 7)(); !errors.Is(err, sqldb.ErrTaken) {
			t.Error(err)
		}
		if got, want := strings.Join(calls, " "), "before? a b? a b c d"; got != want {
			t.Errorf("called %s, want %s", got, want)
		}
	})
}
