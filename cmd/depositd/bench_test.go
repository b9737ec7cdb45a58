package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"depositd/bank"
)

// BenchmarkCheck is one check of 100,000 bids; `depositd bench` measures larger ones beside others.
func BenchmarkCheck(b *testing.B) {
	const n = 1_000_000
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
					func(string) string { return "" }, &out, &stderr)
				if code != exitMismatches {
					b.Fatal(code, stderr.String())
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
