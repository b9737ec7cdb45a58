package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Trusted is by what it is judged whether an hour has come that the law counts from. Tx.Now is the clock of the process that
// happens to write: whoever can set it must not bring about an opening before its hour, or a notice that is too short.
type Trusted struct {
	Clock time.Time // the database's own clock
	Time  time.Time // the latest of that, of what is kept, and of what was stated; it is kept, and only grows
}

// MostStatedAhead is how far a stated time may be ahead of the database's clock and count: clocks that are kept in time are not
// further apart. One that is, is nobody's time, and what is kept could never be taken back from it.
const MostStatedAhead = 30 * time.Second

// Trusted asks the clock and keeps what it comes to, in the transaction: what is refused leaves nothing. stated are times in
// messages whose sender is known. ErrTaken when another replica was the first to keep one.
func (tx *Tx) Trusted(ctx context.Context, stated ...time.Time) (Trusted, error) {
	clock, err := tx.clock(ctx)
	if err != nil {
		return Trusted{}, err
	}
	t := Trusted{clock, clock}
	for _, s := range stated {
		if s.After(t.Time) && !s.After(clock.Add(MostStatedAhead)) {
			t.Time = s
		}
	}
	n, err := tx.Exec(ctx, "UPDATE trusted_time SET at = ? WHERE id = 1 AND at < ?", At(t.Time), At(t.Time))
	if err != nil || n == 1 {
		return t, err
	}
	kept, err := keptTime(ctx, tx)
	switch {
	case errors.Is(err, ErrNone):
		_, err = tx.Exec(ctx, "INSERT INTO trusted_time (id, at) VALUES (1, ?)", At(t.Time))
	case kept.After(t.Time):
		t.Time = kept
	}
	return t, err
}

func keptTime(ctx context.Context, r Reader) (time.Time, error) {
	rows, err := Select(ctx, r, func(t *time.Time) []any { return []any{Wall(t)} }, "SELECT at FROM trusted_time WHERE id = 1")
	if err == nil && len(rows) == 0 {
		err = ErrNone
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("trusted time: %w", err)
	}
	return rows[0], nil
}

// TrustedAhead is how far the time that is kept is ahead of the database's clock, which has then been set back, or was ahead
// once: 0 where it is not.
func (db *DB) TrustedAhead(ctx context.Context) (time.Duration, error) {
	kept, err := keptTime(ctx, db)
	if errors.Is(err, ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	clock, err := db.clock(ctx)
	return max(kept.Sub(clock), 0), err
}

// AskClock has trusted time come from the database's own clock, as with Open. A clock of the caller's, such as one of a simulated
// month, stands for the database's too until then.
func (db *DB) AskClock() { db.asksClock = true }

func (tx *Tx) clock(ctx context.Context) (time.Time, error) {
	if !tx.asksClock {
		return tx.Now, nil
	}
	return askClock(ctx, tx, tx.lane.engine)
}

func (db *DB) clock(ctx context.Context) (time.Time, error) {
	if !db.asksClock {
		return db.Now(), nil
	}
	return db.Clock(ctx)
}

// Clock is the instant that the database takes for now, to the millisecond, to compare with this machine's.
func (db *DB) Clock(ctx context.Context) (time.Time, error) { return askClock(ctx, db, db.engine) }

func askClock(ctx context.Context, r Reader, e engine) (time.Time, error) {
	text, err := Value[string](ctx, r, "SELECT "+e.clock())
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database's clock: %w", err)
	}
	t, err := time.ParseInLocation(time.DateTime, text, time.UTC)
	return t.Truncate(time.Millisecond), err
}
