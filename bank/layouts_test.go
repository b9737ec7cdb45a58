package bank

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// apart is a Sink that keeps what it is given.
type apart struct {
	begun, ended []Statement
	entries      []Entry
	faults       []Fault
}

func (s *apart) Begin(x Statement) error { s.begun = append(s.begun, x); return nil }
func (s *apart) Entry(e *Entry) error    { s.entries = append(s.entries, *e); return nil }
func (s *apart) Fault(f Fault) error     { s.faults = append(s.faults, f); return nil }
func (s *apart) End(x Statement) error   { s.ended = append(s.ended, x); return nil }

const ourParent = "6550100000000000017"

func ourBank() *Bank {
	return &Bank{Code: "lcbank", ParentAccounts: []string{ourParent}, Charset: GB18030}
}

func takeApart(a *Adapter, raw []byte) (*apart, error) {
	s := &apart{}
	return s, a.Statement(ourBank(), bytes.NewReader(raw), s)
}

func fenOf(t testing.TB, s string) deposit.Fen {
	t.Helper()
	f, err := deposit.ParseBalance(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// ourEntries is a day with all that a layout has to hold: names whose GBK holds 0x7C (亅 is 81 7C, 倈 82 7C, 億 83 7C), full-width
// brackets and digits, characters that GBK has not, money to the parent account, a 冲正, a 退汇, a booking before midnight.
func ourEntries(t testing.TB) []Entry {
	at := func(day deposit.Day, clock string) time.Time {
		x, err := deposit.ParseWall(string(day) + " " + clock)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	const day deposit.Day = "2026-06-12"
	all := []Entry{
		{Serial: "260612000000041", Direction: Credit, SubAccount: ourParent + "-000151", Amount: 20000000, BookedAt: at("2026-06-11", "23:30:00"),
			PayerName: "阳谷县景阳市政工程有限公司", PayerAccount: "37050188600000009001", PayerBank: "示例银行阳谷支行", PayerBankCode: "105471000018", Remark: "投标保证金"},
		{Serial: "260612000000042", Direction: Credit, SubAccount: ourParent + "-000147", Amount: 80000000, BookedAt: at(day, "08:59:59"),
			PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "6212000000000000005", PayerBank: "示例银行聊城分行营业部", PayerBankCode: "102471000012", Remark: "东昌路改造 第２标段 保证金"},
		{Serial: "260612000000043", Direction: Credit, SubAccount: ourParent + "-000148", Amount: 10000001, BookedAt: at(day, "09:00:00"),
			PayerName: "山东亅倈億（集团）有限公司", PayerAccount: "1611000000000000047", PayerBank: "億丰银行", Remark: "保证金"},
		{Serial: "260612000000044", Direction: Credit, SubAccount: ourParent + "-000149", Amount: 5000000, BookedAt: at(day, "09:00:01"),
			PayerName: "临清㐂𠮷商贸　有限公司", PayerAccount: "1611000000000000048", Remark: "王䶮经办"},
		{Serial: "260612000000045", Direction: Credit, Amount: 12000050, BookedAt: at(day, "09:30:00"), PayerName: "冠县, \"诚信\" 建材店", PayerAccount: "6222000000000000077"},
		{Serial: "260612000000046", Direction: Debit, Reversal: Reverses, ReversalOf: "260612000000042", SubAccount: ourParent + "-000147", Amount: 80000000, BookedAt: at(day, "10:15:00"),
			PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "6212000000000000005", Remark: "冲正"},
		{Serial: "260612000000047", Direction: Credit, Returned: true, SubAccount: ourParent + "-000120", Amount: 3000000, BookedAt: at(day, "11:00:00"),
			PayerName: "高唐县鱼丘湖园林有限公司", PayerAccount: "1611000000000000050", Remark: "退汇：户名不符"},
		{Serial: "260612000000048", Direction: Debit, SubAccount: ourParent + "-000121", Amount: 100000000, BookedAt: at(day, "16:40:00"),
			PayerName: "莘县雁塔路桥有限公司", PayerAccount: "1611000000000000051", Remark: "退还保证金"},
		{Serial: "260612000000049", Direction: Credit, SubAccount: ourParent + "-000152", Amount: 80000000, BookedAt: at(day, "16:59:59"),
			PayerName: "东阿县阿胶街建筑有限公司", PayerAccount: "1611000000000000052", Remark: "保证金"},
	}
	for i := range all {
		e := &all[i]
		e.Bank, e.ParentAccount, e.BookingDate = "lcbank", ourParent, day
		e.PayerKey = deposit.NameKey(e.PayerName)
	}
	return all
}

// ourStatement is the day's statement with all that a file can say.
func ourStatement(entries []Entry) Statement {
	opening := deposit.Fen(123456789)
	closing := opening
	for i := range entries {
		closing += entries[i].signed()
	}
	return Statement{ParentAccount: ourParent, Day: "2026-06-12", Currency: "CNY", Opening: &opening, Closing: &closing, Declared: DeclaredBy(entries), LastPage: true}
}

func sampleFile(t testing.TB, path ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"..", "testdata", "bank"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// bufferWriter is one of the writers, for a table of them.
type bufferWriter func(*bytes.Buffer, Statement, []Entry) error

func toBuffer(write func(io.Writer, Statement, []Entry) error) bufferWriter {
	return func(b *bytes.Buffer, s Statement, entries []Entry) error { return write(b, s, entries) }
}

// writeAll gives the file that a writer makes.
func writeAll(t testing.TB, write bufferWriter, s Statement, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, s, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func inGBK(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(raw)
}

// sameEntries compares field by field, so that a difference is seen at once.
func sameEntries(t *testing.T, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if !g.BookedAt.Equal(w.BookedAt) || g.BookedAt.Location() != deposit.Shanghai {
			t.Errorf("entry %d: booked at %v, want %v", i+1, g.BookedAt, w.BookedAt)
		}
		g.BookedAt, w.BookedAt = time.Time{}, time.Time{}
		if g != w {
			t.Errorf("entry %d:\n got %+v\nwant %+v", i+1, g, w)
		}
	}
}

// where a fault must stand, and what must be said there.
type wantFault struct {
	line, column int
	code, text   string // text: what the explanation must hold
}

func checkFaults(t *testing.T, got []Fault, want ...wantFault) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d faults, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Line != w.line || g.Column != w.column || g.Code != w.code || !strings.Contains(g.Text, w.text) || !strings.Contains(g.Text, "应") {
			t.Errorf("fault %d: %d:%d %s %q, want %d:%d %s …%q…", i+1, g.Line, g.Column, g.Code, g.Text, w.line, w.column, w.code, w.text)
		}
		if g.Raw == "" {
			t.Errorf("fault %d does not show the record", i+1)
		}
	}
}

func checkCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || deposit.AsRefusal(err).Code != code || !deposit.IsKind(err, deposit.Invalid) {
		t.Errorf("error %v, want an Invalid one with the code %s", err, code)
	}
}
