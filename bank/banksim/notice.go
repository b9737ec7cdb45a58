package banksim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// Notice renders entries as one message in a bank's dialect, as pushed at an instant under the sender's number. The G series holds one
// credit a message; what a dialect cannot say is an Invalid error.
func Notice(b *bank.Bank, number int, at time.Time, entries ...bank.Entry) ([]byte, error) {
	switch b.Adapter.Name {
	case "gseries":
		return gNotice(number, at, entries)
	case "jsonpush":
		return jsonNotice(number, entries)
	case "camt":
		return camtNotice(number, at, entries), nil
	}
	return nil, deposit.Refuse(deposit.Invalid, "notice_unwritable", "报文格式 ", b.Adapter.Name, " 不推送通知")
}

// gNotice is a G00001 in GBK. It has no place for the payer's bank and the remark.
func gNotice(number int, at time.Time, entries []bank.Entry) ([]byte, error) {
	if len(entries) != 1 || entries[0].Direction != bank.Credit || entries[0].Reversal != "" {
		return nil, deposit.Refuse(deposit.Invalid, "notice_unwritable", "G00001 只能通知一笔收款")
	}
	e := &entries[0]
	doc := gDocument("G00001", fmt.Sprintf("%08d", number), at, func(doc *markup) {
		doc.leaf("InstCode", e.ParentAccount)
		gCredit(doc, e)
		doc.leaf("InMemo", e.SubAccount)
		doc.leaf("InBankFLCode", e.Serial)
	})
	return bank.GB18030.Encode(doc)
}

// gCredit writes the fields of a credit that a notice and a query have in common, but for the serial.
func gCredit(doc *markup, e *bank.Entry) {
	doc.leaf("InDate", e.BookedAt.In(deposit.Shanghai).Format("20060102150405"))
	doc.leaf("InAmount", e.Amount.String())
	doc.leaf("InName", e.PayerName)
	doc.leaf("InAcct", e.PayerAccount)
}

// jsonEntry is a booking as the adapter "jsonpush" reads it.
type jsonEntry struct {
	NoticeID      string      `json:"notice_id"`
	Serial        string      `json:"bank_serial"`
	SerialSeq     int         `json:"serial_seq,omitempty"`
	ReversalOf    string      `json:"reversal_of,omitempty"`
	BookingDate   deposit.Day `json:"booking_date"`
	BookedAt      time.Time   `json:"booked_at"`
	ParentAccount string      `json:"parent_account"`
	SubAccount    string      `json:"sub_account,omitempty"`
	Direction     string      `json:"direction"`
	Amount        deposit.Fen `json:"amount"`
	Currency      string      `json:"currency"`
	PayerName     string      `json:"payer_name,omitempty"`
	PayerAccount  string      `json:"payer_account,omitempty"`
	PayerBank     string      `json:"payer_bank,omitempty"`
	PayerBankCode string      `json:"payer_bank_code,omitempty"`
	Remark        string      `json:"remark,omitempty"`
	Returned      bool        `json:"returned,omitempty"`
}

// jsonNotice is an object for one entry, a list for several.
func jsonNotice(number int, entries []bank.Entry) ([]byte, error) {
	list := make([]jsonEntry, len(entries))
	for i, e := range entries {
		list[i] = jsonEntry{fmt.Sprintf("N%08d-%d", number, i), e.Serial, e.SerialSeq, e.ReversalOf, e.BookingDate, e.BookedAt.In(deposit.Shanghai), e.ParentAccount,
			e.SubAccount, string(e.Direction), e.Amount, "CNY", e.PayerName, e.PayerAccount, e.PayerBank, e.PayerBankCode, e.Remark, e.Returned}
	}
	if len(list) == 1 {
		return json.Marshal(list[0])
	}
	return json.Marshal(map[string]any{"notices": list})
}

// camtNotice is a camt.054 with an Ntfctn for each parent account in turn.
func camtNotice(number int, at time.Time, entries []bank.Entry) []byte {
	doc := newCamt("camt.054", fmt.Sprintf("N%08d", number), at)
	for len(entries) > 0 {
		parent := entries[0].ParentAccount
		n := 1
		for n < len(entries) && entries[n].ParentAccount == parent {
			n++
		}
		doc.report(bank.Statement{ParentAccount: parent, Day: entries[0].BookingDate, Declared: bank.Undeclared, LastPage: true}, entries[:n])
		entries = entries[n:]
	}
	return doc.end()
}

// markup writes XML.
type markup struct{ bytes.Buffer }

// in writes an element with others in it. attributes are name and value in turn.
func (m *markup) in(name string, body func()) {
	m.WriteString("<" + name + ">")
	body()
	m.WriteString("</" + name + ">")
}

// leaf writes an element that holds a text; nothing where the text is empty.
func (m *markup) leaf(name, text string, attributes ...string) {
	if text == "" {
		return
	}
	m.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		m.WriteString(" " + attributes[i] + `="` + attributes[i+1] + `"`)
	}
	m.WriteString(">")
	_ = xml.EscapeText(m, []byte(text)) // a buffer takes everything
	m.WriteString("</" + name + ">")
}

// path writes a text within elements within each other: "Acct/Id/Othr/Id".
func (m *markup) path(names, text string) {
	if text == "" {
		return
	}
	parts := strings.Split(names, "/")
	last := len(parts) - 1
	for _, name := range parts[:last] {
		m.WriteString("<" + name + ">")
	}
	m.leaf(parts[last], text)
	for i := last - 1; i >= 0; i-- {
		m.WriteString("</" + parts[i] + ">")
	}
}
