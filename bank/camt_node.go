package bank

import (
	"bytes"
	"encoding/xml"
	"strings"

	"depositd/platform/deposit"
)

const (
	maxElements = 50_000  // in one record beside its transactions; some hundreds are usual
	maxDetails  = 100_000 // transactions in one booking; payment batches end at 99,999
)

// camtNode is one element with all that it holds. Names are local: every bank has a namespace of its own.
type camtNode struct {
	name, text, currency string
	line, column         int // where its start tag ended
	kids                 []*camtNode
}

// at is the first element at a path of names; nil, which is safe to ask further, when there is none.
func (e *camtNode) at(path ...string) *camtNode {
	for _, name := range path {
		e = e.kid(name)
	}
	return e
}

func (e *camtNode) kid(name string) *camtNode {
	if e == nil {
		return nil
	}
	for _, kid := range e.kids {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// say is the text at a path; "" when there is none.
func (e *camtNode) say(path ...string) string {
	if e = e.at(path...); e == nil {
		return ""
	}
	return strings.TrimSpace(e.text)
}

// String prints the element for people who look into a fault: names, texts and currencies, nothing else.
func (e *camtNode) String() string {
	var b strings.Builder
	e.print(&b)
	return b.String()
}

func (e *camtNode) print(b *strings.Builder) {
	const enough = 4000 // characters of a record are kept beside a fault
	if b.Len() > enough {
		return
	}
	b.WriteString("<" + e.name)
	if e.currency != "" {
		b.WriteString(` Ccy="` + e.currency + `"`)
	}
	b.WriteString(">" + strings.TrimSpace(e.text))
	for _, kid := range e.kids {
		kid.print(b)
	}
	b.WriteString("</" + e.name + ">")
}

// element reads what follows a start tag, up to its end tag. The transactions of a booking leave the tree as soon as they
// are read: a batch may hold many thousands.
func (c *camtReader) element(start xml.StartElement) (*camtNode, error) {
	e := &camtNode{name: start.Name.Local}
	e.line, e.column = c.x.Pos()
	for _, a := range start.Attr {
		if a.Name.Local == "Ccy" {
			e.currency = strings.TrimSpace(a.Value)
		}
	}
	if c.size++; c.size > maxElements {
		return nil, c.x.refuse("camt_record_too_large", "一条记录的元素超过 ", maxElements, " 个")
	}
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.EndElement:
			return e, nil
		case xml.CharData:
			if e.text != "" || len(bytes.TrimSpace(t)) > 0 { // what stands before the first kid is layout
				e.text += string(t)
			}
		case xml.StartElement:
			kid, err := c.element(t)
			if err != nil {
				return nil, err
			}
			if kid.name != "TxDtls" {
				e.kids = append(e.kids, kid)
			} else if err := c.detail(kid); err != nil {
				return nil, err
			}
		}
	}
}

// detail takes a transaction out of the tree.
func (c *camtReader) detail(e *camtNode) error {
	if len(c.details) == maxDetails {
		return c.x.refuse("camt_record_too_large", "一笔记账的明细超过 ", maxDetails, " 笔")
	}
	c.details, c.size = append(c.details, newCamtDetail(e)), 0
	return nil
}

// next gives the next token. A character that cannot be decoded spoils the record it stands in, not the file.
func (c *camtReader) next() (xml.Token, error) {
	t, err := c.x.Token()
	if err == nil || !deposit.IsKind(err, deposit.Invalid) || deposit.AsRefusal(err).Code != "charset" {
		return t, err
	}
	if c.spoilt == nil {
		at := c.x.undecoded
		c.spoilt = &Fault{Line: at.line, Column: at.column, Code: "charset", Text: deposit.AsRefusal(err).Text}
	}
	return c.x.Token()
}

// takeSpoilt gives the charset fault of the record just read, if it has one.
func (c *camtReader) takeSpoilt() *Fault {
	f := c.spoilt
	c.spoilt = nil
	return f
}
