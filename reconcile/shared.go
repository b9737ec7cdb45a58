package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// sharer is a bid whose deposit, or part of it, came from an account.
type sharer struct {
	lot     sqldb.ID
	account string
	bid     sqldb.ID
	bidder  string
}

// findShared keeps the findings on accounts from which several bidders of an open lot were paid for: 不同投标人的投标保证金从同一
// 单位或者个人的账户转出 is deemed collusion (条例 §40(6)). It is found and told, not decided, and never looked for before the opening:
// the event of the opening touches the lot's bids, and so brings it here.
func (h *hearing) findShared(ctx context.Context, tx *sqldb.Tx) error {
	open := map[sqldb.ID]platform.Lot{}
	for _, p := range h.bids {
		if !p.Lot.OpenedAt.IsZero() {
			open[p.Lot.ID] = p.Lot
		}
	}
	if len(open) == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(open))
	payments, err := sharersOf(ctx, tx, keys)
	if err != nil {
		return err
	}
	var subjects []sqldb.ID
	err = sqldb.Chunks(keys, func(in string, args []any) error {
		standing, err := findings.All(ctx, tx, "WHERE kind = 'PAYER' AND lot_id IN "+in, args...)
		for _, f := range standing {
			subjects = append(subjects, f.Subject)
		}
		return err
	})
	if err != nil {
		return err
	}
	var wanted []Finding
	for _, same := range chunkedBy(payments) {
		if len(same) > 1 {
			f, err := sharedFinding(tx, open[same[0].lot], same)
			if err != nil {
				return err
			}
			wanted, subjects = append(wanted, f), append(subjects, f.Subject)
		}
	}
	return keep(ctx, tx, KindPayer, subjects, wanted)
}

// sharersOf lists who was paid for from which account, by lot and account. Both are sealed, so that they are sorted here.
func sharersOf(ctx context.Context, r sqldb.Reader, lots []sqldb.ID) (all []sharer, err error) {
	type payment struct {
		bid   platform.Bid
		entry bank.Entry
	}
	row := func(p *payment) []any {
		return []any{&p.bid.LotID, &p.bid.ID, platform.SealedBidder(&p.bid), &p.entry.ID, bank.SealedPayer(&p.entry)}
	}
	err = sqldb.Chunks(lots, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, r, row, "SELECT b.lot_id, b.id, b.sealed, e.id, e.sealed FROM bids AS b JOIN matches AS m ON m.bid_id = b.id JOIN entries AS e ON e.id = m.entry_id "+
			"WHERE b.lot_id IN "+in+" AND m.verdict NOT IN ('REVERSED','RETURNED_REFUND')", args...)
		for i := range rows {
			if account := rows[i].entry.PayerAccount; account != "" {
				all = append(all, sharer{rows[i].bid.LotID, account, rows[i].bid.ID, rows[i].bid.Bidder})
			}
		}
		return err
	})
	slices.SortFunc(all, func(a, b sharer) int {
		return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.account, b.account), cmp.Compare(a.bidder, b.bidder), cmp.Compare(a.bid, b.bid))
	})
	return slices.Compact(all), err
}

// chunkedBy parts sharers, which come in this order, by lot and account.
func chunkedBy(all []sharer) (parts [][]sharer) {
	for i, s := range all {
		if i == 0 || all[i-1].lot != s.lot || all[i-1].account != s.account {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], s)
	}
	return parts
}

// mostNamed is how many bidders the finding names.
const mostNamed = 5

// sharedFinding is about the lot and the account, which its key must not tell to who has a list of accounts: it is a tag.
func sharedFinding(tx *sqldb.Tx, lot platform.Lot, same []sharer) (Finding, error) {
	tag, err := tx.Tag("findings.payer", fmt.Sprint(int64(lot.ID), "|", same[0].account))
	key := fnv.New64a()
	_, _ = key.Write([]byte(tag)) // never fails
	names := make([]string, 0, mostNamed)
	for _, s := range same[:min(len(same), mostNamed)] {
		names = append(names, deposit.MaskName(s.bidder))
	}
	detail := fmt.Sprintf("同一付款账户为 %d 个投标人缴纳：%s", len(same), strings.Join(names, "、"))
	return Finding{Subject: sqldb.ID(key.Sum64()>>1 | 1), Code: SharedPayer, Reasons: string(SharedPayer), Day: deposit.DayOf(lot.OpensAt),
		LotID: lot.ID, Department: lot.Department, Detail: string([]rune(detail)[:min(len([]rune(detail)), 400)])}, err
}
