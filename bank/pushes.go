package bank

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Pushes counts what a bank pushed within one hour of the clock and how it fared. Tests of the line and what we asked for
// are not among it.
type Pushes struct {
	Hour  time.Time
	Code  string // why they were refused; "" for those that were taken
	Count int
}

// PushesSince counts a bank's pushes since an instant, by hour.
func PushesSince(ctx context.Context, r sqldb.Reader, bank string, since time.Time) ([]Pushes, error) {
	type row struct {
		Pushes
		hour string
	}
	rows, err := sqldb.Select(ctx, r, func(p *row) []any { return []any{&p.hour, &p.Code, &p.Count} },
		"SELECT SUBSTR(received_at, 1, 13), code, COUNT(*) FROM messages WHERE received_at >= ? AND bank = ? AND kind = 'NOTICE' AND source IN ('HTTP','TCP') "+
			"GROUP BY SUBSTR(received_at, 1, 13), code ORDER BY 1, 2", sqldb.At(since), bank)
	if err != nil {
		return nil, err
	}
	all := make([]Pushes, len(rows))
	for i, p := range rows {
		all[i] = p.Pushes
		if all[i].Hour, err = deposit.ParseWall(p.hour + ":00:00"); err != nil {
			return nil, fmt.Errorf("read the hour of a message: %w", err)
		}
	}
	return all, nil
}

// LastPush is when a bank last pushed something, believed and understood or not; the zero time when it never did.
func LastPush(ctx context.Context, r sqldb.Reader, bank string) (time.Time, error) {
	rows, err := sqldb.Select(ctx, r, func(t *time.Time) []any { return []any{sqldb.Wall(t)} },
		"SELECT received_at FROM messages WHERE bank = ? AND kind = 'NOTICE' AND source IN ('HTTP','TCP') ORDER BY received_at DESC LIMIT 1", bank)
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return rows[0], nil
}

// Rejection is the kind of reason for which a message is refused.
type Rejection string

// The kinds.
const (
	Disbelieved Rejection = "SEAL"    // it does not prove its sender
	Unwelcome   Rejection = "CONTENT" // it is understood, and is not for us or not as agreed
	Unreadable  Rejection = "FORMAT"  // it cannot be read
	Broken      Rejection = "OURS"    // reading it broke our program
)

var rejectionNames = map[Rejection]string{Disbelieved: "验签不通过", Unwelcome: "内容不合约定", Unreadable: "无法解码", Broken: "本系统程序出错"}

// Chinese is the kind's name for people.
func (r Rejection) Chinese() string { return rejectionNames[r] }

// unwelcome are the codes of messages that were understood.
var unwelcome = []string{"parent_account_unknown", "aggregate_unexpected", "notices_not_expected", "replay_differs", "message_too_large"}

// internalCode is the code under which a failing of our own is kept.
var internalCode = deposit.AsRefusal(errors.New("")).Code

// RejectionOf sorts the code of a refused message.
func RejectionOf(code string) Rejection {
	switch {
	case strings.HasPrefix(code, "seal_"):
		return Disbelieved
	case slices.Contains(unwelcome, code):
		return Unwelcome
	case code == internalCode:
		return Broken
	}
	return Unreadable
}

// mostDelays is how many of the newest credits tell how long notices take.
const mostDelays = 1000

// PushDelays gives how long the notices of an account's day took from the booking on, shortest first. A booking of which
// the bank told the day only says nothing.
func PushDelays(ctx context.Context, r sqldb.Reader, b Book, day deposit.Day) (delays []time.Duration, err error) {
	type pushed struct{ booked, seen time.Time }
	rows, err := sqldb.Select(ctx, r, func(p *pushed) []any { return []any{sqldb.Wall(&p.booked), sqldb.Wall(&p.seen)} },
		"SELECT e.booked_at, MIN(s.seen_at) FROM entries AS e JOIN sightings AS s ON s.entry_id = e.id AND s.source = 'N' "+
			"WHERE e.booking_date = ? AND e.bank = ? AND e.parent_account = ? GROUP BY e.id, e.booked_at ORDER BY e.booked_at DESC, e.id LIMIT ?", day, b.Bank, b.ParentAccount, mostDelays)
	for _, p := range rows {
		if !isMidnight(p.booked) {
			delays = append(delays, max(0, p.seen.Sub(p.booked)))
		}
	}
	slices.Sort(delays)
	return delays, err
}
