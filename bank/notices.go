package bank

import (
	"context"
	"maps"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// notices is the entries that messages tell of: what is known of them, and what is to be stored. An entry that is new is
// stored, one that is known is compared, and a contradiction is kept beside it.
type notices struct {
	tx     *sqldb.Tx
	known  map[Identity]Entry // stored, or about to be
	stated map[Identity]Entry // stored on a later day, by a statement
	seen   map[Sighting]bool  // by entry and message

	fresh     []Entry
	reversals []reversal
	sightings []Sighting
	conflicts []Conflict
	judge     []Pending
}

// readNotices looks up what is known of the entries that messages tell of: of all of them, or only of the late ones, where
// the others may be taken for new until their key says otherwise.
func readNotices(ctx context.Context, tx *sqldb.Tx, told []Entry, all bool) (*notices, error) {
	n := &notices{tx: tx, known: make(map[Identity]Entry, len(told)), seen: make(map[Sighting]bool, len(told)), fresh: make([]Entry, 0, len(told)),
		sightings: make([]Sighting, 0, len(told)), judge: make([]Pending, 0, len(told))}
	var late []Entry
	for i := range told {
		if len(n.otherDays(&told[i])) > 0 {
			late = append(late, told[i])
		}
	}
	if !all {
		told = late
	}
	known, err := find(ctx, tx, told)
	if err != nil {
		return nil, err
	}
	maps.Copy(n.known, known)
	late = slices.DeleteFunc(late, func(e Entry) bool { _, there := n.known[e.Identity()]; return there })
	n.stated, err = findStated(ctx, tx, late)
	return n, err
}

// take enters what one message tells.
func (n *notices) take(told []Entry, message sqldb.ID) tally {
	t := tally{seen: len(told)}
	for i := range told {
		e := told[i]
		old, there := n.find(&e)
		if !there {
			n.add(&e, message, i)
			t.fresh++
			continue
		}
		s := n.see(old.ID, message, i)
		if fields := old.Differs(&e); len(fields) > 0 {
			n.conflicts = append(n.conflicts, conflictOf(n.tx, s, &e, fields))
			t.conflicting++
		}
	}
	return t
}

// find gives what is known of an entry, under its own identity or on the day on which the statement has put it.
func (n *notices) find(e *Entry) (Entry, bool) {
	id := e.Identity()
	if old, there := n.known[id]; there {
		return old, true
	}
	for _, id.BookingDate = range n.otherDays(e) {
		if old, there := n.stated[id]; there && old.Amount == e.Amount && old.BookedAt.Equal(e.BookedAt) {
			return old, true
		}
	}
	return Entry{}, false
}

// add enters an entry that nobody has told of.
func (n *notices) add(e *Entry, message sqldb.ID, ordinal int) {
	e.ID, e.FirstSeen = n.tx.NewID(), n.tx.Now
	n.known[e.Identity()] = *e
	n.fresh, n.judge = append(n.fresh, *e), append(n.judge, Pending{EntryID: e.ID})
	if e.Reversal == Reverses {
		n.reversals = append(n.reversals, reversal{e.ID, e.Bank, e.ParentAccount, e.ReversalOf, e.SubAccount})
	}
	n.see(e.ID, message, ordinal)
}

// see enters that an entry stood in a message, the first time if it stood there several times.
func (n *notices) see(entry, message sqldb.ID, ordinal int) Sighting {
	if key := (Sighting{EntryID: entry, FileID: message}); !n.seen[key] {
		n.seen[key] = true
		n.sightings = append(n.sightings, Sighting{entry, FromNotice, message, ordinal, n.tx.Now})
	}
	return Sighting{entry, FromNotice, message, ordinal, n.tx.Now}
}

// store writes what was entered, and the messages that told of it; ErrTaken where one of them was taken for new and is not.
func (n *notices) store(ctx context.Context, told []StoredMessage) error {
	against, err := unknownConflicts(ctx, n.tx, n.conflicts)
	if err != nil {
		return err
	}
	for _, c := range against {
		n.judge = append(n.judge, Pending{c.EntryID, c.ID})
	}
	for _, insert := range []func() error{
		func() error { return messages.Insert(ctx, n.tx, told...) },
		func() error { return entries.Insert(ctx, n.tx, n.fresh...) },
		func() error { return reversals.Insert(ctx, n.tx, n.reversals...) },
		func() error { return sightings.Insert(ctx, n.tx, n.sightings...) },
		func() error { return conflicts.Insert(ctx, n.tx, against...) },
		func() error { return unjudged.Insert(ctx, n.tx, n.judge...) },
	} {
		if err := insert(); err != nil {
			return err
		}
	}
	return nil
}

func (n *notices) otherDays(e *Entry) []deposit.Day {
	return otherDays(e, FromNotice, deposit.DayOf(n.tx.Now))
}

// findStated looks up where statements have put the bookings of notices that come late: under the same serial, on one of
// the days after.
func findStated(ctx context.Context, tx *sqldb.Tx, late []Entry) (map[Identity]Entry, error) {
	stated := map[Identity]Entry{}
	for p, serials := range pagesOf(late) {
		before := []any{p.bank, p.parent}
		for d := 1; d <= longestRest; d++ {
			before = append(before, p.day.Add(d))
		}
		err := sqldb.Chunks(serials, func(in string, args []any) error {
			rows, err := entries.All(ctx, tx, "WHERE bank = ? AND parent_account = ? AND booking_date IN "+sqldb.In(longestRest)+" AND serial IN "+in+
				" AND EXISTS (SELECT 1 FROM sightings AS s WHERE s.entry_id = entries.id AND s.source = 'S')", slices.Concat(before, args)...)
			for i := range rows {
				stated[rows[i].Identity()] = rows[i]
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return stated, nil
}
