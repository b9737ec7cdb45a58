package incident

import (
	"context"
	"fmt"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// StepState is how far a step of the plan has come.
type StepState struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Step       string // 4.6.3/2/2.1
	State      string
	Version    int64
	Person     string // who took its last move
	Office     string
	Text       string // the outcome, or why it is skipped
	StartedAt  time.Time
	EndedAt    time.Time
}

var steps = sqldb.NewTable("incident_steps", "id, incident_id, step, state, version, person, office, sealed, started_at, ended_at", func(s *StepState) []any {
	return []any{&s.ID, &s.IncidentID, &s.Step, &s.State, &s.Version, &s.Person, &s.Office, s.sealed(), sqldb.Wall(&s.StartedAt), sqldb.Wall(&s.EndedAt)}
})

// sealed is the column incident_steps.sealed, as a field of a query; the ID has to stand before it.
func (s *StepState) sealed() any { return sqldb.SealedIfAny("incident_steps", &s.ID, &s.Text) }

// The states of a step.
const (
	StepOpen    = "OPEN"
	StepStarted = "STARTED"
	StepDone    = "DONE"
	StepSkipped = "SKIPPED"
)

// StepMoves is how a step's state changes.
var StepMoves = deposit.Machine{
	"OPEN":    {"start": "STARTED", "finish": "DONE", "skip": "SKIPPED"},
	"STARTED": {"finish": "DONE", "skip": "SKIPPED"},
	"DONE":    {"reopen": "OPEN"},
	"SKIPPED": {"reopen": "OPEN"},
}

var stepNames = map[string]string{StepOpen: "未开始", StepStarted: "进行中", StepDone: "已完成", StepSkipped: "已跳过"}

// StepStateName is a step's state for people, "" of none.
func StepStateName(state string) string { return stepNames[state] }

// stepsOf are the rows of a scenario's steps, all open.
func stepsOf(tx *sqldb.Tx, incident sqldb.ID, s *Scenario) (all []StepState) {
	for k := range s.Branches {
		b := &s.Branches[k]
		for j := range b.Steps {
			all = append(all, StepState{ID: tx.NewID(), IncidentID: incident, Step: s.Key(b, &b.Steps[j]), State: StepOpen, Version: 1})
		}
	}
	return all
}

// StepsOf lists how far an incident's steps have come.
func StepsOf(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]StepState, error) {
	return steps.All(ctx, r, "WHERE incident_id = ? ORDER BY step", incident)
}

// Used is the time between a step's start and its end, or now.
func (s *StepState) Used(now time.Time) time.Duration {
	if s.StartedAt.IsZero() {
		return 0
	}
	if !s.EndedAt.IsZero() {
		now = s.EndedAt
	}
	return now.Sub(s.StartedAt)
}

func (s *StepState) ended() bool { return s.State == StepDone || s.State == StepSkipped }

// Plays says whether a branch's steps are to be done: it is the main one, or the one that was chosen.
func (i *Incident) Plays(b *Branch) bool { return b.Kind == branchMain || b.ID == i.Branch }

// Choose takes a branch of the scenario, or another one than before: what was done in that one stays on record.
func (d *Desk) Choose(ctx context.Context, by, office string, incident sqldb.ID, version int64, branch string) (i Incident, err error) {
	err = d.act(ctx, by, office, incident, func(tx *sqldb.Tx, now *Incident, p *Plan) error {
		s := p.Scenario(now.Scenario)
		b := s.Branch(branch)
		switch {
		case b == nil || b.Kind == branchMain:
			return noBranch(s)
		case now.State == Reviewed || now.State == Dismissed:
			return errClosed(now)
		case now.Branch == branch:
			i = *now
			return nil
		}
		if now.Version != version {
			return errChanged()
		}
		n, err := tx.Exec(ctx, "UPDATE incidents SET branch = ?, version = version + 1 WHERE id = ? AND version = ?", branch, now.ID, version)
		if err == nil && n != 1 {
			err = sqldb.ErrStale
		}
		if err != nil {
			return err
		}
		now.Branch, now.Version = branch, version+1
		err = d.tell(ctx, tx, now, Entry{Kind: EntryBranch, Office: office, Text: "选择 " + b.Title})
		i = *now
		return err
	})
	return i, err
}

// StepAct is what a person does with a step.
type StepAct struct {
	Incident sqldb.ID
	Step     string
	Version  int64  // of the step, as it was seen
	Act      string // start, finish, skip, reopen
	Text     string // the outcome; why it is skipped or opened again, which must be said
}

// MoveStep takes a step of the checklist one move. In a branch whose steps follow each other (sequential) those before have to be
// ended; alternatives may be done in any order.
func (d *Desk) MoveStep(ctx context.Context, by, office string, a StepAct) (s StepState, err error) {
	if err := checkText("text", &a.Text, mostText, a.Act == "skip" || a.Act == "reopen"); err != nil {
		return s, err
	}
	err = d.act(ctx, by, office, a.Incident, func(tx *sqldb.Tx, i *Incident, p *Plan) error {
		if s, err = steps.One(ctx, tx, "WHERE incident_id = ? AND step = ?", i.ID, a.Step); err != nil {
			return unknownStep(err, a.Step)
		}
		if i.State == Reviewed || i.State == Dismissed {
			return errClosed(i)
		}
		if s.Version == a.Version+1 && s.Person == by && s.Text == a.Text && leadsTo(StepMoves, a.Act, s.State) {
			return nil // said again
		}
		next, err := StepMoves.Next(s.State, a.Act)
		if err != nil {
			return err
		}
		if err := inOrder(ctx, tx, i, p.Scenario(i.Scenario), a); err != nil {
			return err
		}
		if s.Version != a.Version {
			return errChanged()
		}
		if s, err = moveStep(ctx, tx, s, next, office, a.Text); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryStep, Office: office, Text: describeStep(&s)})
	})
	return s, err
}

// leadsTo says whether an act leads to a state from anywhere.
func leadsTo(m deposit.Machine, act, state string) bool {
	for _, acts := range m {
		if acts[act] == state {
			return true
		}
	}
	return false
}

func describeStep(s *StepState) string {
	text := "步骤 " + s.Step + " " + stepNames[s.State]
	if s.Text != "" {
		text += "：" + s.Text
	}
	if s.State == StepDone {
		text += fmt.Sprintf("（用时 %s）", Lasted(s.Used(s.EndedAt)))
	}
	return text
}

// moveStep writes a step's next state with who, when and what.
func moveStep(ctx context.Context, tx *sqldb.Tx, s StepState, next, office, text string) (StepState, error) {
	if err := tx.Move(ctx, sqldb.Move{Table: "incident_steps", ID: s.ID, Version: s.Version, From: s.State, To: next, Note: clip(s.Step+" "+text, mostWhy)}); err != nil {
		return s, err
	}
	s.State, s.Version, s.Person, s.Office, s.Text = next, s.Version+1, tx.By, office, text
	if s.StartedAt.IsZero() {
		s.StartedAt = tx.Now
	}
	s.EndedAt = time.Time{}
	if s.ended() {
		s.EndedAt = tx.Now
	}
	n, err := tx.Exec(ctx, "UPDATE incident_steps SET person = ?, office = ?, sealed = ?, started_at = ?, ended_at = ? WHERE id = ? AND version = ?",
		s.Person, s.Office, s.sealed(), sqldb.At(s.StartedAt), sqldb.At(s.EndedAt), s.ID, s.Version)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	return s, err
}

// inOrder refuses a step whose branch was not chosen, and one whose turn it is not.
func inOrder(ctx context.Context, r sqldb.Reader, i *Incident, s *Scenario, a StepAct) error {
	b, step := s.Step(a.Step)
	if step == nil {
		return noStep(a.Step)
	}
	if !i.Plays(b) {
		return deposit.Refuse(deposit.Conflict, "branch_not_chosen", "尚未选择 ", b.Title, "，请先选择方案")
	}
	if a.Act == "reopen" || b.Relation == alternative {
		return nil
	}
	all, err := StepsOf(ctx, r, i.ID)
	if err != nil {
		return err
	}
	if open := s.waiting(b, all, step); len(open) > 0 {
		return deposit.Refuse(deposit.Conflict, "step_out_of_order", "请先完成或跳过步骤 ", strings.Join(open, "、"))
	}
	return nil
}

// waiting lists what of a branch has to be ended before one of its steps, or in all where before is nil. Of alternatives one
// that is ended is enough, and none waits for another.
func (s *Scenario) waiting(b *Branch, all []StepState, before *Step) (open []string) {
	var choices []string
	chosen := false
	for j := range b.Steps {
		step := &b.Steps[j]
		if step == before {
			break
		}
		key := s.Key(b, step)
		ended := stepAt(all, key).ended()
		switch optional := b.Relation == alternative || step.AlternativeAfter != ""; {
		case optional && ended:
			chosen = true
		case optional:
			choices = append(choices, key)
		case !ended:
			open = append(open, key)
		}
	}
	if waits := before == nil || before.AlternativeAfter == ""; waits && !chosen && len(choices) > 0 {
		open = append(open, strings.Join(choices, " 或 "))
	}
	return open
}

func stepAt(all []StepState, key string) *StepState {
	if s := find(all, func(one *StepState) bool { return one.Step == key }); s != nil {
		return s
	}
	return &StepState{Step: key, State: StepOpen}
}

// answer marks a step done that the service could check by itself.
func (d *Desk) answer(ctx context.Context, tx *sqldb.Tx, i *Incident, w whole) error {
	s, err := steps.One(ctx, tx, "WHERE incident_id = ? AND step = ?", i.ID, w.Step)
	if err != nil {
		return unknownStep(err, w.Step)
	}
	if s.ended() {
		return nil
	}
	if s, err = moveStep(ctx, tx, s, StepDone, "", clip("本服务核查："+w.Text, mostText)); err != nil {
		return err
	}
	return d.tell(ctx, tx, i, Entry{Kind: EntryStep, Text: describeStep(&s)})
}

// unended lists the steps in play that are neither done nor skipped.
func (p *Plan) unended(i *Incident, all []StepState) (open []string) {
	s := p.Scenario(i.Scenario)
	for k := range s.Branches {
		if b := &s.Branches[k]; i.Plays(b) {
			open = append(open, s.waiting(b, all, nil)...)
		}
	}
	return open
}
