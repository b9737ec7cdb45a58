package bank

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// column is one column of a layout table: what it holds of a T and how that is written there. Its place in the table is
// its place in the record.
type column[T any] struct {
	Name  string // for people, and in the header of a CSV file
	Width int    // in bytes; of fixed-width layouts only
	Is    value[T]
}

// value is what a column can hold. Read or Write may be any function: a bank's odd habit is a value of its own.
type value[T any] struct {
	Field  string                 // the entry's field as the schema names it; the codes of its errors begin with it
	Want   string                 // what is expected there, for people
	Number bool                   // stands at the right end of a fixed-width column
	Read   func(*T, string) error // nil: not read
	Write  func(*T) string        // nil: left empty
}

// booking is an entry while its columns are read; settle decides what several columns say together.
type booking struct {
	Entry
	red     bool        // the amount was negative: booked in red on the side of the entry it takes back
	marked  bool        // a column of its own says 冲正
	purpose string      // 用途, which some banks keep apart from the remark
	balance deposit.Fen // after this entry; only written
}

// settle makes the entry of what the columns say. A red booking moves money the other way than its column says. One that
// names the entry it takes back is, on the debit side, its 冲正; on the credit side it is a payment of ours that the
// payee's bank sent back, as is a credit whose remark says 退汇 or 退票.
func (k *booking) settle(b *Bank) {
	if k.red {
		k.Direction = k.Direction.opposite()
	}
	if k.red || k.marked || k.Direction == Debit && k.ReversalOf != "" {
		k.Reversal = Reverses
	}
	if k.purpose != "" && k.purpose != k.Remark {
		k.Remark = strings.TrimSpace(k.purpose + " " + k.Remark)
	}
	back := k.ReversalOf != "" || saysBack(k.Remark)
	k.Returned = k.Direction == Credit && k.Reversal == "" && back
	if k.ParentAccount == "" {
		k.ParentAccount = b.Parent()
	}
	if k.SubAccount == k.ParentAccount {
		k.SubAccount = ""
	}
}

// saysBack says whether a remark tells of a payment that came back.
func saysBack(remark string) bool {
	return strings.Contains(remark, "退汇") || strings.Contains(remark, "退票")
}

func (d Direction) opposite() Direction {
	if d == Credit {
		return Debit
	}
	return Credit
}

// heading is what a file's header and trailer records say.
type heading struct {
	Statement
	records int // of this page, as the file declares; -1 when it does not
}

func newHeading() heading {
	return heading{Statement{Declared: Undeclared, LastPage: true}, -1}
}

// cells are a record's values, without the blanks around them, and where, from 1, each stands.
type cells struct {
	raw   string
	texts []string
	at    func(i int) (line, column int)
}

// fill reads the cells into a value, to the first that cannot be read.
func fill[T any](into *T, cols []column[T], c cells) *Fault {
	for i, col := range cols {
		if col.Is.Read == nil {
			continue
		}
		if err := col.Is.Read(into, c.texts[i]); err != nil {
			return c.fault(i, deposit.AsRefusal(err).Code, "“", col.Name, "”应为 ", col.Is.Want, "；实为“", clip(c.texts[i]), "”")
		}
	}
	return nil
}

func (c cells) fault(i int, code string, text ...string) *Fault {
	line, column := c.at(i)
	return &Fault{Line: line, Column: column, Code: code, Text: strings.Join(text, ""), Raw: c.raw}
}

// read makes an entry of a record's cells: complete, checked, ready to be stored.
func (k *booking) read(b *Bank, cols []column[booking], c cells) *Fault {
	if f := fill(k, cols, c); f != nil {
		return f
	}
	k.settle(b)
	if err := b.admit(&k.Entry); err != nil {
		r := deposit.AsRefusal(err)
		i := columnOf(cols, r.Code)
		return c.fault(i, r.Code, "“", cols[i].Name, "”应为 ", cols[i].Is.Want, "；", r.Text)
	}
	return nil
}

// columnOf finds the column that an error's code speaks of: "payer_bank_code_too_long" is payer_bank_code's, not payer_bank's.
func columnOf[T any](cols []column[T], code string) int {
	found, longest := 0, ""
	for i, col := range cols {
		if name := col.Is.Field; name != "" && strings.HasPrefix(code, name+"_") && len(name) >= len(longest) {
			found, longest = i, name
		}
	}
	return found
}

// compose writes a value's columns.
func compose[T any](from *T, cols []column[T]) []string {
	texts := make([]string, len(cols))
	for i, col := range cols {
		if col.Is.Write != nil {
			texts[i] = col.Is.Write(from)
		}
	}
	return texts
}

// sameBooking says whether an entry that was written and read again is still the same.
func sameBooking(a, b Entry) bool {
	at := a.BookedAt.Equal(b.BookedAt)
	for _, e := range []*Entry{&a, &b} {
		e.ID, e.PayerKey, e.BookedAt, e.FirstSeen = 0, "", time.Time{}, time.Time{}
	}
	return at && a == b
}

// unwritable is the error for an entry that a layout cannot hold: a text too wide, a sign it has no column for.
func unwritable(e *Entry, why string) error {
	return deposit.Refuse(deposit.Invalid, "entry_unwritable", "流水 ", clip(e.Serial), " 无法按该格式写出：", why)
}

// headed follows a file whose statements each have a header record and then their entries.
type headed struct {
	bank    *Bank
	sink    Sink
	cols    []column[booking]
	heading heading
	open    bool
	read    int // records since the header, the broken ones too
}

func (h *headed) begin(c cells, cols []column[heading]) error {
	h.heading, h.read = newHeading(), 0
	if f := fill(&h.heading, cols, c); f != nil {
		return refuseAt(f)
	}
	if h.heading.ParentAccount == "" {
		h.heading.ParentAccount = h.bank.Parent()
	}
	if h.heading.ParentAccount == "" {
		return refuseAt(c.fault(columnOf(cols, "parent_account_missing"), "parent_account_missing", "应有母账户账号"))
	}
	h.open = true
	return h.sink.Begin(h.heading.Statement)
}

// refuseAt makes of a fault the refusal of the whole file.
func refuseAt(f *Fault) error {
	return deposit.Refuse(deposit.Invalid, f.Code, "第 ", f.Line, " 行第 ", f.Column, " 列：", f.Text)
}

// record takes an entry's cells. An entry of another day than its header's is a broken one: were it stored, the same
// money would stand on two days under two identities.
func (h *headed) record(c cells) error {
	k := &booking{Entry: Entry{ParentAccount: h.heading.ParentAccount}}
	f := k.read(h.bank, h.cols, c)
	if f == nil && k.BookingDate != h.heading.Day {
		i := columnOf(h.cols, "booking_date_foreign")
		f = c.fault(i, "booking_date_foreign", "“", h.cols[i].Name, "”应为对账单的日期 ", string(h.heading.Day), "；实为 ", string(k.BookingDate))
	}
	return h.take(&k.Entry, f)
}

// take counts a record and hands it on as an entry, or as a fault where there is one.
func (h *headed) take(e *Entry, f *Fault) error {
	h.read++
	if f != nil {
		return h.sink.Fault(*f)
	}
	return h.sink.Entry(e)
}

// end closes the statement if all the records that the file declares were there.
func (h *headed) end() error {
	if n := h.heading.records; n >= 0 && n != h.read {
		return deposit.Refuse(deposit.Invalid, "file_truncated", "文件声明 ", n, " 条明细，实有 ", h.read, " 条：文件不完整，请重新取得")
	}
	h.open = false
	return h.sink.End(h.heading.Statement)
}

// textOf is one of an entry's texts; the length and the characters it may have are checked when the entry is complete.
func textOf(field string) value[booking] {
	t := texts[slices.IndexFunc(texts, func(t text) bool { return t.name == field })]
	want := fmt.Sprintf("至多 %d 个字符的文字", t.most)
	if t.number {
		want = fmt.Sprintf("至多 %d 个字符，中间无空格", t.most)
	}
	if t.required {
		want += "，不能为空"
	}
	return value[booking]{Field: field, Want: want,
		Read:  func(k *booking, s string) error { *t.of(&k.Entry) = s; return nil },
		Write: func(k *booking) string { return *t.of(&k.Entry) },
	}
}

// refuseValue is why a column could not be read; the column's name and what was expected are added by fill.
func refuseValue(code string) error { return deposit.Refuse(deposit.Invalid, code) }

// purposeText is a second remark, put before the remark proper; it is not written.
var purposeText = value[booking]{Field: "remark", Want: "文字", Read: func(k *booking, s string) error { k.purpose = s; return nil }}

// serialSeq is the number within the serial; none is 0.
var serialSeq = value[booking]{Field: "serial_seq", Want: "从 0 起的整数", Number: true,
	Read: func(k *booking, s string) (err error) {
		if k.SerialSeq, err = wholeNumber(s, 0); err != nil {
			return refuseValue("serial_seq_malformed")
		}
		return nil
	},
	Write: func(k *booking) string { return strconv.Itoa(k.SerialSeq) },
}

// wholeNumber reads digits only, at most eight of them; nothing is the default.
func wholeNumber(s string, none int) (int, error) {
	if s == "" {
		return none, nil
	}
	if len(s) > 8 || strings.Trim(s, "0123456789") != "" {
		return 0, refuseValue("number_malformed")
	}
	return strconv.Atoi(s)
}

// bookingDate is the bank's accounting day in a layout of package time.
func bookingDate(layout string) value[booking] {
	return value[booking]{Field: "booking_date", Want: "存在的日期，如 " + sampleTime.Format(layout),
		Read: func(k *booking, s string) (err error) {
			k.BookingDate, err = dayIn(layout, s)
			return err
		},
		Write: func(k *booking) string { return k.BookingDate.Start().Format(layout) },
	}
}

// sampleTime is the time in the explanations.
var sampleTime = time.Date(2026, 6, 12, 9, 29, 58, 0, deposit.Shanghai)

func dayIn(layout, s string) (deposit.Day, error) {
	t, err := timeIn(layout, s)
	if err != nil {
		return "", refuseValue("booking_date_malformed")
	}
	return deposit.DayOf(t), nil
}

// timeIn reads Shanghai wall time. time.Parse alone would let a fraction follow the seconds, in any layout.
func timeIn(layout, s string) (time.Time, error) {
	if len(s) != len(layout) {
		return time.Time{}, refuseValue("booked_at_malformed")
	}
	if layout == deposit.WallTime {
		t, err := deposit.ParseWall(s)
		if err != nil {
			return time.Time{}, refuseValue("booked_at_malformed")
		}
		return t, nil
	}
	t, err := time.ParseInLocation(layout, s, deposit.Shanghai)
	if err != nil {
		return time.Time{}, refuseValue("booked_at_malformed")
	}
	return t, nil
}

// bookedAt is the time of the booking in a layout of package time.
func bookedAt(layout string) value[booking] {
	return value[booking]{Field: "booked_at", Want: "存在的时间，如 " + sampleTime.Format(layout),
		Read: func(k *booking, s string) (err error) {
			k.BookedAt, err = timeIn(layout, s)
			return err
		},
		Write: func(k *booking) string { return k.BookedAt.In(deposit.Shanghai).Format(layout) },
	}
}
