package bank

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"depositd/platform/deposit"
)

func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

// A payout file is laid once, whole, and never over another one.
func TestPayoutFileIsLaid(t *testing.T) {
	d := Drop{Payouts: "out"}.In(t.TempDir())
	if err := d.Put("PC-1", []byte("a")); CallOutcomeOf(err) != CallUnsent {
		t.Errorf("without the folder: %v", err)
	}
	if err := os.Mkdir(d.Payouts, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		number, raw string
		unsent      bool
	}{{"PC-1", "a", false}, {"PC-1", "a", false}, {"PC-1", "b", true}, {"../PC-1", "a", true}, {"", "a", true}, {"PC-2", "b", false}} {
		err := d.Put(c.number, []byte(c.raw))
		if (err != nil) != c.unsent || err != nil && CallOutcomeOf(err) != CallUnsent {
			t.Errorf("%q %q: %v", c.number, c.raw, err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(d.Payouts, "PC-1"))
	if err != nil || string(raw) != "a" || !slices.Equal(names(t, d.Payouts), []string{"PC-1", "PC-2"}) {
		t.Errorf("%q %v %v", raw, names(t, d.Payouts), err)
	}
}

// A result file is taken once, when it rests: to done, or to refused; after a failure of ours it stays.
func TestResultFilesAreTaken(t *testing.T) {
	d := Drop{Results: t.TempDir()}
	now := time.Now()
	lay := func(name string, age time.Duration) {
		file := filepath.Join(d.Results, name)
		if err := errors.Join(os.WriteFile(file, []byte(name), 0o600), os.Chtimes(file, now, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1 good", "2 bad", "3 nobody's", ".hidden", "half.tmp"} {
		lay(name, time.Hour)
	}
	lay("0 fresh", 0)
	read := func(name string, raw []byte) error {
		switch {
		case name != string(raw):
			t.Errorf("%s holds %q", name, raw)
		case name == "2 bad":
			return deposit.Refuse(deposit.Invalid, "bad", "")
		case name == "3 nobody's":
			return deposit.Refuse(deposit.NotFound, "nobody", "")
		case name == "4 later":
			return errors.New("the database is away")
		}
		return nil
	}
	taken, refused, err := d.Take(now, read)
	if err != nil || !slices.Equal(taken, []string{"1 good"}) || !slices.Equal(refused, []string{"2 bad", "3 nobody's"}) {
		t.Errorf("%q %q %v", taken, refused, err)
	}
	lay("1 good", time.Hour) // the same name again is another file
	lay("4 later", time.Hour)
	taken, refused, err = d.Take(now, read)
	if err == nil || !slices.Equal(taken, []string{"1 good"}) || len(refused) > 0 {
		t.Errorf("again: %q %q %v", taken, refused, err)
	}
	if left := names(t, d.Results); !slices.Equal(left, []string{".hidden", "0 fresh", "4 later", "done", "half.tmp", "refused"}) {
		t.Errorf("left: %q", left)
	}
	if kept := names(t, filepath.Join(d.Results, "done")); !slices.Equal(kept, []string{"1 good", "1 good.2"}) {
		t.Errorf("kept: %q", kept)
	}
}
