package api

import (
	"context"
	"fmt"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/webhook"
)

// What an incident's opening queues is listed, a page at a time, and what was given up is sent again on a person's word.
func TestWebhookDeliveries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var page WebhookDeliveries
		h.get("/v1/webhook-deliveries").want(200, "").into(&page)
		if len(page.Deliveries) != 0 {
			t.Fatalf("%+v", page)
		}
		i := h.open(outage)
		h.get("/v1/webhook-deliveries?state=WAITING&number="+i.Number).want(200, "").into(&page)
		if len(page.Deliveries) == 0 || page.Deliveries[0].Incident != i.ID || page.Deliveries[0].DueAt == nil {
			t.Fatalf("%+v", page)
		}
		d := page.Deliveries[0]
		at := "/v1/webhook-deliveries/" + d.ID.String() + "/resend"
		h.act("值班员", at, fmt.Sprintf(`{"version":%d}`, d.Version)).want(409, "")
		x, err := webhook.ByID(context.Background(), h.db, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.server.Webhook.Tried(context.Background(), "test", x, webhook.Outcome{Answer: 410, Failure: webhook.Refused, Gone: true}, 0); err != nil {
			t.Fatal(err)
		}
		page = WebhookDeliveries{}
		h.get("/v1/webhook-deliveries?state=DEAD&endpoint=oncall&limit=1").want(200, "").into(&page)
		if len(page.Deliveries) != 1 || page.Deliveries[0].FailureName == "" || page.Deliveries[0].DueAt != nil {
			t.Fatalf("%+v", page)
		}
		h.act("值班员", at, `{"version":1}`).want(409, "")
		h.act("值班员", at, fmt.Sprintf(`{"version":%d}`, page.Deliveries[0].Version)).want(200, "").into(&d)
		if d.State != webhook.Waiting || d.Attempts != 0 {
			t.Errorf("%+v", d)
		}
		h.act("值班员", "/v1/webhook-deliveries/"+sqldb.NewID().String()+"/resend", `{"version":1}`).want(404, "delivery_unknown")
		h.get("/v1/webhook-deliveries?state=LOST").want(400, "state_unknown")
		h.get("/v1/webhook-deliveries?cursor=1").want(400, "cursor_malformed")
		seen := 0
		for next := "?limit=1"; next != ""; seen++ {
			var page WebhookDeliveries
			h.get("/v1/webhook-deliveries"+next).want(200, "").into(&page)
			if next = ""; page.Next != "" {
				next = "?limit=1&cursor=" + page.Next
			}
		}
		if all, _, err := h.server.Webhook.Page(context.Background(), webhook.Query{Limit: 100}); err != nil || seen != len(all) {
			t.Errorf("%d pages of %d deliveries (%v)", seen, len(all), err)
		}
	})
}
