package main

import (
	"context"
	"slices"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// mishap is a way in which a deposit goes astray: it plans what the bank books from a time on.
type mishap func(m *demoMonth, b *demoBid, at time.Time)

// Remarks as bidders write them.
var demoRemarks = map[string]string{"LCJS": "投标保证金", "LCZC": "投标保证金", "LCTD": "竞买保证金", "LCCQ": "交易保证金"}

// whole is the bidder's deposit as it should be paid: all of it, from the basic account, into the bid's own number.
func (b *demoBid) whole() banksim.Transfer {
	return banksim.Transfer{SubAccount: b.number, With: b.Party, Amount: b.lot.deposit, Remark: demoRemarks[b.lot.department.prefix]}
}

// credit plans a credit at a bank, and on the last day what it is to be found as. The entry is there once the step has run.
func (m *demoMonth) credit(bankIndex int, at time.Time, t banksim.Transfer, want ...reconcile.Code) *bank.Entry {
	onLast := deposit.DayOf(at) == m.days[m.last]
	if onLast && t.Fault != banksim.Lost && t.Fault != banksim.Phantom {
		m.credits[bankIndex]++
	}
	t.At = at
	e := new(bank.Entry)
	m.at(at, func(ctx context.Context) error {
		*e = m.play.sims[bankIndex].Credit(t)
		for _, code := range want {
			if onLast {
				m.play.wants = append(m.play.wants, expected{code: code, serial: e.Serial})
			}
		}
		return m.play.deliver(ctx, bankIndex)
	})
	return e
}

// wantUnpaid plans that a bid of the last day is found without its deposit.
func (m *demoMonth) wantUnpaid(b *demoBid) {
	if b.lot.opens == m.last {
		m.play.wants = append(m.play.wants, expected{code: reconcile.Unpaid, lot: b.lot.number, bidder: b.Name})
	}
}

// paysPlainly: the deposit, once, in time. What would be paid after the last day is not played.
func (m *demoMonth) paysPlainly(b *demoBid) {
	m.credit(b.bank, m.payTime(b), b.whole())
}

// refund plans the deposit's way back to a loser.
func (m *demoMonth) refund(b *demoBid, at time.Time) {
	t := b.whole()
	t.At, t.Remark = at, "退还保证金 "+b.lot.number
	m.at(at, func(context.Context) error {
		m.play.sims[b.bank].Debit(t)
		return nil
	})
}

// unpaid: nothing comes.
func (m *demoMonth) unpaid(b *demoBid, _ time.Time) { m.wantUnpaid(b) }

// short: the payer's bank takes its fee out of the amount.
func (m *demoMonth) short(b *demoBid, at time.Time) {
	t := b.whole()
	t.Amount -= 50_00
	m.credit(b.bank, at, t, reconcile.Underpaid)
}

// halves: two payments where the lot demands a single one.
func (m *demoMonth) halves(b *demoBid, at time.Time) {
	t := b.whole()
	t.Amount /= 2
	m.credit(b.bank, at, t, reconcile.Underpaid)
	m.credit(b.bank, at.Add(6*time.Minute), t, reconcile.Underpaid)
}

// inParts: three payments that come to the deposit; all is well, and worth a line.
func (m *demoMonth) inParts(b *demoBid, at time.Time) {
	t := b.whole()
	rest := t.Amount
	for i, part := range []deposit.Fen{t.Amount / 2, t.Amount / 4, 0} {
		if t.Amount = part; part == 0 {
			t.Amount = rest
		}
		rest -= t.Amount
		m.credit(b.bank, at.Add(time.Duration(i)*9*time.Minute), t, reconcile.Matched)
	}
}

// twicePaid: the whole deposit again.
func (m *demoMonth) twicePaid(b *demoBid, at time.Time) {
	m.credit(b.bank, at, b.whole())
	m.credit(b.bank, at.Add(47*time.Minute), b.whole(), reconcile.DuplicatePayment)
}

// tooMuch: a step more than the deposit.
func (m *demoMonth) tooMuch(b *demoBid, at time.Time) {
	t := b.whole()
	t.Amount += b.lot.department.step
	m.credit(b.bank, at, t, reconcile.Overpaid)
}

// atOpening: the money is credited in the very second of the opening, which is late.
func (m *demoMonth) atOpening(b *demoBid, _ time.Time) {
	m.credit(b.bank, b.lot.opensAt, b.whole(), reconcile.LateCredit)
	m.wantUnpaid(b)
}

// afterOpening: some minutes late.
func (m *demoMonth) afterOpening(b *demoBid, _ time.Time) {
	m.credit(b.bank, b.lot.opensAt.Add(4*time.Minute+17*time.Second), b.whole(), reconcile.LateCredit)
	m.wantUnpaid(b)
}

// otherAccount: not from the basic account, where the lot demands it.
func (m *demoMonth) otherAccount(b *demoBid, at time.Time) {
	t := b.whole()
	t.With.Account = b.other
	if b.lot.basic {
		m.credit(b.bank, at, t, reconcile.NotBasicAccount)
	} else {
		m.credit(b.bank, at, t)
	}
}

// otherSpelling: the bank writes the payer's brackets otherwise than the platform.
func (m *demoMonth) otherSpelling(b *demoBid, at time.Time) {
	t := b.whole()
	t.With.Name = halfWidth.Replace(t.With.Name)
	m.credit(b.bank, at, t, reconcile.Matched)
}

// byStranger: a company without a bid pays.
func (m *demoMonth) byStranger(b *demoBid, at time.Time) {
	t := b.whole()
	t.With = m.names.company(b.lot.department, "").Party
	m.credit(b.bank, at, t, reconcile.ThirdPartyPayer)
}

// forRival: a bidder pays for another bidder of the lot as well, from its own account (条例 §40(6)).
func (m *demoMonth) forRival(b, rival *demoBid, at time.Time) {
	t := rival.whole()
	t.With = b.Party
	m.credit(rival.bank, at, t, reconcile.WrongSubAccount)
	m.play.wants = append(m.play.wants, expected{code: reconcile.SharedPayer, lot: b.lot.number})
}

// byPerson: somebody pays for the company out of his own pocket.
func (m *demoMonth) byPerson(b *demoBid, at time.Time) {
	t := b.whole()
	t.With = m.names.person()
	m.credit(b.bank, at, t, reconcile.ThirdPartyPayer)
}

// intoParent: the bidder leaves the sub-account out.
func (m *demoMonth) intoParent(b *demoBid, at time.Time) {
	t := b.whole()
	t.SubAccount = ""
	m.credit(b.bank, at, t, reconcile.PaidToParent)
}

// intoNowhere: a number that nobody ever had.
func (m *demoMonth) intoNowhere(b *demoBid, at time.Time) {
	t := b.whole()
	t.SubAccount = m.neverLeased(b.bank, 907_310)
	m.credit(b.bank, at, t, reconcile.UnknownSubAccount)
}

// intoOld: a number that was somebody's for an earlier lot and is nobody's now.
func (m *demoMonth) intoOld(b *demoBid, at time.Time) {
	i := slices.IndexFunc(m.numbers[b.bank], func(n *demoNumber) bool { return n.free.Before(at) })
	if i < 0 {
		m.intoNowhere(b, at)
		return
	}
	t := b.whole()
	t.SubAccount = m.numbers[b.bank][i].text
	m.credit(b.bank, at, t, reconcile.UnknownSubAccount)
}

// intoAnothers: the number of another bid, of another lot of the department.
func (m *demoMonth) intoAnothers(b *demoBid, at time.Time) {
	var others []*demoBid
	for _, lot := range m.lots {
		for _, o := range lot.bids {
			if lot != b.lot && lot.department == b.lot.department && o.company != b.company && o.bank == b.bank && o.registered.Before(at) && at.Before(o.leaseTo) && at.Before(lot.opensAt) {
				others = append(others, o)
			}
		}
	}
	if len(others) == 0 {
		m.intoNowhere(b, at)
		return
	}
	slices.SortFunc(others, before)
	t := b.whole()
	t.SubAccount = pick(m.rand, others).number
	m.credit(b.bank, at, t, reconcile.WrongSubAccount)
}

// takenBack: the bank reverses its booking, and the bid is without a deposit.
func (m *demoMonth) takenBack(b *demoBid, at time.Time) {
	m.reverse(b, at, m.credit(b.bank, at, b.whole(), reconcile.Reversed))
	m.wantUnpaid(b)
}

// takenBackAndPaid: the bank reverses its booking, and books it rightly a little later.
func (m *demoMonth) takenBackAndPaid(b *demoBid, at time.Time) {
	m.reverse(b, at, m.credit(b.bank, at, b.whole(), reconcile.Reversed))
	m.credit(b.bank, at.Add(20*time.Minute), b.whole())
}

func (m *demoMonth) reverse(b *demoBid, at time.Time, booked *bank.Entry) {
	back := at.Add(13 * time.Minute)
	m.at(back, func(ctx context.Context) error {
		m.play.sims[b.bank].Reverse(*booked, back)
		return m.play.deliver(ctx, b.bank)
	})
}

// cameBack: a refund of an earlier lot that the payee's bank sends back.
func (m *demoMonth) cameBack(b *demoBid, at time.Time) {
	t := b.whole()
	t.SubAccount, t.Returned, t.Remark = "", true, "退汇：收款户名与账号不符"
	m.credit(b.bank, at, t, reconcile.ReturnedRefund)
}

// neverTold: the notice is lost; the statement has the credit, and it counts.
func (m *demoMonth) neverTold(b *demoBid, at time.Time) {
	t := b.whole()
	t.Fault = banksim.Lost
	m.credit(b.bank, at, t, reconcile.AdviceMissing)
}

// toldTwice: two messages for one credit, which count once.
func (m *demoMonth) toldTwice(b *demoBid, at time.Time) {
	t := b.whole()
	t.Fault = banksim.Twice
	m.credit(b.bank, at, t)
}

// toldLate: in time, but the notice comes when the bids are open already.
func (m *demoMonth) toldLate(b *demoBid, at time.Time) {
	t := b.whole()
	t.Fault = banksim.Late
	m.credit(b.bank, at, t, reconcile.AdviceDelayed)
	m.at(b.lot.opensAt.Add(95*time.Minute), func(ctx context.Context) error {
		m.play.sims[b.bank].Release()
		return m.play.deliver(ctx, b.bank)
	})
}

// toldWrongly: the notice names another amount than the statement.
func (m *demoMonth) toldWrongly(b *demoBid, at time.Time) {
	t := b.whole()
	t.Fault = banksim.Contradicted
	m.credit(b.bank, at, t, reconcile.AdviceConflict)
	m.wantUnpaid(b)
}

// toldOnly: a notice of money that never came.
func (m *demoMonth) toldOnly(b *demoBid, at time.Time) {
	t := b.whole()
	t.Fault = banksim.Phantom
	m.credit(b.bank, at, t, reconcile.AdviceOrphan)
	m.wantUnpaid(b)
}
