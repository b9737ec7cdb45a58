package bank

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"depositd/platform/deposit"
)

// camtDay is a statement to be written.
type camtDay struct {
	parent  string
	day     deposit.Day
	opening deposit.Fen
	entries []Entry
}

// inventDays makes a day of so many entries for each of three parent accounts: credits, refunds, reversals, returns.
func inventDays(n int) []camtDay {
	companies := []string{"聊城市东昌建设工程有限公司", "山东鲁西园林绿化有限公司（分公司）", "阳谷县景阳冈路桥工程有限公司", "茌平㙍桥·水利工程有限公司", "李 A&B <测>"}
	var days []camtDay
	for p := range 3 {
		d := camtDay{parent: fmt.Sprintf("370501886000000012%d", p), day: "2026-06-12", opening: deposit.Fen(p*1000003 - 1000)}
		for i := range n {
			e := camtLine(fmt.Sprintf("2606120%08d", i), deposit.Fen(100+i*7919%80000000), fmt.Sprintf("2026-06-12 %02d:%02d:%02d", 8+i%9, i%60, i*7%60), func(e *Entry) {
				e.ParentAccount, e.PayerName, e.PayerAccount = d.parent, companies[i%len(companies)], fmt.Sprintf("62120000000000%05d", i)
				e.SubAccount, e.Remark = fmt.Sprintf("%s-%06d", d.parent, i%1000), "投标保证金"
			})
			switch i % 10 {
			case 7:
				e.Direction, e.Remark = Debit, "退还投标保证金"
			case 8:
				e.Direction, e.Reversal, e.ReversalOf = Debit, Reverses, fmt.Sprintf("2606120%08d", i-8)
			case 9:
				e.Returned = true
			}
			d.entries = append(d.entries, e)
		}
		days = append(days, d)
	}
	return days
}

func (d camtDay) closing() deposit.Fen {
	sum := d.opening
	for i := range d.entries {
		if d.entries[i].Direction == Credit {
			sum += d.entries[i].Amount
		} else {
			sum -= d.entries[i].Amount
		}
	}
	return sum
}

// writeCamt writes statements as a bank would in the given version of camt.052, .053 or .054.
func writeCamt(w io.Writer, message string, version int, days ...camtDay) {
	root := map[string]string{"camt.052": "BkToCstmrAcctRpt", "camt.053": "BkToCstmrStmt", "camt.054": "BkToCstmrDbtCdtNtfctn"}[message]
	kind := map[string]string{"camt.052": "Rpt", "camt.053": "Stmt", "camt.054": "Ntfctn"}[message]
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<n:Document xmlns:n=\"urn:iso:std:iso:20022:tech:xsd:%s.001.%02d\"><n:%s>\n", message, version, root)
	for _, d := range days {
		fmt.Fprintf(w, "<n:%s><n:Id>%s</n:Id><n:Acct><n:Id><n:Othr><n:Id>%s</n:Id></n:Othr></n:Id><n:Ccy>CNY</n:Ccy></n:Acct>\n", kind, d.day, d.parent)
		writeBalance(w, "OPBD", d.day, d.opening)
		writeBalance(w, "CLBD", d.day, d.closing())
		for i := range d.entries {
			writeNtry(w, version, &d.entries[i])
		}
		fmt.Fprintf(w, "</n:%s>\n", kind)
	}
	fmt.Fprintf(w, "</n:%s></n:Document>\n", root)
}

func writeBalance(w io.Writer, code string, day deposit.Day, fen deposit.Fen) {
	mark := "CRDT"
	if fen < 0 {
		mark, fen = "DBIT", -fen
	}
	fmt.Fprintf(w, "<n:Bal><n:Tp><n:CdOrPrtry><n:Cd>%s</n:Cd></n:CdOrPrtry></n:Tp><n:Amt Ccy=\"CNY\">%s</n:Amt><n:CdtDbtInd>%s</n:CdtDbtInd><n:Dt><n:Dt>%s</n:Dt></n:Dt></n:Bal>\n", code, fen, mark, day)
}

func writeNtry(w io.Writer, version int, e *Entry) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace
	mark, other, self := "CRDT", "Dbtr", "Cdtr"
	if e.Direction == Debit {
		mark, other, self = "DBIT", self, other
	}
	status, name := "BOOK", "<n:Nm>"+escape(e.PayerName)+"</n:Nm>"
	if version >= 8 {
		status, name = "<n:Cd>BOOK</n:Cd>", "<n:Pty>"+name+"</n:Pty>"
	}
	fmt.Fprintf(w, "<n:Ntry><n:Amt Ccy=\"CNY\">%s</n:Amt><n:CdtDbtInd>%s</n:CdtDbtInd><n:RvslInd>%v</n:RvslInd><n:Sts>%s</n:Sts>", e.Amount, mark, e.Reversal == Reverses, status)
	fmt.Fprintf(w, "<n:BookgDt><n:DtTm>%s</n:DtTm></n:BookgDt><n:AcctSvcrRef>%s</n:AcctSvcrRef><n:NtryDtls><n:TxDtls>", e.BookedAt.Format("2006-01-02T15:04:05Z07:00"), e.Serial)
	if e.ReversalOf != "" {
		fmt.Fprintf(w, "<n:Refs><n:AcctSvcrRef>%s</n:AcctSvcrRef></n:Refs>", e.ReversalOf)
	}
	fmt.Fprintf(w, "<n:Amt Ccy=\"CNY\">%s</n:Amt><n:RltdPties><n:%[2]s>%[3]s</n:%[2]s><n:%[2]sAcct><n:Id><n:Othr><n:Id>%[4]s</n:Id></n:Othr></n:Id></n:%[2]sAcct>", e.Amount, other, name, e.PayerAccount)
	fmt.Fprintf(w, "<n:%[1]sAcct><n:Id><n:Othr><n:Id>%[2]s</n:Id></n:Othr></n:Id></n:%[1]sAcct></n:RltdPties><n:RmtInf><n:Ustrd>%[3]s</n:Ustrd></n:RmtInf>", self, e.SubAccount, escape(e.Remark))
	if e.Returned {
		fmt.Fprint(w, "<n:RtrInf><n:Rsn><n:Cd>AC01</n:Cd></n:Rsn></n:RtrInf>")
	}
	fmt.Fprint(w, "</n:TxDtls></n:NtryDtls></n:Ntry>\n")
}

func TestCamtReadsWhatWasWritten(t *testing.T) {
	days := inventDays(40)
	var want []Entry
	for _, d := range days {
		want = append(want, d.entries...)
	}
	for _, message := range []string{"camt.052", "camt.053", "camt.054"} {
		for version := 2; version <= 13; version++ {
			var file bytes.Buffer
			writeCamt(&file, message, version, days...)
			sink := &camtSink{t: t}
			if err := camt.Statement(camtBank, &file, sink); err != nil || len(sink.faults) > 0 || len(sink.statements) != 3 {
				t.Fatalf("%s.%02d: %d statements, faults %v, error %v", message, version, len(sink.statements), sink.faults, err)
			}
			sameCamtEntries(t, sink.entries, want)
			for i, s := range sink.statements {
				if s.end.ParentAccount != days[i].parent || s.end.Day != "2026-06-12" || *s.end.Opening != days[i].opening ||
					*s.end.Closing != days[i].closing() || *s.end.Opening+s.credits-s.debits != *s.end.Closing {
					t.Errorf("%s.%02d: statement %+v of %v − %v", message, version, s.end, s.credits, s.debits)
				}
			}
		}
	}
}

// TestCamtDamaged cuts a message at every byte, and turns bits of every byte: an error or entries, never a panic, and
// never a whole message out of a part.
func TestCamtDamaged(t *testing.T) {
	read := func(raw []byte) error { return camt.Statement(camtBank, bytes.NewReader(raw), &camtSink{t: t}) }
	for name, step := range map[string]int{"notice.xml": 1, "statement.xml": 29} { // of the longer one some bytes are enough
		whole := bytes.TrimSpace([]byte(camtSample(t, name)))
		for n := 0; n < len(whole); n += step {
			if err := read(whole[:n]); !deposit.IsKind(err, deposit.Invalid) {
				t.Fatalf("the first %d bytes of %s: error %v", n, name, err)
			}
			for _, bits := range []byte{0x01, 0x20, 0x80} {
				damaged := bytes.Clone(whole)
				damaged[n] ^= bits
				if err := read(damaged); err != nil && !deposit.IsKind(err, deposit.Invalid) {
					t.Fatalf("byte %d of %s: %v", n, name, err)
				}
			}
		}
	}
}

// camtStream writes a long statement while it is being read, so that only the reader's memory counts.
func camtStream(entries int) io.Reader {
	r, w := io.Pipe()
	days := inventDays(1000)
	go func() {
		fmt.Fprint(w, `<Document xmlns:n="urn:x"><BkToCstmrStmt><Stmt>`)
		for written := 0; written < entries; written += 1000 {
			var chunk bytes.Buffer
			for i := range days[0].entries {
				writeNtry(&chunk, 8, &days[0].entries[i])
			}
			if _, err := w.Write(chunk.Bytes()); err != nil {
				return
			}
		}
		fmt.Fprint(w, `</Stmt></BkToCstmrStmt></Document>`)
		w.Close()
	}()
	return r
}

// camtCounter counts entries and, now and then, how much memory is in use.
type camtCounter struct {
	camtNoted
	n     int
	inUse []uint64
}

func (k *camtCounter) Begin(Statement) error { return nil }

func (k *camtCounter) Entry(*Entry) error {
	if k.n++; k.n%4000 == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		k.inUse = append(k.inUse, m.HeapAlloc)
	}
	return nil
}

func TestCamtStreams(t *testing.T) {
	k := &camtCounter{}
	if err := camt.Statement(camtBank, camtStream(20000), k); err != nil || k.n != 20000 {
		t.Fatalf("%d entries, error %v", k.n, err)
	}
	if first, last := k.inUse[0], k.inUse[len(k.inUse)-1]; last > first+512<<10 {
		t.Errorf("memory grows with the file: %v", k.inUse)
	}
}

func FuzzCamt(f *testing.F) {
	samples, err := filepath.Glob(filepath.Join(camtSamples, "*.xml"))
	if err != nil || len(samples) == 0 {
		f.Fatal("no samples: ", err)
	}
	for _, name := range samples {
		f.Add([]byte(camtSample(f, filepath.Base(name))))
	}
	var written bytes.Buffer
	writeCamt(&written, "camt.052", 13, inventDays(3)...)
	f.Add(written.Bytes())
	f.Add([]byte(ntryFile("<Ntry>" + plainCredit + "</Ntry>")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, again := &camtSink{t: t}, &camtSink{t: t}
		err := camt.Statement(camtBank, bytes.NewReader(raw), first)
		if err != nil && !deposit.IsKind(err, deposit.Invalid) {
			t.Errorf("not the sender's fault? %v", err)
		}
		_ = camt.Statement(camtBank, bytes.NewReader(raw), again)
		if !slices.Equal(first.entries, again.entries) {
			t.Error("read twice, and not the same")
		}
		if noticed, err := camt.Notice(camtBank, raw); err != nil && len(noticed) > 0 {
			t.Error("entries of a refused notice")
		}
	})
}

func BenchmarkCamt(b *testing.B) {
	var file bytes.Buffer
	writeCamt(&file, "camt.053", 8, inventDays(2000)...)
	b.SetBytes(int64(file.Len()))
	entries := 0
	for b.Loop() {
		k := &camtCounter{}
		if err := camt.Statement(camtBank, bytes.NewReader(file.Bytes()), k); err != nil {
			b.Fatal(err)
		}
		entries += k.n
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
}
