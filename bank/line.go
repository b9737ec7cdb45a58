package bank

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"depositd/platform/deposit"
)

// Line is the way to one bank: each method is one message and its answer, on a connection of its own. It is safe for use
// by many goroutines. Nothing is sent twice by itself, and no method may be called within a transaction.
type Line struct {
	bank   *Bank
	now    func() time.Time
	serial func() string
	to     *url.URL
	client *http.Client // nil over TCP

	certificate atomic.Int64 // until when the bank's is good, in Unix seconds; 0: none was seen
}

// NewLine makes the line to a bank as banks.yaml describes it. now is when a message is sent, serial gives each its number.
// call_not_configured, Invalid, where banks.yaml does not say how the bank is reached. A dialect without questions of its own
// may still be paid over the line (Exchange).
func NewLine(b *Bank, now func() time.Time, serial func() string) (*Line, error) {
	if b.Reach.URL == "" {
		return nil, deposit.Refuse(deposit.Invalid, "call_not_configured", "银行 ", b.Code, " 没有配置呼出地址（banks.yaml 的 call）")
	}
	to, err := url.Parse(b.Reach.URL)
	if err != nil {
		return nil, fmt.Errorf("bank %s: address: %w", b.Code, err)
	}
	l := &Line{bank: b, now: now, serial: serial, to: to}
	if to.Scheme != tcp {
		l.client = httpClient()
	}
	return l, nil
}

// calls are the dialect's questions; none where it has none.
func (b *Bank) calls() *Calls {
	if b.Adapter.Calls == nil {
		return &Calls{ContentType: "application/octet-stream"} // of payouts
	}
	return b.Adapter.Calls
}

// Bank is whose line it is.
func (l *Line) Bank() *Bank { return l.bank }

// CertificateUntil is how long the certificate is good that the bank showed last; the zero time where it has shown none.
func (l *Line) CertificateUntil() time.Time {
	if until := l.certificate.Load(); until != 0 {
		return time.Unix(until, 0)
	}
	return time.Time{}
}

// TestLink asks whether the bank answers (链路监测).
func (l *Line) TestLink(ctx context.Context) (Call, error) {
	_, call, err := ring(ctx, l, l.bank.calls().Link, "", LinkTest{})
	return call, err
}

// OpenNumber asks for a number (申请子账号). Asked again with the same parent account and key, after an unknown outcome,
// the bank gives the same number and opens no other.
func (l *Line) OpenNumber(ctx context.Context, o Opening) (Opened, Call, error) {
	return ring(ctx, l, l.bank.calls().Open, o.Key, o)
}

// CloseNumber gives a number back (注销子账号). The bank refuses while money stands on it.
func (l *Line) CloseNumber(ctx context.Context, n OfNumber) (Closed, Call, error) {
	return ring(ctx, l, l.bank.calls().Close, n.Number, n)
}

// Credits asks what came in on a number (到账明细查询).
func (l *Line) Credits(ctx context.Context, n OfNumber) (Credited, Call, error) {
	return ring(ctx, l, l.bank.calls().Credit, n.Number, n)
}

// Left asks how many numbers of a parent account are free (子账号剩余情况).
func (l *Line) Left(ctx context.Context, p OfParent) (Left, Call, error) {
	return ring(ctx, l, l.bank.calls().Left, p.Parent, p)
}

// ring is one call from its beginning to its end. The Call is complete whatever the error, to be kept by Desk.NoteCall.
func ring[Q, A any](ctx context.Context, l *Line, how *Question[Q, A], subject string, q Q) (answer A, call Call, err error) {
	call = Call{Bank: l.bank.Code, Subject: cut(subject, maxSubject), BeganAt: l.now()}
	result := ""
	if how == nil {
		err = deposit.Refuse(deposit.Invalid, "call_unsupported", "报文格式 ", l.bank.Adapter.Name, " 没有这项请求")
	} else {
		call.Code = how.Code
		answer, result, err = converse(ctx, l, how, q)
	}
	call.end(l.now(), result, err)
	return answer, call, err
}

func converse[Q, A any](ctx context.Context, l *Line, how *Question[Q, A], q Q) (answer A, result string, err error) {
	raw, err := how.Ask(CallHead{Serial: l.serial(), At: l.now()}, q)
	if err != nil {
		return answer, "", err
	}
	raw, err = l.Exchange(ctx, raw)
	if err != nil {
		return answer, "", err
	}
	return how.heard(l.bank, q, raw)
}

// heard has the dialect read an answer. That it panics is our fault, and leaves the outcome unknown.
func (how *Question[Q, A]) heard(b *Bank, q Q, raw []byte) (answer A, result string, err error) {
	var none A
	defer func() {
		if p := recover(); p != nil {
			answer, result, err = none, "", unreadableAnswer(fmt.Errorf("bank: adapter %s panicked: %v", b.Adapter.Name, p))
		}
	}()
	answer, result, err = how.Read(b, q, raw)
	if CallOutcomeOf(err) == CallUnsent { // it was sent: what the reader cannot read is unknown
		err = unreadableAnswer(err)
	}
	if err != nil {
		answer = none
	}
	return answer, result, err
}

// Exchange sends one message, without frame, and gives the answer's bytes. The error is a *CallError, or an Invalid Refusal
// before anything is sent (frame_empty, frame_too_long).
func (l *Line) Exchange(ctx context.Context, raw []byte) ([]byte, error) {
	if err := frameable(raw); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(l.bank.Reach.Timeout, defaultTimeout))
	defer cancel()
	if l.client == nil {
		return overTCP(ctx, l.to.Host, raw)
	}
	return l.overHTTP(ctx, raw)
}

const tcp = "tcp"

// checkNumber holds a number to what the schema and banks.yaml let it be.
func checkNumber(name, number string) error {
	if number == "" {
		return deposit.Refuse(deposit.Invalid, "field_missing", "缺少必填字段 ", name)
	}
	if !parentAccount.MatchString(number) {
		return deposit.Refuse(deposit.Invalid, "number_malformed", "字段 ", name, " 应为 1 到 40 位数字、字母或连字符")
	}
	return nil
}
