package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
)

// builds is where the programs stand that the tests of processes have made, each once.
var builds struct {
	mu     sync.Mutex
	folder string
}

// build makes the program with build tags: as it is shipped with "nomsgpack", and with "nomsgpack,seeded" one that can be
// told to have a bug.
func build(t *testing.T, tags string) string {
	t.Helper()
	builds.mu.Lock()
	defer builds.mu.Unlock()
	if builds.folder == "" {
		folder, err := os.MkdirTemp("", "depositd-built") //nolint:usetesting // it outlasts this test
		if err != nil {
			t.Fatal(err)
		}
		builds.folder = folder
	}
	file := filepath.Join(builds.folder, strings.ReplaceAll(tags, ",", "-"), "depositd")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", tags, "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestMain runs the tests and then takes away what was built for them.
func TestMain(m *testing.M) {
	code := m.Run()
	if builds.folder != "" {
		_ = os.RemoveAll(builds.folder)
	}
	os.Exit(code)
}

// tortured says how often something is done: the long tests do it many times more, and those under the race detector,
// which makes the embedded engine ten times slower in this process, less often.
func tortured(each, long int) int {
	switch {
	case os.Getenv("TORTURE") != "":
		return long
	case sqldbtest.UnderRace:
		return max(1, each/4)
	}
	return each
}
