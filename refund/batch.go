package refund

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Batch is what one bank is told to pay from one parent account. Maker, checker and releaser are three persons; what they
// sign is the digest, and any change of the lines makes another one.
type Batch struct {
	ID            sqldb.ID
	Number        string // PC-20260612-03, for people and the bank
	Bank          string
	ParentAccount string
	Count         int
	Total         deposit.Fen
	Digest        string
	MadeBy        string
	CheckedBy     string
	ReleasedBy    string
	MadeAt        time.Time
	CheckedAt     time.Time
	ReleasedAt    time.Time
	Blind         bool // of blind lines only
	State         string
	Version       int64

	Sealed bool // as it is shown: what it comes to is secret until the lots of its lines are opened
}

var batches = sqldb.NewTable("refund_batches", "id, number, bank, parent_account, line_count, total, digest, made_by, checked_by, released_by, "+
	"made_at, checked_at, released_at, blind, state, version", func(b *Batch) []any {
	return []any{&b.ID, &b.Number, &b.Bank, &b.ParentAccount, &b.Count, &b.Total, &b.Digest, &b.MadeBy, &b.CheckedBy, &b.ReleasedBy,
		sqldb.Wall(&b.MadeAt), sqldb.Wall(&b.CheckedAt), sqldb.Wall(&b.ReleasedAt), &b.Blind, &b.State, &b.Version}
})

// The states of a batch. How far a started one has come is told by its lines.
const (
	Submitted      = "SUBMITTED"
	BatchChecked   = "CHECKED"
	BatchReleased  = "RELEASED"
	Started        = "STARTED" // its messages to the bank are stored; they go out one by one
	BatchCancelled = "CANCELLED"
)

// BatchMoves is how a batch's state changes. To return one clears its approvals; once it is started its lines are what is
// taken back, those that were not sent.
var BatchMoves = deposit.Machine{
	"SUBMITTED": {"check": "CHECKED", "cancel": "CANCELLED"},
	"CHECKED":   {"release": "RELEASED", "return": "SUBMITTED", "cancel": "CANCELLED"},
	"RELEASED":  {"start": "STARTED", "return": "SUBMITTED", "cancel": "CANCELLED"},
	"STARTED":   {},
	"CANCELLED": {},
}

// BatchByID reads one batch; NotFound "batch_unknown".
func BatchByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Batch, error) {
	b, err := batches.One(ctx, r, "WHERE id = ?", id)
	if errors.Is(err, sqldb.ErrNone) {
		return b, unknownBatch()
	}
	return b, err
}

func unknownBatch() error {
	return deposit.Refuse(deposit.NotFound, "batch_unknown", "没有这个退付批次")
}

// LinesOf lists a batch's lines in the order in which they are signed and sent.
func LinesOf(ctx context.Context, r sqldb.Reader, batch sqldb.ID) ([]Line, error) {
	return lines.All(ctx, r, "WHERE batch_id = ? ORDER BY sub_account, id", batch)
}

// Compose makes batches of drafts that are in none yet: one for each bank and parent account, and another one for every
// five hundred lines. Lines that somebody else has taken meanwhile are a Conflict "lines_taken".
func (d *Desk) Compose(ctx context.Context, by string, lineIDs []sqldb.ID) (made []Batch, err error) {
	if lineIDs = slices.Compact(slices.Sorted(slices.Values(lineIDs))); len(lineIDs) == 0 {
		return nil, deposit.Refuse(deposit.Invalid, "batch_empty", "请选择要组成批次的退付明细")
	}
	err = d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			made = nil
			drafts, err := draftsOf(ctx, tx, lineIDs)
			if err != nil {
				return err
			}
			for _, some := range d.parts(drafts) {
				one, err := compose(ctx, tx, some)
				if err != nil {
					return err
				}
				made = append(made, one)
			}
			return nil
		})
	})
	return made, errors.Join(err, veil(ctx, d.db, made))
}

func draftsOf(ctx context.Context, r sqldb.Reader, wanted []sqldb.ID) (drafts []Line, err error) {
	err = sqldb.Chunks(wanted, func(in string, args []any) error {
		rows, err := lines.All(ctx, r, "WHERE state = 'DRAFT' AND batch_id = 0 AND channel = 'BANK' AND id IN "+in, args...)
		drafts = append(drafts, rows...)
		return err
	})
	if err == nil && len(drafts) != len(wanted) {
		err = deposit.Refuse(deposit.Conflict, "lines_taken", "所选 ", len(wanted), " 笔中有 ", len(wanted)-len(drafts), " 笔已在其他批次中、已撤销或不存在，请刷新后重选")
	}
	return drafts, err
}

// parts are the batches that lines come to.
func (d *Desk) parts(all []Line) (parts [][]Line) {
	account := func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Bank, b.Bank), cmp.Compare(a.ParentAccount, b.ParentAccount), blindLast(a.Blind, b.Blind))
	}
	slices.SortFunc(all, func(a, b Line) int {
		return cmp.Or(account(a, b), cmp.Compare(a.SubAccount, b.SubAccount), cmp.Compare(a.ID, b.ID))
	})
	for i := range all {
		last := len(parts) - 1
		if last < 0 || len(parts[last]) >= mostLines || account(parts[last][0], all[i]) != 0 || total(parts[last])+all[i].Amount > d.limits.Batch {
			parts = append(parts, nil)
			last++
		}
		parts[last] = append(parts[last], all[i])
	}
	return parts
}

// blindLast keeps blind lines to themselves.
func blindLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func compose(ctx context.Context, tx *sqldb.Tx, some []Line) (Batch, error) {
	b := Batch{ID: tx.NewID(), Bank: some[0].Bank, ParentAccount: some[0].ParentAccount, MadeBy: tx.By, MadeAt: tx.Now, Blind: some[0].Blind, State: Submitted, Version: 1}
	var err error
	if b.Number, err = nextNumber(ctx, tx, "PC", "refund_batches"); err != nil {
		return b, err
	}
	if err := b.sign(tx, some); err != nil {
		return b, err
	}
	if err := batches.Insert(ctx, tx, b); err != nil {
		return b, err
	}
	if err := tx.UpdateAll(ctx, ids(some), "UPDATE refunds SET batch_id = ?, version = version + 1 WHERE state = 'DRAFT' AND batch_id = 0", b.ID); err != nil {
		return b, fmt.Errorf("put lines into a batch: %w", err)
	}
	return b, tx.Note(ctx, "refund_batches", b.ID, Submitted, fmt.Sprintf("%s：%d 笔，%s，摘要 %s", b.Number, b.Count, amountNoted(some), b.Digest))
}

// sign makes the batch's count, total and digest those of its lines. The digest is a tag, so that nobody finds by it whom the
// lines pay; that of blind lines is of their serials alone, which is what their approver sees: what such a line pays is its
// credit's and cannot be changed.
func (b *Batch) sign(tx *sqldb.Tx, all []Line) (err error) {
	b.Count, b.Total = len(all), total(all)
	h := sha256.New()
	if b.Blind {
		fmt.Fprintf(h, "%s|%s|%s|%d\n", b.Number, b.Bank, b.ParentAccount, b.Count)
	} else {
		fmt.Fprintf(h, "%s|%s|%s|%d|%s\n", b.Number, b.Bank, b.ParentAccount, b.Count, b.Total)
	}
	for i := range all {
		l := &all[i]
		if b.Blind {
			fmt.Fprintf(h, "%s\n", l.Serial)
			continue
		}
		fmt.Fprintf(h, "%s|%s|%q|%q|%q|%s|%s\n", l.Serial, l.EntryID, l.PayeeName, l.PayeeAccount, l.PayeeBank, l.PayeeBankCode, l.Amount)
	}
	b.Digest, err = tx.Tag("refund_batches", hex.EncodeToString(h.Sum(nil)))
	return err
}
