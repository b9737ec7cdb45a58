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

type mysqlEngine struct{ config *mysql.Config }

func mysqlEngineOf(rest string) (engine, error) {
	at := strings.LastIndex(rest, "@")
	account, place := rest[:max(at, 0)], rest[at+1:]
	host, name, ok := strings.Cut(place, "/")
	if at < 0 || !ok || name == "" || strings.Contains(name, "?") {
		return nil, errors.New(`a MySQL database is written "mysql://USER:PASSWORD@HOST:PORT/NAME"`)
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, _ = strings.Cut(account, ":")
	c.Net, c.Addr, c.DBName = "tcp", host, name
	if !strings.Contains(host, ":") {
		c.Addr = net.JoinHostPort(host, "3306")
	}
	c.Collation = "utf8mb4_bin"
	c.ClientFoundRows = true // an UPDATE's row count is the rows its WHERE found, as SQLite counts them
	c.InterpolateParams = true
	// Readers leave with their context, sooner.
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 5*time.Second, time.Minute, time.Minute
	c.Logger = mysql.Logger(silent{}) // a broken connection is reported where it is met
	return mysqlEngine{config: c}, nil
}

type silent struct{}

func (silent) Print(...any) {}

func (mysqlEngine) name() string    { return "mysql" }
func (mysqlEngine) dialect() string { return "mysql" }
func (mysqlEngine) begin() string   { return "START TRANSACTION" }
func (mysqlEngine) clock() string   { return "DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%d %H:%i:%s.%f')" }

// prepares: only what is said with values gains from a server-side statement.
func (mysqlEngine) prepares(query string) bool { return strings.Contains(query, "?") }

func (mysqlEngine) twoWriters() bool { return true }

// encrypted: MariaDB's variables, and MySQL's.
func (mysqlEngine) encrypted() string {
	return "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_encrypt_tables','innodb_encrypt_log','default_table_encryption','innodb_redo_log_encrypt') AND Value NOT IN ('OFF','0')"
}

// rowsAtOnce: each statement is a way to the server and back.
func (mysqlEngine) rowsAtOnce() int { return rowsAtOnce }

func (mysqlEngine) words() map[string]string {
	return map[string]string{"$ID": "BIGINT", "$SEQ": "BIGINT AUTO_INCREMENT PRIMARY KEY", "$DAY": "DATE", "$TIME": "DATETIME(3)",
		"$TABLE": "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin", "$OF": "ON", "$FILE": "--"}
}

// silence is how long the writer waits for an answer. Its statements are small, and the request whose goroutine runs them for
// all who wait cannot leave: with the time for a new connection, connectTime, it can still tell its bank to come again.
const silence = 8 * time.Second

// sessionSettings are run on every new connection; unlike the variable's name the first is the same text on MySQL and MariaDB.
var sessionSettings = []string{
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
	"SET SESSION innodb_lock_wait_timeout = 5", // less than silence: who waits for a lock runs again, and has not lost its connection
}

type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, setting := range sessionSettings {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, setting, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func (e mysqlEngine) open(ctx context.Context, between func(driver.Connector) driver.Connector) (writers, readers *sql.DB, err error) {
	base, err := mysql.NewConnector(e.config)
	if err != nil {
		return nil, nil, err
	}
	quick, err := mysql.NewConnector(e.waiting(silence))
	if err != nil {
		return nil, nil, err
	}
	writers, readers = sql.OpenDB(between(connector{quick})), sql.OpenDB(between(connector{base}))
	writers.SetMaxOpenConns(3) // two lanes, and one that takes a broken one's place
	readers.SetMaxOpenConns(16)
	readers.SetMaxIdleConns(4)
	readers.SetConnMaxLifetime(30 * time.Minute)
	var flush int
	err = readers.QueryRowContext(ctx, "SELECT @@innodb_flush_log_at_trx_commit").Scan(&flush)
	if err == nil && flush != 1 {
		err = fmt.Errorf("innodb_flush_log_at_trx_commit is %d: a power cut would lose acknowledged notices; set it to 1", flush)
	}
	if err != nil {
		return nil, nil, errors.Join(err, writers.Close(), readers.Close())
	}
	return writers, readers, nil
}

// waiting is the configuration with another time to wait for an answer; 0: for ever.
func (e mysqlEngine) waiting(patience time.Duration) *mysql.Config {
	c := e.config.Clone()
	c.ReadTimeout, c.WriteTimeout = patience, patience
	return c
}

// forSchema: to change a large table takes its time, and so does another replica that does.
func (e mysqlEngine) forSchema(_ *sql.DB, patience time.Duration) (*sql.DB, func(), error) {
	c, err := mysql.NewConnector(e.waiting(patience))
	if err != nil {
		return nil, nil, err
	}
	pool := sql.OpenDB(connector{c})
	return pool, func() { _ = pool.Close() }, nil
}

func (mysqlEngine) lock(ctx context.Context, pool *sql.DB) (func(), error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var held int
	if err := conn.QueryRowContext(ctx, "SELECT COALESCE(GET_LOCK('depositd_migrate', 60), 0)").Scan(&held); err != nil || held != 1 {
		return nil, errors.Join(err, errors.New("another replica has been migrating for a minute"), conn.Close())
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK('depositd_migrate')")
		_ = conn.Close()
	}, nil
}

// scrubs: InnoDB builds the table in a new file and removes the old one.
func (mysqlEngine) scrubs(tables []string) []string {
	return []string{"OPTIMIZE TABLE " + strings.Join(tables, ", ")} //nolint:misspell // SQL's word
}

// What MySQL and its kin say when a transaction may simply be run again, and when a key is taken.
var mysqlAgain = map[uint16]bool{1213: true, 1205: true, 9007: true, 8147: true, 8002: true, 8028: true}

const (
	mysqlDuplicate = 1062
	mysqlShutdown  = 1053
	mysqlReadOnly  = 1290
	mysqlTooMany   = 1040
	mysqlDiskFull  = 1021
)

func (mysqlEngine) classify(err error) error {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return classifyConnection(err)
	}
	switch {
	case e.Number == mysqlDuplicate:
		return fmt.Errorf("%w: %w", ErrTaken, err)
	case mysqlAgain[e.Number]:
		return fmt.Errorf("%w: %w", errAgain, err)
	case e.Number == mysqlShutdown, e.Number == mysqlReadOnly, e.Number == mysqlTooMany, e.Number == mysqlDiskFull:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
