package sqldb

import (
	"context"
	"fmt"
)

// A Sweep is one step of a state machine on many rows of one table: all of them move, or the transaction has to end.
type Sweep struct {
	Table string // a constant; it has the columns id, version and state
	IDs   []ID   // each once
	From  string
	To    string
	Guard string // more that has to hold of each row, as SQL after AND; ""
	Args  []any  // of the guard
	Note  string
}

// MoveAll is Move for many rows, as many a statement as suits the engine. ErrStale if one of them is not in the state, or the guard
// does not hold of it.
func (tx *Tx) MoveAll(ctx context.Context, s Sweep) error {
	where := "state = ?"
	if s.Guard != "" {
		where += " AND " + s.Guard
	}
	err := tx.UpdateAll(ctx, s.IDs, "UPDATE "+s.Table+" SET state = ?, version = version + 1 WHERE "+where, append([]any{s.To, s.From}, s.Args...)...)
	if err != nil {
		return fmt.Errorf("move %s from %s to %s: %w", s.Table, s.From, s.To, err)
	}
	rows := make([]Event, len(s.IDs))
	for i, id := range s.IDs {
		rows[i] = Event{At: tx.Now, By: tx.By, Table: s.Table, Row: id, Was: s.From, Became: s.To, Note: s.Note}
	}
	return newEvents.Insert(ctx, tx, rows...)
}

// UpdateAll runs a guarded UPDATE on rows by their keys, each once, as many a statement as suits the engine: text ends in its
// WHERE and has args, the keys are added to it. ErrStale unless it matches every one of them.
func (tx *Tx) UpdateAll(ctx context.Context, ids []ID, text string, args ...any) error {
	var matched int64
	err := chunks(ids, tx.lane.engine.rowsAtOnce(), func(in string, keys []any) error {
		n, err := tx.Exec(ctx, text+" AND id IN "+in, append(args[:len(args):len(args)], keys...)...)
		matched += n
		return err
	})
	if err == nil && matched != int64(len(ids)) {
		err = ErrStale
	}
	return err
}
