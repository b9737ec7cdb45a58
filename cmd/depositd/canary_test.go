//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// canaries are names and account numbers that stand nowhere but in what one of the doors took: if one is found anywhere, it is
// known by which door it came.
type canaries struct {
	doors []string
	texts []string
}

// The words that names are made of are rare enough to be nobody's; GBK has them.
var rareWords = strings.Split("鼋鼍 麒麟 貔貅 饕餮 螭吻 狻猊 獬豸 犼狴 蚣蝮 嘲风 睚眦 赑屃 鸑鷟 鹓鶵 鬿雀 魍魉 魑魅 夔魖 猰貐 螣蛟", " ")

func (c *canaries) add(door, text string) string {
	c.doors, c.texts = append(c.doors, door), append(c.texts, text)
	return text
}

// name and account make one more canary, which came by a door.
func (c *canaries) name(door string) string {
	n := len(c.texts)
	return c.add(door, rareWords[n%len(rareWords)]+rareWords[(n*7+3)%len(rareWords)]+fmt.Sprint(100+n)) + "有限公司"
}

func (c *canaries) account(door string) string {
	return c.add(door, fmt.Sprintf("6217%015d", 777000111222333+int64(len(c.texts))*1000003))
}

// found lists where a text holds canaries, in any of the spellings in which they might lie on a disk.
func (c *canaries) found(where string, held []byte) (hits []string) {
	folded := bytes.ToLower(held) // for hex
	for i, canary := range c.texts {
		for spelling, form := range spellings(canary) {
			in := held
			if strings.HasPrefix(spelling, "hex") {
				in = folded
			}
			if bytes.Contains(in, form) {
				hits = append(hits, fmt.Sprintf("%s: %s by %s, in %s", where, canary, c.doors[i], spelling))
			}
		}
	}
	return hits
}

func spellings(canary string) map[string][]byte {
	gbk, _ := bank.GB18030.Encode(canary)
	little, big := []byte{}, []byte{}
	for _, unit := range utf16.Encode([]rune(canary)) {
		little, big = binary.LittleEndian.AppendUint16(little, unit), binary.BigEndian.AppendUint16(big, unit)
	}
	escaped := ""
	for _, r := range canary {
		escaped += fmt.Sprintf(`\u%04x`, r)
	}
	all := map[string][]byte{"UTF-8": []byte(canary), "GBK": gbk, "UTF-16LE": little, "UTF-16BE": big, "JSON": []byte(escaped)}
	for _, charset := range []string{"UTF-8", "GBK", "UTF-16LE", "UTF-16BE"} {
		raw := all[charset]
		all["hex of "+charset] = []byte(hex.EncodeToString(raw))
		for offset := range 3 {
			text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), raw...))
			from, to := (offset*8+5)/6, (offset+len(raw))*8/6 // the letters that no neighbour has a bit of
			all[fmt.Sprintf("base64 of %s at %d", charset, offset)] = []byte(text[from:to])
		}
	}
	return all
}

// TestSpellings: each spelling is found in what has it, whatever stands before it.
func TestSpellings(t *testing.T) {
	var c canaries
	name := c.name("a door")
	for spelling, form := range spellings(c.texts[0]) {
		if len(form) < 8 || len(c.found("here", append([]byte("xy"), form...))) == 0 {
			t.Errorf("%s: %q is not found", spelling, form)
		}
	}
	for offset := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("z", offset) + "一家" + name))
		if len(c.found("here", []byte(text))) == 0 {
			t.Errorf("base64 behind %d letters is not found", offset)
		}
	}
}

// A burrow is the service with every place that it could leave something in.
type burrow struct {
	*process
	canaries
	t                 *testing.T
	url, folder, temp string
	client            *http.Client
	log               *os.File
	address           string
	sent              int
	nobodys           bank.Entry // a credit on a number of nobody's
}

const burrowBanks = `banks:
  - {code: gs, adapter: gseries, statement: delimited, payout: gseries, parent_accounts: ["3705018860000000123"], notices: single, seal: {scheme: none}}
  - {code: js, adapter: jsonpush, statement: csv, payout: delimited, parent_accounts: ["1611000000000000456"], notices: aggregate, seal: {scheme: none}}
  - {code: ca, adapter: camt, statement: camt, parent_accounts: ["1611000000000000789"], notices: aggregate, seal: {scheme: none}}
`

// TestCanary puts names and accounts in through every door before the opening of their lots, and looks for them in everything
// that lies on a disk: the database with its log, what the process wrote, its temporary files.
func TestCanary(t *testing.T) {
	sqldbtest.Unwatched(t)
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		b := dig(t, url, "")
		b.fill()
		if hits := b.hits(); len(hits) > 0 {
			t.Errorf("%d hits:\n%s", len(hits), strings.Join(hits, "\n"))
		}
		b.arrived()
	})
}

// TestCanaryIsNoticed: with sealing switched off every canary is found that came to the database.
func TestCanaryIsNoticed(t *testing.T) {
	sqldbtest.Unwatched(t)
	b := dig(t, sqldb.FileURL(filepath.Join(t.TempDir(), "deposit.db")), "sealing_off")
	b.fill()
	hits := strings.Join(b.hits(), "\n")
	for i, canary := range b.texts {
		if !strings.Contains(hits, canary) && b.doors[i] != notStored && b.doors[i] != overwritten {
			t.Errorf("%s, which came by %s, is not found", canary, b.doors[i])
		}
	}
}

// dig starts the service in a process of its own.
func dig(t *testing.T, url, bug string) *burrow {
	t.Helper()
	b := &burrow{t: t, url: url, folder: t.TempDir(), temp: t.TempDir()}
	banks := filepath.Join(b.folder, "banks.yaml")
	b.must(os.WriteFile(banks, []byte(burrowBanks), 0o600))
	b.process = &process{file: build(t, "nomsgpack,seeded"), env: []string{"USER=tester", sqldb.SeededBug + "=" + bug, "TMPDIR=" + b.temp, "DEPOSITD_DB=" + url, "DEPOSITD_BANKS=" + banks,
		"DEPOSITD_MASTER_KEY_FILE=" + sqldbtest.MasterFile(t), "DEPOSITD_SECRET_KEY_FILE=" + filepath.Join(b.folder, "secret.key"), "DEPOSITD_LISTEN=127.0.0.1:0", "DEPOSITD_METRICS_LISTEN=127.0.0.1:0", "DEPOSITD_NIGHTLY_AT=@every 87600h"}}
	b.does(t, []int{exitOK}, "migrate")
	db, err := sqldb.Open(t.Context(), url)
	b.must(err)
	t.Cleanup(func() { _ = db.Close() })
	sqldbtest.Unlock(t, db)
	b.client = visit(t, db)
	b.log, err = os.Create(filepath.Join(b.folder, "log"))
	b.must(err)
	cmd := b.start(t, b.log, "serve")
	t.Cleanup(func() { kill(cmd) })
	for until := time.Now().Add(time.Minute); b.address == ""; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(b.log.Name())
		b.must(err)
		if said := listening.FindSubmatch(text); said != nil {
			b.address = "http://" + string(said[1])
		} else if time.Now().After(until) {
			t.Fatalf("the service does not listen: %s", text)
		}
	}
	return b
}

func (b *burrow) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// send makes one request and wants one of the statuses.
func (b *burrow) send(method, path, kind string, body []byte, statuses ...int) []byte {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.address+path, bytes.NewReader(body))
	b.must(err)
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Idempotency-Key", "canary-"+sqldb.NewID().String())
	response, err := b.client.Do(request)
	b.must(err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	b.must(err)
	if !slices.Contains(statuses, response.StatusCode) {
		b.t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, answer)
	}
	return answer
}

func (b *burrow) tell(method, path string, body map[string]any, statuses ...int) []byte {
	b.t.Helper()
	text, err := json.Marshal(body)
	b.must(err)
	return b.send(method, path, "application/json", text, statuses...)
}

// push lets a bank tell of credits in its dialect.
func (b *burrow) push(code string, credits ...bank.Entry) {
	b.t.Helper()
	b.sent++
	body, err := banksim.Notice(b.bank(code), b.sent, time.Now(), credits...)
	b.must(err)
	b.send(http.MethodPost, "/v1/banks/"+code+"/messages", "application/octet-stream", body, http.StatusOK, http.StatusCreated)
}

func (b *burrow) bank(code string) *bank.Bank {
	b.t.Helper()
	set, err := bank.ParseSet([]byte(burrowBanks), nil)
	b.must(err)
	found, err := set.Bank(code)
	b.must(err)
	return found
}

const burrowDay = deposit.Day("2026-06-15")

// credit is one that came by a door.
func (b *burrow) credit(code, serial, number, door string) bank.Entry {
	at := burrowDay.Start().Add(9 * time.Hour)
	return bank.Entry{Bank: code, ParentAccount: b.bank(code).Parent(), BookingDate: burrowDay, Serial: serial, Direction: bank.Credit, SubAccount: number, Amount: 80000000, BookedAt: at,
		PayerName: b.name(door), PayerAccount: b.account(door), Remark: "投标保证金"}
}

// hits looks through all that could be copied or stolen.
func (b *burrow) hits() (all []string) {
	all = b.found("a dump", sqldbtest.Dump(b.t, b.url))
	files := []string{b.log.Name()}
	if file := sqldb.File(b.url); file != "" {
		files = append(files, file, file+"-wal", file+"-shm")
	}
	left, err := filepath.Glob(filepath.Join(b.temp, "*"))
	b.must(err)
	for _, file := range append(append(files, left...), serverFiles(b.t, b.url)...) {
		body, err := os.ReadFile(file)
		b.must(err)
		all = append(all, b.found(filepath.Base(file), body)...)
	}
	return all
}

// serverFiles are those of a database server whose data folder TEST_MYSQL_DATA names: the database's own, and those that it shares
// with others, among them the redo log, the undo logs and the logs of statements.
func serverFiles(t *testing.T, url string) []string {
	t.Helper()
	folder := os.Getenv("TEST_MYSQL_DATA")
	if folder == "" || sqldb.File(url) != "" {
		return nil
	}
	var all []string
	for _, files := range []string{filepath.Join(folder, "*"), filepath.Join(folder, path.Base(url), "*")} {
		found, err := filepath.Glob(files)
		if err != nil || len(found) == 0 {
			t.Fatalf("no files %s: %v", files, err)
		}
		for _, file := range found {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				all = append(all, file)
			}
		}
	}
	return all
}

// arrived holds the test to have put in what it looks for: with the keys nearly all of it is there to be read.
func (b *burrow) arrived() {
	b.t.Helper()
	state := sqldbtest.State(b.t, b.url) // with the bodies of messages as hashes
	for i, canary := range b.texts {
		if door := b.doors[i]; !strings.Contains(state, canary) && !strings.Contains(door, "broken G") && !strings.Contains(door, "broken JSON") && door != notStored && door != overwritten {
			b.t.Errorf("%s, which came by %s, is not in the database", canary, door)
		}
	}
}
