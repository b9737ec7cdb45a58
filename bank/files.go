package bank

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"depositd/migrations/sqldb"
)

// ChangedFiles finds the files whose parts, one after the other, are not what was received, or do not open: parts that change
// places, of which one is missing, or one too many.
func ChangedFiles(ctx context.Context, db *sqldb.DB) (changed sqldb.Damage, err error) {
	err = messageHeads.Each(ctx, db, "WHERE source = 'FILE' AND kind = 'STATEMENT'", nil, func(m *StoredMessage) error {
		digest := sha256.New()
		err := fileParts.Each(ctx, db, "WHERE message_id = ? ORDER BY part", []any{m.ID}, func(p *filePart) error {
			_, err := digest.Write(p.Body)
			return err
		})
		if err != nil && !errors.Is(err, sqldb.ErrSealed) {
			return err
		}
		tag, tagErr := db.Tag(tagOfMessage, hex.EncodeToString(digest.Sum(nil)))
		if err != nil || tag != m.Digest {
			changed.Add("messages " + m.ID.String())
		}
		return tagErr
	})
	return changed, err
}
