package bank

import (
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// readBack reads a table of the columns a and b into text: "line:column value" for each field, "!line:column code" for a fault.
func readBack(file string) (got []string, err error) {
	err = ReadTable(strings.NewReader(file), GB18030, []string{"a", "b"}, func(r *Row) error {
		for i, field := range r.Fields {
			line, column := r.At(i)
			got = append(got, fmt.Sprintf("%d:%d %s", line, column, field))
		}
		return nil
	}, func(f Fault) error {
		got = append(got, fmt.Sprintf("!%d:%d %s", f.Line, f.Column, f.Code))
		return nil
	})
	return got, err
}

func TestReadTable(t *testing.T) {
	for _, x := range []struct {
		what, file string
		want       []string
	}{
		{"plain", "a,b\n1,2\n", []string{"2:1 1", "2:3 2"}},
		{"another order", "b,x,a\n2,y,1\n", []string{"2:5 1", "2:1 2"}},
		{"columns in characters", "a,b\n聊城,东昌\n", []string{"2:1 聊城", "2:4 东昌"}},
		{"quotes", "a,b\n\"1,\"\"x\"\"\",\"\"\n", []string{`2:1 1,"x"`, "2:11 "}},
		{"a field of three lines", "a,b\n\"1\n\n聊\",2\n3,4\n", []string{"2:1 1\n\n聊", "4:4 2", "5:1 3", "5:3 4"}},
		{"CRLF in quotes", "a,b\r\n\"1\r\n2\",3\r\n", []string{"2:1 1\n2", "3:4 3"}},
		{"no end of the last line", "a,b\n1,", []string{"2:1 1", "2:3 "}},
		{"blank lines count", "\n\na,b\n\n1,2\n", []string{"5:1 1", "5:3 2"}},
		{"too many", "a,b\n1,2,3\n4,5\n", []string{"!2:1 field_count", "3:1 4", "3:3 5"}},
		{"too few", "a,b\n1\n4,5\n", []string{"!2:1 field_count", "3:1 4", "3:3 5"}},
		{"a quote within", "a,b\n1,5\" pipe\n4,5\n", []string{"!2:3 quote_bare", "3:1 4", "3:3 5"}},
		{"text behind a quote", "a,b\n\"1\"x,2\n4,5\n", []string{"!2:1 quote_after", "3:1 4", "3:3 5"}},
		{"a quote never closed costs its line only", "a,b\n1,\"2\n3,4\n5,6\n", []string{"!2:3 quote_open", "3:1 3", "3:3 4", "4:1 5", "4:3 6"}},
		{"nor when a later quote closes it", "a,b\n1,\"2\n3,\"4\"\n5,6\n", []string{"!2:3 quote_open", "3:1 3", "3:3 4", "4:1 5", "4:3 6"}},
		{"two in a row", "a,b\n1,\"2\n3,\"4\n5,6\n", []string{"!2:3 quote_open", "!3:3 quote_open", "4:1 5", "4:3 6"}},
		{"a line of no text", "a,b\n聊,1\n1\xff,2\n4,5\n", []string{"2:1 聊", "2:3 1", "!3:2 charset", "4:1 4", "4:3 5"}},
		{"no text within quotes", "a,b\n聊,\"1\n\xff\"\n4,5\n", []string{"2", "!2:3 quote_open", "!3:1 charset", "4:1 4", "4:3 5"}[1:]},
	} {
		t.Run(x.what, func(t *testing.T) {
			got, err := readBack(x.file)
			if err != nil || !reflect.DeepEqual(got, x.want) {
				t.Errorf("%v\n got %q\nwant %q", err, got, x.want)
			}
		})
	}
}

// TestAnOpenQuoteEnds shows that a quote that is never closed does not take the file with it, however long that is.
func TestAnOpenQuoteEnds(t *testing.T) {
	got, err := readBack("a,b\n1,\"2\n" + strings.Repeat("3,4\n", 1000))
	if err != nil || len(got) != 1+2*1000 || got[0] != "!2:3 quote_open" {
		t.Errorf("%v, %d readings, the first %q", err, len(got), got[0])
	}
}

func TestReadTableStops(t *testing.T) {
	stop := errors.New("enough")
	rows := 0
	err := ReadTable(strings.NewReader("a\n1\n2\n"), UTF8, []string{"a"}, func(*Row) error { rows++; return stop }, nil)
	if !errors.Is(err, stop) || rows != 1 {
		t.Errorf("%v after %d rows", err, rows)
	}
	err = ReadTable(strings.NewReader("a,b\n1\n2\n"), UTF8, []string{"a"}, nil, func(Fault) error { return stop })
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestRowFault(t *testing.T) {
	err := ReadTable(strings.NewReader("lot,deposit\n聊城,八十万\n"), UTF8, []string{"deposit"}, func(r *Row) error {
		got := r.Fault(0, "amount_malformed", "deposit 应为金额，实为“", r.Fields[0], "”")
		if want := (Fault{2, 4, "amount_malformed", "deposit 应为金额，实为“八十万”", "聊城,八十万"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		return nil
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestReadTableNamesWhatIsMissing(t *testing.T) {
	_, err := readBack("b,c\n1,2\n")
	checkCode(t, err, "column_missing")
	if err == nil || !strings.Contains(err.Error(), "缺少列：a；") {
		t.Error(err)
	}
}

// FuzzSplitCSV holds the cutting of a record to the standard library's: the same fields, or a refusal from both.
func FuzzSplitCSV(f *testing.F) {
	for _, seed := range []string{"a,b", `"a","b"`, `"a""b",c`, `a"b`, `"a"b`, `"`, `""`, `,`, "\"a\nb\",c", `"聊,城",`, `""""`, `a,"b`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == "" || strings.ContainsAny(text, "\r") || text[0] == '\n' || text[len(text)-1] == '\n' {
			t.Skip("not one record, or line ends that the line reader takes away")
		}
		r := csv.NewReader(strings.NewReader(text))
		r.FieldsPerRecord = -1
		want, err := r.Read()
		if err == nil && r.InputOffset() != int64(len(text)) {
			t.Skip("more than one record")
		}
		cells, fault := splitCSV(nil, text)
		if err != nil {
			if fault == nil && !strings.Contains(text, "\n") {
				t.Fatalf("%q: read as %v, which encoding/csv refuses: %v", text, cells, err)
			}
			return
		}
		if fault != nil {
			t.Fatalf("%q: %v, and encoding/csv reads %q", text, fault, want)
		}
		var got []string
		for _, c := range cells {
			got = append(got, c.value)
		}
		for i := range want {
			want[i] = strings.Trim(want[i], blanks)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %q, and encoding/csv reads %q", text, got, want)
		}
	})
}
