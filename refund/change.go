package refund

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// PayeeChange says that a credit goes back to another account than it came from, because the payer's name or account has
// changed (plan 4.6.3 step 1.2): with evidence, the business department's review, finance's approval, an extra approval, and
// a time in which it can still be called off.
type PayeeChange struct {
	ID             sqldb.ID
	EntryID        sqldb.ID
	PayeeName      string
	PayeeAccount   string
	PayeeBank      string
	PayeeBankCode  string
	Evidence       string // which papers, and where they lie
	EvidenceSHA256 string // of the file, where one was handed in
	MadeBy         string
	ReviewedBy     string
	ApprovedBy     string
	ConfirmedBy    string
	MadeAt         time.Time
	EffectiveAt    time.Time // zero until confirmed
	State          string
	Version        int64
}

// ChangeMoves is how a change's state changes; each step needs another person.
var ChangeMoves = deposit.Machine{
	"PROPOSED":  {"review": "REVIEWED", "refuse": "REFUSED"},
	"REVIEWED":  {"approve": "APPROVED", "refuse": "REFUSED"},
	"APPROVED":  {"confirm": "CONFIRMED", "refuse": "REFUSED"},
	"CONFIRMED": {"refuse": "REFUSED"},
	"REFUSED":   {},
}

// ChangeStates are what people call the states of a change.
var ChangeStates = map[string]string{"PROPOSED": "待科室审核", "REVIEWED": "待财务批准", "APPROVED": "待再次确认", "CONFIRMED": "已确认", "REFUSED": "未通过"}

var changes = sqldb.NewTable("payee_changes", "id, entry_id, sealed, evidence_sha256, "+
	"made_by, reviewed_by, approved_by, confirmed_by, made_at, effective_at, state, version", func(p *PayeeChange) []any {
	return []any{&p.ID, &p.EntryID, sealedChange(p), &p.EvidenceSHA256,
		&p.MadeBy, &p.ReviewedBy, &p.ApprovedBy, &p.ConfirmedBy, sqldb.Wall(&p.MadeAt), sqldb.Wall(&p.EffectiveAt), &p.State, &p.Version}
})

// sealedChange is the column payee_changes.sealed, as a field of a query; the ID has to stand before it.
func sealedChange(p *PayeeChange) any {
	return sqldb.Sealed("payee_changes", &p.ID, &p.PayeeName, &p.PayeeAccount, &p.PayeeBank, &p.PayeeBankCode, &p.Evidence)
}

// changeInEffect is the guard, as SQL, of a statement on refunds with one argument, now: the payee is the payer, or the
// change by which it is not is confirmed and its cooling-off time is over.
const changeInEffect = "(payee_change = 0 OR EXISTS (SELECT 1 FROM payee_changes AS p WHERE p.id = refunds.payee_change AND p.state = 'CONFIRMED' AND p.effective_at <= ?))"

// changesOf reads the confirmed changes for the credits.
func changesOf(ctx context.Context, r sqldb.Reader, entries []sqldb.ID) (map[sqldb.ID][]PayeeChange, error) {
	all := map[sqldb.ID][]PayeeChange{}
	err := sqldb.Chunks(entries, func(in string, args []any) error {
		rows, err := changes.All(ctx, r, "WHERE state = 'CONFIRMED' AND entry_id IN "+in+" ORDER BY id", args...)
		for _, one := range rows {
			all[one.EntryID] = append(all[one.EntryID], one)
		}
		return err
	})
	return all, err
}

// confirmed finds the confirmed change that names the line's payee; one whose cooling-off time still runs is found too,
// since the line is not sent before its end.
func confirmed(all []PayeeChange, l *Line) (sqldb.ID, bool) {
	for _, c := range all {
		if c.PayeeName == l.PayeeName && c.PayeeAccount == l.PayeeAccount {
			return c.ID, true
		}
	}
	return 0, false
}

// ChangeOrder asks that a credit may go back to another account.
type ChangeOrder struct {
	Eyes           deposit.Sight
	EntryID        sqldb.ID
	PayeeName      string
	PayeeAccount   string
	PayeeBank      string
	PayeeBankCode  string
	Evidence       string // which papers were seen, and where they lie; 1–400 characters
	EvidenceSHA256 string
}

func (o *ChangeOrder) check() error {
	for _, text := range []struct {
		name  string
		value *string
		most  int
		needs bool
	}{{"payee_name", &o.PayeeName, 200, true}, {"payee_account", &o.PayeeAccount, 64, true}, {"payee_bank", &o.PayeeBank, 200, false},
		{"payee_bank_code", &o.PayeeBankCode, 14, false}, {"evidence", &o.Evidence, 400, true}, {"evidence_sha256", &o.EvidenceSHA256, 64, false}} {
		*text.value = strings.TrimSpace(*text.value)
		if text.needs && *text.value == "" || utf8.RuneCountInString(*text.value) > text.most {
			return deposit.Refuse(deposit.Invalid, text.name+"_malformed", text.name, " 须填写，最多 ", text.most, " 字")
		}
	}
	if deposit.IsMasked(o.PayeeName) || deposit.IsMasked(o.PayeeAccount) {
		return deposit.Refuse(deposit.Invalid, "payee_masked", payeeMasked)
	}
	return nil
}

func (o *ChangeOrder) sameAs(p PayeeChange) bool {
	return p.PayeeName == o.PayeeName && p.PayeeAccount == o.PayeeAccount
}

// ProposeChange enters a changed payee with its evidence.
func (d *Desk) ProposeChange(ctx context.Context, by string, o ChangeOrder) (p PayeeChange, err error) {
	if err := o.check(); err != nil {
		return p, err
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if _, err := seenReceipt(ctx, tx, o.Eyes, o.EntryID); err != nil {
			return err
		}
		standing, err := changes.All(ctx, tx, "WHERE entry_id = ? AND state <> 'REFUSED' ORDER BY id", o.EntryID)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(standing, o.sameAs); at >= 0 { // said again
			p = standing[at]
			return nil
		}
		p = PayeeChange{ID: tx.NewID(), EntryID: o.EntryID, PayeeName: o.PayeeName, PayeeAccount: o.PayeeAccount, PayeeBank: o.PayeeBank, PayeeBankCode: o.PayeeBankCode,
			Evidence: o.Evidence, EvidenceSHA256: o.EvidenceSHA256, MadeBy: by, MadeAt: tx.Now, State: "PROPOSED", Version: 1}
		return errors.Join(changes.Insert(ctx, tx, p), tx.Note(ctx, "payee_changes", p.ID, p.State, o.Evidence))
	})
	return p, err
}

// changeByID reads one change; NotFound "change_unknown".
func changeByID(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, id sqldb.ID) (PayeeChange, error) {
	seen, args := reconcile.CreditSeen("payee_changes.entry_id", eyes)
	p, err := changes.One(ctx, r, "WHERE id = ? AND "+seen, append([]any{id}, args...)...)
	if errors.Is(err, sqldb.ErrNone) {
		return p, deposit.Refuse(deposit.NotFound, "change_unknown", "没有这项收款账户变更")
	}
	return p, err
}

// changeSigners is the column that each step of a change is signed in.
var changeSigners = map[string]string{"review": "reviewed_by", "approve": "approved_by", "confirm": "confirmed_by"}

// MoveChange takes a change one step: the business department reviews it, finance approves it, a third person confirms it, and then
// the cooling-off time begins. Nobody signs twice. Whoever has a doubt may refuse it at any time.
func (d *Desk) MoveChange(ctx context.Context, by string, eyes deposit.Sight, m Move) (p PayeeChange, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if p, err = changeByID(ctx, tx, eyes, m.ID); err != nil {
			return err
		}
		next, err := ChangeMoves.Next(p.State, m.Act)
		switch {
		case err != nil:
			return err
		case m.Note == "":
			return deposit.Refuse(deposit.Invalid, "note_required", "请填写审核意见")
		case m.Act != "refuse" && (by == p.MadeBy || by == p.ReviewedBy || by == p.ApprovedBy):
			return samePerson("提出、科室审核、财务批准、再次确认须为不同的人")
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "payee_changes", ID: m.ID, Version: m.Version, From: p.State, To: next, Note: m.Note}); err != nil {
			return err
		}
		if err := d.signChange(ctx, tx, m.ID, m.Act, next); err != nil {
			return err
		}
		p, err = changes.One(ctx, tx, "WHERE id = ?", m.ID)
		return err
	})
	return p, err
}

// signChange keeps who took the step; the last one starts the cooling-off time.
func (d *Desk) signChange(ctx context.Context, tx *sqldb.Tx, id sqldb.ID, act, state string) error {
	column, signs := changeSigners[act]
	if !signs {
		return nil
	}
	err := tx.UpdateAll(ctx, []sqldb.ID{id}, "UPDATE payee_changes SET "+column+" = ? WHERE state = ?", tx.By, state)
	if err == nil && act == "confirm" {
		err = tx.UpdateAll(ctx, []sqldb.ID{id}, "UPDATE payee_changes SET effective_at = ? WHERE state = ?", sqldb.At(tx.Now.Add(d.limits.Cooling)), state)
	}
	if err != nil {
		return fmt.Errorf("sign a payee change: %w", err)
	}
	return nil
}

// Changes lists the changes asked for a credit.
func (d *Desk) Changes(ctx context.Context, entry sqldb.ID) ([]PayeeChange, error) {
	return changes.All(ctx, d.db, "WHERE entry_id = ? ORDER BY made_at, id", entry)
}
