package platform

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// NumberState is where a sub-account's number stands in its life.
type NumberState string

// The states of a number; numberMoves says how one follows the other.
const (
	NumberFree        NumberState = "FREE"
	NumberLeased      NumberState = "LEASED"
	NumberDraining    NumberState = "DRAINING"    // its lot is finished or its bid withdrawn, and its money not yet paid back
	NumberQuarantined NumberState = "QUARANTINED" // released; late money may still come
	NumberRetired     NumberState = "RETIRED"     // never given out again
)

var numberStateNames = map[NumberState]string{
	NumberFree:        "空闲",
	NumberLeased:      "已分配",
	NumberDraining:    "待释放",
	NumberQuarantined: "隔离中",
	NumberRetired:     "已停用",
}

// Chinese is the state's name for people.
func (s NumberState) Chinese() string { return numberStateNames[s] }

// numberAct is what happens to a number.
type numberAct string

const (
	actLease   numberAct = "lease"
	actDrain   numberAct = "drain"
	actReopen  numberAct = "reopen" // the lot is announced again before the number was released
	actRelease numberAct = "release"
	actFree    numberAct = "free"
	actLate    numberAct = "late_money"
	actRetire  numberAct = "retire"
)

var numberActNames = map[numberAct]string{
	actLease:   "分配",
	actDrain:   "转入待释放",
	actReopen:  "恢复使用",
	actRelease: "释放",
	actFree:    "结束隔离",
	actLate:    "因迟到资金重新隔离",
	actRetire:  "停用",
}

// numberMoves: nothing leads from DRAINING to FREE but a quarantine, and late money leads back into it.
var numberMoves = deposit.Machine{
	"FREE":        {"lease": "LEASED", "late_money": "QUARANTINED", "retire": "RETIRED"},
	"LEASED":      {"drain": "DRAINING"},
	"DRAINING":    {"release": "QUARANTINED", "reopen": "LEASED"},
	"QUARANTINED": {"free": "FREE", "late_money": "QUARANTINED", "retire": "RETIRED"},
	"RETIRED":     {},
}

// Number is a sub-account at its bank, and the row that all who change its leases have in common. One without a Parent
// is no pool's: the trading platform brought it, its leases are the platform's word alone, and it stays LEASED.
type Number struct {
	ID         sqldb.ID // of no run: the order of these keys is the order in which numbers are handed out
	Bank       string
	SubAccount string
	Parent     string // the parent account whose pool it belongs to, or ""
	State      NumberState
	Since      time.Time // in this state

	QuarantinedUntil time.Time // the end of its last quarantine; zero before the first
	FreeSince        time.Time // the start of the day on which it last became free: those of one day are equally long free
	LeaseID          sqldb.ID  // of a pool's number: its latest lease, released or not; 0 before the first

	Version int64 // 0: not stored yet
}

var numbers = sqldb.NewTable("numbers", numberColumns, numberRow)

const numberColumns = "id, bank, sub_account, parent_account, state, since, quarantined_until, free_since, lease_id, version"

func numberRow(n *Number) []any {
	return []any{&n.ID, &n.Bank, &n.SubAccount, &n.Parent, &n.State, sqldb.Wall(&n.Since), sqldb.Wall(&n.QuarantinedUntil), sqldb.Wall(&n.FreeSince),
		&n.LeaseID, &n.Version}
}

// number is a sub-account at its bank.
type number struct{ bank, subAccount string }

func (n *Number) number() number { return number{n.Bank, n.SubAccount} }

func (n *Number) pooled() bool { return n.Parent != "" }

// NumberOf reads a number; NotFound "number_unknown" for one that was neither loaded nor ever leased.
func NumberOf(ctx context.Context, r sqldb.Reader, bank, subAccount string) (Number, error) {
	n, err := numbers.One(ctx, r, "WHERE sub_account = ? AND bank = ?", subAccount, bank)
	if errors.Is(err, sqldb.ErrNone) {
		return n, deposit.Refuse(deposit.NotFound, "number_unknown", "sub_account 该银行没有这一子账号，请核对，或先导入号池")
	}
	return n, err
}

// step does an act to a number and writes what the caller has set of it, its times and its lease. Conflict
// "state_forbids" where its state knows no such act; ErrStale where somebody was faster.
func (n Number) step(ctx context.Context, tx *sqldb.Tx, act numberAct, note string) (Number, error) {
	next, err := numberMoves.Next(string(n.State), string(act))
	if err != nil {
		return n, deposit.Refuse(deposit.Conflict, "state_forbids", "sub_account 子账号当前为“", n.State.Chinese(), "”，不能", numberActNames[act])
	}
	if err := tx.Move(ctx, sqldb.Move{Table: "numbers", ID: n.ID, Version: n.Version, From: string(n.State), To: next, Note: note}); err != nil {
		return n, err
	}
	n.Version++
	n.State, n.Since = NumberState(next), tx.Now
	moved, err := tx.Exec(ctx, "UPDATE numbers SET since = ?, quarantined_until = ?, free_since = ?, lease_id = ?, version = version + 1 WHERE id = ? AND version = ?",
		sqldb.At(n.Since), sqldb.At(n.QuarantinedUntil), sqldb.At(n.FreeSince), n.LeaseID, n.ID, n.Version)
	if err != nil {
		return n, fmt.Errorf("set the times of a number: %w", err)
	}
	if moved != 1 {
		return n, fmt.Errorf("set the times of a number: %w", sqldb.ErrStale)
	}
	n.Version++
	return n, nil
}

// wholeSecond is the end of the second that an instant is in: banks book to the second.
func wholeSecond(t time.Time) time.Time { return t.Truncate(time.Second).Add(time.Second) }
