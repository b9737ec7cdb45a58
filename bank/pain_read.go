package bank

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"depositd/platform/deposit"
)

// painWords are the statuses of pain.002, of a group, a PmtInf or a transaction.
var painWords = map[string]PayStatus{
	"ACTC": PayProcessing, "ACCP": PayProcessing, "ACSP": PayProcessing, "ACWC": PayProcessing, "PDNG": PayProcessing,
	"ACSC": PayPaid, "ACCC": PayPaid, "RJCT": PayFailed, "PART": PayPartial,
}

// painTwice are the reasons of a rejection that say that the bank has had the payment before (ExternalStatusReason1Code):
// it rejects the second one, and of the first one it says nothing.
var painTwice = []string{"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"}

// readPain002 reads a pain.002 of any version. A character that cannot be decoded makes the whole of it unreadable.
func readPain002(_ *Bank, raw []byte) (PayAnswer, error) {
	a := PayAnswer{Count: -1}
	c := newCamtReader(bytes.NewReader(trimPadding(raw)))
	var report *camtNode
	for {
		t, err := c.x.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return a, err
		}
		start, ok := t.(xml.StartElement)
		if !ok || start.Name.Local != "CstmrPmtStsRpt" {
			continue
		}
		if report != nil {
			return a, c.x.refuse("pain_repeated", "报文里有两份付款状态报告")
		}
		if report, err = c.element(start); err != nil {
			return a, err
		}
		if f := c.takeSpoilt(); f != nil {
			return a, deposit.Refuse(deposit.Invalid, f.Code, f.Text)
		}
	}
	if report == nil {
		return a, c.x.refuse("pain_unknown", "不是 pain.002 付款状态报告")
	}
	a.report(report)
	return a, nil
}

// report reads the group and what follows it. A PmtInf's status goes before the group's for the transactions in it; the
// only PmtInf of a batch, which has the batch's number, speaks for all of it.
func (a *PayAnswer) report(e *camtNode) {
	group := e.kid("OrgnlGrpInfAndSts")
	a.Batch = group.say("OrgnlMsgId")
	a.Status, a.Code, a.Text = painStatus(group, "GrpSts")
	if at, err := newCamtDate(e.at("GrpHdr", "CreDtTm")); err == nil {
		a.At = at.Time
	}
	a.original(group)
	for _, block := range e.kids {
		switch block.name {
		case "OrgnlPmtInfAndSts":
			a.payment(block)
		case "TxInfAndSts": // the first versions have them here
			a.transaction(block, PayResult{})
		}
	}
}

// original reads how large the bank says the batch was.
func (a *PayAnswer) original(group *camtNode) {
	if n, err := strconv.Atoi(group.say("OrgnlNbOfTxs")); err == nil && n >= 0 {
		a.Count = n
	}
	if sum, err := camtFen(group.say("OrgnlCtrlSum")); err == nil {
		a.Sum = &sum
	}
}

// payment reads a PmtInf.
func (a *PayAnswer) payment(block *camtNode) {
	status, code, text := painStatus(block, "PmtInfSts")
	switch {
	case status == "":
	case block.say("OrgnlPmtInfId") == a.Batch:
		a.Status, a.Code, a.Text = status, code, text
	case status != a.Status: // the blocks differ, and which one a line was in is not said
		a.Each = true
	}
	for _, tx := range block.kids {
		if tx.name == "TxInfAndSts" {
			a.transaction(tx, PayResult{Status: status, Code: code, Text: text})
		}
	}
}

// transaction reads a TxInfAndSts; without a status it has its PmtInf's, and without that the group's.
func (a *PayAnswer) transaction(tx *camtNode, block PayResult) {
	row := PayRow{PayResult: PayResult{Serial: painSerial(tx), BankSerial: camtRef(tx.say("AcctSvcrRef"))}}
	if row.Status, row.Code, row.Text = painStatus(tx, "TxSts"); row.Status == "" {
		row.Status, row.Code, row.Text = block.Status, block.Code, block.Text
	}
	if at, err := newCamtDate(tx.kid("AccptncDtTm")); err == nil {
		row.At = at.Time
	}
	of := tx.kid("OrgnlTxRef")
	row.PayeeAccount = of.say("CdtrAcct", "Id", "Othr", "Id")
	row.PayeeName = cmp.Or(of.say("Cdtr", "Nm"), of.say("Cdtr", "Pty", "Nm"))
	amount := of.at("Amt", "InstdAmt")
	fault := func(at *camtNode, code, text string) {
		a.Faults = append(a.Faults, Fault{Line: at.line, Column: at.column, Code: code, Text: text, Raw: tx.String()})
	}
	if amount != nil {
		var err error
		if row.Amount, err = camtAmount(amount); err == nil {
			err = CheckCurrency(amount.ccy())
		}
		if err != nil {
			fault(amount, deposit.AsRefusal(err).Code, deposit.AsRefusal(err).Text)
			return
		}
	}
	if row.Serial == "" {
		fault(tx, "serial_missing", "缺少 OrgnlEndToEndId，或与 OrgnlInstrId 不同")
		return
	}
	a.Rows = append(a.Rows, row)
}

// painSerial is the transaction's serial: both of its references are ours, and where both are told they are the same.
func painSerial(tx *camtNode) string {
	end, instruction := tx.say("OrgnlEndToEndId"), tx.say("OrgnlInstrId")
	if end != "" && instruction != "" && end != instruction {
		return ""
	}
	return cmp.Or(end, instruction)
}

// painStatus reads a status, and the reasons beside it: "RJCT/AC01".
func painStatus(e *camtNode, name string) (status PayStatus, code, text string) {
	word := e.say(name)
	if word == "" {
		return "", "", ""
	}
	codes, texts := []string{word}, []string{}
	status = painWords[word]
	if status == "" {
		status = PayUnknown
	}
	for _, kid := range e.kids {
		if kid.name != "StsRsnInf" {
			continue
		}
		reason := cmp.Or(kid.say("Rsn", "Cd"), kid.say("Rsn", "Prtry"))
		if slices.Contains(painTwice, reason) {
			status = PayUnknown
		}
		if reason != "" {
			codes = append(codes, reason)
		}
		for _, more := range kid.kids {
			if more.name == "AddtlInf" && more.say() != "" {
				texts = append(texts, more.say())
			}
		}
	}
	return status, cut(strings.Join(codes, "/"), maxAnswerCode), cut(strings.Join(texts, "；"), maxAddWord)
}

const maxAnswerCode = 64 // characters of a bank's code that are kept
