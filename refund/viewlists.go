package refund

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// ListView is a list with what its lines come to.
type ListView struct {
	List
	Lines  int
	Amount deposit.Fen
}

// newestFirst is the order of what people look through by when it was made.
const newestFirst = "ORDER BY made_at DESC, id DESC LIMIT ?"

// before goes on after a page of what is shown newest first.
func (f *filter) before(cursor string) error {
	if cursor == "" {
		return nil
	}
	at, id, err := readPlace(cursor)
	if err != nil {
		return err
	}
	if _, err := time.Parse(deposit.WallTime, at); err != nil {
		return badPlace()
	}
	f.only(true, "(made_at < ? OR made_at = ? AND id < ?)", at, at, id)
	return nil
}

// onePage reads a page of a table, the newest row first; next is the cursor of the page after, "" at the end.
func onePage[T any](ctx context.Context, r sqldb.Reader, table sqldb.Table[T], f *filter, limit int, made func(*T) (time.Time, sqldb.ID)) (page []T, next string, err error) {
	size := pageSize(limit)
	page, err = table.All(ctx, r, f.tail(newestFirst), append(f.args, size+1)...)
	if err != nil || len(page) <= size {
		return page, "", err
	}
	page = page[:size]
	at, id := made(&page[size-1])
	return page, place(sqldb.At(at), id), nil
}

// ListQuery asks for lists; an empty field asks for nothing.
type ListQuery struct {
	Department string
	After      string
	Limit      int
}

// listSeen is the condition that a list is one of a department that these eyes reach, and its arguments.
func listSeen(eyes deposit.Sight) (condition string, args []any) {
	switch {
	case eyes.Everything():
		return "id <> 0", nil
	case eyes.Blind():
		return "id = 0", nil
	}
	for _, department := range eyes.Departments() {
		args = append(args, department)
	}
	return "department IN " + sqldb.In(len(args)), args
}

// Lists lists the lists of the departments that may be seen, or of one of them, the newest first.
func (d *Desk) Lists(ctx context.Context, eyes deposit.Sight, q ListQuery) (page []ListView, next string, err error) {
	var f filter
	seen, args := listSeen(eyes)
	f.only(true, seen, args...)
	f.only(q.Department != "", "department = ?", q.Department)
	if err := f.before(q.After); err != nil {
		return nil, "", err
	}
	rows, next, err := onePage(ctx, d.db, lists, &f, q.Limit, func(l *List) (time.Time, sqldb.ID) { return l.MadeAt, l.ID })
	if err != nil {
		return nil, "", err
	}
	page, err = d.summed(ctx, rows)
	return page, next, err
}

// summed tells of lists what their lines come to, those of sealed lots by their number only.
func (d *Desk) summed(ctx context.Context, rows []List) ([]ListView, error) {
	page, at := make([]ListView, len(rows)), make(map[sqldb.ID]int, len(rows))
	keys := make([]sqldb.ID, len(rows))
	for i, l := range rows {
		page[i], at[l.ID], keys[i] = ListView{List: l}, i, l.ID
	}
	type sum struct {
		list   sqldb.ID
		lines  int
		amount deposit.Fen
	}
	open, before := lineOpen()
	err := sqldb.Chunks(keys, func(in string, args []any) error {
		args = append(before[:len(before):len(before)], args...)
		sums, err := sqldb.Select(ctx, d.db, func(s *sum) []any { return []any{&s.list, &s.lines, &s.amount} },
			"SELECT list_id, COUNT(*), COALESCE(SUM(CASE WHEN "+open+" THEN amount ELSE 0 END), 0) FROM refunds WHERE list_id IN "+in+" GROUP BY list_id", args...)
		for _, s := range sums {
			page[at[s.list]].Lines, page[at[s.list]].Amount = s.lines, s.amount
		}
		return err
	})
	return page, err
}

// ListByID reads one list with its lines; NotFound "list_unknown".
func (d *Desk) ListByID(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (l ListView, all []LineView, err error) {
	seen, args := listSeen(eyes)
	l.List, err = lists.One(ctx, d.db, "WHERE id = ? AND "+seen, append([]any{id}, args...)...)
	if errors.Is(err, sqldb.ErrNone) {
		return l, nil, deposit.Refuse(deposit.NotFound, "list_unknown", "没有这份退付名单")
	}
	if err != nil {
		return l, nil, err
	}
	rows, err := lines.All(ctx, d.db, "WHERE list_id = ? ORDER BY id", id)
	if err != nil {
		return l, nil, err
	}
	all, err = d.View(ctx, rows)
	l.Lines = len(all)
	for i := range all {
		l.Amount += all[i].Amount
	}
	return l, all, err
}

var batchStateNames = map[string]string{Submitted: "待复核", BatchChecked: "待放行", BatchReleased: "已放行", Started: "已发送", BatchCancelled: "已撤销"}

// BatchStateName is the Chinese name of a batch's state; "" for what is none.
func BatchStateName(state string) string { return batchStateNames[state] }

// BatchQuery asks for batches; an empty field asks for nothing.
type BatchQuery struct {
	State string
	Bank  string
	After string
	Limit int
}

// Batches lists batches, the newest first, for eyes that reach everything: a batch is of many departments.
func (d *Desk) Batches(ctx context.Context, eyes deposit.Sight, q BatchQuery) (page []Batch, next string, err error) {
	var f filter
	f.only(!eyes.Everything(), "id = 0")
	f.only(q.State != "", "state = ?", q.State)
	f.only(q.Bank != "", "bank = ?", q.Bank)
	if err := f.before(q.After); err != nil {
		return nil, "", err
	}
	page, next, err = onePage(ctx, d.db, batches, &f, q.Limit, func(b *Batch) (time.Time, sqldb.ID) { return b.MadeAt, b.ID })
	return page, next, errors.Join(err, veil(ctx, d.db, page))
}

// BatchWithLines reads one batch with its lines in the order in which they are signed; NotFound "batch_unknown".
func (d *Desk) BatchWithLines(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (b Batch, all []LineView, err error) {
	if b, err = d.seenBatch(ctx, eyes, id); err != nil {
		return b, nil, err
	}
	rows, err := LinesOf(ctx, d.db, id)
	if err != nil {
		return b, nil, err
	}
	all, err = d.View(ctx, rows)
	return b, all, err
}

// seenBatch reads a batch as it may be shown; NotFound "batch_unknown".
func (d *Desk) seenBatch(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (Batch, error) {
	if !eyes.Everything() {
		return Batch{}, unknownBatch()
	}
	b, err := BatchByID(ctx, d.db, id)
	return d.veiled(ctx, b, err)
}

// KeepQuery asks for dispositions or payee changes; an empty field asks for nothing.
type KeepQuery struct {
	Credit sqldb.ID
	State  string
	After  string
	Limit  int
}

func (q *KeepQuery) filter(table string, eyes deposit.Sight) (*filter, error) {
	var f filter
	seen, args := reconcile.CreditSeen(table+".entry_id", eyes)
	f.only(true, seen, args...)
	f.only(q.Credit != 0, "entry_id = ?", q.Credit)
	f.only(q.State != "", "state = ?", q.State)
	return &f, f.before(q.After)
}

// DispositionPage lists the dispositions of credits that may be seen, the newest first.
func (d *Desk) DispositionPage(ctx context.Context, eyes deposit.Sight, q KeepQuery) (page []Disposition, next string, err error) {
	f, err := q.filter("dispositions", eyes)
	if err != nil {
		return nil, "", err
	}
	return onePage(ctx, d.db, dispositions, f, q.Limit, func(x *Disposition) (time.Time, sqldb.ID) { return x.MadeAt, x.ID })
}

// ChangePage lists the payee changes of credits that may be seen, the newest first.
func (d *Desk) ChangePage(ctx context.Context, eyes deposit.Sight, q KeepQuery) (page []PayeeChange, next string, err error) {
	f, err := q.filter("payee_changes", eyes)
	if err != nil {
		return nil, "", err
	}
	return onePage(ctx, d.db, changes, f, q.Limit, func(p *PayeeChange) (time.Time, sqldb.ID) { return p.MadeAt, p.ID })
}

// Keeping is a kind and a purpose for which money can be kept here.
type Keeping struct {
	Kind    DispositionKind
	Purpose string
	Name    string
}

// Keepings are all of them, holding first.
func Keepings() (all []Keeping) {
	for _, kind := range []DispositionKind{Held, Forfeited, Converted} {
		for _, purpose := range slices.Sorted(maps.Keys(purposes[kind])) {
			all = append(all, Keeping{kind, purpose, purposes[kind][purpose]})
		}
	}
	return all
}

// PurposeName is the Chinese name of what a disposition keeps money for.
func (x *Disposition) PurposeName() string { return purposes[x.Kind][x.Purpose] }

// CancelDraft is CancelDrafts for one line in the version that the caller has seen.
func (d *Desk) CancelDraft(ctx context.Context, by string, id sqldb.ID, version int64, note string) error {
	l, err := LineByID(ctx, d.db, id)
	switch {
	case err != nil:
		return err
	case l.Version != version:
		return sqldb.ErrStale
	}
	return d.CancelDrafts(ctx, by, []sqldb.ID{id}, note)
}
