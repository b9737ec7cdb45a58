package sheet

import (
	"slices"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// Whatever bytes come as a table, they are read or refused with a reason, and what is read can be given back.
func FuzzTables(f *testing.F) {
	f.Add([]byte("流水号,日期\n1,2026-06-12\n"))
	f.Add(file(f, [][]any{{"流水号", "日期", "金额", "户名"}, {"1", "2026-06-12", 1.5, "甲"}, {6.2e18, 46185, "x", true}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, read := range []func() (*Table, error){
			func() (*Table, error) { return ReadXLSX(raw, "退付名单", columns) },
			func() (*Table, error) { return ReadCSV(raw, columns) },
		} {
			x, err := read()
			if err != nil {
				if !deposit.IsKind(err, deposit.Invalid) {
					t.Fatalf("refused with %v", err)
				}
				continue
			}
			if _, err := x.Annotate(append(x.Faults, Fault{Row: x.head + 1, Field: "serial", Text: "x"})); err != nil {
				t.Fatalf("read, and not given back: %v", err)
			}
			x.Close()
		}
	})
}

// Parts are what a workbook is made of: whatever stands in one of them, the file is read or refused.
func FuzzParts(f *testing.F) {
	whole := file(f, [][]any{{"流水号", "日期", "金额", "户名"}, {"1", "2026-06-12", 1.5, "甲"}, {6.2e18, 46185, "x", true}})
	names, bodies := unzip(f, whole)
	for i := range names {
		f.Add(uint8(i), bodies[i])
	}
	f.Add(uint8(0), []byte(`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>99</v></c><c r="ZZZZ9"/></row><row r="-1"/></sheetData></worksheet>`))
	f.Fuzz(func(t *testing.T, part uint8, body []byte) {
		changed := append([][]byte{}, bodies...)
		changed[int(part)%len(changed)] = body
		x, err := ReadXLSX(rezip(t, names, changed), "退付名单", columns)
		if err != nil {
			if !deposit.IsKind(err, deposit.Invalid) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		_, _ = x.Annotate(append(x.Faults, Fault{Row: x.head + 1, Field: "serial", Text: "x"}))
		x.Close()
	})
}

// What a hostile hand writes into a sheet costs an error at most.
func TestHostileSheets(t *testing.T) {
	names, bodies := unzip(t, file(t, [][]any{{"流水号", "日期"}, {"1", "2026-06-12"}}))
	at := slices.Index(names, "xl/worksheets/sheet1.xml")
	good := string(bodies[at])
	for name, sheet := range map[string]string{
		"a style that is not there": strings.Replace(good, `<c r="A2"`, `<c s="99999" r="A2"`, 1),
		"a negative style":          strings.Replace(good, `<c r="A2"`, `<c s="-1" r="A2"`, 1),
		"a string that is not":      strings.Replace(good, `<v>2</v>`, `<v>-7</v>`, 1),
		"a merged nothing":          strings.Replace(good, `</sheetData>`, `</sheetData><mergeCells count="2"><mergeCell ref=""/><mergeCell ref="B2:A"/></mergeCells>`, 1),
		"cells on top of another":   strings.Replace(good, `<c r="B2"`, `<c r="A2"`, 1),
		"rows backwards":            strings.Replace(good, `<row r="2"`, `<row r="1"`, 1),
		"no name of a cell":         strings.Replace(good, `r="A2"`, `r=""`, 1),
		"a row of another":          strings.Replace(good, `r="A2"`, `r="A700"`, 1),
		"columns of nothing":        strings.Replace(good, `<sheetData>`, `<cols><col min="0" max="-5" style="12345"/></cols><sheetData>`, 1),
		"a shared formula":          strings.Replace(good, `<c r="A2"`, `<c r="A2"><f t="shared" si="-4" ref="A1:ZZZ9">A1</f></c><c r="C2"`, 1),
	} {
		if sheet == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		changed := slices.Clone(bodies)
		changed[at] = []byte(sheet)
		x, err := ReadXLSX(rezip(t, names, changed), "退付名单", columns)
		if err != nil {
			if !deposit.IsKind(err, deposit.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		_, _ = x.Annotate([]Fault{{Row: 2, Field: "serial", Text: "x"}})
		x.Close()
	}
}
