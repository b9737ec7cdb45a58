package bank

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// scanned is what comes of a line of a statement: an entry or a fault.
type scanned struct {
	Line  int
	Entry Entry
	Fault string
}

func scannedFault(f Fault) scanned {
	return scanned{f.Line, Entry{}, fmt.Sprint(f.Column, f.Code, f.Text, f.Raw)}
}

// scanAsText reads a statement row by row without the short way.
func scanAsText(file []byte) (all []scanned, err error) {
	plain := plainCSV{bank: ourBank()}
	err = ReadTable(bytes.NewReader(file), GB18030, csvNames(), func(r *Row) error {
		k, f := plain.entry(r)
		if f != nil {
			all = append(all, scannedFault(*f))
			return nil
		}
		all = append(all, scanned{r.Line, *k, ""})
		return nil
	}, func(f Fault) error { all = append(all, scannedFault(f)); return nil })
	return all, err
}

// scanBare reads it with the short way; of the credits that came bare it keeps what they say, and reads them again.
func scanBare(t *testing.T, file []byte) (all []scanned, bare []int, err error) {
	t.Helper()
	set := make([]uint64, bytes.Count(file, []byte("\n"))/64+1)
	s := CSVScan{Bank: ourBank(), Credit: func(k *BareCredit) error {
		set[k.Line/64] |= 1 << (k.Line % 64)
		bare = append(bare, k.Line)
		all = append(all, scanned{Line: k.Line, Entry: Entry{Serial: string(k.Serial), ParentAccount: string(k.ParentAccount), SubAccount: string(k.SubAccount), Amount: k.Amount,
			BookedAt: time.Unix(k.BookedAt, 0), PayerName: string(k.PayerName), PayerAccount: string(k.PayerAccount)}})
		return nil
	}, Entry: func(line int, e *Entry) error { all = append(all, scanned{line, *e, ""}); return nil },
		Fault: func(f Fault) error { all = append(all, scannedFault(f)); return nil }}
	if err := s.Read(bytes.NewReader(file)); err != nil {
		return all, bare, err
	}
	for from := 0; from < len(set)*64; from += 24 {
		err = errors.Join(err, s.Again(bytes.NewReader(file), set, from, from+24, func(line int, e *Entry) error {
			i := slices.IndexFunc(all, func(one scanned) bool { return one.Line == line })
			said := all[i].Entry
			if said.Serial != e.Serial || said.ParentAccount != e.ParentAccount || said.SubAccount != e.SubAccount || said.Amount != e.Amount || !said.BookedAt.Equal(e.BookedAt) ||
				said.PayerName != e.PayerName || said.PayerAccount != e.PayerAccount {
				t.Fatalf("line %d came as %+v, and is %+v", line, said, *e)
			}
			if e.Direction != Credit || e.Reversal != "" || e.Returned || e.PayerKey == "" || e.SubAccount == "" {
				t.Fatalf("line %d may not come bare: %+v", line, *e)
			}
			all[i].Entry = *e
			bare = slices.DeleteFunc(bare, func(l int) bool { return l == line })
			return nil
		}))
	}
	if len(bare) > 0 {
		t.Fatal("lines not read again: ", bare)
	}
	return all, nil, err
}

const steadyRow = "260612000000041,2026-06-12,2026-06-11 23:30:00," + ourParent + "," + ourParent + "-000151,C,200000.00,东昌建设有限公司,3705,示例银行,投标保证金,\n"

// FuzzCSVScan holds the reading of a statement as bytes to that as text, and where encoding/csv knows a line, to its fields.
func FuzzCSVScan(f *testing.F) {
	good := strings.Split(strings.TrimSuffix(steadyRow, "\n"), ",")
	f.Add(steadyRow, false)
	f.Add("\n\n,,,\r\n"+strings.ReplaceAll(steadyRow, "\n", "\r\n")+"\x1a", true)
	for i := range good {
		for _, odd := range []string{"", " ", "东", "\u3000东", "1 2", "1\u00a02", "\"1,2\"", "\"", "1\x7f", "+1", "1E+9", "３", "\u0085", strings.Repeat("9", 70), strings.Repeat("东", 67), "2026-02-30", "1999-12-31", "2100-01-01",
			"1999-12-31 23:59:59", "2026-06-12 24:00:00", "2026-06-12 09:00:00 ", "2026-06-11 23:29:60", "D", "退汇", "1", "1.234", "0.00", "9999999999.00", "00000200000.00", ourParent, "\xff", "\ufffd", "东·昌", "（东）", "()", "东,", good[i] + "," + good[i],
			"ABC公司", "䶮", "\ue815", "东 昌", " 东", "东 ", "东\xe4东东", "东\xe4\xb8A东", "12345678\x7f", "12345678+", "1.2345678E+18"} {
			row := slices.Clone(good)
			row[i] = odd
			f.Add(strings.Join(row, ",")+"\n"+steadyRow, i%2 == 0)
		}
	}
	for i, field := range good { // as wide as in the rows before, with a comma within
		if len(field) < 3 {
			continue
		}
		for _, gbk := range []bool{false, true} {
			row := slices.Clone(good)
			switch {
			case isASCII([]byte(field)):
				row[i] = field[:1] + "," + field[2:]
			case gbk:
				row[i] = field[:3] + ",A" + field[6:]
			default:
				row[i] = field[:3] + ",AB" + field[6:]
			}
			f.Add(strings.Join(row, ",")+"\n", gbk)
		}
	}
	f.Fuzz(func(t *testing.T, body string, gbk bool) {
		file := []byte(csvHeader + strings.Repeat(steadyRow, 20) + body + steadyRow)
		if gbk && utf8.ValidString(body) {
			file = inGBK(t, string(file))
		}
		want, wantErr := scanAsText(file)
		got, _, err := scanBare(t, file)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, want %v\n%+v, want\n%+v", body, err, wantErr, got, want)
		}
		for i, line := range strings.Split(body, "\n") {
			fields, err := csv.NewReader(strings.NewReader(line)).Read()
			at := slices.IndexFunc(got, func(one scanned) bool { return one.Line == 22+i })
			if err != nil || len(fields) != len(good) || at < 0 || got[at].Fault != "" || strings.ContainsAny(line, "\"\r"+padding) {
				continue
			}
			if e := got[at].Entry; e.Serial != strings.TrimSpace(fields[0]) || e.PayerAccount != strings.TrimSpace(fields[8]) {
				t.Fatalf("%q: %+v, and encoding/csv reads %q", line, e, fields)
			}
		}
	})
}

// TestCSVScanIsCommon shows that the short way is the way of nearly all rows of our files.
func TestCSVScanIsCommon(t *testing.T) {
	bare, others := 0, 0
	s := CSVScan{Bank: ourBank(), Credit: func(*BareCredit) error { bare++; return nil }, Entry: func(int, *Entry) error { others++; return nil }}
	if err := s.Read(bytes.NewReader(benchStatement(t, 1000))); err != nil || bare != 1000 || others != 0 {
		t.Errorf("%v: %d bare, %d others", err, bare, others)
	}
}

// TestAgainSeesChanges shows that a file that is another one when it is read again is refused.
func TestAgainSeesChanges(t *testing.T) {
	file := []byte(csvHeader + strings.Repeat(steadyRow, 40))
	set := []uint64{1 << 33}
	for what, change := range map[string]func([]byte) []byte{
		"shorter":      func(b []byte) []byte { return b[:len(b)/2] },
		"another line": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("C,"), []byte("\",")) },
		"other fields": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("200000.00"), []byte("200000,00")) },
		"a bad field":  func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("200000.00"), []byte("20x000.00")) },
	} {
		s := CSVScan{Bank: ourBank(), Credit: func(*BareCredit) error { return nil }}
		if err := s.Read(bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		read := func(file []byte) (n int, err error) {
			err = s.Again(bytes.NewReader(file), set, 0, 64, func(int, *Entry) error { n++; return nil })
			return n, err
		}
		if n, err := read(file); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		_, err := read(change(slices.Clone(file)))
		t.Log(what)
		checkCode(t, err, "file_changed")
	}
}
