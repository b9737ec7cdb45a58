package banksim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/deposit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ways = []banksim.Way{banksim.TCP, banksim.HTTP}

// called is a simulated bank that answers, and the line to it.
type called struct {
	*banksim.Sim
	line *bank.Line
}

// calling starts a bank of the G series with three numbers to hand out.
func calling(t *testing.T, way banksim.Way, timeout time.Duration) called {
	t.Helper()
	b := ofDialects(t, "gseries", "csv")
	s := simOf(b, 1)
	s.Stock(parent, number(1), number(2), number(3))
	address, stop, err := s.Listen(context.Background(), way)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	b.Reach = bank.Reach{URL: address, Timeout: timeout}
	return called{s, lineTo(t, b)}
}

func lineTo(t *testing.T, b *bank.Bank) *bank.Line {
	t.Helper()
	var messages atomic.Int64
	line, err := bank.NewLine(b, func() time.Time { return at("18:00:00") }, func() string { return fmt.Sprintf("%08d", messages.Add(1)) })
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func number(n int) string { return fmt.Sprintf("%s-%06d", parent, n) }

func opening(key string) bank.Opening {
	return bank.Opening{Parent: parent, Key: key, Until: at("18:00:00").AddDate(0, 0, 20)}
}

func ofNumber(n int) bank.OfNumber { return bank.OfNumber{Parent: parent, Number: number(n)} }

// TestCalls: the whole life of a number, as the bank tells it.
func TestCalls(t *testing.T) {
	for _, way := range ways {
		t.Run(string(way), func(t *testing.T) {
			c := calling(t, way, time.Minute)
			ctx := t.Context()
			if call, err := c.line.TestLink(ctx); err != nil || call.Outcome != bank.CallDone || call.Result != "00" || call.Code != "G00009" || call.Bank != "test" || !call.BeganAt.Equal(at("18:00:00")) {
				t.Errorf("link: %+v, %v", call, err)
			}
			first, call, err := c.line.OpenNumber(ctx, opening("JM0000000001"))
			if err != nil || first != (bank.Opened{Number: number(1)}) || call.Subject != "JM0000000001" {
				t.Errorf("open: %+v %+v %v", first, call, err)
			}
			again, call, err := c.line.OpenNumber(ctx, opening("JM0000000001"))
			if err != nil || again != (bank.Opened{Number: number(1), Again: true}) || call.Result != "01" {
				t.Errorf("open again: %+v %+v %v", again, call, err)
			}
			if left, _, err := c.line.Left(ctx, bank.OfParent{Parent: parent}); err != nil || left != (bank.Left{Free: 2, Total: 3}) || left.Used() != 1 {
				t.Errorf("left: %+v %v", left, err)
			}
			paid := c.Credit(banksim.Transfer{SubAccount: number(1), With: company, Amount: 800000_00, At: at("09:29:58")})
			c.Credit(banksim.Transfer{SubAccount: number(1), With: odd, Amount: 1, At: at("10:00:00")})
			c.Credit(banksim.Transfer{SubAccount: number(2), With: company, Amount: 5_00, At: at("10:00:01")})
			credited, call, err := c.line.Credits(ctx, ofNumber(1))
			if err != nil || len(credited.Entries) != 2 || call.Subject != number(1) {
				t.Fatalf("credits: %+v %v", credited, err)
			}
			if e := credited.Entries[0]; e.Identity() != paid.Identity() || e.Amount != paid.Amount || e.PayerName != company.Name || e.PayerKey != deposit.NameKey(company.Name) || e.SubAccount != number(1) {
				t.Errorf("the credit is read as %+v", e)
			}
			if e := credited.Entries[1]; e.PayerName != odd.Name {
				t.Errorf("the payer is read as %q", e.PayerName)
			}
			if none, _, err := c.line.Credits(ctx, ofNumber(3)); err != nil || len(none.Entries) != 0 {
				t.Errorf("no credits: %+v %v", none, err)
			}
			_, call, err = c.line.CloseNumber(ctx, ofNumber(1))
			fails(t, err, bank.CallRefused, "bank_refused")
			if call.Result != "09" || call.Outcome != bank.CallRefused {
				t.Errorf("closed with money on it: %+v", call)
			}
			c.Debit(banksim.Transfer{SubAccount: number(1), With: company, Amount: 800000_01, At: at("17:00:00")})
			if closed, _, err := c.line.CloseNumber(ctx, ofNumber(1)); err != nil || closed.Again {
				t.Errorf("close: %+v %v", closed, err)
			}
			if free, open := c.Numbers(parent); !slices.Equal(free, []string{number(2), number(3), number(1)}) || len(open) > 0 {
				t.Errorf("free %v, open %v", free, open)
			}
		})
	}
}

// fails holds an error to what is known of the call's effect, and to its stable code.
func fails(t *testing.T, err error, outcome bank.CallOutcome, code string) {
	t.Helper()
	refusal := (*deposit.Refusal)(nil)
	if !errors.As(err, &refusal) || refusal.Code != code || bank.CallOutcomeOf(err) != outcome {
		t.Errorf("error %v (%s), want %s (%s)", err, bank.CallOutcomeOf(err), code, outcome)
	}
}

// TestCallFaults: what each fault is to the service, and whether the bank has done it all the same.
func TestCallFaults(t *testing.T) {
	for _, c := range []struct {
		fault   banksim.CallFault
		outcome bank.CallOutcome
		code    string // "" when all is well
		result  string // as it is recorded
		opened  bool   // at the bank
	}{
		{"", bank.CallDone, "", "00", true},
		{banksim.Slow, bank.CallDone, "", "00", true},
		{banksim.Padded, bank.CallDone, "", "00", true},
		{banksim.WrongCharset, bank.CallDone, "", "00", true},
		{banksim.Silent, bank.CallUnknown, "bank_no_answer", "bank_no_answer", false},
		{banksim.Stalled, bank.CallUnknown, "bank_no_answer", "bank_no_answer", true},
		{banksim.HungUp, bank.CallUnknown, "bank_no_answer", "bank_no_answer", false},
		{banksim.AnswerLost, bank.CallUnknown, "bank_no_answer", "bank_no_answer", true},
		{banksim.AnswerCut, bank.CallUnknown, "bank_no_answer", "bank_no_answer", true},
		{banksim.Garbage, bank.CallUnknown, "bank_answer_unreadable", "bank_answer_unreadable", true},
		{banksim.OddResult, bank.CallUnknown, "bank_answer_unreadable", "bank_answer_unreadable", false},
		{banksim.Refuses02, bank.CallRefused, "bank_refused", "02", false},
		{banksim.Refuses09, bank.CallRefused, "bank_refused", "09", false},
		{banksim.Refuses99, bank.CallRefused, "bank_refused", "99", false},
	} {
		for _, way := range ways {
			t.Run(fmt.Sprintf("%s over %s", c.fault, way), func(t *testing.T) {
				sim := calling(t, way, time.Minute)
				sim.Fail("G00003", c.fault)
				ctx := t.Context()
				if c.fault == banksim.Silent || c.fault == banksim.Stalled {
					ctx = sim.untilHeard(t)
				}
				got, call, err := sim.line.OpenNumber(ctx, opening("K1"))
				if c.code == "" && (err != nil || got.Number != number(1)) {
					t.Errorf("opened %+v, %v", got, err)
				}
				if c.code != "" {
					fails(t, err, c.outcome, c.code)
				}
				if call.Outcome != c.outcome || call.Result != c.result || (call.Detail == "") != (err == nil) {
					t.Errorf("recorded as %+v", call)
				}
				if _, open := sim.Numbers(parent); (len(open) == 1) != c.opened {
					t.Errorf("open at the bank: %v", open)
				}
				if c.outcome != bank.CallUnknown {
					return
				}
				if got, _, err = sim.line.OpenNumber(t.Context(), opening("K1")); err != nil || got.Number != number(1) || got.Again != c.opened {
					t.Errorf("asked again: %+v, %v", got, err)
				}
			})
		}
	}
}

// TestBanksOwnFaults: what a bank can say wrongly of its numbers.
func TestBanksOwnFaults(t *testing.T) {
	c := calling(t, banksim.TCP, time.Minute)
	ctx := t.Context()
	if _, _, err := c.line.OpenNumber(ctx, opening("K1")); err != nil {
		t.Fatal(err)
	}
	c.Fail("G00003", banksim.StillLeased, banksim.Forgotten)
	if got, _, err := c.line.OpenNumber(ctx, opening("K2")); err != nil || got != (bank.Opened{Number: number(1)}) {
		t.Errorf("a number that is still leased: %+v, %v", got, err)
	}
	if got, _, err := c.line.OpenNumber(ctx, opening("K3")); err != nil || !strings.HasPrefix(got.Number, parent+"-X") {
		t.Errorf("a number that nobody knows: %+v, %v", got, err)
	}
	c.Fail("G00004", banksim.Forgotten)
	_, call, err := c.line.CloseNumber(ctx, ofNumber(1))
	fails(t, err, bank.CallRefused, "bank_refused")
	if call.Result != "02" || !strings.Contains(call.Detail, "账号不存在") {
		t.Errorf("recorded as %+v", call)
	}
	c.Fail("G00005", banksim.CountLies)
	_, _, err = c.line.Credits(ctx, ofNumber(1))
	fails(t, err, bank.CallUnknown, "bank_answer_unreadable")
	if !strings.Contains(err.Error(), "count_differs") {
		t.Errorf("the count: %v", err)
	}
	c.Fail("G00013", banksim.CountLies)
	if left, _, err := c.line.Left(ctx, bank.OfParent{Parent: parent}); err != nil || left != (bank.Left{Free: 3, Total: 4}) {
		t.Errorf("the bank counts %+v, %v", left, err)
	}
	c.Lend("", number(9), "ELSE")
	if left, _, err := c.line.Left(ctx, bank.OfParent{Parent: parent}); err != nil || left != (bank.Left{Free: 2, Total: 4}) {
		t.Errorf("the bank counts %+v, %v", left, err)
	}
}

// TestPoolRunsEmpty: the bank says no in its own words, which the error keeps apart.
func TestPoolRunsEmpty(t *testing.T) {
	c := calling(t, banksim.TCP, time.Minute)
	for i := range 3 {
		if _, _, err := c.line.OpenNumber(t.Context(), opening(fmt.Sprint("K", i))); err != nil {
			t.Fatal(err)
		}
	}
	_, call, err := c.line.OpenNumber(t.Context(), opening("K9"))
	fails(t, err, bank.CallRefused, "bank_refused")
	var failed *bank.CallError
	if !errors.As(err, &failed) || failed.Result != "09" || failed.Said != "子账号已用完" || strings.Contains(err.Error()+call.Detail, "用完") {
		t.Errorf("%v; said %+v; recorded %+v", err, failed, call)
	}
}

// TestUnreachable: nobody listens, so nothing was sent; and what cannot be asked is not sent either.
func TestUnreachable(t *testing.T) {
	for _, way := range ways {
		b := ofDialects(t, "gseries", "csv")
		s := simOf(b, 1)
		address, stop, err := s.Listen(t.Context(), way)
		if err != nil || stop() != nil {
			t.Fatal(err)
		}
		b.Reach = bank.Reach{URL: address, Timeout: time.Minute}
		line := lineTo(t, b)
		call, err := line.TestLink(t.Context())
		fails(t, err, bank.CallUnsent, "bank_unreachable")
		if call.Outcome != bank.CallUnsent || call.Result != "bank_unreachable" {
			t.Errorf("%s: recorded as %+v", way, call)
		}
		_, call, err = line.OpenNumber(t.Context(), bank.Opening{Parent: parent, Key: "0123456789ABC", Until: at("18:00:00")})
		fails(t, err, bank.CallUnsent, "call_key_malformed")
		if call.Outcome != bank.CallUnsent || call.Result != "call_key_malformed" || call.Detail == "" {
			t.Errorf("%s: recorded as %+v", way, call)
		}
	}
}

// untilHeard is a context that ends as soon as the bank has heard a call: its caller has run out of patience.
func (c called) untilHeard(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for len(c.Heard()) == 0 && t.Context().Err() == nil {
			<-time.After(time.Millisecond)
		}
	}()
	return ctx
}

// TestPatienceEnds: a bank that never answers is given up after call.timeout, whether it was reached by then or not.
func TestPatienceEnds(t *testing.T) {
	for _, way := range ways {
		c := calling(t, way, 50*time.Millisecond)
		c.Fail("G00009", banksim.Silent)
		if _, err := c.line.TestLink(t.Context()); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) || bank.CallOutcomeOf(err) == bank.CallDone {
			t.Errorf("%s: %v", way, err)
		}
	}
}

// TestManyCallers: the bank and its owner speak at once, and no number is handed out twice.
func TestManyCallers(t *testing.T) {
	c := calling(t, banksim.TCP, time.Minute)
	const callers = 16
	for i := range callers {
		c.Stock("", number(100+i))
	}
	numbers := make(chan string, callers)
	for i := range callers {
		go func() {
			got, _, err := c.line.OpenNumber(t.Context(), opening(fmt.Sprint("K", i)))
			if err != nil {
				t.Error(err)
			}
			c.Credit(banksim.Transfer{SubAccount: got.Number, With: company, Amount: 1, At: at("12:00:00")})
			numbers <- got.Number
		}()
	}
	seen := map[string]bool{}
	for range callers {
		seen[<-numbers] = true
	}
	if len(seen) != callers || len(c.Entries("", day)) != callers {
		t.Errorf("%d numbers and %d credits of %d callers", len(seen), len(c.Entries("", day)), callers)
	}
}

// TestCallsFollowFromTheSeed: the same calls are answered with the same bytes.
func TestCallsFollowFromTheSeed(t *testing.T) {
	told := func(seed uint64) (all []string) {
		b := ofDialects(t, "gseries", "csv")
		s := banksim.New(b, rand.New(rand.NewPCG(seed, 1)), func() time.Time { return at("18:00:00") })
		address, stop, err := s.Listen(t.Context(), banksim.TCP)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stop() }()
		b.Reach = bank.Reach{URL: address, Timeout: time.Minute}
		line := lineTo(t, b)
		s.Fail("G00003", banksim.Forgotten, banksim.Forgotten)
		for _, key := range []string{"K1", "K2"} {
			got, _, err := line.OpenNumber(t.Context(), opening(key))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, got.Number)
		}
		return all
	}
	if !slices.Equal(told(7), told(7)) || slices.Equal(told(7), told(8)) {
		t.Error("the answers do not follow from the seed")
	}
}
