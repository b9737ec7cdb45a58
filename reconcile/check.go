package reconcile

import (
	"context"
	"errors"
	"hash/maphash"
	"math/bits"
	"runtime"
	"sync"

	"depositd/bank"
	"depositd/platform/deposit"
)

// FileCheck judges one statement against a list of bids: two files in, mismatches out, no database and no clock. Every lot is
// taken as opened. The rules are those of the service.
//
// The files may be larger than memory. Bids and credits are cut into partitions by sub-account, since only what is on one
// number counts together, and kept in spools; the partitions are judged one after the other, as many at a time as there
// are processors. What a partition cannot know by itself is found out before (repeated lines and reversals, see repeats)
// or put off until after (the other bids of whoever paid on a number that is not his, see asks). All credits of one
// number, and all reversals of the file, are in memory at once.
//
// Where rows come bare (see Screen), those that are plain are put aside before: what follows sees the others only.
type FileCheck struct {
	rules   Rules
	dir     string
	workers int
	parts   int
	seed    maphash.Seed // which partition a number falls into matters to no result

	bids       spools // by number, one for each worker
	bidRows    uint64 // above all rows
	credits    spools // by number
	creditRows uint64
	pens       []twoPens // of the workers
	repeats    *repeats
	screen     *screen // nil where every row comes as text
	reread     Reread
	open       []func() error // what has to be closed
}

// twoPens are those for bids and for credits, which two goroutines write at first.
type twoPens struct{ bid, credit pen }

// The sizes of a cut. A partition is some 1 MiB of either file, and some 5 MiB while it is judged.
const (
	mostParts   = 512
	partBytes   = 1 << 20
	bidBytes    = 150 // of a row of the two files, about
	coarseParts = 64  // for what few rows need
	mostWorkers = 8   // each holds a partition of its own
)

// NewFileCheck makes a check without bids and entries. It keeps what does not fit into memory in files without names in
// dir. The two files have about so many bytes together; that decides how finely the work is cut, and no result depends
// on it. Close frees what the check holds.
func NewFileCheck(rules Rules, dir string, bytes int64) *FileCheck {
	c := &FileCheck{rules: rules, dir: dir, workers: min(runtime.GOMAXPROCS(0), mostWorkers), seed: maphash.MakeSeed(), parts: 1}
	for c.parts < mostParts && int64(c.parts)*partBytes*2 < bytes {
		c.parts *= 2
	}
	c.bids, c.credits, c.pens = c.spools(c.parts), c.spools(c.parts), make([]twoPens, c.workers)
	c.repeats = newRepeats(c.seed, uint64(max(bytes, 0))/2/bidBytes)
	return c
}

// Close frees the check's files.
func (c *FileCheck) Close() (err error) {
	for _, shut := range c.open {
		err = errors.Join(err, shut())
	}
	c.open = nil
	return err
}

func (c *FileCheck) spools(parts int) spools {
	s := newSpools(c.dir, c.workers, parts)
	c.open = append(c.open, s.close)
	return s
}

// part is the partition of a number. The credits on no number have nothing to do with each other, and may be many.
func (c *FileCheck) part(number string, row uint64) int {
	if number == "" {
		return int(row % uint64(c.parts))
	}
	return c.hashPart(maphash.String(c.seed, number))
}

// maxRow is the last row that a check can tell from others.
const maxRow = cardRow

// bidRow notes that there is a row of bids.
func (c *FileCheck) bidRow(row int) error { return noteRow(&c.bidRows, row) }

func (c *FileCheck) creditRow(row int) error { return noteRow(&c.creditRows, row) }

func noteRow(rows *uint64, row int) error {
	if row < 0 || row > maxRow {
		return deposit.Refuse(deposit.Invalid, "file_too_long", "文件超过 ", maxRow, " 行")
	}
	*rows = max(*rows, uint64(row)+1)
	return nil
}

// Bid adds a bid that holds a number from bid.From to bid.To, of a row of its file. Bids and entries may come from two
// goroutines, one for each, and in any order; the results come in that of the rows, from 0.
func (c *FileCheck) Bid(row int, number string, bid *Claim) error {
	if err := c.bidRow(row); err != nil {
		return err
	}
	if c.screen != nil {
		if err := c.screen.given(c.screen.bids, bidCard, number); err != nil {
			return err
		}
	}
	return c.putBid(0, row, number, bid)
}

func (c *FileCheck) putBid(worker, row int, number string, bid *Claim) error {
	p := &c.pens[worker].bid
	*p = (*p)[:0]
	key := deposit.NameKey(bid.Bidder)
	writeBid(p, maphash.String(c.seed, key), uint64(row), number, key, bid)
	return c.bids[worker].put(c.part(number, uint64(row)), *p)
}

// Entry adds a line of the statement. The same line again counts once, and is the one of the lower row; the same serial
// with other content sets the credit aside as AdviceConflict.
func (c *FileCheck) Entry(row int, e *bank.Entry) error {
	if e.Direction == bank.Debit {
		c.repeats.takeBack(e)
		return nil
	}
	if err := c.creditRow(row); err != nil {
		return err
	}
	c.repeats.leave(c.repeats.hash(e.ParentAccount), c.repeats.hash(e.Serial))
	if c.screen != nil && e.SubAccount != "" {
		if err := c.screen.given(c.screen.credits, creditCard, e.SubAccount); err != nil {
			return err
		}
	}
	return c.putCredit(0, row, e)
}

func (c *FileCheck) putCredit(worker, row int, e *bank.Entry) error {
	p := &c.pens[worker].credit
	*p = (*p)[:0]
	c.repeats.write(p, uint64(row), e)
	return c.credits[worker].put(c.part(e.SubAccount, uint64(row)), *p)
}

// CheckRow is a line of the outcome.
type CheckRow struct {
	Kind                          string // credit or bid
	Serial, SubAccount            string
	Lot, Bidder                   string      // whose number it is
	Amount                        deposit.Fen // of a bid, the deposit
	Verdict                       Code
	Reasons                       string // joined by ;
	SuggestedLot, SuggestedBidder string
}

// OverlapError says that two bids hold a number at the same time, which no verdict can be right about.
type OverlapError struct{ Number string }

func (o *OverlapError) Error() string {
	return "子账号 " + o.Number + " 在同一时间分给了两个投标，无法判定；请更正 lease_from、lease_to"
}

// Rows judges, and gives a row for each credit that is not plainly matched – or for each credit, if all – in the order
// of the statement, and then for each bid that is not paid, in the order of the bids. Where leases overlap it gives an
// OverlapError and no row. It may be called once.
func (c *FileCheck) Rows(ctx context.Context, all bool, row func(CheckRow) error) error {
	c.repeats.addLeft()
	c.repeats.seen = nil
	if c.screen != nil {
		if all {
			return errors.New("screened rows are not all there")
		}
		if err := c.screen.pick(ctx); err != nil {
			return err
		}
	}
	if err := c.settleRepeats(ctx); err != nil {
		return err
	}
	s := newSitting(c, all)
	err := c.each(ctx, c.parts, s.judge)
	if err == nil {
		err = s.overlap()
	}
	if err == nil {
		err = s.answer(ctx)
	}
	if err != nil {
		return err
	}
	for _, out := range []*outcome{s.credits, s.bids} {
		if err := out.give(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// each does work for every partition, with as many workers as there are; the first error ends it.
func (c *FileCheck) each(ctx context.Context, parts int, work func(worker, part int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	todo := make(chan int, parts)
	for p := range parts {
		todo <- p
	}
	close(todo)
	var group sync.WaitGroup
	for w := range c.workers {
		group.Go(func() {
			for p := range todo {
				if ctx.Err() != nil {
					return
				}
				if err := work(w, p); err != nil {
					stop(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// bitmap is a set of small numbers.
type bitmap []uint64

func newBitmap(n uint64) bitmap { return make(bitmap, n/64+1) }

func (b bitmap) has(n uint64) bool { return b[n/64]&(1<<(n%64)) != 0 }
func (b bitmap) add(n uint64)      { b[n/64] |= 1 << (n % 64) }

// powerOfTwo is the smallest that is not below n.
func powerOfTwo(n uint64) uint64 { return 1 << bits.Len64(max(n, 1)-1) }
