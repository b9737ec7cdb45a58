package bank_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// TestLayoutsAreImported imports a file of each layout into a real database: the day proves itself where the layout tells
// balances, pages make one day, broken rows are kept, and a file that breaks off is refused.
func TestLayoutsAreImported(t *testing.T) {
	for _, x := range []struct {
		adapter, file string
		proof         bank.Proof
		declared      bool // the file's own counts and sums agree with its lines
		credits       int64
		faults        int
		refused       string
	}{
		{"delimited", "statement.txt", bank.ProofOK, true, 7, 0, ""},
		{"delimited", "statement-nul-tail.txt", bank.ProofOK, true, 7, 0, ""},
		{"delimited", "statement-pages.txt", bank.ProofOK, true, 7, 0, ""},
		{"fixed", "statement-pages.txt", bank.ProofOK, true, 7, 0, ""},
		{"delimited", "statement-broken-rows.txt", bank.ProofNone, true, 1, 14, ""},
		{"delimited", "statement-lying-sums.txt", bank.ProofOK, false, 7, 0, ""},
		{"delimited", "statement-broken-truncated.txt", "", false, 0, 0, "file_truncated"},
		{"delimited", "statement-broken-miscounted.txt", "", false, 0, 0, "file_truncated"},
		{"fixed", "statement.txt", bank.ProofOK, true, 7, 0, ""},
		{"fixed", "statement-nul-tail.txt", bank.ProofOK, true, 7, 0, ""},
		{"fixed", "statement-broken-rows.txt", bank.ProofGap, true, 0, 11, ""},
		{"fixed", "statement-broken-truncated.txt", "", false, 0, 0, "file_truncated"},
		{"csv", "statement.csv", bank.ProofNone, true, 7, 0, ""},
		{"csv", "statement-gbk.csv", bank.ProofNone, true, 7, 0, ""},
		{"csv", "statement-broken-rows.csv", bank.ProofNone, true, 1, 13, ""},
		{"csv", "statement-broken-no-amount.csv", "", false, 0, 0, "column_missing"},
	} {
		t.Run(x.adapter+" "+x.file, func(t *testing.T) {
			a, err := bank.AdapterOf(x.adapter)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join("..", "testdata", "bank", x.adapter, x.file))
			if err != nil {
				t.Fatal(err)
			}
			b := &bank.Bank{Code: "lcbank", StatementAdapter: a, ParentAccounts: []string{"6550100000000000017"}, Charset: bank.GB18030}
			sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
				result, err := bank.NewDesk(db).Import(context.Background(), "test", b, x.file, bytes.NewReader(raw))
				if x.refused != "" {
					if deposit.AsRefusal(err).Code != x.refused {
						t.Fatalf("%v, want %s", err, x.refused)
					}
					return
				}
				if err != nil || len(result.Statements) != 1 || result.Faults != x.faults {
					t.Fatalf("%v, %+v", err, result)
				}
				s := result.Statements[0]
				if s.Proof != x.proof || (s.Declared == "") != x.declared || s.CreditCount != x.credits || s.Day != "2026-06-12" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
