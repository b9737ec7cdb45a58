package sqldb

import (
	"context"
	"fmt"
	"time"
)

// Event is one line of the audit trail: who made which row become what, and why. It is written only by Move, Note and
// Notes, in the transaction of the change.
type Event struct {
	Seq    int64
	At     time.Time
	By     string
	Table  string
	Row    ID
	Was    string
	Became string
	Note   string
}

// Events is the audit trail; only Move, Note and Notes write it.
var Events = NewTable("events", "seq, at, by_whom, table_name, row_id, was, became, sealed", func(e *Event) []any {
	return []any{&e.Seq, Wall(&e.At), &e.By, &e.Table, &e.Row, &e.Was, &e.Became, SealedNote(e)}
})

// A Move is one step of a state machine on one row.
type Move struct {
	Table   string // a constant; it has the columns id, version and state
	ID      ID
	Version int64  // the version the caller has seen
	From    string // the state the caller has seen
	To      string
	Note    string
}

// Move is the only way a state changes. ErrStale if the row is no longer in that version and state.
func (tx *Tx) Move(ctx context.Context, m Move) error {
	n, err := tx.Exec(ctx, "UPDATE "+m.Table+" SET state = ?, version = version + 1 WHERE id = ? AND version = ? AND state = ?",
		m.To, m.ID, m.Version, m.From)
	if err != nil {
		return fmt.Errorf("move %s: %w", m.Table, err)
	}
	if n != 1 {
		return fmt.Errorf("move %s from %s to %s: %w", m.Table, m.From, m.To, ErrStale)
	}
	return tx.event(ctx, m.Table, m.ID, m.From, m.To, m.Note)
}

// Note records a change that is no step of a state machine: what the row became, in a word, and why.
func (tx *Tx) Note(ctx context.Context, table string, id ID, became, note string) error {
	return tx.event(ctx, table, id, "", became, note)
}

// Notes is Note for many rows of one table, some hundreds a statement.
func (tx *Tx) Notes(ctx context.Context, table string, ids []ID, became, note string) error {
	rows := make([]Event, len(ids))
	for i, id := range ids {
		rows[i] = Event{At: tx.Now, By: tx.By, Table: table, Row: id, Became: became, Note: note}
	}
	return newEvents.Insert(ctx, tx, rows...)
}

// SealedNote is the column events.sealed, as a field of a query: persons and banks write what they like into a note, names
// and accounts too. The row's ID has to stand before it.
func SealedNote(e *Event) any { return SealedIfAny("events", &e.Row, &e.Note) }

// newEvents leaves the counting of seq to the database.
var newEvents = NewTable("events", "at, by_whom, table_name, row_id, was, became, sealed", func(e *Event) []any {
	return []any{Wall(&e.At), &e.By, &e.Table, &e.Row, &e.Was, &e.Became, SealedNote(e)}
})

func (tx *Tx) event(ctx context.Context, table string, id ID, was, became, note string) error {
	return newEvents.Insert(ctx, tx, Event{At: tx.Now, By: tx.By, Table: table, Row: id, Was: was, Became: became, Note: note})
}
