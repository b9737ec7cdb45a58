package bank

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Standing is what stands on a sub-account by its entries, and the last day on which something was booked there.
type Standing struct {
	Balance deposit.Fen // credits less debits; a reversal is one or the other
	LastDay deposit.Day // "" where nothing was ever booked
}

// StandingOn sums what was booked on each of a bank's sub-accounts. One without an entry has the zero Standing.
func StandingOn(ctx context.Context, r sqldb.Reader, bank string, subAccounts []string) (map[string]Standing, error) {
	type row struct {
		subAccount string
		Standing
	}
	all := make(map[string]Standing, len(subAccounts))
	err := sqldb.Chunks(subAccounts, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, r, func(s *row) []any { return []any{&s.subAccount, &s.Balance, &s.LastDay} },
			"SELECT sub_account, SUM(CASE WHEN direction = 'C' THEN amount ELSE -amount END), MAX(booking_date) FROM entries WHERE bank = ? AND sub_account IN "+in+
				" GROUP BY sub_account ORDER BY sub_account", append([]any{bank}, args...)...)
		for _, s := range rows {
			all[s.subAccount] = s.Standing
		}
		return err
	})
	return all, err
}

// NewestOn reads the newest bookings of one direction on a parent account, the newest first.
func NewestOn(ctx context.Context, r sqldb.Reader, b Book, direction Direction, limit int) ([]Entry, error) {
	return entries.All(ctx, r, "WHERE booking_date = (SELECT MAX(booking_date) FROM entries WHERE bank = ? AND parent_account = ? AND direction = ?) "+
		"AND bank = ? AND parent_account = ? AND direction = ? ORDER BY booked_at DESC, id LIMIT ?", b.Bank, b.ParentAccount, direction, b.Bank, b.ParentAccount, direction, limit)
}

// CallsAbout gives the calls of one kind (code "G00004") about one subject since an instant, the newest first.
func (d *Desk) CallsAbout(ctx context.Context, bank, code, subject string, since time.Time) ([]Call, error) {
	return calls.All(ctx, d.db, "WHERE bank = ? AND code = ? AND subject = ? AND began_at >= ? ORDER BY began_at DESC, id", bank, code, subject, sqldb.At(since))
}
