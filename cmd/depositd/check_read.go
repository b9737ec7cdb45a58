package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// checkFiles is the two files of a check while they are read.
type checkFiles struct {
	*checkCmd
	*call
	ctx             context.Context // of the one command
	format          *bank.Adapter
	check           *reconcile.FileCheck
	summary         *checkSummary
	bids, statement *os.File
}

// open opens both files. Where they can be read twice, and only what does not match is asked for, most rows are not read as
// text at all.
func (k *checkCmd) open(ctx context.Context, c *call, format *bank.Adapter, summary *checkSummary) (*checkFiles, error) {
	bids, err := os.Open(k.Bids)
	if err != nil {
		return nil, err
	}
	statement, err := os.Open(k.Statement)
	if err != nil {
		return nil, errors.Join(err, bids.Close())
	}
	bytes := size(bids) + size(statement)
	check := reconcile.NewFileCheck(c.settings.rules(), filepath.Dir(k.Out), bytes)
	return &checkFiles{k, c, ctx, format, check, summary, bids, statement}, nil
}

func (in *checkFiles) close() error {
	return errors.Join(in.check.Close(), in.bids.Close(), in.statement.Close())
}

// size is a file's, or 0 where it is not known.
func size(file *os.File) int64 {
	if stat, err := file.Stat(); err == nil && stat.Mode().IsRegular() {
		return stat.Size()
	}
	return 0
}

// read reads both files at once, on two processors where there are two. What is wrong with the bids is told first.
func (in *checkFiles) read() error {
	readBids, readStatement := in.readBids, in.readStatement
	if in.format.Name == "csv" && !in.All && size(in.bids) > 0 && size(in.statement) > 0 {
		readBids, readStatement = in.screen()
	}
	bidsRead := make(chan struct{})
	var bids error // valid when bidsRead is closed
	go func() {
		defer close(bidsRead)
		bids = readBids(func(f bank.Fault) error { return in.bad(in.Bids, f) })
	}()
	statement := readStatement(func(f bank.Fault) error {
		if <-bidsRead; bids != nil {
			return bids
		}
		return in.bad(in.Statement, f)
	})
	<-bidsRead
	switch {
	case in.ctx.Err() != nil:
		return in.ctx.Err()
	case bids != nil:
		return usageError{fmt.Errorf("%s：%w", in.Bids, bids)}
	case statement != nil:
		return usageError{fmt.Errorf("%s：%w", in.Statement, statement)}
	case in.summary.Bad > 0 && !in.SkipBad:
		return usageError{fmt.Errorf("共 %d 行有误，未写结果；改正后重试，或加 --skip-bad 跳过", in.summary.Bad)}
	}
	return nil
}

// bad tells of a row that cannot be read.
func (in *checkFiles) bad(file string, f bank.Fault) error {
	in.summary.Bad++
	fmt.Fprintf(in.stderr, "%s:%d:%d: %s\n", file, f.Line, f.Column, f.Text)
	return in.ctx.Err()
}

func (in *checkFiles) interrupted(row int) error { return interruptedAt(in.ctx, row) }

// interruptedAt looks at every some thousandth row whether somebody wants to stop.
func interruptedAt(ctx context.Context, row int) error {
	if row%4096 != 0 {
		return nil
	}
	return ctx.Err()
}

// readBids reads every bid as text.
func (in *checkFiles) readBids(bad func(bank.Fault) error) error {
	return readBids(in.bids, in.takeBid, bad)
}

func (in *checkFiles) takeBid(row bidRow) error {
	in.summary.Bids++
	bid := claimOf(&row)
	return errors.Join(in.check.Bid(row.Line, row.Bid.SubAccount, &bid), in.interrupted(in.summary.Bids))
}

func claimOf(row *bidRow) reconcile.Claim {
	to := row.Bid.LeaseTo
	if to.IsZero() {
		to = sqldb.Forever
	}
	return reconcile.Claim{Lot: row.Lot.Number, Department: row.Lot.Department, Deposit: row.Lot.Deposit, OpensAt: row.Lot.OpensAt,
		SinglePayment: row.Lot.SinglePayment, BasicAccountRequired: row.Lot.BasicAccountRequired,
		Bidder: row.Bid.Bidder, BidderAccount: row.Bid.BidderAccount, From: row.Bid.LeaseFrom, To: to}
}

// readStatement reads every entry as text.
func (in *checkFiles) readStatement(bad func(bank.Fault) error) error {
	b := in.bank()
	return in.format.Statement(b, in.statement, &entriesOnly{take: func(e *bank.Entry) error { return in.takeEntry(in.summary.Entries, e) }, bad: bad})
}

func (in *checkFiles) bank() *bank.Bank {
	return &bank.Bank{Code: in.Bank, StatementAdapter: in.format, Charset: bank.GB18030}
}

func (in *checkFiles) takeEntry(row int, e *bank.Entry) error {
	in.summary.Entries++
	return errors.Join(in.check.Entry(row, e), in.interrupted(in.summary.Entries))
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
