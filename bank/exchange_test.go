package bank

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"depositd/platform/deposit"
)

// lineTo is a line to an address, with a minute's patience.
func lineTo(t *testing.T, address string) *Line {
	t.Helper()
	b := *callBank
	b.Reach = Reach{URL: address, Timeout: time.Minute}
	line, err := NewLine(&b, func() time.Time { return callHead.At }, func() string { return callHead.Serial })
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// exchanged is what came of one exchange: the answer, or the error's code and what is known of the effect.
func exchanged(ctx context.Context, line *Line, raw string) string {
	answer, err := line.Exchange(ctx, []byte(raw))
	if err != nil {
		return deposit.AsRefusal(err).Code + " " + string(CallOutcomeOf(err))
	}
	return string(answer)
}

// rawPeer takes one connection, reads a frame of it, and answers with bytes as they are.
func rawPeer(t *testing.T, answer string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if _, err := ReadFrame(bufio.NewReader(conn), maxFrame); err == nil {
			_, _ = io.WriteString(conn, answer)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "tcp://" + listener.Addr().String()
}

func TestExchangeOverTCP(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	for _, c := range []struct{ answer, want string }{
		{"000005hello", "hello"},
		{"5     hello", "hello"},
		{"000005hello and more", "hello"},
		{"000009hello", "bank_no_answer UNKNOWN"},
		{"0000", "bank_no_answer UNKNOWN"},
		{"", "bank_no_answer UNKNOWN"},
		{"HTTP/1.1 400 Bad Request", "bank_answer_unreadable UNKNOWN"},
		{"000000", "bank_answer_unreadable UNKNOWN"},
	} {
		if got := exchanged(t.Context(), lineTo(t, rawPeer(t, c.answer)), "question"); got != c.want {
			t.Errorf("%q is %s, want %s", c.answer, got, c.want)
		}
	}
}

func TestExchangeOverHTTP(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a message went elsewhere") }))
	defer elsewhere.Close()
	answer := func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/bank":
			_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("Content-Type")+" "+string(asked))
		case "/moved":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/gateway":
			http.Error(w, "<html>", http.StatusBadGateway)
		case "/empty":
		case "/endless":
			_, _ = io.WriteString(w, strings.Repeat("x", maxAnswer+1))
		case "/most":
			_, _ = io.WriteString(w, strings.Repeat("x", maxAnswer))
		}
	}
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	for path, want := range map[string]string{
		"/bank":    "POST text/xml; charset=GBK question",
		"/moved":   "bank_answer_unreadable UNKNOWN",
		"/gateway": "bank_answer_unreadable UNKNOWN",
		"/empty":   "", // the dialect says what is missing
		"/endless": "bank_answer_unreadable UNKNOWN",
		"/most":    strings.Repeat("x", maxAnswer),
	} {
		if got := exchanged(t.Context(), lineTo(t, server.URL+path), "question"); got != want {
			t.Errorf("%s is %.60q, want %.60q", path, got, want)
		}
	}
	if call, err := lineTo(t, server.URL+"/empty").TestLink(t.Context()); call.Outcome != CallUnknown || deposit.AsRefusal(err).Code != "bank_answer_unreadable" {
		t.Errorf("an empty answer: %+v, %v", call, err)
	}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(answer)) // whose certificate nobody knows
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	defer secure.Close()
	if got := exchanged(t.Context(), lineTo(t, secure.URL+"/bank"), "question"); got != "bank_unreachable UNSENT" {
		t.Errorf("a bank that cannot prove itself: %s", got)
	}
}

// TestExchangeSendsNothing: what no frame can hold, and what comes too late.
func TestExchangeSendsNothing(t *testing.T) {
	line := lineTo(t, "tcp://127.0.0.1:1")
	for raw, want := range map[string]string{"": "frame_empty UNSENT", strings.Repeat("x", maxFrame+1): "frame_too_long UNSENT", "x": "bank_unreachable UNSENT"} {
		if got := exchanged(t.Context(), line, raw); got != want {
			t.Errorf("%.10q is %s, want %s", raw, got, want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, address := range []string{"tcp://127.0.0.1:1", "http://127.0.0.1:1/"} {
		if got := exchanged(gone, lineTo(t, address), "x"); got != "bank_unreachable UNSENT" {
			t.Errorf("%s after the end: %s", address, got)
		}
	}
}

// TestNoLine: a bank that is only listened to, and a question that a dialect does not have.
func TestNoLine(t *testing.T) {
	_, err := NewLine(&Bank{Code: "a", Adapter: gseries}, nil, nil)
	refused(t, err, "call_not_configured", "银行 a")
	for _, calls := range []*Calls{nil, {}} { // a dialect without questions may be paid over the line
		b := &Bank{Code: "a", Adapter: &Adapter{Name: "toy", Calls: calls}, Reach: Reach{URL: "tcp://127.0.0.1:1"}}
		line, err := NewLine(b, func() time.Time { return callHead.At }, nil)
		if err != nil || line.Bank() != b {
			t.Fatal(err)
		}
		call, err := line.TestLink(t.Context())
		refused(t, err, "call_unsupported", "toy")
		if call.Outcome != CallUnsent || call.Result != "call_unsupported" {
			t.Errorf("%+v", call)
		}
	}
}
