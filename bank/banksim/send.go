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
	waiting := s.outbox
	s.outbox = nil
	for i, n := range waiting {
		switch day := n.entry.BookingDate; {
		case n.held:
			s.outbox = append(s.outbox, n)
			continue
		case s.caps[day] > 0 && s.pushed[day] >= s.caps[day]:
			continue
		}
		for range n.copies {
			if err := s.push(ctx, send, n.entry); err != nil {
				s.outbox = append(s.outbox, waiting[i:]...)
				return messages, err
			}
			messages++
		}
		s.pushed[n.entry.BookingDate]++
	}
	return messages, nil
}

// push sends one entry as one message.
func (s *Sim) push(ctx context.Context, send Send, e bank.Entry) error {
	s.sent++
	at := s.now()
	body, err := Notice(s.bank, s.sent, at, e)
	if err != nil {
		return err
	}
	answer, err := send(ctx, fmt.Sprintf("msg_%s_%d_%x", s.bank.Code, s.sent, s.rand.Uint64()), at, body)
	if err != nil {
		return fmt.Errorf("push %s of %s: %w", e.Serial, s.bank.Code, err)
	}
	if s.bank.Adapter.Name == "gseries" && !bytes.Contains(answer, []byte("<Result>00<")) && !bytes.Contains(answer, []byte("<Result>01<")) {
		text, _ := bank.GB18030.Decode(answer)
		return fmt.Errorf("push %s of %s: the service answers %s", e.Serial, s.bank.Code, text)
	}
	return nil
}

// Statement renders the end-of-day file of a parent account in the bank's dialect, with the file's faults.
func (s *Sim) Statement(parent string, day deposit.Day) ([]byte, error) {
	b, entries := s.book(parent), s.Entries(parent, day)
	opening, closing := s.Balances(parent, day)
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
	s.sent++
	_, err = post(ctx, client, address, key, fmt.Sprintf("file_%s_%d_%x", s.bank.Code, s.sent, s.rand.Uint64()), s.now(), file)
	if err != nil {
		return fmt.Errorf("deliver the statement %s: %w", name, err)
	}
	return nil
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
