package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// TestScripts plays testdata/script/*.txtar with the program as it is shipped, each on a database of its own on every engine.
// "exits CODE COMMAND…" runs a command and wants that exit code; [file] holds where the database is a file. $NOWHERE is a
// server that is not there, with the password "geheim", $NOWHERE_OPEN without.
func TestScripts(t *testing.T) {
	sqldbtest.Unwatched(t)
	folder := filepath.Dir(build(t, "nomsgpack"))
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts:", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			sqldbtest.EachEmpty(t, func(t *testing.T, url string) { play(t, folder, script, url) })
		})
	}
}

// play plays a script with the program of a folder.
func play(t *testing.T, folder, script, url string) {
	testscript.Run(t, testscript.Params{
		Files: []string{script},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Setenv("NOWHERE", sqldbtest.Nowhere)
			env.Setenv("NOWHERE_OPEN", sqldbtest.NowhereOpen)
			env.Setenv("FILE_NAMED", sqldbtest.FileNamed)
			env.Setenv("DEPOSITD_DB", url)
			env.Setenv("DEPOSITD_BANKS", filepath.Join(env.WorkDir, "banks.yaml"))
			env.Setenv("DEPOSITD_MASTER_KEY_FILE", sqldbtest.MasterFile(t))
			env.Setenv("DEPOSITD_LISTEN", "127.0.0.1:0")
			env.Setenv("DEPOSITD_METRICS_LISTEN", "127.0.0.1:0")
			env.Setenv("USER", "tester")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "file" {
				return sqldb.File(url) != "", nil
			}
			return false, errors.New("unknown condition " + cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// TestEveryCommandHelps: the help of each command prints and says what it is for.
func TestEveryCommandHelps(t *testing.T) {
	for _, command := range []string{"serve", "import", "import lots", "import bids", "import notices", "import statement", "nightly", "report", "check",
		"verify", "migrate", "config", "config banks", "doctor", "version", "user first", "user add", "user role", "user reset", "token add", "token revoke"} {
		var out, complaints strings.Builder
		if code := run(t.Context(), append(strings.Fields(command), "--help"), os.LookupEnv, &out, &complaints); code != exitOK || complaints.Len() > 0 {
			t.Errorf("%s --help: %d %s", command, code, complaints.String())
		}
		if !strings.Contains(out.String(), "depositd "+command) || !strings.ContainsAny(out.String(), "的，。；：、") {
			t.Errorf("%s --help says %q", command, out.String())
		}
	}
}
