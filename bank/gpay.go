package bank

import (
	"strconv"
	"strings"

	"depositd/platform/deposit"
)

// The G series pays by message: G00010 applies for a batch of refunds from one sub-account, G00011 asks after it, and the
// bank may report by G00012. The dialect has no field for a serial of ours in a refund; an Entity's InstSeq, which it knows
// as the centre's own number in other messages, carries it and becomes the remark of the debit. A bank that does not echo
// InstSeq is understood by account, name, amount and the original serial.
var gPaying = &Paying{
	MaxLines: MaxPayLines, OneSubAccount: true,
	Serial: "G00010 的 Entity/InstSeq，银行记入借方附言（摘要）",
	Fields: []PayField{
		{Name: "payee_name", Most: 200, Needs: Always}, {Name: "payee_account", Most: 64, Needs: Always, Number: true},
		{Name: "payee_bank", Most: 200, Needs: OtherBank}, {Name: "payee_bank_code", Most: 12, Number: true},
		{Name: "origin_serial", Most: 64, Needs: Always, Number: true}, {Name: "from_sub", Most: 40, Number: true},
		{Name: "purpose", Most: 200},
	},
	Write: gWritePayout, Read: gReadPayAnswer, Query: gWriteQuery,
	IsResult: func(raw []byte) bool {
		m, _ := parseG(raw) // of a broken message: as far as it went
		return m.head("TransCode") == gRefunded
	},
}

// The messages about refunds.
const (
	gPay      = "G00010" // 退款申请
	gPayQuery = "G00011" // 退款明细查询
)

// gWords are what a refund's Result means. Asked for (G00010), 09 and 99 say only that something went wrong, perhaps
// behind the payment; asked after or reported, 09 says that the refund failed, and 99 that the asking did.
var gWords = map[string]map[string]PayStatus{
	gPay:      {"00": PayPaid, "10": PayProcessing, "09": PayUnknown, "99": PayUnknown},
	gPayQuery: {"00": PayPaid, "10": PayProcessing, "09": PayFailed, "99": PayUnknown},
	gRefunded: {"00": PayPaid, "10": PayProcessing, "09": PayFailed, "99": PayUnknown},
}

// gWritePayout makes a G00010. Its SeqNo is the batch's number.
func gWritePayout(_ *Bank, p Payout) ([]byte, error) {
	return gDocument(gPay, p.Number, p.CreatedAt, func(doc *strings.Builder) {
		gElement(doc, "InstCode", p.ParentAccount)
		gElement(doc, "TotalNum", strconv.Itoa(len(p.Lines)))
		gElement(doc, "TotalSum", p.Total().String())
		gElement(doc, "InMemo", p.SubAccount)
		doc.WriteString("<listEntity>")
		for i := range p.Lines {
			l := &p.Lines[i]
			doc.WriteString(`<Entity rowNum="` + strconv.Itoa(i) + `">`)
			gElement(doc, "InAcct", l.PayeeAccount)
			gElement(doc, "InName", l.PayeeName)
			gElement(doc, "InAcctName", l.PayeeBank)
			gElement(doc, "InAmount", l.Amount.String())
			gElement(doc, "InBankFLCode", l.OriginSerial)
			gElement(doc, "InstSeq", l.Serial)
			doc.WriteString("</Entity>")
		}
		doc.WriteString("</listEntity>")
	}), nil
}

// gWriteQuery makes a G00011: of a batch, by the bank's number of it, or of one line, which is known without that number.
func gWriteQuery(_ *Bank, q PayQuery) ([]byte, error) {
	var line *PayLine
	for i := range q.Payout.Lines {
		if q.Payout.Lines[i].Serial == q.Serial {
			line = &q.Payout.Lines[i]
		}
	}
	switch {
	case q.Serial != "" && line == nil:
		return nil, deposit.Refuse(deposit.Invalid, "serial_unknown", "批次中没有这个付款流水号")
	case q.Serial == "" && q.BankBatch == "":
		return nil, deposit.Refuse(deposit.Invalid, "bank_batch_missing", "没有银行批次号，只能逐笔查询")
	}
	return gDocument(gPayQuery, q.Number, q.At, func(doc *strings.Builder) {
		gElement(doc, "batchNo", q.BankBatch)
		gElement(doc, "InMemo", q.Payout.SubAccount)
		if line == nil {
			return
		}
		gElement(doc, "InAcct", line.PayeeAccount)
		gElement(doc, "InBankFLCode", line.OriginSerial)
		gElement(doc, "InAmount", line.Amount.String())
		gElement(doc, "InstSeq", line.Serial)
	}), nil
}

// gReadPayAnswer reads the answer to a G00010 or a G00011, or a G00012. A G00012 of one refund may do without an Entity.
func gReadPayAnswer(_ *Bank, raw []byte) (PayAnswer, error) {
	a := PayAnswer{Count: -1}
	m, err := takeApartG(raw)
	if err != nil {
		return a, err
	}
	rows := m.rows
	code := m.head("TransCode")
	words, known := gWords[code]
	if !known {
		return a, deposit.Refuse(deposit.Invalid, "message_unexpected", "不是退款的应答或通知（G00010、G00011、G00012）：", clip(code))
	}
	if at, err := gTime(m.head("TransDate") + m.head("TransTime")); err == nil {
		a.At = at
	}
	if code == gRefunded && len(rows) == 0 && m.body("InAcct") != "" {
		rows = append(rows, m.flat())
	} else {
		a.Code, a.Text = m.body("Result"), cut(m.body("AddWord"), maxAddWord)
	}
	switch {
	case code == gPay && a.Code == "00":
		a.Status = PayAccepted
	case code == gPayQuery && a.Code == "00":
		a.Found = true
	case code != gRefunded:
		a.Status = PayUnknown
	}
	a.BankBatch, a.Unasked = m.body("batchNo"), code == gRefunded
	for _, row := range rows {
		a.row(row, words)
	}
	return a, nil
}

// row reads an Entity.
func (a *PayAnswer) row(fields gMessage, words map[string]PayStatus) {
	row := PayRow{PayeeAccount: fields["InAcct"], PayeeName: fields["InName"], OriginSerial: fields["InBankFLCode"]}
	row.Serial, row.Code, row.Text = fields["InstSeq"], fields["Result"], cut(fields["AddWord"], maxAddWord)
	row.Status = words[row.Code]
	if row.Status == "" {
		row.Status = PayUnknown
	}
	if said := fields["InAmount"]; said != "" {
		amount, err := yuan(said)
		if err != nil {
			a.Faults = append(a.Faults, Fault{Line: 1, Column: 1, Code: deposit.AsRefusal(err).Code, Text: deposit.AsRefusal(inFieldG("InAmount", err)).Text})
			return
		}
		row.Amount = amount
	}
	a.Rows = append(a.Rows, row)
}

// flat is the body as if it were an Entity.
func (m gMessage) flat() gMessage {
	row := gMessage{}
	for path, text := range m {
		if name, ok := strings.CutPrefix(path, "body/"); ok {
			row[name] = text
		}
	}
	return row
}
