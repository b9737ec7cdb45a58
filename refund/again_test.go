package refund_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// sentAgain sends again what may be, and says how many messages went out.
func (h *house) sentAgain() int {
	h.t.Helper()
	n, err := h.refund.SendAgain(context.Background(), "sender", h.lcyh, h.exchange)
	h.must(err)
	return n
}

// A message that the bank does not know is sent again, byte for byte, where the bank has promised to take a second one for the
// first: and whether it had the first or not, it pays once.
func TestSentAgain(t *testing.T) {
	for _, fate := range []banksim.Fate{banksim.Drowns, banksim.Sleeps} {
		t.Run(string(fate), func(t *testing.T) {
			h, b := lostOne(t, fate)
			h.lcyh.ResendWithin = 12 * time.Hour
			h.pays = h.sim.Paying(banksim.PayRules{Later: time.Hour, Dice: banksim.Always(fate)})
			if h.sentAgain() != 0 {
				t.Error("it is sent again before the bank was asked")
			}
			*h.now = h.now.Add(time.Minute)
			h.ask()
			if l := h.only(b); l.State != refund.Unknown || l.Word != bank.PayNotFound {
				t.Fatalf("it is %s, the bank says %s", l.State, l.Word)
			}
			if fate == banksim.Drowns { // this time it arrives
				h.pays = h.sim.Paying(banksim.PayRules{})
			}
			if n := h.sentAgain(); n != 1 || h.sentAgain() != 0 {
				t.Errorf("%d messages went out again", n)
			}
			*h.now = h.now.Add(2 * time.Hour)
			h.pays.Tick()
			h.ask()
			if l := h.only(b); l.State != refund.Paid || h.pays.PaidSum() != l.Amount || len(h.pays.Contradictions()) != 0 {
				t.Errorf("it is %s, %s was paid", l.State, h.pays.PaidSum())
			}
			h.night("2026-06-13")
			h.sound()
		})
	}
}

// The bytes are those of the first time, and an answer that is lost again, or a bank that is away, leaves what is not known unknown.
func TestSentAgainIsTheSame(t *testing.T) {
	h, b := lostOne(t, banksim.Drowns)
	h.lcyh.ResendWithin = 12 * time.Hour
	story, err := h.refund.Story(context.Background(), deposit.SightOfAll(), h.only(b).ID)
	h.must(err)
	for _, away := range []bool{false, true} {
		*h.now = h.now.Add(time.Minute)
		h.ask()
		var sent []byte
		n, err := h.refund.SendAgain(context.Background(), "sender", h.lcyh, func(ctx context.Context, to *bank.Bank, number string, raw []byte) ([]byte, error) {
			if sent = bytes.Clone(raw); away {
				return nil, unsent(h)
			}
			return h.exchange(ctx, to, number, raw)
		})
		if h.must(err); (n == 0) != away || len(sent) != story.Sent.Size || h.only(b).State != refund.Unknown {
			t.Errorf("away %t: %d messages of %d bytes, it is %s", away, n, len(sent), h.only(b).State)
		}
	}
	h.sound()
}

// What keeps a message here the second time.
func TestNotSentAgain(t *testing.T) {
	for name, keep := range map[string]func(h *house, b refund.Batch){
		"nothing was promised": func(h *house, _ refund.Batch) { h.lcyh.ResendWithin = 0 },
		"the time is over":     func(h *house, _ refund.Batch) { *h.now = h.now.Add(5*time.Hour + 31*time.Minute) },
		"another day": func(h *house, _ refund.Batch) {
			*h.now, h.lcyh.ResendWithin = wall("2026-06-14 00:00:00"), 48*time.Hour
		},
		"the account is frozen": func(h *house, b refund.Batch) {
			freezes(platform.Freeze{Bank: "lcyh", ParentAccount: parent, Cause: platform.ByIncident, Reference: "E1"})(h, b)
		},
		"an order holds it": guards["an order holds it"].keep,
		"a line is known to the bank": func(h *house, b refund.Batch) {
			h.write(func(tx *sqldb.Tx) error {
				_, err := tx.Exec(context.Background(), "UPDATE refunds SET word = 'PROCESSING' WHERE batch_id = ?", b.ID)
				return err
			})
		},
		"the bank is paid by files": func(h *house, _ refund.Batch) { h.lcyh.Drop.Payouts = "out" },
	} {
		t.Run(name, func(t *testing.T) {
			h, b := lostOne(t, banksim.Drowns)
			h.lcyh.ResendWithin = 6 * time.Hour
			*h.now = h.now.Add(time.Minute)
			h.ask()
			keep(h, b)
			if n := h.sentAgain(); n != 0 {
				t.Errorf("%d messages went out", n)
			}
		})
	}
}

// What is sent after the bank's cut-off is paid on the next day, and the bank's word and the statements have to be of that day and later.
func TestCutOff(t *testing.T) {
	h := open(t, freshURL(t), "gseries", "per_item")
	ctx := context.Background()
	h.lcyh.CutOff = 17 * time.Hour
	h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(banksim.Drowns)})
	keys := h.submitted("R1", orders(h.ready(1)...)...)
	*h.now = wall("2026-06-13 17:00:00")
	b := h.composed(keys...)
	h.sent()
	h.night("2026-06-13")
	h.night("2026-06-14")
	h.ask()
	l := h.only(b)
	_, err := h.refund.Disprove(ctx, "戊", l.ID, l.Version, "电话核实")
	refused(t, err, "day_not_closed")
	h.night("2026-06-15")
	h.ask()
	for _, by := range []string{"戊", "己"} {
		l, err = h.refund.Disprove(ctx, by, l.ID, l.Version, "电话核实")
		h.must(err)
	}
	if l.State != refund.Failed {
		t.Errorf("it is %s", l.State)
	}
}
