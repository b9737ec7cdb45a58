package bank

import (
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Direction says whether money came to the parent account or left it.
type Direction string

// The two directions.
const (
	Credit Direction = "C"
	Debit  Direction = "D"
)

// Reversal marks an entry that takes another one back (冲正). Both stay on the books; together they are zero.
type Reversal string

// Reverses is the mark; an ordinary entry has none.
const Reverses Reversal = "R"

// Entry is one booking on a parent account. A notice and a statement line are two sightings of one entry; what makes
// them one is its Identity. Its content, once stored, is never changed.
type Entry struct {
	ID            sqldb.ID
	Bank          string // the bank's code
	ParentAccount string
	BookingDate   deposit.Day // the bank's accounting day, which is not always BookedAt's
	Serial        string      // the bank's serial number of the booking
	SerialSeq     int         // the number within the serial, for bookings of several parts
	Direction     Direction
	Reversal      Reversal
	ReversalOf    string // the serial of the entry taken back, where the bank says it
	Returned      bool   // a payment of ours that came back (退汇, 退票)
	SubAccount    string // "" when the money went to the parent account itself
	Amount        deposit.Fen
	BookedAt      time.Time // Shanghai wall time of the booking, to the second
	PayerName     string    // the raw name; of a debit, whoever was paid
	PayerKey      string    // deposit.NameKey of it, for equality only; set when the entry is stored
	PayerAccount  string
	PayerBank     string
	PayerBankCode string // 12-digit 联行号
	Remark        string
	FirstSeen     time.Time // when it was stored
}

// Identity is what makes two sightings one entry. Where a bank gives no serial, its adapter makes one of the content.
type Identity struct {
	Bank, ParentAccount string
	BookingDate         deposit.Day
	Serial              string
	SerialSeq           int
	Direction           Direction
	Reversal            Reversal
}

// Identity gives the entry's.
func (e *Entry) Identity() Identity {
	return Identity{e.Bank, e.ParentAccount, e.BookingDate, e.Serial, e.SerialSeq, e.Direction, e.Reversal}
}

// Differs names the fields in which another sighting of the same identity says something else. A field that the other
// sighting leaves empty does not differ: notices often say less than statements.
func (e *Entry) Differs(other *Entry) []string {
	var names []string
	differ := func(name, a, b string) {
		if a != b && a != "" && b != "" {
			names = append(names, name)
		}
	}
	if e.Amount != other.Amount {
		names = append(names, "amount")
	}
	differ("sub_account", e.SubAccount, other.SubAccount)
	if !e.BookedAt.Equal(other.BookedAt) && !isMidnight(e.BookedAt) && !isMidnight(other.BookedAt) {
		names = append(names, "booked_at")
	}
	differ("payer_name", e.PayerName, other.PayerName)
	differ("payer_account", e.PayerAccount, other.PayerAccount)
	differ("reversal_of", e.ReversalOf, other.ReversalOf)
	if other.Returned && !e.Returned { // few notices can say so
		names = append(names, "returned")
	}
	return names
}

// isMidnight marks a booking time of which the bank told the day only.
func isMidnight(t time.Time) bool {
	h, m, s := t.In(deposit.Shanghai).Clock()
	return h == 0 && m == 0 && s == 0
}

var entries = sqldb.NewTable("entries", "id, bank, parent_account, booking_date, serial, serial_seq, direction, reversal, reversal_of, returned, "+
	"sub_account, amount, booked_at, payer_tag, sealed, first_seen",
	func(e *Entry) []any {
		return []any{&e.ID, &e.Bank, &e.ParentAccount, &e.BookingDate, &e.Serial, &e.SerialSeq, &e.Direction, &e.Reversal, &e.ReversalOf, &e.Returned,
			&e.SubAccount, &e.Amount, sqldb.Wall(&e.BookedAt), sqldb.Tag(payerTag, &e.PayerKey), SealedPayer(e), sqldb.Wall(&e.FirstSeen)}
	})

// payerTag is the place of the tags of PayerKey.
const payerTag = "entries.payer"

// SealedPayer is the column entries.sealed, which says who paid, as a field of a query; the entry's ID has to stand before it.
func SealedPayer(e *Entry) any {
	return sqldb.Sealed("entries", &e.ID, &e.PayerName, &e.PayerKey, &e.PayerAccount, &e.PayerBank, &e.PayerBankCode, &e.Remark)
}

// TagsOfPayers are the arguments by which a statement finds entries.payer_tag for the keys of names.
func TagsOfPayers(keys []string) []any { return sqldb.Tags(payerTag, keys) }
