package reconcile

import (
	"context"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
)

// holdForLateMoney keeps a number back on which money came after its release, until that money is paid back.
const holdForLateMoney platform.HoldReason = "LATE_MONEY"

// holdLate begins the quarantine again of each number that was free or in quarantine when a credit on it got its first
// verdict, and keeps it back until the money is gone: whoever holds the number next shall not find it there. A credit
// booked in the old lease's time, of which we only hear now, does the same.
func (h *hearing) holdLate(ctx context.Context, tx *sqldb.Tx, first []*heard) error {
	byBank := map[string][]*heard{}
	for _, c := range first {
		if holder := c.claims.Holder; c.entry.SubAccount != "" && (holder == nil || !holder.To.After(h.now)) {
			byBank[c.entry.Bank] = append(byBank[c.entry.Bank], c)
		}
	}
	for code, late := range byBank {
		subAccounts := make([]string, len(late))
		for i, c := range late {
			subAccounts[i] = c.entry.SubAccount
		}
		numbers, err := platform.NumbersNamed(ctx, tx, code, subAccounts)
		if err != nil {
			return err
		}
		for _, c := range late {
			n := numbers[c.entry.SubAccount]
			if n.State != platform.NumberFree && n.State != platform.NumberQuarantined {
				continue
			}
			if err := platform.HoldNumber(ctx, tx, code, n.SubAccount, holdForLateMoney, c.entry.ID); err != nil {
				return err
			}
			if _, err := platform.RestartQuarantine(ctx, tx, code, n.SubAccount, quarantineOf(h.banks, code)); err != nil {
				return err
			}
		}
	}
	return nil
}

// quarantineOf is how long a bank's numbers rest.
func quarantineOf(banks *bank.Set, code string) time.Duration {
	b, err := banks.Bank(code)
	if err != nil || b.Numbers.QuarantineDays < 1 {
		return platform.Quarantine
	}
	return time.Duration(b.Numbers.QuarantineDays) * 24 * time.Hour
}
