package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// What the program says about database addresses, so that nothing outside this package spells an engine's name.
const (
	DefaultURL = "sqlite:deposit.db"
	Forms      = "sqlite:FILE | mysql://USER@HOST:PORT/NAME"
)

// CheckURL reports what is wrong with a database address; it connects to nothing.
func CheckURL(url string) error {
	_, err := engineOf(url)
	return err
}

// File is the database's file, or "" when a server holds it.
func File(url string) string {
	e, err := engineOf(url)
	if f, ok := e.(sqliteEngine); ok && err == nil {
		return f.path
	}
	return ""
}

// FileURL is the address of a database in a file.
func FileURL(path string) string { return "sqlite:" + path }

// Mask hides the password of an address, for printing.
func Mask(url string) string {
	start, user, end, ok := account(url)
	if !ok || !strings.Contains(url[start:end], ":") {
		return url
	}
	return url[:start] + user + ":***" + url[end:]
}

// WithPassword puts the password of a file into an address; one that has a password already, or no account, is an error.
func WithPassword(url, password string) (string, error) {
	start, user, end, ok := account(url)
	if !ok || strings.Contains(url[start:end], ":") {
		return "", fmt.Errorf("a password file goes with an address that names a user and no password: %s", Mask(url))
	}
	return url[:start] + user + ":" + password + url[end:], nil
}

// account finds "user:password" in an address: where it starts and ends, and its user.
func account(url string) (start int, user string, end int, ok bool) {
	start = strings.Index(url, "://") + len("://")
	end = strings.LastIndex(url, "@")
	if start < len("://") || end < start {
		return 0, "", 0, false
	}
	user, _, _ = strings.Cut(url[start:end], ":")
	return start, user, end, true
}

// EncryptsFiles says whether the engine encrypts what it writes of all tables and of its log, as a database server can.
func (db *DB) EncryptsFiles(ctx context.Context) (bool, error) {
	type variable struct{ name, value string }
	on, err := Select(ctx, db, func(v *variable) []any { return []any{&v.name, &v.value} }, db.engine.encrypted())
	return len(on) == 2, err
}
