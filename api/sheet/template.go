package sheet

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/xuri/excelize/v2"

	"depositd/platform/deposit"
)

// templateRows is how many rows of a template are made ready to be filled in.
const templateRows = 1000

// Template is an empty .xlsx of the columns: the table on the sheet of that name, with accounts and serials formatted as text, and
// on another one what to write in each column. The same columns give the same bytes.
func Template(name string, columns []Column, remarks []string) ([]byte, error) {
	return Filled(name, columns, remarks, nil)
}

// Filled is a template in which rows are filled in already, by the columns' fields; it is read as what a person has filled in.
func Filled(name string, columns []Column, remarks []string, rows []map[string]string) ([]byte, error) {
	file := excelize.NewFile()
	defer func() { _ = file.Close() }()
	w := writer{file: file}
	w.do(file.SetSheetName("Sheet1", name))
	w.table(name, columns)
	w.fill(name, columns, rows)
	const help = "填写说明"
	_, err := file.NewSheet(help)
	w.do(err)
	w.help(help, columns, remarks)
	var out bytes.Buffer
	w.do(file.Write(&out))
	if w.err != nil {
		return nil, fmt.Errorf("make a template: %w", w.err)
	}
	return out.Bytes(), nil
}

// TemplateCSV is Template as a CSV: a row with the remarks, then the header.
func TemplateCSV(columns []Column, remarks []string) []byte {
	titles := make([]string, len(columns))
	for i := range columns {
		titles[i] = columns[i].Title
	}
	return writeCSV([][]string{{"填写说明：" + strings.Join(remarks, " ")}, titles})
}

// writer writes a workbook; the first thing that goes wrong stays.
type writer struct {
	file *excelize.File
	err  error
}

func (w *writer) do(err error) { w.err = first(w.err, err) }

func (w *writer) style(s *excelize.Style) int {
	id, err := w.file.NewStyle(s)
	w.do(err)
	return id
}

func (w *writer) table(name string, columns []Column) {
	head := excelize.Style{NumFmt: formatText, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDEBF7"}}}
	needed := head
	needed.Font = &excelize.Font{Bold: true, Color: "9C0006"}
	plain, must := w.style(&head), w.style(&needed)
	text, money := w.style(&excelize.Style{NumFmt: formatText}), w.style(&excelize.Style{NumFmt: formatMoney})
	for i := range columns {
		c := &columns[i]
		letters, err := excelize.ColumnNumberToName(i + 1)
		w.do(err)
		look, top := text, plain
		if c.Kind == Money {
			look = money
		}
		if c.Needed {
			top = must
		}
		w.do(w.file.SetColWidth(name, letters, letters, float64(c.Width)))
		w.do(w.file.SetColStyle(name, letters, look))
		w.do(w.file.SetCellStyle(name, letters+"2", fmt.Sprint(letters, templateRows+1), look))
		w.do(writeText(w.file, name, letters+"1", c.Title, top))
		if len(c.Choice) > 0 {
			w.choice(name, letters, c.Choice)
		}
	}
	w.do(w.file.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
}

// fill writes the rows below the header: amounts as numbers, all else as text.
func (w *writer) fill(name string, columns []Column, rows []map[string]string) {
	for i, row := range rows {
		for j := range columns {
			text := row[columns[j].Field]
			if text == "" {
				continue
			}
			at, err := excelize.CoordinatesToCellName(j+1, i+2)
			w.do(err)
			if fen, err := deposit.ParseYuan(text); columns[j].Kind == Money && err == nil {
				w.do(w.file.SetCellFloat(name, at, yuan(fen), 2, 64))
				continue
			}
			w.do(w.file.SetCellStr(name, at, text))
		}
	}
}

func (w *writer) choice(name, letters string, words []string) {
	offer := excelize.NewDataValidation(true)
	offer.Sqref = fmt.Sprint(letters, "2:", letters, templateRows+1)
	offer.ShowErrorMessage = false // codes are taken too
	w.do(offer.SetDropList(words))
	w.do(w.file.AddDataValidation(name, offer))
}

func (w *writer) help(name string, columns []Column, remarks []string) {
	text := w.style(&excelize.Style{NumFmt: formatText, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	w.do(w.file.SetColWidth(name, "A", "A", 16))
	w.do(w.file.SetColWidth(name, "B", "B", 10))
	w.do(w.file.SetColWidth(name, "C", "C", 90))
	row := 0
	line := func(cells ...string) {
		row++
		for i, s := range cells {
			at, err := excelize.CoordinatesToCellName(i+1, row)
			w.do(err)
			w.do(writeText(w.file, name, at, s, text))
		}
	}
	line("列名", "必填", "怎样填写")
	for i := range columns {
		need := "选填"
		if columns[i].Needed {
			need = "必填"
		}
		line(columns[i].Title, need, columns[i].Hint)
	}
	for _, remark := range remarks {
		line("", "", remark)
	}
}
