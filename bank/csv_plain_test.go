package bank

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"depositd/platform/deposit"
)

// FuzzPlainCSV holds the plain reading of a csv row to the columns': what it reads, they read alike.
func FuzzPlainCSV(f *testing.F) {
	good := []string{"260612000000041", "2026-06-12", "2026-06-11 23:30:00", ourParent, ourParent + "-000151", "C", "200000.00", "东昌（集团）有限公司", "3705", "示例银行", "投标 保证金", ""}
	f.Add(strings.Join(good, "\t"))
	for i := range good {
		for _, odd := range []string{"", "东", "\u3000东", "东\u3000", "1 2", "1\u00a02", "1\n2", "1\x7f", "+1", "1E+9", "３", "\u0085", "\ufdfa", strings.Repeat("9", 70), strings.Repeat("东", 67), strings.Repeat("\ufdfa", 20),
			"2026-02-30", "1999-12-31", "2100-01-01", "1999-12-31 23:59:59", "2026-06-12 24:00:00", "2026-06-12 09:00:00 ", "D", "退汇", "1", "1.234", "0.00", "9999999999.00", ourParent, "\xff", "\ufffd", "东·昌"} {
			row := slices.Clone(good)
			row[i] = odd
			f.Add(strings.Join(row, "\t"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields := strings.Split(text, "\t")
		if len(fields) != len(csvColumns) || !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
			t.Skip("no row that the table reader would hand on")
		}
		for i := range fields {
			fields[i] = strings.Trim(fields[i], blanks)
		}
		b := ourBank()
		plain := plainCSV{bank: b}
		if !plain.read(fields) {
			return
		}
		k := new(booking)
		fault := k.read(b, csvColumns, cells{texts: fields, at: func(int) (line, column int) { return 1, 1 }})
		if fault != nil || k.PayerKey != plain.booking.PayerKey || !sameBooking(k.Entry, plain.booking.Entry) {
			t.Fatalf("%q:\n%+v, want\n%+v, %v", fields, plain.booking.Entry, k.Entry, fault)
		}
	})
}

// TestPlainCSVIsCommon shows that the plain reading is what reads the rows of our files.
func TestPlainCSVIsCommon(t *testing.T) {
	rows, plain := 0, plainCSV{bank: ourBank()}
	err := ReadTable(bytes.NewReader(sampleFile(t, "csv", "statement-gbk.csv")), GB18030, csvNames(), func(r *Row) error {
		if plain.read(r.Fields) {
			rows++
		}
		return nil
	}, nil)
	if want := len(csvEntries(t)); err != nil || rows < want-2 {
		t.Errorf("%v: %d of %d", err, rows, want)
	}
}

// FuzzDecodePlain holds the plain decoding of a line to the decoders.
func FuzzDecodePlain(f *testing.F) {
	for _, seed := range []string{"abc", "聊城", "\xc1\xc4\xb3\xc7", "\x80", "\x81", "\x81\x30\x81\x30", "a\xff", "\xa1\xa4", "\xef\xbf\xbd", "\x81\x7f", "12345678\xc1", "\xfe\x50", "\xa2\xe3", "1234567890\xc1\xc4", "\xc1\xc412345678", "1234\xc1\xc4567890123456789"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, charset := range []Charset{UTF8, GB18030} {
			l := &lines{charset: charset}
			text, ok := l.decodePlain(raw)
			want, err := charset.Decode(raw)
			if ok && (err != nil || text != want) {
				t.Fatalf("%s %q: %q, want %q, %v", charset, raw, text, want, err)
			}
		}
	})
}

// TestAppendHan holds the names in Han characters to the decoder, for every code.
func TestAppendHan(t *testing.T) {
	known := 0
	for lead := range 256 {
		for trail := range 256 {
			raw := []byte{0xC1, 0xC4, byte(lead), byte(trail), 0xB3, 0xC7}
			text, ok := appendHan([]byte("x"), raw)
			want, err := GB18030.Decode(raw)
			if ok {
				known++
			}
			if ok && (err != nil || string(text) != "x"+want || deposit.NameKey(want) != want) {
				t.Errorf("%x: %q, want %q, %v", raw, text, want, err)
			}
		}
	}
	if known != lastHan-firstHan+1 {
		t.Errorf("%d characters", known)
	}
}

// TestTwoByteRunes holds the table to the decoder for every code, and shows that it is not empty.
func TestTwoByteRunes(t *testing.T) {
	known := 0
	for lead := range 256 {
		for trail := range 256 {
			raw := []byte{byte(lead), byte(trail)}
			want, err := GB18030.Decode(raw)
			text, ok := appendTwoByte(nil, raw)
			if ok && (err != nil || string(text) != want) {
				t.Errorf("%x: %q, want %q, %v", raw, text, want, err)
			}
			if ok && lead >= utf8.RuneSelf {
				known++
			}
		}
	}
	if known < 21000 {
		t.Errorf("%d codes", known)
	}
}

// FuzzReadTable holds the table reader to encoding/csv over whole files: where both find nothing to complain of, they have
// read the same.
func FuzzReadTable(f *testing.F) {
	for _, seed := range []string{"1,2\n", "\"1\",\"2\"\"\"\r\n3,4", "聊,\"城\n东\"\n", "1,2,3\n", "\"", "\n\n5,6\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if strings.ContainsAny(body, padding+"\r") || !utf8.ValidString(body) || strings.Contains(body, "\uFFFD") {
			t.Skip("what encoding/csv does not know")
		}
		file, faults := "a,b\n"+body, 0
		var got [][]string
		err := ReadTable(strings.NewReader(file), UTF8, []string{"a", "b"}, func(r *Row) error {
			got = append(got, slices.Clone(r.Fields))
			return nil
		}, func(Fault) error { faults++; return nil })
		want, wrong := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil || faults > 0 || wrong != nil {
			return
		}
		want = slices.DeleteFunc(want[1:], func(row []string) bool { return strings.Trim(strings.Join(row, ""), blanks) == "" })
		for _, row := range want {
			for i := range row {
				row[i] = strings.Trim(row[i], blanks)
			}
		}
		got = slices.DeleteFunc(got, func(row []string) bool { return strings.Trim(strings.Join(row, ""), blanks) == "" })
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("%q:\n%q, want\n%q", file, got, want)
		}
	})
}

// benchStatement is a statement of so many rows, in GBK.
func benchStatement(b testing.TB, rows int) []byte {
	file := []byte(csvHeader)
	for i := range rows {
		file = fmt.Appendf(file, "2606120000%05d,2026-06-12,2026-06-12 09:%02d:%02d,%s,%[4]s-%06[1]d,C,800000.00,聊城市东昌建设工程有限公司,6212000000000000005,示例银行聊城分行,投标保证金,\n",
			i, i/60%60, i%60, ourParent)
	}
	return inGBK(b, string(file))
}

// BenchmarkGBK sets the adapter beside what one would write without it, x/text before encoding/csv: "fields" only cuts the
// rows, "entries" also reads day, time and amount and looks at the texts, as the adapter does.
func BenchmarkGBK(b *testing.B) {
	const rows = 100_000
	raw := benchStatement(b, rows)
	measure := func(name string, read func() (int, error)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if n, err := read(); err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	measure("scan", func() (n int, err error) {
		s := CSVScan{Bank: ourBank(), Credit: func(*BareCredit) error { n++; return nil }}
		err = s.Read(bytes.NewReader(raw))
		return n, err
	})
	measure("adapter", func() (int, error) {
		s := counted{}
		err := csvAdapter.Statement(ourBank(), bytes.NewReader(raw), &s)
		return s.entries, err
	})
	measure("libraries-fields", func() (int, error) { return byLibraries(raw, func([]string) error { return nil }) })
	measure("libraries-entries", func() (int, error) { return byLibraries(raw, entryByLibraries) })
}

func byLibraries(raw []byte, row func([]string) error) (n int, err error) {
	r := csv.NewReader(transform.NewReader(bytes.NewReader(raw), simplifiedchinese.GB18030.NewDecoder()))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		return 0, err
	}
	for ; ; n++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err == nil {
			err = row(fields)
		}
		if err != nil {
			return n, err
		}
	}
}

func entryByLibraries(f []string) (err error) {
	e := Entry{Bank: "test", Serial: f[0], ParentAccount: f[3], SubAccount: f[4], Direction: Direction(f[5]), PayerName: f[7], PayerAccount: f[8], PayerBank: f[9], Remark: f[10], ReversalOf: f[11]}
	if e.BookingDate, err = deposit.ParseDay(f[1]); err != nil {
		return err
	}
	if e.BookedAt, err = deposit.ParseWall(f[2]); err != nil {
		return err
	}
	if e.Amount, err = deposit.ParseYuan(f[6]); err != nil {
		return err
	}
	return e.Check()
}
