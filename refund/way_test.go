package refund_test

import (
	"context"
	"testing"

	"depositd/platform"
	"depositd/refund"
)

// A lost bid's deposit goes the whole way: listed, approved by three persons, sent, answered, proven by its debit.
func TestTheWayBack(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		h.announce(3)
		first, second := h.pay(0, "800000.00", "2026-06-12 08:10:00"), h.pay(1, "800000.00", "2026-06-12 08:20:00")
		h.night(theDay)
		*h.now = wall("2026-06-13 09:00:00")
		h.tell(platform.EventOpened, "", "2026-06-12 09:00:00")
		h.tell(platform.EventAwardNotice, bidder(2).Name, "2026-06-13 08:00:00")
		b := h.released(first, second)
		if b.State != refund.BatchReleased || b.Count != 2 || b.Total != yuan("1600000.00") {
			t.Fatalf("%+v", b)
		}
		all, err := refund.LinesOf(ctx, h.db, b.ID)
		h.must(err)
		for _, l := range all {
			if l.State != refund.Released || l.Cause != refund.Lost {
				t.Errorf("%s is %s for %s", l.Serial, l.State, l.Cause)
			}
		}
		h.send()
		if settled := h.night("2026-06-13"); settled.Proven != 2 || settled.Strange != 0 {
			t.Errorf("settled %+v", settled)
		}
		for _, l := range all {
			now, err := refund.LineByID(ctx, h.db, l.ID)
			h.must(err)
			if now.State != refund.Paid || h.pays.Paid(l.Serial) != l.Amount {
				t.Errorf("%s is %s, the bank paid %s", l.Serial, now.State, h.pays.Paid(l.Serial))
			}
		}
		h.sound()
	})
}
