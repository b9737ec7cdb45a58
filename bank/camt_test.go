package bank

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/platform/deposit"
)

const camtSamples = "../testdata/bank/camt"

// camtSink takes everything down and holds the adapter to the order Begin, entries and faults, End.
type camtSink struct {
	t          testing.TB
	open       bool
	statements []camtHanded
	entries    []Entry
	faults     []Fault
}

type camtHanded struct {
	begin, end      Statement
	entries, faults int
	credits, debits deposit.Fen
}

func (k *camtSink) last() *camtHanded {
	if !k.open {
		k.t.Error("outside of a statement")
		k.statements = append(k.statements, camtHanded{})
	}
	return &k.statements[len(k.statements)-1]
}

func (k *camtSink) Begin(s Statement) error {
	if k.open {
		k.t.Error("a statement begins within another")
	}
	k.open, k.statements = true, append(k.statements, camtHanded{begin: s})
	return nil
}

func (k *camtSink) Entry(e *Entry) error {
	if e.Amount <= 0 || e.Amount > deposit.MaxFen || e.Direction != Credit && e.Direction != Debit || e.Serial == "" || e.BookedAt.IsZero() {
		k.t.Errorf("not an entry: %+v", *e)
	}
	h := k.last()
	h.entries++
	if e.Direction == Credit {
		h.credits += e.Amount
	} else {
		h.debits += e.Amount
	}
	k.entries = append(k.entries, *e)
	return nil
}

func (k *camtSink) Fault(f Fault) error {
	if f.Line < 1 || f.Column < 1 || f.Code == "" || f.Text == "" {
		k.t.Errorf("a fault must say where and what: %+v", f)
	}
	k.last().faults++
	k.faults = append(k.faults, f)
	return nil
}

func (k *camtSink) End(s Statement) error {
	h := k.last()
	h.end, k.open = s, false
	if s.ParentAccount != h.begin.ParentAccount || s.Day != h.begin.Day || s.Currency != h.begin.Currency {
		k.t.Errorf("a statement ends as another: %+v, %+v", h.begin, s)
	}
	return nil
}

var camtBank = &Bank{Code: "LCCB", Name: "聊城城商行", ParentAccounts: []string{"3705018860000000123"}, Notices: Single}

func readSample(t testing.TB, b *Bank, name string) (*camtSink, error) {
	sink := &camtSink{t: t}
	return sink, camt.Statement(b, strings.NewReader(camtSample(t, name)), sink)
}

func camtSample(t testing.TB, name string) string {
	raw, err := os.ReadFile(filepath.Join(camtSamples, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func wallAt(s string) time.Time {
	at, err := deposit.ParseWall(s)
	if err != nil {
		panic(err)
	}
	return at
}

// camtLine is an entry of the samples: a credit unless changed.
func camtLine(serial string, amount deposit.Fen, at string, change func(*Entry)) Entry {
	e := Entry{Bank: "LCCB", ParentAccount: "3705018860000000123", BookingDate: deposit.DayOf(wallAt(at)), BookedAt: wallAt(at),
		Serial: serial, Direction: Credit, Amount: amount}
	change(&e)
	return e
}

// the companies of the samples
func camtEast(e *Entry) {
	e.PayerName, e.PayerAccount = "聊城市东昌建设工程有限公司", "6212000000000000005"
}
func camtWest(e *Entry) {
	e.PayerName, e.PayerAccount = "山东鲁西园林绿化有限公司", "6212000000000000013"
}
func camtSouth(e *Entry) {
	e.PayerName, e.PayerAccount = "阳谷县景阳冈路桥工程有限公司", "6212000000000000021"
}
func camtNorth(e *Entry) {
	e.PayerName, e.PayerAccount = "临清市卫运河水利工程有限公司", "6212000000000000039"
}

func sampleCredit() Entry {
	return camtLine("260612000000042", 80000000, "2026-06-12 09:29:58", func(e *Entry) {
		camtEast(e)
		e.SubAccount, e.Remark = "3705018860000000123-000147", "投标保证金"
		e.PayerBank, e.PayerBankCode = "建设银行聊城东昌支行", "105471000017"
	})
}

// statementLines are the entries of statement.xml; its sixth Ntry is pending.
func statementLines() []Entry {
	two := func(seq int, amount deposit.Fen, change func(*Entry)) Entry {
		return camtLine("260612000000043", amount, "2026-06-12 09:31:10", func(e *Entry) { e.SerialSeq = seq; change(e) })
	}
	return []Entry{
		sampleCredit(),
		two(1, 50000000, func(e *Entry) {
			camtWest(e)
			e.SubAccount, e.Remark = "3705018860000000123-000148", "保证金 B 标段"
		}),
		two(2, 70000000, func(e *Entry) {
			camtSouth(e)
			e.SubAccount, e.Remark = "3705018860000000123-000149", "保证金 C 标段"
		}),
		camtLine("260612000000050", 30000000, "2026-06-12 10:02:00", func(e *Entry) { camtNorth(e); e.Direction, e.Remark = Debit, "退还投标保证金" }),
		camtLine("260612000000051", 80000000, "2026-06-12 11:15:30", func(e *Entry) {
			camtEast(e)
			e.Direction, e.Reversal, e.ReversalOf = Debit, Reverses, "260612000000042"
			e.SubAccount, e.Remark = "3705018860000000123-000147", "冲正"
		}),
		camtLine("260612000000060", 30000000, "2026-06-12 15:40:00", func(e *Entry) { camtNorth(e); e.Returned, e.Remark = true, "退汇" }),
	}
}

func sameCamtEntries(t *testing.T, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if !g.BookedAt.Equal(w.BookedAt) {
			t.Errorf("entry %d booked at %v, want %v", i, g.BookedAt, w.BookedAt)
		}
		g.BookedAt = w.BookedAt
		if g != w {
			t.Errorf("entry %d\n got %+v\nwant %+v", i, g, w)
		}
	}
}

func TestCamtStatement(t *testing.T) {
	sink, err := readSample(t, camtBank, "statement.xml")
	if err != nil || len(sink.statements) != 1 || len(sink.faults) > 0 {
		t.Fatalf("%d statements, faults %v, error %v", len(sink.statements), sink.faults, err)
	}
	sameCamtEntries(t, sink.entries, statementLines())
	opening, closing := deposit.Fen(12000000000_00), deposit.Fen(12001200000_00)
	credits, debits, sum := deposit.Fen(2300000_00), deposit.Fen(1100000_00), deposit.Fen(3400000_00)
	want := Statement{ParentAccount: "3705018860000000123", Day: "2026-06-12", Currency: "CNY", Opening: &opening, Closing: &closing, LastPage: true,
		// of the 6 declared entries one is pending and one stands for two payments
		Declared: Declared{Entries: 6, Credits: 4, Debits: 2, Sum: &sum, CreditSum: &credits, DebitSum: &debits}}
	if got := sink.statements[0].end; !reflect.DeepEqual(got, want) {
		t.Errorf("statement\n got %+v\nwant %+v", got, want)
	}
	begin := sink.statements[0].begin
	if want.Declared = Undeclared; !reflect.DeepEqual(begin, want) {
		t.Errorf("begin\n got %+v\nwant %+v", begin, want)
	}
}

// TestCamtAggregate keeps a booking of several payments one entry, which names none of the payers.
func TestCamtAggregate(t *testing.T) {
	b := *camtBank
	b.Notices = Aggregate
	sink, err := readSample(t, &b, "statement.xml")
	if err != nil || len(sink.entries) != 5 {
		t.Fatalf("%d entries, error %v", len(sink.entries), err)
	}
	sameCamtEntries(t, sink.entries[1:2], []Entry{camtLine("260612000000043", 120000000, "2026-06-12 09:31:10", func(e *Entry) { e.Remark = "批量入账 2 笔" })})
	if d := sink.statements[0].end.Declared; d.Entries != 5 || d.Credits != 3 || d.Debits != 2 {
		t.Errorf("declared %+v", d)
	}
}

func TestCamtNotice(t *testing.T) {
	for _, name := range []string{"notice.xml", "notice_gbk.xml", "notice_lying.xml", "intraday.xml"} {
		t.Run(name, func(t *testing.T) {
			got, err := camt.Notice(camtBank, []byte(camtSample(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			sameCamtEntries(t, got, []Entry{sampleCredit()})
		})
	}
}

func TestCamtNoticeRefuses(t *testing.T) {
	sample := func(name string) string { return camtSample(t, name) }
	for name, row := range map[string]struct{ raw, code string }{
		"a statement":      {sample("statement.xml"), "message_unexpected"},
		"euro":             {strings.ReplaceAll(sample("notice.xml"), "CNY", "EUR"), "currency_unsupported"},
		"three decimals":   {strings.Replace(sample("notice.xml"), "800000.00<", "800000.001<", 1), "amount_decimals"},
		"a negative one":   {strings.Replace(sample("notice.xml"), ">800000.00<", ">-800000.00<", 1), "amount_negative"},
		"above a billion":  {strings.Replace(sample("notice.xml"), ">800000.00<", ">1000000000.01<", 1), "amount_too_large"},
		"another message":  {sample("other_message.xml"), "camt_unknown"},
		"cut off":          {sample("notice.xml")[:900], "xml_truncated"},
		"cut off behind":   {strings.TrimSuffix(strings.TrimSpace(sample("notice.xml")), "</Document>"), "xml_truncated"},
		"nothing":          {"", "xml_empty"},
		"something else":   {"<a/>", "camt_unknown"},
		"no XML":           {`{"amount":"1.00"}`, "xml_malformed"},
		"an empty message": {"<Document><BkToCstmrDbtCdtNtfctn/></Document>", "camt_empty"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := camt.Notice(camtBank, []byte(row.raw))
			if code := deposit.AsRefusal(err).Code; code != row.code || len(got) > 0 {
				t.Errorf("%d entries, error %v, want %s", len(got), err, row.code)
			}
		})
	}
}

// TestCamtBroken: a bad record is put aside and the others are read; a file that is no camt file is refused.
func TestCamtBroken(t *testing.T) {
	for _, row := range []struct {
		file, code   string
		line, column int // of the fault; 0: the file is refused
		entries      int
	}{
		{"broken_three_decimals.xml", "amount_decimals", 93, 24, 5},
		{"broken_no_such_day.xml", "time_malformed", 96, 18, 5},
		{"broken_other_currency.xml", "currency_foreign", 93, 24, 5},
		{"broken_bytes.xml", "charset", 70, 30, 4},
		{"broken_doctype.xml", "doctype_forbidden", 0, 0, 0},
		{"broken_deep.xml", "xml_too_deep", 0, 0, 0},
		{"broken_empty.xml", "camt_empty", 0, 0, 0},
		{"broken_truncated.xml", "xml_truncated", 0, 0, 2},
		{"other_message.xml", "camt_unknown", 0, 0, 0},
	} {
		t.Run(row.file, func(t *testing.T) {
			sink, err := readSample(t, camtBank, row.file)
			if row.line == 0 {
				if refusal := deposit.AsRefusal(err); refusal.Code != row.code || !strings.Contains(refusal.Text, "行") {
					t.Errorf("error %v, want %s with a line", err, row.code)
				}
				return
			}
			if err != nil || len(sink.entries) != row.entries || len(sink.faults) != 1 {
				t.Fatalf("%d entries, faults %+v, error %v", len(sink.entries), sink.faults, err)
			}
			f := sink.faults[0]
			if f.Code != row.code || f.Line != row.line || f.Column != row.column || f.Raw == "" {
				t.Errorf("fault %+v, want %s at %d:%d", f, row.code, row.line, row.column)
			}
		})
	}
}

// ntryFile wraps entries in a statement of the day.
func ntryFile(ntries ...string) string {
	return `<Document><BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><Othr><Id>3705018860000000123</Id></Othr></Id><Ccy>CNY</Ccy></Acct>` +
		`<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">-1.5</Amt><Dt><Dt>2026-06-12</Dt></Dt></Bal>` +
		strings.Join(ntries, "") + `</Stmt></BkToCstmrStmt></Document>`
}

const plainCredit = `<Amt Ccy="CNY">5</Amt><CdtDbtInd>CRDT</CdtDbtInd>`

// TestCamtEntry reads one Ntry after another, each a rule.
func TestCamtEntry(t *testing.T) {
	for _, row := range []struct {
		name, ntry string
		want       func(*Entry) // of a credit of 5 yuan, serial R, at midnight of the statement's day; nil: no entry
	}{
		{"without status it is booked, without date it is the statement's day", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef>`, func(*Entry) {}},
		{"pending", plainCredit + `<Sts>PDNG</Sts>`, nil},
		{"information", plainCredit + `<Sts><Cd>INFO</Cd></Sts>`, nil},
		{"zero", `<Amt Ccy="CNY">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>`, nil},
		{"five decimals", `<Amt Ccy="CNY">5.00000</Amt><CdtDbtInd>CRDT</CdtDbtInd><AcctSvcrRef>R</AcctSvcrRef>`, func(*Entry) {}},
		{"the transaction's reference", plainCredit + `<NtryRef>N</NtryRef><NtryDtls><TxDtls><Refs><AcctSvcrRef>R</AcctSvcrRef><TxId>T</TxId></Refs></TxDtls></NtryDtls>`, func(*Entry) {}},
		{"the entry's number", plainCredit + `<NtryRef>R</NtryRef><NtryDtls><TxDtls><Refs><TxId>T</TxId></Refs></TxDtls></NtryDtls>`, func(*Entry) {}},
		{"no reference", plainCredit + `<AcctSvcrRef>NOTPROVIDED</AcctSvcrRef>`, func(e *Entry) { e.Serial = "~e16d" }},
		{"day with an offset", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><BookgDt><Dt>2026-06-11+08:00</Dt></BookgDt>`, func(e *Entry) { e.BookingDate, e.BookedAt = "2026-06-11", wallAt("2026-06-11 00:00:00") }},
		{"an instant elsewhere", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><BookgDt><DtTm>2026-06-11T23:30:00.5Z</DtTm></BookgDt>`, func(e *Entry) { e.BookedAt = wallAt("2026-06-12 07:30:00") }},
		{"wall time", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><BookgDt><DtTm>2026-06-12T08:59:59.999</DtTm></BookgDt>`, func(e *Entry) { e.BookedAt = wallAt("2026-06-12 08:59:59") }},
		{"value day only", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><ValDt><Dt>2026-06-10</Dt></ValDt>`, func(e *Entry) { e.BookingDate, e.BookedAt = "2026-06-10", wallAt("2026-06-10 00:00:00") }},
		{"sub-account from the structured reference", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef>` + txDtls(`<RltdPties><CdtrAcct><Id><Othr><Id>3705018860000000123</Id></Othr></Id></CdtrAcct></RltdPties><RmtInf><Strd><CdtrRefInf><Ref>000147</Ref></CdtrRefInf></Strd></RmtInf>`), func(e *Entry) { e.SubAccount = "000147" }},
		{"prose is no sub-account", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef>` + txDtls(`<RmtInf><Ustrd>保证金</Ustrd><Ustrd>第二行</Ustrd><Strd><CdtrRefInf><Ref>见 合同</Ref></CdtrRefInf></Strd></RmtInf>`), func(e *Entry) { e.Remark = "保证金 第二行" }},
		{"our own account is never the payer's", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><RvslInd>1</RvslInd>` + txDtls(`<Refs><Prtry><Tp>OriginalAcctSvcrRef</Tp><Ref>O</Ref></Prtry></Refs><RltdPties><Dbtr><Nm>我方</Nm></Dbtr><DbtrAcct><Id><Othr><Id>3705018860000000123-7</Id></Othr></Id></DbtrAcct><Cdtr><Nm>甲</Nm></Cdtr><CdtrAcct><Id><Othr><Id>6</Id></Othr></Id></CdtrAcct></RltdPties>`),
			func(e *Entry) {
				e.Reversal, e.ReversalOf, e.PayerName, e.PayerAccount, e.SubAccount = Reverses, "O", "甲", "6", "3705018860000000123-7"
			}},
		{"parts that do not add up", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy="CNY">2</Amt></TxDtls><TxDtls><Amt Ccy="CNY">2</Amt></TxDtls></NtryDtls>`, func(*Entry) {}},
		{"parts in another currency", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy="USD">2</Amt></TxDtls><TxDtls><Amt Ccy="USD">3</Amt></TxDtls></NtryDtls>`, func(*Entry) {}},
		{"a part of nothing", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy="CNY">5</Amt></TxDtls><TxDtls><Amt Ccy="CNY">0</Amt></TxDtls></NtryDtls>`, func(*Entry) {}},
		{"not all of it came back", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><RtrInf/></TxDtls><TxDtls/></NtryDtls>`, func(*Entry) {}},
		{"came back, naming whom we paid", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef>` + txDtls(`<RltdPties><Cdtr><Nm>甲</Nm></Cdtr></RltdPties><RtrInf/>`), func(e *Entry) { e.Returned, e.PayerName = true, "甲" }},
		{"a credit that names only us", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef>` + txDtls(`<RltdPties><Cdtr><Nm>我方</Nm></Cdtr></RltdPties>`), func(*Entry) {}},
		{"parts against each other", plainCredit + `<AcctSvcrRef>R</AcctSvcrRef><NtryDtls><TxDtls><Amt Ccy="CNY">7</Amt></TxDtls><TxDtls><Amt Ccy="CNY">2</Amt><CdtDbtInd>DBIT</CdtDbtInd></TxDtls></NtryDtls>`, func(*Entry) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			sink := &camtSink{t: t}
			if err := camt.Statement(camtBank, strings.NewReader(ntryFile("<Ntry>"+row.ntry+"</Ntry>")), sink); err != nil || len(sink.faults) > 0 {
				t.Fatalf("faults %+v, error %v", sink.faults, err)
			}
			if c := sink.statements[0].end.Closing; c == nil || *c != -150 {
				t.Errorf("closing %v", c)
			}
			if row.want == nil {
				if len(sink.entries) > 0 {
					t.Errorf("an entry: %+v", sink.entries[0])
				}
				return
			}
			want := camtLine("R", 500, "2026-06-12 00:00:00", row.want)
			if strings.HasPrefix(want.Serial, "~") && len(sink.entries) == 1 && strings.HasPrefix(sink.entries[0].Serial, "~") {
				want.Serial = sink.entries[0].Serial
			}
			sameCamtEntries(t, sink.entries, []Entry{want})
		})
	}
}

func txDtls(inner string) string { return "<NtryDtls><TxDtls>" + inner + "</TxDtls></NtryDtls>" }

// TestCamtWithoutSerial: the same content twice in one statement is two bookings, read the same way every time; a notice
// of it is the first of them.
func TestCamtWithoutSerial(t *testing.T) {
	ntry := func(amount, payer string) string {
		return `<Ntry><Amt Ccy="CNY">` + amount + `</Amt><CdtDbtInd>CRDT</CdtDbtInd>` + txDtls(`<RltdPties><DbtrAcct><Id><IBAN>`+payer+`</IBAN></Id></DbtrAcct></RltdPties>`) + `</Ntry>`
	}
	file := ntryFile(ntry("5", "6"), ntry("5", "6"), ntry("5", "7"), ntry("6", "6"))
	serials := func(file string) (all []string) {
		sink := &camtSink{t: t}
		if err := camt.Statement(camtBank, strings.NewReader(file), sink); err != nil {
			t.Fatal(err)
		}
		for _, e := range sink.entries {
			all = append(all, e.Serial)
		}
		return all
	}
	first, again := serials(file), serials(file)
	if !slices.Equal(first, again) || len(slices.Compact(slices.Sorted(slices.Values(first)))) != 4 {
		t.Errorf("serials %v, again %v", first, again)
	}
	told := func(id string) string {
		return strings.Replace(ntry("5", "6"), "<RltdPties>", "<Refs><EndToEndId>"+id+"</EndToEndId></Refs><RltdPties>", 1)
	}
	if both, second := serials(ntryFile(told("1"), told("2"))), serials(ntryFile(told("2"))); both[1] != second[0] {
		t.Errorf("told apart by the payer's id, yet serial %s is %s when alone", both[1], second[0])
	}
	notice := strings.NewReplacer("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn", "Stmt>", "Ntfctn>").Replace(ntryFile(ntry("5", "6")))
	if got, err := camt.Notice(camtBank, []byte(notice)); err != nil || len(got) != 1 || got[0].Serial != first[0] {
		t.Errorf("noticed %+v, error %v; want serial %s", got, err, first[0])
	}
}
