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
type FileCheck struct {
	rules   Rules
	dir     string
	workers int
	parts   int
	seed    maphash.Seed // which partition a number falls into matters to no result

	bids       *spool // by number
	bidRows    uint64
	bidPen     pen
	credits    *spool // by number
	creditRows uint64
	creditPen  pen
	repeats    *repeats
	open       []func() error // what has to be closed
}

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
	c.bids, c.credits = newSpool(dir, c.parts), newSpool(dir, c.parts)
	c.repeats = newRepeats(c.seed, uint64(max(bytes, 0))/2/bidBytes)
	c.open = []func() error{c.bids.close, c.credits.close}
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
	return int(maphash.String(c.seed, number) & uint64(c.parts-1))
}

// Bid adds a bid that holds a number from bid.From to bid.To. Bids and entries may come from two goroutines, one for each.
func (c *FileCheck) Bid(number string, bid *Claim) error {
	row := c.bidRows
	c.bidRows++
	key := deposit.NameKey(bid.Bidder)
	c.bidPen = c.bidPen[:0]
	writeBid(&c.bidPen, maphash.String(c.seed, key), row, number, key, bid)
	return c.bids.put(c.part(number, row), c.bidPen)
}

// Entry adds a line of the statement. The same line again counts once; the same serial with other content sets the credit
// aside as AdviceConflict.
func (c *FileCheck) Entry(e *bank.Entry) error {
	if e.Direction == bank.Debit {
		c.repeats.takeBack(e)
		return nil
	}
	row := c.creditRows
	c.creditRows++
	c.creditPen = c.creditPen[:0]
	c.repeats.write(&c.creditPen, row, e)
	return c.credits.put(c.part(e.SubAccount, row), c.creditPen)
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
