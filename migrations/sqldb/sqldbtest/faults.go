package sqldbtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/go-sql-driver/mysql"
)

// A FaultMode is a way in which one call to a database fails.
type FaultMode string

// The modes. A call is a new connection, a preparation, a statement, or the reading of its first row.
const (
	FailsBefore  FaultMode = "before"    // the engine refuses the call and does nothing
	AnswerLost   FaultMode = "lost"      // it is done, then the connection breaks before the answer
	BadConn      FaultMode = "bad conn"  // the connection turns out to have been broken already
	GoneForever  FaultMode = "for ever"  // from this call on nothing is answered, until Heal
	CallerLeaves FaultMode = "cancelled" // the caller gives up at the moment of the call, which goes on
)

// FaultModes is all of them.
var FaultModes = []FaultMode{FailsBefore, AnswerLost, BadConn, GoneForever, CallerLeaves}

// ErrInjected is what a call comes to that the engine refuses.
var ErrInjected = errors.New("injected: the engine refuses the call")

// Faults stands between a database and its connections, counts the calls and lets one of them fail; see sqldb.OpenWith.
type Faults struct {
	mu    sync.Mutex
	calls int
	at    int // 0: none
	mode  FaultMode
	leave func()
	fired bool
	texts map[string]bool
}

// Texts is every SQL text that has gone to the engine since the last time it was asked for.
func (f *Faults) Texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	texts := slices.Sorted(maps.Keys(f.texts))
	f.texts = nil
	return texts
}

func (f *Faults) note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = map[string]bool{}
	}
	f.texts[text] = true
}

// Arm lets call number at fail, counted from here; leave is what CallerLeaves calls.
func (f *Faults) Arm(mode FaultMode, at int, leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.at, f.mode, f.leave, f.fired = 0, at, mode, leave, false
}

// Heal ends the fault; it tells how many calls were counted, and whether the fault came at all.
func (f *Faults) Heal() (calls int, fired bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = 0
	return f.calls, f.fired
}

// Between is for sqldb.OpenWith.
func (f *Faults) Between(c driver.Connector) driver.Connector { return &faultyConnector{c, f} }

// next counts a call and says how it has to fail: "" means not at all.
func (f *Faults) next() FaultMode {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.at == 0 || f.calls < f.at || f.calls > f.at && f.mode != GoneForever {
		return ""
	}
	f.fired = true
	if f.mode == CallerLeaves {
		f.leave()
		return ""
	}
	return f.mode
}

type faultyConnector struct {
	driver.Connector
	faults *Faults
}

func (c *faultyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if mode := c.faults.next(); mode != "" {
		return nil, mysql.ErrInvalidConn // whatever the mode: there is no connection
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, faults: c.faults, open: map[*faultyStmt]bool{}}, nil
}

// faultyConn is a connection; once broken it does nothing any more.
type faultyConn struct {
	driver.Conn
	faults *Faults
	broken bool
	open   map[*faultyStmt]bool
}

// Close ends the statements as well, as the end of a connection to a server does.
func (c *faultyConn) Close() error {
	for s := range c.open {
		_ = s.Close()
	}
	return c.Conn.Close()
}

// call does one call or fails it.
func call[T any](c *faultyConn, do func() (T, error)) (T, error) {
	var none T
	mode := c.faults.next()
	if c.broken {
		return none, driver.ErrBadConn
	}
	switch mode {
	case FailsBefore:
		return none, ErrInjected
	case BadConn:
		c.broken = true
		return none, driver.ErrBadConn
	case GoneForever:
		c.broken = true
		return none, mysql.ErrInvalidConn
	case AnswerLost:
		answer, err := do()
		if errors.Is(err, driver.ErrSkip) {
			return answer, err
		}
		c.broken = true
		if open, ok := any(answer).(interface{ Close() error }); ok && err == nil {
			_ = open.Close() // rows or a statement, which nobody else will close
		}
		return none, mysql.ErrInvalidConn
	case CallerLeaves:
	}
	return do()
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.faults.note(query)
	stmt, err := call(c, func() (driver.Stmt, error) { return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query) })
	if err != nil {
		return nil, err
	}
	s := &faultyStmt{stmt, c}
	c.open[s] = true
	return s, nil
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.faults.note(query)
	return call(c, func() (driver.Result, error) { return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args) })
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.faults.note(query)
	rows, err := call(c, func() (driver.Rows, error) { return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args) })
	if err != nil {
		return nil, err
	}
	return &faultyRows{Rows: rows, conn: c}, nil
}

func (c *faultyConn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	return call(c, func() (driver.Tx, error) { return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, options) })
}

func (c *faultyConn) Ping(ctx context.Context) error {
	_, err := call(c, func() (struct{}, error) {
		if p, ok := c.Conn.(driver.Pinger); ok {
			return struct{}{}, p.Ping(ctx)
		}
		return struct{}{}, nil
	})
	return err
}

func (c *faultyConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// IsValid: what is broken is found out at the next call, as in life.
func (c *faultyConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *faultyConn) CheckNamedValue(value *driver.NamedValue) error {
	if check, ok := c.Conn.(driver.NamedValueChecker); ok {
		return check.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

type faultyStmt struct {
	driver.Stmt
	conn *faultyConn
}

func (s *faultyStmt) Close() error {
	if !s.conn.open[s] {
		return nil
	}
	delete(s.conn.open, s)
	return s.Stmt.Close()
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return call(s.conn, func() (driver.Result, error) { return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args) })
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := call(s.conn, func() (driver.Rows, error) { return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args) })
	if err != nil {
		return nil, err
	}
	return &faultyRows{Rows: rows, conn: s.conn}, nil
}

// faultyRows is an answer that may break off before its first row.
type faultyRows struct {
	driver.Rows
	conn *faultyConn
	read bool
}

func (r *faultyRows) Next(row []driver.Value) error {
	if r.read {
		return r.Rows.Next(row)
	}
	r.read = true
	_, err := call(r.conn, func() (struct{}, error) { return struct{}{}, r.Rows.Next(slices.Clip(row)) })
	return err
}
