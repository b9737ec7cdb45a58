package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

const steadyBid = "LCJS2026-0000003,建设工程科,2026-06-12 09:00:00,100000.00,6550100000000000017-00000001,东阿建筑装饰有限公司,6212000000000000615,2026-05-20 00:00:00,2026-07-20 00:00:00,0,1\n"

// FuzzBidScan holds the reading of bids as bytes to readBids: the same rows and the same faults, and a bare bid says what the
// row as text says.
func FuzzBidScan(f *testing.F) {
	good := strings.Split(strings.TrimSuffix(steadyBid, "\n"), ",")
	f.Add(steadyBid, false)
	for i, field := range good {
		for _, odd := range []string{"", " ", "东", "\u3000东", "东 ", "1 2", "\"1,2\"", "\"", "1\x7f", "+1", "1E+9", "1.2345678E+18", "东+", strings.Repeat("9", 70), strings.Repeat("东", 67), "2026-02-30", "2026-02-30 00:00:00",
			"1999-12-31 23:59:59", "9999-12-31 00:00:00", "2026-06-12 24:00:00", "2026 06 12 00:00:00", "1", "2", "0.00", "9999999999.00", "\xff", "东·昌", "（东）", "()", "ABC公司", field[:1] + "," + field[min(2, len(field)):], field + "," + field} {
			row := slices.Clone(good)
			row[i] = odd
			f.Add(strings.Join(row, ",")+"\n", i%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, body string, gbk bool) {
		file := []byte(benchHead + strings.Repeat(steadyBid, 20) + body + steadyBid)
		if gbk {
			file, _ = bank.GB18030.Encode(string(file))
		}
		var want, got []string
		fault := func(into *[]string) func(bank.Fault) error {
			return func(f bank.Fault) error { *into = append(*into, fmt.Sprint(f)); return nil }
		}
		text := func(into *[]string) func(bidRow) error {
			return func(row bidRow) error { *into = append(*into, fmt.Sprintf("%d %+v", row.Line, row)); return nil }
		}
		wantErr := readBids(bytes.NewReader(file), text(&want), fault(&want))
		set := make([]uint64, bytes.Count(file, []byte("\n"))/64+1)
		bare := map[int]reconcile.BareBid{}
		s := bidScan{file: bytes.NewReader(file), text: text(&got), take: func(b *reconcile.BareBid) error {
			bid := *b
			bid.Number, bid.Bidder, bid.Account = slices.Clone(b.Number), slices.Clone(b.Bidder), slices.Clone(b.Account)
			bare[b.Row] = bid
			set[b.Row/64] |= 1 << (b.Row % 64)
			got = append(got, fmt.Sprint("bare ", b.Row))
			return nil
		}}
		err := s.read(fault(&got))
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || len(got) != len(want) {
			t.Fatalf("%q: %v, %v, want\n%v, %v", body, got, err, want, wantErr)
		}
		for i := range got {
			if got[i] != want[i] && !(strings.HasPrefix(got[i], "bare ") && strings.HasPrefix(want[i], got[i][5:]+" ")) {
				t.Fatalf("%q: %v, want\n%v", body, got[i], want[i])
			}
		}
		err = s.again(set, 0, len(set)*64, func(row int, number string, b *reconcile.Claim) error {
			said := bare[row]
			delete(bare, row)
			is := reconcile.BareBid{Row: row, Number: []byte(number), Bidder: []byte(b.Bidder), IsKey: said.IsKey, Account: []byte(b.BidderAccount), Deposit: b.Deposit,
				OpensAt: b.OpensAt.Unix(), From: b.From.Unix(), To: b.To.Unix(), Basic: b.BasicAccountRequired}
			key := deposit.NameKey(b.Bidder)
			if fmt.Sprintf("%+v", said) != fmt.Sprintf("%+v", is) || key == "" || said.IsKey && key != b.Bidder {
				t.Fatalf("%q: row %d came as %+v, and is %+v", body, row, said, is)
			}
			return nil
		})
		if err != nil || len(bare) > 0 {
			t.Fatalf("%q: %v, not read again: %v", body, err, bare)
		}
	})
}

// TestCheckScreens shows that what a check finds does not depend on how its rows are written: lines in quotes and lines
// without between each other, other line ends, blank lines and further columns give the same as every row read as text, as
// --all reads it.
func TestCheckScreens(t *testing.T) {
	const n = 3000
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	if err := (benchWorld{n, bank.UTF8}).write(name("bids"), name("statement")); err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, change func(int, []string) string, args ...string) []string {
		t.Helper()
		for _, file := range []string{"bids", "statement"} {
			text, err := os.ReadFile(name(file))
			if err != nil {
				t.Fatal(err)
			}
			var changed strings.Builder
			for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
				changed.WriteString(change(i, strings.Split(line, ",")))
			}
			if err := os.WriteFile(name(file+"-changed"), []byte(changed.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr bytes.Buffer
		args = append([]string{"check", "--bids", name("bids-changed"), "--statement", name("statement-changed"), "--out", name("out")}, args...)
		if code := run(context.Background(), args, noEnvironment, &stdout, &stderr); code != exitMismatches {
			t.Fatal(code, stderr.String())
		}
		out, err := os.ReadFile(name("out"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(out), "\n")
	}
	plain := func(_ int, cells []string) string { return strings.Join(cells, ",") + "\n" }
	quoted := func(cells []string) string { return `"` + strings.Join(cells, `","`) + "\"\n" }
	want := slices.DeleteFunc(check(t, plain, "--all"), func(line string) bool { return strings.Contains(line, ",MATCHED,,") })
	for what, change := range map[string]func(int, []string) string{
		"plain": plain,
		"quotes here and there": func(i int, cells []string) string {
			if i%3 == 1 {
				return quoted(cells)
			}
			return plain(i, cells)
		},
		"CRLF and blank lines": func(i int, cells []string) string {
			return strings.Repeat("\r\n", i%40/38) + strings.Join(cells, ",") + "\r\n"
		},
		"further columns": func(_ int, cells []string) string { return "1," + strings.Join(cells, ",") + ",备注\n" },
		"blanks":          func(i int, cells []string) string { return strings.Join(cells, ","+strings.Repeat(" ", i%5/4)) + "\n" },
	} {
		if got := check(t, change); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
		}
	}
}
