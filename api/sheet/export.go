package sheet

import (
	"bytes"
	"fmt"

	"github.com/xuri/excelize/v2"

	"depositd/platform/deposit"
)

// Export is a workbook in the making: a table with typed cells and a total below, and beside it a sheet that says what was asked for.
// Accounts and serials are text, so that no digit is lost; amounts are numbers, shown as #,##0.00.
type Export struct {
	writer
	name    string
	columns []Column
	stream  *excelize.StreamWriter
	row     int
	sums    []deposit.Fen

	text, money, head, sum int // styles
}

// NewExport begins a workbook whose table stands on the sheet of that name.
func NewExport(name string, columns []Column) *Export {
	x := &Export{writer: writer{file: excelize.NewFile()}, name: name, columns: columns, row: 1, sums: make([]deposit.Fen, len(columns))}
	x.do(x.file.SetSheetName("Sheet1", name))
	x.text = x.style(&excelize.Style{NumFmt: formatText})
	x.money = x.style(&excelize.Style{NumFmt: formatMoney})
	x.head = x.style(&excelize.Style{NumFmt: formatText, Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"F0F0F0"}}})
	x.sum = x.style(&excelize.Style{NumFmt: formatMoney, Font: &excelize.Font{Bold: true}})
	var err error
	x.stream, err = x.file.NewStreamWriter(name)
	x.do(err)
	if x.err != nil {
		return x
	}
	titles := make([]any, len(columns))
	for i := range columns {
		x.do(x.stream.SetColWidth(i+1, i+1, float64(max(8, columns[i].Width))))
		titles[i] = excelize.Cell{StyleID: x.head, Value: columns[i].Title}
	}
	x.do(x.stream.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	x.write(titles)
	return x
}

func (x *Export) write(cells []any) {
	if x.err == nil {
		x.do(x.stream.SetRow(fmt.Sprint("A", x.row), cells))
	}
	x.row++
}

// Add adds a row: a deposit.Fen in a column of money, text elsewhere.
func (x *Export) Add(values ...any) {
	cells := make([]any, len(values))
	for i, v := range values {
		if fen, ok := v.(deposit.Fen); ok {
			x.sums[i] += fen
			cells[i] = excelize.Cell{StyleID: x.money, Value: yuan(fen)}
			continue
		}
		if name, ok := v.(deposit.Name); ok {
			v = name.String()
		}
		cells[i] = excelize.Cell{StyleID: x.text, Value: v}
	}
	x.write(cells)
}

// yuan is an amount as spreadsheets count: exact up to ten thousand times what one payment may be.
func yuan(fen deposit.Fen) float64 { return float64(fen) / 100 }

// File ends the workbook with the totals and what was asked for. The Export is done with then.
func (x *Export) File(filters [][2]string) ([]byte, error) {
	defer func() { _ = x.file.Close() }()
	rows := x.row - 2
	totals := make([]any, len(x.columns))
	for i := range x.columns {
		switch {
		case x.columns[i].Kind == Money:
			totals[i] = excelize.Cell{StyleID: x.sum, Value: yuan(x.sums[i])}
		case i == 0:
			totals[i] = excelize.Cell{StyleID: x.sum, Value: fmt.Sprint("合计 ", rows, " 行")}
		}
	}
	x.write(totals)
	if x.err == nil {
		x.do(x.stream.Flush())
	}
	const asked = "筛选条件"
	_, err := x.file.NewSheet(asked)
	x.do(err)
	x.do(x.file.SetColWidth(asked, "A", "B", 28))
	for i, line := range filters {
		if line[1] == "" {
			line[1] = "全部"
		}
		x.do(writeText(x.file, asked, fmt.Sprint("A", i+1), line[0], x.head))
		x.do(writeText(x.file, asked, fmt.Sprint("B", i+1), line[1], x.text))
	}
	var out bytes.Buffer
	x.do(x.file.Write(&out))
	if x.err != nil {
		return nil, fmt.Errorf("make a workbook: %w", x.err)
	}
	return out.Bytes(), nil
}
