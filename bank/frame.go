package bank

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"depositd/platform/deposit"
)

const (
	framePrefix    = 6       // ASCII digits: the length in bytes of what follows
	maxFrame       = 999_999 // what six digits can say
	frameTruncated = "frame_truncated"
	maxConnections = 64 // a bank opens one or two; the next ones wait in the listener's queue
)

// ReadFrame reads one message behind its length: six ASCII digits that count bytes, some of which may be blanks
// ("4177  "). The end of the stream before the first byte is io.EOF. On any other error it gives what came, so that it
// can be kept: the part of the message when it was cut short, the prefix when it is that which is wrong.
// Errors, all Invalid: frame_length_malformed, frame_empty, frame_too_long, frame_truncated; or the network's own.
func ReadFrame(r *bufio.Reader, limit int) ([]byte, error) {
	prefix := make([]byte, framePrefix)
	switch n, err := io.ReadFull(r, prefix); {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return prefix[:n], cutShort(err)
	}
	length, err := frameLength(prefix, limit)
	if err != nil {
		return prefix, err
	}
	var body bytes.Buffer // grows with what arrives, not with what was announced
	if _, err := io.CopyN(&body, r, int64(length)); err != nil {
		return body.Bytes(), cutShort(err)
	}
	return body.Bytes(), nil
}

// frameLength reads the prefix.
func frameLength(prefix []byte, limit int) (int, error) {
	digits := bytes.Trim(prefix, " ")
	length, err := strconv.ParseUint(string(digits), 10, 32)
	switch {
	case err != nil:
		return 0, deposit.Refuse(deposit.Invalid, "frame_length_malformed", "报文长度应为 6 位数字（字节数），如 000417")
	case length == 0:
		return 0, deposit.Refuse(deposit.Invalid, "frame_empty", "报文长度为零")
	case int(length) > limit:
		return 0, deposit.Refuse(deposit.Invalid, "frame_too_long", "报文长度 ", length, " 字节，超过上限 ", limit)
	}
	return int(length), nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return deposit.Refuse(deposit.Invalid, frameTruncated, "报文不完整：收到的字节数少于长度所示")
	}
	return fmt.Errorf("read frame: %w", err)
}

// WriteFrame writes a message behind its length, in one write. Six digits say at most 999,999 bytes.
func WriteFrame(w io.Writer, body []byte) error {
	if err := frameable(body); err != nil {
		return err
	}
	if _, err := w.Write(append(fmt.Appendf(nil, "%0*d", framePrefix, len(body)), body...)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

func frameable(body []byte) error {
	switch {
	case len(body) == 0:
		return deposit.Refuse(deposit.Invalid, "frame_empty", "报文为空，无法发送")
	case len(body) > maxFrame:
		return deposit.Refuse(deposit.Invalid, "frame_too_long", "报文 ", len(body), " 字节，超过 6 位长度可表示的 ", maxFrame)
	}
	return nil
}

// ServeFrames answers framed messages, one or several in sequence on a connection, until ctx is done; then it closes the
// listener, lets the messages that are being handled come to their answer, and returns nil with no goroutine left.
//
// handle gets the message without its length and gives the answer; nil closes the connection without one. idle is how
// long a message may take to arrive, to be handled (ctx of handle), and to be answered. What cannot be read as a frame
// is handed to handle as far as it came, so that it is kept and refused in the bank's own words; then the connection
// ends, since nobody can tell where the next message begins.
func ServeFrames(ctx context.Context, listener net.Listener, limit int, idle time.Duration, handle func(ctx context.Context, raw []byte) []byte) error {
	s := frameServer{limit, idle, handle}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx) // whatever ends the listening ends the connections
	defer cancel()
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	free := make(chan struct{}, maxConnections)
	for {
		free <- struct{}{}
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			<-free
			pause(ctx, time.Second) // out of file descriptors: some will come back
		case err != nil:
			return fmt.Errorf("accept a connection: %w", err)
		default:
			running.Go(func() {
				defer func() { <-free }()
				s.serve(ctx, conn)
			})
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// frameServer is what every connection needs to know.
type frameServer struct {
	limit  int
	idle   time.Duration
	handle func(ctx context.Context, raw []byte) []byte
}

// serve talks to one peer until it hangs up, falls silent, or says what is no frame.
func (s frameServer) serve(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	wake := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer wake()
	r := bufio.NewReader(conn)
	for s.one(ctx, conn, r) {
	}
}

// one reads and answers one message and says whether another may follow.
func (s frameServer) one(ctx context.Context, conn net.Conn, r *bufio.Reader) bool {
	if !waitFor(ctx, conn, s.idle) {
		return false
	}
	raw, err := ReadFrame(r, s.limit)
	if len(raw) == 0 || err != nil && ctx.Err() != nil {
		return false
	}
	if err == nil {
		return s.answer(ctx, conn, raw)
	}
	rest, _ := r.Peek(r.Buffered())
	if s.answer(ctx, conn, append(raw, rest...)) {
		hangUp(ctx, conn)
	}
	return false
}

// waitFor lets the next reads wait so long, and no longer than ctx; false says that ctx is done already.
func waitFor(ctx context.Context, conn net.Conn, patience time.Duration) bool {
	reading, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	until, _ := reading.Deadline()
	_ = conn.SetReadDeadline(until)
	return ctx.Err() == nil // when it was done before, nobody wakes the read any more
}

// answer lets a message be handled, even when the service is being stopped: it is here, and its sender waits.
func (s frameServer) answer(ctx context.Context, conn net.Conn, raw []byte) bool {
	handling, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.idle)
	defer cancel()
	reply := s.handle(handling, raw)
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.idle)
	defer cancel()
	until, _ := writing.Deadline()
	_ = conn.SetWriteDeadline(until)
	return reply != nil && WriteFrame(conn, reply) == nil
}

// hangUp ends a connection on which more may be under way: closed at once, the system would throw the answer away too.
func hangUp(ctx context.Context, conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil && waitFor(ctx, conn, time.Second) {
		_, _ = io.CopyN(io.Discard, conn, maxFrame)
	}
}
