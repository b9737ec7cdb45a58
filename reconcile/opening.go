package reconcile

import (
	"context"
	"errors"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// openings keeps the findings on bids that have no deposit though their lot opened on the day, and asks for another
// verdict on payments that were waiting for the rest.
func (d *Desk) openings(ctx context.Context, by string, day deposit.Day) error {
	for {
		if err := d.openingsInTurn(ctx, by, day); !errors.Is(err, errOvertaken) {
			return err
		}
	}
}

// openingsInTurn is openings, unless a judge stores verdicts meanwhile, who clears such findings.
func (d *Desk) openingsInTurn(ctx context.Context, by string, day deposit.Day) error {
	now, err := turnOf(ctx, d.db)
	if err != nil {
		return err
	}
	lots, err := platform.LotsOpening(ctx, d.db, day.Start(), day.Add(1).Start())
	if err != nil {
		return err
	}
	byID := map[sqldb.ID]platform.Lot{}
	var bids []platform.Bid
	for i, lot := range lots {
		if opened(lot, d.db.Now()) {
			byID[lot.ID] = lot
			some, err := platform.BidsOf(ctx, d.db, []sqldb.ID{lot.ID})
			if err != nil {
				return err
			}
			bids = append(bids, some...)
		}
		for len(bids) >= creditsAtOnce || i == len(lots)-1 && len(bids) > 0 {
			some := bids[:min(creditsAtOnce, len(bids))]
			err := d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
				if err := now.take(ctx, tx); err != nil {
					return err
				}
				return assess(ctx, tx, some, byID)
			})
			if err != nil {
				return err
			}
			bids, now = bids[len(some):], now+1
		}
	}
	return nil
}

func assess(ctx context.Context, tx *sqldb.Tx, bids []platform.Bid, lots map[sqldb.ID]platform.Lot) error {
	ids := make([]sqldb.ID, len(bids))
	for i, b := range bids {
		ids[i] = b.ID
	}
	sums, err := countedOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	var wanted []Finding
	for _, b := range bids {
		if p := (platform.Claim{Bid: b, Lot: lots[b.LotID]}); owes(p, sums[b.ID], tx.Now) {
			wanted = append(wanted, unpaid(p))
		}
	}
	if err := keep(ctx, tx, KindBid, ids, wanted); err != nil {
		return err
	}
	return sqldb.Chunks(ids, func(in string, args []any) error {
		waiting, err := matches.All(ctx, tx, "WHERE reasons LIKE 'PARTIAL_PAYMENT%' AND bid_id IN "+in, args...)
		for _, m := range waiting {
			err = errors.Join(err, bank.Requeue(ctx, tx, m.EntryID))
		}
		return err
	})
}

// late is a credit whose first notice came after the opening that it was in time for.
type late struct {
	ID           sqldb.ID
	Seen, Opened time.Time
}

// delayed keeps the findings on credits that were in time, but whose first notice came after the opening.
func (d *Desk) delayed(ctx context.Context, by string, books []figures) error {
	for _, fig := range books {
		rows, err := d.late(ctx, fig)
		if err != nil {
			return err
		}
		seen := make(map[sqldb.ID]late, len(rows))
		diff := difference{kind: KindDelayed, code: AdviceDelayed, book: fig.book, day: fig.day, detail: func(e *bank.Entry) string {
			return "开标 " + deposit.Wall(seen[e.ID].Opened) + "，通知 " + deposit.Wall(seen[e.ID].Seen) + " 才到"
		}}
		for _, l := range rows {
			seen[l.ID], diff.ids = l, append(diff.ids, l.ID)
		}
		if err := d.keepDifference(ctx, by, diff); err != nil {
			return err
		}
	}
	return nil
}

// late finds them among the lots that opened between the first booking of which a notice came and now: for the others there
// has been no time to be late. CROSS JOIN is a join in the order written, from the few to the many.
func (d *Desk) late(ctx context.Context, fig figures) ([]late, error) {
	if fig.pushed.Entries == 0 {
		return nil, nil
	}
	return sqldb.Select(ctx, d.db, func(l *late) []any { return []any{&l.ID, sqldb.Wall(&l.Seen), sqldb.Wall(&l.Opened)} },
		"SELECT e.id, MIN(n.seen_at), MIN(l.opens_at) FROM lots AS l CROSS JOIN bids AS b CROSS JOIN matches AS m CROSS JOIN entries AS e CROSS JOIN sightings AS n "+
			"WHERE l.opens_at > ? AND l.opens_at <= ? AND b.lot_id = l.id AND m.bid_id = b.id AND m.lot_id = l.id AND e.id = m.entry_id "+
			"AND e.booking_date = ? AND e.bank = ? AND e.parent_account = ? AND e.booked_at < l.opens_at AND n.entry_id = e.id AND n.source = 'N' "+
			"GROUP BY e.id HAVING MIN(n.seen_at) >= MIN(l.opens_at)",
		sqldb.At(fig.pushed.First), sqldb.At(d.db.Now()), fig.day, fig.book.Bank, fig.book.ParentAccount)
}
