package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Quarantine is how long a released number rests unless the centre says otherwise: money came late by weeks where it was
// looked at. LeastQuarantine is what no setting goes below.
const (
	Quarantine      = 90 * 24 * time.Hour
	LeastQuarantine = 24 * time.Hour
)

// ReleaseOrder is what others have found out about a number that is to be released.
type ReleaseOrder struct {
	Bank, SubAccount string

	Balance       deposit.Fen   // what has come into the number and not gone out again
	BankConfirmed bool          // the bank has cancelled the number, or released it by itself
	Quarantine    time.Duration // LeastQuarantine at least
}

// Release ends the lease of a draining number and begins its quarantine, which lasts the given time from the end of the
// lease. The lease ends with the second of the release: what was booked by then is for whoever held it, what is booked
// later is nobody's. The asker may ask for another number then.
//
// Conflict "balance_not_zero", "bank_unconfirmed", "number_held" while a row of HoldNumber stands, "state_forbids" for a
// number that does not drain; Invalid "quarantine_too_short"; NotFound "number_unknown".
func Release(ctx context.Context, tx *sqldb.Tx, o ReleaseOrder) (Number, error) {
	n, err := NumberOf(ctx, tx, o.Bank, o.SubAccount)
	if err != nil {
		return n, err
	}
	holds, err := holdsOn(ctx, tx, n)
	switch {
	case err != nil:
		return n, err
	case o.Quarantine < LeastQuarantine:
		return n, tooShort()
	case o.Balance != 0:
		return n, deposit.Refuse(deposit.Conflict, "balance_not_zero", "sub_account 子账号内仍有资金，退清后才能释放")
	case !o.BankConfirmed:
		return n, deposit.Refuse(deposit.Conflict, "bank_unconfirmed", "sub_account 银行尚未确认注销该子账号")
	case holds > 0:
		return n, deposit.Refuse(deposit.Conflict, "number_held", "sub_account 该子账号尚有 ", holds, " 笔业务（如退款）在办理中，办结后才能释放")
	}
	lease, end, err := leaseEnd(ctx, tx, n)
	if err != nil {
		return n, err
	}
	n.QuarantinedUntil = endOfQuarantine(end, o.Quarantine)
	if n, err = n.step(ctx, tx, actRelease, "隔离至 "+deposit.Wall(n.QuarantinedUntil)); err != nil || lease.ID == 0 {
		return n, err
	}
	return n, endLease(ctx, tx, lease, end, n.QuarantinedUntil)
}

// leaseEnd reads the number's lease, if it ever had one, and tells when a release at this moment ends it: with the second,
// and after its beginning by whatever clock.
func leaseEnd(ctx context.Context, tx *sqldb.Tx, n Number) (Lease, time.Time, error) {
	end := wholeSecond(tx.Now)
	if n.LeaseID == 0 {
		return Lease{}, end, nil
	}
	l, err := leases.One(ctx, tx, "WHERE id = ?", n.LeaseID)
	if err != nil {
		return l, end, fmt.Errorf("end lease: %w", err)
	}
	if !l.From.Before(end) {
		end = wholeSecond(l.From)
	}
	return l, end, nil
}

func tooShort() error {
	return deposit.Refuse(deposit.Invalid, "quarantine_too_short", "quarantine 隔离期不得少于 24 小时")
}

// endOfQuarantine is a whole second, so that the lease that follows, which begins with one, does not begin before it.
func endOfQuarantine(from time.Time, lasts time.Duration) time.Time {
	return wholeSecond(from.Add(lasts - time.Nanosecond))
}

// endLease ends the lease of a released number, unless the platform has ended it before, and bars the number.
func endLease(ctx context.Context, tx *sqldb.Tx, l Lease, end, barredUntil time.Time) error {
	note := ""
	if end.Before(l.To) {
		note, l.To = "租用期 "+rangeText(l.From, l.To)+" → "+rangeText(l.From, end), end
	}
	changed, err := tx.Exec(ctx, "UPDATE leases SET leased_to = ?, barred_until = ?, version = version + 1 WHERE id = ? AND version = ?",
		sqldb.At(l.To), sqldb.At(barredUntil), l.ID, l.Version)
	if err == nil && changed != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	if err := tx.Note(ctx, "leases", l.ID, "ENDED", note); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM number_asks WHERE lease_id = ?", l.ID); err != nil {
		return fmt.Errorf("end lease: %w", err)
	}
	return touch(ctx, tx, "b.lot_id", []sqldb.ID{l.LotID})
}

// RestartQuarantine begins the quarantine of a number again because money came that is nobody's; a free number goes back
// into it. Nothing changes for a number that is leased, drains or is retired: restarted tells. A quarantine never becomes
// shorter by it. Invalid "quarantine_too_short"; NotFound "number_unknown".
func RestartQuarantine(ctx context.Context, tx *sqldb.Tx, bank, subAccount string, quarantine time.Duration) (restarted bool, err error) {
	if quarantine < LeastQuarantine {
		return false, tooShort()
	}
	n, err := NumberOf(ctx, tx, bank, subAccount)
	if err != nil || n.State != NumberQuarantined && n.State != NumberFree {
		return false, err
	}
	until := endOfQuarantine(tx.Now, quarantine)
	if n.State == NumberQuarantined && !until.After(n.QuarantinedUntil) {
		return false, nil
	}
	if until.After(n.QuarantinedUntil) {
		n.QuarantinedUntil = until
	}
	if n, err = n.step(ctx, tx, actLate, "隔离至 "+deposit.Wall(n.QuarantinedUntil)); err != nil || n.LeaseID == 0 {
		return err == nil, err
	}
	changed, err := tx.Exec(ctx, "UPDATE leases SET barred_until = ?, version = version + 1 WHERE id = ?", sqldb.At(n.QuarantinedUntil), n.LeaseID)
	if err == nil && changed != 1 {
		err = sqldb.ErrNone
	}
	return err == nil, err
}

// Retire takes a free or quarantined number out of use for good.
func Retire(ctx context.Context, tx *sqldb.Tx, bank, subAccount, note string) error {
	n, err := NumberOf(ctx, tx, bank, subAccount)
	if err != nil {
		return err
	}
	_, err = n.step(ctx, tx, actRetire, note)
	return err
}

// freedAtOnce is how many numbers one transaction makes free, for which all other writers wait.
const freedAtOnce = 500

// FreeDue makes free the numbers whose quarantine is over at an instant and that nothing holds, and serves who waits for
// one. It tells how many became free; it may be run again, and on several replicas at once.
func (d *Desk) FreeDue(ctx context.Context, by string, now time.Time) (freed int, err error) {
	pools := map[Pool]bool{}
	for {
		var due []Number
		err := d.write(ctx, by, func(tx *sqldb.Tx) (err error) {
			due, err = freeDue(ctx, tx, now)
			return err
		})
		if err != nil {
			return freed, err
		}
		for _, n := range due {
			pools[Pool{n.Bank, n.Parent}] = true
		}
		if freed += len(due); len(due) < freedAtOnce {
			break
		}
	}
	for p := range pools {
		if _, err := d.Serve(ctx, by, p.Bank, p.Parent); err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func freeDue(ctx context.Context, tx *sqldb.Tx, now time.Time) ([]Number, error) {
	due, err := numbers.All(ctx, tx, "WHERE state = 'QUARANTINED' AND quarantined_until <= ? AND NOT EXISTS (SELECT 1 FROM number_holds h "+
		"WHERE h.sub_account = numbers.sub_account AND h.bank = numbers.bank) ORDER BY id LIMIT ?", sqldb.At(now), freedAtOnce)
	for _, n := range due {
		n.FreeSince = deposit.DayOf(now).Start()
		if _, err := n.step(ctx, tx, actFree, ""); err != nil {
			return nil, err
		}
	}
	return due, err
}

// HoldReason says who keeps a number from being released.
type HoldReason string

// numberHold is one row's reason why a number must not be released.
type numberHold struct {
	Bank       string
	SubAccount string
	Reason     HoldReason
	Ref        sqldb.ID
	HeldSince  time.Time
}

var numberHolds = sqldb.NewTable("number_holds", "bank, sub_account, reason, ref, held_since", func(h *numberHold) []any {
	return []any{&h.Bank, &h.SubAccount, &h.Reason, &h.Ref, sqldb.Wall(&h.HeldSince)}
})

// HoldNumber keeps a number from being released, or from becoming free, until UnholdNumber; said again, nothing changes.
// reason is a word such as REFUND, ref the row for which it is held. It goes with the transaction that begins what needs
// the number. A number that we have no row of may be held too.
func HoldNumber(ctx context.Context, tx *sqldb.Tx, bank, subAccount string, reason HoldReason, ref sqldb.ID) error {
	there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM number_holds WHERE sub_account = ? AND bank = ? AND reason = ? AND ref = ?", subAccount, bank, reason, ref)
	if err != nil || there > 0 {
		return err
	}
	n, err := numbers.One(ctx, tx, "WHERE sub_account = ? AND bank = ?", subAccount, bank)
	if err != nil && !errors.Is(err, sqldb.ErrNone) {
		return err
	}
	if n.ID != 0 { // whoever releases it at this moment has to look again
		moved, err := tx.Exec(ctx, "UPDATE numbers SET version = version + 1 WHERE id = ? AND version = ?", n.ID, n.Version)
		if err == nil && moved != 1 {
			err = sqldb.ErrStale
		}
		if err != nil {
			return fmt.Errorf("hold number: %w", err)
		}
	}
	return numberHolds.Insert(ctx, tx, numberHold{bank, subAccount, reason, ref, tx.Now})
}

// UnholdNumber takes a hold back; one that is not there is no error.
func UnholdNumber(ctx context.Context, tx *sqldb.Tx, bank, subAccount string, reason HoldReason, ref sqldb.ID) error {
	_, err := tx.Exec(ctx, "DELETE FROM number_holds WHERE sub_account = ? AND bank = ? AND reason = ? AND ref = ?", subAccount, bank, reason, ref)
	return err
}

func holdsOn(ctx context.Context, r sqldb.Reader, n Number) (int, error) {
	return sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM number_holds WHERE sub_account = ? AND bank = ?", n.SubAccount, n.Bank)
}
