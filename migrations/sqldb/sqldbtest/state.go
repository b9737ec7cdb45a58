package sqldbtest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"depositd/migrations/sqldb"
)

// named is the tables whose rows others point at, in the order in which they do.
var named = []string{"lots", "bids", "leases", "numbers", "platform_events", "messages", "statements", "entries", "conflicts", "incidents"}

// Columns that tell when and by which process something was stored, and not what.
var passing = []string{"id", "seq", "hash", "holder", "held_until", "at", "received_at", "first_seen", "seen_at", "imported_at", "judged_at", "found_at", "compared_at",
	"since", "free_since", "asked_at", "held_since", "turn"}

// Columns that point at a row.
var pointing = []string{"message_id", "entry_id", "file_id", "lot_id", "bid_id", "lease_id", "suggested_bid", "subject", "row_id", "cause", "statement_id", "ref", "incident_id", "closed_as"}

// State is all that a database holds, a line a row, without keys and without the instants of storing: two databases in
// which the same happened give the same text, however often it was tried.
func State(t testing.TB, url string) string {
	t.Helper()
	pool := raw(t, url)
	defer func() { _ = pool.Close() }()
	db, err := sqldb.OpenAt(context.Background(), url, func() time.Time { return time.Unix(0, 0) }) // no key is old
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	Unlock(t, db)
	names := map[string]string{"0": "-"}
	var all []string
	for _, table := range inOrder(t, pool, url) {
		all = append(all, stateOf(t, pool, db, table, names)...)
	}
	return strings.Join(all, "\n")
}

// sealedColumns are those that hold sealed values.
var sealedColumns = map[string]bool{"sealed": true, "body": true, "said": true, "fault": true}

// placed are the columns that say where a row stands in a whole, in the order in which its sealed value is bound to them.
var placed = map[string]bool{"message_parts.part": true, "faults.line": true, "faults.col": true}

// open are the tables whose bodies are not sealed: they name no payer, or wait to be.
var open = map[string]bool{"incident_plans": true, "webhook_deliveries": true, "unsealed": true}

func stateOf(t testing.TB, pool *sql.DB, db *sqldb.DB, table string, names map[string]string) []string {
	t.Helper()
	rows, err := pool.QueryContext(context.Background(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]sql.NullString, len(columns))
	fields := make([]any, len(columns))
	for i := range values {
		fields[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			t.Fatal(err)
		}
		line, id, bound := table, "", "" // what its sealed values are bound to
		var places []int
		for i, column := range columns {
			value := values[i].String
			if column == "id" {
				id = value
			}
			if column == "id" || (column == "message_id" || column == "row_id") && id == "" {
				bound = value
			}
			if placed[table+"."+column] {
				place, _ := strconv.Atoi(value)
				places = append(places, place)
			}
			if sealedColumns[column] && !open[table] && value != "" {
				value = unsealed(t, db, table, bound, value, places)
			}
			if !slices.Contains(passing, column) {
				line += " " + column + "=" + shown(column, value, names)
			}
		}
		if id != "" && slices.Contains(named, table) {
			names[id] = table + "#" + digest(line)[:10]
			line += " (" + names[id] + ")"
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// unsealed is what a sealed value says.
func unsealed(t testing.TB, db *sqldb.DB, table, id, value string, places []int) string {
	t.Helper()
	key, _ := strconv.ParseInt(id, 10, 64)
	plain, err := db.Unseal(table, sqldb.ID(key), []byte(value), places...)
	if err != nil {
		t.Fatalf("%s %s: %v", table, id, err)
	}
	return strings.TrimRight(string(plain), "\x00")
}

const keyLength = 13 // of a key in letters

func shown(column, value string, names map[string]string) string {
	switch {
	case slices.Contains(pointing, column) && names[value] != "":
		return names[value]
	case slices.Contains(pointing, column) && len(value) > 6:
		return "NOWHERE"
	case column == "body":
		return digest(value)[:10]
	case column == "slot" && len(value) == keyLength: // a signature's own, of which there may be many
		return "its own"
	case column == "external_id" && strings.HasPrefix(value, "refused:"):
		return "refused"
	}
	return value
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// pipes lets || join texts on a server too, so that one query tells a test's state on both engines.
const pipes = "sql_mode=CONCAT(@@sql_mode%2C%27%2CPIPES_AS_CONCAT%27)"

// raw opens a database past package sqldb.
func raw(t testing.TB, url string) *sql.DB {
	t.Helper()
	driver, source := "mysql", ""
	if file := sqldb.File(url); file != "" {
		driver, source = "sqlite", file
	} else {
		account, place, _ := strings.Cut(strings.TrimPrefix(url, "mysql://"), "@")
		host, name, _ := strings.Cut(place, "/")
		source = fmt.Sprintf("%s@tcp(%s)/%s?%s", account, host, name, pipes)
	}
	pool, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	return pool
}

// Exec runs statements past package sqldb, to break what no use case would.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	pool := raw(t, url)
	defer func() { _ = pool.Close() }()
	for _, s := range statements {
		if _, err := pool.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Strings reads the first column of a query past package sqldb.
func Strings(t testing.TB, url, query string) []string {
	t.Helper()
	all, err := Query(t, url, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return all
}

// Query is Strings for a database that may be broken.
func Query(t testing.TB, url, query string) ([]string, error) {
	t.Helper()
	pool := raw(t, url)
	defer func() { _ = pool.Close() }()
	return column(pool, query)
}

func column(pool *sql.DB, query string) (all []string, err error) {
	rows, err := pool.QueryContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// inOrder lists the tables, those that others point at first; goose's own and the engine's are none of ours, and the keys of
// the database stay what they are.
func inOrder(t testing.TB, pool *sql.DB, url string) []string {
	t.Helper()
	query := tablesThere
	if sqldb.File(url) != "" {
		query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
	}
	tables, err := column(pool, query)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(named)
	for _, table := range tables {
		if !slices.Contains(all, table) && !strings.HasPrefix(table, "goose_") && !strings.HasPrefix(table, "sqlite_") && !strings.HasPrefix(table, "kept_") && table != "seal_keys" {
			all = append(all, table)
		}
	}
	return all
}

// Snapshot keeps what a database holds, which nobody may have open; what it gives brings the database back to that.
func Snapshot(t testing.TB, url string) (restore func(t testing.TB)) {
	t.Helper()
	file := sqldb.File(url)
	if file == "" {
		return snapshotServer(t, url)
	}
	Exec(t, url, "PRAGMA wal_checkpoint(TRUNCATE)")
	body, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB) {
		for _, suffix := range []string{"-wal", "-shm"} {
			_ = os.Remove(file + suffix)
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshots tells those of one database apart.
var snapshots atomic.Int64

func snapshotServer(t testing.TB, url string) func(t testing.TB) {
	t.Helper()
	pool := raw(t, url)
	tables := append(inOrder(t, pool, url), "seal_keys")
	_ = pool.Close()
	var keep []string
	back, number := []string{"START TRANSACTION"}, snapshots.Add(1)
	for _, table := range tables {
		kept := fmt.Sprintf("kept_%d_%s", number, table)
		keep = append(keep, "CREATE TABLE "+kept+" LIKE "+table, "INSERT INTO "+kept+" SELECT * FROM "+table)
		back = append(back, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM "+kept)
	}
	Exec(t, url, keep...)
	return func(t testing.TB) { Exec(t, url, append(back, "COMMIT")...) }
}

// Dump is every row of every table as a thief would have it who copied the database.
func Dump(t testing.TB, url string) (all []byte) {
	t.Helper()
	pool := raw(t, url)
	defer func() { _ = pool.Close() }()
	for _, table := range append(inOrder(t, pool, url), "seal_keys") {
		var err error
		if all, err = appendTable(all, pool, table); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func appendTable(all []byte, pool *sql.DB, table string) ([]byte, error) {
	rows, err := pool.QueryContext(context.Background(), "SELECT * FROM "+table)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	values, fields := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range values {
		fields[i] = &values[i]
	}
	for err == nil && rows.Next() {
		err = rows.Scan(fields...)
		for _, value := range values {
			all = append(append(all, value...), '\n')
		}
	}
	return all, errors.Join(err, rows.Err())
}
