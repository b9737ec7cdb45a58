package bank

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

const (
	statedDay   = deposit.Day("2026-06-12")
	statedClock = deposit.Day("2026-06-11") // of what the bank books on the next day
)

// statement is a statement's file as the rule sees it: the entries the notices made, and line by line what each line is.
type statement struct {
	entries map[Identity]*Entry
	shown   map[*Entry]int // by which line first
	against map[string]bool
	repeats map[int]bool
}

// take is the rule: a line is the entry of its identity, or else the one that was pushed on the day of its clock with the same
// amount and second, or else new; the same entry again is the same money, unless the line says something else.
func (s *statement) take(ordinal int, line Entry) {
	old := s.entries[line.Identity()]
	if clock := line.Identity(); old == nil && deposit.DayOf(line.BookedAt) == statedClock {
		clock.BookingDate = statedClock
		if there := s.entries[clock]; there != nil && there.Amount == line.Amount && there.BookedAt.Equal(line.BookedAt) {
			old = there
		}
	}
	if old == nil {
		old = &line
		s.entries[line.Identity()] = old
	}
	first, again := s.shown[old]
	if !again {
		s.shown[old] = ordinal
	}
	switch differs := old.Differs(&line); {
	case len(differs) > 0:
		s.against[fmt.Sprint(old.Identity(), line.Amount, line.PayerName)] = true
	case again && first != ordinal:
		s.repeats[ordinal] = true
	}
}

// aLine is one of few, so that lines meet. Every third serial is booked on the day after its clock's.
func aLine(r *rand.Rand) Entry {
	serial := r.IntN(30)
	line := Entry{Bank: "b", ParentAccount: "p", BookingDate: statedDay, Serial: fmt.Sprint("s", serial), Direction: Credit, Amount: deposit.Fen(1 + r.IntN(8)/7),
		BookedAt: statedDay.Start().Add(9 * time.Hour), PayerName: []string{"", "甲", "甲", "甲", "乙"}[r.IntN(5)]}
	if r.IntN(4) == 0 {
		line.Direction = Debit
	}
	if serial%3 == 0 {
		line.BookedAt, line.Amount = statedClock.Start().Add(18*time.Hour), 1
	}
	return line
}

// atRandom stores a random statement after random notices, sheet by sheet, some of them twice, and says where the database
// and the rule disagree.
func atRandom(t *testing.T, db *sqldb.DB, seed uint64, spoil func(*sheet)) (wrong []string) {
	ctx, r := context.Background(), rand.New(rand.NewPCG(seed, 1))
	parent := fmt.Sprint("p", seed) // of its own, so that many fit into one database
	rule := statement{map[Identity]*Entry{}, map[*Entry]int{}, map[string]bool{}, map[int]bool{}}
	for i := range 20 {
		e := aLine(r)
		e.ParentAccount, e.BookingDate = parent, deposit.DayOf(e.BookedAt)
		if rule.entries[e.Identity()] != nil {
			continue
		}
		rule.entries[e.Identity()] = &e
		if _, err := NewDesk(db).Receive(ctx, Message{Bank: "b", ExternalID: fmt.Sprint(seed, " ", i), Raw: []byte{1}, Kind: KindNotice, Entries: []Entry{e}}); err != nil {
			t.Fatal(err)
		}
	}
	row := &StatementRow{ID: sqldb.NewID(), MessageID: 1, Bank: "b", ParentAccount: parent, Day: statedDay, Revision: 1, Currency: "CNY", Proof: ProofNone, State: Loading}
	corrected := *row
	corrected.ID, corrected.Revision = sqldb.NewID(), 2
	if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return statements.Insert(ctx, tx, *row, corrected) }); err != nil {
		t.Fatal(err)
	}
	repeats, find := map[int]bool{}, finder{scattered: seed%2 == 0}
	store := func(s sheet, repeats map[int]bool) {
		if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error {
			found, err := s.store(ctx, tx, &find)
			for at := range found {
				repeats[at] = true
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for ordinal := 0; ordinal < 60; {
		s := sheet{row: row, ordinal: ordinal}
		for range 1 + r.IntN(20) {
			line := aLine(r)
			line.ParentAccount = parent
			s.lines = append(s.lines, line)
			rule.take(ordinal, line)
			ordinal++
		}
		spoil(&s)
		for range 1 + r.IntN(2) {
			store(s, repeats)
		}
		s.row = &corrected // with the same lines: it makes no new entry
		store(s, map[int]bool{})
	}
	count := func(what string, want int, text string, args ...any) {
		if got, err := sqldb.Value[int](ctx, db, text, args...); err != nil || got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %d, want %d, %v", what, got, want, err))
		}
	}
	count("entries", len(rule.entries), "SELECT COUNT(*) FROM entries WHERE parent_account = ?", parent)
	count("sightings", len(rule.shown), "SELECT COUNT(*) FROM sightings WHERE file_id = ?", row.ID)
	count("contradictions", len(rule.against), "SELECT COUNT(*) FROM conflicts AS c JOIN entries AS e ON e.id = c.entry_id WHERE e.parent_account = ?", parent)
	count("waiting", len(rule.entries)+len(rule.against), "SELECT COUNT(*) FROM unjudged AS u JOIN entries AS e ON e.id = u.entry_id WHERE e.parent_account = ?", parent)
	if fmt.Sprint(repeats) != fmt.Sprint(rule.repeats) {
		wrong = append(wrong, fmt.Sprintf("repeats: %v, want %v", repeats, rule.repeats))
	}
	return wrong
}

// TestStatementLinesByTheRule: thousands of lines at once become what the rule makes of them one by one, in sheets of
// whatever length, in the order of the serials or not, and read again after a break.
func TestStatementLinesByTheRule(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		seed := uint64(0)
		for ; seed < 4; seed++ {
			if wrong := atRandom(t, db, seed, func(*sheet) {}); len(wrong) > 0 {
				t.Errorf("seed %d: %s", seed, strings.Join(wrong, "; "))
			}
		}
		for what, spoil := range map[string]func(*sheet){
			"each sheet counts from nought":  func(s *sheet) { s.ordinal = 0 },
			"a sheet loses its last line":    func(s *sheet) { s.lines = s.lines[:len(s.lines)-1] },
			"the statement is another day's": func(s *sheet) { s.row = &StatementRow{ID: s.row.ID, Day: statedClock} },
			"a line's amount is of no count": func(s *sheet) { s.lines[0].Amount = 5 },
		} {
			noticed := false
			for try := 0; try < 5 && !noticed; try++ {
				noticed = len(atRandom(t, db, seed, spoil)) > 0
				seed++
			}
			if !noticed {
				t.Errorf("%s: not noticed", what)
			}
		}
	})
}
