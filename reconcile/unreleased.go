package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Blocked says what keeps a number from being released.
type Blocked string

// What can block it; the first that applies is told.
const (
	BlockedBalance Blocked = "BALANCE"      // money stands on it
	BlockedHeld    Blocked = "HELD"         // a refund or the like is under way
	BlockedRefused Blocked = "BANK_REFUSED" // the bank does not close it
	BlockedUnheard Blocked = "BANK_UNHEARD" // what became of the closing is not known
	BlockedPerson  Blocked = "PERSON"       // the bank cannot be called: a person has to confirm
	BlockedNothing Blocked = "NOTHING"      // the next round asks the bank
)

var blockedNames = map[Blocked]string{BlockedBalance: "资金未退清", BlockedHeld: "退款等业务办理中", BlockedRefused: "银行拒绝注销", BlockedUnheard: "银行未确认注销",
	BlockedPerson: "等待人工确认（depositd pool release）", BlockedNothing: "等待向银行注销"}

// Chinese is what blocks, for people.
func (b Blocked) Chinese() string { return blockedNames[b] }

// Unreleased is a number that is not released although nobody needs it any more.
type Unreleased struct {
	Bank       string      `json:"bank"`
	Parent     string      `json:"parent_account"`
	SubAccount string      `json:"sub_account"`
	Lot        string      `json:"lot"`
	Since      time.Time   `json:"since"`
	Blocked    Blocked     `json:"blocked"`
	Result     string      `json:"bank_result"` // of the bank's last answer, where it is what blocks
	Balance    deposit.Fen `json:"balance"`
	Holds      int         `json:"holds"`

	lot    sqldb.ID
	number sqldb.ID
}

// Unreleased lists the numbers that wait for their release, the longest waiting first. Those of lots that are not opened yet,
// whose bids were withdrawn, are not among them: that somebody withdrew is secret.
func (k *Keeper) Unreleased(ctx context.Context) ([]Unreleased, error) {
	stuck, err := platform.Stuck(ctx, k.db)
	if err != nil {
		return nil, err
	}
	ids := make([]sqldb.ID, len(stuck))
	byBank := map[string][]string{}
	for i, s := range stuck {
		ids[i] = s.LotID
		byBank[s.Bank] = append(byBank[s.Bank], s.SubAccount)
	}
	lots, err := platform.LotsByID(ctx, k.db, ids)
	if err != nil {
		return nil, err
	}
	standing, numbers := map[string]map[string]bank.Standing{}, map[string]map[string]platform.Number{}
	for code, names := range byBank {
		if standing[code], err = bank.StandingOn(ctx, k.db, code, names); err != nil {
			return nil, err
		}
		if numbers[code], err = platform.NumbersNamed(ctx, k.db, code, names); err != nil {
			return nil, err
		}
	}
	all := make([]Unreleased, 0, len(stuck))
	for _, s := range stuck {
		if lots[s.LotID].State == platform.LotAnnounced {
			continue
		}
		u := Unreleased{Bank: s.Bank, Parent: s.Parent, SubAccount: s.SubAccount, Lot: lots[s.LotID].Number, Since: s.Since, Holds: s.Holds,
			Balance: standing[s.Bank][s.SubAccount].Balance, lot: s.LotID, number: numbers[s.Bank][s.SubAccount].ID}
		if err := k.blocked(ctx, &u); err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// blocked finds out what keeps the number.
func (k *Keeper) blocked(ctx context.Context, u *Unreleased) error {
	line := k.lines[u.Bank]
	switch {
	case u.Balance != 0:
		u.Blocked = BlockedBalance
		return nil
	case u.Holds > 0:
		u.Blocked = BlockedHeld
		return nil
	case line == nil || line.Bank().Adapter.Calls.Close == nil:
		u.Blocked = BlockedPerson
		return nil
	}
	u.Blocked = BlockedNothing
	calls, err := k.bank.CallsAbout(ctx, u.Bank, line.Bank().Adapter.Calls.Close.Code, u.SubAccount, u.Since)
	if err != nil || len(calls) == 0 {
		return err
	}
	switch u.Result = calls[0].Result; calls[0].Outcome {
	case bank.CallRefused:
		u.Blocked = BlockedRefused
	case bank.CallUnknown, bank.CallUnsent:
		u.Blocked = BlockedUnheard
	case bank.CallDone:
	}
	return nil
}

// moneyMayStand is how long money may stand on a number that nobody needs any more: the law gives five days from the contract
// (条例 §57), which may have a weekend among them.
const moneyMayStand = 7 * 24 * time.Hour

// overdue says whether a number is to be found: one with money or a refund under way after its days, one that only waits
// for the bank or a person at once.
func (u *Unreleased) overdue(now time.Time) bool {
	if u.Blocked == BlockedBalance || u.Blocked == BlockedHeld {
		return now.Sub(u.Since) > moneyMayStand
	}
	return u.Blocked != BlockedNothing
}

func (u *Unreleased) finding(day deposit.Day) Finding {
	detail := fmt.Sprint("子账号 ", u.SubAccount, " 自 ", deposit.Wall(u.Since), " 起待释放：", u.Blocked.Chinese())
	if u.Result != "" && u.Blocked != BlockedNothing {
		detail += "（" + u.Result + "）"
	}
	return Finding{Subject: u.number, Code: NumberUnreleased, Reasons: string(NumberUnreleased), Day: day, Bank: u.Bank, ParentAccount: u.Parent,
		Amount: u.Balance, LotID: u.lot, Department: string(IT), Detail: detail}
}

// findUnreleased keeps the findings on numbers that are not released.
func (k *Keeper) findUnreleased(ctx context.Context, by string, day deposit.Day) error {
	all, err := k.Unreleased(ctx)
	if err != nil {
		return err
	}
	var wanted []Finding
	for i := range all {
		if all[i].overdue(k.db.Now()) {
			wanted = append(wanted, all[i].finding(day))
		}
	}
	return k.keepAll(ctx, by, KindNumber, nil, wanted)
}

// keepAll makes the findings of a kind be exactly those wanted, but for those on the spared subjects, which stay as they are.
func (k *Keeper) keepAll(ctx context.Context, by string, kind FindingKind, spared []sqldb.ID, wanted []Finding) error {
	return k.write(ctx, by, func(tx *sqldb.Tx) error {
		standing, err := findings.All(ctx, tx, "WHERE kind = ? AND state <> 'CLEARED' ORDER BY id", kind)
		if err != nil {
			return err
		}
		var subjects []sqldb.ID
		for _, f := range wanted {
			subjects = append(subjects, f.Subject)
		}
		for _, f := range standing {
			if !slices.Contains(subjects, f.Subject) && !slices.Contains(spared, f.Subject) {
				subjects = append(subjects, f.Subject)
			}
		}
		return keep(ctx, tx, kind, subjects, wanted)
	})
}
