package banksim_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/deposit"
)

const (
	parent = "3705018860000000123"
	day    = deposit.Day("2026-06-12")
)

var (
	key     = []byte("a key of at least 24 bytes, for tests")
	company = banksim.Party{Name: "聊城市东昌建设工程有限公司", Account: "3705010000000000017", Bank: "示例银行聊城分行", BankCode: "102471000013"}
	odd     = banksim.Party{Name: "茌平㙍桥·水利<工程>有限公司 & 分公司", Account: "6212000000000000005"}
)

func at(clock string) time.Time {
	t, err := deposit.ParseWall(string(day) + " " + clock)
	if err != nil {
		panic(err)
	}
	return t
}

// ofDialects makes a bank of two adapters; "" is none.
func ofDialects(t *testing.T, notices, statement string) *bank.Bank {
	t.Helper()
	b := &bank.Bank{Code: "test", Name: "示例银行", ParentAccounts: []string{parent}, Charset: bank.GB18030, Notices: bank.Single, Seal: bank.SealWith(bank.HMACSHA256, key)}
	var err error
	if b.Adapter, err = bank.AdapterOf(notices); err != nil {
		t.Fatal(err)
	}
	if b.StatementAdapter, err = bank.AdapterOf(statement); err != nil {
		t.Fatal(err)
	}
	return b
}

func simOf(b *bank.Bank, seed uint64) *banksim.Sim {
	s := banksim.New(b, rand.New(rand.NewPCG(seed, 1)), func() time.Time { return at("18:00:00") })
	s.Hold(parent, 1000_00)
	return s
}

// aDay books one of everything.
func aDay(s *banksim.Sim) {
	paid := s.Credit(banksim.Transfer{SubAccount: parent + "-000147", With: company, Amount: 800000_00, At: at("09:29:58"), Remark: "投标保证金"})
	s.Credit(banksim.Transfer{With: odd, Amount: 1, At: at("10:00:00"), Remark: "到账 & 无子账号"})
	s.Debit(banksim.Transfer{SubAccount: parent + "-000147", With: company, Amount: 500_00, At: at("11:00:00"), Remark: "退投标保证金"})
	s.Credit(banksim.Transfer{SubAccount: parent + "-000148", With: company, Amount: 500_00, At: at("14:00:00"), Remark: "退汇：户名不符", Returned: true})
	s.Reverse(paid, at("15:00:00"))
}

// carried is what a dialect can tell of an entry.
func carried(dialect string, e bank.Entry) bank.Entry {
	switch dialect {
	case "gseries":
		e.PayerBank, e.PayerBankCode, e.Remark, e.Returned = "", "", "", false
	case "csv":
		e.PayerBankCode = ""
	}
	e.PayerKey = deposit.NameKey(e.PayerName)
	return e
}

// TestNoticesAreRead: what is pushed over HTTP is proved by its seal and read as the very entries of the book.
func TestNoticesAreRead(t *testing.T) {
	for _, dialect := range []string{"gseries", "jsonpush", "camt"} {
		t.Run(dialect, func(t *testing.T) {
			b := ofDialects(t, dialect, "csv")
			s := simOf(b, 1)
			aDay(s)
			want := s.Entries("", day)
			want = slices.DeleteFunc(want, func(e bank.Entry) bool {
				return e.Direction == bank.Debit && (e.Reversal == "" || dialect == "gseries") // banks push credits; the G series nothing else
			})
			got := delivered(t, b, s)
			same(t, dialect, got, want)
		})
	}
}

// delivered pushes what waits in the outbox to a service that opens every message, and gives the entries it reads.
func delivered(t *testing.T, b *bank.Bank, s *banksim.Sim) []bank.Entry {
	t.Helper()
	var got []bank.Entry
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		m, err := b.Open(bank.Sealed{Header: r.Header.Get, Raw: raw, Source: bank.ByHTTP, At: at("18:00:00")})
		if err != nil || r.URL.Path != "/v1/banks/test/messages" {
			t.Errorf("%s: %v\n%s", r.URL.Path, err, raw)
		}
		got = append(got, m.Entries...)
		if b.Adapter.Answer != nil {
			_, _ = w.Write(b.Adapter.Answer(b, raw, bank.Answer{Outcome: bank.New, Err: err, At: at("18:00:00")}).Body)
		}
	}))
	defer server.Close()
	if _, err := s.Deliver(t.Context(), s.OverHTTP(server.Client(), server.URL, key)); err != nil {
		t.Fatal(err)
	}
	return got
}

func same(t *testing.T, dialect string, got, want []bank.Entry) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			t.Fatalf("%d entries are read, want %d", len(got), len(want))
		}
		w, g := carried(dialect, want[i]), carried(dialect, got[i])
		if !w.BookedAt.Equal(g.BookedAt) {
			t.Errorf("entry %d is booked at %v, want %v", i, g.BookedAt, w.BookedAt)
		}
		w.BookedAt, g.BookedAt = time.Time{}, time.Time{}
		if w != g {
			t.Errorf("entry %d is read as\n%+v, want\n%+v", i, g, w)
		}
	}
}

// TestNoticeOfSeveral: banks that aggregate put several bookings into one message; the G series cannot.
func TestNoticeOfSeveral(t *testing.T) {
	for _, dialect := range []string{"gseries", "jsonpush", "camt"} {
		b := ofDialects(t, dialect, "csv")
		b.Notices = bank.Aggregate
		s := simOf(b, 1)
		aDay(s)
		want := s.Entries("", day)
		raw, err := banksim.Notice(b, 1, at("18:00:00"), want...)
		if dialect == "gseries" {
			if !deposit.IsKind(err, deposit.Invalid) {
				t.Errorf("gseries: error %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Adapter.Notice(b, raw)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Bank = b.Code // what Open completes
		}
		same(t, dialect, got, want)
	}
}

// read is the Sink that takes a statement file as it is.
type read struct {
	begun   bank.Statement
	ended   bank.Statement
	entries []bank.Entry
	faults  []bank.Fault
}

func (r *read) Begin(s bank.Statement) error { r.begun = s; return nil }
func (r *read) Entry(e *bank.Entry) error    { r.entries = append(r.entries, *e); return nil }
func (r *read) Fault(f bank.Fault) error     { r.faults = append(r.faults, f); return nil }
func (r *read) End(s bank.Statement) error   { r.ended = s; return nil }

// TestStatementsAreRead: a statement file holds the book's entries, what stood before them and what stands after them.
func TestStatementsAreRead(t *testing.T) {
	for _, dialect := range []string{"delimited", "fixed", "csv", "camt"} {
		t.Run(dialect, func(t *testing.T) {
			b := ofDialects(t, "jsonpush", dialect)
			s := simOf(b, 1)
			s.Credit(banksim.Transfer{With: company, Amount: 99_00, At: at("12:00:00").AddDate(0, 0, -1)}) // of the day before
			aDay(s)
			file, err := s.Statement("", day)
			if err != nil {
				t.Fatal(err)
			}
			var r read
			if err := b.StatementAdapter.Statement(b, bytes.NewReader(file), &r); err != nil || len(r.faults) > 0 {
				t.Fatal(err, r.faults)
			}
			same(t, dialect, r.entries, s.Entries("", day))
			if dialect == "csv" {
				return // it tells no balances
			}
			opening, closing := deposit.Fen(1099_00), deposit.Fen(1099_01)
			if *r.ended.Opening != opening || *r.ended.Closing != closing || r.ended.ParentAccount != parent || r.ended.Day != day {
				t.Errorf("the file tells %+v: %s … %s, want %s … %s", r.ended, *r.ended.Opening, *r.ended.Closing, opening, closing)
			}
			for _, n := range []int{r.ended.Declared.Entries, r.ended.Declared.Credits + r.ended.Declared.Debits} {
				if n >= 0 && n != 5 {
					t.Errorf("%d entries are declared, want 5", n)
				}
			}
		})
	}
}

// TestFaultsOfNotices: each fault does what it says, and the statement goes on telling the truth.
func TestFaultsOfNotices(t *testing.T) {
	for _, c := range []struct {
		fault    banksim.Fault
		pushed   string // amounts
		released string // after Release
		booked   string
	}{
		{fault: "", pushed: "1234.00", booked: "1234.00"},
		{fault: banksim.Lost, booked: "1234.00"},
		{fault: banksim.Twice, pushed: "1234.00 1234.00", booked: "1234.00"},
		{fault: banksim.Late, released: "1234.00", booked: "1234.00"},
		{fault: banksim.Contradicted, pushed: "2134.00", booked: "1234.00"},
		{fault: banksim.Phantom, pushed: "1234.00"},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			b := ofDialects(t, "gseries", "delimited")
			s := simOf(b, 1)
			e := s.Credit(banksim.Transfer{SubAccount: "1", With: company, Amount: 1234_00, At: at("09:00:00"), Fault: c.fault})
			first := delivered(t, b, s)
			s.Release()
			then := delivered(t, b, s)
			for _, pushed := range slices.Concat(first, then) {
				if pushed.Identity() != e.Identity() {
					t.Errorf("pushed as %+v, which is another entry than %+v", pushed.Identity(), e.Identity())
				}
			}
			if got := amounts(first); got != c.pushed {
				t.Errorf("pushed %q, want %q", got, c.pushed)
			}
			if got := amounts(then); got != c.released {
				t.Errorf("pushed %q after Release, want %q", got, c.released)
			}
			if got := amounts(s.Entries("", day)); got != c.booked {
				t.Errorf("booked %q, want %q", got, c.booked)
			}
		})
	}
}

func amounts(entries []bank.Entry) (text string) {
	for i, e := range entries {
		if i > 0 {
			text += " "
		}
		text += e.Amount.String()
	}
	return text
}

// TestCap: a bank that stops at a round number says nothing of the rest, on that day only.
func TestCap(t *testing.T) {
	b := ofDialects(t, "jsonpush", "camt")
	s := simOf(b, 1)
	s.Cap(day, 100)
	for i := range 107 {
		s.Credit(banksim.Transfer{With: company, Amount: 100, At: at("09:00:00").Add(time.Duration(i) * time.Second)})
	}
	s.Credit(banksim.Transfer{With: company, Amount: 100, At: at("09:00:00").AddDate(0, 0, 1)})
	if n := len(delivered(t, b, s)); n != 101 {
		t.Errorf("%d notices, want 100 of the day and 1 of the next", n)
	}
	if n := len(s.Entries("", day)); n != 107 {
		t.Errorf("%d entries are booked, want 107", n)
	}
}

// TestFaultsOfFiles: an altered closing balance is a gap of that much, and a file cut off is no file.
func TestFaultsOfFiles(t *testing.T) {
	for _, dialect := range []string{"delimited", "fixed", "camt"} {
		t.Run(dialect, func(t *testing.T) {
			b := ofDialects(t, "jsonpush", dialect)
			s := simOf(b, 1)
			aDay(s)
			s.Alter("", day, -88_00)
			file, err := s.Statement("", day)
			if err != nil {
				t.Fatal(err)
			}
			var r read
			if err := b.StatementAdapter.Statement(b, bytes.NewReader(file), &r); err != nil {
				t.Fatal(err)
			}
			if _, closing := s.Balances("", day); *r.ended.Closing != closing-88_00 {
				t.Errorf("the file tells %s, want %s", *r.ended.Closing, closing-88_00)
			}
			s.CutOff("", day)
			if file, err = s.Statement("", day); err != nil {
				t.Fatal(err)
			}
			r = read{}
			err = b.StatementAdapter.Statement(b, bytes.NewReader(file), &r)
			if err == nil && len(r.faults) == 0 {
				t.Error("a file that breaks off is taken for whole")
			}
		})
	}
}

// TestSeedDecides: the same seed gives the same bytes, another one others.
func TestSeedDecides(t *testing.T) {
	file := func(seed uint64) string {
		s := simOf(ofDialects(t, "jsonpush", "camt"), seed)
		aDay(s)
		file, err := s.Statement("", day)
		if err != nil {
			t.Fatal(err)
		}
		return string(file)
	}
	if file(1) != file(1) || file(1) == file(2) {
		t.Error("the statement does not follow from the seed")
	}
}

// TestOverTCP: the same notices behind a length prefix, and the bank's own answer read back.
func TestOverTCP(t *testing.T) {
	b := ofDialects(t, "gseries", "delimited")
	b.Seal = bank.SealWith(bank.NoSeal)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	outcomes := []bank.Outcome{bank.New, bank.Duplicate, bank.Refused}
	var got []bank.Entry
	go func() {
		served <- bank.ServeFrames(ctx, listener, bank.MaxMessage, 10*time.Second, func(_ context.Context, raw []byte) []byte {
			m, err := b.Open(bank.Sealed{Raw: raw, Source: bank.ByTCP, At: at("18:00:00")})
			got = append(got, m.Entries...)
			outcome := outcomes[0]
			outcomes = outcomes[1:]
			return b.Adapter.Answer(b, raw, bank.Answer{Outcome: outcome, Err: err, At: at("18:00:00")}).Body
		})
	}()
	s := simOf(b, 1)
	for range 3 {
		s.Credit(banksim.Transfer{SubAccount: "1", With: odd, Amount: 1234_00, At: at("09:00:00")})
	}
	sent, err := s.Deliver(t.Context(), banksim.OverTCP(listener.Addr().String()))
	if err == nil || sent != 2 {
		t.Errorf("%d messages are taken, error %v; want two and a refusal", sent, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	same(t, "gseries", got, s.Entries("", day))
}
