package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"depositd/platform/deposit"
)

func at(s string) time.Time {
	t, err := deposit.ParseWall("2026-06-15 " + s)
	if err != nil {
		panic(err)
	}
	return t
}

func yuan(s string) deposit.Fen {
	f, err := deposit.ParseYuan(s)
	if err != nil {
		panic(err)
	}
	return f
}

const (
	holder = "聊城市东昌建设工程有限公司"
	other  = "临清市卫河工程有限公司"
)

// bid is a claim on a lot of 800,000 yuan that opens at nine, with a lease from the beginning of the month.
func bid(name string, change ...func(*Claim)) *Claim {
	c := &Claim{Lot: "LC-2026-001", Deposit: yuan("800000.00"), OpensAt: at("09:00:00"), Opened: true, Bidder: name, BidderKey: deposit.NameKey(name),
		BidderAccount: "3700000001", From: at("00:00:00").AddDate(0, 0, -14), To: at("23:59:59").AddDate(1, 0, 0)}
	for _, f := range change {
		f(c)
	}
	return c
}

// credit is 800,000 yuan by the holder, an hour before the opening, on a number.
func credit(change ...func(*Credit)) *Credit {
	c := &Credit{SubAccount: "000147", Amount: yuan("800000.00"), BookedAt: at("08:00:00"), Serial: "1", PayerName: holder, PayerAccount: "3700000001"}
	for _, f := range change {
		f(c)
	}
	c.PayerKey = deposit.NameKey(c.PayerName)
	return c
}

func TestDecide(t *testing.T) {
	booked := func(s string) func(*Credit) { return func(c *Credit) { c.BookedAt = at(s) } }
	amount := func(s string) func(*Credit) { return func(c *Credit) { c.Amount = yuan(s) } }
	payer := func(s string) func(*Credit) { return func(c *Credit) { c.PayerName = s } }
	from := func(s string) func(*Credit) { return func(c *Credit) { c.PayerAccount = s } }
	single := func(c *Claim) { c.SinglePayment = true }
	basic := func(c *Claim) { c.BasicAccountRequired = true }
	announced := func(c *Claim) { c.Opened = false }
	held := func(change ...func(*Claim)) Claims { return Claims{Known: true, Holder: bid(holder, change...)} }
	sums := func(before, total string, whole ...bool) Sums {
		s := Sums{Total: yuan(total)}
		if before != "" {
			s.Before = yuan(before)
		}
		if len(whole) == 2 {
			s.Whole, s.WholeUp = whole[0], whole[1]
		}
		return s
	}
	full := sums("", "800000.00", true, false)
	elsewhere := Claims{Known: true, Holder: bid(holder), OfPayer: []*Claim{bid(other, func(c *Claim) { c.Lot = "LC-2026-002" })}}

	for _, test := range []struct {
		name    string
		credit  *Credit
		claims  Claims
		sums    Sums
		rules   Rules
		want    Code
		reasons []Code
	}{
		{"the whole deposit in time", credit(), held(), full, Rules{}, Matched, nil},
		{"one second before the opening", credit(booked("08:59:59")), held(), full, Rules{}, Matched, nil},
		{"in the second of the opening", credit(booked("09:00:00")), held(), full, Rules{}, LateCredit, []Code{LateCredit}},
		{"in that second where the centre takes it for in time", credit(booked("09:00:00")), held(), full, Rules{EqualIsOnTime: true}, Matched, nil},
		{"one second after the opening there", credit(booked("09:00:01")), held(), full, Rules{EqualIsOnTime: true}, LateCredit, []Code{LateCredit}},

		{"taken back by the bank", credit(func(c *Credit) { c.Reversed = true }), held(), Sums{}, Rules{}, Reversed, []Code{Reversed}},
		{"taken back, and late as well", credit(func(c *Credit) { c.Reversed = true }, booked("10:00:00")), held(), Sums{}, Rules{}, Reversed, []Code{Reversed, LateCredit}},
		{"a refund that came back", credit(func(c *Credit) { c.Returned = true }), held(), Sums{}, Rules{}, ReturnedRefund, []Code{ReturnedRefund}},
		{"set aside: the bank says two things", credit(func(c *Credit) { c.SetAside = AdviceConflict }), held(), Sums{}, Rules{}, AdviceConflict, []Code{AdviceConflict}},
		{"without a sub-account", credit(func(c *Credit) { c.SubAccount = "" }), Claims{}, Sums{}, Rules{}, PaidToParent, []Code{PaidToParent}},
		{"a number that is not ours", credit(), Claims{}, Sums{}, Rules{}, UnknownSubAccount, []Code{UnknownSubAccount}},
		{"a number that nobody held then", credit(), Claims{Known: true}, Sums{}, Rules{}, UnknownSubAccount, []Code{UnknownSubAccount, NotLeased}},
		{"a number that somebody had held before", credit(), Claims{Known: true, Former: bid(holder)}, Sums{}, Rules{}, UnknownSubAccount, []Code{UnknownSubAccount, NotLeased, LateNumberMoney}},
		{"another bidder's number", credit(payer(other)), elsewhere, Sums{}, Rules{}, WrongSubAccount, []Code{WrongSubAccount}},
		{"another bidder's number, late", credit(payer(other), booked("09:00:00")), elsewhere, Sums{}, Rules{}, WrongSubAccount, []Code{WrongSubAccount, LateCredit}},
		{"somebody who does not bid", credit(payer("东阿县阿胶制品有限公司")), held(), Sums{}, Rules{}, ThirdPartyPayer, []Code{ThirdPartyPayer}},
		{"a person in the company's place", credit(payer("王建国")), held(), Sums{}, Rules{}, ThirdPartyPayer, []Code{ThirdPartyPayer, PersonalPayer}},
		{"a branch of the bidder is another legal payer", credit(payer(holder + "临清分公司")), held(), Sums{}, Rules{}, ThirdPartyPayer, []Code{ThirdPartyPayer}},
		{"no name, the holder's account", credit(payer("")), held(), full, Rules{}, Matched, nil},
		{"no name, another account", credit(payer(""), from("9")), held(), Sums{}, Rules{}, ThirdPartyPayer, []Code{ThirdPartyPayer}},
		{"the name spelled otherwise", credit(payer("聊城市东昌建设工程有限公司　")), held(), full, Rules{}, Matched, []Code{NameVariant}},
		{"not from the basic account", credit(from("3700000002")), held(basic), full, Rules{}, NotBasicAccount, []Code{NotBasicAccount}},
		{"from another account where none is demanded", credit(from("3700000002")), held(), full, Rules{}, Matched, nil},

		{"one fen short", credit(amount("799999.99")), held(), sums("", "799999.99"), Rules{}, Underpaid, []Code{Underpaid}},
		{"short, and the opening still to come", credit(amount("300000.00")), held(announced), sums("", "300000.00"), Rules{}, Matched, []Code{PartialPayment}},
		{"one fen too much", credit(amount("800000.01")), held(), sums("", "800000.01"), Rules{}, Overpaid, []Code{Overpaid}},
		{"the deposit again", credit(), held(), sums("800000.00", "1600000.00"), Rules{}, DuplicatePayment, []Code{DuplicatePayment}},
		{"more than the deposit again", credit(amount("900000.00")), held(), sums("800000.00", "1700000.00"), Rules{}, DuplicatePayment, []Code{DuplicatePayment}},
		{"a little more afterwards", credit(amount("0.01")), held(), sums("800000.00", "800000.01"), Rules{}, Overpaid, []Code{Overpaid}},
		{"the first of two that reach it", credit(amount("300000.00")), held(), sums("", "800000.00"), Rules{}, Matched, []Code{SplitPayment}},
		{"the second of two that reach it", credit(amount("500000.00")), held(), sums("300000.00", "800000.00"), Rules{}, Matched, []Code{SplitPayment}},
		{"the second reaches past it", credit(amount("600000.00")), held(), sums("300000.00", "900000.00"), Rules{}, Overpaid, []Code{Overpaid, SplitPayment}},

		{"single payment: whole", credit(), held(single), sums("", "800000.00", true, false), Rules{}, Matched, nil},
		{"single payment: in parts", credit(amount("300000.00")), held(single), sums("", "800000.00", false, false), Rules{}, Underpaid, []Code{Underpaid, SinglePaymentRequired}},
		{"single payment: a part before a whole one", credit(amount("300000.00")), held(single), sums("", "1100000.00", true, false), Rules{}, Overpaid, []Code{Overpaid, SinglePaymentRequired}},
		{"single payment: a whole one after a part", credit(), held(single), sums("300000.00", "1100000.00", true, false), Rules{}, Matched, nil},
		{"single payment: whole again", credit(), held(single), sums("800000.00", "1600000.00", true, true), Rules{}, DuplicatePayment, []Code{DuplicatePayment}},
		{"single payment: more than whole", credit(amount("900000.00")), held(single), sums("", "900000.00", true, false), Rules{}, Overpaid, []Code{Overpaid}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Decide(test.credit, test.claims, test.sums, test.rules)
			if v.Code != test.want || !cmp.Equal(v.Reasons, test.reasons) {
				t.Errorf("got %s %v, want %s %v", v.Code, v.Reasons, test.want, test.reasons)
			}
			if v.Plain() != (test.want == Matched && test.reasons == nil) {
				t.Errorf("plain = %v", v.Plain())
			}
		})
	}
}

// The bid that was probably meant: unpaid before paid, the same deposit before another, the lot's number last.
func TestSuggest(t *testing.T) {
	lot := func(number string, change ...func(*Claim)) *Claim {
		return bid(other, append(change, func(c *Claim) { c.Lot = number })...)
	}
	paid := func(c *Claim) { c.Paid = true }
	worth := func(s string) func(*Claim) { return func(c *Claim) { c.Deposit = yuan(s) } }
	over := func(c *Claim) { c.To = at("07:00:00") }
	for _, test := range []struct {
		name string
		bids []*Claim
		want string
	}{
		{"an unpaid one first", []*Claim{lot("A", paid), lot("B")}, "B"},
		{"of the unpaid ones that of the same deposit", []*Claim{lot("A", worth("500000.00")), lot("B")}, "B"},
		{"an unpaid one of another deposit before a paid one of the same", []*Claim{lot("A", paid), lot("B", worth("500000.00"))}, "B"},
		{"else by the lot's number", []*Claim{lot("C"), lot("A"), lot("B")}, "A"},
		{"never one whose lease is over", []*Claim{lot("A", over), lot("B", paid)}, "B"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Decide(credit(func(c *Credit) { c.PayerName = other }), Claims{Known: true, Holder: bid(holder), OfPayer: test.bids}, Sums{}, Rules{})
			if v.Code != WrongSubAccount || v.Suggested == nil || v.Suggested.Lot != test.want {
				t.Errorf("got %s, suggested %+v, want %s", v.Code, v.Suggested, test.want)
			}
		})
	}
	v := Decide(credit(func(c *Credit) { c.PayerName = other }), Claims{Known: true, Holder: bid(holder), OfPayer: []*Claim{lot("A", over)}}, Sums{}, Rules{})
	if v.Code != ThirdPartyPayer || v.Suggested != nil {
		t.Errorf("a payer whose only lease is over: got %s, suggested %+v", v.Code, v.Suggested)
	}
	v = Decide(credit(func(c *Credit) { c.PayerName = other }), Claims{OfPayer: []*Claim{lot("A", over)}}, Sums{}, Rules{})
	if v.Code != UnknownSubAccount || v.Suggested == nil {
		t.Errorf("an unknown number, the payer known: got %s, suggested %+v", v.Code, v.Suggested)
	}
}

func TestEveryCodeHasItsChineseName(t *testing.T) {
	for code, m := range meanings {
		if m.name == "" {
			t.Errorf("%s has no name", code)
		}
	}
	for _, code := range append(verdicts, Unpaid, AdviceConflict, AdviceOrphan, AdviceMissing, AdviceDelayed, BalanceMismatch, ChainBroken,
		NotLeased, LateNumberMoney, SplitPayment, SinglePaymentRequired, NameVariant, PersonalPayer, PartialPayment) {
		if code.Name() == "" {
			t.Errorf("%s has no meaning", code)
		}
	}
}

func TestRoundCap(t *testing.T) {
	for n, want := range map[int64]bool{0: false, 50: false, 99: false, 100: true, 150: false, 200: true, 500: true, 1000: true, 1001: false, 5000: true, 20000: true} {
		if atRoundCap(n) != want {
			t.Errorf("atRoundCap(%d) = %v", n, !want)
		}
	}
}
