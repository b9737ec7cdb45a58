package refund_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

// fresh is a house of its own on the quick engine.
func fresh(t *testing.T) *house {
	t.Helper()
	return open(t, freshURL(t), "delimited", "per_item")
}

// freshURL is a database of its own on the quick engine.
func freshURL(t *testing.T) string {
	t.Helper()
	url := sqldbtest.Place(t)
	sqldbtest.Lay(t, url)
	return url
}

// A refusal is one reason for which a line is not taken, in a house in which two bidders have lost and are to be paid back.
type refusal struct {
	column, code string
	of           func(h *house, credits []bank.Entry) (department string, o refund.Order)
}

const works = "建设工程科"

// with is an order for the first credit, changed.
func with(change func(o *refund.Order)) func(*house, []bank.Entry) (string, refund.Order) {
	return func(_ *house, credits []bank.Entry) (string, refund.Order) {
		o := orders(credits[0])[0]
		change(&o)
		return works, o
	}
}

// when is an order for the first credit after something was done.
func when(do func(h *house, id sqldb.ID)) func(*house, []bank.Entry) (string, refund.Order) {
	return func(h *house, credits []bank.Entry) (string, refund.Order) {
		do(h, h.credit(credits[0]))
		return works, orders(credits[0])[0]
	}
}

var refusals = []refusal{
	{"bank_serial", "credit_missing", with(func(o *refund.Order) { o.Serial = "" })},
	{"bank_serial", "receipt_unknown", with(func(o *refund.Order) { o.Serial = "0" })},
	{"bank_serial", "receipt_unjudged", when(func(h *house, id sqldb.ID) {
		h.write(func(tx *sqldb.Tx) error {
			_, err := tx.Exec(context.Background(), "DELETE FROM matches WHERE entry_id = ?", id)
			return err
		})
	})},
	{"bank_serial", "receipt_void", func(h *house, credits []bank.Entry) (string, refund.Order) {
		h.sim.Reverse(credits[0], *h.now)
		h.night("2026-06-13")
		return works, orders(credits[0])[0]
	}},
	{"bank_serial", "receipt_unproven", func(h *house, _ []bank.Entry) (string, refund.Order) {
		e := h.sim.Credit(banksim.Transfer{SubAccount: number(2), With: bidder(2), Amount: yuan("1.00"), At: *h.now})
		e.PayerKey = bidder(2).Name
		_, err := h.bank.Receive(context.Background(), bank.Message{Bank: "lcyh", ExternalID: "x", Source: bank.ByHTTP, Kind: bank.KindNotice, Raw: []byte("x"), Entries: []bank.Entry{e}})
		h.must(err)
		_, err = h.reconcile.JudgeAll(context.Background())
		h.must(err)
		return works, orders(e)[0]
	}},
	{"lot", "lot_none", func(h *house, _ []bank.Entry) (string, refund.Order) {
		e := h.sim.Credit(banksim.Transfer{Parent: parent, With: bidder(0), Amount: yuan("1.00"), At: *h.now})
		h.night("2026-06-13")
		return works, orders(e)[0]
	}},
	{"lot", "lot_foreign", func(_ *house, credits []bank.Entry) (string, refund.Order) {
		return "政府采购科", orders(credits[0])[0]
	}},
	{"lot", "lot_differs", with(func(o *refund.Order) { o.Lot = "LCJS-0" })},
	{"bidder", "bidder_differs", with(func(o *refund.Order) { o.Bidder = bidder(1).Name })},
	{"bank_serial", "receipt_unknown", func(h *house, _ []bank.Entry) (string, refund.Order) {
		ctx := context.Background()
		_, _, err := h.platform.PutLot(ctx, "platform", platform.LotOrder{Number: "S", Department: works, Deposit: yuan("1.00"), OpensAt: wall("2026-06-20 09:00:00")})
		h.must(err)
		_, _, err = h.platform.PutBid(ctx, "platform", platform.BidOrder{Lot: "S", Bidder: bidder(7).Name, BidderAccount: bidder(7).Account, Bank: "lcyh", SubAccount: number(7), LeaseFrom: wall("2026-06-01 00:00:00")})
		h.must(err)
		e := h.sim.Credit(banksim.Transfer{SubAccount: number(7), With: bidder(7), Amount: yuan("1.00"), At: *h.now})
		h.night("2026-06-13")
		return works, orders(e)[0]
	}},
	{"cause", "cause_differs", with(func(o *refund.Order) { o.Cause = refund.Won })},
	{"cause", "no_ground", func(h *house, credits []bank.Entry) (string, refund.Order) { return works, orders(credits[2])[0] }}, // the winner's
	{"cause", "cause_ambiguous", func(h *house, credits []bank.Entry) (string, refund.Order) { return works, orders(credits[1])[0] }},
	{"cause", "kept_by_rule", func(h *house, _ []bank.Entry) (string, refund.Order) { // whoever wins land pays with his deposit
		ctx := context.Background()
		_, _, err := h.platform.PutLot(ctx, "platform", platform.LotOrder{Number: "D", Department: "土地及矿产交易科", Deposit: yuan("1.00"), OpensAt: wall("2026-06-13 10:00:00")})
		h.must(err)
		_, _, err = h.platform.PutBid(ctx, "platform", platform.BidOrder{Lot: "D", Bidder: bidder(8).Name, BidderAccount: bidder(8).Account, Bank: "lcyh", SubAccount: number(8), LeaseFrom: wall("2026-06-01 00:00:00")})
		h.must(err)
		e := h.sim.Credit(banksim.Transfer{SubAccount: number(8), With: bidder(8), Amount: yuan("1.00"), At: *h.now})
		h.night("2026-06-13")
		for _, k := range []platform.EventKind{platform.EventOpened, platform.EventAwardNotice, platform.EventContractSigned} {
			o := platform.EventOrder{Number: "D" + string(k), Kind: k, Lot: "D", HappenedAt: wall("2026-06-13 10:00:00")}
			if k != platform.EventOpened {
				o.Bidder = bidder(8).Name
			}
			_, err := h.platform.Record(ctx, "platform", o)
			h.must(err)
		}
		return "土地及矿产交易科", orders(e)[0]
	}},
	{"amount", "amount_negative", with(func(o *refund.Order) { o.Amount = -1 })},
	{"amount", "already_refunded", func(h *house, credits []bank.Entry) (string, refund.Order) {
		h.submitted("before", orders(credits[0])...)
		return works, orders(credits[0])[0]
	}},
	{"amount", "amount_exceeds_left", with(func(o *refund.Order) { o.Amount = yuan("800000.01") })},
	{"amount", "amount_exceeds_ground", func(_ *house, credits []bank.Entry) (string, refund.Order) {
		o := orders(credits[1])[0]
		o.Cause, o.Amount = refund.Cause("OVERPAID"), yuan("100000.01")
		return works, o
	}},
	{"amount", "amount_over_limit", when(func(h *house, _ sqldb.ID) {
		limits := refund.DefaultLimits
		limits.Line = yuan("799999.99")
		h.limit(limits)
	})},
	{"payee_account", "payee_differs", with(func(o *refund.Order) { o.PayeeAccount = "6212" })},
	{"payee_name", "payee_masked", with(func(o *refund.Order) { o.PayeeName = "张*" })},
	{"payee_account", "payee_differs", with(func(o *refund.Order) { o.PayeeName = bidder(0).Name + "。" })},
	{"bank", "bank_unknown", when(func(h *house, _ sqldb.ID) {
		var err error
		h.banks, err = bank.ParseSet(fmt.Appendf(nil, banksFor, "other", "delimited", "per_item", "99"), nil)
		h.must(err)
		h.limit(refund.DefaultLimits)
	})},
	{"bank_serial", "on_hold", when(func(h *house, id sqldb.ID) {
		_, err := h.refund.Dispose(context.Background(), "某人", refund.DispositionOrder{Eyes: deposit.SightOfAll(), EntryID: id, Kind: refund.Held, Document: "1"})
		h.must(err)
	})},
	{"bank", "frozen", when(func(h *house, _ sqldb.ID) { freezes(platform.Freeze{Cause: platform.ByStop})(h, refund.Batch{}) })},
	{"payee_bank_code", "payee_bank_code_check_digit", with(func(o *refund.Order) { o.PayeeBankCode = "402471000008" })},
	{"payee_bank", "payee_bank_charset", with(func(o *refund.Order) { o.PayeeBank = "𠮷银行" })},
}

// Each reason for which a line is refused, with its column; the line is taken without it.
func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.code, func(t *testing.T) {
			h := fresh(t)
			credits := h.lost()
			department, o := c.of(h, credits)
			o.Row = 7
			s, err := h.refund.Submit(context.Background(), "科室甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: department, Reference: "R", Lines: []refund.Order{o}})
			h.must(err)
			if len(s.Lines) > 0 || s.List.ID != 0 || !slices.ContainsFunc(s.Faults, func(f refund.Fault) bool {
				return f.Row == 7 && f.Column == c.column && f.Code == c.code && f.Text != ""
			}) {
				t.Errorf("%d lines, %+v", len(s.Lines), s.Faults)
			}
		})
	}
	h := fresh(t)
	if s, err := h.refund.Submit(context.Background(), "科室甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R", Lines: orders(h.lost()[0])}); err != nil || len(s.Faults) > 0 || len(s.Lines) != 1 {
		t.Errorf("the control: %v %v", s.Faults, err)
	}
}

// lost has the first bidder lose with his deposit, the second with too much of it, and the third win.
func (h *house) lost() []bank.Entry {
	h.t.Helper()
	h.announce(3)
	credits := []bank.Entry{h.pay(0, "800000.00", "2026-06-12 08:10:00"), h.pay(1, "900000.00", "2026-06-12 08:20:00"), h.pay(2, "800000.00", "2026-06-12 08:30:00")}
	h.night(theDay)
	*h.now = wall("2026-06-13 09:00:00")
	h.tell(platform.EventOpened, "", "2026-06-12 09:00:00")
	h.tell(platform.EventAwardNotice, bidder(2).Name, "2026-06-13 08:00:00")
	return credits
}

// Every refusal that the examination knows has its row.
func TestRefusalsAreAllShown(t *testing.T) {
	source, err := os.ReadFile("examine.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`c\.add\("(\w+)", "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		if !slices.ContainsFunc(refusals, func(r refusal) bool { return r.column == m[1] && r.code == m[2] }) {
			t.Errorf("nothing shows %s %s", m[1], m[2])
		}
	}
}

// A list is stored whole or not at all, unless the valid lines are asked for; a dry run stores nothing; the same reference is the
// same list, and other content under it is refused.
func TestListIsWhole(t *testing.T) {
	each(t, func(h *house) {
		ctx := context.Background()
		credits := h.lost()
		o := refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R", Lines: orders(credits[0], credits[2])}
		stored := func() int {
			n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM refunds")
			h.must(err)
			return n
		}
		for _, dry := range []bool{true, false} {
			o.DryRun = dry
			s, err := h.refund.Submit(ctx, "甲", o)
			if h.must(err); len(s.Faults) != 1 || stored() != 0 {
				t.Errorf("dry %v: %v, %d stored", dry, s.Faults, stored())
			}
		}
		o.ValidOnly = true
		s, err := h.refund.Submit(ctx, "甲", o)
		if h.must(err); len(s.Faults) != 1 || len(s.Lines) != 1 || stored() != 1 || s.Known {
			t.Errorf("the valid ones: %+v, %d stored", s, stored())
		}
		again, err := h.refund.Submit(ctx, "甲", o)
		if h.must(err); !again.Known || again.List.Number != s.List.Number || stored() != 1 {
			t.Errorf("again: %+v, %d stored", again, stored())
		}
		o.Note = "另一份"
		_, err = h.refund.Submit(ctx, "甲", o)
		refused(t, err, "list_reference_reused")
	})
}

// A list and its lines lie in one window of keys, so that a step of all of them changes few pages. Keys drawn one by one lie anywhere
// in 63 bits.
func TestLinesLieTogether(t *testing.T) {
	h := fresh(t)
	credits := h.lost()
	s, err := h.refund.Submit(context.Background(), "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: works, Reference: "R", Lines: orders(credits[0])})
	if h.must(err); len(s.Lines) != 1 {
		t.Fatal(s.Faults)
	}
	if line, list := s.Lines[0].ID, s.List.ID; max(line, list)-min(line, list) >= 1<<40 {
		t.Errorf("a line lies at %d, its list at %d", line, list)
	}
}
