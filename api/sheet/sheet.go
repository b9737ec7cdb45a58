// Package sheet reads and writes the tables that people fill in: .xlsx and CSV. It knows rows, columns and cells, and what
// a spreadsheet does to them – numbers that lost their last digits, days that became numbers – and nothing of what they mean.
//
// Whatever is wrong with a file is told at the row and the column that the person sees. What is read is only text: formulas
// give the value they had, and no cell that is written becomes one.
package sheet

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// Limits of what is taken.
const (
	MaxFile    = 2 << 20 // bytes of a file; a full list has half a megabyte
	MaxRows    = 5000    // of a list
	maxCells   = 200     // of a row
	maxMerged  = 1000    // merged ranges of a sheet: every one is looked through for every cell
	headWithin = 20      // rows in which the header has to stand
)

// Kind says what a column holds.
type Kind int

// The kinds.
const (
	Text   Kind = iota
	Number      // an account, a serial: digits of which none may be lost
	Money       // yuan; read as 800000.00
	Day         // read as 2026-06-12
)

// Column is one column of a table. Which place it has, the file says.
type Column struct {
	Field  string   // its name for machines
	Title  string   // its header
	Also   []string // other headers that mean it
	Kind   Kind
	Needed bool     // the header has to be there
	Most   int      // characters
	Width  int      // of the template, in characters
	Hint   string   // what to write in it
	Choice []string // what the template offers
}

// Fault is what is wrong with a cell, or with a row or the header.
type Fault struct {
	Row   int    // as the spreadsheet shows it, from 1
	Field string // of the column; "" for the row
	Title string // its header
	Code  string
	Text  string
}

// Row is one row that is not empty.
type Row struct {
	Number int // as the spreadsheet shows it
	cells  map[string]string
}

// Cell is what stands in a column, by its field.
func (r *Row) Cell(field string) string { return r.cells[field] }

// Table is a file as it was read. Rows holds every row that is not empty; what is wrong with them, and with the header, stands
// in Faults.
type Table struct {
	Rows   []Row
	Faults []Fault

	columns []Column
	head    int            // the header's row
	at      map[string]int // the place of a column, from 1
	width   int            // the last place that the header uses
	note    int            // the place of the column of errors of an earlier answer; 0: none
	book    workbook
}

// noteTitle is the header of the column in which a refused file tells what is wrong.
const noteTitle = "错误原因"

// ignored are headers of columns that people add for themselves.
var ignored = []string{"序号", "备注", noteTitle}

// cell is one cell as a file has it.
type cell struct {
	text    string
	numeric bool // the file holds a number, not its digits
	bad     bool // an error, or true or false
}

// source is a file's cells, row by row.
type source interface {
	// each calls f for every row that has cells, with its number and its cells from the first place on.
	each(f func(number int, cells []string) error) error
	// cell says what a cell is whose text was given by each.
	cell(row, place int, text string) cell
	// day turns a number that stands for a day into it.
	day(number string) (deposit.Day, bool)
}

func refuse(code string, text ...any) error { return deposit.Refuse(deposit.Invalid, code, text...) }

// read takes the table out of a file.
func read(from source, columns []Column) (*Table, error) {
	t := &Table{columns: columns}
	above := 0 // rows above the header
	err := from.each(func(number int, cells []string) error {
		switch {
		case len(cells) > maxCells:
			return tooWide(number, len(cells))
		case t.head == 0 && t.isHead(cells):
			t.header(number, cells)
		case t.head == 0 && above < headWithin:
			above++
		case t.head == 0:
			return errNoHead()
		case t.isHead(cells): // said again, as at the top of a printed page
		default:
			return t.row(from, number, cells)
		}
		return nil
	})
	if err == nil && t.head == 0 {
		err = errNoHead()
	}
	if err == nil && len(t.Rows) == 0 && len(t.Faults) == 0 {
		err = refuse("list_empty", "表中没有数据行：请在表头下面填写退付明细")
	}
	return t, err
}

func errNoHead() error {
	return refuse("header_missing", "没有找到表头：请使用模板，表头应在前 ", headWithin, " 行内，列名与模板一致，列的先后不限")
}

func tooWide(row, cells int) error {
	return refuse("row_too_wide", "第 ", row, " 行有 ", cells, " 列，最多 ", maxCells, " 列")
}

func tooLong() error {
	return refuse("list_too_long", "一份名单最多 ", MaxRows, " 行，请分开提交")
}

// plainTitle is a header without what people put around it: blanks, line breaks, an asterisk, a remark in brackets.
func plainTitle(s string) string {
	if at := strings.IndexAny(s, "(（"); at > 0 {
		s = s[:at]
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '*' || r == '＊' || r == '\ufeff' || r == '\u200b' {
			return -1
		}
		return r
	}, s))
}

// columnOf finds the column that a header means.
func (t *Table) columnOf(title string) *Column {
	for i := range t.columns {
		c := &t.columns[i]
		if title == c.Title || title == c.Field || slices.Contains(c.Also, title) {
			return c
		}
	}
	return nil
}

// isHead says whether a row is the header: two of its cells at least are headers that are known.
func (t *Table) isHead(cells []string) bool {
	known := 0
	for _, text := range cells {
		if t.columnOf(plainTitle(text)) != nil {
			known++
		}
	}
	return known >= 2
}

// header notes which column stands where. A header that is not known, or twice there, is a fault: what stands below it would be
// lost silently.
func (t *Table) header(number int, cells []string) {
	t.head, t.at = number, map[string]int{}
	for i, text := range cells {
		title := plainTitle(text)
		if title == "" {
			continue
		}
		t.width = i + 1
		switch c := t.columnOf(title); {
		case strings.HasPrefix(title, noteTitle):
			t.note = i + 1
		case c == nil && slices.Contains(ignored, title):
		case c == nil:
			t.fault(number, "", clip(text), "column_unknown", "没有这一列：", clip(text), "；请删去该列，或改为模板中的列名")
		case t.at[c.Field] != 0:
			t.fault(number, c.Field, c.Title, "column_twice", "这一列出现了两次：", c.Title)
		default:
			t.at[c.Field] = i + 1
		}
	}
	for i := range t.columns {
		if c := &t.columns[i]; c.Needed && t.at[c.Field] == 0 {
			t.fault(number, c.Field, c.Title, "column_missing", "缺少必需的列：", c.Title)
		}
	}
}

func (t *Table) fault(row int, field, title, code string, text ...any) {
	refusal := deposit.AsRefusal(refuse(code, text...))
	t.Faults = append(t.Faults, Fault{row, field, title, code, refusal.Text})
}

// clip keeps a text of the file short where it is told back.
func clip(s string) string {
	if r := []rune(strings.TrimSpace(s)); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return strings.TrimSpace(s)
}

// sums are what people write before the total below their table.
var sums = []string{"合计", "总计", "小计"}

// row reads one row below the header. An empty one, and one that sums the others up, is none.
func (t *Table) row(from source, number int, cells []string) error {
	r := Row{Number: number, cells: map[string]string{}}
	before := len(t.Faults)
	filled := false
	for i := range t.columns {
		c := &t.columns[i]
		place := t.at[c.Field]
		if place == 0 || place > len(cells) || strings.TrimSpace(cells[place-1]) == "" {
			continue
		}
		filled = true
		text, code, complaint := c.read(from, from.cell(number, place, cells[place-1]))
		if code != "" {
			t.fault(number, c.Field, c.Title, code, complaint)
		}
		r.cells[c.Field] = text
	}
	for _, text := range cells {
		if slices.Contains(sums, plainTitle(text)) {
			t.Faults = t.Faults[:before]
			return nil
		}
	}
	if !filled {
		return nil
	}
	if len(t.Rows) == MaxRows {
		return tooLong()
	}
	t.Rows = append(t.Rows, r)
	return nil
}

// Wrong lists the numbers of the rows that have a fault.
func (t *Table) Wrong() map[int]bool {
	wrong := map[int]bool{}
	for _, f := range t.Faults {
		wrong[f.Row] = true
	}
	return wrong
}

// HeaderWrong says whether the header itself is at fault, so that no row can be trusted.
func (t *Table) HeaderWrong() bool {
	return slices.ContainsFunc(t.Faults, func(f Fault) bool { return f.Row == t.head })
}

var (
	scientific = regexp.MustCompile(`^[0-9](\.[0-9]+)?[Ee]\+?[0-9]+$`)
	fewDigits  = regexp.MustCompile(`^[0-9]{1,15}$`) // as many as a spreadsheet's number keeps
	csvNumber  = regexp.MustCompile(`^(?:="([^"]*)"|'([0-9]+))$`)
)

// read makes a column's text of a cell; a code says that it cannot be one, and why.
func (c *Column) read(from source, x cell) (text, code, complaint string) {
	text = strings.TrimSpace(x.text)
	switch {
	case x.bad:
		return "", "cell_error", "单元格是错误值或逻辑值，请重新填写"
	case c.Kind == Money:
		return readMoney(text, x.numeric)
	case c.Kind == Day:
		return readDay(from, text, x.numeric)
	case x.numeric && !fewDigits.MatchString(text), c.Kind == Number && scientific.MatchString(text):
		return "", "number_not_text", "长数字被存成了数值（如 6.212E+18），末几位已丢失：请把该列设为“文本”格式，再重新填写完整号码"
	}
	if held := csvNumber.FindStringSubmatch(text); c.Kind == Number && held != nil {
		text = held[1] + held[2] // how a CSV keeps a spreadsheet from taking it for a number
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", "text_control", "含有换行等控制字符，请删去"
	}
	if utf8.RuneCountInString(text) > c.Most {
		return "", "text_too_long", "最多 " + strconv.Itoa(c.Most) + " 个字符"
	}
	return text, "", ""
}
