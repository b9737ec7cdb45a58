package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/platform/deposit"
)

// farBank is a bank as a scenario plays it: its books, and what of them it has told. Its dialects are written by package
// banksim and by the adapters' own writers; its serials and its faults are the steps'.
type farBank struct {
	*bank.Bank
	key     []byte // nil: it does not sign
	booked  []*booked
	closing map[string]deposit.Fen // of each parent account, as its last statement said
	sent    int                    // messages and files
}

// booked is an entry in the books.
type booked struct {
	bank.Entry
	told bool
}

func newFarBank(t *testing.T, b *bank.Bank, folder string) *farBank {
	t.Helper()
	far := &farBank{Bank: b, closing: map[string]deposit.Fen{}}
	for _, key := range b.Seal.Keys {
		file, err := os.ReadFile(filepath.Join(folder, key.File))
		if err != nil {
			t.Fatal(err)
		}
		if far.key, err = bank.ParseKey(file); err != nil {
			t.Fatal(err)
		}
	}
	return far
}

func (s *stage) bankNamed(code string) *farBank {
	i := slices.IndexFunc(s.banks, func(b *farBank) bool { return b.Code == code })
	if i < 0 {
		s.fail("there is no bank %q", code)
	}
	return s.banks[i]
}

// find is a booking by its serial, and whose it is.
func (s *stage) find(serial string) (*farBank, *booked) {
	for _, b := range s.banks {
		for _, e := range b.booked {
			if e.Serial == serial {
				return b, e
			}
		}
	}
	s.fail("nothing is booked as %q", serial)
	return nil, nil
}

func creditStep(s *stage, w *words) { s.book(w, bank.Credit, "by") }
func debitStep(s *stage, w *words)  { s.book(w, bank.Debit, "to") }

// book reads a booking and enters it; nobody is told yet.
func (s *stage) book(w *words, direction bank.Direction, with string) {
	b := s.banks[0]
	e := bank.Entry{Serial: w.next(), Direction: direction, Amount: w.yuan()}
	w.options(map[string]func(){
		with:       func() { e.PayerName = w.next() },
		"account":  func() { e.PayerAccount = w.next() },
		"at":       func() { e.BookedAt = w.time() },
		"number":   func() { e.SubAccount = w.next() },
		"bank":     func() { b = s.bankNamed(w.next()) },
		"parent":   func() { e.ParentAccount = w.next() },
		"day":      func() { e.BookingDate = w.day() },
		"remark":   func() { e.Remark = w.next() },
		"returned": func() { e.Returned, e.Remark = true, "退汇" },
	})
	e.Bank = b.Code
	if e.ParentAccount == "" {
		e.ParentAccount = b.ParentAccounts[0]
	}
	if e.BookingDate == "" {
		e.BookingDate = deposit.DayOf(e.BookedAt)
	}
	b.booked = append(b.booked, &booked{Entry: e})
}

func reverseStep(s *stage, w *words) {
	b, of := s.find(w.next())
	e := of.Entry
	w.want("as")
	e.Serial, e.Reversal, e.ReversalOf, e.Remark = w.next(), bank.Reverses, of.Serial, "冲正"
	w.want("at")
	e.BookedAt = w.time()
	e.BookingDate = deposit.DayOf(e.BookedAt)
	if e.Direction = bank.Debit; of.Direction == bank.Debit {
		e.Direction = bank.Credit
	}
	w.options(map[string]func(){"unnamed": func() { e.ReversalOf = "" }})
	b.booked = append(b.booked, &booked{Entry: e})
}

// pushStep lets the bank tell of one booking, rightly or wrongly.
func pushStep(s *stage, w *words) {
	b, e := s.find(w.next())
	says, copies, way := e.Entry, 1, ""
	w.options(map[string]func(){
		"twice":  func() { copies = 2 },
		"amount": func() { says.Amount = w.yuan() },
		"by":     func() { says.PayerName = w.next() },
		"number": func() { says.SubAccount = w.next() },
		"over":   func() { way = w.next() },
	})
	e.told = true
	for range copies {
		s.push(b, says, way)
	}
}

func pushAllStep(s *stage, _ *words) {
	for _, b := range s.banks {
		for _, e := range inBookingOrder(b.booked) {
			if !e.told && b.canTell(&e.Entry) {
				e.told = true
				s.push(b, e.Entry, "")
				s.wasTaken()
			}
		}
	}
}

func inBookingOrder(all []*booked) []*booked {
	return slices.SortedStableFunc(slices.Values(all), func(a, b *booked) int { return a.BookedAt.Compare(b.BookedAt) })
}

// canTell: the G series knows credits only.
func (b *farBank) canTell(e *bank.Entry) bool {
	return b.Notices != bank.None && (b.Adapter.Name != "gseries" || e.Direction == bank.Credit && e.Reversal == "")
}

func (s *stage) push(b *farBank, e bank.Entry, way string) {
	s.advance(e.BookedAt.Add(2 * time.Second))
	b.sent++
	body, err := banksim.Notice(b.Bank, b.sent, s.clock.now(), e)
	s.must(err)
	s.deliver(b, body, posting{way: way, id: fmt.Sprintf("msg_%s_%d", b.Code, b.sent), stamp: s.clock.now(), path: "messages"})
}

// posting is how a message or a file is sent.
type posting struct {
	way, id  string
	stamp    time.Time
	unsigned bool
	path     string
}

func (s *stage) deliver(b *farBank, body []byte, p posting) {
	if p.way == "tcp" {
		s.frame(body)
		return
	}
	header := map[string]string{}
	if b.key != nil && !p.unsigned {
		header = map[string]string{"webhook-id": p.id, "webhook-timestamp": strconv.FormatInt(p.stamp.Unix(), 10),
			"webhook-signature": bank.SignWebhook(b.key, p.id, p.stamp, body)}
	}
	s.send(http.MethodPost, "/v1/banks/"+b.Code+"/"+p.path, "application/octet-stream", body, header)
}

// frame sends a message over the leased line.
func (s *stage) frame(body []byte) {
	conn, err := new(net.Dialer).DialContext(s.t.Context(), "tcp", s.tcp)
	s.must(err)
	defer func() { _ = conn.Close() }()
	s.must(bank.WriteFrame(conn, body))
	reply, err := bank.ReadFrame(bufio.NewReader(conn), bank.MaxMessage)
	s.must(err)
	s.answer = answerOf("tcp", true, reply)
	s.settle()
}

func rawStep(s *stage, w *words) {
	b, body := s.banks[0], s.file(w.next())
	b.sent++
	p := posting{id: fmt.Sprintf("msg_raw_%d", b.sent), stamp: s.clock.now(), path: "messages"}
	w.options(map[string]func(){
		"bank":     func() { b = s.bankNamed(w.next()) },
		"over":     func() { p.way = w.next() },
		"id":       func() { p.id = w.next() },
		"stamp":    func() { p.stamp = w.time() },
		"unsigned": func() { p.unsigned = true },
	})
	s.deliver(b, body, p)
}

// statementStep lets the bank deliver a day's statement, made of its books and of what the step makes of them.
func statementStep(s *stage, w *words) {
	day := w.day()
	s.advance(day.Add(1).Start().Add(10 * time.Minute))
	b, parent, cut, declares, way := s.banks[0], "", false, -1, ""
	var opening, closing *deposit.Fen
	without, amounts := map[string]bool{}, map[string]deposit.Fen{}
	w.options(map[string]func(){
		"bank":     func() { b = s.bankNamed(w.next()) },
		"parent":   func() { parent = w.next() },
		"opening":  func() { opening = new(w.yuan()) },
		"closing":  func() { closing = new(w.yuan()) },
		"without":  func() { without[w.next()] = true },
		"amount":   func() { serial := w.next(); amounts[serial] = w.yuan() },
		"cut":      func() { cut = true },
		"declares": func() { declares = w.number() },
		"over":     func() { way = w.next() },
	})
	if parent == "" {
		parent = b.ParentAccounts[0]
	}
	if opening == nil {
		opening = new(b.closing[parent])
	}
	entries := b.on(parent, day, without, amounts)
	if closing == nil {
		closing = new(*opening + moved(entries))
	}
	said := bank.Statement{ParentAccount: parent, Day: day, Currency: "CNY", Opening: opening, Closing: closing, Declared: bank.DeclaredBy(entries), LastPage: true}
	if declares >= 0 {
		said.Declared.Credits = declares
	}
	body := s.written(b, said, entries)
	if cut {
		body = body[:len(body)*2/3]
	} else {
		b.closing[parent] = *closing
	}
	s.deliverStatement(b, b.Code+"-"+string(day)+".txt", body, way)
}

// on is a day of a parent account's book as a statement tells it.
func (b *farBank) on(parent string, day deposit.Day, without map[string]bool, amounts map[string]deposit.Fen) (entries []bank.Entry) {
	for _, one := range inBookingOrder(b.booked) {
		if one.ParentAccount != parent || one.BookingDate != day || without[one.Serial] {
			continue
		}
		e := one.Entry
		if other, there := amounts[e.Serial]; there {
			e.Amount = other
		}
		entries = append(entries, e)
	}
	return entries
}

func moved(entries []bank.Entry) deposit.Fen {
	d := bank.DeclaredBy(entries)
	return *d.CreditSum - *d.DebitSum
}

func (s *stage) written(b *farBank, said bank.Statement, entries []bank.Entry) []byte {
	var file bytes.Buffer
	switch name := b.StatementAdapter.Name; name {
	case "delimited":
		s.must(bank.WriteDelimited(&file, said, entries))
	case "fixed":
		s.must(bank.WriteFixed(&file, said, entries))
	case "csv":
		s.must(bank.WriteCSV(&file, said, entries))
	default:
		s.fail("no statement is written as %s", name)
	}
	return file.Bytes()
}

func deliverStep(s *stage, w *words) {
	name, b, way := w.next(), s.banks[0], ""
	w.options(map[string]func(){
		"bank": func() { b = s.bankNamed(w.next()) },
		"over": func() { way = w.next() },
	})
	s.deliverStatement(b, name, s.file(name), way)
}

// deliverStatement sends a file over HTTP, or hands it to the command.
func (s *stage) deliverStatement(b *farBank, name string, body []byte, way string) {
	b.sent++
	if way != "file" {
		s.deliver(b, body, posting{id: fmt.Sprintf("file_%s_%d", b.Code, b.sent), stamp: s.clock.now(), path: "statements?name=" + name})
		return
	}
	file := filepath.Join(s.t.TempDir(), name)
	s.must(os.WriteFile(file, body, 0o600))
	code, out := s.run("import", "statement", "--bank", b.Code, file)
	s.answer = answerOf(fmt.Sprintf("exit-%d", code), code == exitOK, []byte(out))
	s.settle()
}
