package platform

import (
	"context"

	"depositd/migrations/sqldb"
)

// A lot is finished when its contract is signed, it has failed or was terminated: no deposit is expected any more, and
// those that are there go back. An award is not yet the end, since the deposits stay until the contract (条例 §57).
const finishedLots = "('SIGNED','FAILED','TERMINATED')"

var (
	numbersOfLots = "SELECT " + columnsOf("n", numberColumns) + " FROM leases l JOIN numbers n ON n.sub_account = l.sub_account AND n.bank = l.bank AND n.lease_id = l.id " +
		"JOIN lots t ON t.id = l.lot_id LEFT JOIN bids b ON b.id = l.bid_id WHERE n.parent_account <> '' AND "

	toDrain  = "n.state = 'LEASED' AND (t.state IN " + finishedLots + " OR b.state IN ('WITHDRAWN','REVOKED')) "
	toReopen = "n.state = 'DRAINING' AND t.state = 'ANNOUNCED' AND l.leased_to > ? AND (l.bid_id = 0 OR b.state = 'LIVE') "
)

// drain lets the numbers of the lots follow what has become of the lots and their bids: those no more needed drain, those
// of a lot that is announced again and were not released yet are in use again, and who waits in vain leaves the queue.
func drain(ctx context.Context, tx *sqldb.Tx, lotIDs []sqldb.ID) error {
	lotIDs = distinct(lotIDs, func(id sqldb.ID) sqldb.ID { return id })
	return inLists(lotIDs, func(in string, args []any) error {
		if err := stepAll(ctx, tx, actDrain, toDrain+"AND l.lot_id "+in+" ORDER BY n.id", args...); err != nil {
			return err
		}
		if err := stepAll(ctx, tx, actReopen, toReopen+"AND l.lot_id "+in+" ORDER BY n.id", append([]any{sqldb.At(tx.Now)}, args...)...); err != nil {
			return err
		}
		waiting, err := numberAsks.All(ctx, tx, "WHERE state = 'WAITING' AND lot_id "+in+" ORDER BY id", args...)
		for _, ask := range waiting {
			wanted, err := stillWanted(ctx, tx, ask)
			if err == nil && !wanted {
				err = leaveQueue(ctx, tx, ask)
			}
			if err != nil {
				return err
			}
		}
		return err
	})
}

// stepAll does an act to every number of lots that a condition finds.
func stepAll(ctx context.Context, tx *sqldb.Tx, act numberAct, where string, args ...any) error {
	found, err := sqldb.Select(ctx, tx, numberRow, numbersOfLots+where, args...)
	for _, n := range found {
		if _, err := n.step(ctx, tx, act, ""); err != nil {
			return err
		}
	}
	return err
}

// drainedAtOnce is how many numbers one transaction drains, for which all other writers wait.
const drainedAtOnce = 500

// DrainDue drains the leased numbers of pools that nobody needs any more. The platform's events do that by themselves;
// what they cannot know, such as a number given out while its lot was finished by another replica, is found here.
func (d *Desk) DrainDue(ctx context.Context, by string) (drained int, err error) {
	for {
		var due []Number
		err := d.write(ctx, by, func(tx *sqldb.Tx) (err error) {
			due, err = sqldb.Select(ctx, tx, numberRow, numbersOfLots+toDrain+"ORDER BY n.id LIMIT ?", drainedAtOnce)
			for _, n := range due {
				if _, err := n.step(ctx, tx, actDrain, ""); err != nil {
					return err
				}
			}
			return err
		})
		if drained += len(due); err != nil || len(due) < drainedAtOnce {
			return drained, err
		}
	}
}
