package bank

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

func TestReadFrame(t *testing.T) {
	for _, c := range []struct{ sent, want, code string }{
		{"000005hello", "hello", ""},
		{"5     hello", "hello", ""}, // "4177  <?xml" was seen
		{"     5hello", "hello", ""},
		{"  5   hello", "hello", ""},
		{"000006聊城", "聊城", ""}, // bytes, not characters
		{"000010" + strings.Repeat("x", 10), strings.Repeat("x", 10), ""},
		{"000011" + strings.Repeat("x", 11), "000011", "frame_too_long"},
		{"999999", "999999", "frame_too_long"},
		{"000000", "000000", "frame_empty"},
		{"      ", "      ", "frame_length_malformed"},
		{"1 0000", "1 0000", "frame_length_malformed"},
		{"+00005hello", "+00005", "frame_length_malformed"},
		{"-00005hello", "-00005", "frame_length_malformed"},
		{"0x0005hello", "0x0005", "frame_length_malformed"},
		{"5\t    hello", "5\t    ", "frame_length_malformed"},
		{"<?xml version", "<?xml ", "frame_length_malformed"},
		{"0000", "0000", "frame_truncated"},
		{"000005hel", "hel", "frame_truncated"},
		{"000005", "", "frame_truncated"},
	} {
		t.Run(c.sent, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.sent), iotest.OneByteReader(strings.NewReader(c.sent))} {
				got, err := ReadFrame(bufio.NewReader(r), 10)
				if string(got) != c.want {
					t.Errorf("got %q", got)
				}
				if c.code == "" && err != nil {
					t.Error(err)
				}
				if c.code != "" {
					refused(t, err, c.code, "")
				}
			}
		})
	}
	if _, err := ReadFrame(bufio.NewReader(strings.NewReader("")), 10); err != io.EOF {
		t.Errorf("the end of the stream is %v", err)
	}
	if _, err := ReadFrame(bufio.NewReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("000005hello")))), 10); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a timeout is %v", err)
	}
}

// TestReadFrameAllocatesWhatCame: a length is a claim, not a reason to take memory.
func TestReadFrameAllocatesWhatCame(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		got, err := ReadFrame(bufio.NewReader(strings.NewReader("999999<?xml")), 999_999)
		refused(t, err, "frame_truncated", "")
		if string(got) != "<?xml" {
			t.Fatalf("got %q", got)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > 50_000 {
		t.Errorf("%d bytes taken for 5 that came", each)
	}
}

func TestWriteFrame(t *testing.T) {
	for _, size := range []int{1, 417, 99_999, 100_000, maxFrame} { // a peer prints 100,000 with five digits
		var wire bytes.Buffer
		body := bytes.Repeat([]byte{0xC1}, size)
		if err := WriteFrame(&wire, body); err != nil {
			t.Fatal(err)
		}
		if wire.Len() != framePrefix+size {
			t.Errorf("%d bytes became %d", size, wire.Len())
		}
		if got, err := ReadFrame(bufio.NewReader(&wire), maxFrame); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes did not come back: %v", size, err)
		}
	}
	refused(t, WriteFrame(io.Discard, make([]byte, maxFrame+1)), "frame_too_long", "999999")
	refused(t, WriteFrame(io.Discard, nil), "frame_empty", "")
	closed, other := net.Pipe()
	_, _ = closed.Close(), other.Close()
	if err := WriteFrame(closed, []byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, seed := range []string{"000005hello", "4177  <?xml", "     5hello", "000000", "999999x", "0000", "", "+00005hello", "１２３"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		const limit = 1000
		got, err := ReadFrame(bufio.NewReader(bytes.NewReader(sent)), limit)
		if len(got) > limit || !bytes.Contains(sent, got) {
			t.Fatalf("got %d bytes that were not sent", len(got))
		}
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, got); err != nil || !bytes.HasPrefix(sent[framePrefix:], got) {
			t.Fatalf("%q is not what %q says: %v", got, sent, err)
		}
	})
}

// framePort runs ServeFrames until the test ends or stop is called, which gives its error.
func framePort(t *testing.T, idle time.Duration, handle func(context.Context, []byte) []byte) (dial func() net.Conn, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeFrames(ctx, listener, 1000, idle, handle) }()
	dial = func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return dial, func() error { cancel(); return <-done }
}

// ask sends bytes as they are and gives the one framed answer, "" when there is none.
func ask(t *testing.T, conn net.Conn, sent string) string {
	t.Helper()
	if sent != "" {
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFrame(bufio.NewReader(conn), maxFrame)
	if err != nil {
		return ""
	}
	return string(got)
}

func echo(_ context.Context, raw []byte) []byte { return append([]byte("got "), raw...) }

func TestServeFrames(t *testing.T) {
	defer goleak.VerifyNone(t)
	dial, stop := framePort(t, time.Minute, echo)
	one := dial()
	for _, c := range []struct{ sent, want string }{{"000002aa", "got aa"}, {"2     bb", "got bb"}} { // in sequence on one connection
		if got := ask(t, one, c.sent); got != c.want {
			t.Errorf("%q: got %q", c.sent, got)
		}
	}
	for _, c := range []struct{ sent, want string }{
		{"GET / HTTP/1.1\r\n", "got GET / HTTP/1.1\r\n"}, // kept as it came, and the connection ends
		{"001001abc", "got 001001abc"},
	} {
		conn := dial()
		if got := ask(t, conn, c.sent); !strings.HasPrefix(got, c.want) {
			t.Errorf("%.40q: got %.40q", c.sent, got)
		}
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%.40q: the connection goes on", c.sent)
		}
	}
	half := dial() // a message cut short by the peer's hanging up
	_, _ = io.WriteString(half, "000009abc")
	_ = half.(*net.TCPConn).CloseWrite()
	if got := ask(t, half, ""); got != "got abc" {
		t.Errorf("cut short: got %q", got)
	}
	if err := stop(); err != nil { // while "one" is still open
		t.Error(err)
	}
}

// TestServeFramesHearsOutTheOversized: a peer that still sends when it is refused can finish, and then reads why.
func TestServeFramesHearsOutTheOversized(t *testing.T) {
	defer goleak.VerifyNone(t)
	dial, stop := framePort(t, time.Minute, echo)
	conn := dial()
	if err := conn.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil { // so that most of it is not sent at once
		t.Fatal(err)
	}
	if got := ask(t, conn, "999999"+strings.Repeat("x", 999_999)); !strings.HasPrefix(got, "got 999999x") {
		t.Errorf("got %.40q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServeFramesWithoutAnswer(t *testing.T) {
	defer goleak.VerifyNone(t)
	dial, stop := framePort(t, time.Minute, func(context.Context, []byte) []byte { return nil })
	if got := ask(t, dial(), "000002aa"); got != "" {
		t.Errorf("got %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestServeFramesDropsTheSilent: who says nothing is let go; who stops in the middle is answered on what came.
func TestServeFramesDropsTheSilent(t *testing.T) {
	defer goleak.VerifyNone(t)
	dial, stop := framePort(t, 50*time.Millisecond, echo)
	if got := ask(t, dial(), ""); got != "" {
		t.Errorf("silence was answered with %q", got)
	}
	if got := ask(t, dial(), "000009abc"); got != "got abc" {
		t.Errorf("got %q", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestServeFramesFinishesWhatItHolds: a message that is here when the service stops is handled and answered.
func TestServeFramesFinishesWhatItHolds(t *testing.T) {
	defer goleak.VerifyNone(t)
	handling, finish := make(chan struct{}), make(chan struct{})
	dial, stop := framePort(t, time.Minute, func(ctx context.Context, raw []byte) []byte {
		close(handling)
		<-finish
		if ctx.Err() != nil {
			return []byte("cancelled")
		}
		return raw
	})
	conn := dial()
	_, _ = io.WriteString(conn, "000002aa")
	<-handling
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case err := <-stopped:
		t.Fatalf("stopped while a message was being handled: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := ask(t, conn, ""); got != "aa" {
		t.Errorf("got %q", got)
	}
}

// TestServeFramesCapsConnections: of many peers at once only so many are served; the others wait and are served later.
func TestServeFramesCapsConnections(t *testing.T) {
	defer goleak.VerifyNone(t)
	var now, most atomic.Int64
	full := make(chan struct{})
	dial, stop := framePort(t, time.Minute, func(_ context.Context, raw []byte) []byte {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
			if n == maxConnections {
				close(full)
			}
		}
		<-full
		time.Sleep(20 * time.Millisecond) // one too many would come in now
		now.Add(-1)
		return raw
	})
	conns := make([]net.Conn, maxConnections+8)
	for i := range conns {
		conns[i] = dial()
		_, _ = io.WriteString(conns[i], "000002aa")
	}
	for _, conn := range conns {
		if got := ask(t, conn, ""); got != "aa" {
			t.Fatalf("got %q", got)
		}
		_ = conn.Close()
	}
	if most.Load() != maxConnections {
		t.Errorf("%d at once", most.Load())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestServeFramesGivesTheListenersError: a listener that fails by itself ends the serving, and the connections with it.
func TestServeFramesGivesTheListenersError(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	time.AfterFunc(20*time.Millisecond, func() { _ = listener.Close() })
	if err := ServeFrames(t.Context(), listener, 1000, time.Minute, echo); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// shortOfFiles is a listener on a machine that has run out of file descriptors, for a moment.
type shortOfFiles struct {
	net.Listener
	refusals int
}

func (l *shortOfFiles) Accept() (net.Conn, error) {
	if l.refusals > 0 {
		l.refusals--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestServeFramesOutlastsAShortageOfFiles(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeFrames(ctx, &shortOfFiles{listener, 1}, 1000, time.Minute, echo) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if got := ask(t, conn, "000002aa"); got != "got aa" {
		t.Errorf("got %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
