package platform

import (
	"context"
	"errors"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Freeze keeps the refunds of a parent account from being sent: the statement that claims a line for sending looks for it.
// Bank "" is every bank, ParentAccount "" every account of the bank.
type Freeze struct {
	ID            sqldb.ID
	Bank          string
	ParentAccount string
	Cause         FreezeCause
	Reference     string // of an incident, its number; of a stop, ""
	Reason        string
	State         string
	Version       int64
	FrozenAt      time.Time
}

// FreezeCause says who may lift a freeze: a person his stop, an incident its own.
type FreezeCause string

// The causes.
const (
	ByStop     FreezeCause = "STOP"
	ByIncident FreezeCause = "INCIDENT"
)

// The states of a freeze.
const (
	Frozen = "FROZEN"
	Lifted = "LIFTED"
)

// FreezeMoves is how a freeze's state changes; whoever freezes again makes another.
var FreezeMoves = deposit.Machine{Frozen: {"lift": Lifted}, Lifted: {}}

var freezes = sqldb.NewTable("freezes", "id, bank, parent_account, cause, reference, reason, state, version, frozen_at", func(f *Freeze) []any {
	return []any{&f.ID, &f.Bank, &f.ParentAccount, &f.Cause, &f.Reference, &f.Reason, &f.State, &f.Version, sqldb.Wall(&f.FrozenAt)}
})

// NoFreeze is the guard, as SQL, of a statement on a table with the columns bank and parent_account: nothing freezes the row's account.
func NoFreeze(table string) string {
	return "NOT EXISTS (SELECT 1 FROM freezes AS f WHERE f.state = 'FROZEN' AND (f.bank = '' OR f.bank = " + table + ".bank AND " +
		"(f.parent_account = '' OR f.parent_account = " + table + ".parent_account)))"
}

// FreezeRefunds adds a freeze in the caller's transaction; one that stands for the same account, cause and reference is left as
// it is. An incident freezes an account once: what a person has lifted since, it does not freeze again.
func FreezeRefunds(ctx context.Context, tx *sqldb.Tx, f Freeze) error {
	if f.Bank == "" && f.ParentAccount != "" {
		return deposit.Refuse(deposit.Invalid, "freeze_incomplete", "冻结某一母账户时须写明银行")
	}
	before, err := freezes.All(ctx, tx, "WHERE bank = ? AND parent_account = ? AND cause = ? AND reference = ?", f.Bank, f.ParentAccount, f.Cause, f.Reference)
	if err != nil {
		return err
	}
	for _, one := range before {
		if one.State == Frozen || f.Cause == ByIncident {
			return nil
		}
	}
	f.ID, f.State, f.Version, f.FrozenAt = tx.NewID(), Frozen, 1, tx.Now
	if err := freezes.Insert(ctx, tx, f); err != nil {
		return err
	}
	return tx.Note(ctx, "freezes", f.ID, Frozen, f.Reason)
}

// LiftFreezes lifts what stands for the account with that cause and reference; none is no error.
func LiftFreezes(ctx context.Context, tx *sqldb.Tx, f Freeze) error {
	standing, err := freezes.All(ctx, tx, "WHERE state = ? AND bank = ? AND parent_account = ? AND cause = ? AND reference = ?",
		Frozen, f.Bank, f.ParentAccount, f.Cause, f.Reference)
	if err != nil {
		return err
	}
	for _, one := range standing {
		if err := tx.Move(ctx, sqldb.Move{Table: "freezes", ID: one.ID, Version: one.Version, From: Frozen, To: Lifted, Note: f.Reason}); err != nil {
			return err
		}
	}
	return nil
}

// Freezes lists what is frozen, the oldest first.
func Freezes(ctx context.Context, r sqldb.Reader) ([]Freeze, error) {
	return freezes.All(ctx, r, "WHERE state = ? ORDER BY frozen_at, id", Frozen)
}

// FrozenBy says who made each of some freezes, as the audit trail has it.
func FrozenBy(ctx context.Context, r sqldb.Reader, some []Freeze) (map[sqldb.ID]string, error) {
	ids := make([]sqldb.ID, len(some))
	for i := range some {
		ids[i] = some[i].ID
	}
	by := make(map[sqldb.ID]string, len(some))
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := sqldb.Events.All(ctx, r, "WHERE table_name = 'freezes' AND became = 'FROZEN' AND row_id IN "+in, args...)
		for _, e := range rows {
			by[e.Row] = e.By
		}
		return err
	})
	return by, err
}

// Covers says whether the freeze is about an account.
func (f *Freeze) Covers(bank, parent string) bool {
	return f.Bank == "" || f.Bank == bank && (f.ParentAccount == "" || f.ParentAccount == parent)
}

// Stop is a person's word that nothing is paid from an account, a bank (parent "") or at all (bank ""), until it is lifted. A
// stop that stands already for the same is left as it is, and comes back.
func (d *Desk) Stop(ctx context.Context, by, bank, parent, reason string) (f Freeze, err error) {
	if err := requireText("reason", &reason, 400); err != nil {
		return f, err
	}
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		if err := FreezeRefunds(ctx, tx, Freeze{Bank: bank, ParentAccount: parent, Cause: ByStop, Reason: reason}); err != nil {
			return err
		}
		f, err = freezes.One(ctx, tx, "WHERE state = ? AND bank = ? AND parent_account = ? AND cause = ?", Frozen, bank, parent, ByStop)
		return err
	})
	return f, err
}

// LiftFreeze is a person's word that a freeze is over, a stop's or an incident's, for a reason that is kept. NotFound
// "freeze_unknown"; one that is lifted already is a Conflict "state_forbids".
func (d *Desk) LiftFreeze(ctx context.Context, by string, id sqldb.ID, version int64, reason string) (f Freeze, err error) {
	if reason = strings.TrimSpace(reason); reason == "" {
		return f, deposit.Refuse(deposit.Invalid, "note_required", "请填写解除冻结的原因")
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if f, err = freezes.One(ctx, tx, "WHERE id = ?", id); errors.Is(err, sqldb.ErrNone) {
			return deposit.Refuse(deposit.NotFound, "freeze_unknown", "没有这项冻结")
		} else if err != nil {
			return err
		}
		next, err := FreezeMoves.Next(f.State, "lift")
		if err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "freezes", ID: id, Version: version, From: f.State, To: next, Note: reason}); err != nil {
			return err
		}
		f.State, f.Version = next, version+1
		return nil
	})
	return f, err
}
