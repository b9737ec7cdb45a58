package refund

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Disposition keeps money here: held while a written order says so (暂缓退还), forfeited (不予退还), or converted. It needs the
// number of a sealed paper and two persons.
type Disposition struct {
	ID         sqldb.ID
	EntryID    sqldb.ID
	Kind       DispositionKind
	Amount     deposit.Fen // 0 of Held, which keeps all of it from being sent
	Purpose    string      // of the others: to what or whom
	Document   string
	Reason     string
	MadeBy     string
	ApprovedBy string
	MadeAt     time.Time
	State      string
	Version    int64
}

// DispositionKind is how money is kept.
type DispositionKind string

// The kinds.
const (
	Held      DispositionKind = "HELD"
	Forfeited DispositionKind = "FORFEITED"
	Converted DispositionKind = "CONVERTED"
)

// The states of a disposition. It keeps the money from its proposal on.
const (
	Proposed  = "PROPOSED"
	Standing  = "STANDING"
	LiftedOff = "LIFTED"
	Declined  = "REFUSED"
)

// DispositionMoves is how a disposition's state changes.
var DispositionMoves = deposit.Machine{
	Proposed:  {"approve": Standing, "refuse": Declined},
	Standing:  {"lift": LiftedOff},
	LiftedOff: {},
	Declined:  {},
}

var dispositions = sqldb.NewTable("dispositions", "id, entry_id, kind, amount, purpose, document, sealed, made_by, approved_by, made_at, state, version",
	func(d *Disposition) []any {
		return []any{&d.ID, &d.EntryID, &d.Kind, &d.Amount, &d.Purpose, &d.Document, sqldb.SealedIfAny("dispositions", &d.ID, &d.Reason), &d.MadeBy, &d.ApprovedBy, sqldb.Wall(&d.MadeAt), &d.State, &d.Version}
	})

// notHeld is the guard, as SQL, of a statement on refunds: no order holds the line's credit.
const notHeld = "NOT EXISTS (SELECT 1 FROM dispositions AS h WHERE h.entry_id = refunds.entry_id AND h.kind = 'HELD' AND h.state IN ('PROPOSED','STANDING'))"

// holdsOf reads what holds the credits.
func holdsOf(ctx context.Context, r sqldb.Reader, entries []sqldb.ID) (map[sqldb.ID]Disposition, error) {
	held := map[sqldb.ID]Disposition{}
	err := sqldb.Chunks(entries, func(in string, args []any) error {
		rows, err := dispositions.All(ctx, r, "WHERE kind = 'HELD' AND state IN ('PROPOSED','STANDING') AND entry_id IN "+in, args...)
		for _, one := range rows {
			held[one.EntryID] = one
		}
		return err
	})
	return held, err
}

// purposes are what money can be kept for, by kind.
var purposes = map[DispositionKind]map[string]string{
	Held:      {"": "暂缓退还"},
	Forfeited: {"TENDERER": "归招标人", "TREASURY": "上缴财政"},
	Converted: {"PERFORMANCE_BOND": "转履约保证金", "LAND_PRICE": "抵作土地出让价款", "CONTRACT_PRICE": "抵作合同价款", "SERVICE_FEE": "抵扣服务费"},
}

// DispositionOrder asks to keep money of a credit here.
type DispositionOrder struct {
	Eyes     deposit.Sight
	EntryID  sqldb.ID
	Kind     DispositionKind
	Amount   deposit.Fen // of FORFEITED and CONVERTED
	Purpose  string
	Document string // the number of the sealed paper, 1–64 characters
	Reason   string
}

func (o *DispositionOrder) check() error {
	o.Document, o.Reason = strings.TrimSpace(o.Document), strings.TrimSpace(o.Reason)
	_, known := purposes[o.Kind][o.Purpose]
	switch {
	case !known:
		return deposit.Refuse(deposit.Invalid, "disposition_unknown", "kind 与 purpose 不匹配：HELD 不填 purpose；FORFEITED 填 TENDERER、TREASURY；CONVERTED 填 PERFORMANCE_BOND、LAND_PRICE、CONTRACT_PRICE、SERVICE_FEE")
	case o.Document == "" || utf8.RuneCountInString(o.Document) > 64:
		return deposit.Refuse(deposit.Invalid, "document_required", "document 请填写盖章文件的文号（1 至 64 字）：没有书面文件不得扣留保证金")
	case utf8.RuneCountInString(o.Reason) > 400:
		return deposit.Refuse(deposit.Invalid, "reason_too_long", "reason 最多 400 字")
	case o.Kind == Held && o.Amount != 0, o.Kind != Held && o.Amount <= 0:
		return deposit.Refuse(deposit.Invalid, "amount_malformed", "amount 暂缓退还不填金额；不予退还和转作他用须填大于零的金额")
	}
	return nil
}

// Dispose proposes to keep money of a credit; from now on it stays. The same document for the same credit and kind is the same
// disposition. Another person approves it.
func (d *Desk) Dispose(ctx context.Context, by string, o DispositionOrder) (made Disposition, err error) {
	if err := o.check(); err != nil {
		return made, err
	}
	err = d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			known, err := dispositions.One(ctx, tx, "WHERE entry_id = ? AND kind = ? AND document = ?", o.EntryID, o.Kind, o.Document)
			if !errors.Is(err, sqldb.ErrNone) {
				made = known
				return err
			}
			receipts, err := seenReceipt(ctx, tx, o.Eyes, o.EntryID)
			if err != nil {
				return err
			}
			made = Disposition{ID: tx.NewID(), EntryID: o.EntryID, Kind: o.Kind, Amount: o.Amount, Purpose: o.Purpose, Document: o.Document, Reason: o.Reason,
				MadeBy: by, MadeAt: tx.Now, State: Proposed, Version: 1}
			if o.Amount > 0 {
				if err := reserve(ctx, tx, map[sqldb.ID]deposit.Fen{o.EntryID: o.Amount}, receipts); err != nil {
					return err
				}
			}
			return errors.Join(dispositions.Insert(ctx, tx, made), tx.Note(ctx, "dispositions", made.ID, Proposed, string(o.Kind)+" 文号 "+o.Document))
		})
	})
	return made, err
}

// seenReceipt is the receipt of a credit that may be seen, by its key; NotFound "receipt_unknown" of any other.
func seenReceipt(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, credit sqldb.ID) (map[sqldb.ID]*reconcile.Receipt, error) {
	one := []sqldb.ID{credit}
	seen, err := reconcile.SeenCredits(ctx, r, eyes, one)
	if err != nil {
		return nil, err
	}
	receipts, err := reconcile.Receipts(ctx, r, one)
	if err == nil && (receipts[credit] == nil || !seen[credit]) {
		err = deposit.Refuse(deposit.NotFound, "receipt_unknown", "没有这笔入账")
	}
	return receipts, err
}

// Move is a person's step with a disposition or a payee change, in the version that he has seen.
type Move struct {
	ID      sqldb.ID
	Version int64
	Act     string
	Note    string
}

// MoveDisposition approves, refuses or lifts a disposition. Approving needs another person than the one who proposed it;
// what is refused or lifted sets the money free.
func (d *Desk) MoveDisposition(ctx context.Context, by string, eyes deposit.Sight, m Move) (x Disposition, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		seen, args := reconcile.CreditSeen("dispositions.entry_id", eyes)
		x, err = dispositions.One(ctx, tx, "WHERE id = ? AND "+seen, append([]any{m.ID}, args...)...)
		if errors.Is(err, sqldb.ErrNone) {
			return deposit.Refuse(deposit.NotFound, "disposition_unknown", "没有这项扣留记录")
		}
		if err != nil {
			return err
		}
		next, err := DispositionMoves.Next(x.State, m.Act)
		switch {
		case err != nil:
			return err
		case m.Act == "approve" && by == x.MadeBy:
			return samePerson("批准人不能是提出人")
		case m.Note == "":
			return deposit.Refuse(deposit.Invalid, "note_required", "请填写意见")
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "dispositions", ID: m.ID, Version: m.Version, From: x.State, To: next, Note: m.Note}); err != nil {
			return err
		}
		x.State, x.Version = next, m.Version+1
		if m.Act != "approve" {
			return x.free(ctx, tx)
		}
		x.ApprovedBy = by
		return tx.UpdateAll(ctx, []sqldb.ID{m.ID}, "UPDATE dispositions SET approved_by = ? WHERE state = ?", by, Standing)
	})
	return x, err
}

// free gives back what a disposition had reserved.
func (x *Disposition) free(ctx context.Context, tx *sqldb.Tx) error {
	if x.Amount == 0 {
		return nil
	}
	return unreserve(ctx, tx, map[sqldb.ID]deposit.Fen{x.EntryID: x.Amount})
}

// Dispositions lists what keeps money of a credit here, or ever did.
func (d *Desk) Dispositions(ctx context.Context, entry sqldb.ID) ([]Disposition, error) {
	return dispositions.All(ctx, d.db, "WHERE entry_id = ? ORDER BY made_at, id", entry)
}
