package bank

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// csvEntries is our day as csv can say it.
func csvEntries(t testing.TB) []Entry {
	all := ourEntries(t)
	for i := range all {
		all[i].PayerBankCode = ""
	}
	return all
}

func TestCSVGolden(t *testing.T) {
	for _, name := range []string{"statement.csv", "statement-gbk.csv", "statement-bom-crlf.csv"} {
		t.Run(name, func(t *testing.T) {
			s, err := takeApart(csvAdapter, sampleFile(t, "csv", name))
			if err != nil {
				t.Fatal(err)
			}
			checkFaults(t, s.faults)
			sameEntries(t, s.entries, csvEntries(t))
			want := Statement{ParentAccount: ourParent, Day: "2026-06-12", Declared: Undeclared, LastPage: true}
			if len(s.begun) != 1 || s.begun[0] != want || len(s.ended) != 1 || s.ended[0] != want {
				t.Errorf("begun %+v, ended %+v", s.begun, s.ended)
			}
		})
	}
	var b bytes.Buffer
	if err := WriteCSV(&b, Statement{}, csvEntries(t)); err != nil {
		t.Fatal(err)
	}
	if want := sampleFile(t, "csv", "statement.csv"); !bytes.Equal(b.Bytes(), want) {
		t.Errorf("written\n%s\nwant\n%s", b.Bytes(), want)
	}
}

func TestCSVRows(t *testing.T) {
	s, err := takeApart(csvAdapter, sampleFile(t, "csv", "statement-broken-rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, s.faults,
		wantFault{2, 97, "amount_decimals", "“amount”应为"},
		wantFault{3, 97, "amount_negative", "-800000.00"},
		wantFault{4, 97, "amount_too_large", "十亿元"},
		wantFault{5, 17, "booking_date_malformed", "如 2026-06-12；实为“2026-02-30”"},
		wantFault{6, 28, "booked_at_malformed", "如 2026-06-12 09:29:58；实为“2026/6/12 9:00”"},
		wantFault{7, 95, "direction_unknown", "C（贷，收入）或 D（借，支出）"},
		wantFault{8, 1, "serial_missing", "“bank_serial”应为"},
		wantFault{9, 68, "sub_account_scientific", "文本格式"},
		wantFault{10, 1, "field_count", "应为 12 列；实为 4 列"},
		wantFault{11, 107, "quote_bare", "引号"},
		wantFault{12, 107, "quote_open", "引号"},
		wantFault{13, 113, "charset", "UTF-8"},
		wantFault{14, 107, "payer_name_malformed", "“payer_name”应为"},
	)
	if len(s.entries) != 1 || s.entries[0].Serial != "260612000000074" || s.entries[0].Remark != "保证金 第二行" {
		t.Errorf("the good row was not read: %+v", s.entries)
	}
}

const csvHeader = "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"

// csvRow is a row of which only some things matter.
func csvRow(serial, parent, day, direction, remark, reversalOf string) string {
	return fmt.Sprintf("%s,%s,%s 09:00:00,%s,%s-000147,%s,5.00,甲公司,62,某银行,%s,%s\n", serial, day, day, parent, parent, direction, remark, reversalOf)
}

func TestCSVDirections(t *testing.T) {
	for _, x := range []struct {
		direction, remark, reversalOf string
		reversal                      Reversal
		returned                      bool
	}{
		{"C", "保证金", "", "", false},
		{"D", "退还保证金", "", "", false},
		{"D", "", "S1", Reverses, false},
		{"C", "", "S1", "", true},
		{"C", "退汇", "", "", true},
		{"C", "他行退票重汇", "", "", true},
		{"D", "退汇手续费", "", "", false},
	} {
		s, err := takeApart(csvAdapter, []byte(csvHeader+csvRow("S9", ourParent, "2026-06-12", x.direction, x.remark, x.reversalOf)))
		if err != nil || len(s.entries) != 1 {
			t.Fatal(err, s.faults)
		}
		if e := s.entries[0]; e.Direction != Direction(x.direction) || e.Reversal != x.reversal || e.Returned != x.returned || e.ReversalOf != x.reversalOf {
			t.Errorf("%s %q %q: %+v", x.direction, x.remark, x.reversalOf, e)
		}
	}
}

// TestCSVStatements shows that a statement begins wherever account or day change, and again where they change back.
func TestCSVStatements(t *testing.T) {
	const a, b = "6550100000000000017", "6550100000000000099"
	file := csvHeader + csvRow("S1", a, "2026-06-12", "C", "", "") + csvRow("S2", a, "2026-06-12", "C", "", "") +
		csvRow("S3", b, "2026-06-12", "C", "", "") + csvRow("S4", b, "2026-06-13", "C", "", "") + csvRow("S5", a, "2026-06-12", "C", "", "")
	s, err := takeApart(csvAdapter, []byte(file))
	if err != nil || len(s.entries) != 5 {
		t.Fatal(err, s.faults)
	}
	for i, want := range []struct {
		parent string
		day    deposit.Day
	}{{a, "2026-06-12"}, {b, "2026-06-12"}, {b, "2026-06-13"}, {a, "2026-06-12"}} {
		if s.begun[i].ParentAccount != want.parent || s.begun[i].Day != want.day || s.ended[i] != s.begun[i] {
			t.Errorf("statement %d: begun %+v, ended %+v", i+1, s.begun[i], s.ended[i])
		}
	}
	if len(s.begun) != 4 || len(s.ended) != 4 {
		t.Errorf("%d begun, %d ended", len(s.begun), len(s.ended))
	}
}

func TestCSVFiles(t *testing.T) {
	row := csvRow("S1", ourParent, "2026-06-12", "C", "保证金", "")
	good := csvHeader + row
	for _, x := range []struct {
		what, file, code string
		entries          int
	}{
		{"header only", csvHeader, "", 0},
		{"GBK", string(inGBK(t, good)), "", 1},
		{"no end of the last line", strings.TrimSuffix(good, "\n"), "", 1},
		{"NUL tail", good + "\x00\x00 \x00", "", 1},
		{"rows of commas, as spreadsheets leave them", good + strings.Repeat(",", 11) + "\n\n", "", 1},
		{"blanks around the fields", strings.ReplaceAll(good, ",", " ,\t"), "", 1},
		{"header in capitals", strings.ToUpper(csvHeader) + row, "", 1},
		{"header in quotes", `"` + strings.ReplaceAll(strings.TrimSpace(csvHeader), ",", `","`) + "\"\n" + row, "", 1},
		{"more columns, and in another order", strings.ReplaceAll("期数,"+csvHeader+"1,"+row, "\n", ",x\n"), "", 1},
		{"the bank's only account", csvHeader + strings.Replace(row, ","+ourParent+",", ",,", 1), "", 1},
		{"money to the parent account", csvHeader + strings.Replace(row, "-000147", "", 1), "", 1},
		{"an equal sign of a spreadsheet", csvHeader + strings.Replace(row, "S1,", `="S1",`, 1), "", 0},
		{"empty", "", "file_empty", 0},
		{"no amount", strings.Replace(good, "amount,payer_name", "betrag,payer_name", 1), "column_missing", 0},
		{"two amounts", strings.Replace(good, "remark", "amount", 1), "column_duplicate", 0},
		{"semicolons", strings.ReplaceAll(good, ",", ";"), "column_missing", 0},
		{"header of no text", "\xff\xfeb\x00a\x00n\x00k\x00\n\x00", "charset", 0},
	} {
		t.Run(x.what, func(t *testing.T) {
			s, err := takeApart(csvAdapter, []byte(x.file))
			if x.code != "" {
				checkCode(t, err, x.code)
			} else if err != nil {
				t.Error(err)
			}
			if len(s.entries) != x.entries {
				t.Fatalf("%d entries, want %d; faults %+v", len(s.entries), x.entries, s.faults)
			}
			for _, e := range s.entries {
				want := ourParent + "-000147"
				if strings.Contains(x.what, "parent") {
					want = ""
				}
				if e.PayerName != "甲公司" || e.Remark != "保证金" || e.SubAccount != want || e.ParentAccount != ourParent {
					t.Errorf("read as %+v", e)
				}
			}
		})
	}
}

func BenchmarkCSV(b *testing.B) {
	const rows = 10000
	file := []byte(csvHeader)
	for i := range rows {
		file = fmt.Appendf(file, "2606120000%05d,2026-06-12,2026-06-12 09:%02d:%02d,%s,%[4]s-%06[1]d,C,800000.00,聊城市东昌建设工程有限公司,6212000000000000005,示例银行聊城分行,投标保证金,\n",
			i, i/60%60, i%60, ourParent)
	}
	for name, raw := range map[string][]byte{"UTF-8": file, "GBK": inGBK(b, string(file))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				s := counted{}
				if err := csvAdapter.Statement(ourBank(), bytes.NewReader(raw), &s); err != nil || s.entries != rows {
					b.Fatal(err, s)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// counted is a Sink that only counts.
type counted struct{ entries, faults int }

func (s *counted) Begin(Statement) error { return nil }
func (s *counted) Entry(*Entry) error    { s.entries++; return nil }
func (s *counted) Fault(Fault) error     { s.faults++; return nil }
func (s *counted) End(Statement) error   { return nil }

// TestValues holds single values of rows: what csv refuses, and what the banks' own layouts take.
func TestValues(t *testing.T) {
	row := csvRow("S1", ourParent, "2026-06-12", "C", "", "")
	const piped = "S9|0|20260612|20260612090000||C|5.00|0||甲公司|62||||"
	for _, x := range []struct {
		adapter   *Adapter
		old, with string
		code      string // "": read as five yuan
	}{
		{csvAdapter, ",5.00,", ",5,", ""},
		{csvAdapter, ",5.00,", ",5.000,", "amount_decimals"},
		{csvAdapter, ",5.00,", ",5.005,", "amount_decimals"},
		{csvAdapter, ",5.00,", ",500000000000,", "amount_too_large"},
		{csvAdapter, ",5.00,", `,"5,000.00",`, "amount_malformed"},
		{csvAdapter, ",5.00,", ",5e3,", "amount_malformed"},
		{csvAdapter, ",5.00,", ",NaN,", "amount_malformed"},
		{csvAdapter, ",5.00,", ",５.00,", "amount_malformed"},
		{csvAdapter, ",5.00,", ",,", "amount_malformed"},
		{csvAdapter, "09:00:00", "09:00:00.5", "booked_at_malformed"},
		{csvAdapter, "09:00:00", "24:00:00", "booked_at_malformed"},
		{csvAdapter, "09:00:00", "23:59:59", ""},
		{csvAdapter, ",2026-06-12,", ",2024-02-29,", ""},
		{csvAdapter, ",2026-06-12,", ",2026-02-29,", "booking_date_malformed"},
		{csvAdapter, ",2026-06-12,", ",1926-06-12,", "booking_date_range"},
		{csvAdapter, ",甲公司,", "," + strings.Repeat("甲", 200) + ",", ""},
		{csvAdapter, ",甲公司,", "," + strings.Repeat("甲", 201) + ",", "payer_name_too_long"},
		{csvAdapter, ",某银行,", ",某\x00银行,", "payer_bank_malformed"},
		{csvAdapter, ",62,", ",6.21700E+18,", "payer_account_scientific"},
		{delimitedAdapter, "|5.00|", "|5.000|", ""},
		{delimitedAdapter, "|5.00|", "|5.005|", "amount_decimals"},
		{delimitedAdapter, "|5.00|", "|--5.00|", "amount_negative"},
		{delimitedAdapter, "|5.00|", "|-0.00|", "amount_zero"},
		{delimitedAdapter, "20260612090000", "20260612090000.5", "booked_at_malformed"},
		{delimitedAdapter, "20260612090000", "20260612", "booked_at_malformed"},
		{delimitedAdapter, "S9|0|", "S9||", ""},
		{delimitedAdapter, "S9|0|", "S9|-1|", "serial_seq_malformed"},
		{delimitedAdapter, "S9|0|", "S9|999999999|", "serial_seq_malformed"},
	} {
		file := csvHeader + strings.Replace(row, x.old, x.with, 1)
		if x.adapter == delimitedAdapter {
			file = delimitedDay(strings.Replace(piped, x.old, x.with, 1))
		}
		s, err := takeApart(x.adapter, []byte(file))
		if err != nil {
			t.Errorf("%s with %q: %v", x.adapter.Name, x.with, err)
			continue
		}
		if x.code == "" && (len(s.entries) != 1 || s.entries[0].Amount != 500) || x.code != "" && (len(s.faults) != 1 || s.faults[0].Code != x.code) {
			t.Errorf("%s with %q: entries %+v, faults %+v; want %q", x.adapter.Name, x.with, s.entries, s.faults, x.code)
		}
	}
}
