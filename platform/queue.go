package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
)

// askState says whether whoever asked for a number has it.
type askState string

const (
	askWaiting askState = "WAITING"
	askServed  askState = "SERVED"
)

// numberAsk is a bid's, or a lot's, asking for a number. Its key is the asker's, so that nobody gets two.
type numberAsk struct {
	ID      sqldb.ID // the bid, or the lot whose bids share a number
	LotID   sqldb.ID
	BidID   sqldb.ID // 0 for the lot's
	Bank    string
	Parent  string
	LeaseID sqldb.ID
	AskedAt time.Time
	State   askState
	Version int64
}

var numberAsks = sqldb.NewTable("number_asks", "id, lot_id, bid_id, bank, parent_account, lease_id, asked_at, state, version", func(a *numberAsk) []any {
	return []any{&a.ID, &a.LotID, &a.BidID, &a.Bank, &a.Parent, &a.LeaseID, sqldb.Wall(&a.AskedAt), &a.State, &a.Version}
})

// servedAtOnce is how many of the queue get their number in one transaction, for which all other writers wait.
const servedAtOnce = 100

// enqueue puts whoever asks at the end of the pool's queue, unless it waits there already; it waits in one queue only.
func enqueue(ctx context.Context, tx *sqldb.Tx, who leaser, o NumberOrder, ask numberAsk, asked bool) error {
	if asked && ask.Bank == o.Bank && ask.Parent == o.Parent {
		return nil
	}
	if asked {
		if err := leaveQueue(ctx, tx, ask); err != nil {
			return err
		}
	}
	return numberAsks.Insert(ctx, tx, numberAsk{ID: who.holder(), LotID: who.lot, BidID: who.bid, Bank: o.Bank, Parent: o.Parent, AskedAt: tx.Now,
		State: askWaiting, Version: 1})
}

func askOf(ctx context.Context, r sqldb.Reader, who leaser) (ask numberAsk, asked bool, err error) {
	ask, err = numberAsks.One(ctx, r, "WHERE id = ?", who.holder())
	if errors.Is(err, sqldb.ErrNone) {
		return ask, false, nil
	}
	return ask, err == nil, err
}

// serve gives those who wait longest in a pool's queue their numbers, as far as there are free ones, a hundred or so; more
// says that it can go on. Who needs none any more leaves the queue.
func (d *Desk) serve(ctx context.Context, tx *sqldb.Tx, bank, parent string) (served []Lease, more bool, err error) {
	waiting, err := numberAsks.All(ctx, tx, "WHERE state = ? AND bank = ? AND parent_account = ? ORDER BY asked_at, id LIMIT ?", askWaiting, bank, parent, servedAtOnce)
	if err != nil {
		return nil, false, err
	}
	for _, ask := range waiting {
		n, err := longestFree(ctx, tx, bank, parent, d.draw())
		if errors.Is(err, sqldb.ErrNone) {
			return served, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		wanted, err := stillWanted(ctx, tx, ask)
		if err != nil {
			return nil, false, err
		}
		if !wanted {
			if err := leaveQueue(ctx, tx, ask); err != nil {
				return nil, false, err
			}
			continue
		}
		lease, err := take(ctx, tx, n, ask)
		if err != nil {
			return nil, false, err
		}
		served = append(served, lease)
	}
	return served, len(waiting) == servedAtOnce, nil
}

func serveAsk(ctx context.Context, tx *sqldb.Tx, ask numberAsk, lease sqldb.ID) error {
	err := tx.Move(ctx, sqldb.Move{Table: "number_asks", ID: ask.ID, Version: ask.Version, From: string(askWaiting), To: string(askServed)})
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, "UPDATE number_asks SET lease_id = ?, version = version + 1 WHERE id = ? AND version = ?", lease, ask.ID, ask.Version+1)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("serve the queue: %w", err)
	}
	return nil
}

// stillWanted reports whether whoever waits needs a number yet: its lot is announced, its bid stands – or one of the lot's
// – and the platform has brought no number meanwhile.
func stillWanted(ctx context.Context, tx *sqldb.Tx, ask numberAsk) (bool, error) {
	standing, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM bids b JOIN lots t ON t.id = b.lot_id WHERE b.lot_id = ? AND (b.id = ? OR ? = 0) AND b.state = ? AND t.state = ?",
		ask.LotID, ask.BidID, ask.BidID, BidLive, LotAnnounced)
	if err != nil || standing == 0 {
		return false, err
	}
	held, err := leaseHeld(ctx, tx, leaser{ask.LotID, ask.BidID}, 0, tx.Now)
	return held.ID == 0, err
}

func leaveQueue(ctx context.Context, tx *sqldb.Tx, ask numberAsk) error {
	n, err := tx.Exec(ctx, "DELETE FROM number_asks WHERE id = ? AND version = ? AND state = ?", ask.ID, ask.Version, askWaiting)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("leave the queue: %w", err)
	}
	return tx.Note(ctx, "number_asks", ask.ID, "LEFT", "退出等候队列")
}

// Serve gives those who wait in a pool's queue their numbers, as far as there are free ones, and tells how many got one.
// Loading and freeing do it by themselves.
func (d *Desk) Serve(ctx context.Context, by, bank, parent string) (served int, err error) {
	for {
		n, more := 0, false
		err := d.write(ctx, by, func(tx *sqldb.Tx) error {
			leases, goOn, err := d.serve(ctx, tx, bank, parent)
			n, more = len(leases), goOn
			return err
		})
		if served += n; err != nil || !more {
			return served, err
		}
	}
}

// Waiting counts who waits in a pool's queue.
func Waiting(ctx context.Context, r sqldb.Reader, bank, parent string) (int, error) {
	return sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM number_asks WHERE state = ? AND bank = ? AND parent_account = ?", askWaiting, bank, parent)
}
