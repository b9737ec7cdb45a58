// Package banksim is the far end: a bank to test against and to show the service with. It keeps parent accounts and a
// book of entries for each day, pushes notices in its dialect over real HTTP or TCP, delivers end-of-day statements, and
// does any of it wrongly when told to. It answers what the service asks it, about the numbers of its own pool and the
// bookings on them (Listen).
//
// A Sim is as random as the generator it is given and as late as its clock: the same seed books the same entries and
// sends the same bytes. It is safe for use by many goroutines, if the clock is; nothing is held while a message is under way.
package banksim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// Sim is one bank.
type Sim struct {
	bank *bank.Bank
	rand *rand.Rand
	now  func() time.Time

	mu      sync.Mutex          // over what follows, and rand
	books   map[string]*book    // by parent account
	serials map[deposit.Day]int // the last that was given
	outbox  []notice
	sent    int                 // messages so far
	caps    map[deposit.Day]int // how many notices of a day's bookings are pushed at most
	pushed  map[deposit.Day]int // and how many were
	pools   map[string]*pool    // by parent account
	faults  map[string][]CallFault
	heard   []Heard
	pays    *Payments // what the bank is told to pay goes there; nil: it takes no orders
}

// book is one parent account.
type book struct {
	opening deposit.Fen  // before the first entry
	entries []bank.Entry // in booking order
	altered map[deposit.Day]deposit.Fen
	cutOff  map[deposit.Day]bool
}

// notice is an entry that the service is to be told of.
type notice struct {
	entry  bank.Entry
	copies int
	held   bool // until Release
}

// Party is the other side of a booking.
type Party struct{ Name, Account, Bank, BankCode string }

// Transfer is money that comes to a parent account, or leaves it.
type Transfer struct {
	Parent     string // "": the bank's only account
	SubAccount string // "": the parent account itself
	With       Party  // who pays; of a debit, who is paid
	Amount     deposit.Fen
	At         time.Time // zero: now
	Remark     string
	Returned   bool // a payment of ours that comes back (退汇)
	Fault      Fault
}

// Fault is what goes wrong with the notice of an entry.
type Fault string

// The faults of notices. A bank's files have faults of their own: Alter, CutOff; its days have one: Cap.
const (
	Lost         Fault = "lost"         // never pushed
	Twice        Fault = "twice"        // pushed twice, as two messages
	Late         Fault = "late"         // pushed by the first Deliver after Release
	Contradicted Fault = "contradicted" // pushed with another amount than is booked
	Phantom      Fault = "phantom"      // pushed and never booked: the statement does not have it
)

// New makes a bank as banks.yaml describes it, whose parent accounts are empty.
func New(b *bank.Bank, r *rand.Rand, now func() time.Time) *Sim {
	s := &Sim{bank: b, rand: r, now: now, books: map[string]*book{}, serials: map[deposit.Day]int{}, caps: map[deposit.Day]int{}, pushed: map[deposit.Day]int{},
		pools: map[string]*pool{}, faults: map[string][]CallFault{}}
	for _, parent := range b.ParentAccounts {
		s.books[parent] = &book{altered: map[deposit.Day]deposit.Fen{}, cutOff: map[deposit.Day]bool{}}
	}
	return s
}

// Bank is the bank as the service knows it.
func (s *Sim) Bank() *bank.Bank { return s.bank }

// Hold sets what stood on a parent account before its first entry.
func (s *Sim) Hold(parent string, balance deposit.Fen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book(parent).opening = balance
}

// Credit books money that came in, and puts its notice into the outbox.
func (s *Sim) Credit(t Transfer) bank.Entry { return s.enter(t, bank.Credit) }

// Debit books money that left. Banks push notices of credits only.
func (s *Sim) Debit(t Transfer) bank.Entry { return s.enter(t, bank.Debit) }

// Reverse books the reversal (冲正) of an entry, a debit of a credit and the other way round. It is pushed where the dialect can say so.
func (s *Sim) Reverse(of bank.Entry, at time.Time) bank.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := of
	e.BookedAt, e.BookingDate = at, deposit.DayOf(at)
	e.Serial, e.SerialSeq = s.serial(e.BookingDate), 0
	e.Reversal, e.ReversalOf, e.Returned, e.Remark = bank.Reverses, of.Serial, false, "冲正"
	e.Direction = bank.Debit
	if of.Direction == bank.Debit {
		e.Direction = bank.Credit
	}
	s.write(e)
	s.tell(e, "")
	return e
}

// Cap makes the bank push only so many of a day's bookings and say nothing of the others, as some systems do at a round number.
func (s *Sim) Cap(day deposit.Day, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caps[day] = most
}

// Alter makes the statement of a day tell a closing balance that is off by so much.
func (s *Sim) Alter(parent string, day deposit.Day, by deposit.Fen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book(parent).altered[day] = by
}

// CutOff makes the statement file of a day break off before its end.
func (s *Sim) CutOff(parent string, day deposit.Day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.book(parent).cutOff[day] = true
}

// Release lets the notices go that were held back as Late.
func (s *Sim) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.outbox {
		s.outbox[i].held = false
	}
}

// Entries gives the book of a parent account's day, in booking order.
func (s *Sim) Entries(parent string, day deposit.Day) []bank.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries(parent, day)
}

func (s *Sim) entries(parent string, day deposit.Day) []bank.Entry {
	var on []bank.Entry
	for _, e := range s.book(parent).entries {
		if e.BookingDate == day {
			on = append(on, e)
		}
	}
	return on
}

// Balances gives what stood on a parent account before a day and what stands on it after the day.
func (s *Sim) Balances(parent string, day deposit.Day) (opening, closing deposit.Fen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.balances(parent, day)
}

func (s *Sim) balances(parent string, day deposit.Day) (opening, closing deposit.Fen) {
	b := s.book(parent)
	opening = b.opening
	for i := range b.entries {
		if b.entries[i].BookingDate < day {
			opening += moved(&b.entries[i])
		}
	}
	closing = opening
	for i := range b.entries {
		if b.entries[i].BookingDate == day {
			closing += moved(&b.entries[i])
		}
	}
	return opening, closing
}

// moved is what an entry adds to the balance.
func moved(e *bank.Entry) deposit.Fen {
	if e.Direction == bank.Debit {
		return -e.Amount
	}
	return e.Amount
}

// book finds a parent account; "" is the only one. An account that the bank does not have is opened.
func (s *Sim) book(parent string) *book {
	if parent == "" {
		parent = s.bank.Parent()
	}
	b := s.books[parent]
	if b == nil {
		b = &book{altered: map[deposit.Day]deposit.Fen{}, cutOff: map[deposit.Day]bool{}}
		s.books[parent] = b
	}
	return b
}

func (s *Sim) enter(t Transfer, direction bank.Direction) bank.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := t.At
	if at.IsZero() {
		at = s.now()
	}
	at = at.In(deposit.Shanghai).Truncate(time.Second) // banks book to the second
	day := deposit.DayOf(at)
	e := bank.Entry{Bank: s.bank.Code, ParentAccount: t.Parent, BookingDate: day, Serial: s.serial(day), Direction: direction, Returned: t.Returned,
		SubAccount: t.SubAccount, Amount: t.Amount, BookedAt: at, PayerName: t.With.Name, PayerAccount: t.With.Account, PayerBank: t.With.Bank,
		PayerBankCode: t.With.BankCode, Remark: t.Remark}
	if e.ParentAccount == "" {
		e.ParentAccount = s.bank.Parent()
	}
	if t.Fault != Phantom {
		s.write(e)
	}
	if direction == bank.Credit {
		s.tell(e, t.Fault)
	}
	return e
}

// serial gives a number like 260612000000042: the day, and a count that other customers of the bank use as well.
func (s *Sim) serial(day deposit.Day) string {
	s.serials[day] += 1 + s.rand.IntN(40)
	return fmt.Sprintf("%s%09d", strings.ReplaceAll(string(day), "-", "")[2:], s.serials[day])
}

// write keeps the book in booking order.
func (s *Sim) write(e bank.Entry) {
	b := s.book(e.ParentAccount)
	after := func(other bank.Entry) bool { return other.BookedAt.After(e.BookedAt) }
	at := slices.IndexFunc(b.entries, after)
	if at < 0 {
		at = len(b.entries)
	}
	b.entries = slices.Insert(b.entries, at, e)
}

// tell puts the notice of an entry into the outbox, with what goes wrong with it.
func (s *Sim) tell(e bank.Entry, fault Fault) {
	n := notice{entry: e, copies: 1, held: fault == Late}
	switch fault {
	case Lost:
		return
	case Twice:
		n.copies = 2
	case Contradicted:
		n.entry.Amount = misread(e.Amount)
	}
	if s.pushes(&e) {
		s.outbox = append(s.outbox, n)
	}
}

// pushes says whether the bank tells of an entry at all: the G series knows credits only.
func (s *Sim) pushes(e *bank.Entry) bool {
	return s.bank.Notices != bank.None && (e.Direction == bank.Credit && e.Reversal == "" || s.bank.Adapter.Name != "gseries")
}

// misread is an amount with two of its neighbouring digits exchanged, or a yuan more where that changes nothing.
func misread(fen deposit.Fen) deposit.Fen {
	digits := []byte(fen.String())
	for i := 1; i < len(digits)-3; i++ {
		if digits[i] != digits[i-1] && digits[i] != '0' {
			digits[i], digits[i-1] = digits[i-1], digits[i]
			if other, err := deposit.ParseYuan(string(digits)); err == nil {
				return other
			}
		}
	}
	return fen + 100
}
