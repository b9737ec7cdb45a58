package bank

import (
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
)

// TakePulled keeps what a bank answered of a number's credits (G00005) that were booked in [from, to) and that we do not
// have, by the way that its notices take: what it pushes later finds them there and doubles nothing. A booking of which the
// bank tells the day only belongs to a time that touches its day. It gives the number of credits that are new.
func (d *Desk) TakePulled(ctx context.Context, b *Bank, told Credited, from, to time.Time) (fresh int, err error) {
	among := slices.DeleteFunc(slices.Clone(told.Entries), func(e Entry) bool { return !bookedIn(&e, from, to) })
	for i := range among {
		if err := b.admitNotice(&among[i]); err != nil {
			return 0, err
		}
	}
	known, err := find(ctx, d.db, among)
	if err != nil {
		return 0, err
	}
	unknown := slices.DeleteFunc(among, func(e Entry) bool { _, there := known[e.Identity()]; return there })
	if len(unknown) == 0 {
		return 0, nil
	}
	receipt, err := d.Receive(ctx, Message{Bank: b.Code, ExternalID: "pull:" + hash(told.Raw), Source: ByPull, Kind: KindNotice, Raw: told.Raw, At: d.db.Now(), Entries: unknown})
	return receipt.Entries, err
}

func bookedIn(e *Entry, from, to time.Time) bool {
	if isMidnight(e.BookedAt) {
		return e.BookedAt.Before(to) && e.BookedAt.AddDate(0, 0, 1).After(from)
	}
	return !e.BookedAt.Before(from) && e.BookedAt.Before(to)
}

// AskedSince lists the subjects of the calls of a kind that a bank has answered with yes since an instant.
func (d *Desk) AskedSince(ctx context.Context, bank, code string, since time.Time) (map[string]bool, error) {
	rows, err := sqldb.Select(ctx, d.db, func(s *string) []any { return []any{s} },
		"SELECT subject FROM calls WHERE bank = ? AND code = ? AND outcome = 'DONE' AND began_at >= ? GROUP BY subject ORDER BY subject", bank, code, sqldb.At(since))
	asked := make(map[string]bool, len(rows))
	for _, subject := range rows {
		asked[subject] = true
	}
	return asked, err
}

// CallsSince counts the calls to a bank since an instant, and those of them that did not end well.
func (d *Desk) CallsSince(ctx context.Context, bank string, since time.Time) (made, failed int, err error) {
	type count struct{ made, failed int }
	rows, err := sqldb.Select(ctx, d.db, func(c *count) []any { return []any{&c.made, &c.failed} },
		"SELECT COUNT(*), COALESCE(SUM(CASE WHEN outcome = 'DONE' THEN 0 ELSE 1 END), 0) FROM calls WHERE bank = ? AND began_at >= ?", bank, sqldb.At(since))
	if err != nil || len(rows) == 0 {
		return 0, 0, err
	}
	return rows[0].made, rows[0].failed, nil
}
