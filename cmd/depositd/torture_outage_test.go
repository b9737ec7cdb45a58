//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// A wire stands between the service and the database server, and can be cut.
type wire struct {
	listener net.Listener
	server   string
	mu       sync.Mutex
	open     map[net.Conn]bool
	refuses  atomic.Bool  // no connection is taken, and those that stand are cut
	silent   atomic.Bool  // nothing is passed on, in either direction
	swallow  atomic.Int64 // how many answers to COMMIT are still to be lost
	drop     atomic.Int64 // how many COMMITs are still to be lost on their way to the server
	lost     atomic.Int64 // how many were, of either
}

func newWire(t *testing.T, server string) *wire {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, server: server, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(client)
		}
	}()
	return w
}

// cut breaks every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

func (w *wire) carry(client net.Conn) {
	if w.refuses.Load() {
		_ = client.Close()
		return
	}
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mu.Lock()
	w.open[client], w.open[server] = true, true
	w.mu.Unlock()
	var deaf atomic.Bool // the answer to a COMMIT is to be lost
	go w.pass(client, server, func(b []byte) {
		const query = 3 // COM_QUERY
		if len(b) < 5 || b[4] != query || !bytes.HasPrefix(b[5:], []byte("COMMIT")) {
			return
		}
		switch {
		case w.swallow.Add(-1) >= 0:
			deaf.Store(true)
		case w.drop.Add(-1) >= 0:
			w.lost.Add(1)
			_ = server.Close()
			_ = client.Close()
		}
	})
	w.pass(server, client, func([]byte) {
		if deaf.Load() {
			w.lost.Add(1)
			_ = client.Close() // the server has done it, and nobody will hear
		}
	})
}

// pass carries bytes one way until an end is closed, and then closes the other.
func (w *wire) pass(from, to net.Conn, look func([]byte)) {
	defer func() { _ = from.Close(); _ = to.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		for w.silent.Load() && err == nil {
			time.Sleep(5 * time.Millisecond)
		}
		look(buffer[:n])
		if _, wrote := to.Write(buffer[:n]); err != nil || wrote != nil {
			return
		}
	}
}

// TestTortureOutage: the database server loses answers to COMMIT, refuses, or is silent. While it lasts the service says 503
// and when to come again; soon after it is healthy again, each notice stands there once, and nothing has piled up.
func TestTortureOutage(t *testing.T) {
	if os.Getenv("TEST_MYSQL_URL") == "" {
		t.Skip("needs a database server: TEST_MYSQL_URL")
	}
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		if sqldb.File(url) != "" {
			return // a file has no wire
		}
		w, through := wireTo(t, url)
		s := startService(t, settingsFor(t, through, nil))
		var banks tellers
		banks.address.Store(s.says(`listening on ([0-9.:]+)`))
		banks.start(4)
		for banks.acked.Load() < 20 {
			time.Sleep(time.Millisecond)
		}
		before := runtime.NumGoroutine()
		for name, mode := range map[string]*atomic.Int64{"answers to COMMIT are lost": &w.swallow, "COMMITs are lost": &w.drop} {
			t.Run(name, func(t *testing.T) {
				w.lose(t, mode, tortured(10, 300))
				banks.recover(t)
			})
		}
		lasts := time.Duration(tortured(3, 60)) * time.Second
		t.Run("refused", func(t *testing.T) {
			w.refuses.Store(true)
			w.cut()
			banks.away(t, lasts)
			w.refuses.Store(false)
			banks.recover(t)
		})
		t.Run("silent", func(t *testing.T) {
			w.silent.Store(true)
			banks.away(t, lasts)
			w.silent.Store(false)
			banks.recover(t)
		})
		for until := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before+20 && time.Now().Before(until); {
			time.Sleep(50 * time.Millisecond)
		}
		if after := runtime.NumGoroutine(); after > before+20 {
			t.Errorf("%d goroutines before, %d after", before, after)
		}
		close(banks.stop)
		banks.running.Wait()
		s.ends()
		if wrong := missing(t, url, banks.serials); len(wrong) > 0 {
			t.Errorf("%d: %q", len(wrong), some(wrong))
		}
		for what, query := range halves {
			if rows := sqldbtest.Strings(t, url, query); len(rows) > 0 {
				t.Errorf("%s: %d", what, len(rows))
			}
		}
		t.Logf("%d answers lost, %d notices acknowledged", w.lost.Load(), len(banks.serials))
	})
}

// wireTo gives a wire to the server of a database, and the database's address through it.
func wireTo(t *testing.T, url string) (w *wire, through string) {
	t.Helper()
	account, place, _ := strings.Cut(url, "@")
	host, name, _ := strings.Cut(place, "/")
	w = newWire(t, host)
	return w, account + "@" + w.listener.Addr().String() + "/" + name
}

// lose loses so many COMMITs or their answers, and waits until they are lost.
func (w *wire) lose(t *testing.T, mode *atomic.Int64, n int) {
	t.Helper()
	before := w.lost.Load()
	mode.Store(int64(n))
	for until := time.Now().Add(time.Minute); mode.Load() > 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if w.lost.Load() == before {
		t.Error("nothing was lost: the test shows nothing")
	}
}

// TestOutageIsNoticed: a program that takes every COMMIT for done is found out.
func TestOutageIsNoticed(t *testing.T) {
	if os.Getenv("TEST_MYSQL_URL") == "" {
		t.Skip("needs a database server: TEST_MYSQL_URL")
	}
	file := build(t, "nomsgpack,seeded")
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		if sqldb.File(url) != "" {
			return
		}
		w, through := wireTo(t, url)
		cmd, address := on(t, file, through, "commit_errors_ignored").serve(t)
		var banks tellers
		banks.address.Store(address)
		banks.start(4)
		w.lose(t, &w.drop, 5)
		close(banks.stop)
		banks.running.Wait()
		kill(cmd)
		if len(missing(t, url, banks.serials)) == 0 {
			t.Error("the harness does not notice")
		}
	})
}

// away asks for as long as the outage lasts: what is answered is 503 with Retry-After.
func (b *tellers) away(t *testing.T, lasts time.Duration) {
	t.Helper()
	told := 0
	client := http.Client{Timeout: 30 * time.Second}
	for until := time.Now().Add(lasts); time.Now().Before(until) || told == 0; {
		answer, err := client.Post("http://"+b.address.Load().(string)+"/v1/banks/ccb/messages", "application/xml", strings.NewReader(noticeOf("OUT")))
		if err != nil {
			t.Error("during the outage:", err)
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
			t.Errorf("during the outage: %d, Retry-After %q", answer.StatusCode, answer.Header.Get("Retry-After"))
		}
		told++
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("503 %d times", told)
}

// recover wants notices to be acknowledged again within ten seconds.
func (b *tellers) recover(t *testing.T) {
	t.Helper()
	before, began := b.acked.Load(), time.Now()
	for b.acked.Load() < before+8 {
		if time.Since(began) > 10*time.Second {
			t.Error("not healthy ten seconds after the outage")
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("healthy after %v", time.Since(began).Round(time.Millisecond))
}
