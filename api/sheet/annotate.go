package sheet

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// workbook is a table's file, to be given back.
type workbook interface {
	open() (file *excelize.File, sheet string, err error)
}

func (x *xlsxFile) open() (*excelize.File, string, error) { return x.file, x.sheet, nil }

// open makes a workbook of a CSV; every cell of it is text.
func (f csvFile) open() (*excelize.File, string, error) {
	file := excelize.NewFile()
	const sheet = "Sheet1"
	text, err := file.NewStyle(&excelize.Style{NumFmt: formatText})
	if err != nil {
		return nil, "", err
	}
	for _, r := range f {
		for i, s := range r.cells {
			name, err := excelize.CoordinatesToCellName(i+1, r.number)
			if err != nil {
				return nil, "", err
			}
			if err := writeText(file, sheet, name, s, text); err != nil {
				return nil, "", err
			}
		}
	}
	return file, sheet, nil
}

// Formats of cells by their numbers in the file format.
const (
	formatText  = 49 // @
	formatMoney = 4  // #,##0.00
)

// writeText writes a text that stays one, whatever it begins with.
func writeText(file *excelize.File, sheet, name, text string, style int) error {
	if err := file.SetCellStr(sheet, name, text); err != nil {
		return err
	}
	return file.SetCellStyle(sheet, name, name, style)
}

// Close frees what the file holds.
func (t *Table) Close() {
	if x, ok := t.book.(*xlsxFile); ok {
		_ = x.file.Close()
	}
}

// Annotate gives the file back with a column 错误原因 that says for each row what is wrong with it, and with the cells at
// fault marked. All else stays as it was; of a CSV an .xlsx is made whose cells are text.
func (t *Table) Annotate(faults []Fault) ([]byte, error) {
	file, sheet, err := t.book.open()
	if err != nil {
		return nil, fmt.Errorf("annotate a list: %w", err)
	}
	m := marker{file: file, sheet: sheet, marked: map[int]int{}}
	note := t.note
	if note == 0 {
		note = t.width + 1
	}
	reasons := map[int]string{}
	var rows []int
	for _, f := range faults {
		if _, there := reasons[f.Row]; !there {
			rows = append(rows, f.Row)
		} else {
			reasons[f.Row] += "；"
		}
		reasons[f.Row] += f.reason()
		if place := t.at[f.Field]; place > 0 {
			m.mark(place, f.Row)
		}
	}
	if err := m.notes(note, t, rows, reasons); err != nil {
		return nil, fmt.Errorf("annotate a list: %w", err)
	}
	var out bytes.Buffer
	if err := file.Write(&out); err != nil {
		return nil, fmt.Errorf("annotate a list: %w", err)
	}
	return out.Bytes(), nil
}

func (f *Fault) reason() string {
	if strings.HasPrefix(f.Text, f.Title) { // which "" does too
		return f.Text
	}
	return f.Title + "：" + f.Text
}

// marker marks cells of a sheet. The first thing that goes wrong stays.
type marker struct {
	file   *excelize.File
	sheet  string
	marked map[int]int // the marked style of a style
	err    error
}

const faultColour = "FFC7CE"

// mark colours a cell; its format stays.
func (m *marker) mark(place, row int) {
	name, err := excelize.CoordinatesToCellName(place, row)
	if err != nil || m.err != nil {
		m.err = first(m.err, err)
		return
	}
	was, err := m.file.GetCellStyle(m.sheet, name)
	if err != nil {
		m.err = err
		return
	}
	style, known := m.marked[was]
	if !known {
		look, err := m.file.GetStyle(was)
		if err != nil {
			look = &excelize.Style{NumFmt: formatText}
		}
		look.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{faultColour}}
		if style, err = m.file.NewStyle(look); err != nil {
			m.err = err
			return
		}
		m.marked[was], m.marked[style] = style, style
	}
	m.err = m.file.SetCellStyle(m.sheet, name, name, style)
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// notes writes the column of reasons; what an earlier answer left in it goes.
func (m *marker) notes(place int, t *Table, rows []int, reasons map[int]string) error {
	if m.err != nil {
		return m.err
	}
	style, err := m.file.NewStyle(&excelize.Style{NumFmt: formatText, Font: &excelize.Font{Color: "9C0006"}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	if err != nil {
		return err
	}
	letters, err := excelize.ColumnNumberToName(place)
	if err != nil {
		return err
	}
	if err := m.file.SetColWidth(m.sheet, letters, letters, 60); err != nil {
		return err
	}
	write := func(row int, text string) error {
		return writeText(m.file, m.sheet, fmt.Sprint(letters, row), text, style)
	}
	title := noteTitle
	if reasons[t.head] != "" {
		title += "：" + reasons[t.head]
	}
	if err := write(t.head, title); err != nil {
		return err
	}
	if t.note != 0 {
		for i := range t.Rows {
			if n := t.Rows[i].Number; reasons[n] == "" {
				if err := write(n, ""); err != nil {
					return err
				}
			}
		}
	}
	slices.Sort(rows)
	for _, row := range rows {
		if row != t.head {
			if err := write(row, reasons[row]); err != nil {
				return err
			}
		}
	}
	return nil
}
