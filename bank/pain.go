package bank

import (
	"strconv"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// pain is a version of pain.001 that is written; pain.002 is read in all its versions, by local names.
type pain struct {
	version string // "09"
	day     string // how ReqdExctnDt says a day: path below it, "Dt" since version 8
}

// The payments of ISO 20022. Our serial is InstrId and EndToEndId of its transaction, and stands first in Ustrd, since
// that is what a statement's remark brings back. A batch of several sub-accounts has a PmtInf for each.
var (
	painAdapter   = &Adapter{Name: "pain", Title: "ISO 20022 付款 pain.001.001.09", Payout: painPaying}
	pain03Adapter = &Adapter{Name: "pain03", Title: "ISO 20022 付款 pain.001.001.03", Payout: pain{version: "03"}.paying()}

	painPaying = pain{"09", "Dt"}.paying()
)

func (v pain) paying() *Paying {
	return &Paying{
		MaxLines: MaxPayLines, Serial: "EndToEndId、InstrId 和 RmtInf/Ustrd 的开头",
		Fields: []PayField{ // Max34Text, Max140Text; a Chinese name goes on over CNAPS in 120 bytes
			{Name: "payee_account", Most: 34, Needs: Always, Number: true}, {Name: "payee_name", Most: 120, Needs: Always},
			{Name: "payee_bank_code", Most: 12, Needs: OtherBank, Number: true}, {Name: "payee_bank", Most: 120},
			{Name: "purpose", Most: 120}, {Name: "origin_serial", Most: 64, Number: true}, {Name: "from_sub", Most: 34, Number: true},
		},
		Write: v.write, Read: readPain002,
	}
}

// write makes a pain.001 in UTF-8.
func (v pain) write(b *Bank, p Payout) ([]byte, error) {
	d := &painDoc{pain: v, bank: b, p: &p}
	d.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.` + v.version + `"><CstmrCdtTrfInitn>`)
	d.in("GrpHdr", func() {
		d.leaf("MsgId", p.Number)
		d.leaf("CreDtTm", p.CreatedAt.In(deposit.Shanghai).Format(time.RFC3339))
		d.sums(p.Lines)
		d.in("InitgPty", d.payer)
	})
	groups := bySub(&p)
	for i, lines := range groups {
		id := p.Number
		if len(groups) > 1 {
			id += "-" + strconv.Itoa(i+1)
		}
		d.WriteString("\n")
		d.in("PmtInf", func() { d.payments(id, lines) })
	}
	d.WriteString("</CstmrCdtTrfInitn></Document>\n")
	return []byte(d.String()), nil
}

// bySub divides a batch by the sub-accounts its lines are paid from, in the order of their first lines.
func bySub(p *Payout) (groups [][]PayLine) {
	at := map[string]int{}
	for _, l := range p.Lines {
		if l.FromSub == "" {
			l.FromSub = p.SubAccount
		}
		i, known := at[l.FromSub]
		if !known {
			i = len(groups)
			at[l.FromSub], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], l)
	}
	return groups
}

// painDoc is a message while it is written.
type painDoc struct {
	strings.Builder
	pain
	bank *Bank
	p    *Payout
}

func (d *painDoc) in(name string, body func()) {
	d.WriteString("<" + name + ">")
	body()
	d.WriteString("</" + name + ">")
}

// leaf writes a text; nothing where it is empty.
func (d *painDoc) leaf(name, text string) {
	if text != "" {
		gElement(&d.Builder, name, text)
	}
}

// path writes a text within elements within each other: "FinInstnId/Othr/Id".
func (d *painDoc) path(names, text string) {
	outer, rest, deeper := strings.Cut(names, "/")
	if !deeper {
		d.leaf(outer, text)
		return
	}
	d.in(outer, func() { d.path(rest, text) })
}

func (d *painDoc) sums(lines []PayLine) {
	d.leaf("NbOfTxs", strconv.Itoa(len(lines)))
	d.leaf("CtrlSum", (&Payout{Lines: lines}).Total().String())
}

// payer names who pays: by name, or where we know none by the account.
func (d *painDoc) payer() {
	if d.p.PayerName != "" {
		d.leaf("Nm", d.p.PayerName)
		return
	}
	d.path("Id/OrgId/Othr/Id", d.p.ParentAccount)
}

// payments writes what one account pays.
func (d *painDoc) payments(id string, lines []PayLine) {
	account := lines[0].FromSub
	if account == "" {
		account = d.p.ParentAccount
	}
	d.leaf("PmtInfId", id)
	d.leaf("PmtMtd", "TRF")
	d.leaf("BtchBookg", strconv.FormatBool(d.bank.Posting == PostSummary))
	d.sums(lines)
	d.path(strings.TrimSuffix("ReqdExctnDt/"+d.day, "/"), string(deposit.DayOf(d.p.CreatedAt)))
	d.in("Dbtr", d.payer)
	d.in("DbtrAcct", func() {
		d.path("Id/Othr/Id", account)
		d.leaf("Ccy", onlyCurrency)
	})
	d.path("DbtrAgt/FinInstnId/Othr/Id", "NOTPROVIDED") // the bank that reads it is the one
	for i := range lines {
		d.WriteString("\n")
		d.in("CdtTrfTxInf", func() { d.payment(&lines[i]) })
	}
}

func (d *painDoc) payment(l *PayLine) {
	d.in("PmtId", func() {
		d.leaf("InstrId", l.Serial)
		d.leaf("EndToEndId", l.Serial)
	})
	d.in("Amt", func() {
		d.WriteString(`<InstdAmt Ccy="` + onlyCurrency + `">` + l.Amount.String() + `</InstdAmt>`)
	})
	if l.PayeeBankCode != "" || l.PayeeBank != "" {
		d.in("CdtrAgt", func() { d.in("FinInstnId", func() { d.agent(l) }) })
	}
	d.in("Cdtr", func() { d.leaf("Nm", l.PayeeName) })
	d.path("CdtrAcct/Id/Othr/Id", l.PayeeAccount)
	d.path("RmtInf/Ustrd", strings.TrimSpace(l.Serial+" "+l.Purpose))
}

func (d *painDoc) agent(l *PayLine) {
	if l.PayeeBankCode != "" {
		d.in("ClrSysMmbId", func() {
			d.path("ClrSysId/Cd", "CNAPS")
			d.leaf("MmbId", l.PayeeBankCode)
		})
	}
	d.leaf("Nm", l.PayeeBank)
}
