package sqldbtest

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"depositd/migrations/sqldb"
)

// laid is what the first database of each engine held after its migration, in this process.
var laid struct {
	sync.Mutex
	file   []byte   // a SQLite database
	tables []string // the statements that make a server's database such a one
}

// Lay gives a database that holds nothing its tables. The first of each engine is migrated and the others are copies of it:
// under the race detector the migrations take most of a second.
func Lay(t testing.TB, url string) {
	t.Helper()
	laid.Lock()
	defer laid.Unlock()
	file := sqldb.File(url)
	switch {
	case file == "":
		layServer(t, url)
		return
	case exists(file):
		return
	case laid.file == nil:
		migrate(t, url)
		body, err := os.ReadFile(filepath.Clean(file))
		if err != nil || exists(file+"-wal") {
			t.Fatal("the migrated database is not all in its file: ", err)
		}
		laid.file = body
		return
	}
	if err := os.WriteFile(file, laid.file, 0o600); err != nil {
		t.Fatal(err)
	}
}

func layServer(t testing.TB, url string) {
	t.Helper()
	pool := raw(t, url)
	defer func() { _ = pool.Close() }()
	if there, err := column(pool, tablesThere); err != nil || len(there) > 0 {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if laid.tables == nil {
		migrate(t, url)
		laid.tables = tablesOf(t, pool)
		return
	}
	for _, statement := range laid.tables {
		if _, err := pool.ExecContext(context.Background(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

const tablesThere = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name"

// tablesOf reads the statements that make a database's tables and keys, and tell goose that they are made.
func tablesOf(t testing.TB, pool *sql.DB) (statements []string) {
	t.Helper()
	tables, err := column(pool, tablesThere)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var name, statement string
		if err := pool.QueryRowContext(context.Background(), "SHOW CREATE TABLE "+table).Scan(&name, &statement); err != nil {
			t.Fatal(err)
		}
		statements = append(statements, statement)
	}
	versions, err := column(pool, "SELECT version_id FROM goose_db_version ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	rest := []string{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (" + strings.Join(versions, ", 1), (") + ", 1)"}
	rows, err := pool.QueryContext(context.Background(), "SELECT id, purpose, wrapped, master, made_at FROM seal_keys")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row [5]string
		if err := rows.Scan(&row[0], &row[1], &row[2], &row[3], &row[4]); err != nil {
			t.Fatal(err)
		}
		rest = append(rest, "INSERT INTO seal_keys (id, purpose, wrapped, master, made_at) VALUES ('"+strings.Join(row[:], "','")+"')")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return append(statements, rest...)
}

func migrate(t testing.TB, url string) {
	t.Helper()
	db, err := sqldb.Open(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	err = db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
		_, err := tx.Exec(context.Background(), "INSERT INTO seal_keys (id, purpose, wrapped, master, made_at) VALUES (1, 'TAGS', ?, ?, ?)",
			tagsKey, Master.ID(), sqldb.At(tx.Now))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	Unlock(t, db) // which makes the key for rows
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// tagsKey is a key wrapped by Master: the same texts have the same tags in every test's database.
const tagsKey = "Mfj04LwDOBbsTv66Z16cI1mExttrK4hin2BK2rn/KLRjuKCkPMJnWggsI5eAvOsuuLzA0z+o/8dpKzQe"

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
