package api

import (
	"context"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// findingActs are what a person may do about a finding. The first four are steps of its machine.
var findingActs = []string{"confirm", "explain", "settle", "reopen", "hand_over", "refund", "take", "comment"}

// findingWork is one of the acts, with what it needs.
type findingWork struct {
	act        string
	version    int64
	note       string
	department string // to hand over to

	payeeBank, payeeBankCode string // where money goes back to, if the bank did not tell
}

// workOf reads an act. Every one but taking needs an opinion.
func workOf(f *form) findingWork {
	w := findingWork{act: f.act(findingActs), department: f.textIf("department", mostNumber),
		payeeBank: f.textIf("payee_bank", mostName), payeeBankCode: f.textIf("payee_bank_code", mostBankCode)}
	if w.act == "take" || w.act == "comment" {
		w.note = strings.TrimSpace(f.textIf("note", mostNote))
		_, _ = f.take("version") // comments hold whatever else happens meanwhile
	} else {
		w.version, w.note = f.number("version"), strings.TrimSpace(f.text("note", mostNote))
	}
	f.done()
	return w
}

// work does an act on a finding.
func (s *server) work(ctx context.Context, by string, id sqldb.ID, w findingWork) (err error) {
	switch w.act {
	case "take":
		err = s.Reconcile.Take(ctx, by, id, by)
	case "comment":
		err = s.Reconcile.CommentOn(ctx, by, id, w.note)
	case "hand_over":
		err = s.Reconcile.HandOver(ctx, by, id, w.version, w.department, w.note)
	case "refund":
		err = s.proposeRefund(ctx, by, id, w)
	default:
		if err = s.Reconcile.MoveFinding(ctx, by, id, w.version, w.act, w.note); err == nil {
			s.Judge() // a contradiction that is settled sets its credit free
		}
	}
	return err
}

// proposeRefund puts the credit of a finding on a refund list of its own, and explains the finding by that. The list's reference is
// the finding: said again, it is the same list.
func (s *server) proposeRefund(ctx context.Context, by string, id sqldb.ID, w findingWork) error {
	v, err := s.Reconcile.Finding(ctx, id)
	if err != nil {
		return err
	}
	if v.FindingRow.Credit == 0 {
		return deposit.Refuse(deposit.Conflict, "no_credit", "该差异不是一笔入账，没有可退付的资金")
	}
	if v.Version != w.version {
		return sqldb.ErrStale
	}
	line := refund.Order{Row: 1, Credit: v.FindingRow.Credit, PayeeBank: w.payeeBank, PayeeBankCode: w.payeeBankCode}
	order := refund.ListOrder{Department: v.Department, Reference: "finding-" + id.String(), Note: w.note, Lines: []refund.Order{line}}
	done, err := s.Refund.Submit(ctx, by, order)
	if err != nil {
		return err
	}
	if len(done.Faults) > 0 {
		return deposit.Refuse(deposit.Conflict, done.Faults[0].Code, "不能提出退付：", done.Faults[0].Text)
	}
	if v.State != reconcile.Open {
		return s.Reconcile.CommentOn(ctx, by, id, "已提出退付（名单 "+done.List.Number+"）："+w.note)
	}
	return s.Reconcile.MoveFinding(ctx, by, id, w.version, "explain", "已提出退付（名单 "+done.List.Number+"）："+w.note)
}
