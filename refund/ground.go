package refund

import (
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Ground is why some of a credit goes back, how much of it at most, and the event its days are counted from.
type Ground struct {
	Cause Cause
	Most  deposit.Fen
	Event platform.EventKind // "" where it is the booking itself
	At    time.Time          // when that happened
}

// lotOutcomes are the events that end a lot, and what they are to a bid on it.
var lotOutcomes = map[platform.LotState]struct {
	event platform.EventKind
	cause Cause
}{
	platform.LotFailed:     {platform.EventFailed, LotFailed},
	platform.LotTerminated: {platform.EventTerminated, LotEnded},
	platform.LotSigned:     {platform.EventContractSigned, Lost},
	platform.LotAwarded:    {platform.EventAwardNotice, Lost},
}

// Grounds gives every ground on which money of a credit goes back now; none means that it stays. It is pure.
//
// What the rules do not count as a deposit goes back by itself, all of it, or what exceeds the deposit. What is a deposit
// goes back when its bid was withdrawn before the deadline (条例 §35), its lot failed or was terminated (§31), or others
// won it. The winner's goes back once the contract is signed (§57).
func Grounds(r *reconcile.Receipt, happened []platform.Happening) []Ground {
	if r.Net() == 0 {
		return nil
	}
	booked := Ground{Cause: Cause(r.Verdict), Most: r.Net(), At: r.Entry.BookedAt}
	if r.Verdict.Refundable() && r.Verdict != reconcile.Overpaid {
		return []Ground{booked}
	}
	var all []Ground
	if booked.Most = r.Net() - r.Counted; r.Verdict == reconcile.Overpaid && booked.Most > 0 {
		all = append(all, booked)
	}
	if end, ended := ending(r, happened); ended && r.Counted > 0 {
		end.Most = r.Counted
		all = append(all, end)
	}
	return all
}

// ending is what became of the bid that a credit counts for.
func ending(r *reconcile.Receipt, happened []platform.Happening) (Ground, bool) {
	if r.Bid.State == platform.BidWithdrawn {
		return Ground{Cause: BidWithdrawn, Event: platform.EventBidWithdrawn, At: lastOf(happened, platform.EventBidWithdrawn, r.Bid.ID)}, true
	}
	end, ended := lotOutcomes[r.Lot.State]
	if !ended {
		return Ground{}, false
	}
	g := Ground{Cause: end.cause, Event: end.event, At: lastOf(happened, end.event, 0)}
	if g.Cause != Lost {
		return g, true
	}
	winner := winnerOf(happened)
	switch {
	case winner == 0 && end.event == platform.EventAwardNotice:
		return g, false // somebody has won, and it is not known who
	case winner == r.Bid.ID && end.event == platform.EventAwardNotice:
		return g, false // until the contract is signed
	case winner == r.Bid.ID:
		g.Cause = Won
	}
	return g, true
}

// lastOf is when something last happened to the lot, or to one bid on it.
func lastOf(happened []platform.Happening, kind platform.EventKind, bid sqldb.ID) (at time.Time) {
	for _, h := range happened {
		if h.Kind == kind && (bid == 0 || h.BidID == bid) {
			at = h.At
		}
	}
	return at
}

// winnerOf is the bid that the last award names, or the contract after it; 0 where neither does. Who won an earlier round is
// nobody in this one.
func winnerOf(happened []platform.Happening) (bid sqldb.ID) {
	for _, h := range happened {
		switch {
		case h.Kind == platform.EventRetendered, h.Kind == platform.EventAwardNotice, h.Kind == platform.EventContractSigned && h.BidID != 0:
			bid = h.BidID
		}
	}
	return bid
}

// situationOf is what the limit of a payment on a ground depends on.
func situationOf(r *reconcile.Receipt, g Ground, happened []platform.Happening, today deposit.Day) Situation {
	s := Situation{Department: r.Lot.Department, Party: partyOf(g.Cause), Happened: map[Event]deposit.Day{}, Today: today}
	for _, h := range happened {
		event, starts := EventOf(h.Kind)
		switch {
		case h.Kind == platform.EventRetendered: // what came before was of an earlier round
			clear(s.Happened)
		case starts && (h.Kind != platform.EventBidWithdrawn || h.BidID == r.Bid.ID):
			s.Happened[event] = deposit.DayOf(h.At)
		}
	}
	if s.Party == Payer {
		s.Happened[AtFinding] = deposit.DayOf(r.JudgedAt)
	}
	return s
}

// partyOf is what a payer is, by why his money goes back.
func partyOf(c Cause) Party {
	switch c {
	case Won:
		return Winner
	case Lost, LotFailed, LotEnded:
		return Loser
	case BidWithdrawn:
		return Withdrawn
	}
	return Payer
}
