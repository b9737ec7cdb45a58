package main

import (
	"context"
	"fmt"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// benchLines is a table with the columns of entries and its two keys, the random one and the identity, but without what
// the service finds entries by.
var benchLines = sqldb.NewTable("bench_lines", "id, bank, parent_account, booking_date, serial, serial_seq, direction, reversal, reversal_of, returned, "+
	"sub_account, amount, booked_at, payer_name, payer_key, payer_account, payer_bank, payer_bank_code, remark, first_seen",
	func(e *bank.Entry) []any {
		return []any{&e.ID, &e.Bank, &e.ParentAccount, &e.BookingDate, &e.Serial, &e.SerialSeq, &e.Direction, &e.Reversal, &e.ReversalOf, &e.Returned,
			&e.SubAccount, &e.Amount, sqldb.Wall(&e.BookedAt), &e.PayerName, &e.PayerKey, &e.PayerAccount, &e.PayerBank, &e.PayerBankCode, &e.Remark, sqldb.Wall(&e.FirstSeen)}
	})

var benchTables = []string{
	"DROP TABLE IF EXISTS bench_lines",
	"DROP TABLE IF EXISTS bench_differences",
	"CREATE TABLE bench_differences (side VARCHAR(1) NOT NULL, entry_id $ID NOT NULL, PRIMARY KEY (side, entry_id)) $TABLE",
	"CREATE TABLE bench_lines (id $ID NOT NULL PRIMARY KEY, bank VARCHAR(32) NOT NULL, parent_account VARCHAR(40) NOT NULL, booking_date $DAY NOT NULL, " +
		"serial VARCHAR(64) NOT NULL, serial_seq INT NOT NULL, direction VARCHAR(1) NOT NULL, reversal VARCHAR(1) NOT NULL, reversal_of VARCHAR(64) NOT NULL, " +
		"returned SMALLINT NOT NULL, sub_account VARCHAR(40) NOT NULL, amount BIGINT NOT NULL, booked_at $TIME NOT NULL, payer_name VARCHAR(200) NOT NULL, " +
		"payer_key VARCHAR(200) NOT NULL, payer_account VARCHAR(64) NOT NULL, payer_bank VARCHAR(200) NOT NULL, payer_bank_code VARCHAR(14) NOT NULL, " +
		"remark VARCHAR(400) NOT NULL, first_seen $TIME NOT NULL, UNIQUE (booking_date, bank, parent_account, serial, serial_seq, direction, reversal)) $TABLE",
}

// rawTables makes the bare tables anew.
func (w *night) rawTables(ctx context.Context) error {
	for _, text := range benchTables {
		if err := w.db.Write(ctx, "bench", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, w.db.Words(text)); return err }); err != nil {
			return err
		}
	}
	return nil
}

// rawAtOnce is how many lines the raw insert commits together.
const rawAtOnce = 4000

// rawInsert puts the statement's lines into the bare table, hundreds a statement, thousands a transaction.
func (w *night) rawInsert(ctx context.Context) error {
	for begin := 0; begin < w.n; begin += rawAtOnce {
		some := w.lines(begin, min(begin+rawAtOnce, w.n))
		if err := w.db.Write(ctx, "bench", func(tx *sqldb.Tx) error {
			for i := range some {
				some[i].ID, some[i].FirstSeen = tx.NewID(), tx.Now
			}
			return benchLines.Insert(ctx, tx, some...)
		}); err != nil {
			return err
		}
	}
	return nil
}

// sameLine joins the two by all that makes them one, and by their amount.
const sameLine = "e.booking_date = l.booking_date AND e.bank = l.bank AND e.parent_account = l.parent_account AND e.serial = l.serial AND e.serial_seq = l.serial_seq " +
	"AND e.direction = l.direction AND e.reversal = l.reversal AND e.amount = l.amount"

// difference asks the engine for the lines without a notice and the notices without a line, in one statement.
func (w *night) difference(ctx context.Context) error {
	n, err := w.db.Alone(ctx, "INSERT INTO bench_differences (side, entry_id) SELECT 'S', l.id FROM bench_lines AS l WHERE NOT EXISTS "+
		"(SELECT 1 FROM entries AS e JOIN sightings AS n ON n.entry_id = e.id AND n.source = 'N' WHERE "+sameLine+") "+
		"UNION ALL SELECT 'N', e.id FROM entries AS e WHERE e.booking_date = ? AND e.bank = ? AND e.parent_account = ? "+
		"AND EXISTS (SELECT 1 FROM sightings AS n WHERE n.entry_id = e.id AND n.source = 'N') AND NOT EXISTS (SELECT 1 FROM bench_lines AS l WHERE "+sameLine+")",
		nightDay, w.bank.Code, w.parent)
	if want := int64((w.n + 42) / 50); err == nil && n != want {
		err = fmt.Errorf("集合之差 %d 行，应为 %d 行", n, want)
	}
	return err
}
