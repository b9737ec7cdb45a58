package reconcile

import (
	"context"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// What people do about findings, beside moving them: each is a line of the audit trail, and none changes what was found.

// CommentOn adds a remark to a finding that the person may see; it is there once where nothing has happened since the person made it.
func (d *Desk) CommentOn(ctx context.Context, by string, eyes deposit.Sight, m FindingMove) error {
	if strings.TrimSpace(m.Note) == "" {
		return noteRequired()
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if _, err := seenFinding(ctx, tx, eyes, m.ID); err != nil {
			return err
		}
		last, err := sqldb.Events.All(ctx, tx, "WHERE row_id = ? AND table_name = 'findings' ORDER BY seq DESC LIMIT 1", m.ID)
		if err != nil || len(last) == 1 && last[0].By == by && last[0].Became == string(StepComment) && last[0].Note == m.Note {
			return err
		}
		return tx.Note(ctx, "findings", m.ID, string(StepComment), m.Note)
	})
}

// Take makes the person the one who sees to a finding, whoever had it before.
func (d *Desk) Take(ctx context.Context, by string, eyes deposit.Sight, id sqldb.ID) error {
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		f, err := seenFinding(ctx, tx, eyes, id)
		if err != nil || f.Owner == by {
			return err
		}
		n, err := tx.Exec(ctx, "UPDATE findings SET owner = ? WHERE id = ? AND owner = ?", by, id, f.Owner)
		if err != nil {
			return err
		}
		if n != 1 {
			return sqldb.ErrStale
		}
		return tx.Note(ctx, "findings", id, string(StepOwner), by)
	})
}

func noteRequired() error {
	return deposit.Refuse(deposit.Invalid, "note_required", "请填写处理意见")
}

// HandOver lets another department act on a finding; ErrStale if somebody was faster.
func (d *Desk) HandOver(ctx context.Context, by string, eyes deposit.Sight, m FindingMove, department string) error {
	switch {
	case strings.TrimSpace(m.Note) == "":
		return noteRequired()
	case strings.TrimSpace(department) == "":
		return deposit.Refuse(deposit.Invalid, "department_required", "请选择移交给哪个科室")
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		f, err := seenFinding(ctx, tx, eyes, m.ID)
		if err != nil {
			return err
		}
		if f.State == Settled || f.State == Cleared {
			return deposit.Refuse(deposit.Conflict, "finding_done", "该差异", StateName[f.State], "，请先重新打开再移交")
		}
		n, err := tx.Exec(ctx, "UPDATE findings SET department = ?, version = version + 1 WHERE id = ? AND version = ?", department, m.ID, m.Version)
		if err != nil {
			return err
		}
		if n != 1 {
			return sqldb.ErrStale
		}
		return tx.Note(ctx, "findings", m.ID, string(StepHandOver), "由 "+f.Department+" 移交 "+department+"："+m.Note)
	})
}

// Sweep is one act on all findings of a query, with what the person has seen of them: if by then they are others, nothing is done.
type Sweep struct {
	Query FindingQuery
	Act   string // explain, settle or confirm
	Note  string
	Count int64
	Total deposit.Fen
}

// mostSwept bounds one transaction.
const mostSwept = 5000

// MoveFindings does one act on many findings that the person may see, all or none. Conflict "changed_meanwhile" where count or total are not those seen;
// what closes a day, balances and chains, has to be looked at one by one: Conflict "not_in_bulk".
func (d *Desk) MoveFindings(ctx context.Context, by string, eyes deposit.Sight, s Sweep) error {
	if strings.TrimSpace(s.Note) == "" {
		return noteRequired()
	}
	if !slices.Contains(personsActs, s.Act) {
		return actUnknown()
	}
	if err := s.Query.check(); err != nil {
		return err
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		where, args := s.Query.where()
		seen, more := findingSeen(eyes)
		ids, err := sqldb.Select(ctx, tx, func(id *sqldb.ID) []any { return []any{id} },
			"SELECT f.id FROM findings AS f "+s.Query.joins()+"WHERE "+where+" AND "+seen+" ORDER BY f.id LIMIT ?", append(append(args, more...), mostSwept+1)...)
		if err != nil {
			return err
		}
		if len(ids) > mostSwept {
			return deposit.Refuse(deposit.Invalid, "too_many_chosen", "一次最多处理 ", mostSwept, " 条，请缩小筛选范围")
		}
		return s.move(ctx, tx, ids)
	})
}

// move moves the findings, by the states in which they are.
func (s *Sweep) move(ctx context.Context, tx *sqldb.Tx, ids []sqldb.ID) error {
	byState, conflicts := map[string][]sqldb.ID{}, []sqldb.ID(nil)
	var total deposit.Fen
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		some, err := findings.All(ctx, tx, "WHERE id IN "+in, args...)
		for _, f := range some {
			total += f.Amount
			byState[f.State] = append(byState[f.State], f.ID)
			switch f.Kind {
			case KindConflict:
				conflicts = append(conflicts, f.Subject)
			case KindBalance, KindChain:
				return deposit.Refuse(deposit.Conflict, "not_in_bulk", "余额类差异关系到日终平账，须逐条处理；请在筛选中去掉它们")
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if int64(len(ids)) != s.Count || total != s.Total {
		return deposit.Refuse(deposit.Conflict, "changed_meanwhile", "符合条件的差异已有变化：现为 ", len(ids), " 条、", total.Grouped(), " 元，请重新预览后再提交")
	}
	for _, from := range []string{Open, Explained, Settled, Cleared} {
		some := byState[from]
		if len(some) == 0 {
			continue
		}
		to, err := FindingMoves.Next(from, s.Act)
		if err != nil {
			return err
		}
		if err := tx.MoveAll(ctx, sqldb.Sweep{Table: "findings", IDs: some, From: from, To: to, Note: s.Note}); err != nil {
			return err
		}
	}
	return bank.Requeue(ctx, tx, conflicts...)
}
