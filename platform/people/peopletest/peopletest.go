// Package peopletest lets tests come in by doors of any kind without the half second that each login is meant to cost.
package peopletest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/people"
)

// Key seals the second factors of tests.
var Key = []byte("0123456789abcdefghijklmnopqrstuv")

// Desk is a desk with the default rules.
func Desk(t testing.TB, db *sqldb.DB) *people.Desk {
	t.Helper()
	desk, err := people.NewDesk(db, Key, people.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

// Person makes an account that has everything it needs but a password that opens – its password does not expire –, unless there is one of the name.
func Person(t testing.TB, db *sqldb.DB, name, department string, roles ...people.Role) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		n, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM users WHERE name = ?", name)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO users (id, name, staff, department, roles, asked_roles, asked_department, asked_by, password, password_at, factor, factor_step, invitation, invited_until, state, version) "+
			"VALUES (?,?,?,?,?,'','','','none',?,'',1,'',?,'ACTIVE',1)", tx.NewID(), name, "staff of "+tx.NewID().String(), department, people.Join(roles), sqldb.At(sqldb.Forever), sqldb.At(time.Time{}))
		return err
	})
}

// Cookie starts a session of an account, as if its person had just proved themselves, and gives the cookie.
func Cookie(t testing.TB, db *sqldb.DB, name string) string {
	t.Helper()
	cookie := "test-" + sqldb.NewID().String()
	sum := sha256.Sum256([]byte(cookie))
	write(t, db, func(ctx context.Context, tx *sqldb.Tx) error {
		user, err := sqldb.Value[sqldb.ID](ctx, tx, "SELECT id FROM users WHERE name = ?", name)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO sessions (id, hash, user_id, network, started_at, seen_at, proved_at, ended_at) VALUES (?,?,?,'test',?,?,?,?)",
			tx.NewID(), hex.EncodeToString(sum[:]), user, sqldb.At(tx.Now), sqldb.At(tx.Now), sqldb.At(tx.Now), sqldb.At(sqldb.Forever))
		return err
	})
	return cookie
}

// Token makes a token with a name of its own and gives its text.
func Token(t testing.TB, db *sqldb.DB, scopes ...people.Role) string {
	t.Helper()
	text, _, err := Desk(t, db).AddToken(context.Background(), "test", "test-"+sqldb.NewID().String(), scopes)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t testing.TB, db *sqldb.DB, f func(context.Context, *sqldb.Tx) error) {
	t.Helper()
	if err := db.Write(context.Background(), "test", func(tx *sqldb.Tx) error { return f(context.Background(), tx) }); err != nil {
		t.Fatal(err)
	}
}
