package reconcile

import (
	"context"

	"depositd/migrations/sqldb"
)

// The program has one row of its own in the audit trail, of no table: which version runs, and with which settings.
const (
	programTable = "program"
	programRow   = sqldb.ID(1)
)

// NoteProgram notes in the audit trail which version of the program has started with which settings, if they are not those
// noted last: a change may be why a number is not credited any more (plan 4.6.1). digest tells settings apart and nothing of them.
func NoteProgram(ctx context.Context, db *sqldb.DB, by, version, digest string) error {
	note := "版本 " + version + "，设置 " + digest
	return db.Write(ctx, by, func(tx *sqldb.Tx) error {
		last, err := sqldb.Events.All(ctx, tx, "WHERE row_id = ? AND table_name = ? ORDER BY seq DESC LIMIT 1", programRow, programTable)
		if err != nil || len(last) == 1 && last[0].Note == note {
			return err
		}
		return tx.Note(ctx, programTable, programRow, "STARTED", note)
	})
}
