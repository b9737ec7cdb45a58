package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
)

// creditsAtOnce is how many waiting entries are judged in one transaction, and touchesAtOnce how many changed leases.
const (
	creditsAtOnce = 1000
	touchesAtOnce = 500
)

// JudgeAll judges until nothing waits any more, and tells how many credits got a verdict. Several may run at once, in
// one process or many: who was slower looks again.
func (d *Desk) JudgeAll(ctx context.Context) (judged int, err error) {
	for clashes := 0; ; {
		n, more, err := d.judgeSome(ctx)
		switch {
		case errors.Is(err, errOvertaken): // so there is less that waits
		case (errors.Is(err, sqldb.ErrTaken) || errors.Is(err, sqldb.ErrStale)) && clashes < mostClashes:
			clashes++
		case err != nil:
			return judged, fmt.Errorf("judge: %w", err)
		case !more:
			return judged, nil
		default:
			judged += n
		}
	}
}

// judgeSome judges what waits, at most one batch; more says that there was something. A changed lease finds the credits that have
// been judged before; those that wait are judged with the change, now or later.
func (d *Desk) judgeSome(ctx context.Context) (judged int, more bool, err error) {
	touches, err := platform.Touched(ctx, d.db, touchesAtOnce)
	if err != nil {
		return 0, false, err
	}
	pending, err := bank.Unjudged(ctx, d.db, creditsAtOnce)
	if err != nil || len(pending)+len(touches) == 0 {
		return 0, false, err
	}
	h, err := d.hear(ctx, touches, pending)
	if err != nil {
		return 0, false, err
	}
	err = d.db.Write(ctx, "judge", func(tx *sqldb.Tx) error { return h.store(ctx, tx) })
	return len(h.credits), true, err
}

// hear decides on the credits that wait and on those that changed leases may have to do with.
func (d *Desk) hear(ctx context.Context, touches []platform.Touch, pending []bank.Pending) (*hearing, error) {
	waiting, err := entriesOf(ctx, d.db, pending)
	if err == nil && len(waiting) > 0 && d.beside.Before != nil {
		err = d.beside.Before(ctx, waiting)
	}
	if err != nil {
		return nil, err
	}
	h := &hearing{now: d.db.Now(), banks: d.banks, pending: pending, waiting: waiting, touches: touches, credits: map[sqldb.ID]*heard{}, claims: map[claimKey]*Claim{}, bids: map[sqldb.ID]platform.Claim{}}
	if h.turn, err = turnOf(ctx, d.db); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, sqldb.Reader, Rules) error{h.gather, h.recall, h.attach, h.mark, h.decide} {
		if err := step(ctx, d.db, d.rules); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// heard is one credit before the judge.
type heard struct {
	entry   bank.Entry
	credit  Credit
	claims  Claims
	astray  bool // its payer's bids may have to do with it, not the holder's alone
	sums    Sums
	verdict Verdict
	detail  string // what contradicts it
}

// hearing is a batch of credits and all that has to be known to judge them: the credits of each number wholly, since
// they count together.
type hearing struct {
	turn    turn
	now     time.Time
	banks   *bank.Set
	pending []bank.Pending
	waiting []bank.Entry // those of pending
	touches []platform.Touch
	credits map[sqldb.ID]*heard
	claims  map[claimKey]*Claim
	bids    map[sqldb.ID]platform.Claim // what the platform says of each bid and its lot
}

// claimKey tells claims apart; a bid without a number has no lease.
type claimKey struct{ lease, bid sqldb.ID }

// entriesOf reads the entries that wait, once for all who look at them.
func entriesOf(ctx context.Context, r sqldb.Reader, pending []bank.Pending) ([]bank.Entry, error) {
	ids := make([]sqldb.ID, len(pending))
	for i, p := range pending {
		ids[i] = p.EntryID
	}
	return bank.EntriesByID(ctx, r, ids)
}

// gather finds which credits have to be judged, and reads them: those that wait, those on the numbers that they and the
// platform's changes touch, and those that a reversal takes back.
func (h *hearing) gather(ctx context.Context, r sqldb.Reader, _ Rules) error {
	taken, err := takenBack(ctx, r, h.waiting)
	if err != nil {
		return err
	}
	paid, err := paidAstray(ctx, r, payersTouched(h.touches))
	if err != nil {
		return err
	}
	numbers := map[bank.Number]bool{}
	for _, t := range h.touches {
		numbers[bank.Number{Bank: t.Bank, SubAccount: t.SubAccount}] = true
	}
	for _, some := range [][]bank.Entry{h.waiting, taken, paid} {
		for _, e := range some {
			numbers[bank.Number{Bank: e.Bank, SubAccount: e.SubAccount}] = true
			h.hear(e)
		}
	}
	var all []bank.Number
	for n := range numbers {
		if n.SubAccount != "" {
			all = append(all, n)
		}
	}
	on, err := bank.EntriesOn(ctx, r, all)
	for _, e := range on {
		h.hear(e)
	}
	return err
}

// hear takes a credit into the hearing; debits get no verdict.
func (h *hearing) hear(e bank.Entry) {
	if e.Direction != bank.Credit || h.credits[e.ID] != nil {
		return
	}
	h.credits[e.ID] = heardOf(e)
}

func heardOf(e bank.Entry) *heard {
	return &heard{entry: e, credit: Credit{SubAccount: e.SubAccount, Amount: e.Amount, BookedAt: e.BookedAt, Serial: e.Serial, SerialSeq: e.SerialSeq,
		PayerName: e.PayerName, PayerKey: e.PayerKey, PayerAccount: e.PayerAccount, Returned: e.Returned}}
}

// takenBack reads the credits that reversals among the entries name.
func takenBack(ctx context.Context, r sqldb.Reader, waiting []bank.Entry) ([]bank.Entry, error) {
	serials := map[bank.Book][]string{}
	for _, e := range waiting {
		if e.Reversal == bank.Reverses && e.ReversalOf != "" {
			b := bank.Book{Bank: e.Bank, ParentAccount: e.ParentAccount}
			serials[b] = append(serials[b], e.ReversalOf)
		}
	}
	var all []bank.Entry
	for b, in := range serials {
		some, err := bank.BySerial(ctx, r, b.Bank, b.ParentAccount, in)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func payersTouched(touches []platform.Touch) []string {
	var keys []string
	seen := map[string]bool{"": true}
	for _, t := range touches {
		if !seen[t.BidderKey] {
			seen[t.BidderKey] = true
			keys = append(keys, t.BidderKey)
		}
	}
	return keys
}

// attach asks the platform who may claim each credit: first whose number it is on, and then, where the payer is not the
// holder, which bids the payer has. Most credits need no second answer.
func (h *hearing) attach(ctx context.Context, r sqldb.Reader, _ Rules) error {
	order := make([]*heard, 0, len(h.credits))
	asks := make([]platform.Ask, 0, len(h.credits)+len(h.touches))
	for _, c := range h.credits {
		order = append(order, c)
		asks = append(asks, platform.Ask{Bank: c.entry.Bank, SubAccount: c.entry.SubAccount})
	}
	for _, t := range h.touches {
		ask := platform.Ask{Bank: t.Bank, SubAccount: t.SubAccount}
		if t.SubAccount == "" { // a bid without a number is found by its bidder
			ask.PayerKey = t.BidderKey
		}
		asks = append(asks, ask)
	}
	if err := h.ask(ctx, r, asks, order, h.holder); err != nil {
		return err
	}
	asks, order = asks[:0], order[:0]
	for _, c := range h.credits {
		if c.credit.PayerKey != "" && (c.claims.Holder == nil || !isPayer(&c.credit, c.claims.Holder)) {
			c.astray = true
			order = append(order, c)
			asks = append(asks, platform.Ask{PayerKey: c.credit.PayerKey})
		}
	}
	return h.ask(ctx, r, asks, order, h.ofPayer)
}

// ask asks the platform and hands the answers for the first credits to take.
func (h *hearing) ask(ctx context.Context, r sqldb.Reader, asks []platform.Ask, order []*heard, take func(*heard, *Claim, platform.Lease)) error {
	answers, err := platform.Claims(ctx, r, asks)
	if err != nil {
		return err
	}
	ends, err := endsOf(ctx, r, answers)
	if err != nil {
		return err
	}
	for i, claims := range answers {
		for _, p := range claims {
			if p.Bid.ID != 0 {
				h.bids[p.Bid.ID] = p
			}
			key := claimKey{p.Lease.ID, p.Bid.ID}
			if h.claims[key] == nil {
				h.claims[key] = claimOf(p, h.now)
				h.claims[key].endAt(ends[p.Bid.ID])
			}
			if i < len(order) {
				take(order[i], h.claims[key], p.Lease)
			}
		}
	}
	return nil
}

// holder takes a lease on the credit's number: the one in force at its booking, or else the last one before.
func (h *hearing) holder(c *heard, claim *Claim, lease platform.Lease) {
	if c.entry.SubAccount == "" || lease.SubAccount != c.entry.SubAccount || lease.Bank != c.entry.Bank {
		return
	}
	c.claims.Known = true
	former := c.claims.Former
	switch {
	case claim.inForce(c.credit.BookedAt):
		c.claims.Holder, c.claims.Former = claim, nil
	case c.claims.Holder == nil && !claim.To.After(c.credit.BookedAt) && (former == nil || former.To.Before(claim.To)):
		c.claims.Former = claim
	}
}

// ofPayer takes a bid of the credit's payer. Where the bids of a lot share the number (一标一号), it is the payer who says
// which of them holds it; as long as none is the payer's, the holder is the lot without a bid.
//
// A bid on a sealed lot says nothing of a credit on another's number, or on nobody's: what is shown of an open lot would
// tell by it who bids for a sealed one. The event of the opening touches the lot's bidders, and the credit is judged again.
func (h *hearing) ofPayer(c *heard, claim *Claim, _ platform.Lease) {
	if holder := c.claims.Holder; holder != nil && holder.BidID == 0 && holder.LeaseID == claim.LeaseID {
		c.claims.Holder = claim
	}
	if holder := c.claims.Holder; claim.sealed && (holder == nil || holder.LotID != claim.LotID) {
		return
	}
	c.claims.OfPayer = append(c.claims.OfPayer, claim)
}

func claimOf(p platform.Claim, now time.Time) *Claim {
	return &Claim{LeaseID: p.Lease.ID, BidID: p.Bid.ID, LotID: p.Lot.ID, Lot: p.Lot.Number, Department: p.Lot.Department, Deposit: p.Lot.Deposit, OpensAt: p.Lot.OpensAt,
		Opened: opened(p.Lot, now), sealed: p.Lot.Sealed(), SinglePayment: p.Lot.SinglePayment, BasicAccountRequired: p.Lot.BasicAccountRequired,
		Bidder: p.Bid.Bidder, BidderKey: p.Bid.BidderKey, BidderAccount: p.Bid.BidderAccount, From: p.Lease.From, To: p.Lease.To}
}

// endsOf says when bids came to an end before their opening: with their withdrawal, or with their lot. What comes on their
// numbers afterwards, before those are released, is no deposit of theirs any more.
func endsOf(ctx context.Context, r sqldb.Reader, answers [][]platform.Claim) (map[sqldb.ID]time.Time, error) {
	bids := map[sqldb.ID]platform.Claim{}
	var lots []sqldb.ID
	for _, claims := range answers {
		for _, p := range claims {
			if p.Bid.State == platform.BidWithdrawn || p.Lot.State == platform.LotFailed || p.Lot.State == platform.LotTerminated {
				bids[p.Bid.ID], lots = p, append(lots, p.Lot.ID)
			}
		}
	}
	if len(lots) == 0 {
		return nil, nil
	}
	slices.Sort(lots)
	happened, err := platform.Happenings(ctx, r, slices.Compact(lots))
	ends := make(map[sqldb.ID]time.Time, len(bids))
	for id, p := range bids {
		for _, h := range happened[p.Lot.ID] {
			switch {
			case h.Kind == platform.EventRetendered:
				delete(ends, id)
			case h.Kind == platform.EventBidWithdrawn && h.BidID == id, h.Kind == platform.EventFailed, h.Kind == platform.EventTerminated:
				if _, ended := ends[id]; !ended {
					ends[id] = h.At
				}
			}
		}
	}
	return ends, err
}

// endAt ends a claim's hold on its number.
func (c *Claim) endAt(at time.Time) {
	if !at.IsZero() && at.Before(c.To) {
		c.To = at
	}
}
