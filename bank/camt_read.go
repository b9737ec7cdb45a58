package bank

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// camtReader pulls statements and their entries out of a message, one at a time, so that memory does not grow with the
// number of entries. It counts everything the message holds, booked or not, and judges nothing.
type camtReader struct {
	x        *xmlReader
	root     string // name of the root element, for whoever sent something else
	message  string // "camt.053"; "" before the message's element
	within   bool   // between that element's tags
	lastPage bool   // what the group header says
	found    int    // statements so far

	ntry    *xml.StartElement // the start tag of the entry that comes next
	details []camtDetail      // of the entry being read
	size    int               // elements of the record being read
	spoilt  *Fault
}

// camtMessages are the messages read; the first versions wrote theirs into the element's name (BkToCstmrStmtV01).
var camtMessages = map[string]string{"BkToCstmrAcctRpt": "camt.052", "BkToCstmrStmt": "camt.053", "BkToCstmrDbtCdtNtfctn": "camt.054"}

// camtKinds are the names a statement has in the three messages.
var camtKinds = map[string]bool{"Rpt": true, "Stmt": true, "Ntfctn": true}

func newCamtReader(file io.Reader) *camtReader {
	return &camtReader{x: newXML(file, "")} // ISO 20022 is UTF-8 unless the XML declaration says otherwise
}

// camtStatement is one Rpt, Stmt or Ntfctn: what its head says and, as its entries go by, what they come to.
type camtStatement struct {
	Kind, ID, Account, Currency string
	Created                     string // as written
	Period                      camtDate
	Balances                    []camtBalance
	Declared                    Declared
	Net                         *deposit.Fen // declared; the sign is the file's, where it writes one
	LastPage                    bool
	Faults                      []Fault // of the head; whoever reports them empties the list

	Read   camtTally
	Status map[string]int
	done   bool
}

// camtTally is what entries come to, whatever their status and currency.
type camtTally struct {
	Entries, Credits, Debits, Details, Reversals, Foreign int
	CreditSum, DebitSum                                   deposit.Fen
}

// statement reads up to the first entry of the next statement; io.EOF after the last.
func (c *camtReader) statement() (*camtStatement, error) {
	for {
		t, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil, c.ended()
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			c.within = false // the message's own: those of its children are read with them
		case xml.StartElement:
			s, err := c.opened(t)
			if s != nil || err != nil {
				return s, err
			}
		}
	}
}

// opened looks at a start tag outside of statements.
func (c *camtReader) opened(start xml.StartElement) (*camtStatement, error) {
	name := start.Name.Local
	if c.root == "" {
		c.root = name
	}
	if !c.within {
		bare, _, _ := strings.Cut(name, "V")
		if message, ok := camtMessages[bare]; ok {
			c.message, c.within, c.lastPage = message, true, true
		}
		return nil, nil // else an envelope, whose children come next
	}
	if camtKinds[name] {
		c.found++
		s := &camtStatement{Kind: name, Declared: Undeclared, LastPage: c.lastPage, Status: map[string]int{}}
		return s, c.head(s)
	}
	e, err := c.element(start)
	c.size = 0
	if err == nil && name == "GrpHdr" {
		c.lastPage = e.say("MsgPgntn", "LastPgInd") != "false"
	}
	return nil, err
}

func (c *camtReader) ended() error {
	switch {
	case c.message == "":
		return c.x.refuse("camt_unknown", "不是 camt.052、camt.053 或 camt.054 报文（根元素为 ", c.root, "）")
	case c.found == 0:
		return c.x.refuse("camt_empty", c.message, " 报文里没有账户报告（Rpt、Stmt 或 Ntfctn）")
	}
	return io.EOF
}

// head reads what stands between entries: all before the first, and rarely something behind the last.
func (c *camtReader) head(s *camtStatement) error {
	for {
		t, err := c.next()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.EndElement:
			s.done = true
			return nil
		case xml.StartElement:
			if t.Name.Local == "Ntry" {
				start := t.Copy()
				c.ntry = &start
				return nil
			}
			e, err := c.element(t)
			if err != nil {
				return err
			}
			if err := s.headed(e, c.takeSpoilt()); err != nil {
				return err
			}
			c.size = 0
		}
	}
}

// entry gives the statement's next entry, nil after the last.
func (c *camtReader) entry(s *camtStatement) (*camtEntry, error) {
	if c.ntry == nil && !s.done {
		if err := c.head(s); err != nil {
			return nil, err
		}
	}
	if c.ntry == nil {
		return nil, nil
	}
	c.details, c.size = nil, 0
	tree, err := c.element(*c.ntry)
	c.ntry = nil
	if err != nil {
		return nil, err
	}
	e := newCamtEntry(tree, c.details)
	if f := c.takeSpoilt(); f != nil {
		f.Raw = tree.String()
		e.Fault = f
	}
	s.count(e)
	return e, nil
}

// headed takes one element of the head, unless it could not be decoded. Without the account's number a statement is
// nobody's: then the file is refused.
func (s *camtStatement) headed(e *camtNode, spoilt *Fault) error {
	if spoilt == nil || e.name == "Acct" {
		s.take(e)
	}
	if spoilt == nil {
		return nil
	}
	if strings.ContainsRune(s.Account+s.Currency, utf8.RuneError) {
		return deposit.Refuse(deposit.Invalid, spoilt.Code, spoilt.Text)
	}
	spoilt.Raw = e.String()
	s.Faults = append(s.Faults, *spoilt)
	return nil
}

// take reads one element of a statement's head.
func (s *camtStatement) take(e *camtNode) {
	switch e.name {
	case "Id":
		s.ID = e.say()
	case "CreDtTm":
		s.Created = e.say()
	case "FrToDt":
		s.Period = camtPeriod(e)
	case "Acct":
		s.Account, s.Currency = camtAccount(e.at("Id")), e.say("Ccy")
	case "Bal":
		s.balance(e)
	case "TxsSummry":
		s.summary(e)
	case "StmtPgntn", "RptPgntn", "NtfctnPgntn":
		s.LastPage = e.say("LastPgInd") != "false"
	}
}

// summary reads what the statement claims about its own entries.
func (s *camtStatement) summary(e *camtNode) {
	all, credits, debits := e.at("TtlNtries"), e.at("TtlCdtNtries"), e.at("TtlDbtNtries")
	s.Declared.Entries, s.Declared.Sum = s.number(all, "NbOfNtries"), s.sum(all, "Sum")
	s.Declared.Credits, s.Declared.CreditSum = s.number(credits, "NbOfNtries"), s.sum(credits, "Sum")
	s.Declared.Debits, s.Declared.DebitSum = s.number(debits, "NbOfNtries"), s.sum(debits, "Sum")
	if s.Net = s.sum(all, "TtlNetNtryAmt"); s.Net == nil { // since version 4
		s.Net = s.sum(all.at("TtlNetNtry"), "Amt")
	}
}

func (s *camtStatement) number(in *camtNode, name string) int {
	e := in.at(name)
	if e == nil {
		return -1
	}
	n, err := strconv.ParseUint(e.say(), 10, 31)
	if err != nil {
		s.fault(in, name, deposit.Refuse(deposit.Invalid, "count_malformed", "笔数应为整数：", clip(e.say())))
		return -1
	}
	return int(n)
}

func (s *camtStatement) sum(in *camtNode, name string) *deposit.Fen {
	e := in.at(name)
	if e == nil {
		return nil
	}
	fen, err := camtFen(e.say())
	if err != nil {
		s.fault(in, name, err)
		return nil
	}
	return &fen
}

func (s *camtStatement) fault(record *camtNode, child string, err error) {
	s.Faults = append(s.Faults, camtFault(record, child, err))
}

// count adds an entry to what was read. One that cannot be read counts as an entry, and adds to no sum.
func (s *camtStatement) count(e *camtEntry) {
	s.Status[e.Status]++
	s.Read.Entries++
	s.Read.Details += len(e.Details)
	if e.Reversal {
		s.Read.Reversals++
	}
	if s.Currency != "" && e.Currency != s.Currency {
		s.Read.Foreign++
	}
	switch e.Direction {
	case Credit:
		s.Read.Credits++
		s.Read.CreditSum += e.Amount
	case Debit:
		s.Read.Debits++
		s.Read.DebitSum += e.Amount
	}
}
