package incident

import (
	"context"
	"errors"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Deadline is when an event of the plan's words is due: 投标截止时间, 解密截止时间, 开标时间, or 退付期限 of the refunds concerned.
type Deadline struct {
	Event string
	At    time.Time
}

// RefundDue is the event of the day by which refunds have to be paid, which the law names and the plan does not.
const RefundDue = "退付期限"

type deadlineRow struct {
	id       sqldb.ID
	incident sqldb.ID
	Deadline
}

var deadlines = sqldb.NewTable("incident_deadlines", "id, incident_id, event, at", func(r *deadlineRow) []any {
	return []any{&r.id, &r.incident, &r.Event, sqldb.Wall(&r.At)}
})

func checkDeadlines(all []Deadline) error {
	for k := range all {
		if err := checkText("event", &all[k].Event, mostOffice, true); err != nil {
			return err
		}
		if all[k].At.IsZero() {
			return deposit.Refuse(deposit.Invalid, "deadline_missing", "请写明“", all[k].Event, "”的时间")
		}
	}
	return nil
}

// keepDeadlines keeps when events are due; one that has moved, as with a postponed opening, moves here too.
func (d *Desk) keepDeadlines(ctx context.Context, tx *sqldb.Tx, i *Incident, all []Deadline) error {
	if len(all) == 0 {
		return nil
	}
	known, err := Deadlines(ctx, tx, i.ID)
	if err != nil {
		return err
	}
	for _, one := range all {
		one.At = one.At.Truncate(time.Millisecond)
		at := slices.IndexFunc(known, func(k Deadline) bool { return k.Event == one.Event })
		switch {
		case at < 0:
			err = deadlines.Insert(ctx, tx, deadlineRow{tx.NewID(), i.ID, one})
		case !known[at].At.Equal(one.At):
			var n int64
			n, err = tx.Exec(ctx, "UPDATE incident_deadlines SET at = ? WHERE incident_id = ? AND event = ? AND at = ?", sqldb.At(one.At), i.ID, one.Event, sqldb.At(known[at].At))
			if err == nil && n != 1 {
				err = sqldb.ErrStale
			}
		default:
			continue
		}
		if err == nil {
			err = d.tell(ctx, tx, i, Entry{Kind: EntryDeadline, Text: one.Event + "：" + deposit.Wall(one.At)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Deadlines lists an incident's, the nearest first.
func Deadlines(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]Deadline, error) {
	rows, err := deadlines.All(ctx, r, "WHERE incident_id = ? ORDER BY at, event", incident)
	all := make([]Deadline, len(rows))
	for k := range rows {
		all[k] = rows[k].Deadline
	}
	return all, err
}

// SetDeadlines lets a person say when events are due.
func (d *Desk) SetDeadlines(ctx context.Context, by, office string, incident sqldb.ID, all []Deadline) error {
	if len(all) == 0 {
		return deposit.Refuse(deposit.Invalid, "deadline_missing", "请写明时间节点")
	}
	if err := checkDeadlines(all); err != nil {
		return err
	}
	return d.act(ctx, by, office, incident, func(tx *sqldb.Tx, i *Incident, _ *Plan) error {
		if !i.Open() {
			return errClosed(i)
		}
		return d.keepDeadlines(ctx, tx, i, all)
	})
}

// Countdown is a limit that runs for a step, or for the incident.
type Countdown struct {
	Step  string // "" is the incident's own
	Limit string // the plan's id of it, or the event's name
	Text  string // the plan's words
	From  time.Time
	Until time.Time // zero: nobody has said when its event is
	Ended time.Time // when the step was done or the trouble over; zero: it runs
}

// Passed says whether the limit was, or is by now, not kept.
func (c *Countdown) Passed(now time.Time) bool {
	if !c.Ended.IsZero() {
		now = c.Ended
	}
	return !c.Until.IsZero() && now.After(c.Until)
}

// Countdowns lists the limits of an incident's steps that are in play. What the plan gives no beginning for (ambiguities A8,
// A10, A11) counts from the report, the strictest reading but for the trouble itself, whose beginning nobody may know.
func (p *Plan) Countdowns(i *Incident, all []StepState, due []Deadline) (running []Countdown) {
	s := p.Scenario(i.Scenario)
	for k := range all {
		state := &all[k]
		b, step := s.Step(state.Step)
		if step == nil || !i.Plays(b) {
			continue
		}
		for _, id := range step.Limits {
			l := p.Limit(id)
			c := Countdown{Step: state.Step, Limit: id, Text: l.Evidence, From: i.ReportedAt, Ended: state.EndedAt}
			switch l.Sense {
			case within:
				c.Until = c.From.Add(l.Length())
			case beforeEvent:
				if at := find(due, func(d *Deadline) bool { return d.Event == l.Event }); at != nil {
					c.Until = at.At
				}
			default: // lateAfterEvent judges deposits, and is no time to act in
				continue
			}
			running = append(running, c)
		}
	}
	if at := find(due, func(d *Deadline) bool { return d.Event == RefundDue }); at != nil {
		running = append(running, Countdown{Limit: RefundDue, Text: RefundDue, From: i.ReportedAt, Until: at.At, Ended: i.NoticeEndAt})
	}
	return running
}

// NextLevel is the limit until the plan's letter gives the trouble another level, should it last; its Until is zero where it gives none.
func (p *Plan) NextLevel(i *Incident, now time.Time) Countdown {
	return Countdown{Limit: "level", Text: "建议级别将变化", From: i.BeganAt, Until: p.Suggest(i.Scope, i.BeganAt, now).Next}
}

// Nearest tells, of each of some incidents that are open, the limit that ends first of those that run: a step's, that of the
// refunds, or the next level's. One that has passed stays the nearest; an incident that no limit runs for is not there.
func (d *Desk) Nearest(ctx context.Context, some []Incident) (map[sqldb.ID]Countdown, error) {
	states, due := map[sqldb.ID][]StepState{}, map[sqldb.ID][]Deadline{}
	ids := make([]sqldb.ID, len(some))
	for k := range some {
		ids[k] = some[k].ID
	}
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		walked, err := steps.All(ctx, d.db, "WHERE incident_id IN "+in+" ORDER BY incident_id, step", args...)
		if err != nil {
			return err
		}
		for _, s := range walked {
			states[s.IncidentID] = append(states[s.IncidentID], s)
		}
		rows, err := deadlines.All(ctx, d.db, "WHERE incident_id IN "+in+" ORDER BY incident_id, at, event", args...)
		for _, r := range rows {
			due[r.incident] = append(due[r.incident], r.Deadline)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	nearest := map[sqldb.ID]Countdown{}
	for k := range some {
		i := &some[k]
		p, err := d.planOf(ctx, d.db, i)
		if err != nil {
			return nil, err
		}
		if c := p.nearest(i, states[i.ID], due[i.ID], d.db.Now()); i.Open() && !c.Until.IsZero() {
			nearest[i.ID] = c
		}
	}
	return nearest, nil
}

// nearest is the limit that ends first; its Until is zero where none runs.
func (p *Plan) nearest(i *Incident, all []StepState, due []Deadline, now time.Time) (first Countdown) {
	for _, c := range append(p.Countdowns(i, all, due), p.NextLevel(i, now)) {
		if c.Ended.IsZero() && !c.Until.IsZero() && (first.Until.IsZero() || c.Until.Before(first.Until)) {
			first = c
		}
	}
	return first
}

func errClosed(i *Incident) error {
	return deposit.Refuse(deposit.Conflict, "incident_closed", "事件", i.State.Chinese(), "，不能再做此操作")
}

func noStep(key string) error {
	return deposit.Refuse(deposit.Invalid, "step_unknown", "该情形没有步骤 ", key)
}

func noBranch(s *Scenario) error {
	text := ""
	for _, b := range s.Branches {
		if b.Kind != branchMain {
			text += "；" + b.ID + " " + b.Title
		}
	}
	if text == "" {
		return deposit.Refuse(deposit.Invalid, "branch_unknown", "情形 ", s.ID, " 没有可选的方案")
	}
	return deposit.Refuse(deposit.Invalid, "branch_unknown", "情形 ", s.ID, " 没有这个方案，可选", text)
}

// unknownStep is what a step's row comes to that is not there.
func unknownStep(err error, key string) error {
	if errors.Is(err, sqldb.ErrNone) {
		return noStep(key)
	}
	return err
}
