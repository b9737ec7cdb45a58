package refund_test

import (
	"context"
	"errors"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// A useCase is one thing that is asked of the desk, from a stage that was prepared; it may be asked again at any time, as by
// somebody who got no answer.
type useCase struct {
	name  string
	stage func(h *house) // on a fresh house
	run   func(ctx context.Context, h *house) error
	sums  bool // the bank posts in one sum
}

func (c *useCase) posting() string {
	return map[bool]string{true: "summary", false: "per_item"}[c.sums]
}

// staged takes two losers' deposits as far as a released batch; what follows is the case's.
func staged(h *house) { h.composed(h.submitted("R1", orders(h.ready(2)...)...)...) }

// lineOne is the first line there is.
func lineOne(ctx context.Context, h *house) (refund.Line, error) {
	all, err := refund.LinesOfAccount(ctx, h.db, "lcyh", parent)
	if err != nil || len(all) == 0 {
		return refund.Line{}, cmpErr(err)
	}
	return all[0], nil
}

func cmpErr(err error) error {
	if err == nil {
		err = errors.New("there is no line")
	}
	return err
}

// unlessDone takes a Conflict for done: who asks again is told that it is.
func unlessDone(err error) error {
	if deposit.IsKind(err, deposit.Conflict) {
		return nil
	}
	return err
}

// on runs a step with the first line there is, unless done says that it was taken.
func on(done func(l *refund.Line) bool, step func(ctx context.Context, h *house, l *refund.Line) error) func(context.Context, *house) error {
	return func(ctx context.Context, h *house) error {
		l, err := lineOne(ctx, h)
		if err != nil || done(&l) {
			return err
		}
		return step(ctx, h, &l)
	}
}

func is(state refund.State) func(*refund.Line) bool {
	return func(l *refund.Line) bool { return l.State == state }
}

// batchOne is the batch of the first line.
func batchOne(ctx context.Context, h *house) (refund.Batch, error) {
	l, err := lineOne(ctx, h)
	if err != nil {
		return refund.Batch{}, err
	}
	return refund.BatchByID(ctx, h.db, l.BatchID)
}

// creditOne is the key of the credit that the stage left behind.
func creditOne(ctx context.Context, h *house) (sqldb.ID, error) {
	found, err := bank.CreditsBySerial(ctx, h.db, h.lcyh, h.first.BookingDate, []string{h.first.Serial})
	if err != nil || len(found) == 0 {
		return 0, cmpErr(err)
	}
	return found[0].ID, nil
}

// twoSay has two persons say what became of the first line.
func twoSay(state refund.State, say func(d *refund.Desk, ctx context.Context, by string, id sqldb.ID, version int64, note string) (refund.Line, error)) func(context.Context, *house) error {
	return on(is(state), func(ctx context.Context, h *house, l *refund.Line) (err error) {
		if l.Vouched == "" {
			if *l, err = say(h.refund, ctx, "戊", l.ID, l.Version, "电话核实"); err != nil {
				return err
			}
		}
		_, err = say(h.refund, ctx, "己", l.ID, l.Version, "电话核实")
		return err
	})
}

// lost sends two lines of which the bank's word is lost, and closes two days.
func lost(h *house, fate banksim.Fate) {
	h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(fate)})
	staged(h)
	h.sent()
	h.night("2026-06-13")
	h.night("2026-06-14")
	*h.now = h.now.Add(9 * time.Hour)
}

// backOn books a payment come back two days after it was made.
func backOn(h *house, change func(l refund.Line, tr *banksim.Transfer)) {
	staged(h)
	h.sent()
	h.night("2026-06-13")
	l, err := lineOne(context.Background(), h)
	h.must(err)
	tr := back(l, func(tr *banksim.Transfer) { change(l, tr) })
	tr.At = wall("2026-06-15 10:00:00")
	h.first = h.sim.Credit(tr)
}

// byHand is a payment that a person has made.
func byHand(h *house) refund.HandPayment {
	return refund.HandPayment{Eyes: deposit.SightOfAll(), Order: orders(h.first)[0], Department: works, Reference: "H1", BankSerial: "260613000000999", Note: "系统停用"}
}

func changeOf(credit sqldb.ID) refund.ChangeOrder {
	return refund.ChangeOrder{Eyes: deposit.SightOfAll(), EntryID: credit, PayeeName: "更名公司", PayeeAccount: "62129999", Evidence: "更名通知书"}
}

// changes has the payee of a credit changed, once somebody has reviewed it.
func changes(h *house) {
	_, err := h.refund.ProposeChange(context.Background(), "甲", changeOf(h.credit(h.ready(2)[0])))
	h.must(err)
}

func changesOne(ctx context.Context, h *house) ([]refund.PayeeChange, error) {
	credit, err := creditOne(ctx, h)
	if err != nil {
		return nil, err
	}
	all, err := h.refund.Changes(ctx, credit)
	if len(all) == 0 {
		err = cmpErr(err)
	}
	return all, err
}

func forfeitOf(credit sqldb.ID) refund.DispositionOrder {
	return refund.DispositionOrder{Eyes: deposit.SightOfAll(), EntryID: credit, Kind: refund.Forfeited, Purpose: "TENDERER", Amount: 100, Document: "1"}
}

var useCases = []useCase{
	{name: "Submit", stage: func(h *house) { h.ready(2) }, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R1", Lines: orders(h.first)})
		return err
	}},
	{name: "Compose", stage: func(h *house) { h.submitted("R1", orders(h.ready(2)...)...) }, run: func(ctx context.Context, h *house) error {
		l, err := lineOne(ctx, h)
		if err != nil || l.BatchID != 0 {
			return err
		}
		_, err = h.refund.Compose(ctx, "乙", []sqldb.ID{l.ID})
		return unlessDone(err)
	}},
	{name: "Check", stage: func(h *house) {
		_, err := h.refund.Compose(context.Background(), "乙", h.submitted("R1", orders(h.ready(2)...)...))
		h.must(err)
	}, run: func(ctx context.Context, h *house) error {
		b, err := batchOne(ctx, h)
		if err != nil {
			return err
		}
		_, err = h.refund.Check(ctx, "丙", signed(b))
		return unlessDone(err)
	}},
	{name: "Release", stage: func(h *house) {
		made, err := h.refund.Compose(context.Background(), "乙", h.submitted("R1", orders(h.ready(2)...)...))
		h.must(err)
		_, err = h.refund.Check(context.Background(), "丙", signed(made[0]))
		h.must(err)
	}, run: func(ctx context.Context, h *house) error {
		b, err := batchOne(ctx, h)
		if err != nil {
			return err
		}
		_, err = h.refund.Release(ctx, "丁", signed(b))
		return unlessDone(err)
	}},
	{name: "TakeOut", stage: staged, run: on(func(l *refund.Line) bool { return l.BatchID == 0 }, func(ctx context.Context, h *house, l *refund.Line) error {
		return takenOut(ctx, h, l, false)
	})},
	{name: "TakeOut and cancel", stage: staged, run: on(is(refund.Cancelled), func(ctx context.Context, h *house, l *refund.Line) error {
		return takenOut(ctx, h, l, true)
	})},
	{name: "CancelDraft", stage: func(h *house) { h.submitted("R1", orders(h.ready(2)...)...) }, run: on(is(refund.Cancelled), func(ctx context.Context, h *house, l *refund.Line) error {
		return h.refund.CancelDraft(ctx, "甲", l.ID, l.Version, "填错")
	})},
	{name: "CancelDrafts", stage: func(h *house) { h.submitted("R1", orders(h.ready(2)...)...) }, run: on(is(refund.Cancelled), func(ctx context.Context, h *house, l *refund.Line) error {
		return unlessDone(h.refund.CancelDrafts(ctx, "甲", []sqldb.ID{l.ID}, "填错"))
	})},
	{name: "RevealPayee", stage: staged, run: func(ctx context.Context, h *house) error {
		l, err := lineOne(ctx, h)
		if err == nil {
			_, err = h.refund.RevealPayee(ctx, reconcile.Revealing{By: "乙", Eyes: deposit.SightOfAll(), ID: l.ID, Reason: "与回单核对", Most: 50})
		}
		return err
	}},
	{name: "RevealChange", stage: changes, run: func(ctx context.Context, h *house) error {
		all, err := changesOne(ctx, h)
		if err == nil {
			_, err = h.refund.RevealChange(ctx, reconcile.Revealing{By: "乙", Eyes: deposit.SightOfAll(), ID: all[0].ID, Reason: "与更名通知书核对", Most: 50})
		}
		return err
	}},
	{name: "SendDue", stage: staged, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.SendDue(ctx, "sender", h.lcyh, h.exchange)
		return err
	}},
	{name: "AskDue", stage: func(h *house) {
		h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.LosesAnswer)})
		staged(h)
		h.sent()
	}, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.AskDue(ctx, "sender", h.lcyh, time.Minute, h.exchange)
		return err
	}},
	{name: "SendAgain", stage: func(h *house) {
		h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.Drowns)})
		staged(h)
		h.sent()
		h.lcyh.ResendWithin = 12 * time.Hour
		*h.now = h.now.Add(time.Minute)
		h.ask()
		h.pays = h.sim.Paying(banksim.PayRules{})
	}, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.SendAgain(ctx, "sender", h.lcyh, h.exchange)
		return err
	}},
	{name: "Result", stage: func(h *house) {
		h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.PaysLater), Later: time.Hour})
		staged(h)
		h.sent()
		*h.now = h.now.Add(2 * time.Hour)
		h.pays.Tick()
		h.told = h.pays.Results()
	}, run: func(ctx context.Context, h *house) error {
		for _, raw := range h.told {
			if _, err := h.refund.Result(ctx, "bank", h.lcyh, raw); err != nil {
				return err
			}
		}
		return nil
	}},
	{name: "Settle", stage: func(h *house) {
		staged(h)
		h.sent()
		h.imports("2026-06-13")
	}, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.Settle(ctx, "nightly", h.lcyh, parent, "2026-06-13")
		return err
	}},
	{name: "Disprove", stage: func(h *house) { lost(h, banksim.Drowns); h.ask() }, run: twoSay(refund.Failed, (*refund.Desk).Disprove)},
	{name: "Vouch", sums: true, stage: func(h *house) { lost(h, banksim.LosesAnswer) }, run: twoSay(refund.Paid, (*refund.Desk).Vouch)},
	{name: "a payment comes back", stage: func(h *house) {
		backOn(h, func(l refund.Line, tr *banksim.Transfer) { tr.Remark = l.Serial })
		h.imports("2026-06-15")
	}, run: func(ctx context.Context, h *house) error {
		_, err := h.reconcile.JudgeAll(ctx)
		return err
	}},
	{name: "ConfirmReturn", stage: func(h *house) {
		backOn(h, func(_ refund.Line, tr *banksim.Transfer) { tr.SubAccount = "" })
		h.night("2026-06-15")
	}, run: on(is(refund.Returned), func(ctx context.Context, h *house, l *refund.Line) error {
		credit, err := creditOne(ctx, h)
		if err != nil {
			return err
		}
		return h.refund.ConfirmReturn(ctx, "某人", l.ID, l.Version, credit, "银行来电")
	})},
	{name: "EnterHandPayment", stage: func(h *house) { h.ready(2) }, run: func(ctx context.Context, h *house) error {
		_, err := h.refund.EnterHandPayment(ctx, "甲", byHand(h))
		return err
	}},
	{name: "ConfirmHandPayment", stage: func(h *house) {
		h.ready(2)
		_, err := h.refund.EnterHandPayment(context.Background(), "甲", byHand(h))
		h.must(err)
	}, run: on(is(refund.Paid), func(ctx context.Context, h *house, l *refund.Line) error {
		_, err := h.refund.ConfirmHandPayment(ctx, "乙", l.ID, l.Version, "回单")
		return err
	})},
	{name: "Dispose", stage: func(h *house) { h.ready(2) }, run: func(ctx context.Context, h *house) error {
		credit, err := creditOne(ctx, h)
		if err != nil {
			return err
		}
		_, err = h.refund.Dispose(ctx, "甲", forfeitOf(credit))
		return err
	}},
	{name: "MoveDisposition", stage: func(h *house) {
		_, err := h.refund.Dispose(context.Background(), "甲", forfeitOf(h.credit(h.ready(2)[0])))
		h.must(err)
	}, run: func(ctx context.Context, h *house) error {
		credit, err := creditOne(ctx, h)
		if err != nil {
			return err
		}
		all, err := h.refund.Dispositions(ctx, credit)
		if err != nil || len(all) == 0 {
			return cmpErr(err)
		}
		_, err = h.refund.MoveDisposition(ctx, "乙", deposit.SightOfAll(), refund.Move{ID: all[0].ID, Version: all[0].Version, Act: "approve", Note: "属实"})
		return unlessDone(err)
	}},
	{name: "ProposeChange", stage: func(h *house) { h.ready(2) }, run: func(ctx context.Context, h *house) error {
		credit, err := creditOne(ctx, h)
		if err != nil {
			return err
		}
		_, err = h.refund.ProposeChange(ctx, "甲", changeOf(credit))
		return err
	}},
	{name: "MoveChange", stage: changes, run: func(ctx context.Context, h *house) error {
		all, err := changesOne(ctx, h)
		if err != nil {
			return err
		}
		_, err = h.refund.MoveChange(ctx, "乙", deposit.SightOfAll(), refund.Move{ID: all[0].ID, Version: all[0].Version, Act: "review", Note: "属实"})
		return unlessDone(err)
	}},
}

func takenOut(ctx context.Context, h *house, l *refund.Line, cancel bool) error {
	b, err := refund.BatchByID(ctx, h.db, l.BatchID)
	if err != nil {
		return err
	}
	_, err = h.refund.TakeOut(ctx, "乙", b.ID, b.Version, []sqldb.ID{l.ID}, "填错", cancel)
	return err
}
