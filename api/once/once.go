// Package once lets a request take effect a single time however often it is sent: its answer is kept by the key that the
// caller gave it (Idempotency-Key, draft-ietf-httpapi-idempotency-key-header), and given again.
//
// Only answers of requests that had an effect are kept. A refused one may be mended and sent again under its key; one whose
// fate is unknown, since the process died, may be sent again after a while: every use case may be run again.
package once

import (
	"context"
	"errors"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Kept is how long answers are kept at least: a clerk's programme that is stopped on a Friday goes on on Monday.
const Kept = 96 * time.Hour

// Desk keeps the answers in the database, which replicas share.
type Desk struct{ db *sqldb.DB }

// NewDesk makes the desk.
func NewDesk(db *sqldb.DB) *Desk { return &Desk{db} }

// Request is what is to take effect once.
type Request struct {
	Caller, Key string
	Says        []byte        // a digest of all that it says
	Within      time.Duration // it is answered by then, or its process has died
}

// Answer is what was answered.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Ticket is the right to answer a request.
type Ticket struct {
	caller, key string
	until       time.Time
}

type row struct {
	Caller, Name, Fingerprint string
	Answered                  bool
	Answer                    []byte
	BegunAt, HeldUntil        time.Time
}

var rows = sqldb.NewTable("once", "caller, name, fingerprint, answered, answer, begun_at, held_until", func(r *row) []any {
	return []any{&r.Caller, &r.Name, &r.Fingerprint, &r.Answered, &r.Answer, sqldb.Wall(&r.BegunAt), sqldb.Wall(&r.HeldUntil)}
})

// Begin gives the answer of a request that was here before, or else the right to answer it. A Conflict Refusal,
// request_in_flight, while another is at it; an Invalid one, idempotency_key_reused, if the key was another request's.
func (d *Desk) Begin(ctx context.Context, r Request) (t Ticket, before *Answer, err error) {
	err = d.db.Write(ctx, r.Caller, func(tx *sqldb.Tx) error {
		// A key that can be guessed opens nothing in a copy of the database: what is kept hangs on the database's own key too.
		key, err := tx.Tag("once", r.Caller+"\x00"+r.Key)
		if err != nil {
			return err
		}
		t, before = Ticket{r.Caller, key, tx.Now.Add(r.Within).Truncate(time.Millisecond)}, nil
		known, err := rows.One(ctx, tx, "WHERE caller = ? AND name = ?", r.Caller, t.name())
		switch {
		case errors.Is(err, sqldb.ErrNone):
			return rows.Insert(ctx, tx, row{r.Caller, t.name(), t.fingerprint(r.Says), false, []byte{}, tx.Now, t.until})
		case err != nil:
			return err
		case known.Fingerprint != t.fingerprint(r.Says):
			return deposit.Refuse(deposit.Invalid, "idempotency_key_reused", "这个 Idempotency-Key 已用于另一请求：内容不同的请求请换用新的")
		case known.Answered:
			before, err = t.open(known.Answer)
			return err
		case tx.Now.Before(known.HeldUntil):
			return inFlight
		}
		return d.takeOver(ctx, tx, known, t)
	})
	if errors.Is(err, sqldb.ErrTaken) {
		err = inFlight
	}
	return t, before, err
}

var inFlight = deposit.Refuse(deposit.Conflict, "request_in_flight", "同一请求正在处理，请稍后用同一 Idempotency-Key 重发以取得结果")

func (d *Desk) takeOver(ctx context.Context, tx *sqldb.Tx, known row, t Ticket) error {
	n, err := tx.Exec(ctx, "UPDATE once SET held_until = ? WHERE caller = ? AND name = ? AND answered = 0 AND held_until = ?",
		sqldb.At(t.until), t.caller, t.name(), sqldb.At(known.HeldUntil))
	if err == nil && n != 1 {
		return inFlight
	}
	return err
}

// Finish keeps the answer of a request that had its effect.
func (d *Desk) Finish(ctx context.Context, t Ticket, a Answer) error {
	return d.db.Write(ctx, t.caller, func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, "UPDATE once SET answered = 1, answer = ? WHERE caller = ? AND name = ? AND answered = 0 AND held_until = ?",
			t.seal(&a), t.caller, t.name(), sqldb.At(t.until))
		if err == nil && n != 1 {
			return sqldb.ErrStale
		}
		return err
	})
}

// Release gives the key back of a request that had no effect.
func (d *Desk) Release(ctx context.Context, t Ticket) error {
	return d.db.Write(ctx, t.caller, func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM once WHERE caller = ? AND name = ? AND answered = 0 AND held_until = ?", t.caller, t.name(), sqldb.At(t.until))
		return err
	})
}

// Forget deletes the answers that nobody asks for any more, and tells how many.
func (d *Desk) Forget(ctx context.Context, by string) (n int64, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) (err error) {
		n, err = tx.Exec(ctx, "DELETE FROM once WHERE begun_at < ?", sqldb.At(tx.Now.Add(-Kept)))
		return err
	})
	return n, err
}
