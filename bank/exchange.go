package bank

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"depositd/platform/deposit"
)

// maxAnswer is the most that is read of an answer: what a frame can say, over either way.
const maxAnswer = maxFrame

// overTCP opens a connection, sends one frame and reads one. It is unreachable as long as there is no connection; from the
// first byte on nobody knows what the bank has read.
func overTCP(ctx context.Context, address string, raw []byte) ([]byte, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, unreachable(err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := WriteFrame(conn, raw); err != nil {
		return nil, noAnswer(err)
	}
	answer, err := ReadFrame(bufio.NewReader(conn), maxAnswer)
	switch {
	case err == nil:
		return answer, nil
	case deposit.IsKind(err, deposit.Invalid) && deposit.AsRefusal(err).Code != frameTruncated:
		return nil, unreadableAnswer(err)
	}
	return nil, noAnswer(err)
}

// httpClient asks no proxy and follows no redirect – a message about money goes where banks.yaml says, or nowhere – and
// keeps no connection. It speaks HTTP/1 only, which never sends a message again on a connection of its own.
func httpClient() *http.Client {
	only := new(http.Protocols)
	only.SetHTTP1(true)
	return &http.Client{
		Transport:     &http.Transport{Protocols: only, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// overHTTP posts a message. As with TCP, it is unreachable as long as there is no connection, its TLS included.
func (l *Line) overHTTP(ctx context.Context, raw []byte) ([]byte, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		TLSHandshakeDone: func(s tls.ConnectionState, _ error) {
			if len(s.PeerCertificates) > 0 {
				l.certificate.Store(s.PeerCertificates[0].NotAfter.Unix())
			}
		}})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.to.String(), bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", l.bank.calls().ContentType)
	response, err := l.client.Do(request)
	switch {
	case err != nil && connected.Load():
		return nil, noAnswer(err)
	case err != nil:
		return nil, unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	return readBody(response)
}

// readBody reads the answer, which any status but 200 is none of: a gateway in between may speak for a bank that has read
// the message, or for one that has not.
func readBody(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, unreadableAnswer(deposit.Refuse(deposit.Invalid, "http_status", "HTTP 状态码为 ", response.StatusCode))
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, noAnswer(err)
	case len(answer) > maxAnswer:
		return nil, unreadableAnswer(deposit.Refuse(deposit.Invalid, "answer_too_long", "应答超过 ", maxAnswer, " 字节"))
	}
	return answer, nil
}
