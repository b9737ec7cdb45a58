package refund_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// paidBack has so many losers paid back on the thirteenth.
func paidBack(t *testing.T, n int) (*house, []refund.Line) {
	t.Helper()
	h := fresh(t)
	b := h.composed(h.submitted("R1", orders(h.ready(n)...)...)...)
	h.sent()
	h.night("2026-06-13")
	all, err := refund.LinesOf(context.Background(), h.db, b.ID)
	h.must(err)
	for _, l := range all {
		if l.State != refund.Paid {
			t.Fatalf("%s is %s", l.Serial, l.State)
		}
	}
	return h, all
}

// back is a credit from the payee of a line, and what is changed of it.
func back(l refund.Line, change func(*banksim.Transfer)) banksim.Transfer {
	tr := banksim.Transfer{Parent: l.ParentAccount, SubAccount: l.SubAccount, With: banksim.Party{Name: l.PayeeName, Account: l.PayeeAccount, Bank: l.PayeeBank, BankCode: l.PayeeBankCode}, Amount: l.Amount}
	change(&tr)
	return tr
}

// A payment come back is known by our serial, or by the bank's word with account and amount; what only looks like one is nobody's
// return.
func TestReturns(t *testing.T) {
	const none = reconcile.Code("")
	for name, c := range map[string]struct {
		after   int // days
		change  func(l refund.Line, tr *banksim.Transfer)
		state   refund.State
		verdict reconcile.Code
		finding reconcile.Code
	}{
		"our serial in the remark": {2, func(l refund.Line, tr *banksim.Transfer) { tr.Remark = "退 " + l.Serial }, refund.Returned, reconcile.ReturnedRefund, none},
		"our serial, from the bank's own account": {2, func(l refund.Line, tr *banksim.Transfer) {
			tr.Remark, tr.With = l.Serial, banksim.Party{Name: "待处理汇款", Account: "999"}
		}, refund.Returned, reconcile.ReturnedRefund, none},
		"the bank calls it returned":     {2, func(_ refund.Line, tr *banksim.Transfer) { tr.Remark, tr.Returned = "退汇 账号已销户", true }, refund.Returned, reconcile.ReturnedRefund, none},
		"the remark says 退票":             {2, func(_ refund.Line, tr *banksim.Transfer) { tr.Remark, tr.Returned = "退票 账号已销户", true }, refund.Returned, reconcile.ReturnedRefund, none},
		"thirty days later":              {30, func(_ refund.Line, tr *banksim.Transfer) { tr.Remark, tr.Returned = "退汇", true }, refund.Returned, reconcile.ReturnedRefund, none},
		"on the same day":                {0, func(_ refund.Line, tr *banksim.Transfer) { tr.Remark, tr.Returned = "退汇", true }, refund.Returned, reconcile.ReturnedRefund, none},
		"our serial with another amount": {2, func(l refund.Line, tr *banksim.Transfer) { tr.Remark, tr.Amount = l.Serial, l.Amount-1 }, refund.Paid, reconcile.ReturnedRefund, reconcile.ReturnUnclear},
		"another amount": {2, func(l refund.Line, tr *banksim.Transfer) {
			tr.Remark, tr.Returned, tr.Amount = "退汇", true, l.Amount-1
		}, refund.Paid, reconcile.ReturnedRefund, reconcile.ReturnUnclear},
		"a new deposit of his":                  {2, func(_ refund.Line, tr *banksim.Transfer) { tr.Remark = "投标保证金" }, refund.Paid, none, none},
		"on the parent account, without a word": {2, func(_ refund.Line, tr *banksim.Transfer) { tr.SubAccount = "" }, refund.Paid, none, reconcile.ReturnUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			h, all := paidBack(t, 1)
			l := all[0]
			day := deposit.Day("2026-06-13").Add(c.after)
			tr := back(l, func(tr *banksim.Transfer) { c.change(l, tr) })
			tr.At = day.Start().Add(20 * time.Hour)
			e := h.sim.Credit(tr)
			h.night(day)
			id := h.credit(e)
			now, err := refund.LineByID(context.Background(), h.db, l.ID)
			h.must(err)
			receipts, err := reconcile.Receipts(context.Background(), h.db, []sqldb.ID{id})
			h.must(err)
			if now.State != c.state || (receipts[id].Verdict == reconcile.ReturnedRefund) != (c.verdict == reconcile.ReturnedRefund) {
				t.Errorf("the line is %s, the credit %s", now.State, receipts[id].Verdict)
			}
			found, _, err := h.reconcile.Findings(context.Background(), deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.ReturnUnclear})
			if h.must(err); len(found) > 0 != (c.finding != none) {
				t.Errorf("findings: %v", found)
			}
			if c.state == refund.Returned { // a second refund is a line of its own
				if keys := h.submitted("R2", orders(h.creditOf(l))...); len(keys) != 1 {
					t.Errorf("%d lines", len(keys))
				}
			}
			h.sound()
		})
	}
}

// A notice has no words for a payment come back; the statement that follows has, and they count.
func TestReturnToldByNoticeFirst(t *testing.T) {
	h, all := paidBack(t, 1)
	ctx := context.Background()
	tr := back(all[0], func(tr *banksim.Transfer) { tr.Remark, tr.Returned = "退汇 户名不符 "+all[0].Serial, true })
	tr.At = wall("2026-06-15 10:00:00")
	e := h.sim.Credit(tr)
	*h.now = tr.At
	e.Remark, e.Returned = "", false
	_, err := h.bank.Receive(ctx, bank.Message{Bank: "lcyh", ExternalID: "N1", Source: "HTTP", Kind: bank.KindNotice, Raw: []byte("x"), Entries: []bank.Entry{e}})
	h.must(err)
	_, err = h.reconcile.JudgeAll(ctx)
	h.must(err)
	h.night("2026-06-15")
	l, err := refund.LineByID(ctx, h.db, all[0].ID)
	if h.must(err); l.State != refund.Returned {
		t.Errorf("it is %s", l.State)
	}
	h.sound()
}

// Where two payments may have come back a person says which one it is.
func TestTwoMayHaveComeBack(t *testing.T) {
	h, all := paidBack(t, 2)
	ctx := context.Background()
	h.write(func(tx *sqldb.Tx) error { // both were paid to one account, under a change
		l := all[1]
		l.PayeeAccount, l.SubAccount = all[0].PayeeAccount, all[0].SubAccount
		return l.Write(ctx, tx)
	})
	tr := back(all[0], func(tr *banksim.Transfer) { tr.Remark, tr.Returned = "退汇", true })
	tr.At = wall("2026-06-15 10:00:00")
	e := h.sim.Credit(tr)
	h.night("2026-06-15")
	found, _, err := h.reconcile.Findings(ctx, deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.ReturnUnclear})
	if h.must(err); len(found) != 1 {
		t.Fatalf("findings: %v", found)
	}
	l, err := refund.LineByID(ctx, h.db, all[1].ID)
	h.must(err)
	h.must(h.refund.ConfirmReturn(ctx, "某人", l.ID, l.Version, h.credit(e), "银行来电"))
	for i, want := range []refund.State{refund.Paid, refund.Returned} {
		if l, err = refund.LineByID(ctx, h.db, all[i].ID); err != nil || l.State != want {
			t.Errorf("line %d is %s (%v)", i, l.State, err)
		}
	}
}

// A deposit that the bank takes back after it was paid back is told, and cannot be paid back again.
func TestReversedAfterRefund(t *testing.T) {
	h, all := paidBack(t, 1)
	h.sim.Reverse(h.creditOf(all[0]), wall("2026-06-14 10:00:00"))
	if settled := h.night("2026-06-14"); settled.Strange != 0 {
		t.Errorf("a reversal is taken for a payment: %+v", settled)
	}
	s, err := h.refund.Submit(context.Background(), "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R2", Lines: orders(h.creditOf(all[0]))})
	if h.must(err); len(s.Faults) == 0 {
		t.Error("it is taken again")
	}
}

// A debit that nobody ordered freezes the account until it is explained by a payment entered by hand.
func TestUnorderedDebit(t *testing.T) {
	h := fresh(t)
	ctx := context.Background()
	credits := h.ready(1)
	e := h.sim.Debit(banksim.Transfer{Parent: parent, SubAccount: number(0), With: bidder(0), Amount: yuan("800000.00"), At: wall("2026-06-13 10:00:00"), Remark: "网银"})
	if settled := h.night("2026-06-13"); settled.Strange != 1 {
		t.Fatalf("settled %+v", settled)
	}
	s, err := h.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R1", Lines: orders(credits...)})
	if h.must(err); len(s.Faults) != 1 || s.Faults[0].Code != "frozen" {
		t.Errorf("faults %v", s.Faults)
	}
	s, err = h.refund.EnterHandPayment(ctx, "甲", refund.HandPayment{Eyes: deposit.SightOfAll(), Order: orders(credits[0])[0], Department: works, Reference: "H1", BankSerial: e.Serial, Note: "系统停用"})
	if h.must(err); len(s.Lines) != 1 {
		t.Fatal(s.Faults)
	}
	l := s.Lines[0]
	_, err = h.refund.ConfirmHandPayment(ctx, "甲", l.ID, l.Version, "回单")
	refused(t, err, "same_person")
	_, err = h.refund.ConfirmHandPayment(ctx, "乙", l.ID, l.Version, "回单")
	h.must(err)
	settled, err := h.refund.Settle(ctx, "nightly", h.lcyh, parent, "2026-06-13")
	if h.must(err); settled.Strange != 0 || settled.Proven != 1 {
		t.Errorf("settled %+v", settled)
	}
	s, err = h.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R2", Lines: orders(credits...)})
	if h.must(err); len(s.Faults) != 1 || s.Faults[0].Code != "already_refunded" {
		t.Errorf("faults %v", s.Faults)
	}
	h.sound()
}

// A bank that posts in one sum: its debit proves no single line, even where it calls the sum's serial that of each line; what it
// gives back is nobody's deposit, and only as much of it as failed can be disproved.
func TestPostedInOneSum(t *testing.T) {
	h := open(t, freshURL(t), "camt", "summary")
	ctx := context.Background()
	refuse := 0
	h.pays = h.sim.Paying(banksim.PayRules{Later: time.Hour, Dice: banksim.Odds(map[banksim.Fate]int{banksim.PaysLater: 1, banksim.RefusesLater: 1})})
	b := h.composed(h.submitted("R1", orders(h.ready(6)...)...)...)
	h.sent()
	h.night("2026-06-13")
	all, err := refund.LinesOf(ctx, h.db, b.ID)
	h.must(err)
	for _, l := range all {
		if l.State == refund.Paid {
			t.Errorf("%s is PAID by a sum", l.Serial)
		}
	}
	*h.now = wall("2026-06-14 10:00:00")
	h.pays.Tick()
	for _, raw := range h.pays.Results() {
		_, err := h.refund.Result(ctx, "bank", h.lcyh, raw)
		h.must(err)
	}
	h.night("2026-06-14")
	if all, err = refund.LinesOf(ctx, h.db, b.ID); err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		want := refund.Paid
		if h.pays.Paid(l.Serial) == 0 {
			want = refund.Failed
			refuse++
		}
		if l.State != want {
			t.Errorf("%s is %s, want %s", l.Serial, l.State, want)
		}
	}
	if refuse == 0 || refuse == len(all) {
		t.Errorf("%d of %d were refused: the test shows nothing", refuse, len(all))
	}
	h.sound()
}

// violations breaks each invariant once, in a way in which only a fault of ours or a stranger's hand could.
var violations = map[string]string{
	"I51": "UPDATE receipts SET reserved = reserved + 1",
	"I52": "UPDATE refunds SET amount = amount + 1",
	"I53": "UPDATE refunds SET entry_id = 7",
	"I18": "UPDATE refunds SET amount = amount - 1",
	"I19": "DELETE FROM refund_debits",
	"I20": "UPDATE refunds SET state = 'FAILED'",
	"I21": "UPDATE refunds SET state = 'RETURNED'",
	"I22": "INSERT INTO refund_returns SELECT l.id, m.entry_id FROM refunds AS l JOIN matches AS m ON m.verdict <> 'RETURNED_REFUND' AND m.entry_id = l.entry_id",
	"I23": "UPDATE refund_batches SET released_by = checked_by",
	"I24": "UPDATE refund_batches SET total = total + 1",
	"I25": "UPDATE refund_batches SET state = 'RELEASED'",
	"I54": "UPDATE refund_days SET sent = sent + 1",
	"I28": "UPDATE refunds SET state = 'UNKNOWN'",
	"I36": "", // by strangersPayee
}

// strangersPayee has a line pay another account.
func strangersPayee(tx *sqldb.Tx) error {
	all, err := refund.LinesOfAccount(context.Background(), tx, "lcyh", parent)
	if err != nil {
		return err
	}
	all[0].PayeeAccount = "62"
	return all[0].Write(context.Background(), tx)
}

// Every invariant of refunds is silent on a sound database, and fires when it is broken.
func TestEveryInvariantCanFire(t *testing.T) {
	url := freshURL(t)
	h := open(t, url, "delimited", "per_item")
	h.composed(h.submitted("R1", orders(h.ready(1)...)...)...)
	h.sent()
	for _, day := range []deposit.Day{"2026-06-13", "2026-06-14", "2026-06-15", "2026-06-16"} {
		h.night(day)
	}
	h.sound()
	opened, err := h.reconcile.Verify(context.Background()) // of messages and answers too
	h.must(err)
	for _, c := range opened {
		if c.Count > 0 {
			t.Errorf("%s %s: %s", c.Code, c.Title, c.Sample)
		}
	}
	checks, err := h.refund.Verify(context.Background())
	h.must(err)
	h.must(h.db.Close())
	restore := sqldbtest.Snapshot(t, url)
	for _, c := range checks {
		by, known := violations[c.Code]
		if !known {
			t.Errorf("nothing shows that %s can fire", c.Code)
			continue
		}
		restore(t)
		db, err := sqldb.Open(context.Background(), url)
		h.must(err)
		sqldbtest.Unlock(t, db)
		if by == "" {
			h.must(db.Write(context.Background(), "test", strangersPayee))
		} else {
			sqldbtest.Exec(t, url, by)
		}
		fired, err := refund.NewDesk(db, nil, nil, refund.Limits{}).Verify(context.Background())
		h.must(err)
		if !slices.ContainsFunc(fired, func(f reconcile.Check) bool { return f.Code == c.Code && f.Count > 0 }) {
			t.Errorf("%s is not seen: %+v", c.Code, fired)
		}
		h.must(db.Close())
	}
}
