package bank

import (
	"fmt"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

func readHeads(t *testing.T, file string) (*camtSink, error) {
	t.Helper()
	sink := &camtSink{t: t}
	return sink, camt.Statement(camtBank, strings.NewReader(file), sink)
}

func headFile(head, entries string) string {
	return "<Document><BkToCstmrStmt><Stmt>" + head + entries + "</Stmt></BkToCstmrStmt></Document>"
}

func bal(code, currency, amount string) string {
	return `<Bal><Tp><CdOrPrtry><Cd>` + code + `</Cd></CdOrPrtry></Tp><Amt Ccy="` + currency + `">` + amount + `</Amt><Dt><Dt>2026-06-12</Dt></Dt></Bal>`
}

// TestCamtDay: which day a statement is about, when the file says it in several ways or none.
func TestCamtDay(t *testing.T) {
	period := func(from, to string) string {
		return "<FrToDt><FrDtTm>" + from + "</FrDtTm><ToDtTm>" + to + "</ToDtTm></FrToDt>"
	}
	const created = "<CreDtTm>2026-06-14T00:31:07+08:00</CreDtTm>"
	const entry = "<Ntry>" + plainCredit + "<BookgDt><Dt>2026-06-11</Dt></BookgDt></Ntry>"
	for _, row := range []struct {
		name, head, entries string
		want                deposit.Day
	}{
		{"the closing balance's", created + period("2026-06-13T00:00:00", "2026-06-13T23:59:59") + bal("CLBD", "CNY", "1"), entry, "2026-06-12"},
		{"the period's end", created + period("2026-06-13T00:00:00", "2026-06-13T23:59:59"), entry, "2026-06-13"},
		{"the period's end at midnight", created + period("2026-06-12T00:00:00+08:00", "2026-06-13T00:00:00+08:00"), entry, "2026-06-12"},
		{"a period that is one midnight", created + period("2026-06-13T00:00:00", "2026-06-13T00:00:00"), entry, "2026-06-13"},
		{"the first entry's", created, entry, "2026-06-11"},
		{"the report's own", created, "", "2026-06-14"},
	} {
		sink, err := readHeads(t, headFile(row.head, row.entries))
		if err != nil || len(sink.statements) != 1 || sink.statements[0].begin.Day != row.want {
			t.Errorf("%s: %+v, error %v; want %s", row.name, sink.statements, err, row.want)
		}
	}
	if sink, err := readHeads(t, headFile("<Id>1</Id>", "<Ntry>"+plainCredit+"</Ntry>")); deposit.AsRefusal(err).Code != "day_missing" || len(sink.statements) > 0 {
		t.Errorf("no date at all: %+v, error %v", sink.statements, err)
	}
}

// TestCamtBalances: which balances open and close a statement.
func TestCamtBalances(t *testing.T) {
	fen := func(f deposit.Fen) *deposit.Fen { return &f }
	const acct = "<Acct><Ccy>CNY</Ccy></Acct>"
	for _, row := range []struct {
		name, head       string
		opening, closing *deposit.Fen
	}{
		{"none", acct, nil, nil},
		{"booked over previous and available", bal("PRCD", "CNY", "1") + bal("OPAV", "CNY", "2") + bal("OPBD", "CNY", "3") + bal("CLAV", "CNY", "4") + bal("CLBD", "CNY", "5"), fen(300), fen(500)},
		{"previous over available", bal("OPAV", "CNY", "2") + bal("PRCD", "CNY", "1"), fen(100), nil},
		{"first opening, last closing", bal("OPBD", "CNY", "1") + bal("CLBD", "CNY", "2") + bal("OPBD", "CNY", "2") + bal("CLBD", "CNY", "3"), fen(100), fen(300)},
		{"the account's currency", acct + bal("OPBD", "USD", "1") + bal("OPBD", "CNY", "2") + bal("CLBD", "CNY", "3") + bal("CLBD", "USD", "4"), fen(200), fen(300)},
		{"one interim balance", bal("ITBD", "CNY", "1"), nil, nil},
		{"two interim balances", bal("ITBD", "CNY", "1") + bal("ITBD", "CNY", "2"), fen(100), fen(200)},
		{"opened, and interim since", bal("OPBD", "CNY", "1") + bal("ITBD", "CNY", "2") + bal("ITBD", "CNY", "3"), fen(100), fen(300)},
		{"below zero as written", bal("CLBD", "CNY", "-1.50000"), nil, fen(-150)},
	} {
		sink, err := readHeads(t, headFile("<CreDtTm>2026-06-12T09:00:00</CreDtTm>"+row.head, ""))
		if err != nil || len(sink.faults) > 0 {
			t.Errorf("%s: faults %v, error %v", row.name, sink.faults, err)
			continue
		}
		got := sink.statements[0].end
		if fmt.Sprint(fenOrUnknown(got.Opening), fenOrUnknown(got.Closing)) != fmt.Sprint(fenOrUnknown(row.opening), fenOrUnknown(row.closing)) {
			t.Errorf("%s: opening %v, closing %v", row.name, fenOrUnknown(got.Opening), fenOrUnknown(got.Closing))
		}
	}
}

func fenOrUnknown(f *deposit.Fen) string {
	if f == nil {
		return "unknown"
	}
	return f.String()
}

// TestCamtHeadFaults: what is wrong in a head is reported, and what it said is not known.
func TestCamtHeadFaults(t *testing.T) {
	for _, row := range []struct{ name, head, code string }{
		{"a balance of three decimals", bal("CLBD", "CNY", "1.001"), "amount_decimals"},
		{"a balance that is no number", bal("CLBD", "CNY", "1,000.00"), "amount_malformed"},
		{"a day that does not exist", strings.Replace(bal("CLBD", "CNY", "1"), "-06-12", "-06-31", 1), "day_malformed"},
		{"a count that is none", "<TxsSummry><TtlNtries><NbOfNtries>many</NbOfNtries></TtlNtries></TxsSummry>", "count_malformed"},
		{"a sum that is none", "<TxsSummry><TtlCdtNtries><Sum>1.2.3</Sum></TtlCdtNtries></TxsSummry>", "amount_malformed"},
		{"an owner who cannot be read", "<Acct><Id><IBAN>3</IBAN></Id><Ownr><Nm>\xff</Nm></Ownr></Acct>", "charset"},
	} {
		sink, err := readHeads(t, headFile("<CreDtTm>2026-06-12T09:00:00</CreDtTm>"+row.head, "<Ntry>"+plainCredit+"</Ntry>"))
		if err != nil || len(sink.faults) != 1 || sink.faults[0].Code != row.code || len(sink.entries) > 1 {
			t.Errorf("%s: faults %+v, error %v; want %s", row.name, sink.faults, err, row.code)
		}
	}
	if sink, err := readHeads(t, headFile("<Acct><Id><IBAN>3\xff</IBAN></Id></Acct>", "")); deposit.AsRefusal(err).Code != "charset" || len(sink.statements) > 0 {
		t.Errorf("an account that cannot be read: %+v, error %v", sink.statements, err)
	}
}

// TestCamtEnvelope: several messages in one envelope, each with several statements; pages that are not the last.
func TestCamtEnvelope(t *testing.T) {
	stmt := func(account, page string) string {
		return "<Stmt><CreDtTm>2026-06-12T09:00:00</CreDtTm><StmtPgntn><LastPgInd>" + page + "</LastPgInd></StmtPgntn><Acct><Id><IBAN>" + account + "</IBAN></Id></Acct><Ntry>" + plainCredit + "</Ntry></Stmt>"
	}
	message := func(inner string) string {
		return "<Document><BkToCstmrStmt>" + inner + "<SplmtryData><Envlp><Stmt/></Envlp></SplmtryData></BkToCstmrStmt></Document>"
	}
	file := "<Envelope><AppHdr><Fr>bank</Fr></AppHdr>" + message(stmt("1", "false")+stmt("2", "true")) +
		message("<GrpHdr><MsgPgntn><LastPgInd>false</LastPgInd></MsgPgntn></GrpHdr><Stmt><CreDtTm>2026-06-12T09:00:00</CreDtTm><Acct><Id><IBAN>3</IBAN></Id></Acct></Stmt>") + "</Envelope>"
	sink, err := readHeads(t, file)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, s := range sink.statements {
		got += fmt.Sprintf("%s %v %d; ", s.end.ParentAccount, s.end.LastPage, s.entries)
	}
	if got != "1 false 1; 2 true 1; 3 false 0; " {
		t.Error(got)
	}
}

// TestCamtLargeRecords: a large batch is read, a record without end is refused.
func TestCamtLargeRecords(t *testing.T) {
	part := `<TxDtls><Refs><EndToEndId>1</EndToEndId></Refs><Amt Ccy="CNY">0.01</Amt><RltdPties><Dbtr><Nm>甲</Nm></Dbtr></RltdPties></TxDtls>`
	batch := func(parts int) string {
		return ntryFile(fmt.Sprintf(`<Ntry><Amt Ccy="CNY">%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><NtryDtls>`, deposit.Fen(parts)) + strings.Repeat(part, parts) + "</NtryDtls></Ntry>")
	}
	sink, err := readHeads(t, batch(9000))
	if err != nil || len(sink.entries) != 9000 || sink.entries[8999].SerialSeq != 9000 {
		t.Errorf("%d entries, error %v", len(sink.entries), err)
	}
	for name, file := range map[string]string{
		"transactions": ntryFile("<Ntry>" + strings.Repeat("<TxDtls/>", maxDetails+1) + "</Ntry>"),
		"elements":     ntryFile("<Ntry>" + strings.Repeat("<X/>", maxElements+1) + "</Ntry>"),
		"a head":       headFile("<Acct>"+strings.Repeat("<X/>", maxElements+1)+"</Acct>", ""),
	} {
		if _, err := readHeads(t, file); deposit.AsRefusal(err).Code != "camt_record_too_large" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
