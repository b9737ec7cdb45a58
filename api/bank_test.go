package api

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"depositd/bank"
)

const notice = `{"bank_serial":"260612000000042","booking_date":"2026-06-12","booked_at":"2026-06-12T09:29:58+08:00","parent_account":"6550100000000000017",` +
	`"sub_account":"000147","amount":"800000.00","payer_name":"聊城市东昌建设工程有限公司","payer_account":"6212000000000000005"}`

// with replaces one thing in a text that must hold it.
func with(text, old, replacement string) string {
	if strings.Count(text, old) != 1 {
		panic("not once in the sample: " + old)
	}
	return strings.Replace(text, old, replacement, 1)
}

func TestMessageIsReceived(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.push("msg-1", notice).want(200, "")
		var receipt Receipt
		if first.into(&receipt); receipt.Outcome != bank.New || receipt.Entries != 1 || receipt.Message == 0 {
			t.Errorf("got %s", first.Body)
		}
		if kept := h.kept(); len(kept) != 1 || string(kept[0].Body) != notice || kept[0].ExternalID != "msg-1" || kept[0].Source != "HTTP" {
			t.Errorf("kept %+v", kept)
		}
		if h.judge != 1 {
			t.Errorf("the judge was woken %d times", h.judge)
		}

		var again Receipt
		h.push("msg-1", notice).want(200, "").into(&again)
		if again.Message != receipt.Message || again.Outcome != receipt.Outcome {
			t.Errorf("the same message was answered %+v, then %+v", receipt, again)
		}
		h.push("msg-2", notice).want(200, "").into(&again)
		if again.Outcome != bank.Duplicate || again.Entries != 0 {
			t.Errorf("another message of the same booking: %+v", again)
		}
		h.push("msg-3", with(notice, "800000.00", "80000.00")).want(200, "").into(&again)
		if again.Outcome != bank.Conflicts {
			t.Errorf("the same booking with another amount: %+v", again)
		}
		if h.count("entries") != 1 || h.count("conflicts") != 1 || h.count("messages") != 3 {
			t.Error("one entry, one conflict and three messages were to be kept")
		}
	})
}

// Money that fits nothing is received like any other: whose it is, is decided later.
func TestUnmatchedMoneyIsAcknowledged(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.push("msg-1", with(with(notice, `"000147"`, `"999999"`), `"聊城市东昌建设工程有限公司"`, `"不知名公司"`)).want(200, "")
		if h.count("entries") != 1 || h.count("unjudged") != 1 {
			t.Error("the entry was to be stored and to wait for its verdict")
		}
	})
}

func TestBadMessages(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	bad := []struct {
		name, body string
		status     int
		code       string
	}{
		{"truncated", notice[:len(notice)/2], 422, ""},
		{"empty", "", 422, "message_empty"},
		{"not UTF-8", with(notice, "不聊"[3:], "\xff\xfe"), 422, "charset"},
		{"nested deeply", deep, 422, ""},
		{"three decimals", with(notice, "800000.00", "800000.001"), 422, "amount_decimals"},
		{"negative", with(notice, "800000.00", "-800000.00"), 422, "amount_negative"},
		{"nothing", with(notice, "800000.00", "0.00"), 422, "amount_zero"},
		{"above a milliard", with(notice, "800000.00", "1000000000.01"), 422, "amount_too_large"},
		{"no such day", with(notice, `"booking_date":"2026-06-12"`, `"booking_date":"2026-02-30"`), 422, ""},
		{"no such time", with(notice, "T09:29:58", "T25:29:58"), 422, ""},
		{"other currency", with(notice, `"amount"`, `"currency":"USD","amount"`), 422, "currency_unsupported"},
		{"an account that is not ours", with(notice, "6550100000000000017", "6550100000000000018"), 422, "parent_account_unknown"},
		{"two values of one key", with(notice, `"amount"`, `"amount":"1.00","amount"`), 422, ""},
	}
	each(t, func(t *testing.T, h *house) {
		for i, b := range bad {
			t.Run(b.name, func(t *testing.T) {
				h.t = t
				got := h.push(fmt.Sprint("msg-", i), b.body).want(b.status, b.code)
				kept := h.kept()
				last := kept[len(kept)-1]
				if len(kept) != i+1 {
					t.Fatalf("%d messages are kept, want %d", len(kept), i+1)
				}
				for _, m := range kept {
					if bytes.Equal(m.Body, []byte(b.body)) {
						last = m
					}
				}
				if string(last.Body) != b.body || last.Outcome != bank.Refused || last.Code != got.problem().Code {
					t.Errorf("kept %q %s %s, answered %s", last.Body, last.Outcome, last.Code, got.problem().Code)
				}
			})
			h.now = h.now.Add(time.Second)
		}
		if h.count("entries") != 0 || h.judge != 0 {
			t.Error("a refused message left an entry")
		}
		h.t = t
		h.push("msg-0", notice).want(200, "") // mended, under the id it had
	})
}

// Whoever is not believed learns nothing: every refusal is the same but for the request's id.
func TestUnbelievedMessages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		sealed := func() []string { return h.sealed("msg-1", []byte(notice)) }
		cases := []struct {
			name, code string
			header     []string
		}{
			{"no seal", "seal_missing", nil},
			{"stale", "seal_stale", sealedAt("msg-1", []byte(notice), h.now.Add(-5*time.Minute-time.Second))},
			{"from the future", "seal_stale", sealedAt("msg-1", []byte(notice), h.now.Add(5*time.Minute+time.Second))},
			{"another body's", "seal_wrong", sealedAt("msg-1", []byte(notice+" "), h.now)},
			{"another id's", "seal_wrong", append(sealed(), "webhook-id", "msg-2")},
			{"another time's", "seal_wrong", append(sealed(), "webhook-timestamp", unix(h.now.Add(time.Second)))},
			{"no signature at all", "seal_wrong", append(sealed(), "webhook-signature", "v1,AAAA")},
			{"an id with a full stop", "seal_malformed", append(sealed(), "webhook-id", "msg.1")},
		}
		said := ""
		for _, c := range cases {
			got := h.send("POST", "/v1/banks/open/messages", []byte(notice), c.header...).want(401, "unauthenticated")
			same := strings.Replace(got.Body.String(), got.problem().Instance, "", 1)
			if said != "" && same != said {
				t.Errorf("%s: told apart: %s and %s", c.name, same, said)
			}
			said = same
			if log := h.log.String(); !strings.Contains(log, `"code":"`+c.code+`"`) || strings.Contains(got.Body.String(), c.code) {
				t.Errorf("%s: the security log says %s", c.name, log)
			}
			h.log.Reset()
			for _, m := range h.kept() {
				if len(m.Body) != 0 || m.Outcome != bank.Refused || !strings.HasPrefix(m.ExternalID, "refused:") {
					t.Errorf("%s: of it stands %+v", c.name, m)
				}
			}
		}
		h.send("POST", "/v1/banks/open/messages", []byte(notice), sealedAt("msg-1", []byte(notice), h.now.Add(-5*time.Minute+time.Second))...).want(200, "")
	})
}

func TestReplayWithOtherBytes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.push("msg-1", notice).want(200, "")
		h.push("msg-1", with(notice, "000147", "000148")).want(422, "replay_differs")
		if h.count("entries") != 1 || h.count("messages") != 2 {
			t.Error("one entry and both messages were to be kept")
		}
	})
}

func TestOversizedMessage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		fits := notice + strings.Repeat(" ", bank.MaxMessage-len(notice))
		h.push("msg-1", fits).want(200, "")
		h.push("msg-2", fits+" ").want(413, "message_too_large")
		h.push("msg-3", fits+strings.Repeat(" ", 1<<20)).want(413, "message_too_large")
		h.send("POST", "/v1/banks/line/messages", []byte(gNotice("1.00")+strings.Repeat(" ", bank.MaxMessage))).want(413, "message_too_large")
		if h.count("messages") != 4 {
			t.Errorf("%d messages are kept", h.count("messages"))
		}
	})
}

func TestUnknownBank(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		known := h.send("POST", "/v1/banks/open/messages", []byte(notice)).want(401, "unauthenticated")
		for _, target := range []string{"/v1/banks/nobody/messages", "/v1/banks/nobody/statements"} {
			got := h.send("POST", target, []byte(notice), "Authorization", "").want(401, "unauthenticated")
			if told := strings.Replace(got.Body.String(), got.problem().Instance, known.problem().Instance, 1); told != known.Body.String() {
				t.Errorf("a bank that there is not is told apart: %s", told)
			}
		}
		h.send("POST", "/v1/banks/nobody/statements", []byte("x")).want(404, "bank_unknown") // whoever has a token may know
	})
}

// gNotice is a G00001; its name is two characters in GBK.
func gNotice(amount string) string {
	return `<?xml version="1.0" encoding="GBK"?><root><head><TransCode>G00001</TransCode><TransDate>20260612</TransDate><TransTime>093000</TransTime><SeqNo>00000017</SeqNo></head>` +
		`<body><InstCode>3705018860000000123</InstCode><InDate>20260612092958</InDate><InAmount>` + amount + `</InAmount><InName>` + "\xc1\xc4\xb3\xc7" + `</InName>` +
		`<InAcct>6212000000000000005</InAcct><InMemo>000147</InMemo><InBankFLCode>260612000000042</InBankFLCode></body></root>`
}

// A bank with a dialect of its own reads the body, which says in Result how the message fared; the status is 200.
func TestDialectAnswers(t *testing.T) {
	cases := []struct {
		name, body, result string
	}{
		{"new", gNotice("800000.00"), "00"},
		{"with the padding of its buffer", gNotice("800000.00") + "\x00\x00\x00", "01"},
		{"known with another amount", gNotice("80000.00"), "01"},
		{"truncated", gNotice("1.00")[:400], "09"},
		{"empty", "", "09"},
		{"not GBK", with(gNotice("1.00"), "\xc1\xc4", "\xff\xff"), "09"},
		{"cut within a character", with(gNotice("1.00"), "\xc1\xc4\xb3\xc7", "\xc1\xc4\xb3"), "09"},
		{"a DOCTYPE", with(gNotice("1.00"), "<root>", `<!DOCTYPE root [<!ENTITY a "aaaa">]><root>`), "09"},
		{"nested deeply", with(gNotice("1.00"), "<body>", "<body>"+strings.Repeat("<a>", 5000)), "09"},
		{"three decimals", gNotice("1.001"), "09"},
		{"negative", gNotice("-1.00"), "09"},
		{"above a milliard", gNotice("1000000000.01"), "09"},
		{"no such day", with(gNotice("1.00"), "20260612092958", "20260230092958"), "09"},
		{"a link test", `<root><head><TransCode>G00009</TransCode></head><body></body></root>`, "00"},
	}
	each(t, func(t *testing.T, h *house) {
		for i, c := range cases {
			got := h.send("POST", "/v1/banks/line/messages", []byte(c.body), "Content-Type", "application/x-www-form-urlencoded").want(200, "")
			if kind := got.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/xml") || !strings.Contains(got.Body.String(), "<Result>"+c.result+"</Result>") {
				t.Errorf("%s: %s %s", c.name, kind, got.Body)
			}
			if h.count("messages") != i+1 {
				t.Fatalf("%s: %d messages are kept, want %d", c.name, h.count("messages"), i+1)
			}
		}
		if h.count("entries") != 1 {
			t.Errorf("%d entries", h.count("entries"))
		}
	})
}

// With the storage away nobody hears "received": the bank is to send it again.
func TestStorageAway(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		routes := h.server.routes()
		for i := range routes {
			routes[i].Within = 200 * time.Millisecond
		}
		h.handler, _ = h.server.mount(routes)
		h.storageAway()
		if got := h.push("msg-1", notice); got.Code < 500 || got.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
		got := h.send("POST", "/v1/banks/line/messages", []byte(gNotice("1.00")))
		if got.Code < 500 || got.Header().Get("Retry-After") == "" || !strings.Contains(got.Body.String(), "<Result>99</Result>") {
			t.Errorf("got %d %s", got.Code, got.Body)
		}
	})
}

const statement = `bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of
260612000000042,2026-06-12,2026-06-12 09:29:58,6550100000000000017,000147,C,800000.00,聊城市东昌建设工程有限公司,6212000000000000005,,,
260612000000043,2026-06-12,2026-06-12 10:29:58,6550100000000000017,000148,C,200000.00,聊城市水城建设有限公司,6212000000000000006,,,
`

func TestStatementIsImported(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.push("msg-1", notice).want(200, "")
		deliver := func(file string) *answer {
			return h.send("POST", "/v1/banks/open/statements?name=0612.csv", []byte(file), h.sealed("file-1", []byte(file))...)
		}
		var in Import
		deliver(statement).want(201, "").into(&in)
		if in.Known || in.Faults != 0 || len(in.Statements) != 1 || in.Statements[0].Credits.String() != "1000000.00" || in.Statements[0].CreditCount != 2 || in.Statements[0].Opening != nil {
			t.Errorf("got %+v", in)
		}
		if h.count("entries") != 2 || h.count("sightings") != 3 {
			t.Error("two entries, one of them seen twice")
		}
		deliver(statement).want(200, "").into(&in)
		if !in.Known || h.count("entries") != 2 {
			t.Errorf("the same file again: %+v", in)
		}
		deliver(with(statement, "200000.00", "200000.001")).want(201, "").into(&in)
		if in.Faults != 1 {
			t.Errorf("a row with three decimals: %+v", in)
		}
		if left, err := os.ReadDir(h.server.Spool); err != nil || len(left) != 0 {
			t.Errorf("left in the spool: %v %v", left, err)
		}
	})
}

func TestBadStatements(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		file := []byte(statement)
		h.send("POST", "/v1/banks/open/statements", file).want(401, "unauthenticated")
		h.send("POST", "/v1/banks/open/statements", append(file, ' '), h.sealed("file-1", file)...).want(401, "unauthenticated")
		if h.count("message_parts") != 0 {
			t.Error("an unbelieved file is kept")
		}
		h.send("POST", "/v1/banks/open/statements", nil, h.sealed("file-1", nil)...).want(422, "file_empty")
		h.send("POST", "/v1/banks/open/statements", file, append(h.sealed("file-1", file), "Content-Type", "multipart/form-data; boundary=x")...).want(415, "content_type")
		h.send("POST", "/v1/banks/open/statements?nam=x", file, h.sealed("file-1", file)...).want(400, "parameter_unknown")
		h.send("POST", "/v1/banks/open/statements?name=a%0ab", file, h.sealed("file-1", file)...).want(400, "parameter_malformed")
		nonsense := []byte("\x00\x01 this is no statement")
		if got := h.send("POST", "/v1/banks/open/statements", nonsense, h.sealed("file-1", nonsense)...); got.Code != 422 || h.count("message_parts") != 1 {
			t.Errorf("%d %s: a believed file is kept whatever is in it", got.Code, got.Body)
		}
		if h.count("entries") != 0 {
			t.Error("a refused file left entries")
		}
		h.server.MaxStatement = int64(len(file)) - 1
		h.handler, _ = h.server.mount(h.server.routes())
		h.send("POST", "/v1/banks/open/statements", file, h.sealed("file-1", file)...).want(413, "body_too_large")
		if left, err := os.ReadDir(h.server.Spool); err != nil || len(left) != 0 {
			t.Errorf("left in the spool: %v %v", left, err)
		}
	})
}

// A file that tells its balances is proved, and both are answered.
func TestStatementWithBalances(t *testing.T) {
	balance := func(kind, yuan string) string {
		return `<Bal><Tp><CdOrPrtry><Cd>` + kind + `</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">` + yuan + `</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-06-12</Dt></Dt></Bal>`
	}
	file := `<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt><GrpHdr><MsgId>1</MsgId>` +
		`<CreDtTm>2026-06-12T20:00:00+08:00</CreDtTm></GrpHdr><Stmt><Id>1</Id><CreDtTm>2026-06-12T20:00:00+08:00</CreDtTm>` +
		`<Acct><Id><Othr><Id>CN00EXAM0000000000042</Id></Othr></Id><Ccy>CNY</Ccy></Acct>` + balance("OPBD", "100.00") + balance("CLBD", "300.01") +
		`<Ntry><Amt Ccy="CNY">200.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><DtTm>2026-06-12T09:30:00+08:00</DtTm></BookgDt>` +
		`<AcctSvcrRef>S1</AcctSvcrRef></Ntry></Stmt></BkToCstmrStmt></Document>`
	each(t, func(t *testing.T, h *house) {
		var in Import
		h.send("POST", "/v1/banks/iso/statements?name=0612.xml", []byte(file)).want(201, "").into(&in)
		if len(in.Statements) != 1 {
			t.Fatalf("got %+v", in)
		}
		if st := in.Statements[0]; st.Opening == nil || st.Opening.String() != "100.00" || st.Closing.String() != "300.01" || st.Proof != bank.ProofGap || st.Gap.String() != "0.01" {
			t.Errorf("got %+v", st)
		}
	})
}

// On a leased line without a seal the file is taken as it comes.
func TestStatementWithoutSeal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		file := strings.ReplaceAll(statement, "6550100000000000017", "3705018860000000123")
		h.send("POST", "/v1/banks/line/statements", []byte(file)).want(201, "")
	})
}
