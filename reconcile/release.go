package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// holdWhileClosed keeps a number that the bank has closed from being given out again, until the bank opens it anew.
const holdWhileClosed platform.HoldReason = "BANK_CLOSED"

// A round asks a bank for at most so many numbers, and for one that it refused not sooner than that: the reason is money
// on the number, which goes in days. A bank that was not heard is left alone for a minute.
const (
	closedAtOnce = 200
	askAgain     = 30 * time.Minute
	callAgain    = time.Minute
)

// ReleaseDue has the bank close the numbers that drain and are paid back, and begins the quarantine of those that it has
// confirmed. A number whose closing has an unknown outcome is asked for again later. At a bank that cannot be called
// nothing happens: there a person confirms, see ConfirmReleased.
func (k *Keeper) ReleaseDue(ctx context.Context, by string, b *bank.Bank) (released int, err error) {
	line := k.lines[b.Code]
	if line == nil || b.Adapter.Calls.Close == nil {
		return 0, nil
	}
	due, err := k.paidBack(ctx, b.Code)
	for _, s := range due[:min(len(due), closedAtOnce)] {
		closed, err := k.closeAtBank(ctx, line, s)
		switch outcome := bank.CallOutcomeOf(err); {
		case outcome == bank.CallUnsent || outcome == bank.CallUnknown:
			return released, fmt.Errorf("close numbers at %s: %w", b.Code, err)
		case !closed:
			continue
		}
		if err := k.release(ctx, by, b, s.SubAccount); deposit.IsKind(err, deposit.Conflict) {
			continue // money or a refund came up since; it is found again when that is over
		} else if err != nil {
			return released, err
		}
		released++
	}
	return released, err
}

// paidBack lists a bank's numbers that drain, on which nothing stands and that nobody holds.
func (k *Keeper) paidBack(ctx context.Context, code string) ([]platform.StuckNumber, error) {
	stuck, err := platform.Stuck(ctx, k.db)
	if err != nil {
		return nil, err
	}
	stuck = slices.DeleteFunc(stuck, func(s platform.StuckNumber) bool { return s.Bank != code || s.Holds > 0 })
	standing, err := bank.StandingOn(ctx, k.db, code, subAccountsOf(stuck))
	return slices.DeleteFunc(stuck, func(s platform.StuckNumber) bool { return standing[s.SubAccount].Balance != 0 }), err
}

func subAccountsOf(stuck []platform.StuckNumber) []string {
	names := make([]string, len(stuck))
	for i, s := range stuck {
		names[i] = s.SubAccount
	}
	return names
}

// closeAtBank asks the bank to close a number, unless it has refused that just now. That the bank does not know the number,
// after an earlier closing that it did or may have done, says that it is closed; so that one whose end nobody could write down is
// not forgotten, it is noted before it is asked for.
func (k *Keeper) closeAtBank(ctx context.Context, line *bank.Line, s platform.StuckNumber) (closed bool, err error) {
	code := line.Bank().Adapter.Calls.Close.Code
	before, err := k.bank.CallsAbout(ctx, s.Bank, code, s.SubAccount, s.Since)
	if err != nil {
		return false, err
	}
	if len(before) > 0 && k.db.Now().Before(before[0].BeganAt.Add(pauseAfter[before[0].Outcome])) {
		return false, nil
	}
	begun := bank.Call{Bank: s.Bank, Code: code, Subject: s.SubAccount, BeganAt: k.db.Now(), Outcome: bank.CallUnknown, Detail: "已发出，结果尚未记下"}
	if err := k.bank.NoteCall(ctx, begun); err != nil {
		return false, err
	}
	_, call, err := line.CloseNumber(ctx, bank.OfNumber{Parent: s.Parent, Number: s.SubAccount})
	call.BeganAt = begun.BeganAt
	if noted := k.bank.NoteCall(ctx, call); noted != nil {
		return false, noted // whatever the bank has said: it is not on record, and the next round asks again
	}
	if call.Outcome != bank.CallRefused {
		return err == nil, err
	}
	mayHaveClosed := slices.ContainsFunc(before, func(c bank.Call) bool { return c.Outcome == bank.CallDone || c.Outcome == bank.CallUnknown })
	return mayHaveClosed && call.Result == accountUnknown, nil
}

// pauseAfter is how long a bank is not asked again after a call of an outcome.
var pauseAfter = map[bank.CallOutcome]time.Duration{bank.CallRefused: askAgain, bank.CallUnknown: callAgain, bank.CallUnsent: callAgain}

// accountUnknown is the result code of a bank that does not know a number (any more).
const accountUnknown = "02"

// release begins the quarantine of a number that the bank has closed, if nothing stands on it at that moment.
func (k *Keeper) release(ctx context.Context, by string, b *bank.Bank, subAccount string) error {
	return k.write(ctx, by, func(tx *sqldb.Tx) error {
		standing, err := bank.StandingOn(ctx, tx, b.Code, []string{subAccount})
		if err != nil {
			return err
		}
		n, err := platform.Release(ctx, tx, platform.ReleaseOrder{Bank: b.Code, SubAccount: subAccount, Balance: standing[subAccount].Balance,
			BankConfirmed: true, Quarantine: quarantineOf(k.banks, b.Code)})
		if err != nil || b.Numbers.From != bank.OnDemand {
			return err
		}
		return platform.HoldNumber(ctx, tx, b.Code, subAccount, holdWhileClosed, n.ID)
	})
}

// ConfirmReleased releases a draining number on the word of a person who has asked the bank, where the bank cannot be
// called. By then the account's last statement must be closed and not older than the number's last booking.
//
// Conflict "bank_confirms_itself" for a bank that can be called; "statement_open" while the day is not closed; and what
// platform.Release refuses. While any lot is sealed, "not_releasable" for every number but one that drains after a lot that is
// open: asked for one after the other, numbers would else tell how many bids hold one.
func (k *Keeper) ConfirmReleased(ctx context.Context, by string, b *bank.Bank, subAccount string) error {
	if k.lines[b.Code] != nil {
		return deposit.Refuse(deposit.Conflict, "bank_confirms_itself", "该银行由服务发送注销请求确认，无需人工确认")
	}
	if err := k.mayTell(ctx, b.Code, subAccount); err != nil {
		return err
	}
	n, err := platform.NumberOf(ctx, k.db, b.Code, subAccount)
	if err != nil {
		return err
	}
	standing, err := bank.StandingOn(ctx, k.db, b.Code, []string{subAccount})
	if err != nil {
		return err
	}
	last, err := lastClosing(ctx, k.db, bank.Book{Bank: b.Code, ParentAccount: n.Parent})
	switch {
	case err != nil && !errors.Is(err, sqldb.ErrNone):
		return err
	case err != nil, last.State != DayClosed, last.Day < max(standing[subAccount].LastDay, deposit.DayOf(n.Since)):
		return deposit.Refuse(deposit.Conflict, "statement_open", "该母账户最近一日的对账尚未关闭，或早于该子账号的最后一笔流水，请先导入对账单并完成日终对账")
	}
	return k.release(ctx, by, b, subAccount)
}

func (k *Keeper) mayTell(ctx context.Context, code, subAccount string) error {
	sealed, err := anySealed(ctx, k.db)
	if err != nil || !sealed {
		return err
	}
	drains, err := platform.DrainsSeen(ctx, k.db, code, subAccount)
	if err == nil && !drains {
		err = deposit.Refuse(deposit.Conflict, "not_releasable", "该子账号目前不能人工释放：只有标段已开标或已终结、正待释放的子账号可以；depositd pool status 列出这些子账号")
	}
	return err
}

// lastClosing is the last day of an account whose statement was compared.
func lastClosing(ctx context.Context, r sqldb.Reader, b bank.Book) (Closing, error) {
	return closings.One(ctx, r, "WHERE bank = ? AND parent_account = ? AND statement_id <> 0 ORDER BY day DESC LIMIT 1", b.Bank, b.ParentAccount)
}

// forgiveLate lets numbers go that were kept back for late money, once it is paid back.
func (k *Keeper) forgiveLate(ctx context.Context, by string) error {
	held, err := platform.HeldFor(ctx, k.db, holdForLateMoney)
	if err != nil {
		return err
	}
	for _, h := range held {
		err := k.write(ctx, by, func(tx *sqldb.Tx) error {
			standing, err := bank.StandingOn(ctx, tx, h.Bank, []string{h.SubAccount})
			if err != nil || standing[h.SubAccount].Balance != 0 {
				return err
			}
			return platform.UnholdNumber(ctx, tx, h.Bank, h.SubAccount, holdForLateMoney, h.Ref)
		})
		if err != nil {
			return fmt.Errorf("let numbers go after late money: %w", err)
		}
	}
	return nil
}
