package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"depositd/bank"
	"depositd/platform/deposit"
)

var columns = []Column{
	{Field: "serial", Title: "流水号", Also: []string{"入账流水"}, Kind: Number, Needed: true, Most: 64, Width: 20, Hint: "照抄"},
	{Field: "day", Title: "日期", Kind: Day, Needed: true, Width: 12},
	{Field: "amount", Title: "金额", Kind: Money, Width: 12},
	{Field: "name", Title: "户名", Kind: Text, Most: 10, Width: 30, Choice: []string{"甲", "乙"}},
}

// file makes an .xlsx of rows; every value is written as its kind is.
func file(t testing.TB, rows [][]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	for i, row := range rows {
		for j, value := range row {
			name, _ := excelize.CoordinatesToCellName(j+1, i+1)
			if value == nil {
				continue
			}
			if err := f.SetCellValue("Sheet1", name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// told says a table in a line: its rows, then its faults.
func told(x *Table) string {
	var b strings.Builder
	for _, r := range x.Rows {
		fmt.Fprintf(&b, "%d:%s|%s|%s|%s ", r.Number, r.Cell("serial"), r.Cell("day"), r.Cell("amount"), r.Cell("name"))
	}
	for _, f := range x.Faults {
		fmt.Fprintf(&b, "!%d %s %s ", f.Row, f.Field, f.Code)
	}
	return strings.TrimSpace(b.String())
}

func TestReadXLSX(t *testing.T) {
	head := []any{"流水号", "日期", "金额", "户名"}
	noon := time.Date(2026, 6, 12, 12, 30, 0, 0, time.UTC)
	cases := []struct {
		name string
		rows [][]any
		want string
	}{
		{"as it should be", [][]any{head, {"260612000000042", "2026-06-12", "800000.00", "甲公司"}}, "2:260612000000042|2026-06-12|800000.00|甲公司"},
		{"columns in any order, an old name, a title above", [][]any{{"某科退付名单"}, {nil}, {"金额（元）", "* 日 期", "备注", "入账流水"}, {800000, "2026/6/12", "x", "A1"}}, "4:A1|2026-06-12|800000.00|"},
		{"numbers of a spreadsheet", [][]any{head, {42, noon, 800000.1, "x"}, {"7", "2026年6月2日", 0.1 + 0.2, nil}}, "2:42|2026-06-12|800000.10|x 3:7|2026-06-02|0.30|"},
		{"amounts as people write them", [][]any{head, {"1", "20260612", "¥1,600,000.5元", ""}}, "2:1|2026-06-12|1600000.50|"},
		{"a number that lost its digits", [][]any{head, {6.212e18, "2026-06-12", 1, "x"}}, "2:|2026-06-12|1.00|x !2 serial number_not_text"},
		{"as many digits as a number has not", [][]any{head, {int64(6212000000000005), "2026-06-12", 1, "x"}}, "2:|2026-06-12|1.00|x !2 serial number_not_text"},
		{"the same as text", [][]any{head, {"6.212E+18", "2026-06-12", 1, "x"}}, "2:|2026-06-12|1.00|x !2 serial number_not_text"},
		{"a third decimal", [][]any{head, {"1", "2026-06-12", 1.005, "x"}}, "2:1|2026-06-12||x !2 amount amount_decimals"},
		{"no such day", [][]any{head, {"1", "2026-02-30", 1, "x"}}, "2:1||1.00|x !2 day day_malformed"},
		{"true", [][]any{head, {true, "2026-06-12", 1, "x"}}, "2:|2026-06-12|1.00|x !2 serial cell_error"},
		{"too long, and broken", [][]any{head, {"1", "2026-06-12", 1, "一二三四五六七八九十一"}, {"2", "2026-06-12", 1, "a\nb"}}, "2:1|2026-06-12|1.00| 3:2|2026-06-12|1.00| !2 name text_too_long !3 name text_control"},
		{"a column that is not known", [][]any{{"流水号", "日期", "金頟"}, {"1", "2026-06-12", 1}}, "2:1|2026-06-12|| !1  column_unknown"},
		{"one that is not there, one twice", [][]any{{"流水号", "金额", "流水号"}, {"1", 1, "2"}}, "2:1||1.00| !1 serial column_twice !1 day column_missing"},
		{"the header again", [][]any{head, {"1", "2026-06-12", 1, "x"}, head, {"2", "2026-06-12", 1, "x"}}, "2:1|2026-06-12|1.00|x 4:2|2026-06-12|1.00|x"},
		{"empty rows and a total", [][]any{head, {nil}, {"1", "2026-06-12", 1, "x"}, {"  ", "", nil, ""}, {"合计", nil, 1}}, "3:1|2026-06-12|1.00|x"},
	}
	for _, c := range cases {
		x, err := ReadXLSX(file(t, c.rows), "退付名单", columns)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := told(x); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
		x.Close()
	}
}

func TestReadCSV(t *testing.T) {
	gbk, err := bank.GB18030.Encode("流水号,日期,金额,户名\r\n\"=\"\"0042\"\"\",2026-6-12,\"800,000.00\",聊城市甲公司\r\n")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, text, want string }{
		{"UTF-8", "流水号,日期,金额,户名\n0042,2026-06-12,1,甲\n", "2:0042|2026-06-12|1.00|甲"},
		{"with a byte order mark", "\ufeff流水号,日期,金额,户名\n'6212000000000000005,2026-06-12,1,甲\n", "2:6212000000000000005|2026-06-12|1.00|甲"},
		{"GBK", string(gbk), "2:0042|2026-06-12|800000.00|聊城市甲公司"},
		{"empty lines count", "流水号,日期\n\n\n1,2026-06-12\n", "4:1|2026-06-12||"},
		{"a line break within a cell is one row", "流水号,日期,户名\n1,2026-06-12,\"a\nb\"\n2,2026-06-12,c\n", "2:1|2026-06-12|| 3:2|2026-06-12||c !2 name text_control"},
		{"spoilt by a spreadsheet", "流水号,日期\n6.212E+18,2026-06-12\n", "2:|2026-06-12|| !2 serial number_not_text"},
		{"a day as a number", "流水号,日期\n1,46185\n", "2:1||| !2 day day_malformed"},
	}
	for _, c := range cases {
		x, err := ReadCSV([]byte(c.text), columns)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := told(x); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

// bomb is an .xlsx with one part that is large when it is unpacked, told or not.
func bomb(t *testing.T, part, content string, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	p, err := w.Create(part)
	for err == nil && size > 0 {
		var n int
		n, err = p.Write([]byte(strings.Repeat(content, 1<<16/len(content))))
		size -= n
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRefusedFiles(t *testing.T) {
	head := []any{"流水号", "日期"}
	many := [][]any{head}
	for i := range MaxRows + 1 {
		many = append(many, []any{fmt.Sprint(i), "2026-06-12"})
	}
	wide := make([]any, maxCells+1)
	for i := range wide {
		wide[i] = "x"
	}
	large := bomb(t, "xl/worksheets/sheet1.xml", "    ", 20<<20)
	good := file(t, [][]any{head, {"1", "2026-06-12"}})
	names, bodies := unzip(t, good)
	far := func(rows string) []byte {
		changed, at := slices.Clone(bodies), slices.Index(names, "xl/worksheets/sheet1.xml")
		changed[at] = []byte(strings.Replace(string(bodies[at]), "</sheetData>", rows+"</sheetData>", 1))
		return rezip(t, names, changed)
	}
	cases := []struct {
		name string
		raw  []byte
		code string
	}{
		{"nothing", nil, "xlsx_malformed"},
		{"text", []byte("流水号,日期\n"), "xlsx_malformed"},
		{"cut", good[:len(good)/2], "xlsx_malformed"},
		{"the old format", append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), good...), ""},
		{"a zip of something else", bomb(t, "a.txt", "x", 100), "xlsx_malformed"},
		{"a bomb", large, "xlsx_too_large"},
		{"a bomb that lies", bytes.ReplaceAll(large, binary.LittleEndian.AppendUint32(nil, 20<<20), binary.LittleEndian.AppendUint32(nil, 1000)), "xlsx_malformed"},
		{"a million tags", bomb(t, "xl/worksheets/sheet1.xml", "<c/>", 5<<20), "xlsx_too_large"},
		{"macros", bomb(t, "xl/vbaProject.bin", "x", 100), "xlsx_macros"},
		{"too many rows", file(t, many), "list_too_long"},
		{"too wide", file(t, [][]any{head, wide}), "row_too_wide"},
		{"a cell at the end of the world", far(`<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>`), "xlsx_too_large"},
		{"empty cells far away", far(strings.Repeat(`<row><c r="XFD1"/></row>`, 5000)), "xlsx_too_large"},
		{"the same in another charset", far("\xc4\xe3" + strings.Repeat(`<row><c r="XFD1"/></row>`, 5000)), "xlsx_malformed"},
		{"an empty row far away", far(`<row r="1048576"><c/></row>`), "xlsx_too_large"},
		{"no header", file(t, [][]any{{"a", "b"}, {"1", "2"}}), "header_missing"},
		{"no rows", file(t, [][]any{head}), "list_empty"},
	}
	for _, c := range cases {
		began := time.Now()
		x, err := ReadXLSX(c.raw, "退付名单", columns)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: refused only after %s", c.name, took)
		}
		if c.code == "" && err == nil {
			x.Close()
			continue
		}
		if refusal := deposit.AsRefusal(err); err == nil || c.code != "" && refusal.Code != c.code || refusal.Kind != deposit.Invalid {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	for text, code := range map[string]string{"": "header_missing", "\xff\xfea\x00": "charset", "流水号,日期\n\"1": "csv_malformed", "流水号,日期\n": "list_empty", "\xff\xff,流水号": "charset"} {
		if _, err := ReadCSV([]byte(text), columns); deposit.AsRefusal(err).Code != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
}

// look reads one sheet back as a person sees it.
func look(t *testing.T, raw []byte, sheet string) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if at, err := f.GetSheetIndex(sheet); err != nil || at < 0 {
		t.Fatalf("no sheet %s", sheet)
	}
	return f
}

func value(t *testing.T, f *excelize.File, sheet, cell string) string {
	t.Helper()
	s, err := f.GetCellValue(sheet, cell)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func colour(t *testing.T, f *excelize.File, sheet, cell string) string {
	t.Helper()
	id, err := f.GetCellStyle(sheet, cell)
	if err != nil {
		t.Fatal(err)
	}
	style, err := f.GetStyle(id)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(style.Fill.Color, "")
}

// A refused list comes back as it was, with what is wrong beside each row; sent again it is read as before.
func TestAnnotate(t *testing.T) {
	raw := file(t, [][]any{{"流水号", "日期", "金额", "户名"}, {"6212000000000000005", "2026-06-12", 800000.1, "甲"}, {"=1+1", "2026-02-30", 1, "乙"}, {"3", "2026-06-12", 1, "丙"}})
	x, err := ReadXLSX(raw, "退付名单", columns)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	faults := append(x.Faults, Fault{Row: 3, Field: "amount", Title: "金额", Code: "x", Text: "=太多"}, Fault{Row: 4, Text: "整行"})
	back, err := x.Annotate(faults)
	if err != nil {
		t.Fatal(err)
	}
	f := look(t, back, "Sheet1")
	for cell, want := range map[string]string{"A1": "流水号", "A2": "6212000000000000005", "C2": "800000.1", "A3": "=1+1", "E1": "错误原因", "E2": "", "E4": "整行",
		"E3": "日期不存在或格式不对，应如 2026-06-12：2026-02-30；金额：=太多"} {
		if got := value(t, f, "Sheet1", cell); got != want {
			t.Errorf("%s is %q, want %q", cell, got, want)
		}
	}
	if formula, _ := f.GetCellFormula("Sheet1", "A3"); formula != "" {
		t.Errorf("a text became the formula %s", formula)
	}
	if kind, _ := f.GetCellType("Sheet1", "A2"); kind != excelize.CellTypeSharedString {
		t.Errorf("the account is no text any more: %v", kind)
	}
	if colour(t, f, "Sheet1", "B3") != faultColour || colour(t, f, "Sheet1", "C3") != faultColour || colour(t, f, "Sheet1", "B2") != "" {
		t.Error("the cells at fault were to be marked, and no other")
	}
	again, err := ReadXLSX(back, "退付名单", columns)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if told(again) != told(x) {
		t.Errorf("sent again it is read as\n%s\nnot\n%s", told(again), told(x))
	}
	mended, err := again.Annotate([]Fault{{Row: 2, Text: "新"}})
	if err != nil {
		t.Fatal(err)
	}
	f = look(t, mended, "Sheet1")
	if value(t, f, "Sheet1", "E3") != "" || value(t, f, "Sheet1", "E2") != "新" || value(t, f, "Sheet1", "F1") != "" {
		t.Error("what an earlier answer said was to be replaced")
	}
}

// Of a CSV an .xlsx is made; what looks like a formula is text in it.
func TestAnnotateCSV(t *testing.T) {
	x, err := ReadCSV([]byte("流水号,日期,户名\n6212000000000000005,2026-06-12,\"=cmd|' /C calc'!A1\"\n"), columns)
	if err != nil {
		t.Fatal(err)
	}
	back, err := x.Annotate([]Fault{{Row: 2, Field: "serial", Title: "流水号", Text: "查无此笔"}})
	if err != nil {
		t.Fatal(err)
	}
	f := look(t, back, "Sheet1")
	if formula, _ := f.GetCellFormula("Sheet1", "C2"); formula != "" || value(t, f, "Sheet1", "C2") != "=cmd|' /C calc'!A1" {
		t.Errorf("got the formula %q, the text %q", formula, value(t, f, "Sheet1", "C2"))
	}
	if value(t, f, "Sheet1", "A2") != "6212000000000000005" || value(t, f, "Sheet1", "D2") != "流水号：查无此笔" {
		t.Error("the row was to be there, and what is wrong with it")
	}
}

func TestTemplate(t *testing.T) {
	raw, err := Template("退付名单", columns, []string{"一行一笔"})
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Template("退付名单", columns, []string{"一行一笔"}); !bytes.Equal(raw, again) {
		t.Error("the same template is other bytes")
	}
	if _, err := ReadXLSX(raw, "退付名单", columns); deposit.AsRefusal(err).Code != "list_empty" {
		t.Errorf("an empty template is %v", err)
	}
	f := look(t, raw, "退付名单")
	if value(t, f, "退付名单", "A1") != "流水号" || value(t, f, "填写说明", "A2") != "流水号" || value(t, f, "填写说明", "C6") != "一行一笔" {
		t.Error("the headers and what they mean were to be there")
	}
	for _, cell := range []string{"A2", "A1001", "B2", "D500"} {
		id, _ := f.GetCellStyle("退付名单", cell)
		if style, err := f.GetStyle(id); err != nil || style.NumFmt != formatText {
			t.Errorf("%s is not formatted as text", cell)
		}
	}
	csv := TemplateCSV(columns, []string{"一行一笔"})
	if want := "\ufeff填写说明：一行一笔\r\n流水号,日期,金额,户名\r\n"; string(csv) != want {
		t.Errorf("got %q", csv)
	}
	filled := append(csv, "1,2026-06-12,5,甲\r\n"...)
	if x, err := ReadCSV(filled, columns); err != nil || told(x) != "3:1|2026-06-12|5.00|甲" {
		t.Errorf("filled in, it is read as %v %v", x, err)
	}
}

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{"": "", "甲": "甲", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@a": "'@a", "\tx": "'\tx", "\rx": "'\rx", "a=1": "a=1",
		"\x00=1": "'\x00=1", " =1": "' =1", "＝1": "'＝1", "\u3000＋1": "'\u3000＋1", "\ufeff=1": "'\ufeff=1", "\n=1": "'\n=1", "800000.00": "800000.00", " 甲": " 甲"} {
		if got := Harmless(text); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// unzip takes a workbook apart.
func unzip(t testing.TB, raw []byte) (names []string, bodies [][]byte) {
	t.Helper()
	parts, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names, bodies = append(names, part.Name), append(bodies, body)
	}
	return names, bodies
}

// rezip puts one together.
func rezip(t testing.TB, names []string, bodies [][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, name := range names {
		part, err := w.Create(name)
		if err == nil {
			_, err = part.Write(bodies[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
