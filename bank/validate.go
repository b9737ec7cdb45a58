package bank

import (
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// The years a booking can be in. A date outside them is a broken field, and some engines cannot store it.
var (
	firstBooking = deposit.Day("2000-01-01")
	lastBooking  = deposit.Day("2099-12-31")
)

// maxRemark is what the schema keeps of a remark, in characters. A remark is never a key and the raw message holds all
// of it, so that a longer one is cut: money is not refused for its remark.
const maxRemark = 400

// text is one text of an entry and what the schema (migrations/00001_house.sql) lets it be, counted in characters.
type text struct {
	name     string // as the message formats and the schema call it
	most     int
	required bool
	number   bool // a number or a code, not prose: no blanks within
	of       func(*Entry) *string
}

var texts = []text{
	{"bank", 32, true, true, func(e *Entry) *string { return &e.Bank }},
	{"parent_account", 40, true, true, func(e *Entry) *string { return &e.ParentAccount }},
	{"serial", 64, true, true, func(e *Entry) *string { return &e.Serial }},
	{"reversal_of", 64, false, true, func(e *Entry) *string { return &e.ReversalOf }},
	{"sub_account", 40, false, true, func(e *Entry) *string { return &e.SubAccount }},
	{"payer_name", 200, false, false, func(e *Entry) *string { return &e.PayerName }},
	{"payer_key", 200, false, false, func(e *Entry) *string { return &e.PayerKey }},
	{"payer_account", 64, false, false, func(e *Entry) *string { return &e.PayerAccount }},
	{"payer_bank", 200, false, false, func(e *Entry) *string { return &e.PayerBank }},
	{"payer_bank_code", 14, false, true, func(e *Entry) *string { return &e.PayerBankCode }},
	{"remark", maxRemark, false, false, func(e *Entry) *string { return &e.Remark }},
}

// Check says whether an entry can be stored and judged: it is complete, of the schema's lengths and within sense. Each
// failing is an Invalid Refusal whose code is the field's name and what ails it: "serial_missing", "remark_too_long".
func (e *Entry) Check() error {
	for _, t := range texts {
		if err := t.check(*t.of(e)); err != nil {
			return err
		}
	}
	switch {
	case e.SerialSeq < 0 || e.SerialSeq > math.MaxInt32:
		return deposit.Refuse(deposit.Invalid, "serial_seq_range", "组内序号（serial_seq）应为 0 到 ", math.MaxInt32, " 的整数：", e.SerialSeq)
	case e.Direction != Credit && e.Direction != Debit:
		return deposit.Refuse(deposit.Invalid, "direction_unknown", "借贷方向（direction）应为 C（贷，收入）或 D（借，支出）")
	case e.Reversal != "" && e.Reversal != Reverses:
		return deposit.Refuse(deposit.Invalid, "reversal_unknown", "冲正标志（reversal）应为空或 R")
	case e.Amount <= 0:
		return deposit.Refuse(deposit.Invalid, "amount_zero", "金额（amount）应大于零")
	case e.Amount > deposit.MaxFen:
		return deposit.Refuse(deposit.Invalid, "amount_too_large", "金额（amount）超过十亿元，请核对单位：", e.Amount)
	}
	return e.checkDates()
}

func (e *Entry) checkDates() error {
	if e.BookingDate == "" {
		return deposit.Refuse(deposit.Invalid, "booking_date_missing", "缺少记账日期（booking_date）")
	}
	if _, err := deposit.ParseDay(string(e.BookingDate)); err != nil {
		return deposit.Refuse(deposit.Invalid, "booking_date_malformed", "记账日期（booking_date）不存在或格式不对，应如 2026-06-12：", e.BookingDate)
	}
	if e.BookingDate < firstBooking || e.BookingDate > lastBooking {
		return deposit.Refuse(deposit.Invalid, "booking_date_range", "记账日期（booking_date）应在 ", firstBooking, " 至 ", lastBooking, " 之间：", e.BookingDate)
	}
	if e.BookedAt.IsZero() {
		return deposit.Refuse(deposit.Invalid, "booked_at_missing", "缺少记账时间（booked_at）")
	}
	if e.BookedAt.Before(firstBooking.Start()) || !e.BookedAt.Before(lastBooking.Add(1).Start()) {
		return deposit.Refuse(deposit.Invalid, "booked_at_range", "记账时间（booked_at）应在 ", firstBooking, " 至 ", lastBooking, " 之间：", e.BookedAt.Format(time.RFC3339))
	}
	return nil
}

// check never repeats the text itself: it may be a name or an account number, and a reason is read by more people.
func (t text) check(s string) error {
	if s == "" {
		if t.required {
			return deposit.Refuse(deposit.Invalid, t.name+"_missing", "缺少字段 ", t.name)
		}
		return nil
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) {
		return deposit.Refuse(deposit.Invalid, t.name+"_charset", "字段 ", t.name, " 含有无法解码的字节，请核对字符集")
	}
	if n := utf8.RuneCountInString(s); n > t.most {
		return deposit.Refuse(deposit.Invalid, t.name+"_too_long", "字段 ", t.name, " 有 ", n, " 个字符，最多 ", t.most, " 个")
	}
	for _, r := range s {
		if unicode.IsControl(r) || t.number && unicode.IsSpace(r) {
			return deposit.Refuse(deposit.Invalid, t.name+"_malformed", "字段 ", t.name, " 含有空白或控制字符")
		}
	}
	return nil
}

// admit completes an entry that an adapter has read – the bank, its only parent account where the message names none,
// the payer's key, blanks at the ends, an overlong remark – and checks it. Only what it admits is stored.
func (b *Bank) admit(e *Entry) error {
	e.Bank = b.Code
	if e.ParentAccount == "" {
		e.ParentAccount = b.Parent()
	}
	for _, t := range texts {
		s := t.of(e)
		*s = strings.TrimSpace(*s)
	}
	e.Remark = tidyRemark(e.Remark)
	e.PayerKey = deposit.NameKey(e.PayerName)
	return e.Check()
}

// tidyRemark makes one line of a remark and cuts it to what is kept.
func tidyRemark(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
	return strings.TrimSpace(cut(s, maxRemark))
}

// CheckCurrency refuses what is not yuan, however banks write that: deposits are paid in nothing else, and a sum over
// two currencies means nothing. "" is yuan, as where a message does not say.
func CheckCurrency(code string) error {
	switch strings.ToUpper(strings.TrimSpace(code)) {
	case "", "CNY", "RMB", "156", "01", "10":
		return nil
	}
	return deposit.Refuse(deposit.Invalid, "currency_unsupported", "币种应为人民币（CNY），收到的是：", clip(code))
}

// clip shortens what a message said for the text of a refusal.
func clip(s string) string {
	if short := cut(s, maxQuote); short != s {
		return short + "…"
	}
	return s
}

const maxQuote = 40 // characters; enough to recognise a field by, and a reason has room for 400
