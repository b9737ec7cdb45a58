package incident

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Record is an incident with all that is on record of it.
type Record struct {
	Incident
	Plan       *Plan // that it was opened under
	Now        time.Time
	Suggestion Suggestion
	Pending    []Pending
	Signatures []Signature
	Steps      []StepView
	Countdowns []Countdown
	Deadlines  []Deadline
	Exhibits   []Exhibit
	Timeline   []Entry
	Backfills  []Backfill
	Actions    []Action
}

// StepView is a step of the plan with how far it has come.
type StepView struct {
	StepState
	Branch *Branch
	Plan   *Step
	Plays  bool // its branch is the main one, or the one that was chosen
}

// Record reads all that is on record of an incident.
func (d *Desk) Record(ctx context.Context, id sqldb.ID) (*Record, error) {
	i, err := ByID(ctx, d.db, id)
	if err != nil {
		return nil, err
	}
	r := &Record{Incident: i, Now: d.db.Now()}
	if r.Plan, err = d.planOf(ctx, d.db, &i); err != nil {
		return nil, err
	}
	states, err := StepsOf(ctx, d.db, id)
	if err != nil {
		return nil, err
	}
	for _, read := range []func() error{
		func() (err error) { r.Signatures, err = Signatures(ctx, d.db, id); return },
		func() (err error) { r.Deadlines, err = Deadlines(ctx, d.db, id); return },
		func() (err error) { r.Exhibits, err = Exhibits(ctx, d.db, id); return },
		func() (err error) { r.Timeline, err = Timeline(ctx, d.db, id, 0); return },
		func() (err error) { r.Backfills, err = Backfills(ctx, d.db, id); return },
		func() (err error) { r.Actions, err = Actions(ctx, d.db, id); return },
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	r.Steps = r.Plan.stepViews(&i, states)
	r.Suggestion = r.Plan.Suggest(i.Scope, i.BeganAt, i.Until(r.Now))
	r.Countdowns = r.Plan.Countdowns(&i, states, r.Deadlines)
	r.Pending = d.pending(&i, r.Plan, r.Signatures)
	return r, nil
}

// Until is when the trouble ended, or now.
func (i *Incident) Until(now time.Time) time.Time {
	switch {
	case !i.NoticeEndAt.IsZero():
		return i.NoticeEndAt
	case !i.DismissedAt.IsZero():
		return i.DismissedAt
	}
	return now
}

// stepViews puts the plan's steps and how far they have come together, in the plan's order.
func (p *Plan) stepViews(i *Incident, states []StepState) (all []StepView) {
	s := p.Scenario(i.Scenario)
	for k := range s.Branches {
		b := &s.Branches[k]
		for j := range b.Steps {
			step := &b.Steps[j]
			all = append(all, StepView{StepState: *stepAt(states, s.Key(b, step)), Branch: b, Plan: step, Plays: i.Plays(b)})
		}
	}
	return all
}

// Query narrows a list of incidents.
type Query struct {
	Scenario, Level, Department, Bank, Code string
	State                                   State
	Source                                  Source
	Open                                    bool     // only those that are
	Drill                                   *bool    // nil: both
	Within                                  []string // departments: of incidents about a lot only theirs; nil: all
	After                                   string
	Limit                                   int
}

// mostPage is how many a page holds at most.
const mostPage = 200

// List lists incidents, the newest report first, a page at a time; next is the cursor of the page after, "" at the end.
func (d *Desk) List(ctx context.Context, q Query) (page []Incident, next string, err error) {
	if q.Limit <= 0 || q.Limit > mostPage {
		q.Limit = mostPage
	}
	var where []string
	var args []any
	only := func(wanted bool, text string, values ...any) {
		if wanted {
			where, args = append(where, text), append(args, values...)
		}
	}
	only(q.Scenario != "", "scenario = ?", q.Scenario)
	only(q.Level != "", "level = ?", q.Level)
	only(q.Department != "", "department = ?", q.Department)
	only(q.Bank != "", "bank = ?", q.Bank)
	only(q.Code != "", "code = ?", q.Code)
	only(q.State != "", "state = ?", q.State)
	only(q.Source != "", "source = ?", q.Source)
	only(q.Open, "closed_as = 0")
	if q.Drill != nil {
		only(true, "drill = ?", *q.Drill)
	}
	if len(q.Within) > 0 {
		args = append(args, toAny(q.Within)...)
		where = append(where, "(lot_id = 0 OR department IN "+sqldb.In(len(q.Within))+")")
	}
	if q.After != "" {
		at, id, err := readCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		only(true, "(reported_at < ? OR reported_at = ? AND id < ?)", at, at, id)
	}
	tail := "ORDER BY reported_at DESC, id DESC LIMIT ?"
	if len(where) > 0 {
		tail = "WHERE " + strings.Join(where, " AND ") + " " + tail
	}
	page, err = incidents.All(ctx, d.db, tail, append(args, q.Limit+1)...)
	if err != nil || len(page) <= q.Limit {
		return page, "", err
	}
	page = page[:q.Limit]
	last := &page[q.Limit-1]
	return page, base64.RawURLEncoding.EncodeToString([]byte(sqldb.At(last.ReportedAt) + "|" + last.ID.String())), nil
}

func toAny(texts []string) []any {
	all := make([]any, len(texts))
	for k, text := range texts {
		all[k] = text
	}
	return all
}

// Seen says whether those of some departments see an incident: one about a lot is its department's; nil is everybody.
func (i *Incident) Seen(within []string) bool {
	return within == nil || i.LotID == 0 || slices.Contains(within, i.Department)
}

// readCursor reads what List gave.
func readCursor(cursor string) (at string, id sqldb.ID, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	at, key, ok := strings.Cut(string(raw), "|")
	if err == nil {
		id, err = sqldb.ParseID(key)
	}
	if _, wrong := deposit.ParseWall(strings.TrimSuffix(at, at[min(len(at), len(deposit.WallTime)):])); err != nil || wrong != nil || !ok || id == 0 {
		return "", 0, deposit.Refuse(deposit.Invalid, "cursor_malformed", "cursor 应为上一页返回的 next，请从第一页重新开始")
	}
	return at, id, nil
}
