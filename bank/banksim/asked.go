package banksim

import (
	"encoding/xml"
	"io"
	"strings"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// asked is a request of the service in the G series.
type asked struct {
	code, serial string // TransCode, SeqNo
	body         element
}

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Elements []element `xml:",any"`
}

// find gives the first element within it of a name, at any depth.
func (e *element) find(name string) *element {
	for i := range e.Elements {
		if e.Elements[i].XMLName.Local == name {
			return &e.Elements[i]
		}
		if found := e.Elements[i].find(name); found != nil {
			return found
		}
	}
	return nil
}

// text is what stands in the element within it of a name; "" when there is none.
func (e *element) text(name string) string {
	if found := e.find(name); found != nil {
		return strings.TrimSpace(found.Text)
	}
	return ""
}

// read takes a request apart with another parser than the service's, so that they do not err alike. false: it is no message.
func read(raw []byte) (*asked, bool) {
	text, err := bank.GB18030.Decode(raw)
	if err != nil {
		return nil, false
	}
	decoder := xml.NewDecoder(strings.NewReader(text))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // decoded already
	var root element
	if err := decoder.Decode(&root); err != nil || root.XMLName.Local != "root" {
		return nil, false
	}
	head, body := root.find("head"), root.find("body")
	if head == nil || body == nil {
		return nil, false
	}
	return &asked{head.text("TransCode"), head.text("SeqNo"), *body}, true
}

// told is what the bank answers: a result code, what it says of it, and the body's other elements.
type told struct {
	result, word string
	body         func(doc *markup) // nil: none
}

// write renders an answer, in GBK.
func (t told) write(q *asked, at time.Time) []byte {
	doc := gDocument(q.code, q.serial, at, func(doc *markup) {
		doc.leaf("Result", t.result)
		doc.leaf("AddWord", t.word)
		if t.body != nil {
			t.body(doc)
		}
	})
	text, err := bank.GB18030.Encode(doc)
	if err != nil {
		return nil
	}
	return text
}

// gDocument is a message of the G series, not yet in its charset.
func gDocument(code, serial string, at time.Time, body func(doc *markup)) string {
	at = at.In(deposit.Shanghai)
	doc := &markup{}
	doc.WriteString(`<?xml version="1.0" encoding="GBK"?>`)
	doc.in("root", func() {
		doc.in("head", func() {
			doc.leaf("TransCode", code)
			doc.leaf("TransDate", at.Format("20060102"))
			doc.leaf("TransTime", at.Format("150405"))
			doc.leaf("SeqNo", serial)
		})
		doc.in("body", func() { body(doc) })
	})
	return doc.String()
}

// asUTF8 is a GBK text written in UTF-8, under the header that says GBK.
func asUTF8(answer []byte) []byte {
	text, err := bank.GB18030.Decode(answer)
	if err != nil {
		return answer
	}
	return []byte(text)
}
