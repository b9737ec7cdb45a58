package sqldb

import (
	"context"
	"errors"
	"time"
)

// Claim takes the lease row (job, day) for the holder until the given time has passed, so that of several replicas one
// runs the job. It reports false while another holder's claim lasts. A holder that died is replaced when its time is up.
func (db *DB) Claim(ctx context.Context, job, day, holder string, lasts time.Duration) (held bool, err error) {
	err = db.Write(ctx, holder, func(tx *Tx) error {
		n, err := tx.Exec(ctx, "UPDATE claims SET holder = ?, held_until = ? WHERE job = ? AND day = ? AND (holder = ? OR held_until <= ?)",
			holder, At(tx.Now.Add(lasts)), job, day, holder, At(tx.Now))
		if err != nil {
			return err
		}
		if held = n == 1; held {
			return nil
		}
		there, err := Value[int](ctx, tx, "SELECT COUNT(*) FROM claims WHERE job = ? AND day = ?", job, day)
		if err != nil || there > 0 {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO claims (job, day, holder, held_until) VALUES (?,?,?,?)", job, day, holder, At(tx.Now.Add(lasts)))
		held = err == nil
		return err
	})
	if errors.Is(err, ErrTaken) { // another replica was faster
		return false, nil
	}
	return held, err
}

// Release gives a claim back before its time is up.
func (db *DB) Release(ctx context.Context, job, day, holder string) error {
	return db.Write(ctx, holder, func(tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE claims SET held_until = ? WHERE job = ? AND day = ? AND holder = ?", At(tx.Now), job, day, holder)
		return err
	})
}
