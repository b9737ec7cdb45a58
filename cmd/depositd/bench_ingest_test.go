package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
)

// TestBenchIngest runs the measurement of ingestion for a moment: every way of taking notices has its row on each database,
// all that was sent was acknowledged, and what the judge had left was judged.
func TestBenchIngest(t *testing.T) {
	sqldbtest.Unwatched(t)
	sqldbtest.EachEmpty(t, func(t *testing.T, url string) {
		out := filepath.Join(t.TempDir(), "bench.json")
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), []string{"bench", "--section", "ingest", "--clients", "1,3", "--each", "50ms", "--runs", "2", "--load", "300ms",
			"--also", url, "--dir", t.TempDir(), "--out", out}, noEnvironment, &stdout, &stderr)
		if code != 0 {
			t.Fatal(code, stderr.String())
		}
		report := benched(t, out)
		rows := map[string]int{}
		for _, r := range report.Rows {
			rows[r.What]++
			if r.Section != "ingest" || r.N == 0 || r.RowsPerSecond <= 0 || r.P99 < r.P50 || (r.Backlog > 0) != (r.What == judging.what) {
				t.Errorf("%+v", r)
			}
		}
		for what, want := range map[string]int{intakes[0].what: 4, intakes[1].what: 4, intakes[2].what: 4, judging.what: 2} {
			if rows[what] != want {
				t.Errorf("%d rows of %s, want %d", rows[what], what, want)
			}
		}
		if left := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM matches"); left[0] == "0" {
			t.Error("nothing was judged")
		}
	})
}
