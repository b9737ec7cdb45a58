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

	tables "depositd/api/sheet"
	"depositd/bank"
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
func (k *checkCmd) Run(ctx context.Context, c *call) (err error) {
	format, err := bank.AdapterOf(k.Bank)
	if err != nil {
		return usageError{err}
	}
	if format.Statement == nil {
		return usageError{fmt.Errorf("格式 %s 没有对账文件", k.Bank)}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	summary := checkSummary{Written: map[reconcile.Code]int64{}}
	in, err := k.open(ctx, c, format, &summary)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, in.close()) }()
	if err := in.read(); err != nil {
		return err
	}
	err = k.write(ctx, in.check, &summary)
	if overlap := new(reconcile.OverlapError); errors.As(err, &overlap) {
		err = usageError{fmt.Errorf("%s：%w", k.Bids, overlap)}
	}
	if err != nil {
		return err
	}
	return k.tell(c, summary)
}

// gcPercent makes the collector come earlier than usual: most of what is in use are buffers that hold nothing to look at.
const gcPercent = 50

// memoryLimit is where the collector works harder than that; what a check of ten million rows keeps is well below it.
const memoryLimit = 192 << 20

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
		row := []string{r.Kind, r.Serial, r.SubAccount, r.Lot, r.Bidder, r.Amount.String(), string(r.Verdict), r.Reasons, r.SuggestedLot, r.SuggestedBidder}
		for _, said := range []*string{&row[1], &row[2], &row[3], &row[4], &row[8], &row[9]} { // by somebody else, who may mean a formula
			*said = tables.Harmless(*said)
		}
		return out.Write(row)
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
