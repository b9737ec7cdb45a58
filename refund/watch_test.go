package refund_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"depositd/bank/banksim"
	"depositd/platform"
	"depositd/platform/incident"
	"depositd/refund"
)

// signs are what both lookouts see, each once.
func (h *house) signs() []incident.Sign {
	h.t.Helper()
	now, err := h.refund.Watch(context.Background())
	h.must(err)
	late, err := h.refund.WatchOverdue(context.Background())
	h.must(err)
	return append(now, late...)
}

// seen prints signs in short: code, side, whether the account is frozen.
func seen(all []incident.Sign) string {
	var short []string
	for _, s := range all {
		text := s.Code + " " + string(s.Fault.Side)
		if s.ParentAccount != "" {
			text += " frozen"
		}
		short = append(short, text)
	}
	return strings.Join(short, ", ")
}

// What goes wrong with a batch is one trouble, on the side on which it lies; nothing is seen of one that goes well.
func TestWatch(t *testing.T) {
	plan, err := incident.Default()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fate     banksim.Fate
		exchange func(h *house) refund.Exchange // nil: the bank's
		spoil    func(h *house)                 // done before it is sent
		after    time.Duration
		want     string
	}{
		"paid":                     {fate: banksim.Pays, after: 25 * time.Hour},
		"refused for the payee":    {fate: banksim.Refuses, want: "REFUNDS_RETURNED BIDDER"},
		"no answer":                {fate: banksim.Drowns, after: 25 * time.Hour, want: "REFUNDS_UNKNOWN OPEN frozen"},
		"no answer, not a day ago": {fate: banksim.Drowns, after: 23 * time.Hour},
		"a word nobody knows":      {fate: banksim.Unclear, after: 25 * time.Hour, want: "REFUNDS_UNKNOWN BANK frozen"},
		"could not be dialled":     {exchange: away, after: 31 * time.Minute, want: "REFUND_BATCH_FAILED LINK frozen"},
		"dialled for some minutes": {exchange: away, after: 29 * time.Minute},
		"our own validation":       {spoil: spoil(func(l *refund.Line) { l.PayeeBankCode = "402471000008" }), after: 31 * time.Minute, want: "REFUND_BATCH_FAILED OURS frozen"},
		"the sender broke off":     {exchange: dying, after: 25 * time.Hour, want: "REFUNDS_UNKNOWN OURS frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			h := fresh(t)
			ctx := context.Background()
			h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(c.fate)})
			h.composed(h.submitted("R1", orders(h.ready(1)...)...)...)
			if c.spoil != nil {
				c.spoil(h)
			}
			exchange := refund.Exchange(h.exchange)
			if c.exchange != nil {
				exchange = c.exchange(h)
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = h.refund.SendDue(ctx, "sender", h.lcyh, exchange)
			}()
			_, _ = h.refund.SendDue(ctx, "sender", h.lcyh, exchange) // the next run
			*h.now = h.now.Add(c.after)
			all := h.signs()
			if got := seen(all); got != c.want {
				t.Errorf("it sees %q, want %q", got, c.want)
			}
			for _, s := range all {
				for _, e := range s.Evidence {
					if _, step := plan.Scenario(s.Scenario).Step(e.Step); step == nil || strings.Contains(e.Text, bidder(0).Name) || strings.Contains(e.Text, bidder(0).Account) || strings.Contains(e.Text, "800") {
						t.Errorf("%s, step %s: %s", s.Code, e.Step, e.Text)
					}
				}
			}
		})
	}
}

// Money whose day is over is its department's trouble, whether it is on a list or not, and freezes nothing. That a bidder of a sealed
// lot has to have his back is told nobody.
func TestWatchOverdue(t *testing.T) {
	each(t, func(h *house) {
		credits := h.ready(2)
		h.tell(platform.EventContractSigned, bidder(2).Name, "2026-06-13 09:00:00")
		if got := seen(h.signs()); got != "" {
			t.Errorf("on the first day it sees %q", got)
		}
		*h.now = wall("2026-06-19 09:00:00")
		all := h.signs()
		if got := seen(all); got != "REFUNDS_OVERDUE OURS" || all[0].Subject != "建设工程科" || !strings.Contains(all[0].Evidence[0].Text, "尚未列入退款名单 2 笔") || len(all[0].Deadlines) != 1 {
			t.Errorf("it sees %q: %+v", got, all)
		}
		h.submitted("R1", orders(credits[0])...)
		if text := h.signs()[0].Evidence[0].Text; !strings.Contains(text, "尚未列入退款名单 1 笔") || !strings.Contains(text, "在途 1 笔，等待综合科组批") {
			t.Error(text)
		}
	})
	each(t, func(h *house) {
		h.announce(2)
		h.pay(0, "800000.00", "2026-06-12 08:10:00")
		h.night(theDay)
		h.tell(platform.EventBidWithdrawn, bidder(0).Name, "2026-06-12 08:30:00")
		_, err := h.reconcile.JudgeAll(context.Background())
		h.must(err)
		*h.now = wall("2026-06-30 09:00:00")
		if all := h.signs(); len(all) > 0 {
			t.Errorf("before the opening it sees %+v", all)
		}
	})
}
