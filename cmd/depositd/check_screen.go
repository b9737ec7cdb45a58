package main

import (
	"errors"
	"io"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// screen makes the check one whose rows come bare where that is possible, and gives what reads the two files then.
func (in *checkFiles) screen() (readBids, readStatement func(bad func(bank.Fault) error) error) {
	bids := &bidScan{file: in.bids, text: in.takeBid, take: func(b *reconcile.BareBid) error {
		in.summary.Bids++
		return errors.Join(in.check.BareBid(b), in.interrupted(in.summary.Bids))
	}}
	statement := &bank.CSVScan{Bank: in.bank(), Entry: in.takeEntry, Credit: func(e *bank.BareCredit) error {
		in.summary.Entries++
		return errors.Join(in.check.BareCredit(e), in.interrupted(in.summary.Entries))
	}}
	in.check.Screen(reconcile.Reread{Bids: bids.again, Credits: func(set []uint64, from, to int, credit func(int, *bank.Entry) error) error {
		return statement.Again(in.statement, set, from, to, credit)
	}})
	return bids.read, func(bad func(bank.Fault) error) error {
		statement.Fault = bad
		return statement.Read(in.statement)
	}
}

// bidScan reads bids.csv with a short way for the rows that hold nothing odd.
type bidScan struct {
	file interface {
		io.Reader
		io.ReaderAt
	}
	take func(*reconcile.BareBid) error // what is good until the next
	text func(bidRow) error             // every other row

	scan bank.Scan
	bid  reconcile.BareBid
}

// The places of the columns in bidColumns.
const (
	bidLot = iota
	bidDepartment
	bidOpening
	bidDeposit
	bidSub
	bidBidder
	bidAccount
	bidFrom
	bidTo
	bidSingle
	bidBasic
)

func (s *bidScan) read(bad func(bank.Fault) error) error {
	f := fields{columns: bidColumns, at: -1}
	s.scan = bank.Scan{Declared: bank.GB18030, Columns: bidColumns, Bare: s.bare, Fault: bad, Row: func(r *bank.Row) error {
		row := f.bid(r)
		if f.fault != nil {
			return bad(*f.fault)
		}
		return s.text(row)
	}}
	return s.scan.Read(s.file)
}

// bare takes a bid if every field is as readBids would have it, or simpler.
func (s *bidScan) bare(r *bank.Bare) error {
	b := &s.bid
	b.Row, b.Deposit, b.Number, b.Account = r.Line, r.Yuan(bidDeposit), r.Code(bidSub, 64), r.Code(bidAccount, 64)
	b.OpensAt, b.From, b.To = r.Wall(bidOpening), r.Wall(bidFrom), sqldb.Forever.Unix()
	if !r.Empty(bidTo) {
		b.To = r.Wall(bidTo)
	}
	b.Bidder, b.IsKey = r.Name(bidBidder)
	b.Basic = r.Known(bidBasic, isFlag) != 0
	r.Known(bidSingle, isFlag)
	if !r.Text(bidLot) || !r.Text(bidDepartment) || len(b.Number) == 0 {
		r.Spoil()
	}
	if r.Odd() {
		return nil
	}
	return s.take(b)
}

func isFlag(text string) (is int64, ok bool) {
	if text == "1" {
		return 1, true
	}
	return 0, text == "0" || text == ""
}

// again reads bids once more that came bare.
func (s *bidScan) again(set []uint64, from, to int, bid func(row int, number string, b *reconcile.Claim) error) error {
	f := fields{columns: bidColumns, at: -1}
	return s.scan.Again(s.file, set, from, to, func(r *bank.Row) error {
		row := f.bid(r)
		if f.fault != nil {
			return bank.FileChanged()
		}
		claim := claimOf(&row)
		return bid(row.Line, row.Bid.SubAccount, &claim)
	})
}
