package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Backfill says which data of the emergency was entered afterwards (应急阶段数据补录).
type Backfill struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Text       string // what was entered, and from which papers
	Records    int64
	Person     string
	Office     string
	From, To   time.Time // of the data
	At         time.Time
}

var backfills = sqldb.NewTable("incident_backfills", "id, incident_id, sealed, records, person, office, from_time, to_time, at", func(b *Backfill) []any {
	return []any{&b.ID, &b.IncidentID, sqldb.Sealed("incident_backfills", &b.ID, &b.Text), &b.Records, &b.Person, &b.Office, sqldb.Wall(&b.From), sqldb.Wall(&b.To), sqldb.Wall(&b.At)}
})

// Backfills lists an incident's, in their order.
func Backfills(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]Backfill, error) {
	return backfills.All(ctx, r, "WHERE incident_id = ? ORDER BY at, id", incident)
}

// Enter records that data was backfilled. The same data by the same person is the same record.
func (d *Desk) Enter(ctx context.Context, by string, b Backfill) (Backfill, error) {
	if err := checkText("text", &b.Text, mostText, true); err != nil {
		return b, err
	}
	if b.Records < 0 || b.To.Before(b.From) {
		return b, deposit.Refuse(deposit.Invalid, "backfill_malformed", "补录笔数不能为负，数据的起止时间须先后有序")
	}
	err := d.act(ctx, by, b.Office, b.IncidentID, func(tx *sqldb.Tx, i *Incident, _ *Plan) error {
		if i.State != Activated && i.State != Recovered {
			return deposit.Refuse(deposit.Conflict, "state_forbids", "预案启动后、事件回顾前才登记补录，当前为", i.State.Chinese())
		}
		before, err := backfills.All(ctx, tx, "WHERE incident_id = ? AND person = ? AND records = ? AND from_time = ? AND to_time = ? ORDER BY id", i.ID, by, b.Records, sqldb.At(b.From), sqldb.At(b.To))
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(before, func(old Backfill) bool { return old.Text == b.Text }); at >= 0 {
			b = before[at]
			return nil
		}
		b.ID, b.Person, b.At = tx.NewID(), by, tx.Now
		if err := backfills.Insert(ctx, tx, b); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryBackfill, Office: b.Office, Text: fmt.Sprintf("补录 %d 笔：%s", b.Records, b.Text)})
	})
	return b, err
}

// Action is what a review asks somebody to do.
type Action struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Text       string
	Owner      string // a person or a party
	DueOn      deposit.Day
	State      string
	Version    int64
	Outcome    string
	MadeBy     string
	MadeAt     time.Time
	EndedAt    time.Time
}

var actions = sqldb.NewTable("incident_actions", "id, incident_id, sealed, owner, due_on, state, version, made_by, made_at, ended_at", func(a *Action) []any {
	return []any{&a.ID, &a.IncidentID, a.sealed(), &a.Owner, &a.DueOn, &a.State, &a.Version, &a.MadeBy, sqldb.Wall(&a.MadeAt), sqldb.Wall(&a.EndedAt)}
})

// sealed is the column incident_actions.sealed, as a field of a query; the ID has to stand before it.
func (a *Action) sealed() any { return sqldb.Sealed("incident_actions", &a.ID, &a.Text, &a.Outcome) }

// ActionMoves is how an action's state changes.
var ActionMoves = deposit.Machine{
	"OPEN":    {"finish": "DONE", "drop": "DROPPED"},
	"DONE":    {"reopen": "OPEN"},
	"DROPPED": {"reopen": "OPEN"},
}

var actionNames = map[string]string{"OPEN": "待办", "DONE": "已完成", "DROPPED": "已取消"}

// ActionStateName is an action's state for people, "" of none.
func ActionStateName(state string) string { return actionNames[state] }

// Actions lists an incident's, the soonest due first.
func Actions(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]Action, error) {
	return actions.All(ctx, r, "WHERE incident_id = ? ORDER BY due_on, id", incident)
}

// Ask adds an action to an incident. The same text for the same owner is the same action.
func (d *Desk) Ask(ctx context.Context, by, office string, a Action) (Action, error) {
	if err := errors.Join(checkText("text", &a.Text, mostText, true), checkText("owner", &a.Owner, mostPerson, true)); err != nil {
		return a, err
	}
	err := d.act(ctx, by, office, a.IncidentID, func(tx *sqldb.Tx, i *Incident, _ *Plan) error {
		if i.State == Dismissed {
			return errClosed(i)
		}
		before, err := actions.All(ctx, tx, "WHERE incident_id = ? AND owner = ? ORDER BY id", i.ID, a.Owner)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(before, func(old Action) bool { return old.Text == a.Text }); at >= 0 {
			a = before[at]
			return nil
		}
		a.ID, a.State, a.Version, a.MadeBy, a.MadeAt = tx.NewID(), "OPEN", 1, by, tx.Now
		if err := actions.Insert(ctx, tx, a); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryAction, Office: office, Text: fmt.Sprintf("整改：%s（责任人 %s，%s 前）", a.Text, a.Owner, a.DueOn)})
	})
	return a, err
}

// MoveAction finishes, drops or reopens an action, with what came of it.
func (d *Desk) MoveAction(ctx context.Context, by, office string, m Action, act string) (a Action, err error) {
	if err := checkText("outcome", &m.Outcome, mostText, true); err != nil {
		return a, err
	}
	err = d.act(ctx, by, office, m.IncidentID, func(tx *sqldb.Tx, i *Incident, _ *Plan) error {
		a, err = actions.One(ctx, tx, "WHERE incident_id = ? AND id = ?", i.ID, m.ID)
		if errors.Is(err, sqldb.ErrNone) {
			return deposit.Refuse(deposit.NotFound, "action_unknown", "该事件没有这个整改事项")
		}
		if err != nil {
			return err
		}
		if a.Version == m.Version+1 && a.Outcome == m.Outcome && leadsTo(ActionMoves, act, a.State) {
			return nil // said again
		}
		next, err := ActionMoves.Next(a.State, act)
		if err != nil {
			return err
		}
		if a.Version != m.Version {
			return errChanged()
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "incident_actions", ID: a.ID, Version: a.Version, From: a.State, To: next, Note: clip(m.Outcome, mostWhy)}); err != nil {
			return err
		}
		a.State, a.Version, a.Outcome, a.EndedAt = next, a.Version+1, m.Outcome, time.Time{}
		if next != "OPEN" {
			a.EndedAt = tx.Now
		}
		n, err := tx.Exec(ctx, "UPDATE incident_actions SET sealed = ?, ended_at = ? WHERE id = ? AND version = ?", a.sealed(), sqldb.At(a.EndedAt), a.ID, a.Version)
		if err == nil && n != 1 {
			err = sqldb.ErrStale
		}
		if err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryAction, Office: office, Text: actionNames[next] + "：" + a.Text + "；" + a.Outcome})
	})
	return a, err
}

// Note adds a person's words to the timeline. The same words of the same person are there once.
func (d *Desk) Note(ctx context.Context, by, office string, incident sqldb.ID, text string) error {
	if err := checkText("text", &text, mostText, true); err != nil {
		return err
	}
	return d.act(ctx, by, office, incident, func(tx *sqldb.Tx, i *Incident, _ *Plan) error {
		before, err := timeline.All(ctx, tx, "WHERE incident_id = ? AND kind = ? AND person = ? ORDER BY seq", i.ID, EntryNote, by)
		if err != nil || slices.ContainsFunc(before, func(e Entry) bool { return e.Text == text }) {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryNote, Office: office, Text: text})
	})
}
