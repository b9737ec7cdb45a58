package banksim

import (
	"fmt"
	"strconv"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// camt writes a camt.053 or camt.054 in version 8, the one that most banks have moved to.
type camt struct {
	markup
	message string // "camt.053"
	at      time.Time
}

// camtNames are the names of a message's element and of the reports in it.
var camtNames = map[string][2]string{"camt.053": {"BkToCstmrStmt", "Stmt"}, "camt.054": {"BkToCstmrDbtCdtNtfctn", "Ntfctn"}}

func newCamt(message, id string, at time.Time) *camt {
	c := &camt{message: message, at: at.In(deposit.Shanghai)}
	fmt.Fprintf(c, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:%s.001.08\"><%s>", message, camtNames[message][0])
	c.in("GrpHdr", func() {
		c.leaf("MsgId", id)
		c.leaf("CreDtTm", c.at.Format(time.RFC3339))
	})
	return c
}

// end gives the whole message.
func (c *camt) end() []byte {
	fmt.Fprintf(c, "</%s></Document>\n", camtNames[c.message][0])
	return c.Bytes()
}

// report writes what is told of one parent account.
func (c *camt) report(s bank.Statement, entries []bank.Entry) {
	c.in(camtNames[c.message][1], func() {
		c.leaf("Id", s.ParentAccount+"-"+string(s.Day))
		c.leaf("CreDtTm", c.at.Format(time.RFC3339))
		c.in("Acct", func() {
			c.path("Id/Othr/Id", s.ParentAccount)
			c.leaf("Ccy", "CNY")
		})
		c.balance("OPBD", s.Day, s.Opening)
		c.balance("CLBD", s.Day, s.Closing)
		c.summary(s.Declared)
		for i := range entries {
			c.WriteByte('\n')
			c.entry(&entries[i])
		}
	})
}

func (c *camt) balance(code string, day deposit.Day, fen *deposit.Fen) {
	if fen == nil {
		return
	}
	amount, side := *fen, "CRDT"
	if amount < 0 {
		amount, side = -amount, "DBIT"
	}
	c.in("Bal", func() {
		c.path("Tp/CdOrPrtry/Cd", code)
		c.leaf("Amt", amount.String(), "Ccy", "CNY")
		c.leaf("CdtDbtInd", side)
		c.path("Dt/Dt", string(day))
	})
}

// summary declares what there is, where something is declared.
func (c *camt) summary(d bank.Declared) {
	if d.Entries < 0 {
		return
	}
	c.in("TxsSummry", func() {
		c.totals("TtlNtries", d.Entries, d.Sum)
		c.totals("TtlCdtNtries", d.Credits, d.CreditSum)
		c.totals("TtlDbtNtries", d.Debits, d.DebitSum)
	})
}

func (c *camt) totals(name string, n int, sum *deposit.Fen) {
	c.in(name, func() {
		c.leaf("NbOfNtries", strconv.Itoa(n))
		if sum != nil {
			c.leaf("Sum", sum.String())
		}
	})
}

func (c *camt) entry(e *bank.Entry) {
	side := "CRDT"
	if e.Direction == bank.Debit {
		side = "DBIT"
	}
	c.in("Ntry", func() {
		c.leaf("Amt", e.Amount.String(), "Ccy", "CNY")
		c.leaf("CdtDbtInd", side)
		if e.Reversal == bank.Reverses {
			c.leaf("RvslInd", "true")
		}
		c.path("Sts/Cd", "BOOK")
		c.path("BookgDt/DtTm", e.BookedAt.In(deposit.Shanghai).Format(time.RFC3339))
		c.path("ValDt/Dt", string(e.BookingDate))
		c.leaf("AcctSvcrRef", e.Serial)
		c.in("NtryDtls", func() { c.in("TxDtls", func() { c.details(e) }) })
	})
}

// details names both sides: the other one, and our account or sub-account.
func (c *camt) details(e *bank.Entry) {
	other, ours := "Dbtr", "Cdtr"
	if e.Direction == bank.Debit {
		other, ours = ours, other
	}
	self := e.SubAccount
	if self == "" {
		self = e.ParentAccount
	}
	c.path("Refs/AcctSvcrRef", e.ReversalOf)
	c.leaf("Amt", e.Amount.String(), "Ccy", "CNY")
	c.in("RltdPties", func() {
		c.path(other+"/Pty/Nm", e.PayerName)
		c.path(other+"Acct/Id/Othr/Id", e.PayerAccount)
		c.path(ours+"Acct/Id/Othr/Id", self)
	})
	if e.PayerBank != "" || e.PayerBankCode != "" {
		c.in("RltdAgts", func() {
			c.in(other+"Agt", func() {
				c.in("FinInstnId", func() {
					c.path("ClrSysMmbId/MmbId", e.PayerBankCode)
					c.leaf("Nm", e.PayerBank)
				})
			})
		})
	}
	c.path("RmtInf/Ustrd", e.Remark)
	if e.Returned {
		c.path("RtrInf/Rsn/Cd", "AC01")
	}
}
