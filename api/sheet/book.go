package sheet

import (
	"bytes"
	"fmt"

	"github.com/xuri/excelize/v2"
)

// Page is one sheet of a workbook that is only read: rows of texts, the first of which is the head.
type Page struct {
	Name   string
	Widths []int // of the columns, in characters
	Rows   [][]string
}

// Book is an .xlsx of pages. Every cell is a text, whatever it begins with. The same pages give the same bytes.
func Book(pages ...Page) ([]byte, error) {
	file := excelize.NewFile()
	defer func() { _ = file.Close() }()
	w := writer{file: file}
	look := excelize.Style{NumFmt: formatText, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}}
	head := look
	head.Font = &excelize.Font{Bold: true}
	plain, bold := w.style(&look), w.style(&head)
	for n := range pages {
		if n == 0 {
			w.do(file.SetSheetName("Sheet1", pages[n].Name))
		} else {
			_, err := file.NewSheet(pages[n].Name)
			w.do(err)
		}
		w.page(&pages[n], bold, plain)
	}
	var out bytes.Buffer
	w.do(file.Write(&out))
	if w.err != nil {
		return nil, fmt.Errorf("write a workbook: %w", w.err)
	}
	return out.Bytes(), nil
}

func (w *writer) page(p *Page, bold, plain int) {
	for i, width := range p.Widths {
		letters, err := excelize.ColumnNumberToName(i + 1)
		w.do(err)
		w.do(w.file.SetColWidth(p.Name, letters, letters, float64(width)))
	}
	for row, cells := range p.Rows {
		look := plain
		if row == 0 {
			look = bold
		}
		for i, text := range cells {
			at, err := excelize.CoordinatesToCellName(i+1, row+1)
			w.do(err)
			w.do(writeText(w.file, p.Name, at, text, look))
		}
	}
	w.do(w.file.SetPanes(p.Name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
}
