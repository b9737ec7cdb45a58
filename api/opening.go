package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/reconcile"
)

// Opening is how far two persons have come with a lot's opening.
type Opening struct {
	Lot       string     `json:"lot"`
	OpeningAt time.Time  `json:"opening_at"`
	OpenedAt  *time.Time `json:"opened_at,omitempty"`
	Persons   []string   `json:"persons"` // who has said it, in order
	Done      bool       `json:"done"`    // the second person has
}

// postOpening takes a person's word that a lot was opened; with the second person's it is.
func (s *server) postOpening(c *gin.Context) error {
	number, by, f, err := s.actOnLot(c)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(f.text("reason", mostNote))
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	return s.agreed(c, func() (platform.Agreement, error) {
		return s.Platform.SayOpened(c.Request.Context(), platform.Word{By: by, Eyes: s.sight(c), Lot: number, Reason: reason})
	})
}

// postEarlierOpening takes a person's consent to an earlier opening that the platform wishes.
func (s *server) postEarlierOpening(c *gin.Context) error {
	number, by, f, err := s.actOnLot(c)
	if err != nil {
		return err
	}
	at, reason := f.instant("opening_at"), strings.TrimSpace(f.text("reason", mostNote))
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	return s.agreed(c, func() (platform.Agreement, error) {
		return s.Platform.AgreeEarlier(c.Request.Context(), platform.Word{By: by, Eyes: s.sight(c), Lot: number, Reason: reason}, at)
	})
}

func (s *server) actOnLot(c *gin.Context) (number, by string, f *form, err error) {
	if number, err = param(c, "number"); err != nil {
		return "", "", nil, err
	}
	by, f, err = s.act(c)
	return number, by, f, err
}

// agreed answers 201 for the first person's word and 200 for the second's, which does what both said.
func (s *server) agreed(c *gin.Context, say func() (platform.Agreement, error)) error {
	a, err := say()
	if err != nil {
		return inBody(err)
	}
	if a.Done {
		s.Judge()
		s.Tend()
	}
	c.JSON(statusOf(!a.Done), Opening{Lot: a.Lot.Number, OpeningAt: inShanghai(a.Lot.OpensAt), OpenedAt: inShanghaiIf(a.Lot.OpenedAt), Persons: a.Persons, Done: a.Done})
	return nil
}

// BidStatus is how a bid's own deposit stands, for its bidder alone.
type BidStatus struct {
	Bid     sqldb.ID             `json:"bid"`
	State   platform.BidState    `json:"state"`
	Deposit reconcile.BidDeposit `json:"deposit"`
	Codes   []reconcile.Code     `json:"codes"` // what the bidder has to see to
}

func (s *server) getBidStatus(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	status, err := s.Reconcile.StatusOf(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, BidStatus{status.Bid.ID, status.Bid.State, status.Deposit, append([]reconcile.Code{}, status.Codes...)})
	return nil
}

// Enquiry is a bidder's question about his own money, with its answer once another person has released it.
type Enquiry struct {
	ID         sqldb.ID                `json:"id"`
	State      string                  `json:"state"`
	AskedBy    string                  `json:"asked_by"`
	AskedAt    time.Time               `json:"asked_at"`
	ReleasedBy string                  `json:"released_by"`
	ReleasedAt *time.Time              `json:"released_at,omitempty"`
	Answer     reconcile.EnquiryAnswer `json:"answer"`
	AnswerName string                  `json:"answer_name"`
	Place      string                  `json:"place"` // the payer's own number, where he paid to another
}

func enquiryOf(e *reconcile.Enquiry) Enquiry {
	return Enquiry{e.ID, e.State, e.AskedBy, inShanghai(e.AskedAt), e.ReleasedBy, inShanghaiIf(e.ReleasedAt), e.Answer, e.Answer.Chinese(), e.Place}
}

func (s *server) postEnquiry(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	order := reconcile.EnquiryOrder{SubAccount: f.text("sub_account", mostSub), Amount: f.yuan("amount"), Day: f.dayIf("booking_date"), Serial: f.text("bank_serial", mostNumber),
		Payer: f.text("payer_name", mostName), Reason: strings.TrimSpace(f.text("reason", mostNote))}
	if b := s.bankNamed(f, true); b != nil {
		order.Bank = b.Code
	}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	e, err := s.Reconcile.Enquire(c.Request.Context(), by, order)
	if err != nil {
		return inBody(err)
	}
	c.JSON(http.StatusCreated, enquiryOf(&e))
	return nil
}

func (s *server) releaseEnquiry(c *gin.Context) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	e, err := s.Reconcile.ReleaseEnquiry(c.Request.Context(), by, id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, enquiryOf(&e))
	return nil
}
