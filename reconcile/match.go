package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Match is the verdict on a credit as it stands. What it was before is told by the events.
type Match struct {
	EntryID      sqldb.ID
	Verdict      Code
	Reasons      string // joined by ;
	LeaseID      sqldb.ID
	BidID        sqldb.ID
	LotID        sqldb.ID
	Counted      deposit.Fen
	SuggestedBid sqldb.ID
	JudgedAt     time.Time
	Version      int64
}

var matches = sqldb.NewTable("matches", "entry_id, verdict, reasons, lease_id, bid_id, lot_id, counted, suggested_bid, judged_at, version",
	func(m *Match) []any {
		return []any{&m.EntryID, &m.Verdict, &m.Reasons, &m.LeaseID, &m.BidID, &m.LotID, &m.Counted, &m.SuggestedBid, sqldb.Wall(&m.JudgedAt), &m.Version}
	})

func (c *heard) match() Match {
	m := Match{EntryID: c.entry.ID, Verdict: c.verdict.Code, Reasons: joinCodes(c.verdict.Reasons), Counted: c.verdict.Counted, Version: 1}
	if holder := c.verdict.Holder; holder != nil {
		m.LeaseID, m.BidID, m.LotID = holder.LeaseID, holder.BidID, holder.LotID
	}
	if c.verdict.Suggested != nil {
		m.SuggestedBid = c.verdict.Suggested.BidID
	}
	return m
}

// same says whether a verdict is the one that stands.
func (m Match) same(old Match) bool {
	m.JudgedAt, m.Version = old.JudgedAt, old.Version
	return m == old
}

// store writes the verdicts that are new or have changed, and what follows from them: findings on credits, findings on
// bids. In the same transaction what was waiting is taken off the list. errOvertaken when it is another judge's turn.
func (h *hearing) store(ctx context.Context, tx *sqldb.Tx) error {
	if err := h.turn.take(ctx, tx); err != nil {
		return err
	}
	standing, err := matchesOf(ctx, tx, h.ids())
	if err != nil {
		return err
	}
	var fresh []Match
	var changed, first []*heard
	bids := map[sqldb.ID]bool{} // whose deposit may now be there, or be gone
	for id, c := range h.credits {
		m := c.match()
		m.JudgedAt = tx.Now
		old, judged := standing[id]
		switch {
		case !judged:
			fresh, first = append(fresh, m), append(first, c)
		case m.same(old):
			continue
		default:
			if err := change(ctx, tx, old, m); err != nil {
				return err
			}
			bids[old.BidID] = true
		}
		changed = append(changed, c)
		bids[m.BidID] = true
	}
	slices.SortFunc(fresh, func(a, b Match) int { return cmp.Compare(a.EntryID, b.EntryID) })
	if err := matches.Insert(ctx, tx, fresh...); err != nil {
		return err
	}
	if err := h.noteStrays(ctx, tx); err != nil {
		return err
	}
	if err := h.holdLate(ctx, tx, first); err != nil {
		return err
	}
	if err := findCredits(ctx, tx, changed); err != nil {
		return err
	}
	if err := h.findBids(ctx, tx, bids, len(fresh) < len(changed)); err != nil {
		return err
	}
	if err := h.findShared(ctx, tx); err != nil {
		return err
	}
	if err := suggestAgain(ctx, tx, changed, standing); err != nil {
		return err
	}
	touches := make([]sqldb.ID, len(h.touches))
	for i, t := range h.touches {
		touches[i] = t.ID
	}
	if err := platform.Untouch(ctx, tx, touches); err != nil {
		return err
	}
	return bank.Judged(ctx, tx, h.pending)
}

// suggestAgain asks for another look at the money gone astray of those bidders whose deposit changed: which of a payer's bids was
// meant depends on which of them is paid, and that must not depend on which money came first.
func suggestAgain(ctx context.Context, tx *sqldb.Tx, changed []*heard, standing map[sqldb.ID]Match) error {
	payers, left := map[string]bool{}, []sqldb.ID{}
	for _, c := range changed {
		old := standing[c.entry.ID]
		if h := c.verdict.Holder; h != nil && h.BidderKey != "" && c.verdict.Counted != old.Counted {
			payers[h.BidderKey] = true
		}
		if old.Counted != 0 && old.BidID != c.match().BidID {
			left = append(left, old.BidID)
		}
	}
	bids, err := platform.BidsByID(ctx, tx, left)
	if err != nil {
		return err
	}
	for _, b := range bids {
		payers[b.BidderKey] = true
	}
	return sqldb.Chunks(sqldb.Tags(strayTag, slices.Sorted(maps.Keys(payers))), func(in string, args []any) error {
		astray, err := sqldb.Select(ctx, tx, func(id *sqldb.ID) []any { return []any{id} }, "SELECT m.entry_id FROM strays AS s JOIN matches AS m ON m.entry_id = s.entry_id "+
			"WHERE m.verdict IN ('WRONG_SUB_ACCOUNT','UNKNOWN_SUB_ACCOUNT','PAID_TO_PARENT') AND s.payer_tag IN "+in, args...)
		if err != nil {
			return err
		}
		return bank.Requeue(ctx, tx, astray...)
	})
}

func (h *hearing) ids() []sqldb.ID {
	ids := make([]sqldb.ID, 0, len(h.credits))
	for id := range h.credits {
		ids = append(ids, id)
	}
	return ids
}

// change replaces the verdict that stands and keeps what it was.
func change(ctx context.Context, tx *sqldb.Tx, old, m Match) error {
	n, err := tx.Exec(ctx, "UPDATE matches SET verdict = ?, reasons = ?, lease_id = ?, bid_id = ?, lot_id = ?, counted = ?, suggested_bid = ?, judged_at = ?, "+
		"version = version + 1 WHERE entry_id = ? AND version = ?",
		m.Verdict, m.Reasons, m.LeaseID, m.BidID, m.LotID, m.Counted, m.SuggestedBid, sqldb.At(m.JudgedAt), m.EntryID, old.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return sqldb.ErrStale
	}
	return tx.Note(ctx, "matches", m.EntryID, string(m.Verdict), "原判定 "+string(old.Verdict)+"（"+old.Reasons+"），改判 "+string(m.Verdict)+"（"+m.Reasons+"）")
}

func matchesOf(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (map[sqldb.ID]Match, error) {
	all := make(map[sqldb.ID]Match, len(ids))
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := matches.All(ctx, r, "WHERE entry_id IN "+in, args...)
		for _, m := range rows {
			all[m.EntryID] = m
		}
		return err
	})
	return all, err
}

// counted is what the verdicts that stand give a bid.
type counted struct {
	BidID   sqldb.ID
	Counted deposit.Fen
	Credits int // how many credits were meant for it, counting or not, such as a single payment that is too small
}

// countedOf sums, by bid, what counts towards the deposit; bids without any are not in it.
func countedOf(ctx context.Context, r sqldb.Reader, bids []sqldb.ID) (map[sqldb.ID]counted, error) {
	all := map[sqldb.ID]counted{}
	err := sqldb.Chunks(bids, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, r, func(c *counted) []any { return []any{&c.BidID, &c.Counted, &c.Credits} },
			"SELECT bid_id, SUM(counted), COUNT(*) FROM matches WHERE verdict IN ('MATCHED','UNDERPAID','OVERPAID','DUPLICATE_PAYMENT') AND bid_id IN "+in+" GROUP BY bid_id", args...)
		for _, c := range rows {
			all[c.BidID] = c
		}
		return err
	})
	return all, err
}
