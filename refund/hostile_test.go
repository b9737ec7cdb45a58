package refund_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// month is one centre with a hostile bank: lists go out, the process dies, answers get lost, money comes back. What the bank
// really paid is its own ledger's to say.
type month struct {
	*house
	r       *rand.Rand
	lot     string
	credits []bank.Entry
	day     deposit.Day // today; what was before it is closed
	lists   int
	dies    bool // the process dies when the next message has been sent
	found   []string
}

var errDied = errors.New("the process died")

// begin opens a month in a database that others have been in: the bank, its account and its lot are its own. Four bidders have paid and
// lost.
func begin(t testing.TB, db *sqldb.DB, now *time.Time, number, seed uint64) *month {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	dialect, posting := []string{"gseries", "delimited", "camt"}[r.IntN(3)], []string{"per_item", "summary"}[r.IntN(2)]
	m := &month{r: r, house: houseOf(t, db, now, fmt.Sprintf("b%d", number), fmt.Sprintf("9%018d", number), dialect, posting, r), lot: fmt.Sprintf("L%d", number), day: theDay}
	dice := banksim.Hostile()
	if posting == "summary" { // such a bank takes a message whole, or not at all
		dice = banksim.Odds(map[banksim.Fate]int{banksim.Pays: 50, banksim.Refuses: 5, banksim.LosesAnswer: 5, banksim.Sleeps: 5, banksim.PaysLater: 5, banksim.RefusesLater: 5,
			banksim.Unclear: 5, banksim.Unnamed: 5, banksim.ComesBack: 5, banksim.ComesBare: 5})
	}
	m.pays = m.sim.Paying(banksim.PayRules{Dice: dice, NoEcho: r.IntN(4) == 0, LostQueries: 20, Later: 30 * time.Hour, Return: 40 * time.Hour})
	if r.IntN(2) == 0 {
		m.lcyh.ResendWithin = 12 * time.Hour
	}
	m.lose(4)
	return m
}

// lose has so many bidders pay and lose their lot.
func (m *month) lose(bidders int) {
	ctx := context.Background()
	order := platform.SyncOrder{Lots: []platform.LotOrder{{Number: m.lot, Department: works, Deposit: yuan("800000.00"), OpensAt: wall("2026-06-12 09:00:00")}}}
	for i := range bidders + 1 {
		sub := fmt.Sprintf("%s-%04d", m.lcyh.Parent(), i)
		order.Bids = append(order.Bids, platform.BidOrder{Lot: m.lot, Bidder: bidder(i).Name, BidderAccount: bidder(i).Account, Bank: m.lcyh.Code, SubAccount: sub, LeaseFrom: wall("2026-06-01 00:00:00")})
		if i > 0 {
			m.credits = append(m.credits, m.sim.Credit(banksim.Transfer{SubAccount: sub, With: bidder(i), Amount: yuan("800000.00"), At: wall("2026-06-12 08:30:00").Add(time.Duration(i) * time.Second)}))
		}
	}
	_, err := m.platform.Sync(ctx, "platform", order)
	m.must(err)
	m.sleep()
	_, err = m.platform.Sync(ctx, "platform", platform.SyncOrder{Events: []platform.EventOrder{
		{Number: m.lot + "O", Lot: m.lot, Kind: platform.EventOpened, HappenedAt: wall("2026-06-12 09:00:00")},
		{Number: m.lot + "A", Lot: m.lot, Kind: platform.EventAwardNotice, Bidder: bidder(0).Name, HappenedAt: wall("2026-06-12 17:00:00")}}})
	m.must(err)
}

// sleep ends the day: its statement comes, it is closed and settled; the next morning begins.
func (m *month) sleep() {
	m.night(m.day)
	m.day = m.day.Add(1)
	*m.now = m.day.Start().Add(9 * time.Hour)
	m.pays.Tick()
}

// list puts everything that may go back on a list, and approves all of it.
func (m *month) list() {
	ctx := context.Background()
	m.lists++
	s, err := m.refund.Submit(ctx, "甲", refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: fmt.Sprint(m.lot, "-", m.lists), Lines: orders(m.credits...), ValidOnly: true})
	m.must(err)
	if len(s.Lines) == 0 {
		return
	}
	var keys []sqldb.ID
	for _, l := range s.Lines {
		keys = append(keys, l.ID)
	}
	made, err := m.refund.Compose(ctx, "乙", keys)
	m.must(err)
	for _, b := range made {
		signature := func(b refund.Batch) refund.Signature {
			return refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count, Total: b.Total}
		}
		b, err = m.refund.Check(ctx, "丙", signature(b))
		m.must(err)
		_, err = m.refund.Release(ctx, "丁", signature(b))
		m.must(err)
	}
}

// wire is the line to the bank, on which the process may die once a message is out.
func (m *month) wire(ctx context.Context, b *bank.Bank, number string, raw []byte) ([]byte, error) {
	answer, err := m.exchange(ctx, b, number, raw)
	if m.dies {
		m.dies = false
		panic(errDied)
	}
	return answer, err
}

// work sends and asks, and survives the process's death.
func (m *month) work() {
	defer func() {
		if p := recover(); p != nil && p != any(errDied) {
			panic(p)
		}
	}()
	ctx := context.Background()
	_, err := m.refund.SendDue(ctx, "sender", m.lcyh, m.wire)
	m.must(err)
	*m.now = m.now.Add(time.Hour)
	m.pays.Tick()
	_, err = m.refund.AskDue(ctx, "sender", m.lcyh, time.Minute, m.wire)
	m.must(err)
	_, err = m.refund.SendAgain(ctx, "sender", m.lcyh, m.wire)
	m.must(err)
}

// hear takes what the bank reports by itself.
func (m *month) hear() {
	for _, raw := range m.pays.Results() {
		if _, err := m.refund.Result(context.Background(), "bank", m.lcyh, raw); err != nil && !deposit.IsKind(err, deposit.NotFound) && !deposit.IsKind(err, deposit.Invalid) {
			m.t.Fatal(err)
		}
	}
}

// doubt has two persons ring the bank about every open payment and say what it told them; the service believes them or not. Of a
// payment that is not yet decided the bank says that it knows none: that is when people err.
func (m *month) doubt() {
	ctx, ledger := context.Background(), m.ledger()
	for _, l := range m.lines() {
		for _, by := range []string{"戊", "己"} {
			now, err := refund.LineByID(ctx, m.db, l.ID)
			m.must(err)
			word := m.refund.Disprove
			if ledger[l.Serial] > 0 {
				word = m.refund.Vouch
			}
			if _, err := word(ctx, by, l.ID, now.Version, "电话核实"); err != nil && !deposit.IsKind(err, deposit.Conflict) {
				m.t.Fatal(err)
			}
		}
	}
}

// lines are all of the month's.
func (m *month) lines() []refund.Line {
	all, err := refund.LinesOfAccount(context.Background(), m.db, m.lcyh.Code, m.lcyh.Parent())
	m.must(err)
	return all
}

// ledger is what of each payment is gone for good, by the bank's own ledger.
func (m *month) ledger() map[string]deposit.Fen {
	gone := map[string]deposit.Fen{}
	for _, l := range m.pays.Ledger() {
		if !l.Returned {
			gone[l.Serial] = l.Paid
		}
	}
	return gone
}

// count holds what the bank paid against what came in: of no credit may more be gone than it was.
func (m *month) count() {
	ledger, gone := m.ledger(), map[sqldb.ID]deposit.Fen{}
	for _, l := range m.lines() {
		gone[l.EntryID] += ledger[l.Serial]
	}
	for id, fen := range gone {
		if fen > yuan("800000.00") {
			m.found = append(m.found, fmt.Sprintf("%s is gone of credit %s, of which 800,000 came in", fen.Grouped(), id))
		}
	}
}

// settle lets the bank come to rest: every line has to be final in the end, and what is PAID is what the bank has paid.
func (m *month) settle() {
	for rests := 0; rests < 2; { // what came back on the last day is on the next statement
		m.work()
		m.hear()
		if rests++; !m.rests() {
			rests = 0
		}
		m.sleep()
		if m.doubt(); m.day > theDay.Add(60) {
			break // it never comes to rest
		}
	}
	var paid deposit.Fen
	for _, l := range m.lines() {
		switch l.State {
		case refund.Paid:
			paid += l.Amount
		case refund.Sending, refund.Accepted, refund.Unknown:
			m.found = append(m.found, fmt.Sprintf("%s is %s for ever: %s %s, %s %s", l.Serial, l.State, l.Word, l.Code, m.lcyh.PayoutAdapter.Name, m.lcyh.Posting))

		}
	}
	var kept deposit.Fen
	for _, fen := range m.ledger() {
		kept += fen
	}
	if paid != kept {
		m.found = append(m.found, fmt.Sprintf("PAID is %s, the bank has paid %s", paid.Grouped(), kept.Grouped()))
		for _, l := range m.lines() {
			m.found = append(m.found, fmt.Sprintf("%s %s: %s %s, paid %s", l.Serial, l.State, l.Word, l.Code, m.pays.Paid(l.Serial).Grouped()))
		}
	}
	m.count()
}

// rests says whether nothing is open, with us or with the bank.
func (m *month) rests() bool {
	open, err := sqldb.Value[int](context.Background(), m.db, "SELECT COUNT(*) FROM refunds WHERE bank = ? AND state IN ('SENDING','ACCEPTED','UNKNOWN')", m.lcyh.Code)
	m.must(err)
	return open == 0 && m.pays.Settled()
}

// acts are what may happen on a day.
func (m *month) acts() map[string]func() {
	return map[string]func(){"list": m.list, "work": m.work, "hear": m.hear, "sleep": m.sleep, "doubt": m.doubt,
		"dies": func() { m.dies = true; m.work(); m.dies = false }}
}

// play is one month of random days, drawn from rt.
func (m *month) play(rt *rapid.T) {
	drawn := map[string]func(*rapid.T){"": func(*rapid.T) {
		if m.count(); len(m.found) > 0 {
			rt.Fatal(m.found)
		}
	}}
	for name, act := range m.acts() {
		drawn[name] = func(*rapid.T) { act() }
	}
	rt.Repeat(drawn)
	if m.settle(); len(m.found) > 0 {
		rt.Fatal(m.found)
	}
}

// Whatever a hostile bank does, nothing is paid twice, nothing is lost, and every line is final in the end.
func TestNeverTwice(t *testing.T) { playMonths(t, months, 12) }

// TestTortureNeverTwice plays long months, a hundred thousand where the race detector does not watch.
func TestTortureNeverTwice(t *testing.T) {
	if os.Getenv("TORTURE") == "" {
		t.Skip("long; with TORTURE=1")
	}
	playMonths(t, longMonths/runtime.GOMAXPROCS(0), 30)
}

// playMonths plays so many months of so many days on each processor.
func playMonths(t *testing.T, checks, steps int) {
	t.Helper()
	for name, value := range map[string]string{"rapid.checks": fmt.Sprint(checks), "rapid.steps": fmt.Sprint(steps), "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	for shard := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			fresh := monthly(t)
			rapid.Check(t, func(rt *rapid.T) {
				db, now, leave := fresh()
				defer leave()
				m := begin(t, db, now, 1, rapid.Uint64().Draw(rt, "seed"))
				m.reconcile.Join(reconcile.Beside{Before: m.refund.Beside().Before}) // the invariants are asked at the end
				m.play(rt)
				m.sound()
			})
		})
	}
}

// monthly gives empty databases, each a copy of one, so that a month costs no migrations and looks at no other month.
func monthly(t *testing.T) (fresh func() (db *sqldb.DB, now *time.Time, leave func())) {
	t.Helper()
	folder := sqldbtest.InMemory(t)
	first := filepath.Join(folder, "first.db")
	sqldbtest.Lay(t, sqldb.FileURL(first))
	restore := sqldbtest.Snapshot(t, sqldb.FileURL(first))
	return func() (*sqldb.DB, *time.Time, func()) {
		restore(t)
		now := new(time.Time)
		db, err := sqldb.OpenAt(context.Background(), sqldb.FileURL(first), func() time.Time { return *now })
		if err != nil {
			t.Fatal(err)
		}
		sqldbtest.Unlock(t, db)
		return db, now, func() { _ = db.Close() }
	}
}

// The harness finds what it is there to find: a bank that knows nothing of a payment taken for one that refused it, and an
// unknown payment taken for a failed one, which is then made again under another serial.
func TestSeededBugsPayTwice(t *testing.T) {
	sqldbtest.Unwatched(t)
	for word, bug := range map[bank.PayStatus]string{bank.PayNotFound: "not found means failed", bank.PayUnknown: "a new serial on retry"} {
		t.Run(bug, func(t *testing.T) {
			defer refund.Seed(word, "reject")()
			db, now := database(t, sqldb.FileURL(filepath.Join(sqldbtest.InMemory(t), "seeded.db")))
			for seed := range uint64(50) {
				m := begin(t, db, now, seed, seed)
				m.pays = m.sim.Paying(banksim.PayRules{Dice: banksim.Odds(map[banksim.Fate]int{banksim.Pays: 1, banksim.Sleeps: 1, banksim.Unclear: 1})})
				for range 12 {
					name := slices.Sorted(maps.Keys(m.acts()))[m.r.IntN(len(m.acts()))]
					m.acts()[name]()
				}
				if m.settle(); len(m.found) > 0 {
					t.Logf("found in month %d: %v", seed, m.found)
					return
				}
			}
			t.Error("50 months did not find it")
		})
	}
}
