package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// mark notes which of the credits the bank took back, and which are set aside until a person has asked the bank.
func (h *hearing) mark(ctx context.Context, r sqldb.Reader, _ Rules) error {
	var ids []sqldb.ID
	var serials, numbers []string
	for id, c := range h.credits {
		ids, serials, numbers = append(ids, id), append(serials, c.entry.Serial), append(numbers, c.entry.SubAccount)
	}
	back, err := bank.ReversalsOf(ctx, r, serials, numbers)
	if err != nil {
		return err
	}
	reverse(h.inOrder(), back)
	conflicts, err := bank.ConflictsOf(ctx, r, ids)
	if err != nil {
		return err
	}
	stated := map[sqldb.ID]bank.Conflict{}
	for _, c := range conflicts {
		one := h.credits[c.EntryID]
		if c.Source == bank.FromStatement {
			stated[c.EntryID] = c
		}
		if c.StatedReturned() {
			one.credit.Returned = true
			continue
		}
		one.credit.SetAside = AdviceConflict
		one.detail += "另一来源的" + fieldNames.Replace(c.Fields) + "不同（其金额 " + c.Amount.Grouped() + "）；"
	}
	known, err := findingsOn(ctx, r, ids, KindConflict, KindOrphan)
	for _, f := range known {
		one := h.credits[f.Subject]
		c := &one.credit
		switch {
		case f.Kind == KindConflict && f.State == Settled && f.Detail == one.detail:
			c.SetAside = "" // a person has asked the bank, and nothing has come up since
			if said, ok := stated[f.Subject]; ok {
				c.Amount = said.Amount // the statement is the truth
			}
		case f.Code == AdviceOrphan && f.State != Cleared:
			c.SetAside = f.Code // settled or not: money counts that stands on a statement
		}
	}
	return err
}

// fieldNames are the fields in which sightings can contradict each other, for people.
var fieldNames = strings.NewReplacer("sub_account", "子账号", "booked_at", "入账时间", "payer_name", "付款户名", "payer_account", "付款账号",
	"reversal_of", "被冲正流水号", "returned", "是否退汇", "amount", "金额", ", ", "、")

// reversible is how a reversal finds the credit it takes back: by the serial it names, or else by what both have in common.
type reversible struct {
	bank, parent, serial string
	number, payer        string
	amount               deposit.Fen
}

func named(e *bank.Entry, serial string) reversible {
	return reversible{bank: e.Bank, parent: e.ParentAccount, serial: serial}
}

func alike(e *bank.Entry) reversible {
	return reversible{bank: e.Bank, parent: e.ParentAccount, number: e.SubAccount, payer: e.PayerAccount, amount: e.Amount}
}

// reverse links each reversal to the credit it takes back: the one it names, or, where the bank names none, the last one
// before it on the same number with the same amount and payer account that no other reversal has taken. The credits come
// in booking order.
func reverse(order []*heard, back []bank.Entry) {
	if len(back) == 0 {
		return
	}
	credits := map[reversible][]*heard{}
	for _, c := range order {
		for _, key := range []reversible{named(&c.entry, c.entry.Serial), alike(&c.entry)} {
			credits[key] = append(credits[key], c)
		}
	}
	slices.SortFunc(back, func(a, b bank.Entry) int {
		return cmp.Or(a.BookedAt.Compare(b.BookedAt), cmp.Compare(a.Serial, b.Serial))
	})
	for i := range back {
		b := &back[i]
		key := alike(b)
		if b.ReversalOf != "" {
			key = named(b, b.ReversalOf)
		}
		for _, c := range slices.Backward(credits[key]) {
			if b.Direction == bank.Debit && !c.credit.Reversed && (b.ReversalOf != "" || !c.entry.BookedAt.After(b.BookedAt)) {
				c.credit.Reversed = true
				break
			}
		}
	}
}

// inOrder is the credits in booking order, by which they count.
func (h *hearing) inOrder() []*heard {
	order := make([]*heard, 0, len(h.credits))
	for _, c := range h.credits {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b *heard) int { return bookingOrder(&a.credit, &b.credit) })
	return order
}

func bookingOrder(a, b *Credit) int {
	return cmp.Or(a.BookedAt.Compare(b.BookedAt), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.SerialSeq, b.SerialSeq))
}

// decide judges the credits: first those that count are summed by lease, then each gets its verdict.
func (h *hearing) decide(ctx context.Context, r sqldb.Reader, rules Rules) error {
	if err := h.paid(ctx, r, sumUp(h.inOrder(), rules)); err != nil {
		return err
	}
	for _, c := range h.credits {
		c.verdict = Decide(&c.credit, c.claims, c.sums, rules)
	}
	return nil
}

// sumUp sums, by lease, the credits that count, which come in booking order, and notes on each lease whether it is paid.
func sumUp(order []*heard, rules Rules) map[*Claim][]*heard {
	byLease := map[*Claim][]*heard{}
	for _, c := range order {
		if c.claims.Holder != nil && Counts(&c.credit, c.claims, rules) {
			byLease[c.claims.Holder] = append(byLease[c.claims.Holder], c)
		}
	}
	for holder, credits := range byLease {
		amounts := make([]deposit.Fen, len(credits))
		for i, c := range credits {
			amounts[i] = c.credit.Amount
		}
		for i, s := range Sum(amounts, holder.Deposit) {
			credits[i].sums = s
		}
		holder.Paid = reaches(holder, credits[len(credits)-1].sums)
	}
	return byLease
}

// Sum gives each of the counting credits of a lease, in booking order, what stands beside it.
func Sum(amounts []deposit.Fen, whole deposit.Fen) []Sums {
	sums := make([]Sums, len(amounts))
	var total deposit.Fen
	reached := false
	for i, a := range amounts {
		sums[i].Before, sums[i].WholeUp = total, reached
		total += a
		reached = reached || a >= whole
	}
	for i := range sums {
		sums[i].Total, sums[i].Whole = total, reached
	}
	return sums
}

// reaches says whether what counts on a lease is the deposit.
func reaches(c *Claim, s Sums) bool {
	if c.SinglePayment {
		return s.Whole
	}
	return s.Total >= c.Deposit
}

// paid finds out which bids of payers whose money went astray have their deposit already, from the verdicts that stand.
// The leases of this hearing are summed afresh.
func (h *hearing) paid(ctx context.Context, r sqldb.Reader, fresh map[*Claim][]*heard) error {
	open := map[sqldb.ID][]*Claim{}
	for _, c := range h.credits {
		if c.claims.Holder != nil && isPayer(&c.credit, c.claims.Holder) {
			continue
		}
		for _, claim := range c.claims.OfPayer {
			if _, known := fresh[claim]; !known {
				open[claim.BidID] = append(open[claim.BidID], claim)
			}
		}
	}
	ids := make([]sqldb.ID, 0, len(open))
	for id := range open {
		ids = append(ids, id)
	}
	sums, err := countedOf(ctx, r, ids)
	for id, sum := range sums {
		for _, claim := range open[id] {
			claim.Paid = sum.Counted >= claim.Deposit
		}
	}
	return err
}
