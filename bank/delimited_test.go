package bank

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// inParts gives two of our entries one serial with two parts, which csv cannot say.
func inParts(t testing.TB) []Entry {
	all := ourEntries(t)
	all[3].Serial = all[2].Serial
	all[2].SerialSeq, all[3].SerialSeq = 1, 2
	return all
}

// TestHeadedGolden reads the sample of each layout with a header, and writes it again to the byte.
func TestHeadedGolden(t *testing.T) {
	for _, x := range []struct {
		*Adapter
		write bufferWriter
	}{
		{delimitedAdapter, toBuffer(WriteDelimited)},
		{fixedAdapter, toBuffer(WriteFixed)},
	} {
		t.Run(x.Name, func(t *testing.T) {
			raw := sampleFile(t, x.Name, "statement.txt")
			s, err := takeApart(x.Adapter, raw)
			if err != nil {
				t.Fatal(err)
			}
			checkFaults(t, s.faults)
			want := inParts(t)
			sameEntries(t, s.entries, want)
			if len(s.begun) != 1 || len(s.ended) != 1 {
				t.Fatalf("%d statements begun, %d ended", len(s.begun), len(s.ended))
			}
			end := s.ended[0]
			w := ourStatement(want)
			w.Declared.Entries, w.Declared.Sum = -1, nil // the trailer's count, or TOTAL, is the page's and proved while reading
			if x.Adapter == fixedAdapter {
				w.Declared = Undeclared
			}
			if !reflect.DeepEqual(end, w) {
				t.Errorf("statement\n got %+v\nwant %+v", end, w)
			}
			if *end.Opening+fenOf(t, "2100000.51")-fenOf(t, "1800000.00") != *end.Closing {
				t.Errorf("the sample does not balance")
			}
			if again := writeAll(t, x.write, s.ended[0], s.entries); !bytes.Equal(again, raw) {
				t.Errorf("written again it is another file:\n%q\n%q", again, raw)
			}
		})
	}
}

func TestDelimitedRows(t *testing.T) {
	s, err := takeApart(delimitedAdapter, sampleFile(t, "delimited", "statement-broken-rows.txt"))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, s.faults,
		wantFault{2, 74, "amount_decimals", "800000.005"},
		wantFault{3, 74, "amount_too_large", "1000000000.01"},
		wantFault{4, 21, "booking_date_malformed", "20260230"},
		wantFault{5, 30, "booked_at_malformed", "20260612246000"},
		wantFault{6, 72, "direction_unknown", "C（贷，收入）或 D（借，支出）"},
		wantFault{7, 3, "serial_missing", "“流水号”应为"},
		wantFault{8, 84, "reversal_unknown", "0、1、3"},
		wantFault{9, 21, "booking_date_foreign", "2026-06-12；实为 2026-06-13"},
		wantFault{10, 1, "field_count", "应为 16 个字段，以“|”分隔；实为 17 个"},
		wantFault{11, 121, "payer_bank_code_too_long", "对方行号"},
		wantFault{12, 1, "record_kind", "“记录类型”应为 D"},
		wantFault{13, 99, "charset", "第 99 字节"},
		wantFault{14, 74, "amount_zero", "大于零"},
		wantFault{15, 19, "serial_seq_malformed", "组内序号"},
	)
	if len(s.entries) != 1 || s.entries[0].Serial != "260612000000075" {
		t.Errorf("the good row was not read: %+v", s.entries)
	}
}

// delimitedDay is a file in text, for what a single rule needs.
func delimitedDay(details ...string) string {
	var b strings.Builder
	b.WriteString("H|" + ourParent + "|20260612|CNY|||||||1|Y\n")
	for _, d := range details {
		b.WriteString("D|" + d + "|\n")
	}
	b.WriteString("T|" + string(rune('0'+len(details))) + "|\n")
	return b.String()
}

func TestDelimitedSigns(t *testing.T) {
	for _, x := range []struct {
		rule, side, amount, mark, reversed, purpose, remark string
		direction                                           Direction
		reversal                                            Reversal
		returned                                            bool
	}{
		{"ordinary credit", "C", "5.00", "0", "", "", "保证金", Credit, "", false},
		{"ordinary debit", "D", "5.00", "0", "", "", "退还", Debit, "", false},
		{"冲正 in red, same day", "C", "-5.00", "1", "S1", "", "", Debit, Reverses, false},
		{"冲正 in red, another day", "C", "-5.00", "3", "S1", "", "", Debit, Reverses, false},
		{"negative alone is 冲正", "C", "-5.00", "0", "", "", "", Debit, Reverses, false},
		{"冲正 of a debit in red", "D", "-5.00", "1", "S1", "", "", Credit, Reverses, false},
		{"冲正 in black: the side is the money's", "D", "5.00", "1", "S1", "", "", Debit, Reverses, false},
		{"a debit that names an entry takes it back", "D", "5.00", "0", "S1", "", "", Debit, Reverses, false},
		{"退汇 in the remark", "C", "5.00", "0", "", "", "退汇 账号有误", Credit, "", true},
		{"退票 in the purpose", "C", "5.00", "0", "", "他行退票", "款项", Credit, "", true},
		{"a credit that names a debit of ours came back", "C", "5.00", "0", "S1", "", "", Credit, "", true},
		{"退汇 on a debit is only a word", "D", "5.00", "0", "", "", "退汇手续费", Debit, "", false},
	} {
		t.Run(x.rule, func(t *testing.T) {
			row := strings.Join([]string{"S9", "0", "20260612", "20260612090000", "", x.side, x.amount, x.mark, x.reversed, "甲公司", "62", "", "", x.purpose, x.remark}, "|")
			s, err := takeApart(delimitedAdapter, []byte(delimitedDay(row)))
			if err != nil || len(s.entries) != 1 {
				t.Fatal(err, s.faults)
			}
			e := s.entries[0]
			if e.Direction != x.direction || e.Reversal != x.reversal || e.Returned != x.returned || e.Amount != 500 || e.ReversalOf != x.reversed {
				t.Errorf("got %+v", e)
			}
			if want := strings.TrimSpace(x.purpose + " " + x.remark); e.Remark != want {
				t.Errorf("remark %q, want %q", e.Remark, want)
			}
		})
	}
}

func TestDelimitedFiles(t *testing.T) {
	const row = "S9|0|20260612|20260612090000||C|5.00|0||甲公司|62||||"
	good := delimitedDay(row)
	for _, x := range []struct {
		what, file string
		code       string // of the refusal; "" when the file is read
		entries    int
	}{
		{"UTF-8", good, "", 1},
		{"GBK", string(inGBK(t, good)), "", 1},
		{"byte order mark", "\xef\xbb\xbf" + good, "", 1},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), "", 1},
		{"no end of the last line", strings.TrimSuffix(good, "\n"), "", 1},
		{"NUL tail", strings.TrimSuffix(good, "\n") + strings.Repeat("\x00", 200000), "", 1},
		{"DOS end of file", good + "\x1a", "", 1},
		{"blank lines", "\n" + strings.ReplaceAll(good, "\n", "\n \n"), "", 1},
		{"a separator at the header's end", strings.Replace(good, "|1|Y\n", "|1|Y|\n", 1), "", 1},
		{"two statements", good + strings.ReplaceAll(good, "20260612|", "20260613|"), "", 2},
		{"a day without bookings", delimitedDay(), "", 0},
		{"the bank's only parent account", strings.Replace(good, ourParent, "", 1), "", 1},
		{"empty", "", "file_empty", 0},
		{"blank", " \x00\r\n", "file_empty", 0},
		{"no header", "D|" + row + "|\nT|1|\n", "header_missing", 0},
		{"another file", "bank_serial,booking_date\n", "header_missing", 0},
		{"no trailer", strings.Replace(good, "T|1|\n", "", 1), "file_truncated", 1},
		{"trailer counts more", strings.Replace(good, "T|1|", "T|2|", 1), "file_truncated", 1},
		{"trailer counts nothing", strings.Replace(good, "T|1|", "T||", 1), "file_truncated", 1},
		{"trailer is no number", strings.Replace(good, "T|1|", "T|-1|", 1), "number_malformed", 1},
		{"trailer with more", strings.Replace(good, "T|1|", "T|1|1|", 1), "field_count", 1},
		{"header within", strings.Replace(good, "T|1|\n", "", 1) + good, "file_truncated", 1},
		{"day that is none", strings.Replace(good, "|20260612|CNY", "|20260230|CNY", 1), "booking_date_malformed", 0},
		{"day of no sense", strings.Replace(good, "|20260612|CNY", "|19260612|CNY", 1), "booking_date_range", 0},
		{"dollars", strings.Replace(good, "|CNY|", "|USD|", 1), "currency_unsupported", 0},
		{"balance that is none", strings.Replace(good, "|CNY||", "|CNY|1.234|", 1), "amount_decimals", 0},
		{"last page unsaid", strings.Replace(good, "|1|Y", "|1|", 1), "page_malformed", 0},
		{"header cut", "H|" + ourParent + "|20260612\n", "field_count", 0},
		{"header of no text", "H|\xff\xff\n", "charset", 0},
		{"a line without end", good + strings.Repeat("x", maxLine), "line_too_long", 1},
	} {
		t.Run(x.what, func(t *testing.T) {
			s, err := takeApart(delimitedAdapter, []byte(x.file))
			if x.code != "" {
				checkCode(t, err, x.code)
			} else if err != nil || len(s.ended) != len(s.begun) {
				t.Errorf("%v, %d statements begun and %d ended", err, len(s.begun), len(s.ended))
			}
			if len(s.entries) != x.entries || len(s.faults) != 0 {
				t.Errorf("%d entries, want %d; faults %+v", len(s.entries), x.entries, s.faults)
			}
			for _, e := range s.entries {
				if e.PayerName != "甲公司" || e.ParentAccount != ourParent {
					t.Errorf("read as %+v", e)
				}
			}
		})
	}
}

func TestDelimitedPages(t *testing.T) {
	s, err := takeApart(delimitedAdapter, sampleFile(t, "delimited", "statement-pages.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sameEntries(t, s.entries, ourEntries(t))
	if len(s.ended) != 2 || s.ended[0].LastPage || !s.ended[1].LastPage || s.ended[0].Declared.Credits != 7 {
		t.Errorf("pages %+v", s.ended)
	}
}

// TestAnotherBanksFile shows that a bank with other habits – commas, fen, its own words, no red – is a table and no code.
func TestAnotherBanksFile(t *testing.T) {
	other := delim{Name: "other", Sep: ",",
		Header: []column[heading]{{"头", 0, literal[heading]("BEGIN")}, {"账号", 0, headParent}, {"日期", 0, headDay}, {"条数", 0, headRecords}, {"末页", 0, lastPage("1", "0")}},
		Detail: []column[booking]{{"行", 0, literal[booking]("ROW")}, {"收支", 0, sideIn("收", "支")}, {"分", 0, inFen.amount()}, {"流水", 0, textOf("serial")},
			{"日期", 0, bookingDate("2006/01/02")}, {"时间", 0, bookedAt("2006-01-02T15:04:05")}, {"冲", 0, markIn([]string{"", "N"}, []string{"*"})}, {"户名", 0, textOf("payer_name")}},
		Trailer: []column[heading]{{"尾", 0, literal[heading]("END")}, {"条数", 0, headRecords}},
	}
	file := "BEGIN," + ourParent + ",20260612,4,1\nROW,收,80000000,S1,2026/06/12,2026-06-12T09:00:00,N,甲公司\nROW,支,80000000,S2,2026/06/12,2026-06-12T09:00:01,*,甲公司\n" +
		"ROW,收,-5,S3,2026/06/12,2026-06-12T09:00:02,N,甲公司\nROW,收,5.00,S4,2026/06/12,2026-06-12T09:00:02,N,甲公司\nEND,4\n"
	s, err := takeApart(other.adapter(), []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, s.faults, wantFault{4, 7, "amount_negative", "（分）"}, wantFault{5, 7, "amount_malformed", "（分）"})
	if len(s.entries) != 2 || s.entries[0].Amount != 80000000 || s.entries[1].Reversal != Reverses || s.entries[1].Direction != Debit {
		t.Fatalf("%+v", s.entries)
	}
	var b bytes.Buffer
	if err := other.write(&b, s.ended[0], s.entries); err != nil {
		t.Fatal(err)
	}
	again, err := takeApart(other.adapter(), bytes.ReplaceAll(b.Bytes(), []byte(",4,1\n"), []byte(",2,1\n")))
	if err != nil {
		t.Fatal(err)
	}
	sameEntries(t, again.entries, s.entries)
}

// TestUnwritable has every layout refuse an entry that it would give back as another one.
func TestUnwritable(t *testing.T) {
	day := func(change func(*Entry)) []Entry {
		all := ourEntries(t)[1:2]
		all[0].PayerBankCode = ""
		change(&all[0])
		return all
	}
	writers := map[string]bufferWriter{
		"delimited": toBuffer(WriteDelimited),
		"fixed":     toBuffer(WriteFixed),
		"csv":       toBuffer(WriteCSV),
	}
	for _, x := range []struct {
		what   string
		change func(*Entry)
		in     string // the layouts that refuse it
	}{
		{"nothing odd", func(*Entry) {}, ""},
		{"a separator in a name", func(e *Entry) { e.PayerName = "甲|乙公司" }, "delimited"},
		{"a line break in a name", func(e *Entry) { e.PayerName = "甲\n乙公司" }, "delimited fixed csv"},
		{"lost characters", func(e *Entry) { e.PayerName = "甲\uFFFD公司" }, "delimited fixed csv"},
		{"a serial in parts", func(e *Entry) { e.SerialSeq = 3 }, "csv"},
		{"a serial in a thousand parts", func(e *Entry) { e.SerialSeq = 1000 }, "fixed csv"},
		{"a wide serial", func(e *Entry) { e.Serial = strings.Repeat("7", 31) }, "fixed"},
		{"a remark of 31 characters", func(e *Entry) { e.Remark = strings.Repeat("款", 31) }, "fixed"},
		{"a reversal of nothing named", func(e *Entry) { e.Direction, e.Reversal = Debit, Reverses }, "csv"},
		{"a reversal of a debit", func(e *Entry) { e.Reversal, e.ReversalOf = Reverses, "S1" }, "csv"},
		{"a return nobody can see", func(e *Entry) { e.Returned = true }, "delimited fixed csv"},
		{"another day", func(e *Entry) { e.BookingDate = "2026-06-13" }, "delimited fixed"},
		{"another account", func(e *Entry) { e.ParentAccount = "6550100000000000099" }, "delimited fixed"},
		{"no amount", func(e *Entry) { e.Amount = 0 }, "delimited fixed csv"},
		{"half a second", func(e *Entry) { e.BookedAt = e.BookedAt.Add(5e8) }, "delimited fixed csv"},
	} {
		for name, write := range writers {
			entries := day(x.change)
			err := write(&bytes.Buffer{}, ourStatement(entries), entries)
			if refused := strings.Contains(x.in, name); refused != deposit.IsKind(err, deposit.Invalid) || !refused && err != nil {
				t.Errorf("%s: %s: %v", name, x.what, err)
			}
		}
	}
}
