package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// unopened are the columns of bytes that verify does not open: what names no payer, what is encrypted otherwise or for a while.
var unopened = []string{
	"incident_plans.body", "webhook_deliveries.body", // in the clear: they name nobody
	"once.answer",   // under the request's own key
	"unsealed.body", // waits to be sealed
}

// TestEverySealedColumnIsOpened: each column of bytes of the schema is one that verify opens, or is known to need none.
func TestEverySealedColumnIsOpened(t *testing.T) {
	opened := append(sqldb.VaultColumns(), unopened...)
	columns := bytesColumns(t)
	for _, column := range columns {
		if !slices.Contains(opened, column) {
			t.Errorf("%s is not opened", column)
		}
	}
	for _, column := range opened {
		if !slices.Contains(columns, column) {
			t.Errorf("%s is not of the schema", column)
		}
	}
	if len(columns) < 30 {
		t.Errorf("only %d columns of bytes are found", len(columns))
	}
}

// TestNoOtherKeys: when the keys of the database are gone, nothing makes others, neither beside a master key nor with a new one, and
// the doctor says what to do.
func TestNoOtherKeys(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		db := sqldbtest.Open(t, url, time.Now)
		if err := db.Write(t.Context(), "test", func(tx *sqldb.Tx) error { return tx.Note(t.Context(), "lots", 1, "CREATED", "聊城甲") }); err != nil {
			t.Fatal(err)
		}
		sqldbtest.Exec(t, url, "DELETE FROM seal_keys")
		other := filepath.Join(t.TempDir(), "other.key")
		for _, environment := range []environment{settingsFor(t, url, nil), settingsFor(t, url, map[string]string{"DEPOSITD_MASTER_KEY_FILE": other})} {
			for command, want := range map[string]string{"migrate": "seal_keys_missing", "verify": "seal_keys_missing", "doctor": "从备份恢复表 seal_keys"} {
				var out strings.Builder
				code := run(t.Context(), []string{command}, environment, &out, &out)
				lacks := strings.Contains(out.String(), "master_key_missing") // which is told first, where it hides nothing
				if code == exitOK || !strings.Contains(out.String(), want) && !lacks {
					t.Errorf("%s: %d %s", command, code, out.String())
				}
			}
		}
		if _, err := os.Stat(other); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a master key was made: %v", err)
		}
		if n := sqldbtest.Strings(t, url, "SELECT COUNT(*) FROM seal_keys")[0]; n != "0" {
			t.Errorf("%s keys were made", n)
		}
	})
}

var (
	madeTable = regexp.MustCompile(`^CREATE TABLE (\w+)`)
	ofBytes   = regexp.MustCompile(`^(?:ALTER TABLE (\w+) ADD COLUMN|  ) +(\w+) +(?:VARBINARY|LONGBLOB)`)
)

// bytesColumns reads the columns of bytes off the migrations.
func bytesColumns(t *testing.T) (all []string) {
	t.Helper()
	names, err := fs.Glob(migrations.Files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		table := ""
		for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
			if made := madeTable.FindStringSubmatch(lines.Text()); made != nil {
				table = made[1]
			}
			if column := ofBytes.FindStringSubmatch(lines.Text()); column != nil {
				of := column[1]
				if of == "" {
					of = table
				}
				all = append(all, of+"."+column[2])
			}
		}
	}
	return all
}
