package once_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"depositd/api/once"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

var (
	now     = time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)
	request = once.Request{Caller: "platform", Key: "0123456789abcdef", Says: []byte("POST"), Within: time.Minute}
	created = once.Answer{Status: 201, Header: map[string]string{"Location": "/v1/lots/1"}, Body: []byte("{}")}
)

// begun is the ticket of a request that nobody has answered.
func begun(t *testing.T, d *once.Desk) (ticket once.Ticket) {
	t.Helper()
	ticket, before, err := d.Begin(context.Background(), request)
	if err != nil || before != nil {
		t.Fatal(before, err)
	}
	return ticket
}

// useCases are what is done with a request's key, by whoever holds its ticket.
var useCases = []struct {
	name   string
	before bool // it has begun before
	run    func(ctx context.Context, d *once.Desk, ticket once.Ticket) error
}{
	{"Begin", false, func(ctx context.Context, d *once.Desk, _ once.Ticket) error {
		_, _, err := d.Begin(ctx, request)
		if deposit.IsKind(err, deposit.Conflict) { // it is in flight
			err = nil
		}
		return err
	}},
	{"Finish", true, func(ctx context.Context, d *once.Desk, ticket once.Ticket) error {
		err := d.Finish(ctx, ticket, created)
		if errors.Is(err, sqldb.ErrStale) { // it was answered
			_, before, again := d.Begin(ctx, request)
			if err = again; before != nil && before.Status == created.Status {
				err = nil
			}
		}
		return err
	}},
	{"Release", true, func(ctx context.Context, d *once.Desk, ticket once.Ticket) error { return d.Release(ctx, ticket) }},
	{"Forget", true, func(ctx context.Context, d *once.Desk, _ once.Ticket) error {
		_, err := d.Forget(ctx, "tend")
		return err
	}},
}

// kept is what is kept of the key; an answer is sealed anew each time.
func kept(t testing.TB, url string) string {
	t.Helper()
	for _, one := range sqldbtest.Strings(t, url, "SELECT answered || (LENGTH(answer) > 0) || held_until FROM once") {
		return one
	}
	return "nothing"
}

// TestTortureEveryCallFails: whatever call to the database fails, a key is held or it is not, and is answered with one answer.
func TestTortureEveryCallFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
		t.Run(c.name, func(t *testing.T) {
			url := sqldbtest.Place(t)
			at := now
			db := sqldbtest.Open(t, url, func() time.Time { return at })
			var ticket once.Ticket
			if c.before {
				ticket = begun(t, once.NewDesk(db))
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if c.name == "Forget" {
				at = at.Add(once.Kept + time.Hour)
			}
			sqldbtest.Trial{URL: url, Now: func() time.Time { return at }, Shape: kept, Run: func(ctx context.Context, db *sqldb.DB) error {
				return c.run(ctx, once.NewDesk(db), ticket)
			}}.Holds(t)
		})
	}
	for _, wrong := range sqldbtest.Forgotten(&once.Desk{}, names) {
		t.Error(wrong)
	}
}
