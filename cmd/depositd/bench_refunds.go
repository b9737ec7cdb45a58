package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// payback is one measurement of refunds: so many bidders have lost, and all of them are paid back.
type payback struct {
	n         int
	now       time.Time
	db        *sqldb.DB
	set       *bank.Set
	bank      *bank.Bank
	reconcile *reconcile.Desk
	refund    *refund.Desk
	rows      []benchRow
	err       error
}

const paybackParent = "3705018860000000777"

// refundSizes are the sizes unless told otherwise: by how much memory grows from the one to the other is what matters.
var refundSizes = []int{10_000, 100_000}

// refunds measures the way of deposits back, from the department's lists to the debits that prove them, with a bank in this process
// that pays everything. The memory is the most heap that was in use.
func (k *benchCmd) refunds(ctx context.Context, b *bench) error {
	sizes := refundSizes
	if len(k.N) != 3 || k.N[2] != 1_000_000 { // asked for by hand
		sizes = k.N
	}
	for _, n := range sizes {
		w := &payback{n: n}
		if err := w.run(ctx, sqldb.FileURL(filepath.Join(b.dir, fmt.Sprintf("refunds-%d.db", n)))); err != nil {
			return err
		}
		for i := range w.rows {
			w.rows[i].Section, w.rows[i].N = "refunds", n
			b.tell(w.rows[i])
		}
	}
	return nil
}

func (w *payback) run(ctx context.Context, url string) (err error) {
	if w.db, err = sqldb.OpenAt(ctx, url, func() time.Time { return w.now }); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.db.Close()) }()
	if err := benchReady(ctx, w.db); err != nil {
		return err
	}
	if w.set, err = bank.ParseSet(fmt.Appendf(nil, "banks:\n  - {code: bench, adapter: delimited, payout: delimited, notices: none, parent_accounts: [%q], seal: {scheme: none}}\n", paybackParent), nil); err != nil {
		return err
	}
	rules, err := refund.Default()
	if err != nil {
		return err
	}
	w.bank, w.reconcile = w.set.Only(), reconcile.NewDesk(w.db, w.set, reconcile.Rules{})
	w.refund = refund.NewDesk(w.db, w.set, rules, refund.Limits{Line: 1e15, Batch: 1e15, Day: 1e18, ApprovalLasts: 24 * time.Hour, Cooling: 24 * time.Hour})
	w.reconcile.Join(w.refund.Beside())
	if err := w.lose(ctx); err != nil {
		return err
	}
	var keys []sqldb.ID
	w.measure("提交名单", func() (err error) { keys, err = w.submit(ctx); return err })
	w.measure("组批签批", func() error { return w.approve(ctx, keys) })
	w.measure("发送与应答", func() error {
		_, err := w.refund.SendDue(ctx, "bench", w.bank, w.exchange)
		return err
	})
	keys = nil
	if w.err == nil {
		w.err = w.debits(ctx)
	}
	w.measure("核对借方", func() error {
		s, err := w.refund.Settle(ctx, "bench", w.bank, paybackParent, nightDay.Add(1))
		if err == nil && (s.Proven != w.n || s.Strange != 0) {
			err = fmt.Errorf("%d of %d were proven, %d are strange", s.Proven, w.n, s.Strange)
		}
		return err
	})
	return w.err
}

// measure takes the time of one part, and the processors', and watches the heap.
func (w *payback) measure(what string, part func() error) {
	if w.err != nil {
		return
	}
	debug.FreeOSMemory()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
			}
		}
	}()
	begun, before := time.Now(), worked()
	w.err = part()
	seconds, work := time.Since(begun).Seconds(), (worked() - before).Seconds()
	close(stop)
	w.rows = append(w.rows, benchRow{What: what, Seconds: seconds, CPU: work, MiB: float64(<-most) / (1 << 20)})
}

// bidsOfALot is how many bidders a lot has.
const bidsOfALot = 500

// credit is the i-th deposit.
func (w *payback) credit(i int) bank.Entry {
	return bank.Entry{Bank: "bench", ParentAccount: paybackParent, BookingDate: nightDay, Serial: fmt.Sprintf("260612%09d", i), Direction: bank.Credit,
		SubAccount: fmt.Sprintf("%s-%07d", paybackParent, i), Amount: 800_000_00, BookedAt: nightDay.Start().Add(9*time.Hour + time.Duration(i%3000)*time.Second),
		PayerName: fmt.Sprintf("聊城市第%d建设工程有限公司", i), PayerAccount: fmt.Sprintf("6212%015d", i), PayerBank: "聊城农商银行", PayerBankCode: "402471000009"}
}

// lose stores lots that somebody else has won, the bids on them, and the statement of the day on which they were paid for.
func (w *payback) lose(ctx context.Context) error {
	w.now = nightDay.Start().Add(12 * time.Hour)
	desk, from := platform.NewDesk(w.db), nightDay.Add(-10).Start()
	opens := nightDay.Start().Add(10 * time.Hour)
	var paid []bank.Entry
	for begin := 0; begin < w.n; begin += bidsOfALot {
		lot := fmt.Sprintf("BENCH-%d", begin)
		order := platform.SyncOrder{Lots: []platform.LotOrder{{Number: lot, Department: "建设工程科", Deposit: 800_000_00, OpensAt: opens}},
			Bids: []platform.BidOrder{{Lot: lot, Bidder: "中标单位"}}, Events: []platform.EventOrder{
				{Number: lot + "O", Kind: platform.EventOpened, Lot: lot, HappenedAt: opens},
				{Number: lot + "A", Kind: platform.EventAwardNotice, Lot: lot, Bidder: "中标单位", HappenedAt: opens.Add(time.Hour)}}}
		for i := begin; i < min(begin+bidsOfALot, w.n); i++ {
			e := w.credit(i)
			paid = append(paid, e)
			order.Bids = append(order.Bids, platform.BidOrder{Lot: lot, Bidder: e.PayerName, BidderAccount: e.PayerAccount, Bank: e.Bank, SubAccount: e.SubAccount, LeaseFrom: from})
		}
		if _, err := desk.Sync(ctx, "bench", order); err != nil {
			return err
		}
	}
	w.now = nightDay.Add(1).Start().Add(9 * time.Hour)
	return w.state(ctx, nightDay, 0, paid)
}

// state imports an account's day and has it judged.
func (w *payback) state(ctx context.Context, day deposit.Day, opening deposit.Fen, lines []bank.Entry) error {
	closing := opening
	for i := range lines {
		if lines[i].Direction == bank.Credit {
			closing += lines[i].Amount
		} else {
			closing -= lines[i].Amount
		}
	}
	var file bytes.Buffer
	if err := bank.WriteDelimited(&file, bank.Statement{ParentAccount: paybackParent, Day: day, Currency: "CNY", Opening: &opening, Closing: &closing,
		Declared: bank.DeclaredBy(lines), LastPage: true}, lines); err != nil {
		return err
	}
	if _, err := bank.NewDesk(w.db).Import(ctx, "bench", w.bank, "bench", bytes.NewReader(file.Bytes())); err != nil {
		return err
	}
	_, err := w.reconcile.JudgeAll(ctx)
	return err
}

// linesOfAList is how many lines a department puts on one list.
const linesOfAList = 1000

func (w *payback) submit(ctx context.Context) (keys []sqldb.ID, err error) {
	for begin := 0; begin < w.n; begin += linesOfAList {
		list := refund.ListOrder{Eyes: deposit.SightOfAll(), Department: "建设工程科", Reference: fmt.Sprint(begin)}
		for i := begin; i < min(begin+linesOfAList, w.n); i++ {
			e := w.credit(i)
			list.Lines = append(list.Lines, refund.Order{Row: i + 1, Bank: e.Bank, Day: e.BookingDate, Serial: e.Serial})
		}
		s, err := w.refund.Submit(ctx, "甲", list)
		if err != nil {
			return nil, err
		}
		if len(s.Faults) > 0 {
			return nil, fmt.Errorf("a line is refused: %s", s.Faults[0].Text)
		}
		for i := range s.Lines {
			keys = append(keys, s.Lines[i].ID)
		}
	}
	return keys, nil
}

func (w *payback) approve(ctx context.Context, keys []sqldb.ID) error {
	for begin := 0; begin < len(keys); begin += linesOfAList {
		made, err := w.refund.Compose(ctx, "乙", keys[begin:min(begin+linesOfAList, len(keys))])
		if err != nil {
			return err
		}
		for _, b := range made {
			b, err := w.refund.Check(ctx, "丙", signatureOf(b))
			if err != nil {
				return err
			}
			if _, err := w.refund.Release(ctx, "丁", signatureOf(b)); err != nil {
				return err
			}
		}
	}
	return nil
}

func signatureOf(b refund.Batch) refund.Signature {
	return refund.Signature{Batch: b.ID, Version: b.Version, Digest: b.Digest, Count: b.Count, Total: b.Total}
}

// exchange is a bank that pays everything at once. It forgets what it has paid, so that what is measured is our memory.
func (w *payback) exchange(_ context.Context, b *bank.Bank, _ string, raw []byte) ([]byte, error) {
	sim := banksim.New(b, rand.New(rand.NewPCG(1, 2)), func() time.Time { return w.now }) //nolint:gosec // no secret hangs on it
	answer, answered := sim.Paying(banksim.PayRules{}).Take(raw)
	if !answered {
		return nil, errors.New("no answer")
	}
	return answer, nil
}

// debits imports the statement on which all of it is paid.
func (w *payback) debits(ctx context.Context) error {
	all, err := refund.LinesOfAccount(ctx, w.db, "bench", paybackParent)
	if err != nil {
		return err
	}
	day := nightDay.Add(1)
	paid := make([]bank.Entry, len(all))
	for i := range all {
		l := &all[i]
		paid[i] = bank.Entry{Bank: "bench", ParentAccount: paybackParent, BookingDate: day, Serial: fmt.Sprintf("260613%09d", i), Direction: bank.Debit, SubAccount: l.SubAccount, Amount: l.Amount,
			BookedAt: w.now, PayerName: l.PayeeName, PayerAccount: l.PayeeAccount, Remark: l.Serial}
	}
	return w.state(ctx, day, deposit.Fen(w.n)*800_000_00, paid)
}
