package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"depositd/migrations"
)

// Migrate brings the schema to this program's version and tells which versions it applied. Several replicas may call it
// at once.
func (db *DB) Migrate(ctx context.Context) (applied []int64, err error) {
	provider, done, err := db.provider(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer done()
	for range attempts { // a replica that was slower finds the tables there, and at the next look nothing to do
		var results []*goose.MigrationResult
		if results, err = provider.Up(ctx); err == nil {
			for _, r := range results {
				applied = append(applied, r.Source.Version)
			}
			return applied, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("migrate: %w", err)
}

// ErrSchema says that the database has another schema than this program was built for.
var ErrSchema = errors.New("the schema is not this program's: run depositd migrate")

// CheckSchema reports ErrSchema unless Migrate would have nothing to do.
func (db *DB) CheckSchema(ctx context.Context) error {
	provider, done, err := db.provider(ctx, 2*time.Minute)
	if err != nil {
		return err
	}
	defer done()
	pending, err := provider.HasPending(ctx)
	if err == nil && pending {
		err = ErrSchema
	}
	return err
}

// provider takes the place of who writes until done is called; patience is how long one statement may take, 0 for ever.
func (db *DB) provider(ctx context.Context, patience time.Duration) (_ *goose.Provider, done func(), err error) {
	pool, back, err := db.instead(patience)
	if err != nil {
		return nil, nil, err
	}
	unlock, err := db.engine.lock(ctx, pool)
	if err != nil {
		back()
		return nil, nil, err
	}
	done = func() { unlock(); back() }
	provider, err := goose.NewProvider(database.Dialect(db.engine.dialect()), pool, db.texts(), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		done()
		return nil, nil, err
	}
	return provider, done, nil
}

// Alone runs one statement in the place of who writes, however long it takes, and gives the number of rows it matched.
func (db *DB) Alone(ctx context.Context, query string, args ...any) (int64, error) {
	pool, back, err := db.instead(0)
	if err != nil {
		return 0, err
	}
	defer back()
	result, err := pool.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, db.engine.classify(err)
	}
	return result.RowsAffected()
}

// instead gives connections that wait for one statement as long as patience says, in the place of who writes until back is called.
func (db *DB) instead(patience time.Duration) (pool *sql.DB, back func(), err error) {
	l := <-db.lane
	l.drop()
	pool, leave, err := db.engine.forSchema(l.pool, patience)
	if err != nil {
		db.lane <- l
		return nil, nil, err
	}
	return pool, func() { leave(); db.lane <- l }, nil
}

// words is the embedded migrations, read with the words replaced by what this engine says for them.
type words struct {
	fs.FS
	replace *strings.Replacer
}

func (w words) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	body, err := io.ReadAll(f)
	return replaced{File: f, Reader: strings.NewReader(w.replace.Replace(string(body)))}, err
}

type replaced struct {
	fs.File
	*strings.Reader
}

func (r replaced) Read(b []byte) (int, error) { return r.Reader.Read(b) }

func (db *DB) texts() fs.FS {
	var pairs []string
	for word, text := range db.engine.words() {
		pairs = append(pairs, word, text)
	}
	return words{FS: migrations.Files, replace: strings.NewReplacer(pairs...)}
}
