package sqldb

import (
	"context"
	"fmt"
	"strings"
)

// former says how the rows of a table that stood open before 00017_sealing.sql are sealed. Their texts wait in the table
// unsealed, in the order of the secrets; after those come texts that only have to become tags.
type former struct {
	table, key, column string // column: "" where a tag is all that stays
	secrets            int
	body               bool // the bytes are one more secret, the last,
	places             int  // how much of the key it is bound to, behind the row's
	apart              bool // or are sealed by themselves, in the column body
	tags               []formerTag
	alone              map[string]int // texts that are sealed by themselves where there is any, by their columns
}

// formerTag is a column that becomes a text's tag; where holds is not zero, only if it is that text, behind what may stand
// before both.
type formerTag struct {
	column, place string
	text          int
	holds         int
	before        string
	beside        bool // the text stands, cut to 32 characters, behind something else and a slash
}

// becomes says what the column becomes.
func (t *formerTag) becomes(tx *Tx, texts *[6]string) (value string, changes bool, err error) {
	if t.beside {
		before, is := strings.CutSuffix(texts[t.holds], "/"+texts[t.text][:min(len(texts[t.text]), 32)])
		tag, err := tx.Tag(t.place, texts[t.text])
		return before + "/" + tag, is, err
	}
	if t.holds != 0 && texts[t.holds] != t.before+texts[t.text] {
		return "", false, nil
	}
	tag, err := tx.Tag(t.place, texts[t.text])
	return t.before + tag, true, err
}

const byID = "id = ?"

var formerly = []former{
	{table: "entries", key: byID, column: "sealed", secrets: 6, tags: []formerTag{{column: "payer_tag", place: "entries.payer", text: 1}}},
	{table: "strays", key: "entry_id = ?", tags: []formerTag{{column: "payer_tag", place: "strays.payer"}}},
	{table: "messages", key: byID, column: "body", secrets: 1, body: true, tags: []formerTag{{column: "sha256", place: "messages", text: 1},
		{column: "external_id", place: "messages", text: 1, holds: 2}, {column: "external_id", place: "messages", text: 1, holds: 2, before: "file:"},
		{column: "external_id", place: "messages", text: 1, holds: 2, before: "pull:"}, {column: "external_id", place: "messages", text: 1, holds: 2, beside: true}}},
	{table: "message_parts", key: "message_id = ? AND part = ?", column: "body", body: true, places: 1},
	{table: "conflicts", key: byID, column: "sealed", secrets: 2, tags: []formerTag{{column: "digest", place: "conflicts", text: 1}}},
	{table: "faults", key: "message_id = ? AND line = ? AND col = ?", column: "sealed", secrets: 2, places: 2},
	{table: "bids", key: byID, column: "sealed", secrets: 3, tags: []formerTag{{column: "bidder_tag", place: "bids.bidder", text: 1}}},
	{table: "touched", key: byID, column: "sealed", secrets: 1},
	{table: "platform_events", key: byID, column: "sealed", secrets: 2, tags: []formerTag{{column: "digest", place: "platform_events", text: 1}}},
	{table: "events", key: "row_id = ? AND seq = ?", column: "sealed", secrets: 1},
	{table: "findings", key: byID, column: "sealed", secrets: 1},
	{table: "refund_lists", key: byID, column: "sealed", secrets: 2, tags: []formerTag{{column: "digest", place: "refund_lists", text: 1}}},
	{table: "refunds", key: byID, column: "sealed", secrets: 4, tags: []formerTag{{column: "payee_tag", place: "refunds.payee", text: 1}}, alone: map[string]int{"said": 4}},
	{table: "refund_sends", key: byID, column: "body", secrets: 1, body: true},
	{table: "refund_answers", key: byID, column: "body", secrets: 1, body: true},
	{table: "incident_evidence", key: byID, column: "sealed", secrets: 4, body: true, apart: true, tags: []formerTag{{column: "natural_tag", place: "incident_evidence"}}},
	{table: "incidents", key: byID, column: "sealed", secrets: 2, alone: map[string]int{"fault": 2}},
	{table: "incident_signatures", key: byID, column: "sealed", secrets: 1},
	{table: "incident_steps", key: byID, column: "sealed", secrets: 1},
	{table: "incident_timeline", key: byID, column: "sealed", secrets: 1},
	{table: "incident_backfills", key: byID, column: "sealed", secrets: 1},
	{table: "incident_actions", key: byID, column: "sealed", secrets: 2},
	{table: "dispositions", key: byID, column: "sealed", secrets: 1},
	{table: "enquiries", key: byID, column: "sealed", secrets: 2},
	{table: "opening_words", key: byID, column: "sealed", secrets: 1},
	{table: "payee_changes", key: byID, column: "sealed", secrets: 5},
}

// unsealed is a row that waits to be sealed.
type unsealed struct {
	Row         ID
	Place, Spot int
	Texts       [6]string
	Body        []byte
}

var unsealeds = NewTable("unsealed", "row_id, place, spot, t1, t2, t3, t4, t5, t6, body", func(u *unsealed) []any {
	t := &u.Texts
	return []any{&u.Row, &u.Place, &u.Spot, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &u.Body}
})

// Unsealed says how many rows wait to be sealed, or for the engine's files to be written anew afterwards.
func (db *DB) Unsealed(ctx context.Context) (int, error) {
	return Value[int](ctx, db, "SELECT COUNT(*) FROM unsealed")
}

// SealFormer seals what stood open before there were seals, some hundreds of rows a transaction, and has the engine write its
// files anew, in which it would stand still. It may break off and be run again. The database has to be unlocked.
func (db *DB) SealFormer(ctx context.Context, by string) (sealed int, err error) {
	if waiting, err := db.Unsealed(ctx); err != nil || waiting == 0 {
		return 0, err
	}
	if err := db.Write(ctx, by, func(tx *Tx) error { return remember(ctx, tx) }); err != nil {
		return 0, err
	}
	for i := range formerly {
		for n := -1; n != 0; sealed += n {
			if err := db.Write(ctx, by, func(tx *Tx) (err error) { n, err = formerly[i].sealSome(ctx, tx); return err }); err != nil {
				return sealed, fmt.Errorf("seal %s: %w", formerly[i].table, err)
			}
		}
	}
	if err := db.scrub(ctx); err != nil {
		return sealed, err
	}
	return sealed, db.Write(ctx, by, func(tx *Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM unsealed WHERE table_name = '' AND row_id = 0")
		return err
	})
}

// remember leaves a row of no table, which stays until the files are written anew.
func remember(ctx context.Context, tx *Tx) error {
	there, err := Value[int](ctx, tx, "SELECT COUNT(*) FROM unsealed WHERE table_name = ''")
	if err != nil || there > 0 {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO unsealed (table_name, row_id, place, spot, t1, t2, t3, t4, t5, t6, body) VALUES ('', 0, 0, 0, '', '', '', '', '', '', '')")
	return err
}

// sealSome seals some of a table's rows.
func (f *former) sealSome(ctx context.Context, tx *Tx) (int, error) {
	atOnce := rowsAtOnce
	if f.body {
		atOnce = 16 // of a mebibyte each
	}
	rows, err := unsealeds.All(ctx, tx, "WHERE table_name = ? ORDER BY row_id, place, spot LIMIT ?", f.table, atOnce)
	for i := range rows {
		if err := f.seal(ctx, tx, &rows[i]); err != nil {
			return 0, err
		}
	}
	return len(rows), err
}

func (f *former) seal(ctx context.Context, tx *Tx, u *unsealed) error {
	var secrets []any
	for i := range f.secrets {
		secrets = append(secrets, &u.Texts[i])
	}
	if f.body && !f.apart {
		secrets = append(secrets, &u.Body)
	}
	var set []string
	var args []any
	if f.column != "" {
		set, args = append(set, f.column+" = ?"), append(args, SealedAt(f.table, &u.Row, []*int{&u.Place, &u.Spot}[:f.places], secrets...))
	}
	for column, text := range f.alone {
		set, args = append(set, column+" = ?"), append(args, SealedIfAny(f.table, &u.Row, &u.Texts[text]))
	}
	if f.apart {
		set, args = append(set, "body = ?"), append(args, Sealed(f.table, &u.Row, &u.Body))
	}
	for i := range f.tags {
		value, changes, err := f.tags[i].becomes(tx, &u.Texts)
		if err != nil {
			return err
		}
		if changes {
			set, args = append(set, f.tags[i].column+" = ?"), append(args, value)
		}
	}
	key := []any{u.Row, u.Place, u.Spot}[:strings.Count(f.key, "?")]
	n, err := tx.Exec(ctx, "UPDATE "+f.table+" SET "+strings.Join(set, ", ")+" WHERE "+f.key, append(args, key...)...)
	if err != nil {
		return err
	}
	gone, err := tx.Exec(ctx, "DELETE FROM unsealed WHERE table_name = ? AND row_id = ? AND place = ? AND spot = ?", f.table, u.Row, u.Place, u.Spot)
	if err == nil && (n != 1 || gone != 1) {
		err = ErrStale
	}
	return err
}

// scrub has the engine write its files anew, without the traces of what was there.
func (db *DB) scrub(ctx context.Context) error {
	l := <-db.lane
	defer func() { db.lane <- l }()
	l.drop()
	tables := []string{"unsealed"}
	for i := range formerly {
		tables = append(tables, formerly[i].table)
	}
	for _, text := range db.engine.scrubs(tables) {
		if err := db.runThrough(ctx, l, text); err != nil {
			return fmt.Errorf("%s: %w", text, db.failed(err))
		}
	}
	return nil
}

// runThrough runs a statement that may answer with rows.
func (db *DB) runThrough(ctx context.Context, l *lane, text string) error {
	rows, err := l.pool.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		continue
	}
	return rows.Err()
}
