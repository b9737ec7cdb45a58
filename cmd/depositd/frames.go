package main

import (
	"context"
	"net"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// frameTime is how long a message on the line may take to arrive, to be handled and to be answered. Between messages a
// bank may be silent for as long: it opens another connection.
const frameTime = time.Minute

// serveFrames takes the messages of the one bank whose leased line ends here.
func (a *app) serveFrames(ctx context.Context, l net.Listener) error {
	b, err := a.banks.Bank(a.config.tcpBank)
	if err != nil {
		return err
	}
	if b.Seal.Scheme != bank.NoSeal || len(b.Seal.Door.Pins) > 0 {
		a.log.Warn("nothing that comes over TCP can bear the seal that banks.yaml asks of this bank: all of it will be refused", "bank", b.Code)
	}
	door := b.Seal.Door
	known := *b
	b, known.Seal.Door = &known, bank.Door{} // who gets past the listener has passed the door
	l = guarded{l, door, func(from net.Addr) {
		a.log.Warn("connection refused", "security", true, "bank", b.Code, "way", bank.ByTCP, "from", from.String())
	}}
	return bank.ServeFrames(ctx, l, bank.MaxMessage, frameTime, func(ctx context.Context, raw []byte) []byte {
		return a.takeFrame(ctx, b, raw)
	})
}

// takeFrame receives one message and answers in the bank's dialect, "received" only after the commit. A dialect without
// answers of its own says nothing, and the connection ends.
func (a *app) takeFrame(ctx context.Context, b *bank.Bank, raw []byte) []byte {
	m, err := b.Open(bank.Sealed{Raw: raw, Source: bank.ByTCP, At: a.db.Now()})
	answer := bank.Answer{Err: err}
	if err == nil && m.Kind == bank.KindResult {
		_, answer.Err = a.refund.Result(ctx, b.Code, b, m.Raw)
	}
	if answer.Err == nil {
		var receipt bank.Receipt
		receipt, answer.Err = a.bank.Receive(ctx, m)
		answer.Outcome = receipt.Outcome
	}
	switch refusal := deposit.AsRefusal(answer.Err); {
	case answer.Err == nil:
		a.wakeJudge()
	case refusal.Kind == deposit.Internal || refusal.Kind == deposit.Unavailable:
		a.log.Error("message not stored", "bank", b.Code, "way", bank.ByTCP, "cause", answer.Err)
		answer.Err = deposit.Refuse(deposit.Unavailable, "not_stored", "暂时无法保存报文，请稍后重发")
	default:
		answer = a.refuseFrame(ctx, b, m, answer.Err)
	}
	answer.At = a.db.Now()
	if reply := b.Answer(&m, raw, answer); reply != nil {
		return reply.Body
	}
	return nil
}

// refuseFrame keeps a message that was not understood or not believed. Where it cannot be kept, it has to come again.
func (a *app) refuseFrame(ctx context.Context, b *bank.Bank, m bank.Message, cause error) bank.Answer {
	code, _ := bank.Reason(cause)
	a.log.Warn("message refused", "bank", b.Code, "way", bank.ByTCP, "code", code)
	if err := a.bank.Refuse(ctx, m, cause); err != nil {
		a.log.Error("message not stored", "bank", b.Code, "way", bank.ByTCP, "cause", err)
		return bank.Answer{Err: deposit.Refuse(deposit.Unavailable, "not_stored", "暂时无法保存报文，请稍后重发")}
	}
	return bank.Answer{Outcome: bank.Refused, Err: cause}
}
