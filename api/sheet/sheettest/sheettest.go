// Package sheettest fills in workbooks and reads them back as a person sees them, for tests.
package sheettest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// Fill writes values into cells of the first sheet of a workbook; a formatted cell keeps its format.
func Fill(t testing.TB, raw []byte, values map[string]any) []byte {
	t.Helper()
	f := open(t, raw)
	for cell, value := range values {
		if err := f.SetCellValue(f.GetSheetName(0), cell, value); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Cells reads a sheet back, a cell a line: "A2 LC-1", in front of it the number of its format in the file where that is none of a
// general cell: "A2 @49 LC-1". Of empty cells only the row below the header is told.
func Cells(t testing.TB, raw []byte, sheet string) string {
	t.Helper()
	f := open(t, raw)
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range max(2, len(rows)) {
		for j := range rows[0] {
			name, _ := excelize.CoordinatesToCellName(j+1, i+1)
			text, err := f.GetCellValue(sheet, name)
			if err != nil {
				t.Fatal(err)
			}
			if text != "" || i == 1 {
				fmt.Fprintf(&b, "%s%s %s\n", name, format(t, f, sheet, name), text)
			}
		}
	}
	return b.String()
}

func format(t testing.TB, f *excelize.File, sheet, name string) string {
	t.Helper()
	id, err := f.GetCellStyle(sheet, name)
	if err != nil {
		t.Fatal(err)
	}
	style, err := f.GetStyle(id)
	if err != nil {
		t.Fatal(err)
	}
	if style.NumFmt == 0 {
		return ""
	}
	return fmt.Sprint(" @", style.NumFmt)
}

func open(t testing.TB, raw []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
