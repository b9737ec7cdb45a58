package refund_test

import (
	"context"
	"errors"
	"testing"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform"
	"depositd/platform/deposit"
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

// A bank that pays interest with the principal books both in one debit: its figure is taken, and how far it is from ours is told of;
// much more than that is no interest, and stops the account.
func TestInterestInTheDebit(t *testing.T) {
	for more, want := range map[string]struct {
		interest string
		findings string
		strange  int
	}{"1.11": {"1.11", "", 0}, "1.50": {"1.50", "INTEREST_DIFFERS", 0}, "500.00": {"0.00", "DEBIT_DIFFERS", 1}} {
		each(t, func(h *house) {
			ctx := context.Background()
			h.announce(2)
			credit := h.pay(0, "800000.00", "2026-06-12 08:10:00")
			h.night(theDay)
			*h.now = wall("2026-06-13 08:00:00")
			h.tell(platform.EventOpened, "", "2026-06-12 09:00:00")
			h.tell(platform.EventAwardNotice, bidder(1).Name, "2026-06-12 17:00:00")
			h.tell(platform.EventContractSigned, bidder(1).Name, "2026-06-13 07:00:00")
			b := h.released(credit)
			_, err := h.refund.SendDue(ctx, "sender", h.lcyh, func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return nil, errors.New("no answer") })
			h.must(err)
			all, err := refund.LinesOf(ctx, h.db, b.ID)
			h.must(err)
			h.sim.Debit(banksim.Transfer{SubAccount: number(0), With: bidder(0), Amount: all[0].Amount + yuan(more), At: *h.now, Remark: all[0].Serial})
			for range 2 { // settled again, it says the same
				if settled := h.night("2026-06-13"); settled.Strange != want.strange {
					t.Errorf("%s more: %+v", more, settled)
				}
			}
			now, err := refund.LineByID(ctx, h.db, all[0].ID)
			h.must(err)
			report, err := h.reconcile.Report(ctx, deposit.SightOfAll(), "2026-06-13")
			h.must(err)
			found := ""
			for _, f := range report.Findings {
				found += string(f.Code)
			}
			if now.InterestPaid.String() != want.interest || found != want.findings || want.strange == 0 && now.State != refund.Paid {
				t.Errorf("%s more: %s with interest %s, findings %s", more, now.State, now.InterestPaid, found)
			}
			h.sound()
		})
	}
}
