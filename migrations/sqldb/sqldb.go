// Package sqldb is the storage of the service: hand-written portable SQL over database/sql, one text for the embedded
// SQLite and for MySQL or MariaDB. It knows no domain.
//
// Reading takes a Reader, writing takes a *Tx, and only DB.Write makes a Tx. Inside one there is no network, no file and
// no event to anybody. Whether a commit happened can be unknown to the caller, so whatever is written has a natural key
// or a version and may be written again.
package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What a statement or a transaction can come back with, besides an error of the engine.
var (
	ErrNone        = errors.New("no such row")
	ErrStale       = errors.New("the row has changed since it was read")
	ErrTaken       = errors.New("a row with this key is there already")
	ErrUnavailable = errors.New("the database cannot be reached, or did not say whether it committed")
)

// DB is a database of either engine. It is safe for use by many goroutines.
type DB struct {
	engine engine
	pool   *sql.DB // for reading
	now    func() time.Time
	draw   func() ID // makes keys

	lane   chan *lane // the connection that writes, for the Write that runs transactions for all who wait
	beside chan *lane // another, on an engine that can store two transactions at once, for joint work when many wait; or nil
	mu     sync.Mutex
	queue  []*waiter
	shared int // how many of them share a commit at most

	ring      *ring // the keys of what is stored sealed
	asksClock bool  // for trusted time the database's own is asked
}

// Open connects to "sqlite:deposit.db" or "mysql://user:password@host:3306/deposit" and refuses settings under which an
// acknowledged row could be lost. It does not change the schema; see Migrate.
func Open(ctx context.Context, url string) (*DB, error) {
	return OpenAt(ctx, url, nil)
}

// OpenAt is Open with a clock of the caller's: what it returns is Tx.Now, to the millisecond, and stands for the database's
// clock too; see AskClock. nil is this machine's clock, and the database's own.
func OpenAt(ctx context.Context, url string, now func() time.Time) (*DB, error) {
	return OpenWith(ctx, url, now, func(c driver.Connector) driver.Connector { return c })
}

// OpenWith is OpenAt with something between the database and every connection to it, such as one that breaks them, to
// show that nothing is lost by it.
func OpenWith(ctx context.Context, url string, now func() time.Time, between func(driver.Connector) driver.Connector) (*DB, error) {
	e, err := engineOf(url)
	if err != nil {
		return nil, err
	}
	writers, readers, err := e.open(ctx, between)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", e.classify(err))
	}
	db := &DB{engine: e, pool: readers, now: now, draw: NewID, lane: make(chan *lane, 1), shared: mostShared}
	if now == nil {
		db.now, db.asksClock = time.Now, true
	}
	db.ring = &ring{db: db}
	db.lane <- &lane{engine: e, pool: writers}
	if e.twoWriters() {
		db.beside = make(chan *lane, 1)
		db.beside <- &lane{engine: e, pool: writers}
	}
	return db, nil
}

// DrawKeys has a test make the keys.
func (db *DB) DrawKeys(source func() ID) { db.draw = source }

// NewID makes a key outside of a transaction.
func (db *DB) NewID() ID { return db.draw() }

// Close waits for the transactions that run and closes all connections.
func (db *DB) Close() error {
	if db.beside != nil {
		b := <-db.beside
		defer func() { db.beside <- b }()
		b.drop()
	}
	l := <-db.lane
	defer func() { db.lane <- l }()
	l.drop()
	return errors.Join(l.pool.Close(), db.pool.Close())
}

// Ping asks whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.engine.classify(db.pool.PingContext(ctx)) }

// Now is the clock the database was opened with, to the millisecond that the schema keeps.
func (db *DB) Now() time.Time { return db.now().Truncate(time.Millisecond) }

// Engine names the engine for people: "sqlite" or "mysql".
func (db *DB) Engine() string { return db.engine.name() }

// A Reader is where rows can be read: a *DB, or the *Tx of a running Write.
type Reader interface {
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	failed(err error) error // classifies what came while rows were read
	seals() *ring
}

func (db *DB) seals() *ring { return db.ring }

func (tx *Tx) seals() *ring { return tx.ring }

func (db *DB) failed(err error) error { return db.engine.classify(err) }

func (tx *Tx) failed(err error) error { return tx.lane.failed(err) }

func (db *DB) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	handKeys(args, db.ring)
	rows, err := db.pool.QueryContext(ctx, query, args...)
	return rows, db.failed(err)
}

// Tx is one transaction of one author at one instant.
type Tx struct {
	By  string    // who writes, for the events
	Now time.Time // the instant of everything written in it

	lane *lane
	ring *ring
	keys *keys // of all that share the commit

	asksClock bool

	hope, hoped bool // whether there is any; whether somebody relied on it
}

// Hopeful says that the function need not ask whether the rows it is about to insert are there already: if it comes back with
// ErrTaken, it is run again without hope, and nothing stays of what it has written.
func (tx *Tx) Hopeful() bool {
	tx.hoped = tx.hope
	return tx.hope
}

// NewID makes a key that tells nothing about the order or the number of keys of other transactions.
func (tx *Tx) NewID() ID { return tx.keys.next() }

// LoneID makes a key that does not lie beside the others of its commit, for rows whose order by key must be chance.
func (tx *Tx) LoneID() ID { return tx.keys.draw() }

// Exec runs one statement and gives the number of rows it matched. A caller that guards an UPDATE with its WHERE must
// look at that number.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx) // others share the transaction: it is not broken off by one caller's leaving
	handKeys(args, tx.ring)
	result, err := tx.lane.exec(ctx, query, args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (tx *Tx) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	handKeys(args, tx.ring)
	return tx.lane.query(context.WithoutCancel(ctx), query, args)
}
