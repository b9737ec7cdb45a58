package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// A fragment is a row of the table faults, which is sealed to its place in a message.
type fragment struct {
	Message   sqldb.ID
	Line, Col int
	Text, Raw string
}

func fragmentRow(sealed func(f *fragment) any) func(f *fragment) []any {
	return func(f *fragment) []any { return []any{&f.Message, &f.Line, &f.Col, new(string), sealed(f)} }
}

const fragmentColumns = "message_id, line, col, code, sealed"

var (
	fragments = sqldb.NewTable("faults", fragmentColumns, fragmentRow(func(f *fragment) any {
		return sqldb.SealedAt("faults", &f.Message, []*int{&f.Line, &f.Col}, &f.Text, &f.Raw)
	})).Holds(func(_ *sqldb.DB, f *fragment) (bool, error) { return f.Text != "false", nil })

	// formerFragments are sealed as they were before they had a place.
	formerFragments = sqldb.NewTable("faults", fragmentColumns, fragmentRow(func(f *fragment) any {
		return sqldb.Sealed("faults", &f.Message, &f.Text, &f.Raw)
	}))
)

// A boxed is a row of the table bids, whose tag is that of a text in it.
type boxed struct {
	ID   sqldb.ID
	Name string
}

var boxes = sqldb.NewTable("bids", "id, lot_id, bidder_tag, sealed, state, version", func(b *boxed) []any {
	return []any{&b.ID, new(sqldb.ID), sqldb.Tag("here", &b.Name), sqldb.Sealed("bids", &b.ID, &b.Name), new(string), new(int64)}
})

// Parts of a whole that change places do not open; those from before they had places do, and are read as they were.
func TestSealedAt(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := sqldbtest.Open(t, url, time.Now)
		keep(t, db, formerFragments, fragment{3, 1, 0, "旧", "甲"})
		keep(t, db, fragments, fragment{3, 1, 1, "新", "乙"}, fragment{3, 1, 2, "新", "丙"}, fragment{3, 2, 1, "新", "丁"})
		all, err := fragments.All(ctx, db, "ORDER BY line, col")
		if err != nil || len(all) != 4 || all[0].Raw+all[1].Raw+all[2].Raw+all[3].Raw != "甲乙丙丁" {
			t.Errorf("%+v %v", all, err)
		}
		for _, changed := range [][2]string{{"line = 1 AND col = 1", "col = 3"}, {"line = 2", "line = 3"}, {"line = 1 AND col = 2", "message_id = 4"}} {
			sqldbtest.Exec(t, url, "UPDATE faults SET "+changed[1]+" WHERE "+changed[0])
		}
		for _, f := range [][3]int{{3, 1, 3}, {3, 3, 1}, {4, 1, 2}} {
			_, err := fragments.One(ctx, db, "WHERE message_id = ? AND line = ? AND col = ?", f[0], f[1], f[2])
			if !errors.Is(err, sqldb.ErrSealed) {
				t.Errorf("%v: %v", f, err)
			}
		}
	})
}

// Every vault says of each of its rows what is wrong with it, and goes on.
func TestVaults(t *testing.T) {
	bid := func(id int) string { return "bids " + sqldb.ID(id).String() }
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, time.Now)
		for name, c := range map[string]struct {
			by           string
			shut, untrue []string
			count        int64
		}{
			"sound":       {"DELETE FROM events", nil, nil, 0},
			"moved":       {"UPDATE bids SET sealed = (SELECT x.sealed FROM (SELECT sealed FROM bids WHERE id = 1) AS x) WHERE id = 2", []string{bid(2)}, nil, 1},
			"another key": {"UPDATE bids SET id = 99 WHERE id = 2", []string{bid(99)}, nil, 1},
			"another tag": {"UPDATE bids SET bidder_tag = 'x' WHERE id = 2", nil, []string{bid(2)}, 1},
			"no tag":      {"UPDATE bids SET bidder_tag = '' WHERE id = 2", nil, []string{bid(2)}, 1},
			"emptied":     {"UPDATE bids SET sealed = ''", []string{bid(1), bid(2), bid(3), bid(4), bid(5)}, nil, 8},
			"a note":      {"UPDATE events SET sealed = 'x', seq = 7", []string{"events 7"}, nil, 1},
			"its place":   {"UPDATE faults SET col = 7 WHERE col = 2", []string{"faults " + sqldb.ID(3).String() + " 1 7"}, nil, 1},
			"not so":      {"DELETE FROM faults WHERE col < 3", nil, []string{"faults " + sqldb.ID(3).String() + " 1 3"}, 1},
		} {
			fill(t, db)
			if name == "not so" {
				keep(t, db, fragments, fragment{3, 1, 3, "false", ""})
			}
			sqldbtest.Exec(t, url, c.by)
			var shut, untrue sqldb.Damage
			for _, v := range sqldb.Vaults() {
				some, others, err := v.Look(context.Background(), db)
				if err != nil {
					t.Fatal(err)
				}
				shut.Join(some)
				untrue.Join(others)
			}
			if !slices.Equal(shut.Rows, c.shut) || !slices.Equal(untrue.Rows, c.untrue) || shut.Count+untrue.Count != c.count {
				t.Errorf("%s: %+v %+v", name, shut, untrue)
			}
			sqldbtest.Exec(t, url, "DELETE FROM bids", "DELETE FROM faults", "DELETE FROM events")
		}
	})
}

// fill puts some rows into vaults.
func fill(t *testing.T, db *sqldb.DB) {
	t.Helper()
	for i := range 8 {
		keep(t, db, boxes, boxed{sqldb.ID(i + 1), fmt.Sprint("公司", i)})
	}
	keep(t, db, fragments, fragment{3, 1, 1, "true", ""}, fragment{3, 1, 2, "true", ""})
	err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error { return tx.Note(context.Background(), "bids", 1, "CREATED", "甲") })
	if err != nil {
		t.Fatal(err)
	}
}

func keep[T any](t *testing.T, db *sqldb.DB, table sqldb.Table[T], rows ...T) {
	t.Helper()
	err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error { return table.Insert(context.Background(), tx, rows...) })
	if err != nil {
		t.Fatal(err)
	}
}
