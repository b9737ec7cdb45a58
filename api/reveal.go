package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// RevealedAccount is an account number that everything else shows masked.
type RevealedAccount struct {
	Account string `json:"account"`
}

// reveal makes a handler that tells one person a whole account number. It is a POST: it writes in the audit trail who read
// which number and why, and a link that somebody follows must not do so.
func (s *server) reveal(tell teller) func(*gin.Context) error {
	return func(c *gin.Context) error {
		id, by, f, err := s.actOnOne(c)
		if err != nil {
			return err
		}
		account, err := s.whole(c, tell, id, by, f)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, RevealedAccount{account.Full()})
		return nil
	}
}

// teller is a desk's way to tell a whole number, which it writes down.
type teller func(ctx context.Context, by string, eyes deposit.Sight, id sqldb.ID, reason string) (deposit.Account, error)

// whole asks for a number for the reason that a body or a form gives.
func (s *server) whole(c *gin.Context, tell teller, id sqldb.ID, by string, f *form) (deposit.Account, error) {
	reason := strings.TrimSpace(f.text("reason", mostNote))
	if reason == "" {
		f.fault(false, "reason", "reason_required", "请写明查看完整账号的事由，将记入审计日志")
	}
	f.done()
	if err := f.err(); err != nil {
		return "", err
	}
	return tell(c.Request.Context(), by, s.sight(c), id, reason)
}
