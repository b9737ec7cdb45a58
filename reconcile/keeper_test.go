package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

const (
	keeperParent = "3705018860000000123"
	keeperBanks  = "banks:\n  - code: lcyh\n    name: 聊城银行\n    adapter: gseries\n    statement: delimited\n    parent_accounts: [\"" + keeperParent + "\"]\n    seal: {scheme: none}\n"
)

// kept is a house whose bank answers calls over TCP, or cannot be called.
type kept struct {
	*house
	sim    *banksim.Sim
	keeper *reconcile.Keeper
	set    *bank.Set
	opened int
}

// keep makes one; numbers says in banks.yaml's words where numbers come from, called whether the bank can be called.
func keep(t *testing.T, url, numbers string, called bool) *kept {
	t.Helper()
	return keptOver(t, open(t, url), numbers, called)
}

// keptOver makes one of a house.
func keptOver(t *testing.T, h *house, numbers string, called bool) *kept {
	t.Helper()
	k := &kept{house: h}
	text := keeperBanks + "    numbers: " + numbers + "\n"
	plain, err := bank.ParseSet([]byte(keeperBanks), nil)
	h.must(err)
	b, _ := plain.Bank("lcyh")
	began := *h.now // the bank's own clock stands, since it answers beside the test
	k.sim = banksim.New(b, rand.New(rand.NewPCG(1, 2)), func() time.Time { return began })
	if called {
		address, stop, err := k.sim.Listen(context.Background(), banksim.TCP)
		h.must(err)
		t.Cleanup(func() { h.must(stop()) })
		text += "    call: " + address + "\n"
	}
	set, err := bank.ParseSet([]byte(text), nil)
	h.must(err)
	h.lcyh, _ = set.Bank("lcyh")
	k.set, h.reconcile = set, reconcile.NewDesk(h.db, set, reconcile.Rules{})
	k.keeper, err = reconcile.NewKeeper(h.db, set, h.bank, h.platform, func() string { return sqldb.NewID().String() })
	h.must(err)
	return k
}

func (k *kept) wanting(lot, bidder string) platform.Bid {
	k.t.Helper()
	bid, _, err := k.platform.PutBid(context.Background(), "platform", platform.BidOrder{Lot: lot, Bidder: bidder, BidderAccount: "A-" + bidder})
	k.must(err)
	return bid
}

// ask asks for a number for a bid; "" where the bid has to wait.
func (k *kept) ask(bid platform.Bid) string {
	k.t.Helper()
	lease, _, err := k.platform.Allocate(context.Background(), "platform", platform.NumberOrder{Bid: bid.ID, Bank: "lcyh", Parent: keeperParent})
	if deposit.AsRefusal(err).Code == "pool_exhausted" {
		return ""
	}
	k.must(err)
	return lease.SubAccount
}

func (k *kept) tend() {
	k.t.Helper()
	_, err := k.keeper.Tend(context.Background(), "test")
	k.must(err)
}

func (k *kept) state(number string) platform.NumberState {
	k.t.Helper()
	n, err := platform.NumberOf(context.Background(), k.db, "lcyh", number)
	k.must(err)
	return n.State
}

func (k *kept) want(number string, state platform.NumberState) {
	k.t.Helper()
	if got := k.state(number); got != state {
		k.t.Errorf("%s is %s, want %s", number, got, state)
	}
}

func (k *kept) happens(kind platform.EventKind, lot string) {
	k.t.Helper()
	k.opened++
	_, err := k.platform.Record(context.Background(), "platform", platform.EventOrder{Number: fmt.Sprint("E", k.opened), Kind: kind, Lot: lot, HappenedAt: *k.now})
	k.must(err)
}

// book books money on a number at the bank and, as if by notice or statement, here.
func (k *kept) book(number, payer, amount string, direction bank.Direction) {
	k.t.Helper()
	transfer := banksim.Transfer{SubAccount: number, With: banksim.Party{Name: payer, Account: "A-" + payer}, Amount: fen(amount), At: *k.now}
	if direction == bank.Debit {
		k.push(k.sim.Debit(transfer))
	} else {
		k.push(k.sim.Credit(transfer))
	}
	_, err := k.reconcile.JudgeAll(context.Background())
	k.must(err)
}

func (k *kept) heard(code string) (results []string) {
	for _, h := range k.sim.Heard() {
		if h.Code == code {
			results = append(results, string(h.Fault)+h.Result)
		}
	}
	return results
}

// The life of a number at a bank that opens and closes it: opened for a bid, drained, refused while money stands on it,
// closed, in quarantine, opened again and leased to another bid.
func TestLifeOfANumberAtTheBank(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "{from: open, quarantine_days: 90}", true)
		k.sim.Stock("", "n1")
		k.lot("L1", "1000.00", "2026-06-12 15:00:00")
		bid := k.wanting("L1", dongchang)
		if k.ask(bid) != "" {
			t.Fatal("an empty pool gave a number")
		}
		k.tend()
		if got := k.ask(bid); got != "n1" {
			t.Fatalf("the bid got %q", got)
		}
		k.book("n1", dongchang, "1000.00", bank.Credit)
		*k.now = k.now.Add(4 * time.Hour)
		k.happens(platform.EventFailed, "L1")
		k.want("n1", platform.NumberDraining)
		k.tend()
		if got := k.heard("G00004"); len(got) != 0 {
			t.Errorf("asked to close a number with money on it: %v", got)
		}
		k.push(bank.Entry{Bank: "lcyh", ParentAccount: keeperParent, BookingDate: deposit.DayOf(*k.now), Serial: "2", Direction: bank.Debit, SubAccount: "n1",
			Amount: fen("1000.00"), BookedAt: *k.now, PayerName: dongchang, PayerAccount: "A-" + dongchang})
		k.tend() // by our books it is empty, by the bank's not yet
		k.want("n1", platform.NumberDraining)
		k.sim.Debit(banksim.Transfer{SubAccount: "n1", With: banksim.Party{Name: dongchang}, Amount: fen("1000.00")})
		k.tend()
		if got := strings.Join(k.heard("G00004"), " "); got != "09" {
			t.Errorf("asked again at once: %s", got)
		}
		*k.now = k.now.Add(31 * time.Minute)
		k.tend()
		k.want("n1", platform.NumberQuarantined)

		k.lot("L2", "1000.00", "2026-12-12 15:00:00")
		next := k.wanting("L2", weihe)
		if k.ask(next) != "" {
			t.Error("a number in quarantine was given out")
		}
		*k.now = k.now.Add(91 * 24 * time.Hour)
		if k.keeper.Opens(k.lcyh); k.state("n1") != platform.NumberQuarantined {
			t.Error("it is free before the bank has opened it again")
		}
		k.tend()
		if got := k.ask(next); got != "n1" {
			t.Errorf("the next bid got %q", got)
		}
		if fired := firing(k.house); len(fired) > 0 {
			t.Errorf("violated: %v", fired)
		}
	})
}

// Whatever becomes of the answer to an opening, the bank opens one number for one bid.
func TestOpeningIsAskedAgainWithItsKey(t *testing.T) {
	for _, fault := range []banksim.CallFault{banksim.AnswerLost, banksim.AnswerCut, banksim.Garbage, banksim.HungUp, banksim.Refuses99, banksim.Refuses09, banksim.OddResult} {
		t.Run(string(fault), func(t *testing.T) {
			k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "open", true)
			k.sim.Stock("", "n1", "n2", "n3")
			k.lot("L1", "1000.00", "2026-06-12 15:00:00")
			bid := k.wanting("L1", dongchang)
			k.ask(bid)
			k.sim.Fail("G00003", fault)
			if _, err := k.keeper.Tend(context.Background(), "test"); err == nil {
				t.Error("the fault went unnoticed")
			}
			k.tend()
			k.tend()
			if got := k.ask(bid); got == "" {
				t.Error("the bid still waits")
			}
			if _, open := k.sim.Numbers(""); len(open) != 1 {
				t.Errorf("the bank has opened %v", open)
			}
		})
	}
}

// A number that the bank hands out while somebody holds it stays his.
func TestClash(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "open", true)
	k.sim.Stock("", "n1", "n2")
	k.lot("L1", "1000.00", "2026-06-12 15:00:00")
	first, second := k.wanting("L1", dongchang), k.wanting("L1", weihe)
	k.ask(first)
	k.tend()
	k.ask(second)
	k.sim.Fail("G00003", banksim.StillLeased)
	k.tend()
	if a, b := k.ask(first), k.ask(second); a != "n1" || b != "n2" {
		t.Errorf("they have %s and %s", a, b)
	}
}

// A closing whose answer is lost is asked again, and that the bank knows the number no more says that it is closed.
func TestClosingIsAskedAgain(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "load", true)
	k.sim.Lend("", "n1", "K")
	_, err := k.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, []string{"n1"})
	k.must(err)
	k.lot("L1", "1000.00", "2026-06-12 15:00:00")
	k.ask(k.wanting("L1", dongchang))
	k.happens(platform.EventTerminated, "L1")
	k.sim.Fail("G00004", banksim.AnswerLost)
	if _, err := k.keeper.Tend(context.Background(), "test"); err == nil {
		t.Error("the fault went unnoticed")
	}
	k.want("n1", platform.NumberDraining)
	*k.now = k.now.Add(time.Minute)
	k.tend()
	k.want("n1", platform.NumberQuarantined)
	_, err = k.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, []string{"n8"})
	k.must(err)
	k.lot("L2", "1000.00", "2026-06-12 15:00:00")
	k.ask(k.wanting("L2", weihe))
	k.happens(platform.EventTerminated, "L2")
	k.tend() // a number that the bank never knew is not released on its word
	k.want("n8", platform.NumberDraining)
}

// Where the bank cannot be called a person confirms, once the last statement is closed.
func TestReleaseByAPerson(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "load", false)
	_, err := k.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, []string{"n1"})
	k.must(err)
	k.lot("L1", "1000.00", "2026-06-12 15:00:00")
	k.ask(k.wanting("L1", dongchang))
	k.happens(platform.EventTerminated, "L1")
	k.tend()
	k.want("n1", platform.NumberDraining)
	confirm := func(code string) {
		t.Helper()
		if err := k.keeper.ConfirmReleased(context.Background(), "张会计", k.lcyh, "n1"); deposit.AsRefusal(err).Code != code && (err != nil || code != "") {
			t.Errorf("%v, want %q", err, code)
		}
	}
	confirm("statement_open")
	credit := paid("1", "n1", dongchang, "1000.00", "10:00:00")
	k.house.state("0.00", "1000.00", credit)
	k.close()
	confirm("balance_not_zero")
	back := credit
	back.Serial, back.Direction = "2", bank.Debit
	k.house.state("0.00", "0.00", credit, back)
	k.close()
	confirm("")
	k.want("n1", platform.NumberQuarantined)
}

// Late money puts a free number back into quarantine and keeps it there until the money is paid back.
func TestLateMoneyHoldsTheNumber(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "{from: load, quarantine_days: 1}", true)
		k.sim.Lend("", "n1", "K")
		_, err := k.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, []string{"n1"})
		k.must(err)
		k.lot("L1", "1000.00", "2026-06-12 15:00:00")
		k.ask(k.wanting("L1", dongchang))
		k.happens(platform.EventTerminated, "L1")
		k.tend()
		*k.now = k.now.Add(25 * time.Hour)
		k.tend()
		k.want("n1", platform.NumberFree)
		k.book("n1", dongchang, "1000.00", bank.Credit)
		k.want("n1", platform.NumberQuarantined)
		*k.now = k.now.Add(25 * time.Hour)
		k.tend()
		k.want("n1", platform.NumberQuarantined) // the money is there still
		k.book("n1", dongchang, "1000.00", bank.Debit)
		k.tend()
		k.want("n1", platform.NumberFree)
		page, _, err := k.reconcile.Findings(context.Background(), deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.UnknownSubAccount})
		k.must(err)
		if len(page) != 1 || fmt.Sprint(page[0].Reasons) != "[UNKNOWN_SUB_ACCOUNT NOT_LEASED LATE_NUMBER_MONEY]" || page[0].SuggestedBidder != dongchang {
			t.Errorf("found %+v", page)
		}
	})
}

// Two replicas, and many who wait in each: every bid gets a number of its own, and no more are opened than one to spare for each
// replica.
func TestManyOpenAtOnce(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "open", true)
		var stock []string
		for i := range 40 {
			stock = append(stock, fmt.Sprint("n", i))
		}
		k.sim.Stock("", stock...)
		k.lot("L1", "1000.00", "2026-06-12 15:00:00")
		var bids []platform.Bid
		for i := range 12 {
			bids = append(bids, k.wanting("L1", fmt.Sprint("投标人", i)))
			k.ask(bids[i])
		}
		other, err := reconcile.NewKeeper(k.db, k.set, k.bank, k.platform, func() string { return sqldb.NewID().String() })
		k.must(err)
		var running sync.WaitGroup
		for i := range 8 {
			keeper := []*reconcile.Keeper{k.keeper, other}[i%2]
			running.Go(func() {
				if _, err := keeper.TopUp(context.Background(), "test", k.lcyh, keeperParent); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		had := map[string]bool{}
		for _, bid := range bids {
			number := k.ask(bid)
			if number == "" || had[number] {
				t.Errorf("a bid got %q", number)
			}
			had[number] = true
		}
		if _, open := k.sim.Numbers(""); len(open) > len(bids)+2 {
			t.Errorf("%d are opened for %d bids", len(open), len(bids))
		}
		k.wantFound("no clash", k.nightly(true))
	})
}
