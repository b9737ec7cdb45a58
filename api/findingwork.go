package api

import (
	"strings"

	"github.com/gin-gonic/gin"

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

// workOf reads an act on the version that the person has seen, which a comment and a taking hold beyond. Every act but taking
// needs an opinion.
func workOf(f *form, seen int64) findingWork {
	w := findingWork{act: f.act(findingActs), version: seen, department: f.textIf("department", mostNumber),
		payeeBank: f.textIf("payee_bank", mostName), payeeBankCode: f.textIf("payee_bank_code", mostBankCode)}
	if w.act == "take" || w.act == "comment" {
		w.note = strings.TrimSpace(f.textIf("note", mostNote))
	} else {
		w.note = strings.TrimSpace(f.text("note", mostNote))
	}
	f.done()
	return w
}

// work does an act on a finding.
func (s *server) work(c *gin.Context, by string, id sqldb.ID, w findingWork) (err error) {
	ctx, eyes, m := c.Request.Context(), s.sight(c), reconcile.FindingMove{ID: id, Version: w.version, Act: w.act, Note: w.note}
	switch w.act {
	case "take":
		err = s.Reconcile.Take(ctx, by, eyes, id)
	case "comment":
		err = s.Reconcile.CommentOn(ctx, by, eyes, m)
	case "hand_over":
		err = s.Reconcile.HandOver(ctx, by, eyes, m, w.department)
	case "refund":
		err = s.proposeRefund(c, by, m, w)
	default:
		if err = s.Reconcile.MoveFinding(ctx, by, eyes, m); err == nil {
			s.Judge() // a contradiction that is settled sets its credit free
		}
	}
	return err
}

// proposeRefund puts the credit of a finding on a refund list of its own, and explains the finding by that. The list's reference is
// the finding: said again, it is the same list.
func (s *server) proposeRefund(c *gin.Context, by string, m reconcile.FindingMove, w findingWork) error {
	ctx, eyes := c.Request.Context(), s.sight(c)
	v, err := s.Reconcile.Finding(ctx, eyes, m.ID)
	if err != nil {
		return err
	}
	if v.Credit == 0 {
		return deposit.Refuse(deposit.Conflict, "no_credit", "该差异不是一笔入账，没有可退付的资金")
	}
	if v.Version != m.Version {
		return sqldb.ErrStale
	}
	line := refund.Order{Row: 1, Credit: v.Credit, PayeeBank: w.payeeBank, PayeeBankCode: w.payeeBankCode}
	order := refund.ListOrder{Eyes: eyes, Department: v.Department, Reference: "finding-" + m.ID.String(), Note: w.note, Lines: []refund.Order{line}}
	done, err := s.Refund.Submit(ctx, by, order)
	if err != nil {
		return err
	}
	if len(done.Faults) > 0 {
		return deposit.Refuse(deposit.Conflict, done.Faults[0].Code, "不能提出退付：", done.Faults[0].Text)
	}
	m.Act, m.Note = "explain", "已提出退付（名单 "+done.List.Number+"）："+w.note
	if v.State != reconcile.Open {
		return s.Reconcile.CommentOn(ctx, by, eyes, m)
	}
	return s.Reconcile.MoveFinding(ctx, by, eyes, m)
}
