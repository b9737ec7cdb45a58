package reconcile

import (
	"cmp"
	"context"
	"slices"

	"depositd/platform/deposit"
)

// outcome keeps the rows of the result until all are there, and gives them in the order of the file they speak of: each
// spool is cut by ranges of the file's rows, and a range is put in order when it is given.
type outcome struct {
	kind   string
	spools spools
	pens   []pen
	shift  uint
}

// rangeBits says how many rows of a file, at least, are put in order at once: 32,768.
const rangeBits = 15

func newOutcome(c *FileCheck, kind string, rows uint64) *outcome {
	o := &outcome{kind: kind, pens: make([]pen, c.workers), shift: rangeBits}
	for rows>>o.shift >= mostParts {
		o.shift++
	}
	o.spools = c.spools(int(rows>>o.shift) + 1)
	return o
}

// credit writes a credit's row.
func (o *outcome) credit(worker int, f *fileCredit, v *Verdict) error {
	r := CheckRow{Serial: f.Serial, SubAccount: f.SubAccount, Amount: f.Amount, Verdict: v.Code, Reasons: joinCodes(v.Reasons)}
	if v.Holder != nil {
		r.Lot, r.Bidder = v.Holder.Lot, v.Holder.Bidder
	}
	if v.Suggested != nil {
		r.SuggestedLot, r.SuggestedBidder = v.Suggested.Lot, v.Suggested.Bidder
	}
	return o.write(worker, f.row, &r)
}

// bid writes a bid's row.
func (o *outcome) bid(worker int, b *fileBid, verdict Code) error {
	r := CheckRow{SubAccount: b.Number, Lot: b.Lot, Bidder: b.Bidder, Amount: b.Deposit, Verdict: verdict, Reasons: string(verdict)}
	return o.write(worker, b.row, &r)
}

func (o *outcome) write(worker int, row uint64, r *CheckRow) error {
	p := &o.pens[worker]
	*p = (*p)[:0]
	p.number(row)
	p.signed(int64(r.Amount))
	for _, s := range [...]string{r.Serial, r.SubAccount, r.Lot, r.Bidder, string(r.Verdict), r.Reasons, r.SuggestedLot, r.SuggestedBidder} {
		p.text(s)
	}
	return o.spools[worker].put(int(row>>o.shift), *p)
}

// give gives the rows in order.
func (o *outcome) give(ctx context.Context, row func(CheckRow) error) error {
	type numbered struct {
		CheckRow
		row uint64
	}
	var room []byte
	var rows []numbered
	for part := range o.spools[0].parts {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		l, err := o.spools.load(part, &room)
		if err != nil {
			return err
		}
		rows = emptied(rows)
		for l.next() {
			n := numbered{row: l.number()}
			n.Kind, n.Amount = o.kind, fen(&l)
			n.Serial, n.SubAccount, n.Lot, n.Bidder = l.string(), l.string(), l.string(), l.string()
			n.Verdict, n.Reasons, n.SuggestedLot, n.SuggestedBidder = Code(l.string()), l.string(), l.string(), l.string()
			rows = append(rows, n)
		}
		slices.SortFunc(rows, func(a, b numbered) int { return cmp.Compare(a.row, b.row) })
		for i := range rows {
			if err := row(rows[i].CheckRow); err != nil {
				return err
			}
		}
	}
	return nil
}

func fen(l *leaf) deposit.Fen { return deposit.Fen(l.signed()) }
