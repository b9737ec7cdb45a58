package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	db     *sqldb.DB
	bank   *bank.Bank
	set    *bank.Set
	lines  []bank.Entry
	sum    deposit.Fen
}

const nightDay = deposit.Day("2026-06-12")

// nightly measures the import of a day's statement and its closing with all verdicts, on each database; beside them the
// same rows inserted raw, and the same set difference as one INSERT … SELECT of the engine's own.
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
	at, err := deposit.ParseWall("2026-06-13 00:30:00")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenAt(ctx, url, func() time.Time { return at })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	w := &night{n: n, parent: fmt.Sprintf("3705%015d", n), db: db}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	file, err := w.statement(b.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	measure := func(what string, f func() error) {
		begun := time.Now()
		if err == nil {
			err = f()
		}
		rows = append(rows, benchRow{What: what, Seconds: time.Since(begun).Seconds()})
	}
	measure("导入", func() error {
		_, err := bank.NewDesk(db).Import(ctx, "bench", w.bank, "bench", file)
		return err
	})
	measure("裸插入", func() error { return w.rawInsert(ctx) })
	measure("日终对账", func() error {
		_, err := reconcile.NewDesk(db, w.set, reconcile.Rules{}).CloseDay(ctx, "bench", nightDay)
		return err
	})
	measure("集合之差", func() error { return w.difference(ctx) })
	return rows, err
}

// prepare stores the bids, and the notices as they would have come during the day, judged.
func (w *night) prepare(ctx context.Context) (err error) {
	if w.set, err = bank.ParseSet(fmt.Appendf(nil, "banks:\n  - {code: bench, name: 测试银行, adapter: gseries, statement: delimited, parent_accounts: [%q], notices: single, seal: {scheme: none}}\n", w.parent), nil); err != nil {
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
		for i := begin; i < min(begin+rowsAtOnce, w.n); i++ {
			e := w.line(i)
			w.lines, w.sum = append(w.lines, e), w.sum+e.Amount
			order.Bids = append(order.Bids, platform.BidOrder{Lot: lot, Bidder: e.PayerName, BidderAccount: e.PayerAccount, Bank: w.bank.Code, SubAccount: e.SubAccount, LeaseFrom: from})
			if i%50 != 7 { // the notice that is never pushed
				e.PayerKey = deposit.NameKey(e.PayerName)
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

// line is the i-th credit of the day.
func (w *night) line(i int) bank.Entry {
	return bank.Entry{Bank: w.bank.Code, ParentAccount: w.parent, BookingDate: nightDay, Serial: fmt.Sprintf("260612%09d", i), Direction: bank.Credit,
		SubAccount: fmt.Sprintf("%d-%07d", w.n, i), Amount: 800_000_00, BookedAt: nightDay.Start().Add(9*time.Hour + time.Duration(i%30000)*time.Second),
		PayerName: fmt.Sprintf("聊城市第%d建设工程有限公司", i), PayerAccount: fmt.Sprintf("6212%015d", i)}
}

func (w *night) statement(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "statement-")
	if err != nil {
		return nil, err
	}
	var opening deposit.Fen
	return file, bank.WriteDelimited(file, bank.Statement{ParentAccount: w.parent, Day: nightDay, Currency: "CNY", Opening: &opening, Closing: &w.sum,
		Declared: bank.DeclaredBy(w.lines), LastPage: true}, w.lines)
}

// benchLines is a table like entries, without what reconciliation needs beside.
var benchLines = sqldb.NewTable("bench_lines", "serial, sub_account, amount, booked_at, payer_name, payer_account", func(e *bank.Entry) []any {
	return []any{&e.Serial, &e.SubAccount, &e.Amount, sqldb.Wall(&e.BookedAt), &e.PayerName, &e.PayerAccount}
})

// rawInsert puts the same lines into a bare table with a key, hundreds a statement, thousands a transaction.
func (w *night) rawInsert(ctx context.Context) error {
	for _, text := range []string{"DROP TABLE IF EXISTS bench_lines", "DROP TABLE IF EXISTS bench_missing", "CREATE TABLE bench_missing (serial VARCHAR(64) NOT NULL PRIMARY KEY)",
		"CREATE TABLE bench_lines (serial VARCHAR(64) NOT NULL PRIMARY KEY, sub_account VARCHAR(40) NOT NULL, amount BIGINT NOT NULL, " +
			"booked_at VARCHAR(23) NOT NULL, payer_name VARCHAR(200) NOT NULL, payer_account VARCHAR(64) NOT NULL)"} {
		if err := w.db.Write(ctx, "bench", func(tx *sqldb.Tx) error { _, err := tx.Exec(ctx, text); return err }); err != nil {
			return err
		}
	}
	for begin := 0; begin < w.n; begin += 1000 {
		some := w.lines[begin:min(begin+1000, w.n)]
		if err := w.db.Write(ctx, "bench", func(tx *sqldb.Tx) error { return benchLines.Insert(ctx, tx, some...) }); err != nil {
			return err
		}
	}
	return nil
}

// difference asks the engine for the lines without a notice, in one statement.
func (w *night) difference(ctx context.Context) error {
	return w.db.Write(ctx, "bench", func(tx *sqldb.Tx) error {
		n, err := tx.Exec(ctx, "INSERT INTO bench_missing (serial) SELECT l.serial FROM bench_lines AS l WHERE NOT EXISTS (SELECT 1 FROM entries AS e "+
			"JOIN sightings AS s ON s.entry_id = e.id AND s.source = 'N' WHERE e.booking_date = ? AND e.bank = ? AND e.parent_account = ? AND e.serial = l.serial AND e.amount = l.amount)",
			nightDay, w.bank.Code, w.parent)
		if want := int64((w.n + 42) / 50); err == nil && n != want {
			err = fmt.Errorf("集合之差 %d 行，应为 %d 行", n, want)
		}
		return err
	})
}
