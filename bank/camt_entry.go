package bank

import (
	"cmp"
	"strings"

	"depositd/platform/deposit"
)

// camtEntry is one Ntry as written, with the transactions (TxDtls) it is made of.
type camtEntry struct {
	Ref, NtryRef string // AcctSvcrRef, the bank's own, and NtryRef
	Amount       deposit.Fen
	Currency     string
	Direction    Direction
	Reversal     bool
	Status       string // "BOOK"; "PDNG", "INFO" and the like are not booked
	Booked       camtDate
	Value        camtDate
	Info         string // AddtlNtryInf
	Details      []camtDetail
	Fault        *Fault // why it cannot become an Entry
	tree         *camtNode
}

// camtDetail is one transaction within an entry.
type camtDetail struct {
	Ref, Original    string // AcctSvcrRef, and the reference of the original where the bank names one
	EndToEnd, TxID   string
	Amount           *deposit.Fen // nil where it says none that can be read
	Currency         string
	Direction        Direction // "" where it says none: the entry's
	Debtor, Creditor camtParty
	Remark           string
	Reference        string // the creditor's structured reference
	Returned         bool
}

// camtParty is one side of a transaction.
type camtParty struct{ Name, Account, Bank, BankCode string }

// camtBooked is the status of an entry on the books; one without status is booked.
const camtBooked = "BOOK"

func newCamtEntry(e *camtNode, details []camtDetail) *camtEntry {
	n := &camtEntry{tree: e, Ref: camtRef(e.say("AcctSvcrRef")), NtryRef: camtRef(e.say("NtryRef")), Currency: e.at("Amt").ccy(), Details: details,
		Reversal: camtTrue(e.say("RvslInd")), Direction: camtDirection(e), Info: squeeze(e.say("AddtlNtryInf"))}
	n.Status = cmp.Or(e.say("Sts"), e.say("Sts", "Cd"), e.say("Sts", "Prtry"), camtBooked)
	var err error
	if n.Amount, err = camtAmount(e.at("Amt")); err != nil {
		n.spoil("Amt", err)
	}
	if n.Direction == "" {
		n.spoil("CdtDbtInd", deposit.Refuse(deposit.Invalid, "direction_unknown", "应为 CRDT 或 DBIT"))
	}
	if n.Booked, err = newCamtDate(e.at("BookgDt")); err != nil {
		n.spoil("BookgDt", err)
	}
	if n.Value, err = newCamtDate(e.at("ValDt")); err != nil && n.Booked.Day == "" {
		n.spoil("ValDt", err)
	}
	return n
}

// spoil marks an entry that cannot be read; the first reason stands.
func (n *camtEntry) spoil(child string, err error) {
	if n.Fault == nil {
		f := camtFault(n.tree, child, err)
		n.Fault = &f
	}
}

// detailSum adds up the transactions, those that go the other way subtracted. It is not known when there is none, or one
// says no amount or an amount in another currency.
func (n *camtEntry) detailSum() (sum deposit.Fen, known bool) {
	for _, d := range n.Details {
		switch {
		case d.Amount == nil || d.Currency != n.Currency:
			return 0, false
		case d.Direction != "" && d.Direction != n.Direction:
			sum -= *d.Amount
		default:
			sum += *d.Amount
		}
	}
	return sum, len(n.Details) > 0
}

// inParts says whether the entry stands for several payments, each of which it tells.
func (n *camtEntry) inParts() bool {
	for _, d := range n.Details {
		if d.Amount == nil || *d.Amount <= 0 || d.Direction != "" && d.Direction != n.Direction {
			return false
		}
	}
	sum, known := n.detailSum()
	return len(n.Details) > 1 && known && sum == n.Amount
}

func newCamtDetail(e *camtNode) camtDetail {
	amount := e.at("Amt")
	if amount == nil {
		amount = e.at("AmtDtls", "TxAmt", "Amt")
	}
	refs, parties, agents, remittance := e.at("Refs"), e.at("RltdPties"), e.at("RltdAgts"), e.at("RmtInf")
	d := camtDetail{Ref: camtRef(refs.say("AcctSvcrRef")), EndToEnd: camtRef(refs.say("EndToEndId")), TxID: camtRef(refs.say("TxId")),
		Original: camtOriginal(refs), Currency: amount.ccy(), Direction: camtDirection(e), Returned: e.at("RtrInf") != nil,
		Debtor:    newCamtParty(parties, agents, "Dbtr"),
		Creditor:  newCamtParty(parties, agents, "Cdtr"),
		Reference: camtReference(remittance),
		Remark:    cmp.Or(camtUnstructured(remittance), squeeze(e.say("AddtlTxInf")))}
	if fen, err := camtAmount(amount); err == nil {
		d.Amount = &fen
	}
	return d
}

// newCamtParty reads one side. Since version 8 a party stands one level deeper (Pty), or is a bank (Agt).
func newCamtParty(parties, agents *camtNode, role string) camtParty {
	party, account, agent := parties.at(role), parties.at(role+"Acct"), agents.at(role+"Agt", "FinInstnId")
	p := camtParty{Account: camtAccount(account.at("Id"))}
	p.Name = cmp.Or(party.say("Nm"), party.say("Pty", "Nm"), party.say("Agt", "FinInstnId", "Nm"), account.say("Nm"))
	p.Bank = cmp.Or(agent.say("Nm"), agent.say("NmAndAdr", "Nm"), agents.say(role+"Agt", "BrnchId", "Nm"), agent.say("BICFI"), agent.say("BIC"))
	if code := agent.say("ClrSysMmbId", "MmbId"); len(code) == 12 { // a 联行号; other clearing systems have shorter ones
		p.BankCode = code
	}
	return p
}

// camtAccount reads an account's number: an IBAN, any other (Othr), or one of the forms of the first version.
func camtAccount(id *camtNode) string {
	return cmp.Or(id.say("IBAN"), id.say("Othr", "Id"), id.say("BBAN"), id.say("PrtryAcct", "Id"), id.say("UPIC"))
}

// camtOriginal is the reference of the original transaction, where the bank gives it a name that says so.
func camtOriginal(refs *camtNode) string {
	if refs == nil {
		return ""
	}
	for _, e := range refs.kids {
		if e.name == "Prtry" && strings.HasPrefix(strings.ToUpper(e.say("Tp")), "ORIG") {
			return camtRef(e.say("Ref"))
		}
	}
	return camtRef(refs.say("OrgnlAcctSvcrRef"))
}

func camtReference(remittance *camtNode) string {
	if remittance == nil {
		return ""
	}
	for _, e := range remittance.kids {
		if ref := e.say("CdtrRefInf", "Ref"); e.name == "Strd" && ref != "" {
			return ref
		}
	}
	return ""
}

func camtUnstructured(remittance *camtNode) string {
	if remittance == nil {
		return ""
	}
	var lines []string
	for _, e := range remittance.kids {
		if e.name == "Ustrd" {
			lines = append(lines, e.say())
		}
	}
	return squeeze(strings.Join(lines, " "))
}

// camtRef leaves out what banks write where they have no reference.
func camtRef(s string) string {
	switch s {
	case "NOTPROVIDED", "NONREF", "NONE":
		return ""
	}
	return s
}

func camtDirection(e *camtNode) Direction {
	switch e.say("CdtDbtInd") {
	case "CRDT":
		return Credit
	case "DBIT":
		return Debit
	}
	return ""
}

func camtTrue(s string) bool { return s == "true" || s == "1" }

// camtFault says what is wrong with a child of a record, or that it is missing.
func camtFault(record *camtNode, child string, err error) Fault {
	at := record.at(child)
	if at == nil {
		at = record
	}
	refusal := deposit.AsRefusal(err)
	return Fault{Line: at.line, Column: at.column, Code: refusal.Code, Text: child + "：" + refusal.Text, Raw: record.String()}
}
