package banksim

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"depositd/bank"
	"depositd/platform/deposit"
)

// order is a batch as the bank reads it: with readers of its own, which share nothing with what the service writes by.
type order struct {
	number    string // the sender's, of the batch
	parent    string
	lines     []bank.PayLine
	bankBatch string
	refused   []string // serials that were known with other content
}

var errOrder = errors.New("the order cannot be read, or its sums differ")

// readOrder reads a payout file or message in the bank's dialect.
func (p *Payments) readOrder(raw []byte) (o *order, err error) {
	var count string
	var sum string
	switch p.dialect {
	case "gseries":
		o, count, sum, err = readGOrder(raw)
	case "delimited":
		o, count, sum, err = readDelimitedOrder(raw)
	default:
		o, count, sum, err = readPainOrder(raw, p.sim.bank)
	}
	if err != nil {
		return o, err
	}
	var total deposit.Fen
	for i := range o.lines {
		total += o.lines[i].Amount
		err = errors.Join(err, bank.CheckPaySerial(o.lines[i].Serial))
	}
	if err != nil || count != strconv.Itoa(len(o.lines)) || sum != total.String() || len(o.lines) == 0 {
		return o, errOrder
	}
	return o, nil
}

// gMessage is a message of the G series about refunds; a query has the fields of its one line in the body.
type gMessage struct {
	Head struct{ TransCode, SeqNo string } `xml:"head"`
	Body struct {
		InstCode, TotalNum, TotalSum, InMemo    string
		BatchNo                                 string `xml:"batchNo"`
		InAcct, InAmount, InBankFLCode, InstSeq string
		Entities                                []struct {
			InAcct, InName, InAcctName, InAmount, InBankFLCode, InstSeq string
		} `xml:"listEntity>Entity"`
	} `xml:"body"`
}

func readG(raw []byte) (m gMessage, err error) {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) {
		raw, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		text, err := bank.GB18030.Decode(raw)
		return strings.NewReader(text), err
	}
	return m, d.Decode(&m)
}

func readGOrder(raw []byte) (o *order, count, sum string, err error) {
	m, err := readG(raw)
	o = &order{number: m.Head.SeqNo, parent: m.Body.InstCode}
	for _, e := range m.Body.Entities {
		amount, bad := deposit.ParseYuan(e.InAmount)
		err = errors.Join(err, bad)
		o.lines = append(o.lines, bank.PayLine{Serial: e.InstSeq, PayeeName: e.InName, PayeeAccount: e.InAcct, PayeeBank: e.InAcctName,
			Amount: amount, FromSub: m.Body.InMemo, OriginSerial: e.InBankFLCode})
	}
	return o, m.Body.TotalNum, m.Body.TotalSum, err
}

// readDelimitedOrder decodes first and splits second: "|" is the second byte of some characters.
func readDelimitedOrder(raw []byte) (o *order, count, sum string, err error) {
	o = &order{}
	text, err := bank.GB18030.Decode(raw)
	if err != nil {
		return o, "", "", err
	}
	lines := strings.Split(strings.TrimRight(text, "\r\n\x00 "), "\n")
	head := strings.Split(lines[0], "|")
	if len(head) != 9 || head[0] != "XFERINFOTEXT" {
		return o, "", "", errOrder
	}
	o.number, o.parent = head[1], head[2]
	for i, line := range lines[1:] {
		f := strings.Split(line, "|")
		if len(f) != 12 || f[0] != strconv.Itoa(i+1) || f[3] != "Y" && f[3] != "N" {
			return o, "", "", errOrder
		}
		amount, bad := deposit.ParseYuan(f[8])
		if bad != nil {
			return o, "", "", bad
		}
		serial, sub, _ := strings.Cut(f[10], " ")
		if sub == "" {
			sub = head[3]
		}
		o.lines = append(o.lines, bank.PayLine{Serial: serial, PayeeName: f[2], PayeeAccount: f[1], PayeeBank: f[6], PayeeBankCode: f[5],
			SameBank: f[3] == "Y", Amount: amount, FromSub: sub, Purpose: f[9]})
	}
	return o, head[5], head[6], nil
}

// painOrder is what the bank takes out of a pain.001, of either version.
type painOrder struct {
	Number  string `xml:"CstmrCdtTrfInitn>GrpHdr>MsgId"`
	Count   string `xml:"CstmrCdtTrfInitn>GrpHdr>NbOfTxs"`
	Sum     string `xml:"CstmrCdtTrfInitn>GrpHdr>CtrlSum"`
	Payment []struct {
		Account string `xml:"DbtrAcct>Id>Othr>Id"`
		Lines   []struct {
			Serial string `xml:"PmtId>EndToEndId"`
			Amount struct {
				Ccy  string `xml:"Ccy,attr"`
				Yuan string `xml:",chardata"`
			} `xml:"Amt>InstdAmt"`
			Code    string `xml:"CdtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
			Bank    string `xml:"CdtrAgt>FinInstnId>Nm"`
			Name    string `xml:"Cdtr>Nm"`
			Account string `xml:"CdtrAcct>Id>Othr>Id"`
			Remark  string `xml:"RmtInf>Ustrd"`
		} `xml:"CdtTrfTxInf"`
	} `xml:"CstmrCdtTrfInitn>PmtInf"`
}

func readPainOrder(raw []byte, b *bank.Bank) (o *order, count, sum string, err error) {
	var m painOrder
	if err := xml.Unmarshal(raw, &m); err != nil {
		return &order{}, "", "", err
	}
	o = &order{number: m.Number}
	for _, payment := range m.Payment {
		parent, sub := accountOf(b, payment.Account)
		if o.parent != "" && o.parent != parent {
			return o, "", "", errOrder
		}
		o.parent = parent
		for _, l := range payment.Lines {
			amount, bad := deposit.ParseYuan(l.Amount.Yuan)
			if bad != nil || l.Amount.Ccy != "CNY" {
				return o, "", "", errOrder
			}
			_, purpose, _ := strings.Cut(l.Remark, " ")
			o.lines = append(o.lines, bank.PayLine{Serial: l.Serial, PayeeName: l.Name, PayeeAccount: l.Account, PayeeBank: l.Bank, PayeeBankCode: l.Code,
				Amount: amount, FromSub: sub, Purpose: purpose})
		}
	}
	return o, m.Count, m.Sum, nil
}

// accountOf says whose sub-account an account is; "" as sub-account is the parent account itself.
func accountOf(b *bank.Bank, account string) (parent, sub string) {
	for _, parent := range b.ParentAccounts {
		switch {
		case account == parent:
			return parent, ""
		case strings.HasPrefix(account, parent):
			return parent, account
		}
	}
	return b.Parent(), account
}
