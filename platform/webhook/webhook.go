// Package webhook tells other systems what becomes of incidents. What is to be told is queued in the transaction of the change, so
// that nothing is told that did not happen, and nothing that happened is forgotten; sending is done by whoever serves, outside.
//
// No payer's fact is in it, and nothing that a person has typed: the incident's number, scenario, level and phase, what happened
// to it, from closed lists, and where to read the rest.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// Delivery is one notice to one endpoint.
type Delivery struct {
	ID         sqldb.ID
	Endpoint   string
	IncidentID sqldb.ID
	EntryID    sqldb.ID
	Number     string
	Event      string
	Body       []byte
	Attempts   int
	Answer     int // the HTTP status of the last attempt; 0: none came
	Failure    Failure
	State      State
	Version    int64
	MadeAt     time.Time
	DueAt      time.Time
	TriedAt    time.Time
}

// MessageID is the webhook-id, by which a receiver knows a notice that comes twice.
func (d *Delivery) MessageID() string { return "msg_" + d.ID.String() }

var deliveries = sqldb.NewTable("webhook_deliveries", "id, endpoint, incident_id, entry_id, number, event, body, attempts, answer, failure, state, version, made_at, due_at, tried_at",
	func(d *Delivery) []any {
		return []any{&d.ID, &d.Endpoint, &d.IncidentID, &d.EntryID, &d.Number, &d.Event, &d.Body, &d.Attempts, &d.Answer, &d.Failure, &d.State, &d.Version,
			sqldb.Wall(&d.MadeAt), sqldb.Wall(&d.DueAt), sqldb.Wall(&d.TriedAt)}
	})

// State says how far a delivery is.
type State string

// The states.
const (
	Waiting   State = "WAITING"
	Delivered State = "DELIVERED"
	Dead      State = "DEAD" // given up; a person may have it sent again
)

var stateNames = map[State]string{Waiting: "待发送", Delivered: "已送达", Dead: "未送达"}

// Chinese is the state's name, "" of none.
func (s State) Chinese() string { return stateNames[s] }

// Moves is how a delivery's state changes. Between two attempts it stays WAITING.
var Moves = deposit.Machine{
	"WAITING":   {"deliver": "DELIVERED", "give_up": "DEAD"},
	"DELIVERED": {"resend": "WAITING"},
	"DEAD":      {"resend": "WAITING"},
}

// Failure is why an attempt failed.
type Failure string

// The failures.
const (
	Unreachable Failure = "UNREACHABLE" // it could not be dialled
	NoAnswer    Failure = "NO_ANSWER"   // not in time, or the connection broke
	Redirected  Failure = "REDIRECTED"  // a notice follows nobody
	Refused     Failure = "REFUSED"     // any other answer than 2xx
	Unknown     Failure = "UNKNOWN"     // no endpoint of that name is in webhooks.yaml any more
)

var failureNames = map[Failure]string{Unreachable: "连接不上", NoAnswer: "没有应答", Redirected: "要求转向，不跟随", Refused: "对方未接收", Unknown: "webhooks.yaml 中已没有该接收方"}

// Chinese is the failure's name, "" of none.
func (f Failure) Chinese() string { return failureNames[f] }

// Desk queues notices and keeps how they fared.
type Desk struct {
	db       *sqldb.DB
	settings *Settings
	plan     *incident.Plan
	resent   func()
}

// NewDesk makes the desk. The plan names scenarios and levels.
func NewDesk(db *sqldb.DB, settings *Settings, plan *incident.Plan) *Desk {
	return &Desk{db: db, settings: settings, plan: plan, resent: func() {}}
}

// Settings are what the desk was made with.
func (d *Desk) Settings() *Settings { return d.settings }

// OnResend says whom to tell that something is to be sent again, before any work begins. f must not wait.
func (d *Desk) OnResend(f func()) { d.resent = f }

// Queue queues a change of an incident for each endpoint that wants it, in the change's transaction (incident.Desk.Join).
func (d *Desk) Queue(ctx context.Context, tx *sqldb.Tx, c incident.Change) error {
	var queued []Delivery
	for i := range d.settings.Endpoints {
		e := &d.settings.Endpoints[i]
		if !e.Wants(&c) {
			continue
		}
		queued = append(queued, Delivery{ID: tx.NewID(), Endpoint: e.Name, IncidentID: c.Incident.ID, EntryID: c.Entry.ID, Number: c.Incident.Number, Event: eventOf(c.Entry.Kind),
			Body: body(&c, d.plan), State: Waiting, Version: 1, MadeAt: tx.Now, DueAt: tx.Now})
	}
	if len(queued) == 0 {
		return nil
	}
	if err := deliveries.Insert(ctx, tx, queued...); err != nil {
		return fmt.Errorf("queue a webhook: %w", err)
	}
	return nil
}

// mostDue is how many deliveries are sent in one round.
const mostDue = 200

// Due lists what is to be sent by now, the longest due first.
func (d *Desk) Due(ctx context.Context) ([]Delivery, error) {
	return deliveries.All(ctx, d.db, "WHERE state = 'WAITING' AND due_at <= ? ORDER BY due_at, id LIMIT ?", sqldb.At(d.db.Now()), mostDue)
}

// Outcome is how an attempt fared.
type Outcome struct {
	Answer  int           // the HTTP status; 0: none came
	Failure Failure       // "": it was taken
	Gone    bool          // the receiver wants no more of it
	Wait    time.Duration // the receiver asked to be left alone for so long
}

// Tried keeps how an attempt fared, and says what became of the delivery. spread, of [0, 1), moves the next attempt within the
// schedule's jitter, so that many that failed together do not come back together.
func (d *Desk) Tried(ctx context.Context, by string, x Delivery, o Outcome, spread float64) (State, error) {
	act, due := "deliver", x.DueAt
	if o.Failure != "" {
		wait, again := d.settings.Retry.after(x.Attempts+1, spread)
		if act = ""; !again || o.Gone {
			act = "give_up"
		}
		due = d.db.Now().Add(max(wait, min(o.Wait, mostAsked)))
	}
	state := x.State
	err := d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		state = x.State
		err := tx.UpdateAll(ctx, []sqldb.ID{x.ID}, "UPDATE webhook_deliveries SET attempts = attempts + 1, answer = ?, failure = ?, due_at = ?, tried_at = ?, version = version + 1 WHERE state = 'WAITING' AND version = ?",
			o.Answer, o.Failure, sqldb.At(due), sqldb.At(tx.Now), x.Version)
		if err != nil || act == "" {
			return err
		}
		next, err := Moves.Next(string(x.State), act)
		state = State(next)
		return errors.Join(err, tx.Move(ctx, sqldb.Move{Table: "webhook_deliveries", ID: x.ID, Version: x.Version + 1, From: string(x.State), To: next, Note: x.Endpoint + " " + string(o.Failure)}))
	})
	if errors.Is(err, sqldb.ErrStale) { // somebody has it sent again, or another replica was faster
		return x.State, nil
	}
	return state, err
}

// Resend has a delivery sent again, as it was: its attempts are counted anew.
func (d *Desk) Resend(ctx context.Context, by string, id sqldb.ID, version int64) (x Delivery, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if x, err = ByID(ctx, tx, id); err != nil {
			return err
		}
		next, err := Moves.Next(string(x.State), "resend")
		if err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "webhook_deliveries", ID: id, Version: version, From: string(x.State), To: next, Note: "重新发送"}); err != nil {
			return err
		}
		if err := tx.UpdateAll(ctx, []sqldb.ID{id}, "UPDATE webhook_deliveries SET attempts = 0, due_at = ? WHERE version = ?", sqldb.At(tx.Now), version+1); err != nil {
			return err
		}
		x, err = ByID(ctx, tx, id)
		return err
	})
	if err == nil {
		d.resent()
	}
	return x, err
}

// ByID reads one delivery; NotFound "delivery_unknown".
func ByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Delivery, error) {
	x, err := deliveries.One(ctx, r, "WHERE id = ?", id)
	if errors.Is(err, sqldb.ErrNone) {
		return x, deposit.Refuse(deposit.NotFound, "delivery_unknown", "没有这条外发通知")
	}
	return x, err
}

// Query asks for deliveries; an empty field asks for nothing.
type Query struct {
	State    State
	Endpoint string
	Number   string // of the incident
	Before   sqldb.ID
	Limit    int
}

// Page lists deliveries, the newest first, from the one after Before on; more says that there are others.
func (d *Desk) Page(ctx context.Context, q Query) (page []Delivery, more bool, err error) {
	at := sqldb.At(sqldb.Forever)
	if q.Before != 0 {
		last, err := ByID(ctx, d.db, q.Before)
		if err != nil {
			return nil, false, err
		}
		at = sqldb.At(last.MadeAt)
	}
	page, err = deliveries.All(ctx, d.db, "WHERE (? = '' OR state = ?) AND (? = '' OR endpoint = ?) AND (? = '' OR number = ?) AND (made_at < ? OR made_at = ? AND id < ?) ORDER BY made_at DESC, id DESC LIMIT ?",
		q.State, q.State, q.Endpoint, q.Endpoint, q.Number, q.Number, at, at, q.Before, q.Limit+1)
	if len(page) > q.Limit {
		return page[:q.Limit], true, err
	}
	return page, false, err
}
