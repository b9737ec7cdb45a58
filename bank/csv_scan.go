package bank

import (
	"io"

	"depositd/platform/deposit"
)

// BareCredit is a credit on a sub-account as it stands in a csv statement, as far as it has to be known to be judged. It is no
// payment of ours that came back. Its texts are good until the next.
type BareCredit struct {
	Line          int
	Serial        []byte
	ParentAccount []byte
	SubAccount    []byte
	Amount        deposit.Fen
	BookedAt      int64  // seconds since 1970
	PayerName     []byte // UTF-8; its deposit.NameKey is not empty
	PayerAccount  []byte
}

// CSVScan reads a statement of the adapter "csv" with a short way for the credits that hold nothing odd, of which nothing
// else is told: Credit gets those, Entry every other entry with its line.
type CSVScan struct {
	Bank   *Bank
	Credit func(*BareCredit) error
	Entry  func(line int, e *Entry) error
	Fault  func(Fault) error

	scan   Scan
	plain  plainCSV
	credit BareCredit
}

// The places of the columns in csvColumns.
const (
	csvSerial = iota
	csvDay
	csvBookedAt
	csvParent
	csvSub
	csvSide
	csvAmount
	csvPayer
	csvPayerAccount
	csvPayerBank
	csvRemark
	csvReversalOf
)

// Read reads the file.
func (c *CSVScan) Read(file io.Reader) error {
	c.plain.bank = c.Bank
	c.scan = Scan{Declared: c.Bank.Charset, Columns: csvNames(), Bare: c.bare, Fault: c.Fault, Row: func(r *Row) error {
		k, f := c.plain.entry(r)
		if f != nil {
			return c.Fault(*f)
		}
		return c.Entry(r.Line, k)
	}}
	return c.scan.Read(file)
}

// Again reads again, as entries, credits that came bare: those of the lines in the set, see Scan.Again.
func (c *CSVScan) Again(file io.ReaderAt, set []uint64, from, to int, entry func(line int, e *Entry) error) error {
	plain := plainCSV{bank: c.Bank}
	return c.scan.Again(file, set, from, to, func(r *Row) error {
		k, f := plain.entry(r)
		if f != nil {
			return FileChanged()
		}
		return entry(r.Line, k)
	})
}

// bare gives a credit if all its fields are as plainCSV would have them, or simpler.
func (c *CSVScan) bare(r *Bare) error {
	k := &c.credit
	k.Line, k.Serial, k.SubAccount, k.PayerAccount = r.Line, r.Code(csvSerial, 64), r.Code(csvSub, 40), r.Code(csvPayerAccount, 64)
	k.ParentAccount = r.field(csvParent)
	r.Known(csvParent, c.admitsParent)
	r.Known(csvDay, isBookingDay)
	if r.odd || len(k.Serial) == 0 || len(k.SubAccount) == 0 || string(k.SubAccount) == string(k.ParentAccount) ||
		string(r.field(csvSide)) != string(Credit) || len(r.field(csvReversalOf)) > 0 {
		r.odd = true
		return nil
	}
	k.Amount, k.BookedAt = r.Yuan(csvAmount), r.Wall(csvBookedAt)
	k.PayerName, _ = r.Name(csvPayer)
	r.Known(csvPayerBank, isPayerBank)
	r.Known(csvRemark, isOwnRemark)
	if r.odd || k.BookedAt < firstBookedAt || k.BookedAt > lastBookedAt {
		r.odd = true
		return nil
	}
	return c.Credit(k)
}

// The bounds of a booking, see plainCSV.read.
var (
	firstBookedAt = firstBooking.Start().Unix()
	lastBookedAt  = lastBooking.Add(1).Start().Unix() - 1
)

func (c *CSVScan) admitsParent(text string) (int64, bool) {
	return 0, text != "" && isDigits(text, 40) && c.Bank.Code != "" && isDigits(c.Bank.Code, 32)
}

func isBookingDay(text string) (int64, bool) {
	d, err := deposit.ParseDay(text)
	return 0, err == nil && d >= firstBooking && d <= lastBooking
}

func isPayerBank(text string) (int64, bool) { return 0, isProse(text, 200) }

// isOwnRemark admits a remark that does not say that a payment came back.
func isOwnRemark(text string) (int64, bool) {
	return 0, isProse(text, maxRemark) && !saysBack(text)
}
