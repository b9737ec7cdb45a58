package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Receipt is what a bank without a dialect of its own for answers is told.
type Receipt struct {
	Message sqldb.ID     `json:"message"`
	Outcome bank.Outcome `json:"outcome"` // as it was answered the first time when the same message comes again
	Entries int          `json:"entries"` // how many of its entries are new
}

// bankMessage takes one pushed message. What the bank's dialect can answer is answered in it with status 200, refusals
// among them: a G-series peer reads the body and takes every other status for a broken line. A sender that is not
// believed gets 401 and learns nothing else. 200 is said only after the commit.
func (s *server) bankMessage(c *gin.Context) error {
	b, err := s.bankOf(c)
	if err != nil {
		return err
	}
	raw, broken := io.ReadAll(c.Request.Body)
	e := s.envelope(c)
	m, err := b.Open(bank.Sealed{Header: e.Header, Method: e.Method, Path: e.Path, Peer: e.Peer, Raw: raw, Source: bank.ByHTTP, At: e.At})
	switch {
	case isDoubt(err) && broken == nil:
		return s.disbelieve(c, m, err)
	case isDoubt(err):
		return broken
	}
	if large := (*http.MaxBytesError)(nil); broken != nil && !errors.As(broken, &large) {
		err = broken // whatever its beginning seems to say, it is not the whole message
	}
	if err != nil {
		return s.refuseMessage(c, b, m, err)
	}
	receipt, err := s.receive(c.Request.Context(), b, m)
	switch {
	case isRefusable(err):
		return s.refuseMessage(c, b, m, err)
	case err != nil:
		return s.postpone(c, b, m, err)
	}
	s.Judge()
	if s.answerBank(c, b, http.StatusOK, &m, bank.Answer{Outcome: receipt.Outcome}) {
		return nil
	}
	c.JSON(http.StatusOK, Receipt{Message: receipt.MessageID, Outcome: receipt.Outcome, Entries: receipt.Entries})
	return nil
}

// receive stores a message. What a result says of our payments is taken first: it may be said again, a message that was
// kept may not be lost.
func (s *server) receive(ctx context.Context, b *bank.Bank, m bank.Message) (bank.Receipt, error) {
	if m.Kind == bank.KindResult {
		if _, err := s.Refund.Result(ctx, b.Code, b, m.Raw); err != nil {
			return bank.Receipt{}, err
		}
	}
	if s.Receive != nil {
		return s.Receive(ctx, m)
	}
	return s.Bank.Receive(ctx, m)
}

// bankOf is the bank of the address. Which banks there are is not told to strangers.
func (s *server) bankOf(c *gin.Context) (*bank.Bank, error) {
	code, err := param(c, "bank")
	if err != nil {
		return nil, err
	}
	b, err := s.Banks.Bank(code)
	if err != nil && s.caller(c).Kind == Nobody {
		return nil, s.disbelieve(c, bank.Message{}, err)
	}
	return b, err
}

// isRefusable says that the message itself is at fault: sent again it would fare no better.
func isRefusable(err error) bool {
	return deposit.IsKind(err, deposit.Invalid) || deposit.IsKind(err, deposit.Conflict) || deposit.IsKind(err, deposit.NotFound)
}

// keepTime is how long keeping a refused message may take. It does not end with the request: a bank that hung up in the
// middle of a message has sent it all the same.
const keepTime = 5 * time.Second

// refuseMessage keeps a message that is not understood or did not come whole, then says so. Where it cannot be kept, the bank
// is to send it again.
func (s *server) refuseMessage(c *gin.Context, b *bank.Bank, m bank.Message, cause error) error {
	code, _ := bank.Reason(cause)
	s.Log.Warn("message refused", "request", c.GetString(requestID), "bank", b.Code, "code", code)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), keepTime)
	defer cancel()
	told, kept := problemOf(cause), cause
	if deposit.AsRefusal(cause).Kind == deposit.Internal && told.Status < http.StatusInternalServerError {
		kept = deposit.Refuse(deposit.Invalid, told.Code, told.Detail) // a broken or slow connection
	}
	if err := s.Bank.Refuse(ctx, m, kept); err != nil {
		return s.postpone(c, b, m, err)
	}
	if told.Status >= http.StatusInternalServerError {
		return s.postpone(c, b, m, cause)
	}
	if code == bank.ReplayDiffers {
		if err := s.Reconcile.MessageReused(ctx, b.Code, m.ExternalID); err != nil {
			return s.postpone(c, b, m, err)
		}
	}
	if b.Adapter.Answer == nil || !isRefusable(cause) || told.Status == http.StatusRequestEntityTooLarge {
		return cause
	}
	s.answerBank(c, b, http.StatusOK, &m, bank.Answer{Outcome: bank.Refused, Err: cause})
	return nil
}

// postpone says that the message could not be stored and must come again, in the bank's dialect if it has one. The
// status is an error's all the same: never may a message be taken for received that is not.
func (s *server) postpone(c *gin.Context, b *bank.Bank, m bank.Message, cause error) error {
	p := problemOf(cause)
	if b.Adapter.Answer == nil || p.Status < http.StatusInternalServerError {
		return cause
	}
	s.Log.Error("message not stored", "request", c.GetString(requestID), "bank", b.Code, "code", p.Code, "cause", cause)
	c.Header("Retry-After", seconds(retryAfter))
	s.answerBank(c, b, p.Status, &m, bank.Answer{Err: deposit.Refuse(deposit.Unavailable, p.Code, p.Detail)})
	return nil
}

// answerBank answers in the bank's dialect; false where it has no words for that.
func (s *server) answerBank(c *gin.Context, b *bank.Bank, status int, m *bank.Message, a bank.Answer) bool {
	a.At = s.DB.Now()
	reply := b.Answer(m, m.Raw, a)
	if reply != nil {
		c.Data(status, reply.ContentType, reply.Body)
	}
	return reply != nil
}
