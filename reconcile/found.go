package reconcile

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// findCredits keeps the findings on credits whose verdict is new or has changed.
func findCredits(ctx context.Context, tx *sqldb.Tx, changed []*heard) error {
	var subjects, contradicted []sqldb.ID
	var wanted, conflicts []Finding
	for _, c := range changed {
		subjects = append(subjects, c.entry.ID)
		switch v := &c.verdict; {
		case v.Code == AdviceConflict:
			contradicted = append(contradicted, c.entry.ID)
			f := c.finding()
			f.Reasons, f.Detail = string(AdviceConflict), c.detail
			conflicts = append(conflicts, f)
		case v.Plain(), v.Code == AdviceOrphan, c.waits():
		default:
			wanted = append(wanted, c.finding())
		}
	}
	if err := keep(ctx, tx, KindCredit, subjects, wanted); err != nil {
		return err
	}
	return keep(ctx, tx, KindConflict, contradicted, conflicts)
}

// waits says that the rest of the deposit may still come in time.
func (c *heard) waits() bool {
	return c.verdict.Code == Matched && len(c.verdict.Reasons) > 0 && c.verdict.Reasons[0] == PartialPayment
}

func (c *heard) finding() Finding {
	m := c.match()
	f := Finding{Subject: c.entry.ID, Code: m.Verdict, Reasons: m.Reasons, Day: c.entry.BookingDate, Bank: c.entry.Bank, ParentAccount: c.entry.ParentAccount,
		Amount: c.entry.Amount, LotID: m.LotID, BidID: m.BidID, SuggestedBid: m.SuggestedBid}
	if f.Department = string(meanings[f.Code].acts); f.Department == string(Business) && c.verdict.Holder != nil {
		f.Department = c.verdict.Holder.Department
	}
	return f
}

// findBids clears the finding "unpaid" on bids whose deposit is there by now, or whose opening has moved; a bid whose
// deposit was there and is gone gets one, if its lot is opened.
func (h *hearing) findBids(ctx context.Context, tx *sqldb.Tx, bids map[sqldb.ID]bool, rejudged bool) error {
	if !rejudged && len(h.touches) == 0 && !h.anyOpened() {
		return nil // new credits on lots that are not opened yet
	}
	if len(h.touches) > 0 {
		for id := range h.bids {
			bids[id] = true
		}
	}
	var ids []sqldb.ID
	for id := range bids {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	sums, err := countedOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	standing, err := findingsOn(ctx, tx, ids, KindBid)
	if err != nil {
		return err
	}
	known := map[sqldb.ID]bool{}
	for _, f := range standing {
		known[f.Subject] = true
	}
	var subjects []sqldb.ID
	var wanted []Finding
	for _, id := range ids {
		p := h.bids[id]
		emptied := rejudged && sums[id].Credits == 0 // a credit it had is gone
		if !known[id] && !emptied {
			continue
		}
		subjects = append(subjects, id)
		if owes(p, sums[id], h.now) {
			wanted = append(wanted, unpaid(p))
		}
	}
	return keep(ctx, tx, KindBid, subjects, wanted)
}

func (h *hearing) anyOpened() bool {
	for _, p := range h.bids {
		if opened(p.Lot, h.now) {
			return true
		}
	}
	return false
}

// owes says whether a bid stood at the opening of its lot without anything paid for it. One that was withdrawn before
// did not; one that was revoked afterwards did. For a lot that was given up nothing is owed.
func owes(p platform.Claim, sum counted, now time.Time) bool {
	givenUp := p.Lot.State == platform.LotFailed || p.Lot.State == platform.LotTerminated
	return opened(p.Lot, now) && !givenUp && p.Bid.State != platform.BidWithdrawn && sum.Credits == 0
}

// opened says whether it is certain that nothing more can come in time for a lot.
func opened(lot platform.Lot, now time.Time) bool {
	return lot.State != platform.LotAnnounced || !now.Before(lot.OpensAt)
}

// unpaid is the finding on a bid that owes its deposit. It is no bank's: a bid may have numbers at several, or none.
func unpaid(p platform.Claim) Finding {
	return Finding{Subject: p.Bid.ID, Code: Unpaid, Reasons: string(Unpaid), Day: deposit.DayOf(p.Lot.OpensAt),
		Amount: p.Lot.Deposit, LotID: p.Lot.ID, BidID: p.Bid.ID, Department: p.Lot.Department}
}
