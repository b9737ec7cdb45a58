package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// RevealedAccount is an account number and the names beside it, which everything else shows masked.
type RevealedAccount struct {
	Name    string `json:"name"`
	Account string `json:"account"`
	Bidder  string `json:"bidder"` // for whom the money came; "" where it is for none
}

func revealedOf(w reconcile.Whole) RevealedAccount {
	return RevealedAccount{w.Name.Full(), w.Account.Full(), w.Bidder.Full()}
}

// reveal makes a handler that tells one person a whole account number and its holder. It is a POST: it writes in the audit trail
// who read which number and why, and a link that somebody follows must not do so.
func (s *server) reveal(tell teller) func(*gin.Context) error {
	return s.freshly(func(c *gin.Context) error {
		id, by, f, err := s.actOnOne(c)
		if err != nil {
			return err
		}
		whole, err := s.whole(c, tell, id, by, f)
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, whole)
		return nil
	})
}

// teller is a desk's way to tell what is whole, which it counts and writes down.
type teller func(context.Context, reconcile.Revealing) (reconcile.Whole, error)

// whole asks for a number and its holder for the reason that a body or a form gives.
func (s *server) whole(c *gin.Context, tell teller, id sqldb.ID, by string, f *form) (RevealedAccount, error) {
	reason := strings.TrimSpace(f.text("reason", mostNote))
	if reason == "" {
		f.fault(false, "reason", "reason_required", "请写明查看完整户名、账号的事由，将记入审计日志")
	}
	f.done()
	if err := f.err(); err != nil {
		return RevealedAccount{}, err
	}
	w, err := tell(c.Request.Context(), reconcile.Revealing{By: by, Eyes: s.sight(c), ID: id, Reason: reason, Most: s.RevealsPerDay})
	return revealedOf(w), err
}

// revealForm is where a page asks for what it shows masked, and what the visitor has to give beside the reason.
type revealForm struct {
	Path string
	proving
}

// revealed is what was asked for, shown once.
type revealed struct {
	RevealedAccount
	Back string
}

// revealOnPage is reveal for a page: what is told is in the answer to the form alone, and no address leads to it. The form bears
// the proof of who asks where the last one is too old.
func (s *server) revealOnPage(back func(sqldb.ID) string, tell teller) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if err := s.proveIfStale(c); err != nil {
			return err
		}
		id, by, f, err := s.formOnOne(c)
		if err != nil {
			return err
		}
		delete(f.fields, "code")
		delete(f.fields, "password")
		whole, err := s.whole(c, tell, id, by, f)
		if err != nil {
			return err
		}
		return s.show(c, "revealed", "", view{Title: "完整户名、账号", Menu: "/refunds", Body: revealed{whole, back(id)}})
	}
}
