package bank

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// The statement's own way into the house: nearly every line of it was pushed before, so that of the stored entries only
// what tells whether they are the same is read, thousands at a time, and nearly all that is written is their sightings.

// sheet is some lines of one statement, as they come one after the other in its file.
type sheet struct {
	row     *StatementRow
	ordinal int // of the first line
	lines   []Entry
	bad     []storedFault
}

// compared is an entry as far as another sighting of it is compared with it; what is the same for a whole sheet is not
// read.
var compared = sqldb.NewTable("entries", "id, serial, serial_seq, direction, reversal, reversal_of, returned, sub_account, amount, booked_at, sealed",
	func(e *Entry) []any {
		return []any{&e.ID, &e.Serial, &e.SerialSeq, &e.Direction, &e.Reversal, &e.ReversalOf, &e.Returned, &e.SubAccount, &e.Amount, sqldb.Wall(&e.BookedAt), SealedPayer(e)}
	})

// gathered is what a sheet comes to before it is written.
type gathered struct {
	fresh   []Entry
	sights  []Sighting
	back    []reversal
	against []Conflict
}

// store records the lines: an entry that is new is stored, one that is known is compared, and a contradiction is kept
// beside it. repeats are the lines, by ordinal, that say again what another line of the file has said: they are the same
// money. Storing the same sheet again changes nothing.
func (s *sheet) store(ctx context.Context, tx *sqldb.Tx, find *finder) (repeats map[int]bool, err error) {
	known, err := find.known(ctx, tx, s.row.Day, s.lines)
	if err != nil {
		return nil, err
	}
	g := s.gather(tx, known)
	repeats, err = storeSights(ctx, tx, g.sights)
	if err != nil {
		return nil, err
	}
	for _, c := range g.against {
		delete(repeats, c.Ordinal)
	}
	against, err := unknownConflicts(ctx, tx, g.against)
	if err != nil {
		return nil, err
	}
	judge := make([]Pending, 0, len(g.fresh)+len(against))
	for i := range g.fresh {
		judge = append(judge, Pending{EntryID: g.fresh[i].ID})
	}
	for _, c := range against {
		judge = append(judge, Pending{c.EntryID, c.ID})
	}
	return repeats, errors.Join(entries.Insert(ctx, tx, g.fresh...), reversals.Insert(ctx, tx, g.back...),
		conflicts.Insert(ctx, tx, against...), unjudged.Insert(ctx, tx, judge...))
}

// gather compares the lines with what is known, to which it adds those that are new. What is to be written comes in the
// order of the keys, so that neighbours in an index are written together.
func (s *sheet) gather(tx *sqldb.Tx, known map[Identity]*Entry) (g gathered) {
	for i := range s.lines {
		e := &s.lines[i]
		old, there := known[e.Identity()]
		if !there {
			e.ID, e.FirstSeen = tx.NewID(), tx.Now
			known[e.Identity()] = e
			g.fresh = append(g.fresh, *e)
			g.sights = append(g.sights, Sighting{e.ID, FromStatement, s.row.ID, s.ordinal + i, tx.Now})
			if e.Reversal == Reverses {
				g.back = append(g.back, reversal{e.ID, e.Bank, e.ParentAccount, e.ReversalOf, e.SubAccount})
			}
			continue
		}
		sight := Sighting{old.ID, FromStatement, s.row.ID, s.ordinal + i, tx.Now}
		g.sights = append(g.sights, sight)
		if fields := old.Differs(e); len(fields) > 0 {
			g.against = append(g.against, conflictOf(tx, sight, e, fields))
		}
	}
	slices.SortFunc(g.fresh, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(g.sights, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(a.EntryID, b.EntryID), cmp.Compare(a.Ordinal, b.Ordinal))
	})
	return g
}

// storeSights stores sightings, which come by entry and line, and gives the lines whose entry another line of the file has
// shown. Nearly always none of them is there, so that is only looked at when the unique index refuses one.
func storeSights(ctx context.Context, tx *sqldb.Tx, all []Sighting) (repeats map[int]bool, err error) {
	repeats = map[int]bool{}
	once := make([]Sighting, 0, len(all))
	for i, s := range all {
		if i > 0 && s.EntryID == all[i-1].EntryID {
			repeats[s.Ordinal] = true
			continue
		}
		once = append(once, s)
	}
	err = sightings.Insert(ctx, tx, once...)
	if !errors.Is(err, sqldb.ErrTaken) {
		return repeats, err
	}
	rest, said, err := unseen(ctx, tx, once)
	if err != nil {
		return nil, err
	}
	for _, ordinal := range said {
		repeats[ordinal] = true
	}
	return repeats, sightings.Insert(ctx, tx, rest...)
}

// finder looks up the entries that lines are sightings of.
type finder struct {
	scattered bool // the file is not in the order of its serials
}

// known finds the stored entries of the lines, which are all of one account's statement of a day.
func (f *finder) known(ctx context.Context, r sqldb.Reader, day deposit.Day, lines []Entry) (map[Identity]*Entry, error) {
	known := make(map[Identity]*Entry, len(lines))
	byDay := map[deposit.Day][]*Entry{}
	for i := range lines {
		byDay[lines[i].BookingDate] = append(byDay[lines[i].BookingDate], &lines[i])
	}
	for booked, some := range byDay {
		if err := f.on(ctx, r, booked, some, known); err != nil {
			return nil, err
		}
	}
	return known, f.onClockDay(ctx, r, day, lines, known)
}

// on looks lines up among the entries of a day. Serials mostly grow as the file goes on: then one stretch of the index
// holds all of them and little else. Where it holds much else each serial is sought by itself.
func (f *finder) on(ctx context.Context, r sqldb.Reader, day deposit.Day, lines []*Entry, known map[Identity]*Entry) error {
	serials := make([]string, len(lines))
	for i, e := range lines {
		serials[i] = e.Serial
	}
	slices.Sort(serials)
	bank, parent := lines[0].Bank, lines[0].ParentAccount
	add := func(rows []Entry) {
		for i := range rows {
			e := &rows[i]
			e.Bank, e.ParentAccount, e.BookingDate = bank, parent, day
			known[e.Identity()] = e
		}
	}
	if most := 2*len(serials) + 100; !f.scattered {
		rows, err := compared.All(ctx, r, "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND serial >= ? AND serial <= ? ORDER BY serial LIMIT ?",
			day, bank, parent, serials[0], serials[len(serials)-1], most)
		if err != nil {
			return err
		}
		if len(rows) < most {
			add(rows)
			return nil
		}
		f.scattered = true
	}
	return sqldb.Chunks(slices.Compact(serials), func(in string, args []any) error {
		rows, err := compared.All(ctx, r, "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND serial IN "+in, append([]any{day, bank, parent}, args...)...)
		add(rows)
		return err
	})
}

// onClockDay is findOnOtherDay for lines: what is not known on the bank's accounting day may have been pushed on the day of
// its clock. The same serial, side, amount and second are the same booking, if no other day's statement has it: the same
// day's has, when it is corrected or read again.
func (f *finder) onClockDay(ctx context.Context, r sqldb.Reader, day deposit.Day, lines []Entry, known map[Identity]*Entry) error {
	byClock := map[deposit.Day][]*Entry{}
	for i := range lines {
		e := &lines[i]
		if _, there := known[e.Identity()]; there {
			continue
		}
		for _, clock := range otherDays(e, FromStatement, "") {
			byClock[clock] = append(byClock[clock], e)
		}
	}
	for clock, some := range byClock {
		there := map[Identity]*Entry{}
		if err := f.on(ctx, r, clock, some, there); err != nil {
			return err
		}
		elsewhere, err := statedElsewhere(ctx, r, day, there)
		if err != nil {
			return err
		}
		for _, e := range some {
			then := e.Identity()
			then.BookingDate = clock
			old := there[then]
			if old != nil && old.Amount == e.Amount && sqldb.At(old.BookedAt) == sqldb.At(e.BookedAt) && !elsewhere[old.ID] {
				known[e.Identity()] = old
			}
		}
	}
	return nil
}

// statedElsewhere says which of the entries stand on the statement of another day.
func statedElsewhere(ctx context.Context, r sqldb.Reader, day deposit.Day, there map[Identity]*Entry) (map[sqldb.ID]bool, error) {
	ids := make([]sqldb.ID, 0, len(there))
	for _, e := range there {
		ids = append(ids, e.ID)
	}
	elsewhere := map[sqldb.ID]bool{}
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := keys(ctx, r, "SELECT s.entry_id FROM sightings AS s JOIN statements AS t ON t.id = s.file_id WHERE s.source = 'S' AND t.day <> ? AND s.entry_id IN "+in, append([]any{day}, args...)...)
		for _, id := range rows {
			elsewhere[id] = true
		}
		return err
	})
	return elsewhere, err
}
