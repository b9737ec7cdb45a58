package refund_test

import (
	"context"
	"testing"
	"time"

	"depositd/bank/banksim"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// TestBlindRefusal: what is wrong with a blind line is not told, but for one thing that is the bank's and that no waiting mends.
func TestBlindRefusal(t *testing.T) {
	for code, who := range map[string]func(*banksim.Party){
		"":                      func(*banksim.Party) {},
		"sealed_bank_missing":   func(p *banksim.Party) { p.Bank, p.BankCode = "", "" },
		"sealed_refund_unready": func(p *banksim.Party) { p.Name, p.BankCode = "聊城𠮷祥公司", "" }, // a name that no bank can write, besides
	} {
		t.Run(code, func(t *testing.T) {
			h := fresh(t)
			payer := bidder(0)
			who(&payer)
			s := h.blind(payer)
			switch {
			case code == "" && (len(s.Lines) != 1 || !s.Lines[0].Blind):
				t.Errorf("not taken: %+v", s.Faults)
			case code != "" && (len(s.Faults) != 1 || s.Faults[0].Code != code || s.Faults[0].Column != "credit"):
				t.Errorf("told %+v", s.Faults)
			}
		})
	}
}

// blind has a bidder pay and withdraw before the opening, and lists his deposit by its key alone.
func (h *house) blind(payer banksim.Party) refund.Submission {
	h.t.Helper()
	ctx := context.Background()
	opens := wall("2026-06-20 09:00:00")
	_, _, err := h.platform.PutLot(ctx, "platform", platform.LotOrder{Number: lot, Department: works, Deposit: yuan("800000.00"), OpensAt: opens})
	h.must(err)
	_, _, err = h.platform.PutBid(ctx, "platform", platform.BidOrder{Lot: lot, Bidder: payer.Name, BidderAccount: payer.Account, Bank: "lcyh", SubAccount: number(0), LeaseFrom: wall("2026-06-01 00:00:00")})
	h.must(err)
	paid := h.sim.Credit(banksim.Transfer{SubAccount: number(0), With: payer, Amount: yuan("800000.00"), At: h.now.Add(time.Minute)})
	h.night(theDay)
	h.tell(platform.EventBidWithdrawn, payer.Name, "2026-06-12 11:00:00")
	_, err = h.reconcile.JudgeAll(ctx)
	h.must(err)
	s, err := h.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "综合科", Reference: "R", Lines: []refund.Order{{Credit: h.credit(paid)}}})
	h.must(err)
	return s
}
