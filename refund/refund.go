// Package refund is the way back of the money: from a department's list, checked line by line against the receipts, over
// three persons' approvals, to the bank's batch, its answers and the statement's debits that prove each payment.
//
// Paying twice is the worst that could happen, so that three things hold in storage and not in good will: a line's money
// is reserved on its receipt in the transaction that stores the line; a line has one serial at the bank for ever, and what
// is sent is stored before the line to the bank is opened; an answer that is not known to be final leaves the line UNKNOWN,
// which is asked about and never sent under another serial.
package refund

import (
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Desk takes lists, makes batches, sends them and settles them.
type Desk struct {
	db     *sqldb.DB
	banks  *bank.Set
	rules  *Rules
	limits Limits

	released func() // told of each release
}

// Limits is what a centre allows at most, and how long what people sign stands.
type Limits struct {
	Line          deposit.Fen   // of one line
	Batch         deposit.Fen   // of one batch
	Day           deposit.Fen   // sent from one parent account in a day
	ApprovalLasts time.Duration // a check or release that is older counts for nothing
	Cooling       time.Duration // between the last approval of a changed payee and the first payment to it
}

// DefaultLimits are the ones unless told otherwise: the law caps most deposits at 800,000 yuan, land deposits are larger.
var DefaultLimits = Limits{Line: 100_000_000_00, Batch: 1_000_000_000_00, Day: 5_000_000_000_00, ApprovalLasts: 24 * time.Hour, Cooling: 24 * time.Hour}

// mostLines is how many lines a batch has at most: a person still looks through five hundred.
const mostLines = 500

// NewDesk makes the desk. The rules say when money is due and what it earns.
func NewDesk(db *sqldb.DB, banks *bank.Set, rules *Rules, limits Limits) *Desk {
	return &Desk{db: db, banks: banks, rules: rules, limits: limits, released: func() {}}
}

// OnRelease says whom to tell that something was released, before any work begins. f must not wait.
func (d *Desk) OnRelease(f func()) { d.released = f }
