package banksim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// Send carries one message to the service, under the sender's id and time, and gives what the service answered.
type Send func(ctx context.Context, id string, at time.Time, body []byte) (answer []byte, err error)

// OverHTTP posts messages to a service at base ("http://127.0.0.1:8080"), signed with the key unless it is nil.
func (s *Sim) OverHTTP(client *http.Client, base string, key []byte) Send {
	address := base + "/v1/banks/" + url.PathEscape(s.bank.Code) + "/messages"
	return func(ctx context.Context, id string, at time.Time, body []byte) ([]byte, error) {
		return post(ctx, client, address, key, id, at, body)
	}
}

// OverTCP sends messages behind their length, one connection each.
func OverTCP(address string) Send {
	return func(ctx context.Context, _ string, _ time.Time, body []byte) ([]byte, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		defer func() { _ = conn.Close() }()
		if err := bank.WriteFrame(conn, body); err != nil {
			return nil, err
		}
		return bank.ReadFrame(bufio.NewReader(conn), bank.MaxMessage)
	}
}

// Deliver pushes what waits in the outbox, in the order of booking, and says how many messages it sent. What the service does not
// take stays in the outbox, with all that follows, and is sent again by the next Deliver.
func (s *Sim) Deliver(ctx context.Context, send Send) (messages int, err error) {
	waiting := s.waiting()
	for i, n := range waiting {
		if !s.due(n) {
			continue
		}
		for range n.copies {
			if err := s.push(ctx, send, n.entry); err != nil {
				s.putBack(waiting[i:]...)
				return messages, err
			}
			messages++
		}
		s.count(n)
	}
	return messages, nil
}

// waiting empties the outbox.
func (s *Sim) waiting() []notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.outbox
	s.outbox = nil
	return waiting
}

func (s *Sim) putBack(rest ...notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox = append(s.outbox, rest...)
}

// due says whether a notice goes now: one that is held goes back, one beyond the day's cap is dropped.
func (s *Sim) due(n notice) bool {
	if n.held {
		s.putBack(n)
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	day := n.entry.BookingDate
	return s.caps[day] == 0 || s.pushed[day] < s.caps[day]
}

func (s *Sim) count(n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushed[n.entry.BookingDate]++
}

// push sends one entry as one message.
func (s *Sim) push(ctx context.Context, send Send, e bank.Entry) error {
	id, at, body, err := s.message(e)
	if err != nil {
		return err
	}
	answer, err := send(ctx, id, at, body)
	if err != nil {
		return fmt.Errorf("push %s of %s: %w", e.Serial, s.bank.Code, err)
	}
	if s.bank.Adapter.Name == "gseries" && !bytes.Contains(answer, []byte("<Result>00<")) && !bytes.Contains(answer, []byte("<Result>01<")) {
		text, _ := bank.GB18030.Decode(answer)
		return fmt.Errorf("push %s of %s: the service answers %s", e.Serial, s.bank.Code, text)
	}
	return nil
}

// message renders the notice of an entry under the next number.
func (s *Sim) message(e bank.Entry) (id string, at time.Time, body []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	at = s.now()
	if body, err = Notice(s.bank, s.sent, at, e); err != nil {
		return "", at, nil, err
	}
	return fmt.Sprintf("msg_%s_%d_%x", s.bank.Code, s.sent, s.rand.Uint64()), at, body, nil
}

// Statement renders the end-of-day file of a parent account in the bank's dialect, with the file's faults.
func (s *Sim) Statement(parent string, day deposit.Day) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, entries := s.book(parent), s.entries(parent, day)
	opening, closing := s.balances(parent, day)
	closing += b.altered[day]
	if parent == "" {
		parent = s.bank.Parent()
	}
	said := bank.Statement{ParentAccount: parent, Day: day, Currency: "CNY", Opening: &opening, Closing: &closing, Declared: bank.DeclaredBy(entries), LastPage: true}
	file := &bytes.Buffer{}
	var err error
	switch name := s.bank.StatementAdapter.Name; name {
	case "delimited":
		err = bank.WriteDelimited(file, said, entries)
	case "fixed":
		err = bank.WriteFixed(file, said, entries)
	case "csv":
		err = bank.WriteCSV(file, said, entries)
	case "camt":
		doc := newCamt("camt.053", "S"+parent+"-"+string(day), s.now())
		doc.report(said, entries)
		_, err = file.Write(doc.end())
	default:
		err = deposit.Refuse(deposit.Invalid, "statement_unwritable", "报文格式 ", name, " 没有对账单")
	}
	if b.cutOff[day] {
		file.Truncate(file.Len() * 9 / 10)
	}
	return file.Bytes(), err
}

// SendStatement delivers the end-of-day file of a parent account over HTTP, sealed as messages are.
func (s *Sim) SendStatement(ctx context.Context, client *http.Client, base string, key []byte, parent string, day deposit.Day) error {
	file, err := s.Statement(parent, day)
	if err != nil {
		return err
	}
	name := s.bank.Code + "-" + string(day)
	address := base + "/v1/banks/" + url.PathEscape(s.bank.Code) + "/statements?name=" + url.QueryEscape(name)
	id, at := s.fileID()
	_, err = post(ctx, client, address, key, id, at, file)
	if err != nil {
		return fmt.Errorf("deliver the statement %s: %w", name, err)
	}
	return nil
}

func (s *Sim) fileID() (id string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	return fmt.Sprintf("file_%s_%d_%x", s.bank.Code, s.sent, s.rand.Uint64()), s.now()
}

// post sends bytes, signed where there is a key. Every answer but a success is an error that holds the answer.
func post(ctx context.Context, client *http.Client, address string, key []byte, id string, at time.Time, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	if key != nil {
		request.Header.Set("webhook-id", id)
		request.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		request.Header.Set("webhook-signature", bank.SignWebhook(key, id, at, body))
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return answer, fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, nil
}
