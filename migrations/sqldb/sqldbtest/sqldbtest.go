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
	EachEmpty(t, func(t *testing.T, url string) {
		Lay(t, url)
		test(t, url)
	})
}

// EachEmpty is EachURL for what makes the tables itself. A file stands in memory, where the machine has a place for that: what
// a disk does is asked by the tests that watch what the program does to one, or disturb it.
func EachEmpty(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, sqldb.FileURL(filepath.Join(InMemory(t), "deposit.db")))
	})
	server := os.Getenv("TEST_MYSQL_URL")
	if server == "" {
		return
	}
	t.Run("mysql", func(t *testing.T) { test(t, freshMySQL(t, server)) })
}

// Place is a database that is not there yet, for a test that asks much of one engine: a file, or with TORTURE=server one on the
// server.
func Place(t *testing.T) string {
	t.Helper()
	if server := os.Getenv("TEST_MYSQL_URL"); server != "" && os.Getenv("TORTURE") == "server" {
		return freshMySQL(t, server)
	}
	return sqldb.FileURL(filepath.Join(InMemory(t), "deposit.db"))
}

// InMemory is a folder for the test in the machine's memory, or an ordinary one where there is no such thing.
func InMemory(t testing.TB) string {
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

// Open opens and unlocks the database, gives it its tables if it has none, and closes it after the test.
func Open(t testing.TB, url string, now func() time.Time) *sqldb.DB {
	t.Helper()
	Lay(t, url)
	db, err := sqldb.OpenAt(context.Background(), url, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	Unlock(t, db)
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
