package bank

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// delimPay is a layout of payout and result files: a head, then a line for each payment; in a result, both with two
// fields more. Another bank's file is another value of this type.
type delimPay struct {
	delim
	Head  []column[payHead]
	Line  []column[payLine]
	Said  []column[payRowSaid]
	Words map[string]PayStatus
}

// payHead is the first line of a file.
type payHead struct {
	Payout
	posting Posting
	count   int
	sum     deposit.Fen
}

// payLine is a payment in a file.
type payLine struct {
	PayLine
	number int // in the file, from 1
	sub    string
}

// payRowSaid is what the bank adds to a line, or to the head.
type payRowSaid struct{ status, text string }

// delimitedPay is the GBK batch file that most front-end machines of banks import, in the manner of 兴业银行 3.4.12, and the
// result they export:
//
//	XFERINFOTEXT|批次号|付款账号|付款子账号|日期时间 yyyyMMddHHmmss|笔数|总金额|记账方式 0 汇总/1 逐笔|
//	序号|收款账号|户名|是否兴业 Y/N|是否同城|行号|行名|地址|金额|用途|备注|
//
// and in the result each with 处理状态|处理结果信息| behind it. Amounts are yuan. 备注 is our serial, which the bank puts into
// the debit's remark, and behind a blank the sub-account where lines have their own. 是否兴业 is whether the payee's account
// is with the paying bank. We know no cities: 是否同城 is N, which goes by 行号, and 地址 stays empty.
var delimitedPay = delimPay{
	delim: delim{Name: "delimited", Sep: "|", Tail: true},
	Head: []column[payHead]{
		{"文件标识", 0, literal[payHead]("XFERINFOTEXT")},
		{"批次号", 0, payText(func(h *payHead) *string { return &h.Number })},
		{"付款账号", 0, payText(func(h *payHead) *string { return &h.ParentAccount })},
		{"付款子账号", 0, payText(func(h *payHead) *string { return &h.SubAccount })},
		{"日期时间", 0, value[payHead]{Want: "存在的时间，如 20260612092958",
			Read:  func(h *payHead, s string) (err error) { h.CreatedAt, err = timeIn(compactTime, s); return err },
			Write: func(h *payHead) string { return h.CreatedAt.In(deposit.Shanghai).Format(compactTime) }}},
		{"笔数", 0, value[payHead]{Want: "整数",
			Read:  func(h *payHead, s string) (err error) { h.count, err = wholeNumber(s, -1); return err },
			Write: func(h *payHead) string { return strconv.Itoa(len(h.Lines)) }}},
		{"总金额", 0, value[payHead]{Want: "金额（元）",
			Read:  func(h *payHead, s string) (err error) { h.sum, err = deposit.ParseBalance(s); return err },
			Write: func(h *payHead) string { return h.Total().String() }}},
		{"记账方式", 0, value[payHead]{Want: "0 或 1", Write: func(h *payHead) string { return map[Posting]string{PostSummary: "0", PostPerItem: "1"}[h.posting] }}},
	},
	Line: []column[payLine]{
		{"序号", 0, value[payLine]{Want: "整数",
			Read:  func(l *payLine, s string) (err error) { l.number, err = wholeNumber(s, -1); return err },
			Write: func(l *payLine) string { return strconv.Itoa(l.number) }}},
		{"收款账号", 0, payText(func(l *payLine) *string { return &l.PayeeAccount })},
		{"户名", 0, payText(func(l *payLine) *string { return &l.PayeeName })},
		{"是否兴业", 0, value[payLine]{Want: "Y 或 N", Read: readsSameBank, Write: func(l *payLine) string { return yesNo(l.SameBank) }}},
		{"是否同城", 0, value[payLine]{Write: func(*payLine) string { return yesNo(false) }}},
		{"行号", 0, payText(func(l *payLine) *string { return &l.PayeeBankCode })},
		{"行名", 0, payText(func(l *payLine) *string { return &l.PayeeBank })},
		{"地址", 0, value[payLine]{}},
		{"金额", 0, value[payLine]{Want: inYuan.want,
			Read:  func(l *payLine, s string) (err error) { l.Amount, err = inYuan.read(s); return err },
			Write: func(l *payLine) string { return inYuan.write(l.Amount) }}},
		{"用途", 0, payText(func(l *payLine) *string { return &l.Purpose })},
		{"备注", 0, value[payLine]{Want: "我方付款流水号", Read: readsRemark, Write: func(l *payLine) string { return strings.TrimSpace(l.Serial + " " + l.sub) }}},
	},
	Said: []column[payRowSaid]{
		{"处理状态", 0, payText(func(s *payRowSaid) *string { return &s.status })},
		{"处理结果信息", 0, payText(func(s *payRowSaid) *string { return &s.text })},
	},
	Words: map[string]PayStatus{"SUBMIT_SUCC": PayProcessing, "PAYOUT": PayPaid, "FAIL": PayFailed, "EXPIRED": PayExpired,
		"PENDING": PayUnknown, "PART_PAYOUT": PayPartial},
}

var delimitedPaying = &Paying{
	MaxLines: 100, Serial: "文件的备注栏，银行记入借方摘要",
	Fields: []PayField{
		{Name: "payee_account", Most: 32, Needs: Always, Number: true}, {Name: "payee_name", Most: 60, Needs: Always, Never: "|"},
		{Name: "payee_bank_code", Most: 12, Needs: OtherBank, Number: true}, {Name: "payee_bank", Most: 60, Needs: OtherBank, Never: "|"},
		{Name: "purpose", Most: 60, Never: "|"}, {Name: "origin_serial", Most: 64, Number: true}, {Name: "from_sub", Most: 40, Number: true},
	},
	Write: delimitedPay.write, Read: delimitedPay.read,
}

// payText is a text that is written as it is.
func payText[T any](of func(*T) *string) value[T] {
	return value[T]{Want: "文字", Read: func(t *T, s string) error { *of(t) = s; return nil }, Write: func(t *T) string { return *of(t) }}
}

func yesNo(yes bool) string {
	if yes {
		return "Y"
	}
	return "N"
}

func readsSameBank(l *payLine, s string) error {
	if s != "Y" && s != "N" {
		return refuseValue("same_bank_unknown")
	}
	l.SameBank = s == "Y"
	return nil
}

// readsRemark finds our serial at the beginning of the remark: some banks write why a payment failed behind it.
func readsRemark(l *payLine, s string) error {
	l.Serial = s[:min(len(s), len(serialPrefix)+14)]
	return CheckPaySerial(l.Serial)
}

func (d delimPay) write(b *Bank, p Payout) ([]byte, error) {
	var text strings.Builder
	text.WriteString(d.join(compose(&payHead{Payout: p, posting: b.Posting}, d.Head), true) + "\n")
	for i, l := range p.Lines {
		line := payLine{PayLine: l, number: i + 1}
		if l.FromSub != p.SubAccount {
			line.sub = l.FromSub
		}
		text.WriteString(d.join(compose(&line, d.Line), true) + "\n")
	}
	return encodeGBK(text.String())
}

// read reads a result file. A line that cannot be read is a fault; a head that cannot be read is an error. The batch's
// status says something of its lines only in a file that has none, as when the bank refuses the whole of it. That they
// were paid only their own lines say: a file that breaks off behind its head must pay nobody.
func (d delimPay) read(b *Bank, raw []byte) (PayAnswer, error) {
	a := PayAnswer{Count: -1}
	raw = trimPadding(raw)
	text, _ := Sniff(raw, b.Charset).Decode(raw) // what could not be decoded is found line by line
	lines := strings.Split(text, "\n")
	if err := d.readHead(&a, strings.TrimRight(lines[0], "\r")); err != nil {
		return a, err
	}
	a.Each = a.Status == PayPaid
	for i, line := range lines[1:] {
		if line = strings.TrimRight(line, "\r"); line == "" {
			continue
		}
		a.Each = true
		if row, f := d.readLine(i+2, line); f != nil {
			a.Faults = append(a.Faults, *f)
		} else {
			a.Rows = append(a.Rows, row)
		}
	}
	return a, nil
}

func (d delimPay) readHead(a *PayAnswer, line string) error {
	var h payHead
	said, f := readPaid(d, 1, line, &h, d.Head)
	if f != nil {
		return refuseAt(f)
	}
	a.Batch, a.Count, a.Sum = h.Number, h.count, &h.sum
	a.Status, a.Code, a.Text = d.status(said.status), said.status, said.text
	return nil
}

func (d delimPay) readLine(number int, line string) (row PayRow, f *Fault) {
	var l payLine
	said, f := readPaid(d, number, line, &l, d.Line)
	if f != nil {
		return row, f
	}
	row.PayResult = PayResult{Serial: l.Serial, Status: d.status(said.status), Code: said.status, Text: said.text}
	row.PayeeAccount, row.PayeeName, row.Amount = l.PayeeAccount, l.PayeeName, l.Amount
	return row, nil
}

// status is what one of the bank's words means; every other word is unknown.
func (d delimPay) status(word string) PayStatus {
	if s, known := d.Words[word]; known {
		return s
	}
	return PayUnknown
}

// readPaid reads the columns of a line and what the bank added to it.
func readPaid[T any](d delimPay, number int, line string, into *T, cols []column[T]) (said payRowSaid, f *Fault) {
	if strings.ContainsRune(line, utf8.RuneError) {
		return said, &Fault{Line: number, Column: 1, Code: "charset", Text: "含有无法解码的字符", Raw: line}
	}
	c, f := d.cut(number, line, len(cols)+len(d.Said), d.Tail)
	if f != nil {
		return said, f
	}
	own, added := c, c
	own.texts, added.texts = c.texts[:len(cols)], c.texts[len(cols):]
	if f = fill(into, cols, own); f == nil {
		f = fill(&said, d.Said, added)
	}
	return said, f
}
