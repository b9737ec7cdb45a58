package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// night is one measurement of the nightly job: a day of n bids whose notices are stored, but for two in a hundred, and
// whose statement has them all.
type night struct {
	n      int
	parent string // of its own, so that several nights fit into one database
	url    string
	db     *sqldb.DB
	at     time.Time // what the database takes for now
	banks  []byte    // banks.yaml
	bank   *bank.Bank
	set    *bank.Set
}

const nightDay = deposit.Day("2026-06-12")

// nightly measures the import of a day's statement and its closing with all verdicts, on each database; beside them the
// same rows inserted raw, and the same set difference as one INSERT … SELECT of the engine's own. The memory is that of a
// process that imports the statement, or closes the day, once more.
func (k *benchCmd) nightly(ctx context.Context, b *bench) error {
	for _, n := range k.N {
		for i, url := range append([]string{sqldb.FileURL(filepath.Join(b.dir, fmt.Sprintf("nightly-%d.db", n)))}, k.Also...) {
			rows, err := k.nightOf(ctx, b, url, n)
			if err != nil {
				return err
			}
			for j := range rows {
				rows[j].Section, rows[j].N, rows[j].Note = "nightly", n, fmt.Sprintf("库 %d", i+1)
			}
			b.tell(rows[0], rows[1])
			b.tell(rows[2], rows[3])
		}
	}
	return nil
}

func (k *benchCmd) nightOf(ctx context.Context, b *bench, url string, n int) (rows []benchRow, err error) {
	w := &night{n: n, parent: fmt.Sprintf("3705%015d", n), url: url}
	w.at = nightDay.Start().Add(18 * time.Hour)
	if w.db, err = sqldb.OpenAt(ctx, url, func() time.Time { return w.at }); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.db.Close()) }()
	if err := benchReady(ctx, w.db); err != nil {
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	if err := w.rawTables(ctx); err != nil {
		return nil, err
	}
	file, err := w.statement(b.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	w.at = nightDay.Add(1).Start().Add(30 * time.Minute)
	for _, one := range []struct {
		what string
		f    func() error
	}{
		{"导入", func() error { _, err := bank.NewDesk(w.db).Import(ctx, "bench", w.bank, "bench", file); return err }},
		{"裸插入", func() error { return w.rawInsert(ctx) }},
		{"日终对账", func() error {
			err := reconcile.NewDesk(w.db, w.set, reconcile.Rules{}).CloseDay(ctx, "bench", nightDay)
			return err
		}},
		{"集合之差", func() error { return w.difference(ctx) }},
	} {
		begun, before := time.Now(), worked()
		if err := one.f(); err != nil {
			return nil, fmt.Errorf("%s：%w", one.what, err)
		}
		rows = append(rows, benchRow{What: one.what, Seconds: time.Since(begun).Seconds(), CPU: (worked() - before).Seconds()})
	}
	return rows, w.measureMemory(ctx, b.dir, file, rows)
}

// measureMemory lets a process import a corrected statement with the same lines, and another close the day by it.
func (w *night) measureMemory(ctx context.Context, dir string, file *os.File, rows []benchRow) error {
	if _, err := file.WriteString("\n"); err != nil { // another file, though it says the same
		return err
	}
	banks, key := filepath.Join(dir, "banks.yaml"), filepath.Join(dir, "master.key")
	if err := errors.Join(os.WriteFile(banks, w.banks, 0o600), os.WriteFile(key, []byte(benchKey.Text()), 0o600)); err != nil {
		return err
	}
	own, err := os.Executable()
	if err != nil {
		return err
	}
	for i, args := range map[int][]string{0: {"import", "statement", file.Name()}, 2: {"nightly", "--day", string(nightDay)}} {
		if rows[i].MiB, err = peakOf(ctx, own, append(args, "--db", w.url, "--master-key-file", key, "--banks", banks)...); err != nil {
			return err
		}
	}
	return nil
}

// peakOf runs the program and gives the most memory that it had, as the system shows it meanwhile: what it tells at the end
// counts the memory of this process at the other's birth. Zero where the system does not show it.
func peakOf(ctx context.Context, own string, args ...string) (peak float64, err error) {
	cmd := exec.CommandContext(ctx, own, args...) //nolint:gosec // this program itself
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == exitMismatches {
				err = nil
			}
			if err != nil {
				err = fmt.Errorf("%w：%s", err, said.Bytes())
			}
			return peak, err
		case <-tick.C:
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			_, after, _ := strings.Cut(string(text), "VmHWM:")
			var kib float64
			_, _ = fmt.Sscan(after, &kib)
			peak = max(peak, kib/1024)
		}
	}
}

// prepare stores the bids, and the notices as they would have come during the day, judged.
func (w *night) prepare(ctx context.Context) (err error) {
	w.banks = fmt.Appendf(nil, "banks:\n  - {code: bench, name: 测试银行, adapter: gseries, statement: delimited, parent_accounts: [%q], notices: single, seal: {scheme: none}}\n", w.parent)
	if w.set, err = bank.ParseSet(w.banks, nil); err != nil {
		return err
	}
	w.bank = w.set.Only()
	opens, _ := deposit.ParseWall("2026-06-15 09:00:00")
	from, _ := deposit.ParseWall("2026-06-01 00:00:00")
	bids, banks := platform.NewDesk(w.db), bank.NewDesk(w.db)
	for begin := 0; begin < w.n; begin += rowsAtOnce {
		lot := fmt.Sprintf("BENCH-%d-%d", w.n, begin)
		order := platform.SyncOrder{Lots: []platform.LotOrder{{Number: lot, Department: "建设工程科", Deposit: 800_000_00, OpensAt: opens}}}
		message := bank.Message{Bank: w.bank.Code, ExternalID: lot, Source: bank.ByHTTP, Kind: bank.KindNotice, Raw: []byte(lot)}
		for i, e := range w.lines(begin, min(begin+rowsAtOnce, w.n)) {
			order.Bids = append(order.Bids, platform.BidOrder{Lot: lot, Bidder: e.PayerName, BidderAccount: e.PayerAccount, Bank: w.bank.Code, SubAccount: e.SubAccount, LeaseFrom: from})
			if (begin+i)%50 != 7 { // the notice that is never pushed
				message.Entries = append(message.Entries, e)
			}
		}
		if _, err := bids.Sync(ctx, "bench", order); err != nil {
			return err
		}
		if _, err := banks.Receive(ctx, message); err != nil {
			return err
		}
	}
	_, err = reconcile.NewDesk(w.db, w.set, reconcile.Rules{}).JudgeAll(ctx)
	return err
}

// lines are some of the day's credits.
func (w *night) lines(begin, end int) []bank.Entry {
	all := make([]bank.Entry, 0, end-begin)
	for i := begin; i < end; i++ {
		name := fmt.Sprintf("聊城市第%d建设工程有限公司", i)
		all = append(all, bank.Entry{Bank: w.bank.Code, ParentAccount: w.parent, BookingDate: nightDay, Serial: fmt.Sprintf("260612%09d", i), Direction: bank.Credit,
			SubAccount: fmt.Sprintf("%d-%07d", w.n, i), Amount: 800_000_00, BookedAt: nightDay.Start().Add(9*time.Hour + time.Duration(i%30000)*time.Second),
			PayerName: name, PayerKey: deposit.NameKey(name), PayerAccount: fmt.Sprintf("6212%015d", i)})
	}
	return all
}

// statement writes the bank's file of the day.
func (w *night) statement(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "statement-")
	if err != nil {
		return nil, err
	}
	lines := w.lines(0, w.n)
	var opening, sum deposit.Fen
	for i := range lines {
		sum += lines[i].Amount
	}
	return file, bank.WriteDelimited(file, bank.Statement{ParentAccount: w.parent, Day: nightDay, Currency: "CNY", Opening: &opening, Closing: &sum,
		Declared: bank.DeclaredBy(lines), LastPage: true}, lines)
}
