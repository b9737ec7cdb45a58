package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// engine is what differs between the two databases; nothing outside this file asks which one it is.
type engine interface {
	name() string
	open(ctx context.Context, between func(driver.Connector) driver.Connector) (writers, readers *sql.DB, err error)
	begin() string
	encrypted() string          // the statement that names, with a value each, what of its tables and its log is encrypted in their files
	clock() string              // its UTC wall time, to the millisecond, as SQL
	prepares(query string) bool // whether keeping the text prepared pays
	twoWriters() bool           // whether two connections can write at the same time
	rowsAtOnce() int            // how many rows one INSERT or keyed UPDATE carries
	words() map[string]string   // the words of the migrations
	dialect() string            // goose's name for it
	forSchema(writers *sql.DB, patience time.Duration) (pool *sql.DB, leave func(), err error)
	lock(context.Context, *sql.DB) (unlock func(), err error) // against two replicas that migrate at once
	scrubs(tables []string) []string                          // the statements that have its files written anew
	classify(error) error                                     // wraps ErrTaken, ErrUnavailable, errAgain
}

func engineOf(url string) (engine, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case scheme == "sqlite" && rest != "":
		return sqliteEngine{path: strings.TrimPrefix(rest, "//")}, nil
	case scheme == "mysql" && strings.HasPrefix(rest, "//"):
		return mysqlEngineOf(strings.TrimPrefix(rest, "//"))
	}
	return nil, errors.New(`the database must be "sqlite:FILE" or "mysql://USER:PASSWORD@HOST:PORT/NAME"`)
}

// classifyConnection is for errors that are not the engine's: a broken connection, a refused one, one that timed out.
func classifyConnection(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, sql.ErrConnDone), errors.As(err, &network):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// errBroken, returned from sql.Conn.Raw, makes the pool forget the connection.
var errBroken = driver.ErrBadConn
