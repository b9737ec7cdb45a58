package people

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"depositd/migrations/sqldb"
)

// A door is what tries are counted at: a name from one network from which that person has come in before, or that name from
// anywhere else. Who guesses from elsewhere shuts the door there for everybody, and never that of the person's own network;
// no door stays shut for good.
const (
	freeTries   = 5 // in a quarter of an hour; ASVS 5, 6.3.1
	firstShut   = 15 * time.Minute
	longestShut = time.Hour
	triesLast   = 24 * time.Hour // after which a door's past is forgotten

	// All doors from elsewhere together: a centre has some hundred people, and few of them come in from a new place in a minute.
	brakeTries = 60
	brakeLasts = time.Minute
)

// Shut is the answer at a door that was tried too often. It says nothing of whether there is such a person.
type Shut struct {
	For time.Duration
}

// Error says how long.
func (s *Shut) Error() string { return fmt.Sprint("too many tries; again in ", s.For) }

// try is what is known of a door.
type try struct {
	Door  string
	Tried int64
	At    time.Time
	Until time.Time
}

var tries = sqldb.NewTable("tries", "door, tried, tried_at, until", func(t *try) []any {
	return []any{&t.Door, &t.Tried, sqldb.Wall(&t.At), sqldb.Wall(&t.Until)}
})

const allDoors = "all"

// NetworkOf is the network of an address, for counting: 256 addresses of the fourth version, or what one site of the sixth has.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return "?"
	}
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}

// knock counts a try before it is looked at, so that a hundred at once are a hundred; whoever gets in has it struck out by
// forgive. user 0 is a name that nobody has: its doors are counted like others. The audit trail has a TRIED of each person's
// try, and one that no CAME_IN or PROVED follows was in vain.
func (d *Desk) knock(ctx context.Context, name, network string, user sqldb.ID) (door string, err error) {
	own, err := sqldb.Value[int](ctx, d.db, "SELECT COUNT(*) FROM networks WHERE user_id = ? AND network = ?", user, network)
	if err != nil {
		return "", err
	}
	door = hashOf(name + "\x00elsewhere")
	if own > 0 {
		door = hashOf(name + "\x00" + network)
	}
	if err := d.shut(ctx, door); err != nil {
		return "", err
	}
	err = d.again(func() error {
		return d.db.Write(ctx, "door", func(tx *sqldb.Tx) error {
			if user != 0 {
				if err := tx.Note(ctx, "users", user, "TRIED", network); err != nil {
					return err
				}
			}
			if own == 0 {
				if err := count(ctx, tx, allDoors, brakeOf); err != nil {
					return err
				}
			}
			return count(ctx, tx, door, lockoutOf)
		})
	})
	return door, err
}

// shut refuses at a shut door before anything is written: a flood of tries costs the others a look.
func (d *Desk) shut(ctx context.Context, door string) error {
	t, err := tries.One(ctx, d.db, "WHERE door = ?", door)
	if errors.Is(err, sqldb.ErrNone) {
		return nil
	}
	if now := d.db.Now(); err == nil && now.Before(t.Until) {
		return &Shut{For: t.Until.Sub(now)}
	}
	return err
}

// lockoutOf shuts a door at the fifth try and at each one after it, twice as long each time.
func lockoutOf(t *try, now time.Time) {
	if now.Sub(t.At) >= triesLast || t.Tried < freeTries && now.Sub(t.At) >= firstShut {
		t.Tried = 0
	}
	if t.Tried++; t.Tried >= freeTries {
		t.Until = now.Add(min(firstShut<<min(t.Tried-freeTries, 8), longestShut))
	}
	t.At = now
}

// brakeOf lets so many through in each minute.
func brakeOf(t *try, now time.Time) {
	if now.Sub(t.At) >= brakeLasts {
		t.Tried, t.At = 0, now
	}
	if t.Tried++; t.Tried >= brakeTries {
		t.Until = t.At.Add(brakeLasts)
	}
}

// count refuses a try at a shut door and counts the others.
func count(ctx context.Context, tx *sqldb.Tx, door string, by func(*try, time.Time)) error {
	t, err := tries.One(ctx, tx, "WHERE door = ?", door)
	if errors.Is(err, sqldb.ErrNone) {
		t = try{Door: door}
		by(&t, tx.Now)
		return tries.Insert(ctx, tx, t)
	}
	if err != nil {
		return err
	}
	if tx.Now.Before(t.Until) {
		return &Shut{For: t.Until.Sub(tx.Now)}
	}
	was := t.Tried
	by(&t, tx.Now)
	return one(tx.Exec(ctx, "UPDATE tries SET tried = ?, tried_at = ?, until = ? WHERE door = ? AND tried = ?", t.Tried, sqldb.At(t.At), sqldb.At(t.Until), door, was))
}

// forgive opens a door to whoever has come in, knows their network from now on, and clears away doors nobody has tried for a day.
func forgive(ctx context.Context, tx *sqldb.Tx, door, network string, user sqldb.ID) error {
	if _, err := tx.Exec(ctx, "DELETE FROM tries WHERE door = ? OR tried_at < ?", door, sqldb.At(tx.Now.Add(-triesLast))); err != nil {
		return err
	}
	own, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM networks WHERE user_id = ? AND network = ?", user, network)
	if err != nil || own > 0 {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO networks (user_id, network) VALUES (?,?)", user, network)
	return err
}

// again runs a write once more where another replica was faster.
func (d *Desk) again(f func() error) error {
	err := f()
	if errors.Is(err, sqldb.ErrTaken) || errors.Is(err, sqldb.ErrStale) {
		err = f()
	}
	return err
}

// one wants a guarded statement to have matched its row.
func one(n int64, err error) error {
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	return err
}
