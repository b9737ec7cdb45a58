package main

import (
	"time"

	"depositd/platform/deposit"
)

// benchLedger writes the statement of a benchWorld: for each bid the lines of its payment, in an order that has nothing to
// do with that of the bids, by time. What follows upon a payment comes a while after it.
type benchLedger struct {
	benchWorld
	put    func([]byte) error
	serial int
	later  []laterLine
	line   []byte
}

// laterLine is a line that waits for its turn.
type laterLine struct {
	due int
	benchLine
}

// benchLine is a line of the statement; the zero of most fields is the plain case.
type benchLine struct {
	bid        int
	serial     int
	at         time.Time
	amount     deposit.Fen
	number     int // the sub-account; toParent for none
	debit      bool
	name       string // "" for the bidder's
	otherwise  bool   // the name is written in another way
	company    int    // whose name and account it bears
	other      bool   // from another account of the payer's
	remark     string
	reversalOf int
}

const (
	toParent   = -1
	laterAfter = 500 // lines

	secondsPaid = 50 * 3600 // how long before the opening the payments begin
)

// write writes the lines. An affine permutation leads from the place in the file to the bid.
func (l *benchLedger) write() error {
	step := 7368787 // a prime, and so without a factor in common with any n below it or not a multiple of it
	for round := range benchOpenings {
		for p := range l.n {
			i := (p*step + 17) % l.n
			if benchRound(i) != round {
				continue
			}
			before := (l.n - p) * secondsPaid / l.n
			if err := l.pay(i, p, benchOpenings[round].Add(-time.Duration(before)*time.Second)); err != nil {
				return err
			}
			if err := l.catchUp(p); err != nil {
				return err
			}
		}
		if err := l.catchUp(l.n + laterAfter); err != nil {
			return err
		}
	}
	return nil
}

// catchUp writes the waiting lines whose turn has come.
func (l *benchLedger) catchUp(p int) error {
	for len(l.later) > 0 && l.later[0].due <= p {
		if err := l.put(l.append(l.later[0].benchLine)); err != nil {
			return err
		}
		l.later = l.later[1:]
	}
	return nil
}

// pay writes the payment of a bid as its slip has it.
func (l *benchLedger) pay(i, p int, at time.Time) error {
	l.serial++
	line := benchLine{bid: i, serial: l.serial, at: at, amount: benchDeposit(i), number: l.number(i), company: l.company(i), remark: "投标保证金"}
	if !l.spoil(&line, slipOf(i), p) {
		return nil
	}
	return l.put(l.append(line))
}

// again lets a line come later, with a serial of its own.
func (l *benchLedger) again(p int, line benchLine) {
	l.serial++
	line.serial = l.serial
	l.repeat(p, line)
}

func (l *benchLedger) repeat(p int, line benchLine) {
	l.later = append(l.later, laterLine{p + laterAfter, line})
}

// spoil makes of a plain payment what the slip makes of it, and says whether anything was paid at all.
func (l *benchLedger) spoil(line *benchLine, m slip, p int) bool { //nolint:cyclop // one case for each slip
	back := benchLine{bid: line.bid, at: line.at, amount: line.amount, number: line.number, company: line.company, debit: true, reversalOf: line.serial, remark: "冲正"}
	next := *line
	switch m {
	case neverPaid:
		return false
	case halfPaid:
		line.amount /= 2
	case paidTooMuch:
		line.amount += 1000 * 100
	case paidInTwo:
		line.amount, next.amount = line.amount/2, line.amount-line.amount/2
		l.again(p, next)
	case paidTwice:
		l.again(p, next)
	case takenBack:
		l.again(p, back)
	case takenBackAndPaid:
		l.again(p, back)
		l.again(p, next)
	case refundCameBack:
		next.remark = "退汇"
		l.again(p, next)
	case paidToParent:
		line.number = toParent
	case mistypedNumber:
		line.number += 90_000_000
	case anothersNumber:
		line.number = l.number((line.bid + 1) % l.n)
	case anotherCompany:
		line.company = l.n/bidsPerBidder + 2 + line.company
	case aPerson:
		line.name = benchPeople[line.bid%len(benchPeople)]
	case afterOpening:
		line.at = benchOpenings[benchRound(line.bid)].Add(time.Duration(dice(line.bid, 4)%7200) * time.Second)
	case atOpening:
		line.at = benchOpenings[benchRound(line.bid)]
	case anotherAccount:
		line.other = true
	case nameWrittenOtherwise:
		line.otherwise = true
	case linesContradict:
		next.amount += 100
		l.repeat(p, next)
	case lineRepeated:
		l.repeat(p, next)
	case beforeTheLease:
		line.at = line.at.AddDate(0, 0, -30)
	}
	return true
}

// append makes the row of a line; it is good until the next.
func (l *benchLedger) append(x benchLine) []byte {
	b := appendPadded(append(l.line[:0], "260612"...), x.serial, 9)
	b = x.at.AppendFormat(append(b, ','), time.DateOnly)
	b = x.at.AppendFormat(append(b, ','), deposit.WallTime)
	b = append(b, ","+benchParent+","...)
	if x.number != toParent {
		b = appendNumber(b, x.number)
	}
	side := ",C,"
	if x.debit {
		side = ",D,"
	}
	b = append(x.amount.Append(append(b, side...)), ',')
	if b = append(b, x.name...); x.name == "" {
		b = appendName(b, x.company, x.otherwise)
	}
	account := ",6212"
	if x.other || x.name != "" {
		account = ",6213"
	}
	b = appendPadded(append(b, account...), x.company, 15)
	b = append(append(b, ','), payerBanks[x.company%len(payerBanks)]...)
	b = append(append(append(b, ','), x.remark...), ',')
	if x.reversalOf != 0 {
		b = appendPadded(append(b, "260612"...), x.reversalOf, 9)
	}
	l.line = append(b, '\n')
	return l.line
}
