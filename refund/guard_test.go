package refund_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// ready has n bidders lose their lot, whose deposits may go back on the morning after.
func (h *house) ready(n int) (credits []bank.Entry) {
	h.t.Helper()
	h.announce(n + 1)
	for i := range n {
		credits = append(credits, h.pay(i, "800000.00", "2026-06-12 08:10:00"))
	}
	h.first = credits[0]
	h.night(theDay)
	*h.now = wall("2026-06-13 09:00:00")
	h.tell(platform.EventOpened, "", "2026-06-12 09:00:00")
	h.tell(platform.EventAwardNotice, bidder(n).Name, "2026-06-13 08:00:00")
	return credits
}

// sent sends what is due and says how many messages went out.
func (h *house) sent() int {
	h.t.Helper()
	n, err := h.refund.SendDue(context.Background(), "sender", h.lcyh, h.exchange)
	h.must(err)
	return n
}

// signed is a person's signature under a batch as it is now.
func signed(b refund.Batch) refund.Signature {
	return refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count, Total: b.Total}
}

// submitted puts orders on a list, all of which have to be right.
func (h *house) submitted(reference string, all ...refund.Order) (keys []sqldb.ID) {
	h.t.Helper()
	s, err := h.refund.Submit(context.Background(), "科室甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: reference, Lines: all})
	h.must(err)
	if len(s.Faults) > 0 {
		h.t.Fatal(s.Faults)
	}
	for _, l := range s.Lines {
		keys = append(keys, l.ID)
	}
	return keys
}

// composed takes lines to one released batch.
func (h *house) composed(keys ...sqldb.ID) refund.Batch {
	h.t.Helper()
	ctx := context.Background()
	made, err := h.refund.Compose(ctx, "经办乙", keys)
	h.must(err)
	b, err := h.refund.Check(ctx, "复核丙", signed(made[0]))
	h.must(err)
	b, err = h.refund.Release(ctx, "放行丁", signed(b))
	h.must(err)
	return b
}

func (h *house) write(f func(tx *sqldb.Tx) error) {
	h.t.Helper()
	h.must(h.db.Write(context.Background(), "某人", f))
}

// only is the one line of a batch.
func (h *house) only(b refund.Batch) refund.Line {
	h.t.Helper()
	all, err := refund.LinesOf(context.Background(), h.db, b.ID)
	h.must(err)
	if len(all) != 1 {
		h.t.Fatalf("%d lines", len(all))
	}
	return all[0]
}

// guards are what keeps a released line here, and how it is lifted.
var guards = map[string]struct {
	keep, lift func(h *house, b refund.Batch)
}{
	"the account is frozen": {freezes(platform.Freeze{Bank: "lcyh", ParentAccount: parent, Cause: platform.ByIncident, Reference: "E1"}), lifts(platform.Freeze{Bank: "lcyh", ParentAccount: parent, Cause: platform.ByIncident, Reference: "E1"})},
	"the bank is frozen":    {freezes(platform.Freeze{Bank: "lcyh", Cause: platform.ByStop}), lifts(platform.Freeze{Bank: "lcyh", Cause: platform.ByStop})},
	"all is frozen":         {freezes(platform.Freeze{Cause: platform.ByStop}), lifts(platform.Freeze{Cause: platform.ByStop})},
	"an order holds it": {func(h *house, b refund.Batch) {
		_, err := h.refund.Dispose(context.Background(), "某人", refund.DispositionOrder{Eyes: deposit.SightOfAll(), EntryID: h.only(b).EntryID, Kind: refund.Held, Document: "住建〔2026〕1号"})
		h.must(err)
	}, func(h *house, b refund.Batch) {
		all, err := h.refund.Dispositions(context.Background(), h.only(b).EntryID)
		h.must(err)
		_, err = h.refund.MoveDisposition(context.Background(), "某人", deposit.SightOfAll(), refund.Move{ID: all[0].ID, Version: all[0].Version, Act: "refuse", Note: "查无此件"})
		h.must(err)
	}},
	"the release has lapsed": {func(h *house, _ refund.Batch) { *h.now = h.now.Add(24*time.Hour + time.Second) }, func(h *house, b refund.Batch) {
		l := h.only(b)
		now, err := refund.BatchByID(context.Background(), h.db, b.ID)
		h.must(err)
		_, err = h.refund.TakeOut(context.Background(), "经办乙", b.ID, now.Version, []sqldb.ID{l.ID}, "放行过期", false)
		h.must(err)
		h.composed(l.ID)
	}},
}

func freezes(f platform.Freeze) func(*house, refund.Batch) {
	return func(h *house, _ refund.Batch) {
		h.write(func(tx *sqldb.Tx) error { return platform.FreezeRefunds(context.Background(), tx, f) })
	}
}

func lifts(f platform.Freeze) func(*house, refund.Batch) {
	return func(h *house, _ refund.Batch) {
		h.write(func(tx *sqldb.Tx) error { return platform.LiftFreezes(context.Background(), tx, f) })
	}
}

// What keeps a line here is asked in the statement that claims it: before its message is written, and after.
func TestGuards(t *testing.T) {
	for name, g := range guards {
		for _, written := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				each(t, func(h *house) {
					credits := h.ready(1)
					b := h.composed(h.submitted("R1", orders(credits...)...)...)
					if written { // the bank is away while the message is made
						away := func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return nil, unsent(h) }
						if n, err := h.refund.SendDue(context.Background(), "sender", h.lcyh, away); err != nil || n != 0 {
							t.Fatal(n, err)
						}
					}
					g.keep(h, b)
					if n := h.sent(); n != 0 || h.pays.PaidSum() != 0 {
						t.Errorf("%d messages went out, %s", n, h.pays.PaidSum())
					}
					g.lift(h, b)
					if n := h.sent(); n != 1 || h.pays.PaidSum() != yuan("800000.00") || h.sent() != 0 {
						t.Errorf("lifted, %d messages went out, %s", n, h.pays.PaidSum())
					}
				})
			})
		}
	}
}

// unsent is the error of a line that nobody answers.
func unsent(h *house) error {
	b := *h.lcyh
	b.Reach = bank.Reach{URL: "tcp://127.0.0.1:1", Timeout: time.Second}
	line, err := bank.NewLine(&b, h.db.Now, nil)
	h.must(err)
	_, err = line.Exchange(context.Background(), []byte("x"))
	if bank.CallOutcomeOf(err) != bank.CallUnsent {
		h.t.Fatal(err)
	}
	return err
}

// A changed payee is paid when his cooling-off time is over, and not after somebody has refused the change.
func TestChangedPayeeWaits(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		credits := h.ready(2)
		var keys []sqldb.ID
		var made []refund.PayeeChange
		for i, e := range credits {
			id := h.credit(e)
			order := refund.Order{Credit: id, PayeeName: bidder(i).Name + "（更名）", PayeeAccount: "62129999", PayeeBank: "聊城农商银行", PayeeBankCode: "402471000009"}
			s, err := h.refund.Submit(ctx, "科室甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: "early", Lines: []refund.Order{order}})
			if h.must(err); len(s.Faults) != 1 || s.Faults[0].Code != "payee_differs" {
				t.Fatalf("without an approval: %v", s.Faults)
			}
			p, err := h.refund.ProposeChange(ctx, "甲", refund.ChangeOrder{Eyes: deposit.SightOfAll(), EntryID: id, PayeeName: order.PayeeName, PayeeAccount: order.PayeeAccount, Evidence: "更名通知书"})
			h.must(err)
			for _, step := range []struct{ by, act string }{{"乙", "review"}, {"丙", "approve"}, {"丁", "confirm"}} {
				_, err := h.refund.MoveChange(ctx, "甲", deposit.SightOfAll(), refund.Move{ID: p.ID, Version: p.Version, Act: step.act, Note: "核对无误"})
				refused(t, err, "same_person")
				p, err = h.refund.MoveChange(ctx, step.by, deposit.SightOfAll(), refund.Move{ID: p.ID, Version: p.Version, Act: step.act, Note: "核对无误"})
				h.must(err)
			}
			made = append(made, p)
			keys = append(keys, h.submitted("R"+e.Serial, order)...)
		}
		first, second := h.composed(keys[0]), h.composed(keys[1])
		if h.sent() != 0 {
			t.Error("sent in the cooling-off time")
		}
		*h.now = made[0].EffectiveAt.Add(-time.Millisecond)
		first, second = h.again(first), h.again(second)
		if h.sent() != 0 {
			t.Error("sent a moment too early")
		}
		_, err := h.refund.MoveChange(ctx, "戊", deposit.SightOfAll(), refund.Move{ID: made[1].ID, Version: made[1].Version, Act: "refuse", Note: "来电否认"})
		h.must(err)
		*h.now = made[0].EffectiveAt
		if n := h.sent(); n != 1 || h.only(first).State != refund.Paid || h.only(second).State != refund.Released {
			t.Errorf("%d messages; %s, %s", n, h.only(first).State, h.only(second).State)
		}
	})
}

// again has a batch's only line approved once more.
func (h *house) again(b refund.Batch) refund.Batch {
	h.t.Helper()
	b, err := refund.BatchByID(context.Background(), h.db, b.ID)
	h.must(err)
	l := h.only(b)
	_, err = h.refund.TakeOut(context.Background(), "经办乙", b.ID, b.Version, []sqldb.ID{l.ID}, "放行过期", false)
	h.must(err)
	return h.composed(l.ID)
}

// credit is the key of a credit.
func (h *house) credit(e bank.Entry) sqldb.ID {
	h.t.Helper()
	found, err := bank.CreditsBySerial(context.Background(), h.db, h.lcyh, e.BookingDate, []string{e.Serial})
	h.must(err)
	return found[0].ID
}

// What goes over the day's limit waits for the next day.
func TestDayLimit(t *testing.T) {
	each(t, func(h *house) {
		limits := refund.DefaultLimits
		limits.Day = yuan("1600000.00")
		h.limit(limits)
		credits := h.ready(3)
		*h.now = wall("2026-06-13 23:00:00")
		for i, e := range credits {
			h.composed(h.submitted("R"+e.Serial, orders(credits[i])...)...)
		}
		cause := unsent(h)
		_, err := h.refund.SendDue(context.Background(), "sender", h.lcyh, func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return nil, cause })
		h.must(err) // what did not reach the bank does not count
		if n := h.sent(); n != 2 || h.sent() != 0 {
			t.Errorf("%d messages went out on the first day", n)
		}
		*h.now = wall("2026-06-14 00:00:00")
		if n := h.sent(); n != 1 || h.pays.PaidSum() != yuan("2400000.00") {
			t.Errorf("%d messages went out on the second day, %s", n, h.pays.PaidSum())
		}
		h.sound()
	})
}

// Money that the bank has taken back since the release does not go out.
func TestTakenBackIsNotSent(t *testing.T) {
	each(t, func(h *house) {
		credits := h.ready(1)
		b := h.composed(h.submitted("R1", orders(credits...)...)...)
		h.sim.Reverse(credits[0], *h.now)
		h.night("2026-06-13")
		if n := h.sent(); n != 0 || h.only(b).State != refund.Released {
			t.Errorf("%d messages went out, %s", n, h.only(b).State)
		}
	})
}

// What was paid twice does not go back once the first payment has been taken back: it is the deposit then.
func TestSecondPaymentBecomesTheDeposit(t *testing.T) {
	each(t, func(h *house) {
		h.announce(1)
		first, second := h.pay(0, "800000.00", "2026-06-12 08:10:00"), h.pay(0, "800000.00", "2026-06-12 08:20:00")
		h.night(theDay)
		*h.now = wall("2026-06-13 09:00:00")
		h.tell(platform.EventOpened, "", "2026-06-12 09:00:00")
		b := h.composed(h.submitted("R1", orders(second)...)...)
		h.sim.Reverse(first, *h.now)
		h.night("2026-06-13")
		if n := h.sent(); n != 0 || h.only(b).State != refund.Released {
			t.Errorf("%d messages went out, %s", n, h.only(b).State)
		}
	})
}

// A batch that cannot be written keeps no other back, and one bank that is away is dialled once.
func TestSendingGoesOn(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		credits := h.ready(3)
		var made []refund.Batch
		for i, e := range credits {
			made = append(made, h.composed(h.submitted("R"+e.Serial, orders(credits[i])...)...))
		}
		h.write(func(tx *sqldb.Tx) error { // a name that the bank's charset does not have, by a stranger's hand
			l := h.only(made[0])
			l.PayeeName = "𠮷"
			return l.Write(ctx, tx)
		})
		dialled, cause := 0, unsent(h)
		_, err := h.refund.SendDue(ctx, "sender", h.lcyh, func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { dialled++; return nil, cause })
		if err == nil || !strings.Contains(err.Error(), made[0].Number) || dialled != 1 {
			t.Errorf("dialled %d times: %v", dialled, err)
		}
		n, _ := h.refund.SendDue(ctx, "sender", h.lcyh, h.exchange)
		if n != 2 || h.only(made[0]).State != refund.Released || h.only(made[1]).State != refund.Paid {
			t.Errorf("%d messages: %s, %s", n, h.only(made[0]).State, h.only(made[1]).State)
		}
	})
}

// What the bank reports by itself while its answer is awaited stands, whatever becomes of the answer.
func TestReportedWhileSending(t *testing.T) {
	each(t, func(h *house) {
		credits := h.ready(1)
		b := h.composed(h.submitted("R1", orders(credits...)...)...)
		h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.LosesAnswer)})
		_, err := h.refund.SendDue(context.Background(), "sender", h.lcyh, func(ctx context.Context, b *bank.Bank, number string, raw []byte) ([]byte, error) {
			answer, lost := h.exchange(ctx, b, number, raw)
			for _, result := range h.pays.Results() {
				_, err := h.refund.Result(ctx, "bank", b, result)
				h.must(err)
			}
			return answer, lost
		})
		if h.must(err); h.only(b).State != refund.Paid {
			t.Errorf("it is %s", h.only(b).State)
		}
	})
}
