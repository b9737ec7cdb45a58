package refund

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// debit says which debit of a statement proves a payment.
type debit struct {
	RefundID sqldb.ID
	EntryID  sqldb.ID
	FoundBy  string
}

// How a debit was found.
const (
	bySerial     = "SERIAL"      // our serial stands in it
	byBankSerial = "BANK_SERIAL" // its serial is what the bank told us of the payment
	bySummary    = "SUMMARY"     // it is the one sum of a message
	byPerson     = "PERSON"
)

var debits = sqldb.NewTable("refund_debits", "refund_id, entry_id, found_by", func(d *debit) []any {
	return []any{&d.RefundID, &d.EntryID, &d.FoundBy}
})

// Settled is what settling a day came to.
type Settled struct {
	Proven  int // payments whose debit was found
	Strange int // debits that no order explains, or that contradict one
}

// Settle holds the debits of an account's day, as the statement has them, against our payments: serial first, then the
// bank's own number, then, of a bank that posts in one sum, the sum of a message. A debit proves its payment, whatever the
// bank's answers said before. A debit without an order, a second one for the same payment, or one for a payment that had
// failed is the gravest thing there is: a finding, and the account's refunds are frozen. It may be run again.
func (d *Desk) Settle(ctx context.Context, by string, b *bank.Bank, parent string, day deposit.Day) (Settled, error) {
	s := settling{desk: d, bank: b, book: bank.Book{Bank: b.Code, ParentAccount: parent}, day: day}
	var page []bank.Entry
	settle := func() error {
		err := s.settle(ctx, by, page)
		page = page[:0]
		return err
	}
	err := bank.DebitsOnStatement(ctx, d.db, s.book, day, func(e *bank.Entry) error {
		if page = append(page, *e); len(page) < debitsAtOnce {
			return nil
		}
		return settle()
	})
	if err == nil {
		err = settle()
	}
	if err == nil {
		err = d.again(func() error { return d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return s.end(ctx, tx) }) })
	}
	return s.came, err
}

// debitsAtOnce is how many debits are settled in one transaction: a day may have a hundred thousand.
const debitsAtOnce = 500

// settling is one account's day before the desk, a page of debits at a time.
type settling struct {
	desk *Desk
	bank *bank.Bank
	book bank.Book
	day  deposit.Day
	came Settled // of the pages before

	known   map[sqldb.ID]bool   // debits of the page that prove something already
	named   map[string]Line     // the lines whose serials stand in the page's debits
	before  map[sqldb.ID]bool   // those of them that have a debit
	strange []reconcile.Finding // of the page
	gaps    []reconcile.Finding // interest of the page that is not what we expect, which freezes nothing
	proven  int
}

// settle settles one page.
func (s *settling) settle(ctx context.Context, by string, page []bank.Entry) error {
	if len(page) == 0 {
		return nil
	}
	err := s.desk.again(func() error {
		return s.desk.db.Write(ctx, by, func(tx *sqldb.Tx) error { return s.run(ctx, tx, page) })
	})
	if err == nil {
		s.came.Proven += s.proven
		s.came.Strange += len(s.strange)
	}
	return err
}

func (s *settling) run(ctx context.Context, tx *sqldb.Tx, page []bank.Entry) error {
	s.strange, s.gaps, s.proven = nil, nil, 0
	if err := s.look(ctx, tx, page); err != nil {
		return err
	}
	var subjects []sqldb.ID
	for i := range page {
		e := &page[i]
		if s.known[e.ID] || e.Reversal == bank.Reverses {
			continue // it proves something already, or takes a credit back, which is the judge's
		}
		subjects = append(subjects, e.ID)
		if err := s.debit(ctx, tx, e); err != nil {
			return fmt.Errorf("debit %s of %s: %w", e.Serial, s.day, err)
		}
	}
	if err := reconcile.KeepFindings(ctx, tx, reconcile.KindDebit, subjects, append(s.gaps, s.strange...)); err != nil || len(s.strange) == 0 {
		return err
	}
	return platform.FreezeRefunds(ctx, tx, s.freeze()) // at once: the next page may never come
}

// look reads what is known of a page's debits, and the lines that they name.
func (s *settling) look(ctx context.Context, tx *sqldb.Tx, page []bank.Entry) error {
	s.known, s.named, s.before = map[sqldb.ID]bool{}, map[string]Line{}, map[sqldb.ID]bool{}
	var entries []sqldb.ID
	var serials []string
	for i := range page {
		entries = append(entries, page[i].ID)
		serials = append(serials, serialsOf(&page[i])...)
	}
	var found []sqldb.ID
	err := errors.Join(
		sqldb.Chunks(entries, func(in string, args []any) error {
			rows, err := debits.All(ctx, tx, "WHERE entry_id IN "+in, args...)
			for _, p := range rows {
				s.known[p.EntryID] = true
			}
			return err
		}),
		sqldb.Chunks(serials, func(in string, args []any) error {
			rows, err := lines.All(ctx, tx, "WHERE serial IN "+in, args...) // by the serial alone: an account has a hundred thousand lines
			for _, l := range rows {
				if l.Bank == s.book.Bank && l.ParentAccount == s.book.ParentAccount {
					s.named[l.Serial], found = l, append(found, l.ID)
				}
			}
			return err
		}))
	if err != nil {
		return err
	}
	return sqldb.Chunks(found, func(in string, args []any) error {
		rows, err := debits.All(ctx, tx, "WHERE refund_id IN "+in, args...)
		for _, p := range rows {
			s.before[p.RefundID] = true
		}
		return err
	})
}

// serialsOf are our serials that stand in a debit.
func serialsOf(e *bank.Entry) []string {
	return bank.PaySerialsIn(e.Remark + " " + e.Serial + " " + e.ReversalOf)
}

// end looks at what no single debit tells, and lifts the freeze of a day that now fits.
func (s *settling) end(ctx context.Context, tx *sqldb.Tx) error {
	repaid, differ, err := repaymentsDiffer(ctx, tx, s.book)
	if err := errors.Join(err, reconcile.KeepFindings(ctx, tx, reconcile.KindRefund, repaid, differ)); err != nil || s.came.Strange > 0 {
		return err
	}
	return platform.LiftFreezes(ctx, tx, s.freeze())
}

func (s *settling) freeze() platform.Freeze {
	return platform.Freeze{Bank: s.book.Bank, ParentAccount: s.book.ParentAccount, Cause: platform.ByIncident, Reference: debitsOf + string(s.day),
		Reason: fmt.Sprintf("%s 对账单有借方流水与退付记录不符", s.day)}
}

// debitsOf is what a freeze by strange debits refers to, with their day behind it.
const debitsOf = "debits "

// DaysInDoubt are the days but one whose debits freeze an account, in order: what explains them may have come meanwhile.
func DaysInDoubt(frozen []platform.Freeze, code, parent string, but deposit.Day) (days []deposit.Day) {
	for _, f := range frozen {
		day, is := strings.CutPrefix(f.Reference, debitsOf)
		if is && f.Cause == platform.ByIncident && f.Bank == code && f.ParentAccount == parent && deposit.Day(day) != but {
			days = append(days, deposit.Day(day))
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// debit finds what one debit paid.
func (s *settling) debit(ctx context.Context, tx *sqldb.Tx, e *bank.Entry) error {
	paid, how, err := s.payments(ctx, tx, e)
	if err != nil {
		return err
	}
	interest, expected, earned, err := s.earned(ctx, tx, e, paid)
	if err != nil {
		return err
	}
	switch sum := total(paid); {
	case earned:
		proven := s.proven
		if err := s.prove(ctx, tx, e, &paid[0], how); err != nil || s.proven == proven {
			return err
		}
		return s.keepInterest(ctx, tx, e, &paid[0], interest, expected)
	case len(paid) == 0:
		s.find(e, reconcile.DebitUnordered, "对账单有此借方流水，本系统没有对应的退付")
		return nil
	case sum != e.Amount:
		s.find(e, reconcile.DebitDiffers, fmt.Sprintf("退付 %s 等 %d 笔合计 %s 元，借方流水 %s 元", paid[0].Serial, len(paid), sum.Grouped(), e.Amount.Grouped()))
		return nil
	}
	for i := range paid {
		if err := s.prove(ctx, tx, e, &paid[i], how); err != nil {
			return err
		}
	}
	return nil
}

// payments finds the lines that a debit may have paid, and by what they were found.
func (s *settling) payments(ctx context.Context, tx *sqldb.Tx, e *bank.Entry) (paid []Line, how string, err error) {
	if serials := serialsOf(e); len(serials) == 1 {
		if l, known := s.named[serials[0]]; known {
			paid = []Line{l}
		}
		return paid, bySerial, nil
	}
	if s.bank.Posting == bank.PostSummary {
		if paid, err = s.message(ctx, tx, e); err != nil || len(paid) > 0 {
			return paid, bySummary, err
		}
	}
	paid, err = lines.All(ctx, tx, "WHERE bank = ? AND parent_account = ? AND bank_serial = ? AND bank_serial <> ''", s.book.Bank, s.book.ParentAccount, e.Serial)
	if s.bank.Posting == bank.PostSummary {
		return paid, bySummary, err // what such a bank calls its own serial of a line may be that of the sum
	}
	return paid, byBankSerial, err
}

// message finds the one message of ours that a debit pays in one sum: by its number in the remark, else by a sum that only one
// has. Two that do leave it to a person. What the bank refused at once may be in the sum or not; while something else is
// not known it is not guessed which.
func (s *settling) message(ctx context.Context, tx *sqldb.Tx, e *bank.Entry) ([]Line, error) {
	send, err := messageIn(ctx, tx, s.book.Bank, e.Remark)
	if err != nil {
		return nil, err
	}
	if send == 0 {
		if send, err = s.soleMessage(ctx, tx, e.Amount); err != nil || send == 0 {
			return nil, err
		}
	}
	all, err := lines.All(ctx, tx, "WHERE send_id = ? AND (? = '' OR sub_account = ?) ORDER BY id", send, e.SubAccount, e.SubAccount)
	open := slices.ContainsFunc(all, func(l Line) bool { return l.State == Unknown || l.State == Sending })
	if err == nil && total(all) != e.Amount && !open {
		all = slices.DeleteFunc(all, func(l Line) bool { return l.State == Failed })
	}
	return all, err
}

// soleMessage finds the one message whose unproven lines come to a sum; 0 where none does, or several do.
func (s *settling) soleMessage(ctx context.Context, tx *sqldb.Tx, sum deposit.Fen) (sqldb.ID, error) {
	sends, err := sqldb.Select(ctx, tx, func(id *sqldb.ID) []any { return []any{id} },
		"SELECT l.send_id FROM refunds AS l LEFT JOIN refund_debits AS p ON p.refund_id = l.id "+
			"WHERE l.bank = ? AND l.parent_account = ? AND l.send_id <> 0 AND l.state IN ('SENDING','ACCEPTED','UNKNOWN','PAID') AND p.refund_id IS NULL GROUP BY l.send_id HAVING SUM(l.amount) = ?",
		s.book.Bank, s.book.ParentAccount, sum)
	if err != nil || len(sends) != 1 {
		return 0, err
	}
	return sends[0], nil
}

// prove notes that a debit paid a line. The statement is the truth: a line of which the bank's word was not known is paid.
func (s *settling) prove(ctx context.Context, tx *sqldb.Tx, e *bank.Entry, l *Line, how string) error {
	twice := s.before[l.ID]
	if how != bySerial { // looked for one by one
		n, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM refund_debits WHERE refund_id = ?", l.ID)
		if err != nil {
			return err
		}
		twice = n > 0
	}
	next, stepErr := LineMoves.Next(string(l.State), "pay")
	switch {
	case twice:
		s.find(e, reconcile.DebitTwice, "退付 "+l.Serial+" 已有一笔借方流水，此为第二笔，请立即与银行核实")
		return nil
	case how == bySummary: // it is in the sum; whether it was paid the sum does not say
	case stepErr == nil:
		if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: l.ID, Version: l.Version, From: string(l.State), To: next, Note: "对账单借方流水 " + e.Serial + " 证明已付"}); err != nil {
			return err
		}
	case l.State != Paid && l.State != Returned:
		s.find(e, reconcile.DebitTwice, "退付 "+l.Serial+"（"+l.State.Chinese()+"）不应有借方流水，请立即与银行核实")
		return nil
	}
	s.before[l.ID] = true
	s.proven++
	return errors.Join(debits.Insert(ctx, tx, debit{l.ID, e.ID, how}), tx.Note(ctx, "refunds", l.ID, "PROVEN", "借方流水 "+e.Serial))
}

func (s *settling) find(e *bank.Entry, code reconcile.Code, detail string) {
	if slices.ContainsFunc(s.strange, func(f reconcile.Finding) bool { return f.Subject == e.ID }) {
		return
	}
	s.strange = append(s.strange, reconcile.Finding{Subject: e.ID, Code: code, Reasons: string(code), Day: e.BookingDate, Bank: e.Bank, ParentAccount: e.ParentAccount,
		Amount: e.Amount, Department: string(reconcile.Finance), Detail: detail})
}
