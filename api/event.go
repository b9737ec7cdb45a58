package api

import (
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/platform"
	"depositd/platform/deposit"
)

// eventKinds is how JSON calls the events.
var eventKinds = map[string]platform.EventKind{
	"opened":            platform.EventOpened,
	"opening_postponed": platform.EventOpeningMoved,
	"opening_moved":     platform.EventOpeningMoved,
	"bid_withdrawn":     platform.EventBidWithdrawn,
	"bid_revoked":       platform.EventBidRevoked,
	"award_notice":      platform.EventAwardNotice,
	"contract_signed":   platform.EventContractSigned,
	"failed":            platform.EventFailed,
	"terminated":        platform.EventTerminated,
	"retendered":        platform.EventRetendered,
}

// Event tells whether an event was known before.
type Event struct {
	Number string `json:"number"`
	Known  bool   `json:"known"`
}

func (s *server) postEvent(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	order := eventOf(f)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	known, err := s.Platform.Record(c.Request.Context(), author(c), order)
	if deposit.AsRefusal(err).Code == "opening_early" { // somebody is in a hurry, or a clock is wrong
		s.Log.Warn("an opening before its hour was refused", "request", c.GetString(requestID), "by", author(c))
	}
	if err != nil {
		return inBody(err)
	}
	s.Judge()
	s.Tend()
	c.JSON(statusOf(!known), Event{Number: order.Number, Known: known})
	return nil
}

func eventOf(f *form) platform.EventOrder {
	o := platform.EventOrder{Number: f.text("number", mostNumber), Lot: f.text("lot", mostNumber), Bidder: f.textIf("bidder", mostName),
		HappenedAt: f.instant("happened_at"), OpensAt: f.instantIf("opening_at"), Note: f.textIf("note", mostNote)}
	kind := f.text("kind", mostNumber)
	o.Kind, o.Postponed = eventKinds[kind], kind == "opening_postponed" // two words for one event, of which one promises more
	if _, known := eventKinds[kind]; kind != "" && !known {
		f.fault(false, "kind", "event_kind_unknown", "没有这种事件；可用："+strings.Join(slices.Sorted(maps.Keys(eventKinds)), "、"))
	}
	return o
}

// aboutField is how every refusal of the platform's side begins: with the place of the element, if it is one of many,
// and the name of the field.
var aboutField = regexp.MustCompile(`^(?:([a-z]+)\[([0-9]+)\]\.)?([a-z_]+) `)

// inBody gives a refusal of the platform's side its place in the body.
func inBody(err error) error {
	var refusal *deposit.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	at := aboutField.FindStringSubmatch(refusal.Text)
	if at == nil {
		return err
	}
	field := at[3]
	if field == "opens_at" {
		field = "opening_at" // as the platform's own documents and its exports call it
	}
	pointer := "/" + field
	if at[1] != "" {
		pointer = "/" + at[1] + "/" + at[2] + pointer
	}
	p := *problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		return err
	}
	p.Detail = strings.Replace(refusal.Text, at[3]+" ", field+" ", 1)
	p.Errors = []Fault{{Pointer: pointer, Code: p.Code, Detail: p.Detail}}
	return &p
}
