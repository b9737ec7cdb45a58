package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"depositd/bank"
)

// benched is the report that a benchmark has left.
func benched(t *testing.T, file string) (report benchReport) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestBenchWorld shows that the workload has every verdict there is, that the check finds the same in it however it is
// written – UTF-8 or GBK, plain or every field in quotes –, and that it is the same each time.
func TestBenchWorld(t *testing.T) {
	const n = 20_000
	dir := t.TempDir()
	check := func(name string, charset bank.Charset, change func([]byte) []byte) string {
		bids, statement, out := filepath.Join(dir, name+"-bids"), filepath.Join(dir, name+"-statement"), filepath.Join(dir, name+"-findings")
		if err := (benchWorld{n, charset}).write(bids, statement); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{bids, statement} {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), []string{"check", "--bids", bids, "--statement", statement, "--out", out}, noEnvironment, &stdout, &stderr)
		text, err := os.ReadFile(out)
		if code != exitMismatches || err != nil || stderr.Len() > 0 {
			t.Fatal(code, err, stderr.String())
		}
		return string(text)
	}
	same := func(b []byte) []byte { return b }
	want := check("utf8", bank.UTF8, same)
	for name, got := range map[string]string{
		"again": check("again", bank.UTF8, same), "gbk": check("gbk", bank.GB18030, same),
		"quoted": check("quoted", bank.UTF8, func(b []byte) []byte {
			b = bytes.ReplaceAll(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"), []byte("\"\r\n\""))
			return append(append([]byte{'"'}, bytes.ReplaceAll(b, []byte(","), []byte(`","`))...), '"')
		}),
	} {
		if got != want {
			t.Error(name, "gives other findings")
		}
	}
	for _, code := range []string{"REVERSED", "RETURNED_REFUND", "PAID_TO_PARENT", "UNKNOWN_SUB_ACCOUNT", "NOT_LEASED", "WRONG_SUB_ACCOUNT", "THIRD_PARTY_PAYER", "PERSONAL_PAYER", "LATE_CREDIT",
		"NOT_BASIC_ACCOUNT", "UNDERPAID", "DUPLICATE_PAYMENT", "OVERPAID", "SPLIT_PAYMENT", "SINGLE_PAYMENT_REQUIRED", "NAME_VARIANT", "ADVICE_CONFLICT", "UNPAID"} {
		if !strings.Contains(want, code) {
			t.Error("no ", code)
		}
	}
	if rows := strings.Count(want, "\n"); rows < n/50 || rows > n/20 {
		t.Errorf("%d findings", rows)
	}
}

// BenchmarkCheck is one check of 100,000 bids; `depositd bench` measures larger ones beside others.
func BenchmarkCheck(b *testing.B) {
	const n = 100_000
	for _, charset := range []bank.Charset{bank.UTF8, bank.GB18030} {
		b.Run(string(charset), func(b *testing.B) {
			dir := b.TempDir()
			bids, statement := filepath.Join(dir, "bids.csv"), filepath.Join(dir, "statement.csv")
			if err := (benchWorld{n, charset}).write(bids, statement); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				var out, stderr bytes.Buffer
				code := run(context.Background(), []string{"check", "--bids", bids, "--statement", statement, "--out", filepath.Join(dir, "findings.csv")},
					noEnvironment, &out, &stderr)
				if code != exitMismatches {
					b.Fatal(code, stderr.String())
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
