package bank

import (
	"bytes"
	"strings"
	"testing"
)

// TestFixedWidths holds the table to the bank's document: 530 bytes a record, and each column where it has to stand.
func TestFixedWidths(t *testing.T) {
	if h, d := widthOf(fixedWidth.Header), widthOf(fixedWidth.Detail); h != 92 || d != 530 {
		t.Errorf("header of %d bytes, details of %d; want 92 and 530", h, d)
	}
	var widths []int
	for _, col := range fixedWidth.Detail {
		widths = append(widths, col.Width)
	}
	// 14 is 8+6, 20 is 10+10 of the document
	want := []int{30, 10, 3, 14, 2, 3, 4, 4, 8, 3, 20, 15, 15, 2, 1, 1, 1, 1, 3, 32, 32, 120, 14, 70, 1, 60, 60, 1}
	if len(widths) != len(want) {
		t.Fatalf("%d columns, want %d", len(widths), len(want))
	}
	for i := range want {
		if widths[i] != want[i] {
			t.Errorf("column %d (%s) has %d bytes, want %d", i+1, fixedWidth.Detail[i].Name, widths[i], want[i])
		}
	}
}

func TestFixedRows(t *testing.T) {
	s, err := takeApart(fixedAdapter, sampleFile(t, "fixed", "statement-broken-rows.txt"))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, s.faults,
		wantFault{2, 117, "amount_decimals", "800000.005"},
		wantFault{3, 117, "amount_too_large", "1000000000.01"},
		wantFault{4, 71, "booking_date_malformed", "20260230"},
		wantFault{5, 44, "booked_at_malformed", "20260612246000"},
		wantFault{6, 135, "direction_unknown", "1（贷，收入）或 0（借，支出）"},
		wantFault{7, 136, "reversal_unknown", "“冲补标志”应为 0、2、3、1"},
		wantFault{8, 132, "currency_unsupported", "人民币"},
		wantFault{9, 1, "serial_missing", "“流水号”应为"},
		wantFault{10, 530, "record_length", "应为 530 字节；实为 529 字节"},
		wantFault{11, 531, "record_length", "应为 530 字节；实为 531 字节"},
		wantFault{12, 324, "charset", "“对方户名”应为 GB18030"},
	)
	if len(s.entries) != 0 || len(s.ended) != 1 {
		t.Errorf("%d entries, %+v", len(s.entries), s.ended)
	}
}

// TestFixedFiles changes the good sample in one thing each.
func TestFixedFiles(t *testing.T) {
	good := string(sampleFile(t, "fixed", "statement.txt"))
	lines := strings.SplitAfter(good, "\n")
	head := lines[0]
	for _, x := range []struct {
		what, file string
		code       string
		entries    int
		faults     int
	}{
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), "", 9, 0},
		{"no end of the last line", strings.TrimSuffix(good, "\n"), "", 9, 0},
		{"NUL tail behind the last record", strings.TrimSuffix(good, "\n") + strings.Repeat("\x00", 100000), "", 9, 0},
		{"blanks and NUL bytes behind the last record", strings.TrimSuffix(good, "\n") + "   \x00\x00 \n", "", 9, 0},
		{"NUL bytes as padding within", strings.ReplaceAll(good, "      ", " \x00\x00\x00\x00 "), "", 9, 0},
		{"blanks cut from the ends of the lines", strings.ReplaceAll(good, " \n", "\n"), "", 0, 9},
		{"TOTAL not told", strings.Replace(good, "       9N", "        N", 1), "", 9, 0},
		{"two statements", good + good, "", 18, 0},
		{"a day without bookings", strings.Replace(head, "       9N", "       0N", 1), "", 0, 0},
		{"empty", "", "file_empty", 0, 0},
		{"no header", strings.Join(lines[1:], ""), "header_missing", 0, 0},
		{"TOTAL says more", strings.Replace(good, "       9N", "      10N", 1), "file_truncated", 9, 0},
		{"TOTAL says less, then another statement", strings.Replace(good, "       9N", "       8N", 1) + good, "file_truncated", 9, 0},
		{"header too short", strings.Replace(good, "HEAD", "HEA", 1), "header_missing", 0, 0},
		{"header cut", head[:50] + "\n", "record_length", 0, 0},
		{"MORE unsaid", strings.Replace(good, "       9N", "       9 ", 1), "page_malformed", 0, 0},
		{"dollars", strings.Replace(good, "CNY", "USD", 1), "currency_unsupported", 0, 0},
		{"no account", strings.Replace(good, "HEAD"+ourParent, "HEAD"+strings.Repeat(" ", len(ourParent)), 1), "", 9, 0},
	} {
		t.Run(x.what, func(t *testing.T) {
			s, err := takeApart(fixedAdapter, []byte(x.file))
			if x.code != "" {
				checkCode(t, err, x.code)
			} else if err != nil || len(s.ended) != len(s.begun) || len(s.begun) == 0 {
				t.Errorf("%v, %d statements begun and %d ended", err, len(s.begun), len(s.ended))
			}
			if len(s.entries) != x.entries || len(s.faults) != x.faults {
				t.Errorf("%d entries, want %d; %d faults, want %d: %+v", len(s.entries), x.entries, len(s.faults), x.faults, s.faults)
			}
			if x.entries >= 9 {
				sameEntries(t, s.entries[:9], inParts(t))
			}
		})
	}
}

func TestFixedNeedsAnAccount(t *testing.T) {
	raw := sampleFile(t, "fixed", "statement.txt")
	raw = bytes.Replace(raw, []byte("HEAD"+ourParent), []byte("HEAD"+strings.Repeat(" ", len(ourParent))), 1)
	b := ourBank()
	b.ParentAccounts = append(b.ParentAccounts, "6550100000000000099")
	checkCode(t, fixedAdapter.Statement(b, bytes.NewReader(raw), &apart{}), "parent_account_missing")
}

// TestFixedIsNoUTF8 shows what becomes of a file that somebody's editor has saved in UTF-8: its columns no longer stand where
// they did, and the clerk is told why.
func TestFixedIsNoUTF8(t *testing.T) {
	text, err := GB18030.Decode(sampleFile(t, "fixed", "statement.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := takeApart(fixedAdapter, []byte(text))
	if err != nil || len(s.entries) != 0 || len(s.faults) != 9 {
		t.Fatalf("%v, %d entries, %d faults", err, len(s.entries), len(s.faults))
	}
	if f := s.faults[0]; f.Code != "record_length" || !strings.Contains(f.Text, "UTF-8") {
		t.Errorf("%+v", f)
	}
}

// TestFixedColumnsAreBytes shows that a column is cut before it is decoded: a name cut within a character by its bank is that
// record's fault alone, and the columns after it stand where they should.
func TestFixedColumnsAreBytes(t *testing.T) {
	raw := sampleFile(t, "fixed", "statement.txt")
	lines := bytes.SplitAfter(raw, []byte("\n"))
	lines[1][204+119] = 0xb9 // the last byte of the name's 120 is half a character
	s, err := takeApart(fixedAdapter, bytes.Join(lines, nil))
	if err != nil {
		t.Fatal(err)
	}
	checkFaults(t, s.faults, wantFault{2, 324, "charset", "“对方户名”"})
	if !strings.Contains(s.faults[0].Raw, "阳谷县景阳市政工程有限公司") {
		t.Errorf("the record is not shown: %q", s.faults[0].Raw)
	}
	sameEntries(t, s.entries, inParts(t)[1:])
}
