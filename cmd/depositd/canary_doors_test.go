//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// fill goes through every door there is.
func (b *burrow) fill() {
	b.nobodys = b.credit("js", "J2", "20999", "an aggregate, to a number of nobody's")
	b.push("js", b.nobodys) // before there is a lot whose secret it could be
	b.platform()
	b.opened()
	b.notices()
	b.broken()
	b.statements()
	b.does(b.t, []int{exitOK, exitMismatches}, "nightly", "--day", string(burrowDay))
	b.refunds()
	b.persons()
	b.tell(http.MethodPost, "/v1/platform/events", map[string]any{"number": "E-2", "lot": "LC-1", "kind": "opening_postponed", "happened_at": "2026-06-16T09:00:00+08:00",
		"opening_at": "2098-06-16T09:00:00+08:00", "note": b.add("the platform's note", "麒麟饕餮来函")}, http.StatusCreated)
}

func (b *burrow) platform() {
	lot := map[string]any{"department": "建设工程科", "deposit": "800000.00", "opening_at": "2097-06-15T09:00:00+08:00"}
	b.tell(http.MethodPut, "/v1/lots/LC-1", lot, http.StatusCreated)
	name := b.name("a bid")
	bid := map[string]any{"lot": "LC-1", "bidder": name, "bidder_account": b.account(overwritten), "bank": "gs", "sub_account": "10001", "lease_from": "2026-06-01T09:00:00+08:00"}
	b.tell(http.MethodPost, "/v1/bids", bid, http.StatusCreated)
	bid["bidder"], bid["bidder_account"] = "（"+name+"）", b.account("a bid that changed")
	b.tell(http.MethodPost, "/v1/bids", bid, http.StatusOK)
	b.tell(http.MethodPost, "/v1/platform/sync", map[string]any{
		"lots":   []any{map[string]any{"number": "LC-2", "department": "采购科", "deposit": "800000.00", "opening_at": "2097-06-15T09:00:00+08:00"}},
		"bids":   []any{map[string]any{"lot": "LC-2", "bidder": b.name("a sync"), "bidder_account": b.account("a sync"), "bank": "js", "sub_account": "20001", "lease_from": "2026-06-01T09:00:00+08:00"}, map[string]any{"lot": "LC-2", "bidder": b.name("a sync")}},
		"events": []any{map[string]any{"number": "E-1", "lot": "LC-1", "kind": "bid_withdrawn", "bidder": name, "happened_at": "2026-06-15T12:00:00+08:00", "note": b.name("an event's note")}},
	}, http.StatusOK, http.StatusCreated)
}

// opened has a lot be opened: what is stored of its bids stays as it is.
func (b *burrow) opened() {
	b.tell(http.MethodPut, "/v1/lots/LC-3", map[string]any{"department": "建设工程科", "deposit": "800000.00", "opening_at": "2026-06-15T09:00:00+08:00"}, http.StatusCreated)
	b.tell(http.MethodPost, "/v1/bids", map[string]any{"lot": "LC-3", "bidder": b.name("a bid that was opened"), "bidder_account": b.account("a bid that was opened"), "bank": "gs", "sub_account": "30001",
		"lease_from": "2026-06-01T09:00:00+08:00"}, http.StatusCreated)
	b.push("gs", b.credit("gs", "S9", "30001", "a notice for an opened lot"))
	b.tell(http.MethodPost, "/v1/platform/events", map[string]any{"number": "E-3", "lot": "LC-3", "kind": "opened", "happened_at": "2026-06-15T09:00:01+08:00"}, http.StatusCreated)
}

func (b *burrow) notices() {
	b.push("gs", b.credit("gs", "S1", "10001", "a G series notice"))
	again := b.credit("gs", "S1", "10001", "a contradiction")
	b.push("gs", again)
	js := b.credit("js", "J1", "20001", "a JSON notice")
	js.Remark, js.PayerBank = b.name("a remark"), b.name("a payer's bank")
	b.push("js", js)
	b.push("ca", b.credit("ca", "C1", "", "a camt.054"))
}

// broken sends what is kept though it is not understood.
func (b *burrow) broken() {
	name := b.name("a broken G series message")
	gbk, err := bank.GB18030.Encode(`<?xml version="1.0" encoding="GBK"?><Root><Head><TransCode>G00001</TransCode></Head><Body><InName>` + name + `</InName><InAmount>` + name + `</InAmount>`)
	b.must(err)
	b.send(http.MethodPost, "/v1/banks/gs/messages", "application/octet-stream", gbk, http.StatusOK, http.StatusUnprocessableEntity, http.StatusBadRequest)
	for _, text := range []string{`{"amount": "%s"}`, `{"%s": 1, "%[1]s": 2}`, `{"notice_id": "x", "payer_name": "%s", "currency": "%[1]s"`} {
		b.send(http.MethodPost, "/v1/banks/js/messages", "application/json", fmt.Appendf(nil, text, b.name("a broken JSON message")), http.StatusUnprocessableEntity, http.StatusBadRequest)
	}
}

// statements come over HTTP and by command, in three formats and two charsets, with lines that cannot be read.
func (b *burrow) statements() {
	gs := []bank.Entry{b.credit("gs", "S2", "10001", "a statement in GBK"), b.credit("gs", "S3", "10001", "a broken line in GBK")}
	b.statement("gs", b.written(bank.WriteDelimited, "gs", gs, func(text string) string {
		lines := strings.SplitAfter(text, "\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "S3") })
		lines[i] = strings.Replace(lines[i], "800000.00", "八十万", 1)
		return strings.Join(lines, "")
	}, true))
	js := []bank.Entry{b.credit("js", "J3", "20001", "a statement in UTF-8"), b.nobodys}
	b.statement("js", b.written(bank.WriteCSV, "js", js, func(text string) string {
		return text + "J4," + string(burrowDay) + "," + b.name("a broken line in UTF-8") + "\n"
	}, false))
	b.sent++
	body, err := banksim.Notice(b.bank("ca"), b.sent, time.Now(), b.credit("ca", "C2", "", "a camt.053"))
	b.must(err)
	file := filepath.Join(b.t.TempDir(), "camt.xml")
	b.must(os.WriteFile(file, []byte(strings.NewReplacer("camt.054", "camt.053", "BkToCstmrDbtCdtNtfctn", "BkToCstmrStmt", "Ntfctn", "Stmt").Replace(string(body))), 0o600))
	b.does(b.t, []int{exitOK, exitMismatches, exitUsage}, "import", "statement", "--bank", "ca", file)
	b.spooled()
}

func (b *burrow) written(write func(io.Writer, bank.Statement, []bank.Entry) error, code string, entries []bank.Entry, spoil func(string) string, gbk bool) []byte {
	var file bytes.Buffer
	zero, sum := deposit.Fen(0), moved(entries)
	b.must(write(&file, bank.Statement{ParentAccount: b.bank(code).Parent(), Day: burrowDay, Currency: "CNY", Opening: &zero, Closing: &sum, Declared: bank.Undeclared, LastPage: true}, entries))
	text := file.String()
	if gbk {
		decoded, err := bank.GB18030.Decode(file.Bytes())
		b.must(err)
		text = decoded
	}
	text = spoil(text)
	if !gbk {
		return []byte(text)
	}
	encoded, err := bank.GB18030.Encode(text)
	b.must(err)
	return encoded
}

func (b *burrow) statement(code string, body []byte) {
	b.send(http.MethodPost, "/v1/banks/"+code+"/statements?name=day.txt", "application/octet-stream", body, http.StatusCreated, http.StatusOK)
}

// overwritten is the door of what another fact has taken the place of.
const overwritten = "a bid that is changed later"

// notStored is the door of a file that is broken off: it lay in a temporary file only.
const notStored = "a file that never came to its end"

// spooled sends half of a file, looks at what lies of it on the disk, and gives it up.
func (b *burrow) spooled() {
	half := []byte(strings.Repeat(b.name(notStored)+"\n", 20000))
	in, out := io.Pipe()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.address+"/v1/banks/js/statements", in)
	b.must(err)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if response, err := b.client.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	_, err = out.Write(half)
	b.must(err)
	held := b.unnamed()
	for until := time.Now().Add(10 * time.Second); len(held) < len(half)/2 && time.Now().Before(until); held = b.unnamed() {
		time.Sleep(5 * time.Millisecond)
	}
	if len(held) < len(half)/2 {
		b.t.Errorf("only %d bytes of %d lie in temporary files: the test shows nothing", len(held), len(half))
	}
	for _, hit := range b.found("temporary file", held) {
		b.t.Error(hit)
	}
	_ = out.CloseWithError(io.ErrUnexpectedEOF)
	<-gone
}

// unnamed is what stands in files that a process of ours holds open and that have lost their names.
func (b *burrow) unnamed() (all []byte) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, b.temp) && strings.HasSuffix(to, "(deleted)") {
			body, _ := os.ReadFile(link)
			all = append(all, body...)
		}
	}
	return all
}

// refunds gives money back that was nobody's, and enters another payee for it.
func (b *burrow) refunds() {
	order := map[string]any{"department": "综合科", "reference": "R-1", "note": b.name("a refund list's note"), "lines": []any{map[string]any{"bank": "js", "booking_date": string(burrowDay), "bank_serial": "J2", "payee_bank": b.name("a refund list"), "payee_bank_code": "402471000009"}}}
	b.tell(http.MethodPost, "/v1/refund-lists", order, http.StatusCreated)
	credit, err := strconv.ParseInt(sqldbtest.Strings(b.t, b.url, "SELECT entry_id FROM refunds")[0], 10, 64)
	b.must(err)
	b.tell(http.MethodPost, "/v1/payee-changes", map[string]any{"credit": sqldb.ID(credit), "payee_name": b.name("a payee's change"), "payee_account": b.account("a payee's change"),
		"evidence": b.name("the evidence of a change")}, http.StatusCreated)
	b.tell(http.MethodPost, "/v1/refund-dispositions", map[string]any{"credit": sqldb.ID(credit), "kind": "HELD", "document": "1号", "reason": b.name("why money is held")}, http.StatusCreated)
}

// persons write names into what they say of an opening, of a bidder's question and of an incident.
func (b *burrow) persons() {
	b.tell(http.MethodPut, "/v1/lots/LC-4", map[string]any{"department": "建设工程科", "deposit": "800000.00", "opening_at": "2026-06-15T09:00:00+08:00"}, http.StatusCreated)
	b.tell(http.MethodPost, "/v1/lots/LC-4/opening", map[string]any{"reason": b.name("a word on an opening")}, http.StatusCreated)
	b.tell(http.MethodPost, "/v1/enquiries", map[string]any{"bank": "gs", "sub_account": "10001", "amount": "800000.00", "booking_date": string(burrowDay), "bank_serial": "S1",
		"payer_name": b.name("a bidder's question"), "reason": b.name("why it is asked")}, http.StatusCreated)
	var opened struct{ ID string }
	b.must(json.Unmarshal(b.tell(http.MethodPost, "/v1/incidents", map[string]any{"as": "leading_group", "scenario": "4.6.2", "title": b.name("an incident's title"), "detail": b.name("an incident's detail")},
		http.StatusCreated), &opened))
	incident := "/v1/incidents/" + opened.ID
	b.tell(http.MethodPost, incident+"/notes", map[string]any{"as": "leading_group", "text": b.name("an incident's note")}, http.StatusOK, http.StatusCreated)
	b.tell(http.MethodPost, incident+"/actions", map[string]any{"as": "leading_group", "text": b.name("an incident's action"), "owner": "信息技术科", "due_on": "2026-07-01"}, http.StatusOK, http.StatusCreated)
	b.tell(http.MethodPost, incident+"/evidence", map[string]any{"as": "leading_group", "text": b.name("an incident's evidence")}, http.StatusOK, http.StatusCreated)
}
