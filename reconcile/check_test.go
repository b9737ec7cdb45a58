package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// smallWorld is bids and a statement in which everything that can happen between a few numbers, bidders and serials happens
// often: names that are one company's in two spellings, persons, numbers leased twice, credits to nobody's number, lines
// that repeat and contradict, reversals with and without a serial.
type smallWorld struct {
	bids    []Claim
	entries []bank.Entry
	rules   Rules
}

var (
	smallStart = time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai)
	smallNames = []string{"东昌建设有限公司", "东昌（建设）有限公司", "东昌 建设有限公司", "景阳市政有限公司", "张三", "()", "", "ＡＢＣ公司", "abc公司"}
	smallFen   = []deposit.Fen{100, 200, 300, 500}
)

func newSmallWorld(r *rand.Rand) (w smallWorld) {
	pick := func(all []string) string { return all[r.IntN(len(all))] }
	numbers := []string{}
	for i := range 1 + r.IntN(8) {
		numbers = append(numbers, fmt.Sprintf("655-%04d", i))
	}
	free := slices.Repeat([]time.Time{smallStart}, len(numbers))
	w.rules = Rules{EqualIsOnTime: r.IntN(2) == 0}
	for i := range r.IntN(25) {
		n := r.IntN(len(numbers))
		from := free[n].Add(time.Duration(r.IntN(2)) * time.Hour)
		to := from.Add(time.Duration(1+r.IntN(5)) * time.Hour)
		if r.IntN(3) == 0 {
			to = sqldb.Forever
		}
		if free[n] = to; r.IntN(120) == 0 {
			free[n] = from // the next one overlaps, if there is one
		}
		if from.Equal(sqldb.Forever) || from.After(sqldb.Forever) {
			continue
		}
		w.bids = append(w.bids, Claim{Number: numbers[n], Lot: fmt.Sprint("L", i%7), Deposit: smallFen[r.IntN(4)], OpensAt: from.Add(time.Duration(1+r.IntN(3)) * time.Hour),
			SinglePayment: r.IntN(3) == 0, BasicAccountRequired: r.IntN(3) == 0, Bidder: pick(smallNames[:6]), BidderAccount: fmt.Sprint("A", r.IntN(3)), From: from, To: to})
	}
	for i := range r.IntN(60) {
		at := smallStart.Add(time.Duration(r.IntN(7*4)) * 15 * time.Minute)
		e := bank.Entry{Bank: "csv", ParentAccount: pick([]string{"655", "655", "656"}), BookingDate: deposit.DayOf(at.Add(time.Duration(r.IntN(2)) * 24 * time.Hour)),
			Serial: fmt.Sprint("S", i-r.IntN(30)/29), SerialSeq: r.IntN(8) / 7, Direction: bank.Credit, SubAccount: pick(slices.Concat(numbers, numbers, numbers, []string{"", "655-9999"})),
			Amount: smallFen[r.IntN(4)], BookedAt: at, PayerName: pick(smallNames), PayerAccount: fmt.Sprint("A", r.IntN(3)), PayerBank: pick([]string{"甲行", "乙行"}),
			Remark: pick([]string{"", "", "保证金"}), Returned: r.IntN(12) == 0}
		switch r.IntN(12) {
		case 0: // a line again, perhaps with something else in it
			if len(w.entries) > 0 {
				old := w.entries[r.IntN(len(w.entries))]
				again := []func(){func() {}, func() { old.Amount = e.Amount }, func() { old.SubAccount = e.SubAccount }, func() { old.Remark = e.Remark }, func() { old.PayerName = e.PayerName }}
				again[r.IntN(len(again))]()
				e = old
			}
		case 1:
			e.Direction = bank.Debit
			if r.IntN(3) > 0 {
				e.Reversal = bank.Reverses
				e.ReversalOf = pick([]string{"", fmt.Sprint("S", r.IntN(1+i))})
			}
		}
		w.entries = append(w.entries, e)
	}
	return w
}

// plainly gives what plainCheck says.
func (w smallWorld) plainly(all bool) (rows []CheckRow, overlap bool) {
	c := newPlainCheck(w.rules)
	for _, b := range w.bids {
		c.Bid(b.Number, b)
	}
	if c.Overlaps() != "" {
		return nil, true
	}
	for i := range w.entries {
		c.Entry(&w.entries[i])
	}
	_ = c.Rows(all, func(r CheckRow) error { rows = append(rows, r); return nil })
	return rows, false
}

// cut gives what FileCheck says, cut as finely as it does for files of so many bytes.
func (w smallWorld) cut(t *testing.T, dir string, all bool, bytes int64) (rows []CheckRow, err error) {
	c := NewFileCheck(w.rules, dir, bytes)
	for i := range w.bids {
		if err := c.Bid(i, w.bids[i].Number, &w.bids[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range w.entries {
		if err := c.Entry(i, &w.entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	err = c.Rows(context.Background(), all, func(r CheckRow) error { rows = append(rows, r); return nil })
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	return rows, err
}

// TestFileCheckIsPlain holds the check that is cut into partitions to the one that is not, over many small worlds. Every
// verdict has to have come up.
func TestFileCheckIsPlain(t *testing.T) {
	seen, overlaps, dir := map[Code]int{}, 0, t.TempDir()
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newSmallWorld(r)
		all, bytes := r.IntN(2) == 0, []int64{0, 64 << 20, 1 << 30}[r.IntN(3)*min(1, r.IntN(8))]
		want, overlap := w.plainly(all)
		got, err := w.cut(t, dir, all, bytes)
		var overlapping *OverlapError
		if errors.As(err, &overlapping) != overlap || err != nil && !overlap {
			t.Fatalf("seed %d: %v, want an overlap: %v", seed, err, overlap)
		}
		if overlap {
			overlaps++
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		for _, row := range got {
			seen[row.Verdict]++
		}
	}
	for _, code := range append(slices.Clone(verdicts), Unpaid, AdviceConflict) {
		if seen[code] == 0 {
			t.Error("no world had a ", code)
		}
	}
	if overlaps == 0 {
		t.Error("no world had an overlap")
	}
	t.Log(seen, "overlaps", overlaps)
}

// TestFileCheckSpills holds the two together where the records do not stay in buffers.
func TestFileCheckSpills(t *testing.T) {
	w := smallWorld{}
	r := rand.New(rand.NewPCG(7, 7))
	const rows = 20000
	for i := range rows {
		number := fmt.Sprintf("655-%06d", i)
		w.bids = append(w.bids, Claim{Number: number, Lot: fmt.Sprint("L", i/8), Deposit: 500, OpensAt: smallStart.Add(8 * time.Hour), Bidder: fmt.Sprintf("第%d建设有限公司", i/3),
			BidderAccount: "A", From: smallStart, To: sqldb.Forever})
	}
	for i := range rows {
		b := w.bids[(i*7919+r.IntN(20)/19)%rows]
		e := bank.Entry{Bank: "csv", ParentAccount: "655", BookingDate: "2026-06-12", Serial: fmt.Sprint("S", i-r.IntN(50)/49), Direction: bank.Credit, SubAccount: b.Number,
			Amount: 500, BookedAt: smallStart.Add(time.Duration(i) * time.Second), PayerName: b.Bidder, PayerAccount: "A"}
		if r.IntN(40) == 0 {
			e.Direction, e.Reversal, e.ReversalOf = bank.Debit, bank.Reverses, fmt.Sprint("S", r.IntN(rows))
		}
		if r.IntN(40) == 0 {
			e.PayerName = fmt.Sprintf("第%d 建设有限公司", r.IntN(rows/2))
		}
		w.entries = append(w.entries, e)
	}
	want, _ := w.plainly(true)
	got, err := w.cut(t, t.TempDir(), true, 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	count := func(code Code) int {
		return len(slices.DeleteFunc(slices.Clone(got), func(r CheckRow) bool { return r.Verdict != code }))
	}
	for _, code := range []Code{Reversed, WrongSubAccount, ThirdPartyPayer, AdviceConflict, Unpaid, Matched} {
		if count(code) == 0 {
			t.Error("no ", code)
		}
	}
	if !slices.IsSortedFunc(got[:rows/2], func(a, b CheckRow) int { return cmp.Compare(len(a.Kind), len(b.Kind)) * -1 }) {
		t.Error("credits do not come first")
	}
}
