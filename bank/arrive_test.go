package bank

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// batchNow is the Monday on which everything is received; batchDay is the Saturday before.
var batchNow = time.Date(2026, 6, 15, 10, 0, 0, 0, deposit.Shanghai)

const batchDay = deposit.Day("2026-06-13")

// mix makes messages that have much to do with each other: few ids, few serials, several amounts and names, entries twice
// in one message, reversals, and payments of Saturday that the statement has put on Monday.
func mix(dice *rand.Rand, n int) []Message {
	all := make([]Message, n)
	for i := range all {
		raw := fmt.Sprint("bytes ", dice.IntN(3*n))
		m := Message{Bank: "lcyh", ExternalID: hash([]byte(raw)), Source: ByHTTP, Kind: KindNotice, Raw: []byte(raw)}
		if dice.IntN(3) == 0 {
			m.ExternalID = fmt.Sprint("id ", dice.IntN(n))
		}
		for range dice.IntN(3) + dice.IntN(2) {
			m.Entries = append(m.Entries, anEntry(dice))
		}
		all[i] = m
		if i > 0 && dice.IntN(6) == 0 {
			all[i] = all[dice.IntN(i)] // the very same again
		}
	}
	return all
}

func anEntry(dice *rand.Rand) Entry {
	day := deposit.Day("2026-06-15")
	if dice.IntN(2) == 0 {
		day = batchDay
	}
	at := day.Start().Add(9 * time.Hour)
	e := Entry{Bank: "lcyh", ParentAccount: "1", BookingDate: day, Serial: fmt.Sprint("S", dice.IntN(6)), Direction: Credit, SubAccount: fmt.Sprint("n", dice.IntN(2)),
		Amount: deposit.Fen(100 + dice.IntN(2)), BookedAt: at, PayerName: []string{"", "甲", "乙"}[dice.IntN(3)]}
	if dice.IntN(8) == 0 {
		e.Direction, e.Reversal, e.ReversalOf = Debit, Reverses, "S1"
	}
	return e
}

// statedBefore is what a statement of Monday has told of before the notices come.
func statedBefore(ctx context.Context, db *sqldb.DB, dice *rand.Rand) error {
	var lines []Entry
	for i := range 6 {
		e := anEntry(dice)
		e.BookingDate, e.Serial = "2026-06-15", fmt.Sprint("S", i)
		lines = append(lines, e)
	}
	return db.Write(ctx, "test", func(tx *sqldb.Tx) error {
		for i := range lines {
			e := &lines[i]
			e.ID, e.FirstSeen = tx.NewID(), tx.Now
			if err := sightings.Insert(ctx, tx, Sighting{e.ID, FromStatement, 7, i, tx.Now}); err != nil {
				return err
			}
		}
		return entries.Insert(ctx, tx, lines...)
	})
}

// receiveSingly is the rule as a clerk would follow it, with a question for each thing he wants to know.
func receiveSingly(ctx context.Context, tx *sqldb.Tx, m Message) (Receipt, error) {
	sum := hash(m.Raw)
	first, err := messages.One(ctx, tx, "WHERE bank = ? AND external_id = ?", m.Bank, m.ExternalID)
	switch {
	case err == nil && first.Digest == sum:
		return Receipt{Outcome: first.Outcome, Replayed: true}, nil
	case err == nil:
		return Receipt{}, deposit.Refuse(deposit.Invalid, "replay_differs")
	case !errors.Is(err, sqldb.ErrNone):
		return Receipt{}, err
	}
	id, receipt := tx.NewID(), Receipt{Outcome: New}
	contradicted := false
	for i, e := range m.Entries {
		old, err := lookSingly(ctx, tx, e)
		isNew := errors.Is(err, sqldb.ErrNone)
		if isNew {
			old = e
			old.ID, old.FirstSeen = tx.NewID(), tx.Now
			receipt.Entries++
			err = errors.Join(entries.Insert(ctx, tx, old), unjudged.Insert(ctx, tx, Pending{EntryID: old.ID}))
			if e.Reversal == Reverses {
				err = errors.Join(err, reversals.Insert(ctx, tx, reversal{old.ID, e.Bank, e.ParentAccount, e.ReversalOf, e.SubAccount}))
			}
		}
		if err != nil {
			return receipt, err
		}
		s := Sighting{old.ID, FromNotice, id, i, tx.Now}
		if n, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM sightings WHERE entry_id = ? AND file_id = ?", old.ID, id); err != nil || n == 0 {
			if err := errors.Join(err, sightings.Insert(ctx, tx, s)); err != nil {
				return receipt, err
			}
		}
		if fields := old.Differs(&e); len(fields) > 0 {
			contradicted = true
			c := conflictOf(tx, s, &e, fields)
			n, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM conflicts WHERE entry_id = ? AND digest = ?", old.ID, sqldb.Tag("conflicts", &c.Digest))
			if n == 0 {
				err = errors.Join(err, conflicts.Insert(ctx, tx, c), unjudged.Insert(ctx, tx, Pending{old.ID, c.ID}))
			}
			if err != nil {
				return receipt, err
			}
		}
	}
	switch {
	case contradicted:
		receipt.Outcome = Conflicts
	case receipt.Entries == 0 && len(m.Entries) > 0:
		receipt.Outcome = Duplicate
	}
	return receipt, messages.Insert(ctx, tx, StoredMessage{ID: id, Bank: m.Bank, ExternalID: m.ExternalID, Source: m.Source, Kind: m.Kind, Outcome: receipt.Outcome,
		Digest: sum, Size: int64(len(m.Raw)), ReceivedAt: tx.Now, Body: m.Raw})
}

func lookSingly(ctx context.Context, tx *sqldb.Tx, e Entry) (Entry, error) {
	const same = "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND serial = ? AND serial_seq = ? AND direction = ? AND reversal = ?"
	old, err := entries.One(ctx, tx, same, e.BookingDate, e.Bank, e.ParentAccount, e.Serial, e.SerialSeq, e.Direction, e.Reversal)
	for day := e.BookingDate.Add(1); errors.Is(err, sqldb.ErrNone) && e.BookingDate == batchDay && day <= "2026-06-23"; day = day.Add(1) {
		old, err = entries.One(ctx, tx, same+" AND amount = ? AND booked_at = ? AND EXISTS (SELECT 1 FROM sightings AS s WHERE s.entry_id = entries.id AND s.source = 'S')",
			day, e.Bank, e.ParentAccount, e.Serial, e.SerialSeq, e.Direction, e.Reversal, e.Amount, sqldb.At(e.BookedAt))
	}
	return old, err
}

// receiver takes messages in batches and tells how each fared.
type receiver func(ctx context.Context, db *sqldb.DB, all []Message) ([]string, error)

func singly(ctx context.Context, db *sqldb.DB, all []Message) (told []string, err error) {
	for _, m := range all {
		var r Receipt
		err := db.Write(ctx, m.Bank, func(tx *sqldb.Tx) (err error) { r, err = receiveSingly(ctx, tx, m); return err })
		if code := ""; err != nil {
			if code, _ = Reason(err); code != "replay_differs" {
				return nil, err
			}
		}
		told = append(told, fared(r, err))
	}
	return told, nil
}

// taker takes messages that came at the same time.
type taker func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error

// together hands over batches of one to seven, to arrive or, for the control, to something that is wrong.
func together(take taker) receiver {
	return func(ctx context.Context, db *sqldb.DB, all []Message) (told []string, err error) {
		for size := 1; len(all) > 0; size = size%7 + 1 {
			arrivals := make([]*arrival, min(size, len(all)))
			for i, m := range all[:len(arrivals)] {
				arrivals[i] = &arrival{Message: m}
				arrivals[i].SHA256, arrivals[i].Size = hash(m.Raw), int64(len(m.Raw))
			}
			all = all[len(arrivals):]
			if err := db.Write(ctx, "lcyh", func(tx *sqldb.Tx) error { return take(ctx, tx, slices.Clone(arrivals)) }); err != nil {
				return nil, err
			}
			for _, a := range arrivals {
				told = append(told, fared(a.receipt, a.refused))
			}
		}
		return told, nil
	}
}

func fared(r Receipt, err error) string {
	if err != nil {
		return "replay_differs"
	}
	return fmt.Sprint(r.Outcome, r.Replayed, r.Entries)
}

// play lets a mix be received and tells all that came of it.
func play(t *testing.T, url string, seed uint64, receive receiver) string {
	t.Helper()
	ctx := context.Background()
	db, err := sqldb.OpenAt(ctx, url, func() time.Time { return batchNow })
	if err != nil {
		t.Fatal(err)
	}
	sqldbtest.Unlock(t, db)
	sqldbtest.Empty(t, url)
	dice := rand.New(rand.NewPCG(seed, 1))
	if err := statedBefore(ctx, db, dice); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	told, err := receive(ctx, db, mix(dice, 8+dice.IntN(20)))
	return fmt.Sprintln(told, err) + sqldbtest.State(t, url)
}

// TestTogetherAsOneByOne: whatever comes at the same time, each is answered, and all is stored, as if one had come after the
// other, with messages that turned out to be new and with others; and the comparison notices what spoiltTakers do.
func TestTogetherAsOneByOne(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		came := map[bool]int{} // by whether all was new
		asTheyAre := together(func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error {
			err := arrive(ctx, tx, all)
			if tx.Hopeful() {
				came[err == nil]++
			}
			return err
		})
		noticed, mixes := map[string]int{}, uint64(25)
		if sqldb.File(url) == "" {
			mixes = 6 // a server takes its time to be emptied and read
		}
		for seed := range mixes {
			want := play(t, url, seed, singly)
			if got := play(t, url, seed, asTheyAre); got != want {
				t.Fatalf("mix %d: together\n%s\none by one\n%s", seed, got, want)
			}
			for name, spoilt := range spoiltTakers {
				if seed < 3 && play(t, url, seed, together(spoilt)) != want {
					noticed[name]++
				}
			}
		}
		for name := range spoiltTakers {
			if noticed[name] == 0 {
				t.Error("not noticed:", name)
			}
		}
		if came[true] == 0 || came[false] == 0 {
			t.Error("batches by whether all was new:", came)
		}
	})
}

var spoiltTakers = map[string]taker{
	"backwards": func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error {
		slices.Reverse(all)
		return arrive(ctx, tx, all)
	},
	"one dropped": func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error { return arrive(ctx, tx, all[1:]) },
	"the second does not see the first": func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error {
		for _, a := range all[1:] {
			a.Entries = slices.DeleteFunc(slices.Clone(a.Entries), func(e Entry) bool { return tells(all[0], e) })
		}
		return arrive(ctx, tx, all)
	},
	"all taken for new": func(ctx context.Context, tx *sqldb.Tx, all []*arrival) error {
		if err := arriveKnowing(ctx, tx, all, false); !errors.Is(err, sqldb.ErrTaken) {
			return err
		}
		return nil
	},
}

func tells(a *arrival, e Entry) bool {
	return slices.ContainsFunc(a.Entries, func(other Entry) bool { return other.Identity() == e.Identity() })
}

// TestALateNoticeSentAgain: a payment of Saturday stands on Monday's statement; its notice comes after that, and comes again
// in other bytes, alone and together with itself. It is one payment.
func TestALateNoticeSentAgain(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := sqldbtest.Open(t, url, func() time.Time { return batchNow })
		e := Entry{Bank: "lcyh", ParentAccount: "1", BookingDate: "2026-06-15", Serial: "S", Direction: Credit, SubAccount: "n", Amount: 100, BookedAt: batchDay.Start().Add(9 * time.Hour), ID: 5, FirstSeen: batchNow}
		err := db.Write(ctx, "test", func(tx *sqldb.Tx) error {
			return errors.Join(entries.Insert(ctx, tx, e), sightings.Insert(ctx, tx, Sighting{e.ID, FromStatement, 7, 0, tx.Now}))
		})
		if err != nil {
			t.Fatal(err)
		}
		e.ID, e.BookingDate = 0, batchDay
		for _, ids := range [][]string{{"a"}, {"b"}, {"c", "d"}} {
			var all []*arrival
			for _, id := range ids {
				all = append(all, &arrival{Message: Message{Bank: "lcyh", ExternalID: id, SHA256: id, Raw: []byte(id), Entries: []Entry{e}}})
			}
			if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return arrive(ctx, tx, all) }); err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				if a.receipt.Outcome != Duplicate || a.receipt.Entries != 0 {
					t.Errorf("%s: %+v", a.ExternalID, a.receipt)
				}
			}
		}
	})
}
