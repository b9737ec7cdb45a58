// Package sqldbtest gives a test a fresh database on each engine.
package sqldbtest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the admin connection that makes and drops the test's database

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
)

// Addresses for tests of how addresses are handled: a server that is not there, with a password and without, and a file.
const (
	Nowhere     = "mysql://app:geheim@127.0.0.1:1/deposit"
	NowhereOpen = "mysql://app@127.0.0.1:1/deposit"
	FileNamed   = "sqlite:"
)

// Each runs a test once on every engine, with a fresh, migrated database: SQLite always, MySQL where TEST_MYSQL_URL says
// where one is ("mysql://root:@127.0.0.1:3307/"). A server that is named there and cannot be reached is a failure.
func Each(t *testing.T, test func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { test(t, Open(t, url, time.Now)) })
}

// EachURL is Each for tests that open the database themselves, or in another process.
func EachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "deposit.db"))
	})
	server := os.Getenv("TEST_MYSQL_URL")
	if server == "" {
		return
	}
	t.Run("mysql", func(t *testing.T) { test(t, freshMySQL(t, server)) })
}

// Quickly is EachURL where it is not asked what a disk does: the file stands in memory if the system has a place for that.
func Quickly(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) {
		if sqldb.File(url) != "" {
			url = sqldb.FileURL(filepath.Join(InMemory(t), "deposit.db"))
		}
		test(t, url)
	})
}

// InMemory is a folder for the test in the machine's memory, or an ordinary one where there is no such thing.
func InMemory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "depositd") //nolint:usetesting // a place of its own kind
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// Master is the master key of the tests' databases.
var Master = custody.Key{'t', 'e', 's', 't'}

// Open opens, migrates and unlocks the database, and closes it after the test.
func Open(t *testing.T, url string, now func() time.Time) *sqldb.DB {
	t.Helper()
	db, err := sqldb.OpenAt(context.Background(), url, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	Ready(t, db)
	return db
}

// MasterFile is a file with the tests' master key, for a program that is started.
func MasterFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "master.key")
	if err := custody.WriteFile(name, Master.Text()); err != nil {
		t.Fatal(err)
	}
	return name
}

// Ready migrates and unlocks a database that the test has opened.
func Ready(t testing.TB, db *sqldb.DB) {
	t.Helper()
	if _, err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
		there, err := sqldb.Value[int](context.Background(), tx, "SELECT COUNT(*) FROM seal_keys")
		if err == nil && there == 0 {
			_, err = tx.Exec(context.Background(), "INSERT INTO seal_keys (id, purpose, wrapped, master, made_at) VALUES (?,?,?,?,?)", 1, "TAGS", tagsKey, Master.ID(), sqldb.At(tx.Now))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	Unlock(t, db)
}

// tagsKey is a key wrapped by Master: the same texts have the same tags in every test's database.
const tagsKey = "Mfj04LwDOBbsTv66Z16cI1mExttrK4hin2BK2rn/KLRjuKCkPMJnWggsI5eAvOsuuLzA0z+o/8dpKzQe"

// Unlock unlocks a database that is migrated.
func Unlock(t testing.TB, db *sqldb.DB) {
	t.Helper()
	if err := db.Unlock(context.Background(), Master); err != nil {
		t.Fatal(err)
	}
}

func freshMySQL(t *testing.T, server string) string {
	t.Helper()
	account, host, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(server, "mysql://"), "/"), "@")
	admin, err := sql.Open("mysql", fmt.Sprintf("%s@tcp(%s)/", account, host))
	if err != nil {
		t.Fatal(err)
	}
	name := "t_" + sqldb.NewID().String()
	if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("TEST_MYSQL_URL is set, but: %v", err)
	}
	t.Cleanup(func() {
		_, _ = admin.Exec("DROP DATABASE " + name)
		_ = admin.Close()
	})
	return "mysql://" + account + "@" + host + "/" + name
}
