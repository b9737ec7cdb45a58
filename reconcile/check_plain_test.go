package reconcile

import (
	"slices"

	"depositd/bank"
	"depositd/platform/deposit"
)

// plainCheck is the check as it is meant, all in memory, with the functions of the service's own judge where that is
// possible: what FileCheck is held to.
type plainCheck struct {
	rules   Rules
	bids    []*Claim
	numbers map[string][]*Claim // the leases of each number
	payers  map[string][]*Claim // the bids of each bidder, by the key of the name
	credits []*heard
	known   map[bank.Identity]*heard
	back    []bank.Entry
	debits  map[bank.Identity]bool
}

// newPlainCheck makes a check without bids and entries.
func newPlainCheck(rules Rules) *plainCheck {
	return &plainCheck{rules: rules, numbers: map[string][]*Claim{}, payers: map[string][]*Claim{}, known: map[bank.Identity]*heard{}, debits: map[bank.Identity]bool{}}
}

// Bid adds a bid that holds a number from bid.From to bid.To.
func (c *plainCheck) Bid(number string, bid Claim) {
	bid.Opened, bid.BidderKey = true, deposit.NameKey(bid.Bidder)
	one := &bid
	one.Number = number
	c.bids = append(c.bids, one)
	c.numbers[number] = append(c.numbers[number], one)
	c.payers[one.BidderKey] = append(c.payers[one.BidderKey], one)
}

// Overlaps names a number that two bids hold at the same time, which no verdict can be right about; "" if there is none.
func (c *plainCheck) Overlaps() string {
	for number, leases := range c.numbers {
		slices.SortFunc(leases, func(a, b *Claim) int { return a.From.Compare(b.From) })
		for i := 1; i < len(leases); i++ {
			if leases[i].From.Before(leases[i-1].To) {
				return number
			}
		}
	}
	return ""
}

// Entry adds a line of the statement. The same line again counts once; the same serial with other content sets the credit
// aside as AdviceConflict.
func (c *plainCheck) Entry(e *bank.Entry) {
	if e.Direction == bank.Debit {
		if e.Reversal == bank.Reverses && !c.debits[e.Identity()] {
			c.debits[e.Identity()] = true
			c.back = append(c.back, *e)
		}
		return
	}
	if old := c.known[e.Identity()]; old != nil {
		if contradictsPlainly(&old.entry, e) {
			old.credit.SetAside = AdviceConflict
		}
		return
	}
	one := heardOf(*e)
	one.credit.PayerKey = deposit.NameKey(e.PayerName)
	c.known[e.Identity()] = one
	c.credits = append(c.credits, one)
}

// contradictsPlainly compares two lines of one file to the letter.
func contradictsPlainly(a, b *bank.Entry) bool {
	return a.Amount != b.Amount || a.SubAccount != b.SubAccount || !a.BookedAt.Equal(b.BookedAt) || a.PayerName != b.PayerName ||
		a.PayerAccount != b.PayerAccount || a.PayerBank != b.PayerBank || a.Remark != b.Remark || a.ReversalOf != b.ReversalOf
}

// Rows judges, and gives a row for each credit that is not plainly matched – or for each credit, if all – in the order
// of the statement, and then for each bid that is not paid, in the order of the bids.
func (c *plainCheck) Rows(all bool, row func(CheckRow) error) error {
	order := slices.Clone(c.credits)
	slices.SortStableFunc(order, func(a, b *heard) int { return bookingOrder(&a.credit, &b.credit) })
	reverse(order, c.back)
	for _, one := range order {
		c.claim(one)
	}
	byLease := sumUp(order, c.rules)
	for _, one := range c.credits {
		one.verdict = Decide(&one.credit, one.claims, one.sums, c.rules)
		if all || !one.verdict.Plain() {
			if err := row(one.row()); err != nil {
				return err
			}
		}
	}
	for _, bid := range c.bids {
		if bid.Paid {
			continue
		}
		verdict := Unpaid
		if len(byLease[bid]) > 0 {
			verdict = Underpaid
		}
		if err := row(CheckRow{Kind: "bid", SubAccount: bid.Number, Lot: bid.Lot, Bidder: bid.Bidder, Amount: bid.Deposit, Verdict: verdict, Reasons: string(verdict)}); err != nil {
			return err
		}
	}
	return nil
}

// claim finds whose number a credit is on, and the bids of its payer.
func (c *plainCheck) claim(one *heard) {
	leases := c.numbers[one.entry.SubAccount]
	one.claims.Known = len(leases) > 0
	for _, lease := range leases {
		if lease.inForce(one.credit.BookedAt) {
			one.claims.Holder = lease
		}
	}
	if one.credit.PayerKey != "" && (one.claims.Holder == nil || !isPayer(&one.credit, one.claims.Holder)) {
		one.claims.OfPayer = c.payers[one.credit.PayerKey]
	}
}

func (c *heard) row() CheckRow {
	v := &c.verdict
	r := CheckRow{Kind: "credit", Serial: c.entry.Serial, SubAccount: c.entry.SubAccount, Amount: c.entry.Amount, Verdict: v.Code, Reasons: joinCodes(v.Reasons)}
	if v.Holder != nil {
		r.Lot, r.Bidder = v.Holder.Lot, v.Holder.Bidder
	}
	if v.Suggested != nil {
		r.SuggestedLot, r.SuggestedBidder = v.Suggested.Lot, v.Suggested.Bidder
	}
	return r
}
