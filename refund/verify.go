package refund

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// readings hold what may never be of refunds; each invariant is shown able to fire by a test that breaks it. The numbers are
// those of the safety page.
var readings = []reconcile.Reading{
	{Key: "r.entry_id", From: "receipts AS r LEFT JOIN (SELECT l.entry_id, SUM(l.amount) AS live FROM refunds AS l WHERE l.state NOT IN " + dead + " GROUP BY l.entry_id) AS l ON l.entry_id = r.entry_id " +
		"LEFT JOIN (SELECT d.entry_id, SUM(d.amount) AS kept FROM dispositions AS d WHERE d.state IN ('PROPOSED','STANDING') GROUP BY d.entry_id) AS d ON d.entry_id = r.entry_id", Invariants: []reconcile.Invariant{
		{Code: "I51", Title: "预留金额等于在途与已付退付及扣留之和", Broken: "r.reserved <> COALESCE(l.live, 0) + COALESCE(d.kept, 0)"},
	}},
	{Key: "l.entry_id", From: "(SELECT entry_id, SUM(amount) AS live FROM refunds WHERE state NOT IN " + dead + " GROUP BY entry_id) AS l LEFT JOIN entries AS e ON e.id = l.entry_id", Invariants: []reconcile.Invariant{
		{Code: "I52", Title: "退付不超过入账金额", Broken: "e.id IS NULL OR l.live > e.amount"},
	}},
	{Key: "p.entry_id", From: "(SELECT d.entry_id, SUM(l.amount + l.interest_paid) AS paid FROM refund_debits AS d LEFT JOIN refunds AS l ON l.id = d.refund_id GROUP BY d.entry_id) AS p " +
		"LEFT JOIN entries AS e ON e.id = p.entry_id", Invariants: []reconcile.Invariant{
		{Code: "I18", Title: "每笔付款凭证对应金额相等的退付", Broken: "e.id IS NULL OR COALESCE(p.paid, 0) <> e.amount"},
	}},
	{Key: "l.id", From: "refunds AS l LEFT JOIN entries AS e ON e.id = l.entry_id LEFT JOIN refund_debits AS d ON d.refund_id = l.id LEFT JOIN refund_returns AS r ON r.refund_id = l.id " +
		"LEFT JOIN entries AS c ON c.id = r.entry_id LEFT JOIN refund_batches AS b ON b.id = l.batch_id", Invariants: []reconcile.Invariant{
		{Code: "I53", Title: "退付对应一笔收款", Broken: "e.id IS NULL OR e.direction <> 'C' OR l.amount <= 0"},
		{Code: "I19", Title: "已付退付在其后关闭的日终里有借方流水", Broken: "l.state IN ('PAID','RETURNED') AND l.channel = 'BANK' AND d.refund_id IS NULL AND (SELECT COUNT(*) FROM closings AS c WHERE c.bank = l.bank " +
			"AND c.parent_account = l.parent_account AND c.state = 'CLOSED' AND c.chain = 'OK' AND c.compared_at > l.asked_at AND c.day > SUBSTR(l.asked_at, 1, 10)) > 1"},
		{Code: "I20", Title: "失败或撤销的退付没有借方流水", Broken: "d.found_by <> 'SUMMARY' AND l.state IN ('FAILED','CANCELLED','DRAFT','CHECKED','RELEASED')"},
		{Code: "I21", Title: "已退汇的退付有金额相等的退汇入账", Broken: "l.state = 'RETURNED' AND (c.id IS NULL OR c.amount <> l.amount) OR l.state <> 'RETURNED' AND r.refund_id IS NOT NULL"},
		{Code: "I25", Title: "发出的退付都在已放行的批次中", Broken: "l.channel = 'BANK' AND l.state IN ('SENDING','ACCEPTED','PAID','UNKNOWN','FAILED','RETURNED') AND (b.id IS NULL OR b.state <> 'STARTED' OR l.send_id = 0)"},
	}},
	{Apart: payeesVerified},
	{Key: "l.id", From: "(SELECT bank, parent_account, SUBSTR(sent_at, 1, 10) AS day, SUM(amount) AS total, MIN(id) AS id FROM refunds WHERE sent_at > '1000-01-01 00:00:00.000' " +
		"GROUP BY bank, parent_account, SUBSTR(sent_at, 1, 10)) AS l LEFT JOIN refund_days AS s ON s.bank = l.bank AND s.parent_account = l.parent_account AND s.day = l.day", Invariants: []reconcile.Invariant{
		{Code: "I54", Title: "当日已发送金额等于各笔之和", Broken: "s.sent IS NULL OR s.sent <> l.total"},
	}},
	{Key: "r.entry_id", From: "refund_returns AS r JOIN matches AS m ON m.entry_id = r.entry_id LEFT JOIN unjudged AS u ON u.entry_id = r.entry_id", Invariants: []reconcile.Invariant{
		{Code: "I22", Title: "退汇入账不计入保证金", Broken: "m.verdict <> 'RETURNED_REFUND' AND m.verdict <> 'REVERSED' AND u.entry_id IS NULL"},
	}},
	{Key: "b.id", From: "refund_batches AS b LEFT JOIN (SELECT batch_id, COUNT(*) AS n, SUM(amount) AS total FROM refunds GROUP BY batch_id) AS l ON l.batch_id = b.id", Invariants: []reconcile.Invariant{
		{Code: "I23", Title: "制单、复核、放行为三人", Broken: "b.made_by = '' OR b.state IN ('CHECKED','RELEASED','STARTED') AND (b.checked_by = '' OR b.checked_by = b.made_by) " +
			"OR b.state IN ('RELEASED','STARTED') AND (b.released_by = '' OR b.released_by = b.made_by OR b.released_by = b.checked_by)"},
		{Code: "I24", Title: "批次的笔数与金额等于其明细", Broken: "b.line_count <> COALESCE(l.n, 0) OR b.total <> COALESCE(l.total, 0)"},
	}},
	{Key: "v.row_id", From: "(SELECT row_id, MAX(seq) AS seq FROM events WHERE table_name = 'refunds' AND was <> '' GROUP BY row_id) AS x JOIN events AS v ON v.seq = x.seq JOIN refunds AS l ON l.id = v.row_id", Invariants: []reconcile.Invariant{
		{Code: "I28", Title: "退付状态与最后一次变更一致", Broken: "v.became <> l.state"},
	}},
}

// payeesVerified looks for lines that pay neither the payer nor the payee of an approved change.
func payeesVerified(ctx context.Context, db *sqldb.DB) (reconcile.Check, error) {
	type paid struct {
		line   Line
		entry  bank.Entry
		change PayeeChange
	}
	row := func(p *paid) []any {
		return []any{&p.line.ID, sealedPayee(&p.line), &p.entry.ID, bank.SealedPayer(&p.entry), &p.change.ID, sealedChange(&p.change)}
	}
	check := reconcile.Check{Code: "I36", Title: "收款账户即付款账户，或经审批的变更账户"}
	err := sqldb.Stream(ctx, db, row, func(p *paid) error {
		l := &p.line
		isPayer := l.PayeeName == p.entry.PayerName && l.PayeeAccount == p.entry.PayerAccount
		isChanged := p.change.ID != 0 && l.PayeeName == p.change.PayeeName && l.PayeeAccount == p.change.PayeeAccount
		if !isPayer && !isChanged {
			check.Count, check.Sample = check.Count+1, l.ID.String()
		}
		return nil
	}, "SELECT l.id, l.sealed, COALESCE(e.id, 0), e.sealed, COALESCE(p.id, 0), p.sealed FROM refunds AS l JOIN entries AS e ON e.id = l.entry_id "+
		"LEFT JOIN payee_changes AS p ON p.id = l.payee_change AND p.entry_id = l.entry_id")
	return check, err
}

// Verify runs every invariant on the live database.
func (d *Desk) Verify(ctx context.Context) (all []reconcile.Check, err error) {
	for i := range readings {
		some, err := readings[i].Look(ctx, d.db)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
