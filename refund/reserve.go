package refund

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// reservation is what of a credit may still go back. Lines and dispositions that live have reserved their part of it.
type reservation struct {
	EntryID  sqldb.ID
	Received deposit.Fen
	Reserved deposit.Fen
	Version  int64
}

var reservations = sqldb.NewTable("receipts", "entry_id, received, reserved, version", func(r *reservation) []any {
	return []any{&r.EntryID, &r.Received, &r.Reserved, &r.Version}
})

func reservationsOf(ctx context.Context, r sqldb.Reader, entries []sqldb.ID) (map[sqldb.ID]reservation, error) {
	all := make(map[sqldb.ID]reservation, len(entries))
	err := sqldb.Chunks(entries, func(in string, args []any) error {
		rows, err := reservations.All(ctx, r, "WHERE entry_id IN "+in, args...)
		for _, one := range rows {
			all[one.EntryID] = one
		}
		return err
	})
	return all, err
}

// reserve promises money of credits, in the transaction that stores what it is promised to. Each credit moves by one
// guarded statement that looks at what is there now, so that two who both saw enough cannot both have it. It fails with
// Conflict "money_reserved" where that is too much for a credit.
func reserve(ctx context.Context, tx *sqldb.Tx, wanted map[sqldb.ID]deposit.Fen, receipts map[sqldb.ID]*reconcile.Receipt) error {
	entries := slices.Sorted(maps.Keys(wanted)) // two that meet take the rows in one order
	known, err := reservationsOf(ctx, tx, entries)
	if err != nil {
		return err
	}
	var fresh []reservation
	for _, id := range entries {
		if _, there := known[id]; !there {
			fresh = append(fresh, reservation{EntryID: id, Received: receipts[id].Net(), Version: 1})
		}
	}
	if err := reservations.Insert(ctx, tx, fresh...); err != nil {
		return err
	}
	for _, id := range entries {
		n, err := tx.Exec(ctx, "UPDATE receipts SET received = ?, reserved = reserved + ?, version = version + 1 WHERE entry_id = ? AND reserved + ? <= ?",
			receipts[id].Net(), wanted[id], id, wanted[id], receipts[id].Net())
		if err != nil {
			return fmt.Errorf("reserve: %w", err)
		}
		if n != 1 {
			return deposit.Refuse(deposit.Conflict, "money_reserved", "该笔入账的余额不足：已退付、正在退付或已被扣留；请先查看该笔入账的退付记录")
		}
	}
	return nil
}

// unreserve gives back what lines had reserved, in the transaction in which they die.
func unreserve(ctx context.Context, tx *sqldb.Tx, given map[sqldb.ID]deposit.Fen) error {
	for _, id := range slices.Sorted(maps.Keys(given)) {
		n, err := tx.Exec(ctx, "UPDATE receipts SET reserved = reserved - ?, version = version + 1 WHERE entry_id = ? AND reserved >= ?", given[id], id, given[id])
		if err != nil {
			return fmt.Errorf("unreserve: %w", err)
		}
		if n != 1 {
			return fmt.Errorf("unreserve: %w", sqldb.ErrStale)
		}
	}
	return nil
}

// byEntry sums lines up by the credit they pay back.
func byEntry(all []Line) map[sqldb.ID]deposit.Fen {
	sums := make(map[sqldb.ID]deposit.Fen, len(all))
	for i := range all {
		sums[all[i].EntryID] += all[i].Amount
	}
	return sums
}
