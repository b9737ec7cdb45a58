package refund_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/refund"
)

// The bank's failures and our own are told apart by what is on record.
func TestDiagnosis(t *testing.T) {
	for name, c := range map[string]struct {
		fate     banksim.Fate
		exchange func(h *house) refund.Exchange // nil: the bank's
		spoil    func(h *house)                 // done before it is sent
		state    refund.State
		side     refund.Side
		evidence string
		unpaid   bool
		messages int
		answers  int
	}{
		"paid":                  {fate: banksim.Pays, state: refund.Paid, messages: 1, answers: 1},
		"refused for the payee": {fate: banksim.Refuses, state: refund.Failed, side: refund.SideData, evidence: "户名", unpaid: true, messages: 1, answers: 1},
		"no answer":             {fate: banksim.Drowns, state: refund.Unknown, side: refund.SideBank, evidence: "未得到应答", messages: 1},
		"a word nobody knows":   {fate: banksim.Unclear, state: refund.Unknown, side: refund.SideBank, evidence: "不能据以认定结果", messages: 1, answers: 1},
		"an unreadable answer":  {exchange: answering("<html>502</html>"), state: refund.Unknown, side: refund.SideBank, evidence: "answer_unreadable", messages: 1, answers: 1},
		"could not be dialled":  {exchange: away, state: refund.Released, side: refund.SideBank, evidence: "连接不上银行", unpaid: true, messages: 1},
		"our own validation":    {spoil: spoil(func(l *refund.Line) { l.PayeeBankCode = "402471000008" }), state: refund.Released, side: refund.SideOurs, evidence: "校验未通过", unpaid: true},
		"the sender broke off":  {exchange: dying, state: refund.Unknown, side: refund.SideOurs, evidence: "本系统中断", messages: 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := fresh(t)
			ctx := context.Background()
			h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Always(c.fate)})
			credits := h.ready(1)
			b := h.composed(h.submitted("R1", orders(credits...)...)...)
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
			d, err := h.refund.Diagnose(ctx, deposit.SightOfAll(), b.ID)
			h.must(err)
			l := d.Lines[0]
			if l.State != c.state || l.Side != c.side || !strings.Contains(l.Evidence, c.evidence) || l.Unpaid != c.unpaid || len(d.Messages) != c.messages {
				t.Fatalf("%s, side %q, %q, unpaid %v, %d messages", l.State, l.Side, l.Evidence, l.Unpaid, len(d.Messages))
			}
			if l.Receipt.Serial != credits[0].Serial || !l.Receipt.OnStatement || l.Receipt.Verdict != "MATCHED" || l.Receipt.Amount != credits[0].Amount {
				t.Errorf("its receipt is %+v", l.Receipt)
			}
			if c.messages > 0 && (!strings.Contains(d.Messages[0].Request, l.Serial) || !strings.Contains(d.Messages[0].Request, bidder(0).Name) || len(d.Messages[0].Answers) != c.answers) {
				t.Errorf("the message is %+v", d.Messages[0])
			}
			if c.messages > 0 && (strings.Contains(d.Messages[0].Request, bidder(0).Account) || !strings.Contains(d.Messages[0].Request, deposit.MaskAccount(bidder(0).Account))) {
				t.Errorf("a whole account, or none, in %s", d.Messages[0].Request)
			}
			if again := len(d.Again) == 1; again != (c.state == refund.Failed) {
				t.Errorf("to submit again: %+v", d.Again)
			}
		})
	}
}

// The corrected list can be submitted as it is, and says what has to be corrected first.
func TestCorrectedList(t *testing.T) {
	h := fresh(t)
	ctx := context.Background()
	h.pays = h.sim.Paying(banksim.PayRules{Dice: banksim.Odds(map[banksim.Fate]int{banksim.Pays: 1, banksim.Refuses: 1})})
	b := h.composed(h.submitted("R1", orders(h.ready(8)...)...)...)
	h.sent()
	d, err := h.refund.Diagnose(ctx, deposit.SightOfAll(), b.ID)
	h.must(err)
	if len(d.Again) != 1 || len(d.Again[0].Lines) != d.Unpaid || d.Unpaid == 0 || d.Unpaid == 8 || len(d.Again[0].Faults) > 0 {
		t.Fatalf("%d unpaid, %+v", d.Unpaid, d.Again)
	}
	list := refund.ListOrder{Eyes: deposit.SightOfAll(), Department: d.Again[0].Department, Reference: "R2"}
	for i, l := range d.Again[0].Lines {
		if l.Correct == "" || l.Lot != lot || l.Bidder == "" {
			t.Errorf("%+v", l)
		}
		list.Lines = append(list.Lines, refund.Order{Row: i + 1, Bank: l.Bank, Day: l.Day, Serial: l.Serial, Lot: l.Lot, Bidder: l.Bidder.Full(), Amount: l.Amount, Cause: l.Cause,
			PayeeName: l.PayeeName.Full(), PayeeAccount: l.PayeeAccount.Full(), PayeeBank: l.PayeeBank, PayeeBankCode: l.PayeeBankCode})
	}
	s, err := h.refund.Submit(ctx, "甲", list)
	if h.must(err); len(s.Faults) > 0 || len(s.Lines) != d.Unpaid {
		t.Errorf("%d lines, %v", len(s.Lines), s.Faults)
	}
	_, err = h.refund.Diagnose(ctx, deposit.SightOfAll(), 7)
	refused(t, err, "batch_unknown")
}

func answering(text string) func(*house) refund.Exchange {
	return func(*house) refund.Exchange {
		return func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return []byte(text), nil }
	}
}

func away(h *house) refund.Exchange {
	cause := unsent(h)
	return func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { return nil, cause }
}

func dying(*house) refund.Exchange {
	return func(context.Context, *bank.Bank, string, []byte) ([]byte, error) { panic(errors.New("it died")) }
}

func spoil(change func(*refund.Line)) func(*house) {
	return func(h *house) {
		h.write(func(tx *sqldb.Tx) error {
			all, err := refund.LinesOfAccount(context.Background(), tx, "lcyh", parent)
			for i := range all {
				change(&all[i])
				err = errors.Join(err, all[i].Write(context.Background(), tx))
			}
			return err
		})
	}
}
