package refund_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/refund"
)

// facts are the three by which an unknown payment becomes FAILED, and who else than the first person confirms.
type facts struct{ asked, closed, noDebit, second bool }

// lostOne is a line of which the sender knows nothing after its day.
func lostOne(t *testing.T, fate banksim.Fate) (*house, refund.Batch) {
	t.Helper()
	h := open(t, freshURL(t), "gseries", "per_item")
	h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(fate)})
	b := h.composed(h.submitted("R1", orders(h.ready(1)...)...)...)
	if n := h.sent(); n != 1 || h.only(b).State != refund.Unknown {
		t.Fatalf("%d messages, it is %s", n, h.only(b).State)
	}
	return h, b
}

// ask asks about all that is open.
func (h *house) ask() {
	h.t.Helper()
	_, err := h.refund.AskDue(context.Background(), "sender", h.lcyh, time.Minute, h.exchange)
	h.must(err)
}

// An unknown payment becomes FAILED when the bank, asked on a later day, does not know it, the statements of its day and the next
// are closed without its debit, and two persons say so; never when one of these is missing.
func TestThreeFacts(t *testing.T) {
	for name, c := range map[string]struct {
		facts
		code string
	}{
		"all of them":              {facts{true, true, true, true}, ""},
		"the bank was not asked":   {facts{false, true, true, true}, "bank_not_asked"},
		"the next day is not over": {facts{true, false, true, true}, "day_not_closed"},
		"there is a debit":         {facts{true, true, false, true}, "state_forbids"}, // which settling has made PAID of
		"one person alone":         {facts{true, true, true, false}, "same_person"},
	} {
		t.Run(name, func(t *testing.T) {
			fate := banksim.Drowns
			if !c.noDebit {
				fate = banksim.LosesAnswer
			}
			h, b := lostOne(t, fate)
			h.night("2026-06-13")
			if c.closed {
				h.night("2026-06-14")
			}
			if c.asked {
				*h.now = h.now.Add(9 * time.Hour)
				h.ask()
			}
			ctx, l := context.Background(), h.only(b)
			second := "己"
			if !c.second {
				second = "戊"
			}
			l, err := h.refund.Disprove(ctx, "戊", l.ID, l.Version, "电话核实")
			if err == nil {
				l, err = h.refund.Disprove(ctx, second, l.ID, l.Version, "电话核实")
			}
			if c.code == "" {
				if h.must(err); l.State != refund.Failed || h.only(b).State != refund.Failed {
					t.Errorf("it is %s", l.State)
				}
				h.submitted("R2", orders(h.creditOf(l))...) // its money is free
				h.sound()
				return
			}
			if refused(t, err, c.code); h.only(b).State == refund.Failed {
				t.Error("it is FAILED")
			}
		})
	}
}

// creditOf is the credit that a line pays back.
func (h *house) creditOf(l refund.Line) bank.Entry {
	h.t.Helper()
	e, err := bank.EntryByID(context.Background(), h.db, l.EntryID)
	h.must(err)
	return e
}

// What the bank says in between makes the first person's word void, and what it has accepted nobody disproves.
func TestDoubtIsOfWhatIsKnown(t *testing.T) {
	h, b := lostOne(t, banksim.Sleeps)
	ctx := context.Background()
	h.night("2026-06-13")
	h.night("2026-06-14")
	h.ask()
	l, err := h.refund.Disprove(ctx, "戊", h.only(b).ID, h.only(b).Version, "电话核实")
	h.must(err)
	_, err = h.refund.Vouch(ctx, "己", l.ID, l.Version, "电话核实")
	refused(t, err, "no_debit")
	*h.now = h.now.Add(80 * time.Hour)
	h.pays.Tick()
	h.ask()
	_, err = h.refund.Disprove(ctx, "己", l.ID, l.Version, "电话核实")
	if !errors.Is(err, sqldb.ErrStale) {
		t.Errorf("on what has changed: %v", err)
	}
	_, err = h.refund.Disprove(ctx, "己", l.ID, h.only(b).Version, "电话核实")
	if refused(t, err, "state_forbids"); h.only(b).State != refund.Paid {
		t.Errorf("it is %s", h.only(b).State)
	}
}

// A file of which nothing was heard may be lost: two persons and the statements make it FAILED.
func TestLostFile(t *testing.T) {
	h := fresh(t)
	ctx := context.Background()
	b := h.composed(h.submitted("R1", orders(h.ready(1)...)...)...)
	_, err := h.refund.SendDue(ctx, "sender", h.lcyh, func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return nil, nil })
	if h.must(err); h.only(b).State != refund.Accepted {
		t.Fatalf("it is %s", h.only(b).State)
	}
	l := h.only(b)
	_, err = h.refund.Disprove(ctx, "戊", l.ID, l.Version, "银行未收到文件")
	refused(t, err, "day_not_closed")
	h.night("2026-06-13")
	h.night("2026-06-14")
	for _, by := range []string{"戊", "己"} {
		l, err = h.refund.Disprove(ctx, by, l.ID, l.Version, "银行未收到文件")
		h.must(err)
	}
	if l.State != refund.Failed {
		t.Errorf("it is %s", l.State)
	}
	h.sound()
}

// An answer twice, an older one after a newer, and one that contradicts: what is final stays.
func TestAnswersComeAnyhow(t *testing.T) {
	h := open(t, freshURL(t), "gseries", "per_item")
	ctx := context.Background()
	h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.PaysLater), Later: time.Hour})
	b := h.composed(h.submitted("R1", orders(h.ready(1)...)...)...)
	var early []byte
	_, err := h.refund.SendDue(ctx, "sender", h.lcyh, func(ctx context.Context, b *bank.Bank, number string, raw []byte) (answer []byte, err error) {
		early, err = h.exchange(ctx, b, number, raw)
		return early, err
	})
	if h.must(err); h.only(b).State != refund.Accepted {
		t.Fatalf("it is %s", h.only(b).State)
	}
	*h.now = h.now.Add(2 * time.Hour)
	h.pays.Tick()
	results := h.pays.Results()
	refusal := bytes.Replace(results[0], []byte("<Result>00</Result>"), []byte("<Result>09</Result>"), 1)
	for i, raw := range [][]byte{results[0], results[0], early, refusal} {
		if _, err := h.refund.Result(ctx, "bank", h.lcyh, raw); err != nil && !deposit.IsKind(err, deposit.NotFound) {
			t.Fatal(err)
		}
		if h.only(b).State != refund.Paid {
			t.Errorf("after answer %d it is %s", i, h.only(b).State)
		}
	}
}
