package bank

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// gseries is the trading centres' dialect G: root/head and root/body in GBK, over HTTP or behind a length prefix over TCP
// (ServeFrames). It has no seal of its own and no end-of-day file.
var gseries = &Adapter{Name: "gseries", Title: "G 系列 XML（GBK）", Notice: gNotice, Answer: gAnswer, read: gRead, answer: gAnswerTo, Calls: gCalls, Payout: gPaying}

// The messages a bank sends us.
const (
	gCredit   = "G00001" // 到账通知
	gLinkTest = "G00009" // 链路监测
	gRefunded = "G00012" // 退款到账通知
)

// gNotice reads a credit notice (G00001), or a link test (G00009), which holds no entry.
func gNotice(b *Bank, raw []byte) ([]Entry, error) {
	found, _, err := gRead(b, raw)
	return found, err
}

// gRead is gNotice that gives the fields as well.
func gRead(b *Bank, raw []byte) ([]Entry, any, error) {
	m, err := parseG(raw)
	if err != nil {
		return nil, m, err
	}
	found, err := m.notice(b)
	return found, m, err
}

// notice reads what a message tells.
func (m gMessage) notice(b *Bank) ([]Entry, error) {
	switch code := m.head("TransCode"); code {
	case gCredit:
		entry, err := m.credit()
		if err != nil {
			return nil, err
		}
		entry.Bank = b.Code
		return []Entry{entry}, nil
	case gLinkTest:
		return nil, nil
	case gRefunded:
		return nil, deposit.Refuse(deposit.Invalid, "message_unexpected", "退款到账通知 G00012 不是到账通知，由退款一侧读取")
	case "":
		return nil, missingG("TransCode")
	default:
		return nil, deposit.Refuse(deposit.Invalid, "message_unexpected", "不接收交易码 ", clip(code), "；可接收 G00001（到账通知）、G00009（链路监测）")
	}
}

// gMessage holds the fields of a message by their path: "head/SeqNo", "body/InAmount".
type gMessage map[string]string

func (m gMessage) head(name string) string { return m["head/"+name] }
func (m gMessage) body(name string) string { return m["body/"+name] }

// credit reads the one entry of a G00001. InMemo is the sub-account; without one, or with the parent account's own
// number there, the money went to the parent account itself. The notice knows no accounting day: it is InDate's.
func (m gMessage) credit() (Entry, error) {
	for _, name := range []string{"InstCode", "InDate", "InAmount", "InName", "InAcct", "InBankFLCode"} {
		if m.body(name) == "" {
			return Entry{}, missingG(name)
		}
	}
	at, err := gTime(m.body("InDate"))
	if err != nil {
		return Entry{}, inFieldG("InDate", err)
	}
	amount, err := yuan(m.body("InAmount"))
	if err != nil {
		return Entry{}, inFieldG("InAmount", err)
	}
	e := Entry{
		ParentAccount: m.body("InstCode"), SubAccount: m.body("InMemo"), Serial: m.body("InBankFLCode"),
		BookingDate: deposit.DayOf(at), BookedAt: at, Direction: Credit, Amount: amount,
		PayerName: m.body("InName"), PayerAccount: m.body("InAcct"),
	}
	if e.SubAccount == e.ParentAccount {
		e.SubAccount = ""
	}
	return e, nil
}

func missingG(name string) error {
	return deposit.Refuse(deposit.Invalid, "field_missing", "缺少必填字段 ", name)
}

// inFieldG puts the field's name before what is wrong with its value.
func inFieldG(name string, err error) error {
	r := deposit.AsRefusal(err)
	return deposit.Refuse(r.Kind, r.Code, "字段 ", name, "：", r.Text)
}

const gInstant = "20060102150405"

var fourteenDigits = regexp.MustCompile(`^[0-9]{14}$`) // time.Parse alone would let ".5" follow the seconds

// gTime reads yyyyMMddHHmmss, Shanghai wall time.
func gTime(s string) (time.Time, error) {
	at, err := time.ParseInLocation(gInstant, s, deposit.Shanghai)
	if err != nil || !fourteenDigits.MatchString(s) {
		return time.Time{}, deposit.Refuse(deposit.Invalid, "time_malformed", "时间不存在或格式不对，应为 yyyyMMddHHmmss，如 20260612092958：", clip(s))
	}
	return at, nil
}

// parseG takes a message apart. On an error the fields read before it are given all the same, for the answer.
func parseG(raw []byte) (gMessage, error) {
	m := gMessage{}
	err := walkG(raw, func(path []string, _ int, text string) bool {
		return len(path) != 3 || m.set(path[1]+"/"+path[2], text)
	})
	return m, err
}

// walkG calls field for each element that has none within it: with its path from the root, a number that the fields of one
// element have in common, and its text. false says that the field is there already, which is refused.
func walkG(raw []byte, field func(path []string, within int, text string) bool) error {
	x := newXML(bytes.NewReader(trimPadding(raw)), GB18030)
	var path []string
	var opened []int // the number of each element in path
	var text strings.Builder
	elements, leaf := 0, false // leaf: the element that is open last has none within it
	for {
		token, err := x.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			elements++
			path, opened = append(path, strings.TrimSpace(t.Name.Local)), append(opened, elements)
			text.Reset()
			leaf = true
			if len(path) == 1 && path[0] != "root" {
				return x.refuse("message_unexpected", "根元素应为 root")
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			last := len(path) - 1
			if leaf && last > 0 && !field(path, opened[last-1], text.String()) {
				return x.refuse("field_repeated", "字段 ", path[last], " 重复出现")
			}
			path, opened, leaf = path[:last], opened[:last], false
		}
	}
}

// set keeps a field; false says that it is there already.
func (m gMessage) set(path, text string) bool {
	_, known := m[path]
	m[path] = strings.TrimSpace(text)
	return !known
}

// gAnswer echoes TransCode and SeqNo and says in Result how the message fared: 00 stored, 01 known before, 09 refused,
// 99 not stored (the bank is to send it again).
func gAnswer(_ *Bank, raw []byte, a Answer) Reply {
	request, _ := parseG(raw) // of a broken message: as far as it went
	return gAnswerTo(request, a)
}

// gAnswerTo is gAnswer to what was read of a message: a gMessage.
func gAnswerTo(read any, a Answer) Reply {
	request := read.(gMessage)
	code := request.head("TransCode")
	if code != gLinkTest && code != gRefunded {
		code = gCredit
	}
	result, text := gResult(code, a)
	body := gDocument(code, cutGBK(request.head("SeqNo"), maxSeqNo), a.At, func(doc *strings.Builder) {
		gElement(doc, "Result", result)
		gElement(doc, "AddWord", cutGBK(text, maxAddWord))
	})
	return Reply{ContentType: gContentType, Body: body}
}

const gContentType = "text/xml; charset=GBK"

// gDocument writes a whole message in GBK; body writes the elements of its body.
func gDocument(code, seqNo string, at time.Time, body func(doc *strings.Builder)) []byte {
	at = at.In(deposit.Shanghai)
	var doc strings.Builder
	doc.WriteString(`<?xml version="1.0" encoding="GBK"?><root><head>`)
	gElement(&doc, "TransCode", code)
	gElement(&doc, "TransDate", at.Format("20060102"))
	gElement(&doc, "TransTime", at.Format("150405"))
	gElement(&doc, "SeqNo", seqNo)
	doc.WriteString(`</head><body>`)
	body(&doc)
	doc.WriteString(`</body></root>`)
	text, _ := gbk().String(doc.String()) // cannot fail: what GBK has not is written as a character reference
	return []byte(text)
}

const (
	maxAddWord = 500 // bytes: AddWord is C500
	maxSeqNo   = 64  // bytes; the longest seen is 20
)

// gResult is the result code and what it says to people.
func gResult(code string, a Answer) (result, text string) {
	switch {
	case a.Err != nil:
		r := deposit.AsRefusal(a.Err)
		text = r.Text + "（" + r.Code + "）"
		if r.Kind == deposit.Internal || r.Kind == deposit.Unavailable {
			return "99", text
		}
		return "09", text
	case a.Outcome == Refused:
		return "09", "报文未被接收"
	case code == gLinkTest && a.Outcome != "":
		return "00", "链路正常"
	case code == gRefunded && (a.Outcome == New || a.Outcome == Duplicate):
		return "00", "退款结果已收到"
	case a.Outcome == New:
		return "00", "已入账登记"
	case a.Outcome == Duplicate:
		return "01", "该笔到账此前已登记，无需重发"
	case a.Outcome == Conflicts:
		return "01", "该流水号此前已登记，但内容不同；两份均已保留，待人工核对"
	}
	return "99", "未能保存，请稍后重发"
}

// gbk writes what banks read. A character that GBK has not (𠮷) becomes a reference (&#134071;), which XML reads back.
func gbk() *encoding.Encoder {
	return encoding.HTMLEscapeUnsupported(simplifiedchinese.GBK.NewEncoder())
}

// gElement writes an element with its text escaped.
func gElement(doc *strings.Builder, name, text string) {
	doc.WriteString("<" + name + ">")
	_ = xml.EscapeText(doc, []byte(text)) // a strings.Builder takes everything
	doc.WriteString("</" + name + ">")
}

// cutGBK shortens a text to a number of GBK bytes, between characters.
func cutGBK(s string, most int) string {
	size := 0
	for i, r := range s {
		written, _ := gbk().String(string(r))
		if size += len(written); size > most {
			return s[:i]
		}
	}
	return s
}
