package people

import (
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
)

// Session is a person who has come in.
type Session struct {
	ID        sqldb.ID
	User      User
	StartedAt time.Time
	ProvedAt  time.Time // when the second factor was given last, or without one the password
	Must      []Must    // what has to be done before anything else

	signs bool // the proof was one of a second factor
}

// Must is something that a person has to do before they may do anything else.
type Must string

// What there is to do.
const (
	SetPassword Must = "password" // it has expired
	SetFactor   Must = "factor"   // a role of theirs wants a second factor
)

type sessionRow struct {
	ID, UserID                   sqldb.ID
	Hash, Network                string
	Started, Seen, Proved, Ended time.Time
}

var sessions = sqldb.NewTable("sessions", "id, hash, user_id, network, started_at, seen_at, proved_at, ended_at", func(s *sessionRow) []any {
	return []any{&s.ID, &s.Hash, &s.UserID, &s.Network, sqldb.Wall(&s.Started), sqldb.Wall(&s.Seen), sqldb.Wall(&s.Proved), sqldb.Wall(&s.Ended)}
})

// Who is the person of a cookie, as they are now: what was granted, taken or disabled since counts. Stranger where there is none.
func (d *Desk) Who(ctx context.Context, cookie string) (*Session, error) {
	row, err := sessions.One(ctx, d.db, "WHERE hash = ?", hashOf(cookie))
	if err != nil {
		return nil, strange(err)
	}
	now := d.db.Now()
	if !row.live(now) {
		return nil, Stranger()
	}
	u, err := userWhere(ctx, d.db, "WHERE id = ?", row.UserID)
	if err != nil {
		return nil, strange(err)
	}
	if u.State != Active {
		return nil, Stranger()
	}
	d.seen(ctx, &row, now)
	return d.sessionOf(&row, u, now), nil
}

// live says that a session has not ended by itself, by a logout, or by what was done to its account.
func (s *sessionRow) live(now time.Time) bool {
	return now.Before(s.Ended) && now.Sub(s.Seen) < idleLasts && now.Sub(s.Started) < sessionLasts
}

func (d *Desk) sessionOf(row *sessionRow, u User, now time.Time) *Session {
	s := &Session{ID: row.ID, User: u, StartedAt: row.Started, ProvedAt: row.Proved, signs: u.HasFactor() || d.rules.PasswordAlone}
	if d.rules.Policy.expired(u.passwordAt, now) {
		s.Must = append(s.Must, SetPassword)
	}
	if d.wantsFactor(u.Roles) && !u.HasFactor() {
		s.Must = append(s.Must, SetFactor)
	}
	return s
}

func (d *Desk) wantsFactor(roles []Role) bool {
	return !d.rules.PasswordAlone && slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(secondFactor, r) })
}

// Fresh says that the person has proved themselves anew within the last minutes, and by a second factor, as a signature wants it.
func (s *Session) Fresh(now time.Time) bool { return s.signs && now.Sub(s.ProvedAt) < freshLasts }

// Signs says that the person's proofs are such that a signature may follow one.
func (s *Session) Signs() bool { return s.signs }

// seen keeps the last use. Whether it was kept makes no difference to the asker.
func (d *Desk) seen(ctx context.Context, row *sessionRow, now time.Time) {
	if now.Sub(row.Seen) < seenEvery {
		return
	}
	_ = d.db.Write(ctx, "door", func(tx *sqldb.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE sessions SET seen_at = ? WHERE id = ? AND seen_at = ?", sqldb.At(now), row.ID, sqldb.At(row.Seen))
		return err
	})
}

// begin starts a session, ends the oldest of too many, and gives its cookie.
func begin(ctx context.Context, tx *sqldb.Tx, u *User, network string) (cookie string, row sessionRow, err error) {
	live, err := sessions.All(ctx, tx, "WHERE user_id = ? AND ended_at > ? ORDER BY seen_at DESC, id", u.ID, sqldb.At(tx.Now))
	if err != nil {
		return "", row, err
	}
	for i := range live {
		if i >= mostSessions-1 || !live[i].live(tx.Now) {
			if _, err := end(ctx, tx, live[i].ID); err != nil {
				return "", row, err
			}
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = ? AND started_at < ?", u.ID, sqldb.At(tx.Now.Add(-sessionsKept))); err != nil {
		return "", row, err
	}
	cookie, hash := secret()
	row = sessionRow{ID: tx.NewID(), UserID: u.ID, Hash: hash, Network: network, Started: tx.Now, Seen: tx.Now, Proved: tx.Now, Ended: sqldb.Forever}
	if err := sessions.Insert(ctx, tx, row); err != nil {
		return "", row, err
	}
	return cookie, row, tx.Note(ctx, "users", u.ID, "CAME_IN", network)
}

// end ends a session, and says whether it had not ended before.
func end(ctx context.Context, tx *sqldb.Tx, id sqldb.ID) (ended bool, err error) {
	n, err := tx.Exec(ctx, "UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at > ?", sqldb.At(tx.Now), id, sqldb.At(tx.Now))
	return n == 1, err
}

// endSessions ends all of a person's sessions.
func endSessions(ctx context.Context, tx *sqldb.Tx, user sqldb.ID) error {
	_, err := tx.Exec(ctx, "UPDATE sessions SET ended_at = ? WHERE user_id = ? AND ended_at > ?", sqldb.At(tx.Now), user, sqldb.At(tx.Now))
	return err
}

// Logout ends a session; one that has ended already stays so.
func (d *Desk) Logout(ctx context.Context, s *Session) error {
	return d.db.Write(ctx, s.User.Name, func(tx *sqldb.Tx) error {
		if _, err := end(ctx, tx, s.ID); err != nil {
			return err
		}
		return tx.Note(ctx, "users", s.User.ID, "WENT", "")
	})
}
