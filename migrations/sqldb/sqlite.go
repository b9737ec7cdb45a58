package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

type sqliteEngine struct{ path string }

func (sqliteEngine) name() string         { return "sqlite" }
func (sqliteEngine) dialect() string      { return "sqlite3" }
func (sqliteEngine) begin() string        { return "BEGIN IMMEDIATE" }
func (sqliteEngine) clock() string        { return "strftime('%Y-%m-%d %H:%M:%f', 'now')" }
func (sqliteEngine) encrypted() string    { return "SELECT '', '' WHERE FALSE" }
func (sqliteEngine) prepares(string) bool { return true }
func (sqliteEngine) twoWriters() bool     { return false }

// rowsAtOnce: a statement of one row, prepared once, takes a quarter less than one of many, which has to keep the pages it
// changes so that it can be undone by itself. An UPDATE of one key also goes straight to its row: of many keys and a state it
// would rather read every row in that state, since without statistics it takes them for a few.
func (sqliteEngine) rowsAtOnce() int { return 1 }

func (sqliteEngine) words() map[string]string {
	return map[string]string{"$ID": "INTEGER", "$SEQ": "INTEGER PRIMARY KEY AUTOINCREMENT", "$DAY": "TEXT", "$TIME": "TEXT", "$TABLE": "", "$OF": "-- of", "$FILE": ""}
}

// sqliteSettings: with WAL and synchronous=FULL no acknowledged row is lost in a power cut; with NORMAL, which is often
// recommended, replayed power cuts lost acknowledged rows in nearly half of the images. The log is moved
// into the file by a commit that finds 64 MiB of it: with the usual thousand pages nearly every second commit under load did, with three more fsyncs. It is
// not moved over another connection beside the writer: an fsync that fails there can make the system forget what the writer's, right after it, calls synced.
// The cache is 32 MiB: a commit that had to move pages about looks through all of it (pcache1Truncate), which with 64 MiB took a tenth of its time.
const sqliteSettings = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)&_pragma=cache_size(-32768)&_pragma=wal_autocheckpoint(16384)"

// readerSettings: there are several readers, and what they read they mostly read once: a larger cache made the nightly job
// larger by 175 MiB, and not faster.
const readerSettings = "&_pragma=query_only(1)&_pragma=cache_size(-8192)"

func (e sqliteEngine) open(ctx context.Context, between func(driver.Connector) driver.Connector) (writers, readers *sql.DB, err error) {
	if _, err := os.Stat(filepath.Dir(e.path)); err != nil {
		return nil, nil, fmt.Errorf("the folder of the database file: %w", err)
	}
	settings := sqliteSettings
	if seeded(bugNormal) {
		settings = strings.Replace(settings, "synchronous(FULL)", "synchronous(NORMAL)", 1)
	}
	address := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(e.path) + settings
	write, err := sqlite.NewConnector(address)
	if err != nil {
		return nil, nil, err
	}
	read, err := sqlite.NewConnector(address + readerSettings)
	if err != nil {
		return nil, nil, err
	}
	writers, readers = sql.OpenDB(between(write)), sql.OpenDB(between(read))
	writers.SetMaxOpenConns(1)
	readers.SetMaxOpenConns(8)
	readers.SetMaxIdleConns(8)
	var mode string
	if err := writers.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, nil, errors.Join(err, writers.Close(), readers.Close())
	}
	return writers, readers, nil
}

// forSchema: nothing is waited for but its own work.
func (sqliteEngine) forSchema(writers *sql.DB, _ time.Duration) (*sql.DB, func(), error) {
	return writers, func() {}, nil
}

// lock: SQLite's own write lock makes the slower of two replicas fail and look again.
func (sqliteEngine) lock(context.Context, *sql.DB) (func(), error) { return func() {}, nil }

// scrubs: a page that a DELETE has freed holds what it held until VACUUM, and the log what it took until it is cut.
func (sqliteEngine) scrubs([]string) []string {
	return []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"}
}

func (sqliteEngine) classify(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return classifyConnection(err)
	}
	switch code := e.Code(); {
	case code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", ErrTaken, err)
	case code&0xff == sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w: %w", errAgain, err)
	case code&0xff == sqlite3.SQLITE_FULL, code&0xff == sqlite3.SQLITE_IOERR, code&0xff == sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
