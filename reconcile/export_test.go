package reconcile

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
)

// JudgeOutOfTurn judges what waits once, as JudgeAll does, and stores it whoever's turn it is: what must not be.
func JudgeOutOfTurn(ctx context.Context, d *Desk) error {
	touches, err := platform.Touched(ctx, d.db, touchesAtOnce)
	if err != nil {
		return err
	}
	pending, err := bank.Unjudged(ctx, d.db, creditsAtOnce)
	if err != nil || len(pending)+len(touches) == 0 {
		return err
	}
	h, err := d.hear(ctx, touches, pending)
	if err != nil {
		return err
	}
	return d.db.Write(ctx, "judge", func(tx *sqldb.Tx) error {
		if h.turn, err = turnOf(ctx, tx); err != nil {
			return err
		}
		return h.store(ctx, tx)
	})
}
