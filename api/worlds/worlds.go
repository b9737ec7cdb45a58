// Package worlds makes trading centres that differ only in what the law keeps secret before an opening (招标投标法 §22): who bids
// on the sealed lots, how many, who paid, how much, when and where to. Their public history is the same, to the byte, and
// so are their clocks and keys. Whoever asks two of them the same has to get the same answers. It is for tests.
package worlds

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/webhook"
	"depositd/reconcile"
	"depositd/refund"
)

// Banks is the world's banks.yaml.
const Banks = `banks:
  - {code: line, name: 专线银行, adapter: gseries, statement: delimited, payout: gseries, parent_accounts: ["3705018860000000123"], charset: GBK, notices: single,
     seal: {scheme: none}, numbers: {from: load, quarantine_days: 90, lead_days: 3}}
`

// Parent is the bank's one parent account.
const Parent = "3705018860000000123"

// The days of a world. What was booked on OpenDay may be seen; on SealedDay the sealed lots were paid for. It is looked at on Today.
const (
	OpenDay   = deposit.Day("2026-06-09")
	SealedDay = deposit.Day("2026-06-16")
	Today     = deposit.Day("2026-06-18")
)

// OpenLots are opened, SealedLots are not, and open on 25 June.
var (
	OpenLots   = []string{"P1", "P2"}
	SealedLots = []string{"S1", "S2", "S3", "S4"}
)

var departments = map[string]string{"P1": "建设工程科", "P2": "政府采购科", "S1": "建设工程科", "S2": "政府采购科", "S3": "产权交易科", "S4": "建设工程科"}

// World is one centre: its desks over a database of its own, a clock that stands, and keys from a seed.
type World struct {
	t testing.TB

	DB        *sqldb.DB
	Banks     *bank.Set
	Bank      *bank.Desk
	Platform  *platform.Desk
	Reconcile *reconcile.Desk
	Keeper    *reconcile.Keeper
	Refund    *refund.Desk
	Incident  *incident.Desk
	Webhook   *webhook.Desk

	mu   sync.Mutex
	now  time.Time
	keys *rand.Rand

	booked map[deposit.Day][]bank.Entry // what stands on the bank's books
	line   *bank.Bank
	events int
	rounds uint64
	secret uint64 // the seed of what is secret

	balance string // of the last statement
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// At moves the clock.
func (w *World) At(wall string) {
	t, err := deposit.ParseWall(wall)
	w.must(err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = t
}

// Seed begins another sequence of keys. Of two worlds at the same seed the same act makes the same keys.
func (w *World) Seed(a, b uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = rand.New(rand.NewPCG(a, b)) //nolint:gosec // the worlds are to have the same keys
}

func (w *World) key() sqldb.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sqldb.ID(w.keys.Uint64()>>1 | 1)
}

func (w *World) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Open opens the world in a file, new or copied.
func Open(t testing.TB, file string) *World {
	t.Helper()
	w := &World{t: t, booked: map[deposit.Day][]bank.Entry{}, balance: "100.00"}
	w.At("2026-06-01 08:00:00")
	w.Seed(1, 1)
	sqldbtest.Lay(t, sqldb.FileURL(file))
	var err error
	w.DB, err = sqldb.OpenAt(context.Background(), sqldb.FileURL(file), w.Now)
	w.must(err)
	t.Cleanup(func() { _ = w.DB.Close() })
	w.DB.DrawKeys(w.key)
	sqldbtest.Unlock(t, w.DB)
	w.Banks, err = bank.ParseSet([]byte(Banks), nil)
	w.must(err)
	w.line = w.Banks.Only()
	rules, err := refund.Default()
	w.must(err)
	w.Bank, w.Platform, w.Reconcile = bank.NewDesk(w.DB), platform.NewDesk(w.DB), reconcile.NewDesk(w.DB, w.Banks, reconcile.Rules{})
	plan, err := incident.Default()
	w.must(err)
	w.Incident = incident.NewDesk(w.DB, plan, incident.ByBoth)
	w.Webhook = webhook.NewDesk(w.DB, &webhook.Settings{Endpoints: []webhook.Endpoint{{Name: "oncall"}}}, plan)
	w.Incident.Join(w.Webhook.Queue)
	w.Refund = refund.NewDesk(w.DB, w.Banks, rules, refund.DefaultLimits)
	w.Reconcile.Join(w.Refund.Beside())
	w.Keeper, err = reconcile.NewKeeper(w.DB, w.Banks, w.Bank, w.Platform, func() string { return w.key().String() })
	w.must(err)
	return w
}

// Copy makes another world of one whose database is closed, with the clock and the books that it was left with.
func (w *World) Copy(t testing.TB, from, to string) *World {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600) //nolint:gosec // a test's own folder
	}
	if err != nil {
		t.Fatal(err)
	}
	c := Open(t, to)
	c.mu.Lock()
	c.now, c.events, c.rounds, c.balance = w.now, w.events, w.rounds, w.balance
	c.mu.Unlock()
	for day, entries := range w.booked {
		c.booked[day] = append([]bank.Entry{}, entries...)
	}
	return c
}

func (w *World) fen(yuan string) deposit.Fen {
	w.t.Helper()
	f, err := deposit.ParseYuan(yuan)
	w.must(err)
	return f
}

func (w *World) lot(number, amount, opens string) {
	w.t.Helper()
	at, err := deposit.ParseWall(opens)
	w.must(err)
	_, _, err = w.Platform.PutLot(context.Background(), "platform", platform.LotOrder{Number: number, Department: departments[number], Deposit: w.fen(amount), OpensAt: at})
	w.must(err)
}

// bid makes a bid; number "": the pool gives it one.
func (w *World) bid(lot, bidder, number string) platform.Bid {
	w.t.Helper()
	o := platform.BidOrder{Lot: lot, Bidder: bidder, BidderAccount: account(bidder)}
	if number != "" {
		o.Bank, o.SubAccount, o.LeaseFrom = "line", number, w.Now()
	}
	b, _, err := w.Platform.PutBid(context.Background(), "platform", o)
	w.must(err)
	return b
}

func account(name string) string {
	var n uint64
	for _, r := range name {
		n = n*31 + uint64(r)
	}
	return fmt.Sprintf("6212%015d", n%1_000_000_000_000_000)
}

func (w *World) happens(kind platform.EventKind, lot, bidder string) {
	w.t.Helper()
	w.events++
	_, err := w.Platform.Record(context.Background(), "platform", platform.EventOrder{Number: fmt.Sprint("E", w.events), Kind: kind, Lot: lot, Bidder: bidder, HappenedAt: w.Now()})
	w.must(err)
}

// pays books a credit, and pushes its notice unless the bank forgets to.
func (w *World) pays(serial, number, payer, amount string, pushed bool) {
	w.t.Helper()
	e := bank.Entry{Bank: "line", ParentAccount: Parent, BookingDate: deposit.DayOf(w.Now()), Serial: serial, Direction: bank.Credit, SubAccount: number, Amount: w.fen(amount),
		BookedAt: w.Now(), PayerName: payer, PayerKey: deposit.NameKey(payer), PayerAccount: account(payer), PayerBank: "聊城农商银行", PayerBankCode: "402471000009"}
	w.booked[e.BookingDate] = append(w.booked[e.BookingDate], e)
	if !pushed {
		return
	}
	raw := fmt.Appendf(nil, "%s %s %s %s", e.Serial, e.Amount, e.SubAccount, e.PayerName)
	_, err := w.Bank.Receive(context.Background(), bank.Message{Bank: "line", ExternalID: "m-" + serial, Source: "HTTP", Kind: "NOTICE", Raw: raw, Entries: []bank.Entry{e}})
	w.must(err)
	w.judge()
}

func (w *World) judge() {
	w.t.Helper()
	_, err := w.Reconcile.JudgeAll(context.Background())
	w.must(err)
}

// night brings the statement of a day and closes it.
func (w *World) night(day deposit.Day) {
	w.t.Helper()
	entries := w.booked[day]
	o, err := deposit.ParseBalance(w.balance)
	w.must(err)
	c := o
	for _, e := range entries {
		c += e.Amount
	}
	var file bytes.Buffer
	w.must(bank.WriteDelimited(&file, bank.Statement{ParentAccount: Parent, Day: day, Currency: "CNY", Opening: &o, Closing: &c, Declared: bank.DeclaredBy(entries), LastPage: true}, entries))
	w.At(string(day.Add(1)) + " 00:30:00")
	w.Seed(2, w.rounds) // that the file came is public, and so is its key
	_, err = w.Bank.Import(context.Background(), "bank", w.line, "statement.txt", bytes.NewReader(file.Bytes()))
	w.must(err)
	w.Seed(w.secret, w.rounds)
	w.must(w.Keeper.Nightly(context.Background(), "nightly", day))
	w.must(w.Reconcile.CloseDay(context.Background(), "nightly", day))
	w.balance = c.String()
	w.watch()
}

// watch goes one round of the emergency plan's watch.
func (w *World) watch() {
	w.t.Helper()
	ctx := context.Background()
	w.rounds++
	w.Seed(4, w.rounds)
	for _, look := range []struct {
		codes []string
		see   func() ([]incident.Sign, error)
	}{
		{reconcile.WatchedCodes(), func() ([]incident.Sign, error) { return w.Keeper.Watch(ctx, "watch", 0) }},
		{refund.WatchedCodes(), func() ([]incident.Sign, error) { return w.Refund.Watch(ctx) }},
		{refund.OverdueCodes(), func() ([]incident.Sign, error) { return w.Refund.WatchOverdue(ctx) }},
	} {
		signs, err := look.see()
		w.must(err)
		_, err = w.Incident.Survey(ctx, "watch", look.codes, signs)
		w.must(err)
	}
}

// The companies of a world. Some have paid for what is open, and may bid on what is sealed as well.
var companies = strings.Fields("聊城市东昌建设工程有限公司 临清市卫河工程有限公司 东阿县鲁西建材有限公司 阳谷县景阳冈工程有限公司 " +
	"山东鲁西路桥集团有限公司 高唐县金城建筑有限公司 冠县清泉市政有限公司 莘县燕塔建设有限公司 茌平信发安装有限公司 聊城市水城园林有限公司")

// Public plays what every world has in common: two lots that were opened, with all that goes wrong, and money on its way back.
func (w *World) Public() {
	w.t.Helper()
	ctx := context.Background()
	var numbers []string
	for i := range 400 {
		numbers = append(numbers, fmt.Sprintf("%s-%04d", Parent, i))
	}
	_, err := w.Platform.LoadNumbers(ctx, "operator", "line", Parent, numbers)
	w.must(err)
	w.lot("P1", "800000.00", "2026-06-10 09:00:00")
	w.lot("P2", "50000.00", "2026-06-10 10:00:00")
	for i, name := range companies[:3] {
		w.bid("P1", name, fmt.Sprint("p1-", i))
		w.bid("P2", companies[i+2], fmt.Sprint("p2-", i))
	}
	w.At("2026-06-09 10:00:00")
	for i, p := range []struct{ number, payer, amount string }{
		{"p1-0", companies[0], "800000.00"}, {"p1-1", companies[1], "400000.00"}, {"p1-2", companies[5], "800000.00"}, // a third party, who may bid elsewhere
		{"p2-0", companies[2], "50000.00"}, {"p2-1", companies[3], "50000.00"}, {"p2-1", companies[3], "50000.00"}, {"", companies[6], "50000.00"}, {"p9-9", companies[7], "123.00"},
	} {
		w.pays(fmt.Sprint("P", i), p.number, p.payer, p.amount, i != 4)
	}
	w.night(OpenDay)
	w.At("2026-06-10 10:00:05")
	w.happens(platform.EventOpened, "P1", "")
	w.happens(platform.EventOpened, "P2", "")
	w.judge()
	w.night("2026-06-10")
	w.At("2026-06-11 09:00:00")
	w.happens(platform.EventAwardNotice, "P2", companies[2])
	w.judge()
	w.givesBack()
	w.At("2026-06-12 08:00:00")
	for _, lot := range SealedLots {
		w.lot(lot, "200000.00", "2026-06-25 09:00:00")
	}
	w.night("2026-06-11")
}

// givesBack lists a loser's money, makes a batch of it, and keeps another's.
func (w *World) givesBack() {
	w.t.Helper()
	ctx := context.Background()
	all, _, err := w.Refund.Proposals(ctx, deposit.SightOfAll(), refund.ProposalQuery{Department: departments["P2"]})
	w.must(err)
	if len(all) < 2 {
		w.t.Fatalf("%d proposals", len(all))
	}
	list := refund.ListOrder{Eyes: deposit.SightOfAll(), Department: departments["P2"], Reference: "R1", Lines: []refund.Order{{Credit: all[0].Receipt.Entry.ID, Cause: all[0].Ground.Cause}}}
	s, err := w.Refund.Submit(ctx, "科室甲", list)
	w.must(err)
	if len(s.Lines) != 1 {
		w.t.Fatalf("not listed: %+v", s.Faults)
	}
	_, err = w.Refund.Compose(ctx, "经办乙", []sqldb.ID{s.Lines[0].ID})
	w.must(err)
	_, err = w.Refund.Dispose(ctx, "经办乙", refund.DispositionOrder{Eyes: deposit.SightOfAll(), EntryID: all[1].Receipt.Entry.ID, Kind: refund.Held, Document: "聊招投诉〔2026〕3号"})
	w.must(err)
	_, err = w.Refund.ProposeChange(ctx, "科室甲", refund.ChangeOrder{Eyes: deposit.SightOfAll(), EntryID: all[1].Receipt.Entry.ID, PayeeName: "更名后公司", PayeeAccount: "1", Evidence: "更名通知书"})
	w.must(err)
}
