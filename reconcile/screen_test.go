package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// newPlainerWorld is a small world in which most bids of some more numbers are paid as they should be, or nearly so.
func newPlainerWorld(r *rand.Rand) smallWorld {
	w := newSmallWorld(r)
	for i := range r.IntN(60) {
		from := smallStart.Add(time.Duration(r.IntN(3)) * time.Hour)
		b := Claim{Number: fmt.Sprintf("655-1%03d", i), Lot: fmt.Sprint("L", i%7), Deposit: smallFen[r.IntN(4)], OpensAt: from.Add(2 * time.Hour), SinglePayment: r.IntN(3) == 0,
			BasicAccountRequired: r.IntN(3) == 0, Bidder: smallNames[r.IntN(4)], BidderAccount: fmt.Sprint("A", r.IntN(3)), From: from, To: sqldb.Forever}
		next := b
		if b.To = from.Add(3 * time.Hour); r.IntN(2) == 0 {
			next.From, next.OpensAt, next.Bidder = b.To, b.OpensAt.Add(3*time.Hour), smallNames[r.IntN(4)]
			w.bids = append(w.bids, next)
			w.pay(r, &next)
		}
		w.bids = append(w.bids, b)
		w.pay(r, &b)
	}
	r.Shuffle(len(w.entries), func(i, j int) { w.entries[i], w.entries[j] = w.entries[j], w.entries[i] })
	return w
}

// pay pays a bid: mostly as it should be, else with one thing that is not.
func (w *smallWorld) pay(r *rand.Rand, b *Claim) {
	e := bank.Entry{Bank: "csv", ParentAccount: "655", BookingDate: "2026-06-12", Serial: fmt.Sprint("P", len(w.entries)), Direction: bank.Credit, SubAccount: b.Number, Amount: b.Deposit,
		BookedAt: b.From.Add(time.Duration(r.IntN(120)) * time.Minute), PayerName: b.Bidder, PayerAccount: b.BidderAccount, PayerBank: "甲行"}
	odd := []func(){func() { e.Amount++ }, func() { e.PayerName = smallNames[r.IntN(len(smallNames))] }, func() { e.PayerAccount = "A9" }, func() { e.BookedAt = b.OpensAt },
		func() { e.BookedAt = b.OpensAt.Add(-time.Second) }, func() { e.BookedAt = b.From }, func() { e.BookedAt = b.From.Add(-time.Second) }, func() { e.BookedAt = b.To },
		func() { e.BookedAt = b.OpensAt.Add(time.Second) }, func() { w.entries = append(w.entries, e) }, func() { e.Serial = fmt.Sprint("P", r.IntN(1+len(w.entries))) }, func() { e.SubAccount = "655-9998" },
		func() {
			back := e
			back.Serial, back.Direction, back.Reversal, back.ReversalOf = "B"+e.Serial, bank.Debit, bank.Reverses, e.Serial
			w.entries = append(w.entries, back)
		}}
	if r.IntN(4) == 0 {
		odd[r.IntN(len(odd))]()
	}
	w.entries = append(w.entries, e)
}

// lie makes a bare row say something else than the row as text.
type lie struct {
	bid    func(*BareBid)
	credit func(*bank.BareCredit)
}

func isHan(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// screened gives what FileCheck says when of the rows that may come bare most do, and how many of those it did not read again.
func (w smallWorld) screened(t *testing.T, r *rand.Rand, dir string, bytes int64, l lie) (rows []CheckRow, plain int, err error) {
	c := NewFileCheck(w.rules, dir, bytes)
	in := func(set []uint64, row, from, to int) bool {
		return row >= from && row < to && bitmap(set).has(uint64(row))
	}
	var bareBids, bareCredits, again int
	c.Screen(Reread{
		Bids: func(set []uint64, from, to int, bid func(int, string, *Claim) error) error {
			for i := range w.bids {
				if b := w.bids[i]; in(set, i, from, to) {
					if err := bid(i, b.Number, &b); err != nil {
						return err
					}
				}
			}
			return nil
		},
		Credits: func(set []uint64, from, to int, credit func(int, *bank.Entry) error) error {
			for i := range w.entries {
				if e := w.entries[i]; in(set, i, from, to) {
					if err := credit(i, &e); err != nil {
						return err
					}
				}
			}
			return nil
		}})
	for i := range w.bids {
		b := &w.bids[i]
		if !isHan(b.Bidder) || r.IntN(20) == 0 {
			err = errors.Join(err, c.Bid(i, b.Number, b))
			continue
		}
		bare := BareBid{Row: i, Number: []byte(b.Number), Bidder: []byte(b.Bidder), IsKey: deposit.NameKey(b.Bidder) == b.Bidder, Account: []byte(b.BidderAccount), Deposit: b.Deposit,
			OpensAt: b.OpensAt.Unix(), From: b.From.Unix(), To: b.To.Unix(), Basic: b.BasicAccountRequired}
		if l.bid != nil {
			l.bid(&bare)
		}
		bareBids++
		err = errors.Join(err, c.BareBid(&bare))
	}
	for i := range w.entries {
		e := &w.entries[i]
		if e.Direction == bank.Debit || e.Returned || e.SubAccount == "" || e.SerialSeq != 0 || !isHan(e.PayerName) || r.IntN(20) == 0 {
			err = errors.Join(err, c.Entry(i, e))
			continue
		}
		bare := bank.BareCredit{Line: i, Serial: []byte(e.Serial), ParentAccount: []byte(e.ParentAccount), SubAccount: []byte(e.SubAccount), Amount: e.Amount, BookedAt: e.BookedAt.Unix(),
			PayerName: []byte(e.PayerName), PayerAccount: []byte(e.PayerAccount)}
		if l.credit != nil {
			l.credit(&bare)
		}
		bareCredits++
		err = errors.Join(err, c.BareCredit(&bare))
	}
	if err != nil {
		t.Fatal(err)
	}
	err = c.Rows(context.Background(), false, func(r CheckRow) error { rows = append(rows, r); return nil })
	for _, set := range [][]uint64{c.screen.bidPicks, c.screen.creditPicks} {
		for row := range uint64(len(set) * 64) {
			if bitmap(set).has(row) {
				again++
			}
		}
	}
	return rows, bareBids + bareCredits - again, errors.Join(err, c.Close())
}

// TestScreenIsPlain holds the screened check to the one that reads every row and asks Decide about each, over many worlds of
// random rows: the same rows always. The screen has to have spared many rows of the reading.
func TestScreenIsPlain(t *testing.T) {
	plain, dir := 0, t.TempDir()
	for seed := range uint64(400) {
		n, err := screenedAsPlainly(t, seed, dir, lie{})
		if err != "" {
			t.Fatalf("seed %d: %s", seed, err)
		}
		plain += n
	}
	if plain < 15_000 {
		t.Error("only", plain, "rows were not read again")
	}
}

// screenedAsPlainly says in what the two checks differ over a world.
func screenedAsPlainly(t *testing.T, seed uint64, dir string, l lie) (plain int, differ string) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	w := newPlainerWorld(r)
	want, overlap := w.plainly(false)
	got, plain, err := w.screened(t, r, dir, []int64{0, 64 << 20}[r.IntN(8)/7], l)
	var overlapping *OverlapError
	if errors.As(err, &overlapping) != overlap || err != nil && !overlap {
		return plain, fmt.Sprintf("%v, want an overlap: %v", err, overlap)
	}
	return plain, gocmp.Diff(want, got)
}

// TestScreenLooks shows that the comparison catches a screen that does not look at one of the things it has to look at: each
// lie hides one of them.
func TestScreenLooks(t *testing.T) {
	dir := t.TempDir()
	for name, l := range map[string]lie{
		"payer":   {func(b *BareBid) { b.Bidder = []byte("甲") }, func(e *bank.BareCredit) { e.PayerName = []byte("甲") }},
		"amount":  {func(b *BareBid) { b.Deposit = 1 }, func(e *bank.BareCredit) { e.Amount = 1 }},
		"account": {func(b *BareBid) { b.Account = nil }, func(e *bank.BareCredit) { e.PayerAccount = nil }},
		"basic":   {bid: func(b *BareBid) { b.Basic = false }},
		"opening": {bid: func(b *BareBid) { b.OpensAt += 1e6 }},
		"equal":   {bid: func(b *BareBid) { b.OpensAt++ }},
		"from":    {bid: func(b *BareBid) { b.From-- }},
		"serial":  {credit: func(e *bank.BareCredit) { e.Serial = fmt.Append(nil, e.Line) }},
	} {
		caught := false
		for seed := uint64(0); seed < 300 && !caught; seed++ {
			_, err := screenedAsPlainly(t, seed, dir, l)
			caught = err != ""
		}
		if !caught {
			t.Error("nobody sees that the screen is told lies about", name)
		}
	}
}

// Two leases of a number that overlap are seen though each is paid as it should be; leases that follow each other are plain.
func TestScreenSeesOverlaps(t *testing.T) {
	for _, late := range []time.Duration{2*time.Hour - time.Second, 2 * time.Hour} {
		a := Claim{Number: "655-1", Lot: "L1", Deposit: 500, OpensAt: smallStart.Add(time.Hour), Bidder: "东昌建设有限公司", From: smallStart, To: smallStart.Add(2 * time.Hour)}
		b := a
		b.From, b.To, b.OpensAt = smallStart.Add(late), sqldb.Forever, smallStart.Add(4*time.Hour)
		w := smallWorld{bids: []Claim{b, a}}
		for i, at := range []time.Time{a.From, a.To} {
			w.entries = append(w.entries, bank.Entry{Bank: "csv", ParentAccount: "655", BookingDate: "2026-06-12", Serial: fmt.Sprint("S", i), Direction: bank.Credit, SubAccount: "655-1",
				Amount: 500, BookedAt: at, PayerName: a.Bidder})
		}
		rows, plain, err := w.screened(t, rand.New(rand.NewPCG(1, 1)), t.TempDir(), 0, lie{})
		overlap := b.From.Before(a.To)
		if errors.As(err, new(*OverlapError)) != overlap || len(rows) > 0 || (plain == 4) == overlap {
			t.Errorf("%v: %v, %v, %d rows plain", late, rows, err, plain)
		}
	}
}
