package refund_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

const (
	theDay = deposit.Day("2026-06-12")
	parent = "3705018860000000123"
	lot    = "LCJS-2026-0131"
)

// house is the desks over one database, with a clock that is set by hand and a simulated bank at the far end.
type house struct {
	t         testing.TB
	now       *time.Time
	db        *sqldb.DB
	banks     *bank.Set
	lcyh      *bank.Bank
	bank      *bank.Desk
	platform  *platform.Desk
	reconcile *reconcile.Desk
	refund    *refund.Desk
	sim       *banksim.Sim
	pays      *banksim.Payments
	first     bank.Entry // of those that ready has made
	told      [][]byte   // what the bank has reported by itself
}

const banksFor = `banks:
  - {code: %s, name: 聊城示例银行, adapter: gseries, statement: delimited, payout: %s, posting: %s, parent_accounts: ["%s"], notices: single, seal: {scheme: none}}
`

// exchange is the line to the simulated bank. What is not answered is an error that nobody classified.
func (h *house) exchange(_ context.Context, _ *bank.Bank, _ string, raw []byte) ([]byte, error) {
	take := h.pays.Take
	if bytes.Contains(raw, []byte("<TransCode>G00011</TransCode>")) {
		take = h.pays.Query
	}
	if answer, answered := take(raw); answered {
		return answer, nil
	}
	return nil, errors.New("no answer")
}

// send sends what is due and asks about what is open.
func (h *house) send() {
	h.t.Helper()
	_, err := h.refund.SendDue(context.Background(), "sender", h.lcyh, h.exchange)
	h.must(err)
	*h.now = h.now.Add(time.Hour)
	h.pays.Tick()
	_, err = h.refund.AskDue(context.Background(), "sender", h.lcyh, time.Minute, h.exchange)
	h.must(err)
}

// open makes a house in the morning of the day, before the opening.
func open(t testing.TB, url, payout, posting string) *house {
	t.Helper()
	db, now := database(t, url)
	return houseOf(t, db, now, "lcyh", parent, payout, posting, rand.New(rand.NewPCG(1, 2)))
}

// database is an empty one with a clock that is set by hand.
func database(t testing.TB, url string) (*sqldb.DB, *time.Time) {
	t.Helper()
	now := new(time.Time)
	return sqldbtest.Open(t, url, func() time.Time { return *now }), now
}

// houseOf is the desks over a database, for one bank.
func houseOf(t testing.TB, db *sqldb.DB, now *time.Time, code, account, payout, posting string, r *rand.Rand) *house {
	t.Helper()
	h := &house{t: t, now: now, db: db}
	*now = wall("2026-06-12 08:00:00")
	var err error
	h.banks, err = bank.ParseSet(fmt.Appendf(nil, banksFor, code, payout, posting, account), nil)
	h.must(err)
	h.lcyh = h.banks.Only()
	h.bank, h.platform, h.reconcile = bank.NewDesk(db), platform.NewDesk(db), reconcile.NewDesk(db, h.banks, reconcile.Rules{})
	h.limit(refund.DefaultLimits)
	h.sim = banksim.New(h.lcyh, r, func() time.Time { return *h.now })
	h.pays = h.sim.Paying(banksim.PayRules{})
	return h
}

// limit sets what the house allows at most.
func (h *house) limit(l refund.Limits) {
	h.t.Helper()
	rules, err := refund.Default()
	h.must(err)
	h.refund = refund.NewDesk(h.db, h.banks, rules, l)
	h.reconcile.Join(h.refund.Beside())
}

// refused says that an error is a Refusal with the code.
func refused(t testing.TB, err error, code string) {
	t.Helper()
	if err == nil || deposit.AsRefusal(err).Code != code {
		t.Errorf("%v, not %s", err, code)
	}
}

// each runs a test in a fresh house on every engine.
func each(t *testing.T, test func(h *house)) {
	t.Helper()
	sqldbtest.EachURL(t, func(t *testing.T, url string) { test(open(t, url, "delimited", "per_item")) })
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func wall(s string) time.Time {
	at, err := deposit.ParseWall(s)
	if err != nil {
		panic(err)
	}
	return at
}

func yuan(s string) deposit.Fen {
	fen, err := deposit.ParseYuan(s)
	if err != nil {
		panic(err)
	}
	return fen
}

// bidder is the i-th bidder on the lot: who pays, and from where.
func bidder(i int) banksim.Party {
	return banksim.Party{Name: fmt.Sprintf("聊城市第%d建设工程有限公司", i), Account: fmt.Sprintf("6212%015d", i), Bank: "聊城农商银行", BankCode: "402471000009"}
}

// announce announces the lot of 建设工程科 with n bidders, each with a number of his own, opening at nine.
func (h *house) announce(n int) {
	h.t.Helper()
	opens := wall("2026-06-12 09:00:00")
	_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: lot, Department: "建设工程科", Deposit: yuan("800000.00"), OpensAt: opens})
	h.must(err)
	for i := range n {
		_, _, err := h.platform.PutBid(context.Background(), "platform", platform.BidOrder{Lot: lot, Bidder: bidder(i).Name, BidderAccount: bidder(i).Account,
			Bank: "lcyh", SubAccount: number(i), LeaseFrom: wall("2026-06-01 00:00:00")})
		h.must(err)
	}
}

func number(i int) string { return fmt.Sprintf("%s-%06d", parent, i) }

// pay books a bidder's deposit at the bank.
func (h *house) pay(i int, amount string, at string) bank.Entry {
	return h.sim.Credit(banksim.Transfer{SubAccount: number(i), With: bidder(i), Amount: yuan(amount), At: wall(at)})
}

// tell records an event of the lot.
func (h *house) tell(kind platform.EventKind, winner string, at string) {
	h.t.Helper()
	_, err := h.platform.Record(context.Background(), "platform", platform.EventOrder{Number: string(kind) + winner, Kind: kind, Lot: lot, Bidder: winner, HappenedAt: wall(at)})
	h.must(err)
}

// night takes in the bank's statement of a day, closes it and settles it, half an hour after midnight.
func (h *house) night(day deposit.Day) refund.Settled {
	h.t.Helper()
	ctx := context.Background()
	*h.now = day.Add(1).Start().Add(30 * time.Minute)
	file, err := h.sim.Statement(h.lcyh.Parent(), day)
	if err != nil {
		for _, e := range h.sim.Entries(h.lcyh.Parent(), day) {
			h.t.Logf("%+v", e)
		}
	}
	h.must(err)
	_, err = h.bank.Import(ctx, "nightly", h.lcyh, "statement", bytes.NewReader(file))
	h.must(err)
	err = h.reconcile.CloseDay(ctx, "nightly", day)
	h.must(err)
	settled, err := h.refund.Settle(ctx, "nightly", h.lcyh, h.lcyh.Parent(), day)
	h.must(err)
	return settled
}

// orders names credits by day and serial, as a department does.
func orders(credits ...bank.Entry) []refund.Order {
	all := make([]refund.Order, len(credits))
	for i, e := range credits {
		all[i] = refund.Order{Bank: e.Bank, Day: e.BookingDate, Serial: e.Serial}
	}
	return all
}

// released takes credits from a list to a released batch, by three persons.
func (h *house) released(credits ...bank.Entry) refund.Batch {
	h.t.Helper()
	ctx := context.Background()
	s, err := h.refund.Submit(ctx, "科室甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: "R1", Lines: orders(credits...)})
	h.must(err)
	if len(s.Faults) > 0 {
		h.t.Fatal(s.Faults)
	}
	keys := make([]sqldb.ID, len(s.Lines))
	for i, l := range s.Lines {
		keys[i] = l.ID
	}
	made, err := h.refund.Compose(ctx, "经办乙", keys)
	h.must(err)
	b := made[0]
	b, err = h.refund.Check(ctx, "复核丙", refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count, Total: b.Total})
	h.must(err)
	b, err = h.refund.Release(ctx, "放行丁", refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count, Total: b.Total})
	h.must(err)
	return b
}

// sound says that no invariant is broken; but is left out.
func (h *house) sound(but ...string) {
	h.t.Helper()
	ours, err := h.refund.Verify(context.Background())
	h.must(err)
	all, err := h.reconcile.Invariants(context.Background())
	h.must(err)
	for _, c := range append(ours, all...) {
		if c.Count > 0 && !slices.Contains(but, c.Code) {
			h.t.Errorf("%s %s: %d, as %s", c.Code, c.Title, c.Count, c.Sample)
		}
	}
}
