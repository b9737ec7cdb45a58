package sqldb_test

import (
	"context"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

func TestAddress(t *testing.T) {
	for _, c := range []struct{ url, masked, file string }{
		{"sqlite:deposit.db", "sqlite:deposit.db", "deposit.db"},
		{"sqlite:///var/lib/deposit.db", "sqlite:///var/lib/deposit.db", "/var/lib/deposit.db"},
		{"mysql://app@db:3306/deposit", "mysql://app@db:3306/deposit", ""},
		{"mysql://app:geheim@db:3306/deposit", "mysql://app:***@db:3306/deposit", ""},
		{"mysql://app:with@and/slash@db/deposit", "mysql://app:***@db/deposit", ""},
		{"postgres://app:geheim@db/deposit", "postgres://app:***@db/deposit", ""},
		{"nonsense", "nonsense", ""},
	} {
		if got := sqldb.Mask(c.url); got != c.masked {
			t.Errorf("Mask(%q) = %q, want %q", c.url, got, c.masked)
		}
		if got := sqldb.File(c.url); got != c.file {
			t.Errorf("File(%q) = %q, want %q", c.url, got, c.file)
		}
	}
}

func TestPasswordFromFile(t *testing.T) {
	got, err := sqldb.WithPassword("mysql://app@db/deposit", "a:b@c")
	if err != nil || got != "mysql://app:a:b@c@db/deposit" || sqldb.CheckURL(got) != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, url := range []string{"sqlite:deposit.db", "mysql://app:old@db/deposit", "mysql://db/deposit"} {
		if got, err := sqldb.WithPassword(url, "new"); err == nil {
			t.Errorf("%s took a second password: %s", url, got)
		}
	}
}

func TestClock(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		at, err := db.Clock(context.Background())
		if err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("the database's clock says %v, %v", at, err)
		}
	})
}
