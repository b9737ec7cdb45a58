// Package reconcile is where the bank's side and the trading platform's side meet: it decides what each credit is, and
// closes each day against the bank's statement.
//
// What the bank says is stored first, by package bank, whatever the rules think of it; verdicts follow in batches, by one
// path for notices and statement lines alike. A fault in a rule can delay a verdict, never lose a notice.
package reconcile

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// Desk judges credits, closes days and keeps findings.
type Desk struct {
	db    *sqldb.DB
	banks *bank.Set
	rules Rules

	beside Beside
}

// Beside is another desk's part in this one's work.
type Beside struct {
	Before   func(ctx context.Context, waiting []bank.Entry) error // looks at entries before they are judged
	Readings []Reading                                             // of invariants verified with this desk's own
}

// Join takes in another desk, before any work begins.
func (d *Desk) Join(b Beside) { d.beside = b }

// NewDesk makes the desk. The banks say which statements a day has to have, and who pushes notices at all.
func NewDesk(db *sqldb.DB, banks *bank.Set, rules Rules) *Desk {
	return &Desk{db: db, banks: banks, rules: rules}
}
