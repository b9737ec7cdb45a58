package reconcile

import (
	"cmp"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Credit is what the rules need to know of money that came in.
type Credit struct {
	SubAccount string // "" for the parent account itself
	Amount     deposit.Fen
	BookedAt   time.Time
	Serial     string
	SerialSeq  int

	PayerName    string
	PayerKey     string // deposit.NameKey of the name
	PayerAccount string

	Reversed bool // the bank took it back
	Returned bool // a refund of ours that came back
	SetAside Code // AdviceConflict or AdviceOrphan while a person still has to ask the bank; else ""
}

// Claim is a bid that may have to do with a credit, with the lease that ties it to its number.
type Claim struct {
	LeaseID, BidID, LotID sqldb.ID

	Number               string // the sub-account, where there is one
	Lot                  string
	Department           string // the business department that runs the lot
	Deposit              deposit.Fen
	OpensAt              time.Time
	Opened               bool // it is certain that nothing more can come in time
	sealed               bool // nothing may be told yet of who bids
	SinglePayment        bool
	BasicAccountRequired bool

	Bidder        string
	BidderKey     string
	BidderAccount string

	From, To time.Time // the lease, half open
	Paid     bool      // its own number has received the deposit
}

func (c *Claim) inForce(at time.Time) bool { return !at.Before(c.From) && at.Before(c.To) }

// Claims is everything that may claim one credit.
type Claims struct {
	Known   bool     // the number is or was leased to somebody
	Holder  *Claim   // whose number it was at the booking time; nil if nobody's
	Former  *Claim   // where it was nobody's: who held it last before
	OfPayer []*Claim // the payer's bids, the holder's own among them or not
}

// Sums is what else was paid into the holder's number during the lease and counts, in booking order.
type Sums struct {
	Before  deposit.Fen // before this credit
	Total   deposit.Fen // with this credit and all after it
	Whole   bool        // some single credit reaches the deposit
	WholeUp bool        // one before this credit does
}

// Rules is what centres differ in.
type Rules struct {
	EqualIsOnTime bool // a credit in the very second of the opening is in time; both systems known to us call it late
}

// Verdict is what a credit turns out to be.
type Verdict struct {
	Code      Code
	Reasons   []Code      // all that apply, the verdict itself first unless it is Matched
	Holder    *Claim      // whose number was credited, if anybody's
	Suggested *Claim      // the bid that was probably meant, if another
	Counted   deposit.Fen // what of it counts towards the deposit
}

// Plain says that there is nothing to say about the credit: it is matched, without a reason.
func (v *Verdict) Plain() bool { return v.Code == Matched && len(v.Reasons) == 0 }

// Decide judges one credit by the lease in force at its booking time. It is pure: the first case that fits is the
// verdict, all that apply are its reasons. Whether money counts is decided without the sums; what it counts for, with them.
func Decide(c *Credit, k Claims, s Sums, r Rules) Verdict {
	v := Verdict{Holder: k.Holder}
	if v.Reasons = stands(c, k, r); len(v.Reasons) > 0 {
		v.Code = v.Reasons[0]
		v.Suggested = suggest(c, k, v.Code)
	} else {
		v.Code, v.Reasons, v.Counted = weigh(c.Amount, k.Holder, s)
	}
	if v.Holder != nil && isPayer(c, v.Holder) && c.PayerName != "" && c.PayerName != v.Holder.Bidder {
		v.Reasons = append(v.Reasons, NameVariant)
	}
	return v
}

// Counts says whether a credit counts towards its holder's deposit.
func Counts(c *Credit, k Claims, r Rules) bool { return len(stands(c, k, r)) == 0 }

// stands gives the reasons for which a credit does not count, in the order of the verdicts.
func stands(c *Credit, k Claims, r Rules) []Code {
	var why []Code
	when := func(applies bool, code Code) {
		if applies {
			why = append(why, code)
		}
	}
	when(c.Reversed, Reversed)
	when(c.Returned, ReturnedRefund)
	when(c.SetAside != "", c.SetAside)
	h := k.Holder
	if c.SubAccount == "" {
		return append(why, PaidToParent)
	}
	if h == nil {
		when(true, UnknownSubAccount)
		when(k.Known, NotLeased)
		when(k.Former != nil, LateNumberMoney)
		return why
	}
	own := isPayer(c, h)
	elsewhere := !own && slices.ContainsFunc(k.OfPayer, func(o *Claim) bool { return o.inForce(c.BookedAt) })
	when(elsewhere, WrongSubAccount)
	when(!own && !elsewhere, ThirdPartyPayer)
	when(c.BookedAt.After(h.OpensAt) || c.BookedAt.Equal(h.OpensAt) && !r.EqualIsOnTime, LateCredit)
	when(own && h.BasicAccountRequired && c.PayerAccount != h.BidderAccount, NotBasicAccount)
	when(!own && deposit.IsPerson(c.PayerName) && !deposit.IsPerson(h.Bidder), PersonalPayer)
	return why
}

// isPayer says whether the bidder himself paid: by the name's key, or by the account where the bank tells no name.
func isPayer(c *Credit, bid *Claim) bool {
	if c.PayerKey == "" {
		return c.PayerAccount != "" && c.PayerAccount == bid.BidderAccount
	}
	return c.PayerKey == bid.BidderKey
}

// weigh judges a credit that counts by what else was paid into the number.
func weigh(amount deposit.Fen, h *Claim, s Sums) (code Code, reasons []Code, counted deposit.Fen) {
	if h.SinglePayment {
		return weighSingle(amount, h, s)
	}
	after := s.Before + amount
	switch {
	case s.Total < h.Deposit && h.Opened:
		return Underpaid, []Code{Underpaid}, amount
	case s.Total < h.Deposit:
		return Matched, []Code{PartialPayment}, amount
	case s.Before >= h.Deposit && amount >= h.Deposit:
		return DuplicatePayment, []Code{DuplicatePayment}, 0
	case s.Before >= h.Deposit:
		return Overpaid, []Code{Overpaid}, 0
	case after > h.Deposit && s.Before > 0:
		return Overpaid, []Code{Overpaid, SplitPayment}, h.Deposit - s.Before
	case after > h.Deposit:
		return Overpaid, []Code{Overpaid}, h.Deposit
	case amount < h.Deposit:
		return Matched, []Code{SplitPayment}, amount
	}
	return Matched, nil, amount
}

// weighSingle is weigh where the lot demands the deposit in one payment.
func weighSingle(amount deposit.Fen, h *Claim, s Sums) (code Code, reasons []Code, counted deposit.Fen) {
	switch {
	case !s.Whole && !h.Opened:
		return Matched, []Code{PartialPayment, SinglePaymentRequired}, 0
	case !s.Whole:
		return Underpaid, []Code{Underpaid, SinglePaymentRequired}, 0
	case amount < h.Deposit:
		return Overpaid, []Code{Overpaid, SinglePaymentRequired}, 0
	case s.WholeUp:
		return DuplicatePayment, []Code{DuplicatePayment}, 0
	case amount > h.Deposit:
		return Overpaid, []Code{Overpaid}, h.Deposit
	}
	return Matched, nil, amount
}

// suggest names the bid that was probably meant: of the payer's bids whose lease was in force, an unpaid one of the same
// deposit first. Where the number was nobody's, a bid of the payer's with another lease will do, or else the bid that held
// the number before: whoever holds it afterwards is not asked.
func suggest(c *Credit, k Claims, verdict Code) *Claim {
	if verdict != WrongSubAccount && verdict != UnknownSubAccount && verdict != PaidToParent {
		return nil
	}
	rank := func(o *Claim) int {
		n := 0
		if !o.inForce(c.BookedAt) {
			n += 8
		}
		if o.Paid {
			n += 2
		}
		if o.Deposit != c.Amount {
			n++
		}
		return n
	}
	var best *Claim
	for _, o := range k.OfPayer {
		if verdict == WrongSubAccount && !o.inForce(c.BookedAt) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(rank(o), rank(best)), cmp.Compare(o.Lot, best.Lot), o.From.Compare(best.From)) < 0 {
			best = o
		}
	}
	if best == nil && verdict == UnknownSubAccount {
		return k.Former
	}
	return best
}
