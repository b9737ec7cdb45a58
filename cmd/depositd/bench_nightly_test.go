package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
)

// TestBenchNightly runs the measurement of a small day, with the processes whose memory it takes: the real program's.
func TestBenchNightly(t *testing.T) {
	sqldbtest.Unwatched(t)
	program := build(t, "nomsgpack")
	sqldbtest.EachEmpty(t, func(t *testing.T, url string) {
		out := filepath.Join(t.TempDir(), "bench.json")
		cmd := exec.CommandContext(t.Context(), program, "bench", "--section", "nightly", "--n", "300", "--runs", "1", "--also", url, "--dir", t.TempDir(), "--out", out)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		report := benched(t, out)
		if len(report.Rows) != 8 {
			t.Errorf("%d rows, want the import, the raw rows, the closing and the difference on two databases", len(report.Rows))
		}
		for i, r := range report.Rows {
			if r.Section != "nightly" || r.N != 300 || r.Seconds <= 0 || (r.MiB > 0) != (i%2 == 0) {
				t.Errorf("%+v", r)
			}
		}
	})
}
