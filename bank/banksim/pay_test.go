package banksim_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// payDialects are the ways to pay.
var payDialects = []string{"gseries", "delimited", "camt", "pain", "pain03"}

// clock is a time that a test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// paying is a bank that pays, and its clock.
func paying(t *testing.T, dialect string, posting bank.Posting, seed uint64, rules banksim.PayRules) (*banksim.Sim, *banksim.Payments, *clock) {
	t.Helper()
	b := ofDialects(t, "gseries", "delimited")
	var err error
	if b.PayoutAdapter, err = bank.AdapterOf(dialect); err != nil {
		t.Fatal(err)
	}
	b.Posting = posting
	c := &clock{at("09:00:00")}
	s := banksim.New(b, rand.New(rand.NewPCG(seed, 7)), c.now)
	s.Hold(parent, 1_000_000_000_00)
	return s, s.Paying(rules), c
}

// aPayout is a batch of n lines from one sub-account, the k-th of a day.
func aPayout(k, n int) *bank.Payout {
	p := &bank.Payout{Number: fmt.Sprintf("TF-20260612-%02d", k), ParentAccount: parent, SubAccount: parent + "-000147", CreatedAt: at("08:59:00")}
	names := []string{"聊城市东昌建设工程有限公司", "山东亅倈億（集团）有限公司", "茌平水利<工程>有限公司 & 分公司"}
	for i := range n {
		p.Lines = append(p.Lines, bank.PayLine{
			Serial: bank.PaySerial(sqldb.ID(k*1000 + i + 1)), PayeeName: names[i%len(names)], PayeeAccount: fmt.Sprintf("62120000000%08d", i), PayeeBank: "示例银行聊城分行",
			PayeeBankCode: "102471000013", SameBank: i%3 == 0, Amount: deposit.Fen(100_00 * (i + 1)), FromSub: p.SubAccount,
			OriginSerial: fmt.Sprintf("2606120000%05d", k*1000+i), Purpose: "退投标保证金",
		})
	}
	for i := range p.Lines { // the check digit of the code above is worked out, not looked up
		p.Lines[i].PayeeBankCode = bankCode
	}
	return p
}

// bankCode is an invented 联行号 with a right check digit.
var bankCode = func() string {
	for c := '0'; c <= '9'; c++ {
		if code := "10247100001" + string(c); bank.CheckBankCode(code) == nil {
			return code
		}
	}
	return ""
}()

// TestPayoutsAreRead: the bank's own readers find in each dialect what the service wrote.
func TestPayoutsAreRead(t *testing.T) {
	for _, dialect := range payDialects {
		t.Run(dialect, func(t *testing.T) {
			s, pay, _ := paying(t, dialect, bank.PostPerItem, 1, banksim.PayRules{})
			p := aPayout(1, 7)
			raw, err := s.Bank().WritePayout(p)
			if err != nil {
				t.Fatal(err)
			}
			answer, answered := pay.Take(raw)
			if !answered {
				t.Fatal("no answer")
			}
			results, err := resultsOf(s, p, answer)
			if err != nil {
				t.Fatal(err)
			}
			booked := s.Entries(parent, day)
			for i, l := range p.Lines {
				e := booked[i]
				if r := results[i]; r.Status != bank.PayPaid || r.Serial != l.Serial || pay.Paid(l.Serial) != l.Amount {
					t.Errorf("line %d: %+v, really paid %s", i, r, pay.Paid(l.Serial))
				}
				if e.Direction != bank.Debit || e.Amount != l.Amount || e.PayerName != l.PayeeName || e.PayerAccount != l.PayeeAccount || e.SubAccount != l.FromSub ||
					!slices.Equal(bank.PaySerialsIn(e.Remark), []string{l.Serial}) {
					t.Errorf("line %d is booked as %+v", i, e)
				}
			}
		})
	}
}

// hostileWeek sends batches to a hostile bank, sends what went unanswered again as it was, asks after it where the dialect
// can, and takes every result; heard is called with each result.
func hostileWeek(t *testing.T, dialect string, posting bank.Posting, seed uint64, heard func(pay *banksim.Payments, l bank.PayLine, r bank.PayResult)) (*banksim.Sim, *banksim.Payments, []*bank.Payout) {
	t.Helper()
	s, pay, c := paying(t, dialect, posting, seed, banksim.PayRules{Dice: banksim.Hostile(), NoEcho: seed%2 == 1, LostQueries: 20})
	b := s.Bank()
	var sent []*bank.Payout
	hear := func(raw []byte, of ...*bank.Payout) {
		a, err := b.ReadPayAnswer(raw)
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		for _, p := range of {
			for i, r := range a.Results(p) {
				heard(pay, p.Lines[i], r)
			}
		}
	}
	send := func(p *bank.Payout, raw []byte, by func([]byte) ([]byte, bool)) {
		if answer, answered := by(raw); answered {
			hear(answer, p)
		}
	}
	for day := range 12 {
		if day < 4 {
			sent = append(sent, aPayout(day+1, 5))
		}
		for _, p := range sent {
			raw, err := b.WritePayout(p)
			if err != nil {
				t.Fatal(err)
			}
			send(p, raw, pay.Take)
			for _, l := range p.Lines {
				if q, err := b.WritePayQuery(bank.PayQuery{Number: "Q1", At: c.Time, Payout: *p, Serial: l.Serial}); err == nil {
					one := *p
					one.Lines = []bank.PayLine{l}
					send(&one, q, pay.Query)
				}
			}
		}
		c.Time = c.Add(24 * time.Hour)
		pay.Tick()
		for _, raw := range pay.Results() {
			hear(raw, sent...)
		}
	}
	return s, pay, sent
}

// TestNeverTwice: however often the same bytes come, the bank pays a serial once; its book, its ledger and its answers
// agree to the fen; no answer is read as PAID where nothing was paid, nor as FAILED where something was.
func TestNeverTwice(t *testing.T) {
	for _, dialect := range []string{"gseries", "delimited", "pain"} { // the others pay as pain does
		for _, posting := range []bank.Posting{bank.PostPerItem, bank.PostSummary} {
			said := map[bank.PayStatus]int{}
			for seed := range uint64(6) {
				s, pay, _ := hostileWeek(t, dialect, posting, seed, func(pay *banksim.Payments, l bank.PayLine, r bank.PayResult) {
					said[r.Status]++
					paid := pay.Paid(l.Serial)
					if r.Status == bank.PayPaid && paid != l.Amount || r.Status == bank.PayFailed && paid != 0 || paid != 0 && paid != l.Amount {
						t.Fatalf("%s %s seed %d: %s is %s, really paid %s", dialect, posting, seed, l.Serial, r.Status, paid)
					}
				})
				if booked := bookedOut(s); booked != pay.PaidSum() {
					t.Errorf("%s %s seed %d: %s is booked, %s was paid", dialect, posting, seed, booked, pay.PaidSum())
				}
				if !pay.Settled() {
					t.Errorf("%s %s seed %d: payments are left open", dialect, posting, seed)
				}
			}
			for _, status := range []bank.PayStatus{bank.PayPaid, bank.PayFailed, bank.PayUnknown, bank.PayProcessing, bank.PayNotFound} {
				if said[status] == 0 && (dialect == "gseries" || status != bank.PayNotFound) {
					t.Errorf("%s %s: dull weeks, nothing is %s: %v", dialect, posting, status, said)
				}
			}
		}
	}
}

// bookedOut is what left by the book: debits, less what summary posting credited of failed lines; what came back by 退汇 was paid.
func bookedOut(s *banksim.Sim) (sum deposit.Fen) {
	for d := range 20 {
		for _, e := range s.Entries(parent, day.Add(d)) {
			switch {
			case e.Direction == bank.Debit:
				sum += e.Amount
			case !e.Returned:
				sum -= e.Amount
			}
		}
	}
	return sum
}

// TestOtherContent: a serial that comes again with another amount or payee is refused, remembered, and not paid again.
func TestOtherContent(t *testing.T) {
	for _, dialect := range payDialects {
		for what, change := range map[string]func(*bank.PayLine){
			"amount": func(l *bank.PayLine) { l.Amount++ },
			"payee":  func(l *bank.PayLine) { l.PayeeAccount = "6217000000000000999" },
		} {
			s, pay, _ := paying(t, dialect, bank.PostPerItem, 1, banksim.PayRules{})
			p := aPayout(1, 2)
			for range 2 {
				raw, _ := s.Bank().WritePayout(p)
				pay.Take(raw)
			}
			if len(pay.Contradictions()) > 0 || pay.PaidSum() != p.Total() {
				t.Errorf("%s: the same bytes twice: %v, paid %s", dialect, pay.Contradictions(), pay.PaidSum())
			}
			total := p.Total()
			change(&p.Lines[1])
			raw, _ := s.Bank().WritePayout(p)
			answer, _ := pay.Take(raw)
			if !slices.Equal(pay.Contradictions(), []string{p.Lines[1].Serial}) || pay.PaidSum() != total {
				t.Errorf("%s, other %s: %v, paid %s", dialect, what, pay.Contradictions(), pay.PaidSum())
			}
			if results, err := resultsOf(s, p, answer); err != nil || results[1].Status != bank.PayUnknown {
				t.Errorf("%s, other %s: answered %+v, %v", dialect, what, results, err)
			}
		}
	}
}

// TestFatesOfPayments: each fate does what it says, at once and in the end.
func TestFatesOfPayments(t *testing.T) {
	for _, c := range []struct {
		fate                 banksim.Fate
		answered, paid, late bool
		status               bank.PayStatus // by a query at once
		back                 bool
	}{
		{fate: banksim.Pays, answered: true, paid: true, status: bank.PayPaid},
		{fate: banksim.Refuses, answered: true, status: bank.PayFailed},
		{fate: banksim.LosesAnswer, paid: true, status: bank.PayPaid},
		{fate: banksim.Drowns, status: bank.PayNotFound},
		{fate: banksim.Sleeps, late: true, status: bank.PayNotFound},
		{fate: banksim.PaysLater, answered: true, late: true, status: bank.PayProcessing},
		{fate: banksim.RefusesLater, answered: true, status: bank.PayProcessing},
		{fate: banksim.Unclear, answered: true, late: true, status: bank.PayUnknown},
		{fate: banksim.Unnamed, answered: true, paid: true, status: bank.PayPaid},
		{fate: banksim.ComesBack, answered: true, paid: true, status: bank.PayPaid, back: true},
		{fate: banksim.ComesBare, answered: true, paid: true, status: bank.PayPaid, back: true},
	} {
		t.Run(string(c.fate), func(t *testing.T) {
			s, pay, clock := paying(t, "gseries", bank.PostPerItem, 3, banksim.PayRules{Dice: banksim.Always(c.fate)})
			p := aPayout(1, 1)
			raw, _ := s.Bank().WritePayout(p)
			_, answered := pay.Take(raw)
			q, err := s.Bank().WritePayQuery(bank.PayQuery{Number: "Q1", At: clock.Time, Payout: *p, Serial: p.Lines[0].Serial})
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := pay.Query(q)
			results, err := resultsOf(s, p, answer)
			if err != nil || answered != c.answered || results[0].Status != c.status || (pay.PaidSum() != 0) != c.paid {
				t.Errorf("answered %t, asked after it is %+v (%v), paid %s", answered, results, err, pay.PaidSum())
			}
			clock.Time = clock.Add(8 * 24 * time.Hour)
			pay.Tick()
			if (pay.PaidSum() != 0) != (c.paid || c.late) {
				t.Errorf("in the end paid %s", pay.PaidSum())
			}
			var back []bank.Entry
			for _, e := range s.Entries(parent, day.Add(8)) {
				if e.Returned {
					back = append(back, e)
				}
			}
			if c.back != (len(back) == 1) || c.back && (len(bank.PaySerialsIn(back[0].Remark)) == 1) != (c.fate == banksim.ComesBack) {
				t.Errorf("came back: %+v", back)
			}
		})
	}
}

// TestSeedDecidesPayments: the same seed and messages give the same bytes.
func TestSeedDecidesPayments(t *testing.T) {
	play := func(seed uint64) (all []byte, ledger []banksim.PaidLine) {
		s, pay, c := paying(t, "gseries", bank.PostPerItem, seed, banksim.PayRules{Dice: banksim.Hostile()})
		for k := range 10 {
			raw, _ := s.Bank().WritePayout(aPayout(k+1, 3))
			answer, _ := pay.Take(raw)
			c.Time = c.Add(24 * time.Hour)
			pay.Tick()
			all = append(append(all, answer...), bytes.Join(pay.Results(), nil)...)
		}
		return all, pay.Ledger()
	}
	one, ledger := play(1)
	two, same := play(1)
	other, _ := play(2)
	if !bytes.Equal(one, two) || !reflect.DeepEqual(ledger, same) || bytes.Equal(one, other) {
		t.Error("what the bank does does not follow from the seed")
	}
}

// TestUnreadableOrders: what the bank cannot read, or whose sums are wrong, it refuses whole, and pays nothing.
func TestUnreadableOrders(t *testing.T) {
	for _, dialect := range payDialects {
		s, pay, _ := paying(t, dialect, bank.PostPerItem, 1, banksim.PayRules{})
		p := aPayout(1, 2)
		raw, _ := s.Bank().WritePayout(p)
		for n := 0; n < len(raw)-8; n += 1 + len(raw)/60 {
			if answer, answered := pay.Take(raw[:n]); !answered || pay.PaidSum() != 0 {
				t.Fatalf("%s cut after %d bytes: %s, paid %s", dialect, n, answer, pay.PaidSum())
			}
		}
		wrong := bytes.Replace(raw, []byte("300.00"), []byte("301.00"), 1)
		if pay.Take(wrong); pay.PaidSum() != 0 {
			t.Errorf("%s: wrong sums are paid", dialect)
		}
	}
}

// TestLedgerCatches proves the bank's ledger on the two bugs that pay twice: a new serial for what was not answered, and
// taking "not found" for failed.
func TestLedgerCatches(t *testing.T) {
	for fate, status := range map[banksim.Fate]bank.PayStatus{banksim.LosesAnswer: bank.PayPaid, banksim.Sleeps: bank.PayNotFound} {
		s, pay, c := paying(t, "gseries", bank.PostPerItem, 1, banksim.PayRules{Dice: banksim.Always(fate)})
		p := aPayout(1, 1)
		raw, _ := s.Bank().WritePayout(p)
		if _, answered := pay.Take(raw); answered {
			t.Fatal("it is answered")
		}
		q, _ := s.Bank().WritePayQuery(bank.PayQuery{Number: "Q1", At: c.Time, Payout: *p, Serial: p.Lines[0].Serial})
		answer, _ := pay.Query(q)
		if results, err := resultsOf(s, p, answer); err != nil || results[0].Status != status {
			t.Errorf("%s: asked after it is %+v, %v", fate, results, err)
		}
		again := *p
		again.Number, again.Lines = "TF-20260612-99", slices.Clone(p.Lines)
		again.Lines[0].Serial = bank.PaySerial(999999)
		raw, _ = s.Bank().WritePayout(&again)
		pay.Take(raw)
		c.Time = c.Add(8 * 24 * time.Hour)
		pay.Tick()
		if pay.PaidSum() != 2*p.Total() || bookedOut(s) != 2*p.Total() {
			t.Errorf("%s: a double payment of %s is seen as %s", fate, p.Total(), pay.PaidSum())
		}
	}
}

// roundTrip says what a bank books other than it was told to pay; "" when nothing, or when the line is not taken.
func roundTrip(t *testing.T, dialect, name, payeeBank, purpose string) string {
	t.Helper()
	s, pay, _ := paying(t, dialect, bank.PostPerItem, 1, banksim.PayRules{})
	p := aPayout(1, 1)
	l := &p.Lines[0]
	l.PayeeName, l.PayeeBank, l.Purpose = name, payeeBank, purpose
	raw, err := s.Bank().WritePayout(p)
	if err != nil {
		return ""
	}
	pay.Take(raw)
	booked := s.Entries(parent, day)
	if len(booked) != 1 {
		return "nothing is booked"
	}
	remark := strings.TrimSpace(l.Serial + " " + purpose)
	if dialect == "gseries" { // it has no field for the purpose
		remark = l.Serial
	}
	if e := booked[0]; e.PayerName != name || e.PayerBank != payeeBank || e.Remark != remark || e.Amount != l.Amount {
		return fmt.Sprintf("%+v", e)
	}
	return ""
}

// FuzzRoundTrip: whatever texts a line has, the bank reads them as they are or the line is not written.
func FuzzRoundTrip(f *testing.F) {
	f.Add("山东亅倈億（集团）有限公司", "億丰银行", "退款")
	f.Add("a|b]]>&amp;<x/>", "é€", " x ")
	f.Add("甲\r乙\t丙\u00a0丁", "\ufeff", "\u3000用途")
	f.Fuzz(func(t *testing.T, name, payeeBank, purpose string) {
		for _, dialect := range payDialects {
			if other := roundTrip(t, dialect, name, payeeBank, purpose); other != "" {
				t.Errorf("%s books %q %q %q as %s", dialect, name, payeeBank, purpose, other)
			}
		}
	})
}

// resultsOf is what an answer says of each line of a batch.
func resultsOf(s *banksim.Sim, p *bank.Payout, answer []byte) ([]bank.PayResult, error) {
	a, err := s.Bank().ReadPayAnswer(answer)
	return a.Results(p), err
}
