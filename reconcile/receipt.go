package reconcile

import (
	"context"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Receipt answers, of one credit, what a refund has to know: did this money arrive, for what, and is it the payer's.
type Receipt struct {
	Entry       bank.Entry
	Verdict     Code // "" while it waits to be judged
	Reasons     []Code
	Counted     deposit.Fen  // what of it counts towards the bid's deposit
	Bid         platform.Bid // whose number was credited; zero where it was nobody's
	Lot         platform.Lot
	JudgedAt    time.Time // when the verdict that stands was given
	OnStatement bool      // a statement has it; until then only a notice says so
}

// Net is what arrived and is still here: nothing of a credit that the bank took back, that is our own refund come back,
// or that a person still has to ask the bank about.
func (r *Receipt) Net() deposit.Fen {
	switch r.Verdict {
	case "", Reversed, ReturnedRefund, AdviceConflict, AdviceOrphan:
		return 0
	}
	return r.Entry.Amount
}

// Receipts reads the receipts of credits by the keys of their entries, however many; what is no credit is missing in the answer.
func Receipts(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (map[sqldb.ID]*Receipt, error) {
	entries, err := bank.EntriesByID(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	verdicts, err := matchesOf(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	stated, err := bank.OnStatement(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	var bidIDs, lotIDs []sqldb.ID
	for _, m := range verdicts {
		bidIDs, lotIDs = append(bidIDs, m.BidID), append(lotIDs, m.LotID)
	}
	bids, err := platform.BidsByID(ctx, r, bidIDs)
	if err != nil {
		return nil, err
	}
	lots, err := platform.LotsByID(ctx, r, lotIDs)
	all := make(map[sqldb.ID]*Receipt, len(entries))
	for _, e := range entries {
		if e.Direction != bank.Credit || e.Reversal == bank.Reverses {
			continue
		}
		m := verdicts[e.ID]
		all[e.ID] = &Receipt{Entry: e, Verdict: m.Verdict, Reasons: splitCodes(m.Reasons), Counted: m.Counted, JudgedAt: m.JudgedAt, Bid: bids[m.BidID], Lot: lots[m.LotID], OnStatement: stated[e.ID]}
	}
	return all, err
}
