package reconcile_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

const theDay = deposit.Day("2026-06-12")

// house is the desks over one database, with a clock that is set by hand.
type house struct {
	t         testing.TB
	now       *time.Time
	db        *sqldb.DB
	bank      *bank.Desk
	platform  *platform.Desk
	reconcile *reconcile.Desk
	lcyh      *bank.Bank
}

// open makes a house in the morning of the day.
func open(t testing.TB, url string) *house {
	t.Helper()
	now := wall("2026-06-12 12:30:00")
	return houseOf(t, sqldbtest.Open(t, url, func() time.Time { return now }), &now)
}

// houseOf is the desks over an open database.
func houseOf(t testing.TB, db *sqldb.DB, now *time.Time) *house {
	t.Helper()
	set, err := bank.ParseSet([]byte("banks:\n  - code: lcyh\n    name: 聊城银行\n    adapter: gseries\n    statement: delimited\n    parent_accounts: [\"3705018860000000123\"]\n    notices: single\n    seal: {scheme: none}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := set.Bank("lcyh")
	return &house{t, now, db, bank.NewDesk(db), platform.NewDesk(db), reconcile.NewDesk(db, set, reconcile.Rules{}), b}
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// push delivers a notice of one entry, as if the bank had sent it.
func (h *house) push(e bank.Entry) {
	h.t.Helper()
	e.Bank, e.PayerKey = "lcyh", deposit.NameKey(e.PayerName)
	raw := fmt.Appendf(nil, "%s %s %s %s", e.Serial, e.Amount, e.SubAccount, e.PayerName)
	_, err := h.bank.Receive(context.Background(), bank.Message{Bank: "lcyh", ExternalID: string(raw[:min(len(raw), 60)]), Source: "HTTP", Kind: "NOTICE", Raw: raw, Entries: []bank.Entry{e}})
	h.must(err)
}

// state delivers the day's statement with the given entries.
func (h *house) state(opening, closing string, entries ...bank.Entry) {
	h.t.Helper()
	o, c := fen(opening), fen(closing)
	var file strings.Builder
	h.must(bank.WriteDelimited(&file, bank.Statement{ParentAccount: h.lcyh.Parent(), Day: theDay, Currency: "CNY", Opening: &o, Closing: &c,
		Declared: bank.DeclaredBy(entries), LastPage: true}, entries))
	_, err := h.bank.Import(context.Background(), "test", h.lcyh, "statement.txt", strings.NewReader(file.String()))
	h.must(err)
}

// close runs the nightly job, in the night.
func (h *house) close() *reconcile.Report {
	h.t.Helper()
	*h.now = wall("2026-06-13 00:30:00")
	h.openLots()
	h.must(h.reconcile.CloseDay(context.Background(), "nightly", theDay))
	r, err := h.reconcile.Report(context.Background(), deposit.SightOfAll(), theDay)
	h.must(err)
	return r
}

// openLots opens every lot whose hour has come.
func (h *house) openLots() {
	h.t.Helper()
	lots, err := platform.LotsOpening(context.Background(), h.db, wall("2026-01-01 00:00:00"), h.now.Add(time.Second))
	h.must(err)
	for _, lot := range lots {
		if lot.State == platform.LotAnnounced {
			_, err := h.platform.Record(context.Background(), "platform", platform.EventOrder{Number: "open-" + lot.ID.String(), Kind: platform.EventOpened, Lot: lot.Number, HappenedAt: lot.OpensAt})
			h.must(err)
		}
	}
}

func fen(s string) deposit.Fen {
	f, err := deposit.ParseBalance(s)
	if err != nil {
		panic(err)
	}
	return f
}

func wall(s string) time.Time {
	t, err := deposit.ParseWall(s)
	if err != nil {
		panic(err)
	}
	return t
}

func (h *house) lot(number, amount, opens string) {
	h.t.Helper()
	_, _, err := h.platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: number, Department: "建设工程科", Deposit: fen(amount), OpensAt: wall(opens)})
	h.must(err)
}

func (h *house) bid(lot, bidder, number string) {
	h.t.Helper()
	_, _, err := h.platform.PutBid(context.Background(), "platform", platform.BidOrder{Lot: lot, Bidder: bidder, BidderAccount: "A-" + bidder, Bank: "lcyh", SubAccount: number, LeaseFrom: wall("2026-06-01 00:00:00")})
	h.must(err)
}

func paid(serial, number, payer, amount, at string) bank.Entry {
	return bank.Entry{Bank: "lcyh", ParentAccount: "3705018860000000123", BookingDate: theDay, Serial: serial, Direction: bank.Credit, SubAccount: number, Amount: fen(amount),
		BookedAt: wall("2026-06-12 " + at), PayerName: payer, PayerAccount: "A-" + payer}
}

// verdicts tells code and reasons by serial, and "bid NAME" for what is found on bids.
func verdicts(r *reconcile.Report) map[string]string {
	all := map[string]string{}
	for _, f := range r.Findings {
		key := f.Serial
		if f.Kind == reconcile.KindBid {
			key = "bid " + f.Bidder.Full()
		}
		all[strings.TrimSpace(string(f.Kind)+" "+key)] = fmt.Sprint(f.Code, " ", f.Reasons)
	}
	return all
}

const (
	dongchang = "聊城市东昌建设工程有限公司"
	weihe     = "临清市卫河工程有限公司"
)

// What a later fact changes: a reversal un-pays, a late notice clears, a bid that came after its money claims it.
func TestLaterFactsRejudge(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.lot("L1", "1000.00", "2026-06-12 15:00:00")
		h.push(paid("1", "n1", dongchang, "1000.00", "10:00:00"))
		r := h.close()
		want := map[string]string{"CREDIT 1": "UNKNOWN_SUB_ACCOUNT [UNKNOWN_SUB_ACCOUNT]"}
		if got := verdicts(r); !cmp.Equal(got, want) || r.Banks[0].Arrived {
			t.Errorf("money before its bid: %v", cmp.Diff(want, got))
		}

		h.bid("L1", dongchang, "n1")
		h.bid("L1", weihe, "n2")
		second := paid("2", "n2", weihe, "1000.00", "11:00:00")
		h.state("5.00", "2005.00", paid("1", "n1", dongchang, "1000.00", "10:00:00"), second)
		want = map[string]string{"MISSING 2": "ADVICE_MISSING [ADVICE_MISSING]"}
		if r = h.close(); !cmp.Equal(verdicts(r), want) || r.Banks[0].State != "CLOSED" || r.Banks[0].Shortfall.Credits != fen("1000.00") {
			t.Errorf("a line never pushed counts: %v %+v", cmp.Diff(want, verdicts(r)), r.Banks[0])
		}

		h.push(second)
		want = map[string]string{"DELAYED 2": "ADVICE_DELAYED [ADVICE_DELAYED]"}
		if r = h.close(); !cmp.Equal(verdicts(r), want) {
			t.Errorf("the notice that came later: %v", cmp.Diff(want, verdicts(r)))
		}

		back := paid("3", "n1", dongchang, "1000.00", "12:00:00")
		back.Direction, back.Reversal, back.ReversalOf = bank.Debit, bank.Reverses, "1"
		h.push(back)
		r = h.close()
		want["CREDIT 1"], want["BID bid "+dongchang] = "REVERSED [REVERSED]", "UNPAID [UNPAID]"
		want["ORPHAN 3"] = "ADVICE_ORPHAN [ADVICE_ORPHAN]" // the statement does not have it
		if got := verdicts(r); !cmp.Equal(got, want) {
			t.Errorf("a reversal un-pays: %v", cmp.Diff(want, got))
		}
		if again := h.close(); !cmp.Equal(again, r) {
			t.Errorf("a second run changed something: %s", cmp.Diff(r, again))
		}
	})
}

// When more credits wait than one batch takes, changed leases wait as well, and still find the money that is theirs: what was judged
// before, and what waits.
func TestChangesFindTheirMoneyBehindABacklog(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.lot("L1", "1000.00", "2026-06-12 15:00:00")
		h.push(paid("judged", "n8", dongchang, "1000.00", "10:00:00"))
		h.judge()
		h.bid("L1", dongchang, "n1")
		h.push(paid("waits", "n9", dongchang, "1000.00", "10:00:00"))
		crowd := make([]bank.Entry, 0, 1100) // a batch is 1000
		for i := range cap(crowd) {
			crowd = append(crowd, paid(fmt.Sprint("crowd", i), "", fmt.Sprintf("第%d公司", i), "1.00", "10:00:00"))
		}
		h.state("0.00", fmt.Sprintf("%d.00", len(crowd)), crowd...)
		*h.now = wall("2026-06-12 16:00:00")
		h.openLots()
		h.judge()
		waiting, err := bank.Unjudged(t.Context(), h.db, 1)
		h.must(err)
		touches, err := platform.Touched(t.Context(), h.db, 1)
		h.must(err)
		if len(waiting)+len(touches) > 0 {
			t.Errorf("still waiting: %v, %v", waiting, touches)
		}
		meant, err := sqldb.Value[int](t.Context(), h.db, "SELECT COUNT(*) FROM matches WHERE suggested_bid <> 0")
		h.must(err)
		if meant != 2 {
			t.Errorf("%d credits are taken for the bid's, want 2", meant)
		}
	})
}

// A notice and a statement line that contradict each other set the credit aside until a person has asked the bank.
func TestContradictionIsSetAsideUntilSettled(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		h := open(t, url)
		h.lot("L1", "1000.00", "2026-06-12 15:00:00")
		h.bid("L1", dongchang, "n1")
		h.push(paid("1", "n1", dongchang, "1000.00", "10:00:00"))
		h.state("0.00", "100.00", paid("1", "n1", dongchang, "100.00", "10:00:00"))
		r := h.close()
		want := map[string]string{"CONFLICT 1": "ADVICE_CONFLICT [ADVICE_CONFLICT]", "BID bid " + dongchang: "UNPAID [UNPAID]"}
		if got := verdicts(r); !cmp.Equal(got, want) {
			t.Fatalf("contradiction: %v", cmp.Diff(want, got))
		}
		f := r.Findings[slices.IndexFunc(r.Findings, func(f reconcile.FindingRow) bool { return f.Code == reconcile.AdviceConflict })]
		h.must(h.reconcile.MoveFinding(context.Background(), "张会计", deposit.SightOfAll(), reconcile.FindingMove{ID: f.ID, Version: f.Version, Act: "settle", Note: "银行确认：以对账单为准"}))
		r = h.close()
		delete(want, "BID bid "+dongchang)
		want["CREDIT 1"] = "UNDERPAID [UNDERPAID]" // the statement is the truth
		if got := verdicts(r); !cmp.Equal(got, want) {
			t.Errorf("settled: %v", cmp.Diff(want, got))
		}
		if err := h.reconcile.MoveFinding(context.Background(), "张会计", deposit.SightOfAll(), reconcile.FindingMove{ID: f.ID, Version: f.Version, Act: "reopen", Note: "再核"}); err == nil {
			t.Error("a stale version was accepted")
		}
	})
}

// Whatever the order in which the same facts arrive, the day ends the same; and every fen that came in is either counted
// towards a deposit or told of.
func TestAnyOrderEndsTheSame(t *testing.T) {
	if sampled {
		if err := flag.Set("rapid.checks", "15"); err != nil {
			t.Fatal(err)
		}
	}
	folder, worlds := sqldbtest.InMemory(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		facts := randomFacts(rt)
		seed := rapid.Uint64().Draw(rt, "order")
		var reports []string
		for run := range 2 {
			worlds++
			h := open(t, sqldb.FileURL(fmt.Sprintf("%s/%d.db", folder, worlds)))
			if run == 1 {
				rand.New(rand.NewPCG(seed, 1)).Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			}
			for i, fact := range facts {
				fact(h)
				if run == 1 && i%3 == 0 {
					_, err := h.reconcile.JudgeAll(context.Background())
					h.must(err)
				}
			}
			h.close()
			reports = append(reports, canonical(h.close()))
			checks, err := h.reconcile.Invariants(context.Background())
			h.must(err)
			for _, c := range checks {
				if c.Count > 0 {
					rt.Fatalf("%s %s: %d", c.Code, c.Title, c.Count)
				}
			}
			h.must(h.db.Close())
		}
		if diff := cmp.Diff(reports[0], reports[1]); diff != "" {
			rt.Fatalf("another order, another end:\n%s", diff)
		}
	})
}

// randomFacts makes a world of two lots, some bids and credits of every kind; each fact may come at any time.
func randomFacts(rt *rapid.T) []func(*house) {
	names := []string{dongchang, weihe, "东阿县鲁西建材有限公司", "阳谷县景阳冈工程有限公司"}
	var facts []func(*house)
	for i, lot := range []string{"L1", "L2"} {
		for j, name := range names[:3] {
			if rapid.Bool().Draw(rt, "bids") {
				number := fmt.Sprintf("n%d%d", i, j)
				facts = append(facts, func(h *house) { h.lot(lot, "1000.00", "2026-06-12 15:00:00"); h.bid(lot, name, number) })
			}
		}
	}
	var onStatement []bank.Entry
	for i := range rapid.IntRange(0, 8).Draw(rt, "credits") {
		number := rapid.SampledFrom([]string{"n00", "n01", "n02", "n10", "n11", "n12", "", "n99"}).Draw(rt, "number")
		e := paid(fmt.Sprint("s", i), number, rapid.SampledFrom(names).Draw(rt, "payer"), rapid.SampledFrom([]string{"1000.00", "400.00", "600.00", "1000.01"}).Draw(rt, "amount"),
			rapid.SampledFrom([]string{"10:00:00", "11:00:00", "14:59:59", "15:00:00"}).Draw(rt, "at"))
		if rapid.IntRange(0, 9).Draw(rt, "pushed") > 0 {
			facts = append(facts, func(h *house) { h.push(e) })
		}
		if rapid.IntRange(0, 9).Draw(rt, "stated") > 0 {
			onStatement = append(onStatement, e)
		}
		if rapid.IntRange(0, 5).Draw(rt, "reversed") == 0 {
			back := e
			back.Serial, back.Direction, back.Reversal, back.ReversalOf, back.BookedAt = e.Serial+"r", bank.Debit, bank.Reverses, e.Serial, wall("2026-06-12 16:00:00")
			facts = append(facts, func(h *house) { h.push(back) })
			onStatement = append(onStatement, back)
		}
	}
	closing := fen("5.00")
	for _, e := range onStatement {
		if e.Direction == bank.Credit {
			closing += e.Amount
		} else {
			closing -= e.Amount
		}
	}
	return append(facts, func(h *house) { h.state("5.00", closing.String(), onStatement...) })
}

// canonical prints a report without keys, versions and instants.
func canonical(r *reconcile.Report) string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprint(f.Kind, f.Code, f.Reasons, f.Serial, f.Amount, f.Lot, f.Bidder, f.SuggestedLot, f.SuggestedBidder, f.State))
	}
	slices.Sort(lines)
	var figures []string
	for _, b := range r.Banks {
		figures = append(figures, fmt.Sprintf("%s %s %t %t %+v", b.Bank, b.ParentAccount, b.Sealed, b.Agrees, *b.DayFigures))
	}
	return fmt.Sprintf("%s\n%v\n%s", strings.Join(figures, "\n"), r.Counts, strings.Join(lines, "\n"))
}
