// Package bank is the bank's side: what banks send, in their dialects, becomes entries; each message is kept as received.
//
// A dialect is one file: an Adapter value and the functions it names. It turns bytes into entries and statements and
// knows nothing of lots, bids or verdicts. One contract test holds every registered adapter.
package bank

import (
	"io"
	"maps"
	"slices"
	"time"

	"depositd/platform/deposit"
)

// Adapter is one dialect. A function that the dialect has no use for is nil.
type Adapter struct {
	Name  string // in banks.yaml and on the command line: "gseries"
	Title string // for people: "G 系列 XML（GBK）"

	// Notice reads one pushed message. It is pure. A message without entries (a link test) gives none and no error.
	// An error is a Refusal of kind Invalid that says line or field and what was expected there.
	Notice func(b *Bank, raw []byte) ([]Entry, error)

	// Statement reads a file as it streams by and hands what it finds to the sink, in the file's order. It returns an
	// error when the file as a whole cannot be read or the sink refuses; a single bad record goes to Sink.Fault instead.
	Statement func(b *Bank, file io.Reader, sink Sink) error

	// Answer is what this dialect says back, given how the message fared. nil: the JSON answer of the API.
	Answer func(b *Bank, raw []byte, a Answer) Reply

	// Payout is how it pays. nil: it cannot.
	Payout *Paying

	// Calls are the questions of ours that the bank answers. nil: it is only listened to.
	Calls *Calls

	// read and answer are Notice and Answer for a dialect whose answer repeats something of the message: what read has taken
	// apart, as far as it went, answer need not take apart again. nil: Notice and Answer do.
	read   func(b *Bank, raw []byte) (found []Entry, read any, err error)
	answer func(read any, a Answer) Reply
}

// Sink takes a statement file apart. Begin opens a statement, Entry gives its booked entries in the file's order, each good
// until the call returns, End closes it with all that the file says about it. Fault reports a record that cannot be read, with the file going on.
// A file whose lines are not sorted by account and day (csv) begins the same account and day again after it has ended it:
// that is one statement in parts, which the sink puts together.
type Sink interface {
	Begin(s Statement) error
	Entry(e *Entry) error
	Fault(f Fault) error
	End(s Statement) error
}

// Statement is what a bank's file says about one parent account's business day.
type Statement struct {
	ParentAccount string
	Day           deposit.Day
	Currency      string // "" when the file does not say
	Opening       *deposit.Fen
	Closing       *deposit.Fen // nil: the file does not say
	Declared      Declared
	LastPage      bool // false only when the file says that more pages follow
}

// Declared is what a file claims about its own lines; -1 or nil where it claims nothing.
type Declared struct {
	Entries, Credits, Debits int
	Sum, CreditSum, DebitSum *deposit.Fen
}

// Undeclared is a Declared that claims nothing.
var Undeclared = Declared{Entries: -1, Credits: -1, Debits: -1}

// Fault is a record that cannot be read: where it stands (line and column from 1), and what was expected there.
type Fault struct {
	Line, Column int
	Code         string // stable, for machines: "charset", "amount_decimals"
	Text         string // for people, in Chinese
	Raw          string // the record, decoded as far as it could be
}

// Outcome is how a message fared.
type Outcome string

// The outcomes. All but Refused are success to the bank: the money is known, whatever we think of it.
const (
	New       Outcome = "NEW"       // stored just now
	Duplicate Outcome = "DUPLICATE" // known before, with the same content
	Conflicts Outcome = "CONFLICT"  // known before with other content; kept for a person
	Refused   Outcome = "REFUSED"   // not understood or not trusted; kept as received
)

// Answer is what a dialect's reply is made of.
type Answer struct {
	Outcome Outcome
	Err     error     // why, when refused or when we could not store it; nil otherwise
	At      time.Time // when it is answered
}

// Reply is what goes back to the bank.
type Reply struct {
	ContentType string
	Body        []byte
}

// adapters is the register; each dialect's file adds itself by standing in this list.
var adapters = []*Adapter{gseries, camt, csvAdapter, delimitedAdapter, fixedAdapter, jsonPush, painAdapter, pain03Adapter}

// Adapters lists the dialects in the order of their names.
func Adapters() []*Adapter {
	return slices.SortedFunc(slices.Values(adapters), func(a, b *Adapter) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// AdapterOf finds a dialect by name; the error lists those there are.
func AdapterOf(name string) (*Adapter, error) {
	byName := map[string]*Adapter{}
	for _, a := range adapters {
		byName[a.Name] = a
	}
	if a, ok := byName[name]; ok {
		return a, nil
	}
	return nil, deposit.Refuse(deposit.Invalid, "adapter_unknown", "没有名为“", name, "”的报文格式；可用：", slices.Sorted(maps.Keys(byName)))
}
