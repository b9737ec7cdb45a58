package bank

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// fixed is a layout of records of fixed width, counted in bytes of the file's own charset: a header record, then a record
// for each entry. A file may hold several statements, one after the other. Another bank's file is another value of this type.
//
// A line is cut as bytes and each column decoded alone, so that a column's end within a character harms no other column.
// Columns of faults are counted in bytes from 1.
type fixed struct {
	Name, Title string
	Header      []column[heading]
	Detail      []column[booking]
}

// fixedWidth is an end-of-day file in the shape of 兴业银行 3.3.9: details of 530 GBK bytes, after a header of 92. The sub-account
// stands in the first of the two 32-byte columns; where that bank has two columns of 10 bytes, here is the serial of the entry
// that a 冲正 takes back. Texts stand left, numbers right, padded with blanks or NUL bytes; full-width blanks are text.
//
// Amounts are yuan, the side is 0 for a debit and 1 for a credit. A 冲正 is booked in red: the amount is negative, the side is
// that of the entry taken back, the mark 冲补 is 1; 2 (补帐) and 3 (隔日补账) are ordinary entries booked late. The mark 被冲 of the entry
// taken back is not read: both stay on the books. TOTAL is the number of details of this page, MORE says whether pages follow.
// The running balance is written and not read: opening and closing prove the day.
var fixedWidth = fixed{
	Name: "fixed", Title: "定长对账单（GBK，每条 530 字节）",
	Header: []column[heading]{
		{"记录类型", 4, literal[heading]("HEAD")}, {"母账户", 32, headParent}, {"日期", 8, headDay}, {"币种", 3, headCurrency},
		{"期初余额", 18, headOpening}, {"LEDGERBAL 期末余额", 18, headClosing}, {"TOTAL 明细条数", 8, headRecords}, {"MORE 是否有后续页", 1, lastPage("N", "Y")},
	},
	Detail: []column[booking]{
		{"流水号", 30, textOf("serial")}, {"组号", 10, unread}, {"组内序号", 3, serialSeq}, {"交易时间", 8 + 6, bookedAt(compactTime)},
		{"交易类型", 2, unread}, {"凭证种类", 3, unread}, {"交易机构", 4, unread}, {"开户机构", 4, unread},
		{"记账日期", 8, bookingDate(compactDay)}, {"交易码", 3, unread}, {"被冲流水号", 10 + 10, textOf("reversal_of")},
		{"账户余额", 15, runningBalance}, {"交易金额", 15, inYuan.redAmount()}, {"币种", 2, yuanOnly("01")}, {"钞汇标志", 1, unread},
		{"借贷标志", 1, redSideIn("1", "0")}, {"冲补标志", 1, markIn([]string{"0", "2", "3"}, []string{"1"})}, {"被冲标志", 1, unread}, {"渠道", 3, unread},
		{"子账号", 32, textOf("sub_account")}, {"对方账号", 32, textOf("payer_account")}, {"对方户名", 120, textOf("payer_name")},
		{"对方行号", 14, textOf("payer_bank_code")}, {"对方行名", 70, textOf("payer_bank")}, {"汇路", 1, unread},
		{"用途", 60, purposeText}, {"摘要", 60, textOf("remark")}, {"备用", 1, unread},
	},
}

// unread is a column that says nothing we need.
var unread = value[booking]{}

var runningBalance = value[booking]{Number: true, Write: func(k *booking) string { return k.balance.String() }}

var fixedAdapter = fixedWidth.adapter()

func (x fixed) adapter() *Adapter {
	return &Adapter{Name: x.Name, Title: x.Title, Statement: x.statement}
}

// statement reads a file. A number of details other than TOTAL is an error with the code "file_truncated".
func (x fixed) statement(b *Bank, file io.Reader, sink Sink) error {
	in, err := newLines(file, b.Charset)
	if err != nil {
		return err
	}
	h := &headed{bank: b, sink: sink, cols: x.Detail}
	for {
		n, err := in.next()
		if errors.Is(err, io.EOF) && h.open {
			return h.end()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n.blank() {
			continue
		}
		if err := x.record(h, in, n); err != nil {
			return err
		}
	}
}

func (x fixed) record(h *headed, in *lines, n line) error {
	if bytes.HasPrefix(n.raw, []byte(kindOf(x.Header))) && len(n.raw) != widthOf(x.Detail) {
		return x.header(h, in, n)
	}
	if !h.open {
		return deposit.Refuse(deposit.Invalid, "header_missing", "第 ", n.number, " 行应为以“", kindOf(x.Header), "”开头的头记录")
	}
	c, f := sliceFixed(in, n, x.Detail)
	if f != nil {
		return h.take(nil, f)
	}
	return h.record(c)
}

func (x fixed) header(h *headed, in *lines, n line) error {
	if h.open {
		if err := h.end(); err != nil {
			return err
		}
	}
	c, f := sliceFixed(in, n, x.Header)
	if f != nil {
		return refuseAt(f)
	}
	return h.begin(c, x.Header)
}

// widthOf is the length of a record in bytes.
func widthOf[T any](cols []column[T]) (n int) {
	for _, col := range cols {
		n += col.Width
	}
	return n
}

// sliceFixed cuts a line's bytes and decodes each column.
func sliceFixed[T any](in *lines, n line, cols []column[T]) (cells, *Fault) {
	raw, want := n.raw, widthOf(cols)
	if len(raw) > want && isPadding(raw[want:], n.last) {
		raw = raw[:want]
	}
	whole, _ := in.decode(raw)
	if len(raw) != want {
		return cells{}, wrongLength(in, n, len(raw), want, whole)
	}
	starts, texts := make([]int, len(cols)), make([]string, len(cols))
	at := 0
	for i, col := range cols {
		field := raw[at : at+col.Width]
		text, bad := in.decode(field)
		if bad > 0 {
			f := in.charsetFault(n.number, at+bad, whole)
			f.Text = "“" + col.Name + "”" + f.Text
			return cells{}, f
		}
		starts[i], texts[i] = at, strings.Trim(text, padding+blanks)
		at += col.Width
	}
	position := func(i int) (line, column int) { return n.number, starts[i] + 1 }
	return cells{whole, texts, position}, nil
}

// isPadding tells what a peer with a fixed buffer sends behind the file's last record from a record that is too long.
func isPadding(rest []byte, last bool) bool {
	return len(bytes.Trim(rest, padding+blanks)) == 0 && (last || bytes.ContainsAny(rest, padding))
}

func wrongLength(in *lines, n line, got, want int, whole string) *Fault {
	f := &Fault{Line: n.number, Column: min(got, want) + 1, Code: "record_length", Raw: whole,
		Text: "应为 " + strconv.Itoa(want) + " 字节；实为 " + strconv.Itoa(got) + " 字节"}
	if in.charset == UTF8 {
		f.Text += "（文件是 UTF-8 编码，定长格式按 GBK 字节计宽，请取银行的原始文件）"
	}
	return f
}

// WriteFixed writes one statement as the adapter "fixed" reads it, in GB18030. TOTAL counts the entries given. An entry that the layout cannot hold (a serial over 30 bytes, a remark over 60) is an Invalid error.
func WriteFixed(w io.Writer, s Statement, entries []Entry) error {
	return fixedWidth.write(w, s, entries)
}

func (x fixed) write(w io.Writer, s Statement, entries []Entry) error {
	out := bufio.NewWriter(w)
	h := heading{s, len(entries)}
	raw, why := padFixed(compose(&h, x.Header), x.Header)
	if why != "" {
		return deposit.Refuse(deposit.Invalid, "statement_unwritable", "头记录无法写出：", why)
	}
	if _, err := out.Write(raw); err != nil {
		return err
	}
	var running deposit.Fen
	if s.Opening != nil {
		running = *s.Opening
	}
	for i := range entries {
		e := &entries[i]
		running += e.signed()
		raw, why := padFixed(compose(&booking{Entry: *e, balance: running}, x.Detail), x.Detail)
		if why == "" {
			why = x.loses(e, s, raw[:len(raw)-1])
		}
		if why != "" {
			return unwritable(e, why)
		}
		if _, err := out.Write(raw); err != nil {
			return err
		}
	}
	return out.Flush()
}

// signed is what an entry adds to the balance.
func (e *Entry) signed() deposit.Fen {
	if e.Direction == Debit {
		return -e.Amount
	}
	return e.Amount
}

// padFixed makes a record of its columns' texts, with a line's end, or says which one is too wide.
func padFixed[T any](texts []string, cols []column[T]) (record []byte, why string) {
	for i, col := range cols {
		raw, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(texts[i]))
		room := col.Width - len(raw)
		if err != nil || room < 0 {
			return nil, col.Name + "应不超过 " + strconv.Itoa(col.Width) + " 字节"
		}
		blank := bytes.Repeat([]byte(" "), room)
		if col.Is.Number {
			record = append(append(record, blank...), raw...)
			continue
		}
		record = append(append(record, raw...), blank...)
	}
	return append(record, '\n'), ""
}

// loses reads a record back and says what it would not tell of its entry.
func (x fixed) loses(e *Entry, s Statement, raw []byte) string {
	k := &booking{Entry: Entry{ParentAccount: s.ParentAccount}}
	c, f := sliceFixed(&lines{charset: GB18030}, line{number: 1, raw: raw}, x.Detail)
	if f == nil {
		f = k.read(&Bank{Code: e.Bank}, x.Detail, c)
	}
	switch {
	case f != nil:
		return f.Text
	case !sameBooking(*e, k.Entry) || e.BookingDate != s.Day:
		return "读回的内容与原内容不同"
	}
	return ""
}
