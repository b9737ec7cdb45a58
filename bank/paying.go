package bank

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// MaxPayAnswer is the most bytes an answer or a result file may have: 500 lines of some hundred bytes each are a tenth of it.
const MaxPayAnswer = 4 << 20

// PayField is a text of a line and what a dialect lets it be.
type PayField struct {
	Name   string // payee_name, payee_account, payee_bank, payee_bank_code, origin_serial, purpose, from_sub
	Most   int    // bytes in GBK
	Needs  Need
	Number bool   // ASCII letters, digits and hyphens only
	Never  string // characters that would break the format
}

// Need says when a text of a line has to be there.
type Need int

// The needs.
const (
	Optional Need = iota
	Always
	OtherBank // unless the payee's account is with the paying bank
)

// payTexts are the texts of a line by the names of their fields.
var payTexts = map[string]func(*PayLine) string{
	"payee_name":      func(l *PayLine) string { return l.PayeeName },
	"payee_account":   func(l *PayLine) string { return l.PayeeAccount },
	"payee_bank":      func(l *PayLine) string { return l.PayeeBank },
	"payee_bank_code": func(l *PayLine) string { return l.PayeeBankCode },
	"origin_serial":   func(l *PayLine) string { return l.OriginSerial },
	"purpose":         func(l *PayLine) string { return l.Purpose },
	"from_sub":        func(l *PayLine) string { return l.FromSub },
}

// payFieldNames are what people call them.
var payFieldNames = map[string]string{
	"payee_name": "收款户名", "payee_account": "收款账号", "payee_bank": "收款行名", "payee_bank_code": "收款行联行号",
	"origin_serial": "原到账流水号", "purpose": "用途", "from_sub": "付款子账号",
}

// Pays says whether the bank can be paid through at all; banks.yaml names the dialect.
func (b *Bank) Pays() bool { return b.PayoutAdapter != nil && b.PayoutAdapter.Payout != nil }

// CanAsk says whether the bank can be asked by message how a payment stands. One that takes files answers by file alone.
func (b *Bank) CanAsk() bool {
	return b.Pays() && b.PayoutAdapter.Payout.Query != nil && b.Drop.Payouts == ""
}

// MaxPayLines is the most lines the bank takes in a batch; 0 when it cannot be paid through.
func (b *Bank) MaxPayLines() int {
	if !b.Pays() {
		return 0
	}
	return min(b.PayoutAdapter.Payout.MaxLines, MaxPayLines)
}

// CheckPay says what is wrong with a line for the bank, in the order of its fields; none when it can be paid as it is.
// It is asked before a line is accepted, and again by WritePayout.
func (b *Bank) CheckPay(l *PayLine) []PayFault {
	if !b.Pays() {
		return []PayFault{{l.Serial, "", "bank_cannot_pay", "该银行没有配置付款格式（banks.yaml 的 payout）"}}
	}
	c := payCheck{line: l}
	if err := CheckPaySerial(l.Serial); err != nil {
		c.fault("serial", deposit.AsRefusal(err).Code, deposit.AsRefusal(err).Text)
	}
	for _, f := range b.PayoutAdapter.Payout.Fields {
		c.text(f)
	}
	c.bankCode()
	c.amount()
	return c.faults
}

// payCheck collects what is wrong with a line.
type payCheck struct {
	line   *PayLine
	faults []PayFault
}

func (c *payCheck) fault(field, code string, text ...any) {
	c.faults = append(c.faults, PayFault{c.line.Serial, field, code, fmt.Sprint(text...)})
}

var plainNumber = regexp.MustCompile(`^[0-9A-Za-z-]*$`)

// text holds one text to its limits. The first thing wrong with it is enough.
func (c *payCheck) text(f PayField) {
	s, name := payTexts[f.Name](c.line), payFieldNames[f.Name]
	raw, err := encodeGBK(s)
	switch {
	case s == "" && (f.Needs == Always || f.Needs == OtherBank && !c.line.SameBank):
		c.fault(f.Name, f.Name+"_missing", "缺少", name)
	case err != nil:
		c.fault(f.Name, f.Name+"_charset", name, "含有银行字符集（GBK）没有的字符：", strconv.QuoteRune(notInGBK(s)), "，请与银行确认户名的写法")
	case len(raw) > f.Most:
		c.fault(f.Name, f.Name+"_too_long", name, "有 ", len(raw), " 字节（一个汉字两字节），银行最多接受 ", f.Most, " 字节")
	case f.Number && !plainNumber.MatchString(s):
		c.fault(f.Name, f.Name+"_malformed", name, "只能由数字、字母和连字符组成")
	case strings.TrimSpace(s) != s:
		c.fault(f.Name, f.Name+"_blank", name, "首尾不能有空格")
	case strings.ContainsAny(s, f.Never) || strings.ContainsFunc(s, unicode.IsControl):
		c.fault(f.Name, f.Name+"_malformed", name, "含有银行报文中不能出现的字符（控制字符", f.Never, "）")
	}
}

func (c *payCheck) bankCode() {
	if c.line.PayeeBankCode == "" {
		return // that it is missing is text's to say
	}
	if err := CheckBankCode(c.line.PayeeBankCode); err != nil {
		c.fault("payee_bank_code", "payee_"+deposit.AsRefusal(err).Code, deposit.AsRefusal(err).Text)
	}
}

func (c *payCheck) amount() {
	switch l := c.line; {
	case l.Amount <= 0:
		c.fault("amount", "amount_zero", "金额应大于零")
	case l.Amount > deposit.MaxFen:
		c.fault("amount", "amount_too_large", "金额超过十亿元，请核对单位")
	case l.Interest < 0 || l.Interest > l.Amount:
		c.fault("interest", "interest_range", "利息应不小于零、不大于付款金额")
	}
}

// encodeGBK writes text as banks take it: GBK proper, not the four bytes of GB18030. What would not be read back as it
// was is refused, too.
func encodeGBK(s string) ([]byte, error) {
	raw, err := simplifiedchinese.GBK.NewEncoder().Bytes([]byte(s))
	if err != nil {
		return nil, deposit.Refuse(deposit.Invalid, "charset", "含有 GBK 没有的字符")
	}
	if back, err := GB18030.Decode(raw); err != nil || back != s {
		return nil, deposit.Refuse(deposit.Invalid, "charset", "含有写成 GBK 后读不回原样的字符")
	}
	return raw, nil
}

// notInGBK is the first character that encodeGBK refuses.
func notInGBK(s string) rune {
	for _, r := range s {
		if _, err := encodeGBK(string(r)); err != nil {
			return r
		}
	}
	return unicode.ReplacementChar
}

var payoutNumber = regexp.MustCompile(`^[0-9A-Za-z-]{1,20}$`)

// CheckPayout says what is wrong with a batch and with each of its lines, as the bank's dialect sees it.
func (b *Bank) CheckPayout(p *Payout) (faults []PayFault) {
	fault := func(serial, field, code string, text ...any) {
		faults = append(faults, PayFault{serial, field, code, fmt.Sprint(text...)})
	}
	switch most := b.MaxPayLines(); {
	case !b.Pays():
		fault("", "", "bank_cannot_pay", "该银行没有配置付款格式（banks.yaml 的 payout）")
		return faults
	case !payoutNumber.MatchString(p.Number):
		fault("", "number", "number_malformed", "批次号应为 1 到 20 位数字、字母或连字符")
	case p.ParentAccount == "" || !plainNumber.MatchString(p.ParentAccount):
		fault("", "parent_account", "parent_account_missing", "缺少付款母账户")
	case p.CreatedAt.IsZero():
		fault("", "created_at", "created_at_missing", "缺少批次时间")
	case len(p.Lines) == 0 || len(p.Lines) > most:
		fault("", "lines", "lines_range", "一批应有 1 到 ", most, " 笔，现有 ", len(p.Lines), " 笔")
	}
	serials := map[string]bool{}
	for i := range p.Lines {
		l := &p.Lines[i]
		if serials[l.Serial] {
			fault(l.Serial, "serial", "serial_repeated", "付款流水号在本批中出现两次")
		}
		serials[l.Serial] = true
		if b.PayoutAdapter.Payout.OneSubAccount && l.FromSub != "" && l.FromSub != p.SubAccount {
			fault(l.Serial, "from_sub", "from_sub_foreign", "该银行一批只能从一个子账号付款")
		}
		faults = append(faults, b.CheckPay(l)...)
	}
	return faults
}

// WritePayout makes the file or message of a batch: the same batch, the same bytes. What CheckPayout finds is an Invalid
// Refusal, payout_unwritable, that says the first of it.
func (b *Bank) WritePayout(p *Payout) (raw []byte, err error) {
	if faults := b.CheckPayout(p); len(faults) > 0 {
		return nil, deposit.Refuse(deposit.Invalid, "payout_unwritable", "批次无法按银行格式写出，共 ", len(faults), " 处错误，第一处（", faults[0].Code, "）：", faults[0].Text)
	}
	defer b.adapterPanics(&err)
	return b.PayoutAdapter.Payout.Write(b, *p)
}

// WritePayQuery makes the message that asks after a batch or one of its lines. Of a dialect that has none it is an
// Invalid Refusal, query_not_possible: then results come by file.
func (b *Bank) WritePayQuery(q PayQuery) (raw []byte, err error) {
	if !b.Pays() || b.PayoutAdapter.Payout.Query == nil {
		return nil, deposit.Refuse(deposit.Invalid, "query_not_possible", "该银行的付款格式没有查询报文，结果以回盘文件为准")
	}
	if !payoutNumber.MatchString(q.Number) {
		return nil, deposit.Refuse(deposit.Invalid, "number_malformed", "查询编号应为 1 到 20 位数字、字母或连字符")
	}
	defer b.adapterPanics(&err)
	return b.PayoutAdapter.Payout.Query(b, q)
}

// ReadPayAnswer reads what the bank says of a batch. An error is an Invalid Refusal; then nothing is known of any line, and the
// answer's results say so.
func (b *Bank) ReadPayAnswer(raw []byte) (a PayAnswer, err error) {
	defer func() { // also on a panic, when the answer is half read
		if err != nil {
			refusal := deposit.AsRefusal(err)
			a = PayAnswer{Count: -1, Faults: []Fault{{Code: refusal.Code, Text: refusal.Text}}}
		}
	}()
	switch {
	case !b.Pays():
		return a, deposit.Refuse(deposit.Invalid, "bank_cannot_pay", "该银行没有配置付款格式（banks.yaml 的 payout）")
	case len(raw) > MaxPayAnswer:
		return a, deposit.Refuse(deposit.Invalid, "answer_too_large", "应答超过 ", MaxPayAnswer, " 字节")
	case len(trimPadding(raw)) == 0:
		return a, deposit.Refuse(deposit.Invalid, "answer_empty", "应答为空")
	}
	defer b.adapterPanics(&err)
	return b.PayoutAdapter.Payout.Read(b, raw)
}

// IsPayResult tells a message in which the bank reports by itself how payments fared from a credit notice.
func (b *Bank) IsPayResult(raw []byte) bool {
	return b.Pays() && b.PayoutAdapter.Payout.IsResult != nil && b.PayoutAdapter.Payout.IsResult(raw)
}

// adapterPanics turns a panic of the dialect into an error: it is our fault and must cost neither answer nor service.
func (b *Bank) adapterPanics(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("bank: adapter %s panicked: %v", b.PayoutAdapter.Name, p)
	}
}
