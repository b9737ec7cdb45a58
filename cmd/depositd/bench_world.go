package main

import (
	"bufio"
	"errors"
	"os"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// benchWorld is the benchmark's workload: n bids and about as many credits, the same for the same n on every machine. Of
// a thousand bids twenty go wrong, each in another way; see slip.
type benchWorld struct {
	n       int
	charset bank.Charset
}

// The world's two rounds: lots of the first open on the first day, those of the second a week later. The second round
// takes over numbers that the first has left.
var benchOpenings = [2]time.Time{
	time.Date(2026, 6, 12, 9, 0, 0, 0, deposit.Shanghai),
	time.Date(2026, 6, 19, 9, 0, 0, 0, deposit.Shanghai),
}

const (
	benchParent    = "6550100000000000017"
	bidsPerLot     = 8
	bidsPerBidder  = 5
	benchFrom      = "2026-05-20 00:00:00"
	benchHandOver  = "2026-06-13 00:00:00"
	benchHead      = "lot,department,opening_at,deposit,sub_account,bidder,bidder_account,lease_from,lease_to,single_payment,basic_account_required\n"
	benchStatement = "bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n"
)

// slip is what goes wrong with a bid's payment.
type slip int

// The slips, in the order of the dice.
const (
	neverPaid slip = iota
	halfPaid
	paidTooMuch
	paidInTwo
	paidTwice
	takenBack
	takenBackAndPaid
	refundCameBack
	paidToParent
	mistypedNumber
	anothersNumber
	anotherCompany
	aPerson
	afterOpening
	atOpening
	anotherAccount
	nameWrittenOtherwise
	linesContradict
	lineRepeated
	beforeTheLease
	slips // how many there are
)

// dice is a number that depends on the bid alone.
func dice(i int, throw uint64) uint64 {
	x := uint64(i)*0x9E3779B97F4A7C15 + throw*0xD1B54A32D192ED03
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// slipOf is what goes wrong with a bid; slips for nothing.
func slipOf(i int) slip { return slip(min(dice(i, 1)%1000, uint64(slips))) }

// benchRound is that of a bid's lot.
func benchRound(i int) int {
	if i/bidsPerLot%8 == 7 {
		return 1
	}
	return 0
}

// number is the sub-account of a bid: a running one, or the one that a bid of the first round has left.
func (w benchWorld) number(i int) int {
	if i%64 == 63 {
		return i - 32
	}
	return i
}

func benchDeposit(i int) deposit.Fen { return deposit.Fen(1+dice(i/bidsPerLot, 2)%80) * 1e4 * 100 }

func (w benchWorld) company(i int) int { return int(dice(i, 3) % uint64(w.n/bidsPerBidder+1)) }

var (
	benchTrades = []string{"建设工程", "市政工程", "路桥工程", "水利工程", "园林绿化", "建筑装饰", "信息技术", "医疗器械"}
	benchPeople = []string{"张柘", "王聿珩", "李湄", "赵翊岑"}
)

// appendName appends a company's name, one for each number.
func appendName(b []byte, c int, otherwise bool) []byte {
	b = append(b, places[c%len(places)]...)
	for k, rest := 0, c/len(places)/len(benchTrades); k < 4; k, rest = k+1, rest/len(coined) {
		b = append(b, string(coined[rest%len(coined)])...)
	}
	b = append(b, benchTrades[c/len(places)%len(benchTrades)]...)
	switch {
	case c%16 == 0 && otherwise:
		b = append(b, "(集团)"...)
	case c%16 == 0:
		b = append(b, "（集团）"...)
	case otherwise:
		b = append(b, ' ')
	}
	return append(b, "有限公司"...)
}

// appendPadded appends a number with leading zeros.
func appendPadded(b []byte, n, width int) []byte {
	at := len(b)
	for range width {
		b = append(b, '0')
	}
	for k := at + width - 1; k >= at; k-- {
		b[k], n = byte('0'+n%10), n/10
	}
	return b
}

func appendNumber(b []byte, n int) []byte { return appendPadded(append(b, benchParent+"-"...), n, 8) }

func appendFlag(b []byte, f bool) []byte {
	if f {
		return append(b, ",1"...)
	}
	return append(b, ",0"...)
}

func basicRequired(lot int) bool { return lot%2 == 1 }

// appendBid appends the row of a bid.
func (w benchWorld) appendBid(b []byte, i int) []byte {
	lot := i / bidsPerLot
	b = appendPadded(append(b, "LCJS2026-"...), lot, 7)
	b = append(b, ",建设工程科,"...)
	b = benchOpenings[benchRound(i)].AppendFormat(b, deposit.WallTime)
	b = benchDeposit(i).Append(append(b, ','))
	b = appendNumber(append(b, ','), w.number(i))
	b = appendName(append(b, ','), w.company(i), false)
	b = appendPadded(append(b, ",6212"...), w.company(i), 15)
	from, to := benchFrom, ""
	switch i % 64 {
	case 63:
		from = benchHandOver
	case 31:
		to = benchHandOver
	}
	b = append(append(append(append(b, ','), from...), ','), to...)
	return append(appendFlag(appendFlag(b, lot%10 == 7), basicRequired(lot)), '\n')
}

// write writes both files.
func (w benchWorld) write(bids, statement string) error {
	err := w.file(bids, func(put func([]byte) error) error {
		line := []byte(benchHead)
		for i := range w.n {
			if err := put(line); err != nil {
				return err
			}
			line = w.appendBid(line[:0], i)
		}
		return put(line)
	})
	if err != nil {
		return err
	}
	return w.file(statement, func(put func([]byte) error) error {
		if err := put([]byte(benchStatement)); err != nil {
			return err
		}
		return (&benchLedger{benchWorld: w, put: put}).write()
	})
}

// file writes a file of lines in the world's charset.
func (w benchWorld) file(name string, lines func(put func([]byte) error) error) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	err = lines(func(line []byte) error {
		if w.charset != bank.UTF8 {
			encoded, err := w.charset.Encode(string(line))
			if err != nil {
				return err
			}
			line = encoded
		}
		_, err := out.Write(line)
		return err
	})
	return errors.Join(err, out.Flush(), file.Close())
}
