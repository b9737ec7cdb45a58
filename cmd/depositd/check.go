package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

type checkCmd struct {
	Bids      string `required:"" type:"existingfile" placeholder:"FILE" help:"投标表 bids.csv（UTF-8 或 GBK）"`
	Statement string `required:"" type:"existingfile" placeholder:"FILE" help:"银行对账文件"`
	Bank      string `default:"csv" placeholder:"FORMAT" help:"对账文件的格式：csv、delimited、fixed、camt"`
	Out       string `required:"" placeholder:"FILE" help:"结果写入的 CSV 文件"`
	All       bool   `help:"已匹配的入账也写入结果"`
	SkipBad   bool   `help:"跳过无法读取的行（逐行列出），而不是停止"`
	JSON      bool   `name:"json" help:"以 JSON 打印汇总"`
}

// checkSummary is what a check came to: how many rows were read, written and skipped.
type checkSummary struct {
	Bids    int                      `json:"bids"`
	Entries int                      `json:"entries"`
	Bad     int                      `json:"bad_rows"`
	Written map[reconcile.Code]int64 `json:"written"`
}

// Run compares two files without a database: bids and leases against a bank's statement.
func (k *checkCmd) Run(ctx context.Context, c *call) error {
	format, err := bank.AdapterOf(k.Bank)
	if err != nil {
		return usageError{err}
	}
	if format.Statement == nil {
		return usageError{fmt.Errorf("格式 %s 没有对账文件", k.Bank)}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	check := reconcile.NewFileCheck(c.settings.rules(), filepath.Dir(k.Out), size(k.Bids)+size(k.Statement))
	summary := checkSummary{Written: map[reconcile.Code]int64{}}
	if err := k.read(ctx, c, check, format, &summary); err != nil {
		return errors.Join(err, check.Close())
	}
	err = k.write(ctx, check, &summary)
	if overlap := new(reconcile.OverlapError); errors.As(err, &overlap) {
		err = usageError{fmt.Errorf("%s：%w", k.Bids, overlap)}
	}
	if err := errors.Join(err, check.Close()); err != nil {
		return err
	}
	return k.tell(c, summary)
}

// gcPercent makes the collector come earlier than usual: most of what is in use are buffers that hold nothing to look at.
const gcPercent = 50

// size is a file's, or 0 where it is not known.
func size(name string) int64 {
	if stat, err := os.Stat(name); err == nil && stat.Mode().IsRegular() {
		return stat.Size()
	}
	return 0
}

// read reads both files at once, on two processors where there are two. What is wrong with the bids is told first.
func (k *checkCmd) read(ctx context.Context, c *call, check *reconcile.FileCheck, format *bank.Adapter, summary *checkSummary) error {
	tell := func(file string, f bank.Fault) error {
		summary.Bad++
		fmt.Fprintf(c.stderr, "%s:%d:%d: %s\n", file, f.Line, f.Column, f.Text)
		return ctx.Err()
	}
	bidsRead := make(chan struct{})
	var bids error // valid when bidsRead is closed
	go func() {
		defer close(bidsRead)
		bids = k.readBids(ctx, check, summary, func(f bank.Fault) error { return tell(k.Bids, f) })
	}()
	statement := k.readStatement(ctx, check, format, summary, func(f bank.Fault) error {
		if <-bidsRead; bids != nil {
			return bids
		}
		return tell(k.Statement, f)
	})
	<-bidsRead
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bids != nil:
		return usageError{fmt.Errorf("%s：%w", k.Bids, bids)}
	case statement != nil:
		return usageError{fmt.Errorf("%s：%w", k.Statement, statement)}
	case summary.Bad > 0 && !k.SkipBad:
		return usageError{fmt.Errorf("共 %d 行有误，未写结果；改正后重试，或加 --skip-bad 跳过", summary.Bad)}
	}
	return nil
}

func (k *checkCmd) readBids(ctx context.Context, check *reconcile.FileCheck, summary *checkSummary, bad func(bank.Fault) error) error {
	file, err := os.Open(k.Bids)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return readBids(file, func(row bidRow) error {
		summary.Bids++
		to := row.Bid.LeaseTo
		if to.IsZero() {
			to = sqldb.Forever
		}
		bid := reconcile.Claim{Lot: row.Lot.Number, Department: row.Lot.Department, Deposit: row.Lot.Deposit, OpensAt: row.Lot.OpensAt,
			SinglePayment: row.Lot.SinglePayment, BasicAccountRequired: row.Lot.BasicAccountRequired,
			Bidder: row.Bid.Bidder, BidderAccount: row.Bid.BidderAccount, From: row.Bid.LeaseFrom, To: to}
		return errors.Join(check.Bid(row.Bid.SubAccount, &bid), interrupted(ctx, summary.Bids))
	}, bad)
}

// interrupted looks at every some thousandth row whether somebody wants to stop.
func interrupted(ctx context.Context, row int) error {
	if row%4096 != 0 {
		return nil
	}
	return ctx.Err()
}

func (k *checkCmd) readStatement(ctx context.Context, check *reconcile.FileCheck, format *bank.Adapter, summary *checkSummary, bad func(bank.Fault) error) error {
	file, err := os.Open(k.Statement)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	b := &bank.Bank{Code: k.Bank, StatementAdapter: format, Charset: bank.GB18030}
	return format.Statement(b, file, &entriesOnly{take: func(e *bank.Entry) error {
		summary.Entries++
		return errors.Join(check.Entry(e), interrupted(ctx, summary.Entries))
	}, bad: bad})
}

// entriesOnly is the sink of a statement of which only the entries matter.
type entriesOnly struct {
	current bank.Statement
	take    func(*bank.Entry) error
	bad     func(bank.Fault) error
}

func (s *entriesOnly) Begin(b bank.Statement) error { s.current = b; return nil }
func (s *entriesOnly) End(bank.Statement) error     { return nil }
func (s *entriesOnly) Fault(f bank.Fault) error     { return s.bad(f) }
func (s *entriesOnly) Entry(e *bank.Entry) error {
	if e.ParentAccount == "" {
		e.ParentAccount = s.current.ParentAccount
	}
	return s.take(e)
}

// write puts the rows into the file: beside it at first, so that a result that was there is replaced whole or not at all.
func (k *checkCmd) write(ctx context.Context, check *reconcile.FileCheck, summary *checkSummary) (err error) {
	file, err := os.CreateTemp(filepath.Dir(k.Out), ".findings-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(file.Name()))
		}
	}()
	buffer := bufio.NewWriterSize(file, 1<<20)
	if err := writeRows(ctx, buffer, check, k.All, summary); err != nil {
		return err
	}
	if err := errors.Join(buffer.Flush(), file.Chmod(0o644)); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), k.Out)
}

func writeRows(ctx context.Context, w io.Writer, check *reconcile.FileCheck, all bool, summary *checkSummary) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"kind", "bank_serial", "sub_account", "lot", "bidder", "amount", "verdict", "reasons", "suggested_lot", "suggested_bidder"}); err != nil {
		return err
	}
	err := check.Rows(ctx, all, func(r reconcile.CheckRow) error {
		summary.Written[r.Verdict]++
		return out.Write([]string{r.Kind, r.Serial, r.SubAccount, r.Lot, r.Bidder, r.Amount.String(), string(r.Verdict), r.Reasons, r.SuggestedLot, r.SuggestedBidder})
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// tell prints the summary; whatever is not matched makes the exit code 3.
func (k *checkCmd) tell(c *call, summary checkSummary) error {
	var mismatches int64
	for code, n := range summary.Written {
		if code != reconcile.Matched {
			mismatches += n
		}
	}
	if k.JSON {
		if err := printJSON(c.stdout, summary); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.stdout, "投标 %d 条，流水 %d 笔，跳过 %d 行；不符 %d 条，结果见 %s\n", summary.Bids, summary.Entries, summary.Bad, mismatches, k.Out)
		for _, code := range reconcile.Codes() {
			if n := summary.Written[code]; n > 0 {
				fmt.Fprintf(c.stdout, "  %-20s %6d  %s\n", code, n, code.Name())
			}
		}
	}
	if mismatches > 0 {
		return errMismatches
	}
	return nil
}
