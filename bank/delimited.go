package bank

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// delim is a layout of separated fields: a header record, a record for each entry, a trailer that counts them. A file
// may hold several statements, one after the other. Another bank's file is another value of this type.
//
// The text is decoded before it is cut: 0x7C, the byte of "|", is the second byte of 116 GBK characters (亅, 倈, 億).
// Columns of faults are counted in characters from 1, as an editor shows them.
type delim struct {
	Name, Title string
	Sep         string
	Tail        bool // a separator also stands behind the last field
	Header      []column[heading]
	Detail      []column[booking]
	Trailer     []column[heading]
}

// delimited is the GBK statement that most front-end machines of banks export, in the manner of 兴业银行 3.4.12:
//
//	H|母账户|日期 yyyyMMdd|币种|期初余额|贷方笔数|贷方金额|借方笔数|借方金额|期末余额|页码|是否末页 Y/N
//	D|流水号|组内序号|记账日期 yyyyMMdd|交易时间 yyyyMMddHHmmss|子账号|借贷 C/D|金额|冲正标志|被冲流水号|对方户名|对方账号|对方行号|对方行名|用途|摘要|
//	T|明细条数|
//
// Amounts are yuan. A 冲正 is booked in red: the amount is negative, the side is that of the entry taken back, and the mark
// is 1 (of the same day) or 3 (of another day); 0 is ordinary. A negative amount alone is a 冲正, too. Counts, sums and
// balances in the header are the day's, the same on each of its pages, a 冲正 counting on the side to which it moves money;
// what the bank does not tell stays empty. The trailer counts the details of its own page.
var delimited = delim{
	Name: "delimited", Title: "竖线分隔对账单（GBK）", Sep: "|", Tail: true,
	Header: []column[heading]{
		{"记录类型", 0, literal[heading]("H")}, {"母账户", 0, headParent}, {"日期", 0, headDay}, {"币种", 0, headCurrency},
		{"期初余额", 0, headOpening}, {"贷方笔数", 0, headCredits}, {"贷方金额", 0, headCreditSum}, {"借方笔数", 0, headDebits}, {"借方金额", 0, headDebitSum},
		{"期末余额", 0, headClosing}, {"页码", 0, headPage}, {"是否末页", 0, lastPage("Y", "N")},
	},
	Detail: []column[booking]{
		{"记录类型", 0, literal[booking]("D")}, {"流水号", 0, textOf("serial")}, {"组内序号", 0, serialSeq},
		{"记账日期", 0, bookingDate(compactDay)}, {"交易时间", 0, bookedAt(compactTime)}, {"子账号", 0, textOf("sub_account")},
		{"借贷标志", 0, redSideIn("C", "D")}, {"金额", 0, inYuan.redAmount()}, {"冲正标志", 0, markIn([]string{"0"}, []string{"1", "3"})},
		{"被冲流水号", 0, textOf("reversal_of")}, {"对方户名", 0, textOf("payer_name")}, {"对方账号", 0, textOf("payer_account")},
		{"对方行号", 0, textOf("payer_bank_code")}, {"对方行名", 0, textOf("payer_bank")}, {"用途", 0, purposeText}, {"摘要", 0, textOf("remark")},
	},
	Trailer: []column[heading]{{"记录类型", 0, literal[heading]("T")}, {"明细条数", 0, headRecords}},
}

var delimitedAdapter = delimited.adapter().paidBy(delimitedPaying)

func (d delim) adapter() *Adapter {
	return &Adapter{Name: d.Name, Title: d.Title, Statement: d.statement}
}

// paidBy completes a dialect by its way to pay.
func (a *Adapter) paidBy(p *Paying) *Adapter {
	a.Payout = p
	return a
}

// statement reads a file. What breaks off – a trailer that is missing or counts other than there are – is an error with
// the code "file_truncated".
func (d delim) statement(b *Bank, file io.Reader, sink Sink) error {
	in, err := newLines(file, b.Charset)
	if err != nil {
		return err
	}
	h := &headed{bank: b, sink: sink, cols: d.Detail}
	for {
		n, err := in.next()
		switch {
		case errors.Is(err, io.EOF) && h.open:
			return deposit.Refuse(deposit.Invalid, "file_truncated", "文件在第 ", in.number, " 行之后中断，缺少尾记录：文件不完整，请重新取得")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case n.blank():
			continue
		}
		if err := d.record(h, in, n); err != nil {
			return err
		}
	}
}

// record takes one line: by its kind and by whether a statement is open.
func (d delim) record(h *headed, in *lines, n line) error {
	text, bad := in.decode(n.record())
	kind, _, _ := strings.Cut(text, d.Sep)
	switch {
	case !h.open && bad > 0:
		return refuseAt(in.charsetFault(n.number, bad, text))
	case !h.open:
		return d.header(h, n.number, text)
	case bad > 0:
		return h.take(nil, in.charsetFault(n.number, bad, text))
	case kind == kindOf(d.Trailer):
		return d.trailer(h, n.number, text)
	case kind == kindOf(d.Header):
		return deposit.Refuse(deposit.Invalid, "file_truncated", "第 ", n.number, " 行又是头记录，而前一份对账单缺少尾记录：文件不完整，请重新取得")
	}
	c, f := d.cut(n.number, text, len(d.Detail), d.Tail)
	if f != nil {
		return h.take(nil, f)
	}
	return h.record(c)
}

// kindOf is the text by which a kind of record is known: that of its first column.
func kindOf[T any](cols []column[T]) string { return cols[0].Is.Want }

func (d delim) header(h *headed, number int, text string) error {
	if kind, _, _ := strings.Cut(text, d.Sep); kind != kindOf(d.Header) {
		return deposit.Refuse(deposit.Invalid, "header_missing", "第 ", number, " 行应为以“", kindOf(d.Header), d.Sep, "”开头的头记录")
	}
	c, f := d.cut(number, text, len(d.Header), false)
	if f != nil {
		return refuseAt(f)
	}
	return h.begin(c, d.Header)
}

func (d delim) trailer(h *headed, number int, text string) error {
	c, f := d.cut(number, text, len(d.Trailer), d.Tail)
	if f == nil {
		f = fill(&h.heading, d.Trailer, c)
	}
	if f != nil {
		return refuseAt(f)
	}
	if h.heading.records < 0 {
		return deposit.Refuse(deposit.Invalid, "file_truncated", "第 ", number, " 行的尾记录没有明细条数：文件不完整，请重新取得")
	}
	return h.end()
}

// cut makes cells of a decoded line. A header may have a separator at its end where details have one.
func (d delim) cut(number int, text string, want int, tail bool) (cells, *Fault) {
	fields := strings.Split(text, d.Sep)
	switch got := len(fields); {
	case d.Tail && got == want+1 && strings.Trim(fields[want], blanks) == "":
		fields = fields[:want]
	case tail || got != want:
		if tail {
			got-- // one separator a field
		}
		return cells{}, &Fault{Line: number, Column: 1, Code: "field_count", Raw: text,
			Text: "应为 " + strconv.Itoa(want) + " 个字段，以“" + d.Sep + "”分隔；实为 " + strconv.Itoa(got) + " 个"}
	}
	starts := make([]int, want)
	for i, at := 0, 0; i < want; i++ {
		starts[i] = at
		at += len(fields[i]) + len(d.Sep)
		fields[i] = strings.Trim(fields[i], blanks)
	}
	at := func(i int) (line, column int) { return number, utf8.RuneCountInString(text[:starts[i]]) + 1 }
	return cells{text, fields, at}, nil
}

// WriteDelimited writes one statement as the adapter "delimited" reads it, in GB18030. What s declares is written as it
// is, true or not; the trailer counts the entries given. An entry that the layout cannot hold (a text with "|" in it) is an Invalid error.
func WriteDelimited(w io.Writer, s Statement, entries []Entry) error {
	return delimited.write(w, s, entries)
}

func (d delim) write(w io.Writer, s Statement, entries []Entry) error {
	out := bufio.NewWriter(w)
	h := heading{s, len(entries)}
	if err := d.print(out, compose(&h, d.Header), false); err != nil {
		return err
	}
	for i := range entries {
		fields := compose(&booking{Entry: entries[i]}, d.Detail)
		if why := d.loses(&entries[i], s, fields); why != "" {
			return unwritable(&entries[i], why)
		}
		if err := d.print(out, fields, d.Tail); err != nil {
			return err
		}
	}
	if err := d.print(out, compose(&h, d.Trailer), d.Tail); err != nil {
		return err
	}
	return out.Flush()
}

// loses reads a record back and says what it would not tell of its entry.
func (d delim) loses(e *Entry, s Statement, fields []string) string {
	k := &booking{Entry: Entry{ParentAccount: s.ParentAccount}}
	c, f := d.cut(1, d.join(fields, d.Tail), len(d.Detail), d.Tail)
	if f == nil {
		f = k.read(&Bank{Code: e.Bank}, d.Detail, c)
	}
	switch {
	case f != nil:
		return f.Text
	case !sameBooking(*e, k.Entry) || e.BookingDate != s.Day:
		return "读回的内容与原内容不同"
	}
	return ""
}

func (d delim) join(fields []string, tail bool) string {
	text := strings.Join(fields, d.Sep)
	if tail {
		text += d.Sep
	}
	return text
}

func (d delim) print(out *bufio.Writer, fields []string, tail bool) error {
	return writeGB18030(out, d.join(fields, tail)+"\n")
}

// writeGB18030 writes text as banks do: GBK, and four bytes for what GBK has not.
func writeGB18030(out *bufio.Writer, text string) error {
	raw, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		return deposit.Refuse(deposit.Invalid, "entry_unwritable", "含有无法按 GB18030 编码的字符")
	}
	_, err = out.WriteString(raw)
	return err
}
