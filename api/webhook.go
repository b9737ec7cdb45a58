package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/webhook"
)

// WebhookDelivery is one notice to another system and how it fared.
type WebhookDelivery struct {
	ID          sqldb.ID        `json:"id"`
	WebhookID   string          `json:"webhook_id"` // as the receiver knows it
	Endpoint    string          `json:"endpoint"`
	Incident    sqldb.ID        `json:"incident"`
	Number      string          `json:"number"`
	Event       string          `json:"event"`
	State       webhook.State   `json:"state"`
	StateName   string          `json:"state_name"`
	Attempts    int             `json:"attempts"`
	Answer      int             `json:"answer"` // the HTTP status of the last attempt; 0: none came
	Failure     webhook.Failure `json:"failure"`
	FailureName string          `json:"failure_name"`
	Version     int64           `json:"version"`
	MadeAt      time.Time       `json:"made_at"`
	DueAt       *time.Time      `json:"due_at,omitempty"` // of one that waits
	TriedAt     *time.Time      `json:"tried_at,omitempty"`
}

// WebhookDeliveries is some of them; Next, where there are more, is the cursor of the next page.
type WebhookDeliveries struct {
	Deliveries []WebhookDelivery `json:"deliveries"`
	Next       string            `json:"next,omitempty"`
}

func deliveryOf(x *webhook.Delivery) WebhookDelivery {
	d := WebhookDelivery{ID: x.ID, WebhookID: x.MessageID(), Endpoint: x.Endpoint, Incident: x.IncidentID, Number: x.Number, Event: x.Event, State: x.State, StateName: x.State.Chinese(),
		Attempts: x.Attempts, Answer: x.Answer, Failure: x.Failure, FailureName: x.Failure.Chinese(), Version: x.Version, MadeAt: inShanghai(x.MadeAt), TriedAt: inShanghaiIf(x.TriedAt)}
	if x.State == webhook.Waiting {
		d.DueAt = inShanghaiIf(x.DueAt)
	}
	return d
}

func (s *server) getDeliveries(c *gin.Context) error {
	if err := onlyParameters(c, "state", "endpoint", "number", "limit", "cursor"); err != nil {
		return err
	}
	q := webhook.Query{State: webhook.State(c.Query("state")), Endpoint: c.Query("endpoint"), Number: c.Query("number")}
	if q.State != "" && q.State.Chinese() == "" {
		return badParameter("state", "state_unknown", "没有这种状态：应为 WAITING、DELIVERED 或 DEAD")
	}
	var err error
	if q.Limit, err = limit(c); err != nil {
		return err
	}
	if q.Before, err = sqldb.ParseID(c.Query("cursor")); err != nil {
		return badParameter("cursor", "cursor_malformed", "翻页游标无效，请从第一页重新查询")
	}
	found, more, err := s.Webhook.Page(c.Request.Context(), q)
	if err != nil {
		return err
	}
	page := WebhookDeliveries{Deliveries: []WebhookDelivery{}}
	for i := range found {
		page.Deliveries = append(page.Deliveries, deliveryOf(&found[i]))
	}
	if more {
		page.Next = found[len(found)-1].ID.String()
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// resendDelivery has one sent again, whether it was given up or delivered: a receiver may have lost it.
func (s *server) resendDelivery(c *gin.Context) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	version := f.number("version")
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	x, err := s.Webhook.Resend(c.Request.Context(), by, id, version)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, deliveryOf(&x))
	return nil
}
