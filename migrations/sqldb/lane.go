package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// lane is a connection on which transactions of the process run, one after the other. SQLite has but one writer anyway; on MySQL
// one that shares its commits is faster than several, but for new messages when many come: what is stored then waits mostly
// for the server, and a second lane lets the next ones be stored meanwhile.
type lane struct {
	engine engine
	pool   *sql.DB
	conn   *sql.Conn // nil until it is needed, and after it broke
	stmts  map[string]*sql.Stmt
	spoilt error // why the transaction that runs cannot be committed any more
}

// connectTime is how long a new connection may take, with the attempts that the pool makes.
const connectTime = 10 * time.Second

// Statements of odd lengths, such as the last rows of a long insert, are not kept prepared.
const (
	longestPrepared = 2048
	mostPrepared    = 500
)

func (l *lane) begin(ctx context.Context) error {
	l.spoilt = nil
	if seeded(bugAlone) {
		return nil
	}
	_, err := l.exec(ctx, l.engine.begin(), nil)
	if errors.Is(err, ErrUnavailable) { // perhaps only this connection had gone stale
		l.spoilt = nil
		_, err = l.exec(ctx, l.engine.begin(), nil)
	}
	return err
}

func (l *lane) commit(ctx context.Context) error {
	if err := l.spoilt; err != nil { // somebody has overlooked an error
		l.rollback(ctx)
		return err
	}
	if seeded(bugAlone) {
		return nil
	}
	_, err := l.exec(ctx, "COMMIT", nil)
	if seeded(bugDeaf) {
		err = nil
	}
	if err == nil || errors.Is(err, errAgain) {
		if err != nil {
			l.rollback(ctx)
		}
		return err
	}
	l.drop()
	return fmt.Errorf("%w: commit: %w", ErrUnavailable, err)
}

// rollback ends the transaction; a connection on which even that fails is given up, which ends it too.
func (l *lane) rollback(ctx context.Context) {
	l.spoilt = nil
	if l.conn == nil {
		return
	}
	if _, err := l.exec(ctx, "ROLLBACK", nil); err != nil {
		l.drop()
	}
}

func (l *lane) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	if l.spoilt != nil {
		return nil, l.spoilt
	}
	stmt, err := l.prepare(ctx, query)
	if err != nil {
		return nil, l.failed(err)
	}
	var result sql.Result
	if stmt != nil {
		result, err = stmt.ExecContext(ctx, args...)
	} else {
		result, err = l.conn.ExecContext(ctx, query, args...)
	}
	return result, l.failed(err)
}

func (l *lane) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if l.spoilt != nil {
		return nil, l.spoilt
	}
	stmt, err := l.prepare(ctx, query)
	if err != nil {
		return nil, l.failed(err)
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(ctx, args...)
	} else {
		rows, err = l.conn.QueryContext(ctx, query, args...)
	}
	return rows, l.failed(err)
}

// prepare connects if need be and gives the prepared form of a text, or nil where keeping it would not pay.
func (l *lane) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if l.conn == nil {
		connecting, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		conn, err := l.pool.Conn(connecting)
		if err != nil {
			return nil, err
		}
		l.conn, l.stmts = conn, map[string]*sql.Stmt{}
	}
	if stmt, ok := l.stmts[query]; ok {
		return stmt, nil
	}
	if len(query) > longestPrepared || len(l.stmts) >= mostPrepared || !l.engine.prepares(query) {
		return nil, nil
	}
	stmt, err := l.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	l.stmts[query] = stmt
	return stmt, nil
}

// failed classifies an error and gives the connection up when it is the connection that failed. After such an error, or
// one after which the transaction has to be run again, the engine may have ended the transaction by itself: what came
// after it would be stored alone, so that nothing more is accepted before the next one begins.
func (l *lane) failed(err error) error {
	err = l.engine.classify(err)
	if errors.Is(err, ErrUnavailable) {
		l.drop()
	}
	if errors.Is(err, ErrUnavailable) || errors.Is(err, errAgain) {
		l.spoilt = err
	}
	return err
}

func (l *lane) drop() {
	if l.conn == nil {
		return
	}
	if err := l.conn.Raw(func(any) error { return nil }); !errors.Is(err, sql.ErrConnDone) { // with the connection its statements ended
		for _, stmt := range l.stmts {
			_ = stmt.Close()
		}
	}
	_ = l.conn.Raw(func(any) error { return errBroken }) // tells the pool not to use it again
	_ = l.conn.Close()
	l.conn, l.stmts = nil, nil
}
