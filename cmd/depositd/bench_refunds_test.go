package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
)

// TestBenchRefunds: the benchmark takes lines all the way, on a small scale.
func TestBenchRefunds(t *testing.T) {
	sqldbtest.Unwatched(t)
	var stdout, stderr bytes.Buffer
	dir := t.TempDir()
	code := run(context.Background(), []string{"bench", "--section", "refunds", "--n", "600", "--runs", "1", "--dir", dir, "--out", filepath.Join(dir, "bench.json")},
		noEnvironment, &stdout, &stderr)
	if code != exitOK || strings.Count(stdout.String(), " 600 ") < 3 {
		t.Errorf("exit code %d: %s%s", code, &stdout, &stderr)
	}
}
