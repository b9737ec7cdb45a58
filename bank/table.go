package bank

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// maxSpan is over how many lines a record may run: a quoted remark has a few, and more means that a quote was never closed.
const maxSpan = 20

// Row is one record of a CSV table.
type Row struct {
	Line   int      // on which it begins, from 1
	Fields []string // in the order of the columns asked for, without blanks around them; valid until the next row
	Raw    string   // the record as text

	from []int // for each field, the cell of the record
	all  []cell
}

// cell is one field of a CSV record: where it begins in the record, with its quote, and its value.
type cell struct {
	start int
	value string
}

// At says where a field stands: its line, and its column in characters, from 1, as an editor shows them.
func (r *Row) At(i int) (line, column int) {
	before := r.Raw[:r.all[r.from[i]].start]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return r.Line + strings.Count(before, "\n"), utf8.RuneCountInString(before[lineStart:]) + 1
}

// Fault makes the fault of a field; the text is joined without blanks.
func (r *Row) Fault(i int, code string, text ...any) Fault {
	line, column := r.At(i)
	return Fault{Line: line, Column: column, Code: code, Text: deposit.AsRefusal(deposit.Refuse(deposit.Invalid, code, text...)).Text, Raw: r.Raw}
}

// ReadTable reads a CSV table (RFC 4180) as it streams by: UTF-8, with a byte order mark or not, or what was declared, which
// is recognised. Its first line names the columns; those asked for may stand in any order, others are not read, and a
// missing one is an Invalid error that names it. Each record is given to row. One that cannot be read is given to fault,
// with line, column and what was expected, and the table goes on with the next line. Records without any text are
// skipped. An error from row or fault ends the reading and is returned as it is.
func ReadTable(file io.Reader, declared Charset, columns []string, row func(*Row) error, fault func(Fault) error) error {
	t, err := openTable(file, declared, columns, nil)
	if err != nil {
		return err
	}
	for {
		record, f, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = t.give(record, f, row, fault)
		}
		if err != nil {
			return err
		}
	}
}

// openTable reads the header, and notes where the lines begin if there is anything to note it in.
func openTable(file io.Reader, declared Charset, columns []string, begins *places) (*table, error) {
	in, err := newLines(file, declared)
	if err != nil {
		return nil, err
	}
	in.places = begins
	t := &table{in: in}
	names, f, err := t.next()
	if errors.Is(err, io.EOF) {
		return nil, fileEmpty()
	}
	if err != nil {
		return nil, err
	}
	if f != nil {
		return nil, refuseAt(f)
	}
	t.columns = len(names.cells)
	t.row.Fields = make([]string, len(columns))
	t.row.from, err = findColumns(columns, names)
	return t, err
}

// give hands a record on, or its fault.
func (t *table) give(r record, f *Fault, row func(*Row) error, fault func(Fault) error) error {
	if f != nil {
		return fault(*f)
	}
	t.row.take(r)
	return row(&t.row)
}

func (r *Row) take(record record) {
	r.Line, r.Raw, r.all = record.line, record.text, record.cells
	for i, c := range r.from {
		r.Fields[i] = r.all[c].value
	}
}

// findColumns says which cell holds each column asked for.
func findColumns(columns []string, header record) ([]int, error) {
	from := make([]int, len(columns))
	var missing []string
	for i, name := range columns {
		here := func(c cell) bool { return strings.EqualFold(c.value, name) }
		from[i] = slices.IndexFunc(header.cells, here)
		if from[i] < 0 {
			missing = append(missing, name)
			continue
		}
		if slices.ContainsFunc(header.cells[from[i]+1:], here) {
			return nil, deposit.Refuse(deposit.Invalid, "column_duplicate", "第 ", header.line, " 行（表头）有两个 ", name, " 列")
		}
	}
	if missing != nil {
		return nil, deposit.Refuse(deposit.Invalid, "column_missing", "第 ", header.line, " 行（表头）缺少列：", strings.Join(missing, "、"),
			"；应有 ", strings.Join(columns, ","))
	}
	return from, nil
}

// table takes a CSV file apart into records.
type table struct {
	in      *lines
	again   []textLine // lines read ahead for a quote that was never closed
	columns int        // of the header; 0 before it is read
	cells   []cell
	row     Row
}

// textLine is a decoded line; bad is the byte at which it stops being text, or 0.
type textLine struct {
	number int
	text   string
	bad    int
}

type record struct {
	line  int
	text  string
	cells []cell
}

// next gives the next record that has any text, or the fault of one that cannot be read.
func (t *table) next() (record, *Fault, error) {
	for {
		first, err := t.line()
		if err != nil {
			return record{}, nil, err
		}
		if isEmpty(first.text) {
			continue
		}
		return t.whole(first)
	}
}

// isEmpty says that a record has no text in any field.
func isEmpty(text string) bool {
	if text != "" && text[0] > ',' { // beyond all that is taken for nothing
		return false
	}
	return strings.Trim(text, padding+blanks+",") == ""
}

// line gives the next line of the file.
func (t *table) line() (textLine, error) {
	if len(t.again) > 0 {
		n := t.again[0]
		t.again = t.again[1:]
		return n, nil
	}
	n, err := t.in.next()
	if err != nil {
		return textLine{}, err
	}
	return t.text(n), nil
}

func (t *table) text(n line) textLine {
	text, bad := t.in.decode(n.record())
	return textLine{n.number, text, bad}
}

// whole reads the record that begins with a line, and takes in further lines while a quoted field is open. When that leads
// nowhere, the fault is the first line's alone: the others are read again as records of their own.
func (t *table) whole(first textLine) (record, *Fault, error) {
	if first.bad > 0 {
		return record{}, t.in.charsetFault(first.number, first.bad, first.text), nil
	}
	text := first.text
	var further []textLine
	var broken *Fault // what is wrong with the first line alone
	for {
		cells, f := splitCSV(t.cells[:0], text)
		t.cells = cells
		if f == nil && t.columns > 0 && len(cells) != t.columns {
			f = &Fault{Column: 1, Code: "field_count", Text: fmt.Sprintf("应为 %d 列；实为 %d 列", t.columns, len(cells))}
		}
		if f == nil {
			return record{first.number, text, cells}, nil, nil
		}
		if broken == nil {
			broken = f
		}
		if f.Code == openQuote && len(further) < maxSpan {
			n, err := t.line()
			if err != nil && !errors.Is(err, io.EOF) {
				return record{}, nil, err
			}
			if err == nil {
				further = append(further, n)
			}
			if err == nil && n.bad == 0 {
				text += "\n" + n.text
				continue
			}
		}
		t.again = append(further, t.again...)
		broken.Line, broken.Raw = first.number, first.text
		return record{}, broken, nil
	}
}

// openQuote is the code of a record that ends within a quoted field.
const openQuote = "quote_open"

// splitCSV cuts one CSV record into cells. The fault's column says where the field stands that breaks the rules of RFC 4180.
func splitCSV(cells []cell, text string) ([]cell, *Fault) {
	if strings.IndexByte(text, '"') < 0 {
		return splitBare(cells, text), nil
	}
	at := 0
	for {
		c, end, code := cell{}, 0, ""
		if at < len(text) && text[at] == '"' {
			c, end, code = quotedField(text, at)
		} else {
			c, end, code = bareField(text, at)
		}
		if code != "" {
			return cells, &Fault{Column: utf8.RuneCountInString(text[strings.LastIndexByte(text[:at], '\n')+1:at]) + 1, Code: code, Text: quoteRules[code]}
		}
		c.value = trimBlanks(c.value)
		cells = append(cells, c)
		if end == len(text) {
			return cells, nil
		}
		at = end + 1
	}
}

// splitBare cuts a record without quotes.
func splitBare(cells []cell, text string) []cell {
	for at := 0; ; {
		comma := strings.IndexByte(text[at:], ',')
		if comma < 0 {
			return append(cells, cell{at, trimBlanks(text[at:])})
		}
		cells = append(cells, cell{at, trimBlanks(text[at : at+comma])})
		at += comma + 1
	}
}

func trimBlanks(s string) string {
	if s == "" || s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, blanks)
}

var quoteRules = map[string]string{
	openQuote:     "应以引号结束字段；引号未在记录结束前闭合",
	"quote_bare":  "含引号的字段应以引号括起，其中每个引号写作两个",
	"quote_after": "结束引号之后应为逗号或行末",
}

// bareField reads a field without quotes, up to a comma or the record's end.
func bareField(text string, at int) (c cell, end int, code string) {
	end = len(text)
	if comma := strings.IndexByte(text[at:], ','); comma >= 0 {
		end = at + comma
	}
	if strings.IndexByte(text[at:end], '"') >= 0 {
		return c, end, "quote_bare"
	}
	return cell{at, text[at:end]}, end, ""
}

// quotedField reads a field in quotes.
func quotedField(text string, at int) (c cell, end int, code string) {
	doubled := false
	for i := at + 1; ; {
		next := strings.IndexByte(text[i:], '"')
		if next < 0 {
			return c, len(text), openQuote
		}
		end = i + next + 1 // behind the quote
		switch {
		case end < len(text) && text[end] == '"':
			doubled = true
			i = end + 1
			continue
		case end < len(text) && text[end] != ',':
			return c, end, "quote_after"
		}
		value := text[at+1 : end-1]
		if doubled {
			value = strings.ReplaceAll(value, `""`, `"`)
		}
		return cell{at, value}, end, ""
	}
}
