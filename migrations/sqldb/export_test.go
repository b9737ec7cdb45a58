package sqldb

import "context"

// Many is how many have to wait for joint work to be done beside what runs.
const Many = many

// Waiting is how many stand in the queue.
func (db *DB) Waiting() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.queue)
}

// MigrateTo brings the schema to an earlier version.
func (db *DB) MigrateTo(ctx context.Context, version int64) error {
	provider, done, err := db.provider(ctx, 0)
	if err != nil {
		return err
	}
	defer done()
	_, err = provider.UpTo(ctx, version)
	return err
}

// SealSomeFormer is a SealFormer that breaks off after some rows of each table.
func (db *DB) SealSomeFormer(ctx context.Context) error {
	return db.Write(ctx, "test", func(tx *Tx) error {
		for i := range formerly {
			if _, err := formerly[i].sealSome(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}
