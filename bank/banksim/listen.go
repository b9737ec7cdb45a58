package banksim

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"depositd/bank"
)

// Way is how the bank can be called.
type Way string

// The ways.
const (
	TCP  Way = "tcp"
	HTTP Way = "http"
)

// Listen answers calls on a free port of this machine until ctx is done or stop is called, which waits until nobody is
// served any more and gives what went wrong. address is what banks.yaml has for call: "tcp://127.0.0.1:40123".
func (s *Sim) Listen(ctx context.Context, way Way) (address string, stop func() error, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for calls: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() {
		if way == HTTP {
			served <- s.ServeHTTPCalls(ctx, listener)
		} else {
			served <- s.ServeTCPCalls(ctx, listener)
		}
	}()
	wait := sync.OnceValue(func() error { cancel(); return <-served })
	return string(way) + "://" + listener.Addr().String(), wait, nil
}

// patience is how long a caller may take to send its request.
const patience = 10 * time.Second

// ServeTCPCalls answers one framed message a connection until ctx is done.
func (s *Sim) ServeTCPCalls(ctx context.Context, listener net.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case err != nil:
			return fmt.Errorf("accept a call: %w", err)
		}
		running.Go(func() { s.serveTCP(ctx, conn) })
	}
}

func (s *Sim) serveTCP(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() { end(); cancel(); _ = conn.Close() }()
	raw, err := bank.ReadFrame(bufio.NewReader(conn), maxRequest)
	if err != nil {
		return
	}
	calling, gone := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() { // until the caller hangs up
		_, _ = io.Copy(io.Discard, conn)
		gone()
	})
	answer, fault := s.answer(raw)
	deliver(calling, conn, framed(answer), fault)
	_ = conn.Close()
	listening.Wait()
}

// framed puts the length before an answer; none stays none.
func framed(answer []byte) []byte {
	var frame bytes.Buffer
	if bank.WriteFrame(&frame, answer) != nil {
		return nil
	}
	return frame.Bytes()
}

const maxRequest = 999_999 // bytes: what a frame can say

// deliver writes an answer as the fault has it; what it writes before it returns is all that comes.
func deliver(ctx context.Context, w io.Writer, answer []byte, fault CallFault) {
	switch half := len(answer) / 2; fault {
	case Silent:
		<-ctx.Done()
	case HungUp, AnswerLost:
	case AnswerCut:
		_, _ = w.Write(answer[:half])
	case Stalled:
		_, _ = w.Write(answer[:half])
		<-ctx.Done()
	case Slow:
		for i := range answer {
			if _, err := w.Write(answer[i : i+1]); err != nil {
				return
			}
		}
	default:
		_, _ = w.Write(answer)
	}
}

// ServeHTTPCalls answers messages that are posted, to whatever path, until ctx is done.
func (s *Sim) ServeHTTPCalls(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: http.HandlerFunc(s.serveHTTP), ReadTimeout: patience, BaseContext: func(net.Listener) context.Context { return ctx }}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() { stopped <- server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve calls: %w", err)
	}
	return <-stopped
}

func (s *Sim) serveHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "post a message", http.StatusBadRequest)
		return
	}
	answer, fault := s.answer(raw)
	if fault == Silent {
		<-r.Context().Done()
	}
	if fault == Silent || fault == HungUp || fault == AnswerLost {
		hangUp(w)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=GBK")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer))) // one that is cut short is seen to be
	deliver(r.Context(), flushed{w}, answer, fault)
}

// hangUp ends a connection without a word.
func hangUp(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// flushed sends each write by itself.
type flushed struct{ http.ResponseWriter }

// Write implements io.Writer.
func (f flushed) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	if err != nil {
		return n, err
	}
	return n, http.NewResponseController(f.ResponseWriter).Flush()
}
