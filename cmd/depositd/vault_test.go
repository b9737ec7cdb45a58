package main

import (
	"bufio"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"depositd/migrations"
	"depositd/migrations/sqldb"
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
