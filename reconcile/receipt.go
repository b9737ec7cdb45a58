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

// CreditSeen is the condition that the credit whose key stands in a column may be seen by these eyes, and its arguments.
func CreditSeen(column string, eyes deposit.Sight) (condition string, args []any) {
	seen, args := platform.Seen("COALESCE(m.lot_id, 0)", "e.first_seen", eyes)
	return "EXISTS (SELECT 1 FROM entries AS e LEFT JOIN matches AS m ON m.entry_id = e.id WHERE e.id = " + column + " AND " + seen + ")", args
}

// SeenCredits tells which credits may be seen by these eyes.
func SeenCredits(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, ids []sqldb.ID) (map[sqldb.ID]bool, error) {
	seen := make(map[sqldb.ID]bool, len(ids))
	condition, more := platform.Seen("COALESCE(m.lot_id, 0)", "e.first_seen", eyes)
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		found, err := sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} },
			"SELECT e.id FROM entries AS e LEFT JOIN matches AS m ON m.entry_id = e.id WHERE e.id IN "+in+" AND "+condition, append(args, more...)...)
		for _, id := range found {
			seen[id] = true
		}
		return err
	})
	return seen, err
}
