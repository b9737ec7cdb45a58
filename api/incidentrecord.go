package api

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/incident"
)

// IncidentRecord is an incident with all that is on record of it.
type IncidentRecord struct {
	Incident
	Suggestion IncidentSuggestion  `json:"suggestion"`
	Fault      *IncidentFault      `json:"fault,omitempty"`
	Pending    []IncidentPending   `json:"pending"`
	Signatures []IncidentSignature `json:"signatures"`
	Branches   []IncidentBranch    `json:"branches"`
	Steps      []IncidentStep      `json:"steps"`
	Limits     []IncidentLimit     `json:"limits"`
	Deadlines  []IncidentDeadline  `json:"deadlines"`
	Evidence   []IncidentEvidence  `json:"evidence"`
	Timeline   []IncidentEntry     `json:"timeline"`
	Backfills  []IncidentBackfill  `json:"backfills"`
	Actions    []IncidentAction    `json:"actions"`
}

type (
	// IncidentSuggestion is the level by the plan's letter at this moment; with Gap the plan has none.
	IncidentSuggestion struct {
		Level     string     `json:"level"`
		LevelName string     `json:"level_name"`
		Why       string     `json:"why"`
		Gap       bool       `json:"gap"`
		NextAt    *time.Time `json:"next_at,omitempty"` // when another level begins if the trouble lasts
	}
	// IncidentFault is where the fault lies, with the facts for it and against it.
	IncidentFault struct {
		Side     incident.Side `json:"side"`
		SideName string        `json:"side_name"`
		For      []string      `json:"for"`
		Against  []string      `json:"against"`
	}
	// Office is a party of the plan.
	Office struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	// IncidentPending is an act that may be signed now: by all of the offices, or by any one of them; of none, by anybody.
	IncidentPending struct {
		Act     incident.Act `json:"act"`
		ActName string       `json:"act_name"`
		All     bool         `json:"all"`
		Offices []Office     `json:"offices"`
		Missing []Office     `json:"missing"`
	}
	// IncidentSignature is one confirmation, declaration or decision.
	IncidentSignature struct {
		Act        incident.Act `json:"act"`
		ActName    string       `json:"act_name"`
		Level      string       `json:"level"`
		LevelName  string       `json:"level_name"`
		Person     string       `json:"person"`
		Office     string       `json:"office"`
		OfficeName string       `json:"office_name"`
		Text       string       `json:"text"`
		HappenedAt time.Time    `json:"happened_at"`
		SignedAt   time.Time    `json:"signed_at"`
	}
	// IncidentBranch is a branch of the scenario.
	IncidentBranch struct {
		ID       string `json:"id"`
		Kind     string `json:"kind"`
		Title    string `json:"title"`
		Relation string `json:"relation"`
		Plays    bool   `json:"plays"`
	}
	// IncidentStep is a step of the plan with how far it has come.
	IncidentStep struct {
		Key              string     `json:"key"`
		Branch           string     `json:"branch"`
		Plays            bool       `json:"plays"` // its branch is the main one or the chosen one
		Text             string     `json:"text"`
		OwnerText        string     `json:"owner_text"`
		Owners           []Office   `json:"owners"`
		HelperText       string     `json:"helper_text"`
		Helpers          []Office   `json:"helpers"`
		AlternativeAfter string     `json:"alternative_after"`
		State            string     `json:"state"`
		StateName        string     `json:"state_name"`
		Version          int64      `json:"version"`
		Person           string     `json:"person"`
		OfficeName       string     `json:"office_name"`
		Outcome          string     `json:"outcome"`
		StartedAt        *time.Time `json:"started_at,omitempty"`
		EndedAt          *time.Time `json:"ended_at,omitempty"`
		Used             int64      `json:"used_seconds"`
	}
	// IncidentLimit is a limit that runs, or has ended.
	IncidentLimit struct {
		Step    string     `json:"step"`
		Limit   string     `json:"limit"`
		Text    string     `json:"text"`
		From    time.Time  `json:"from"`
		Until   *time.Time `json:"until,omitempty"` // not there: nobody has said when its event is
		EndedAt *time.Time `json:"ended_at,omitempty"`
		Left    *int64     `json:"left_seconds,omitempty"` // while it runs; below zero once it has passed
		Passed  bool       `json:"passed"`
	}
	// IncidentDeadline is when an event of the plan's words is due.
	IncidentDeadline struct {
		Event string    `json:"event"`
		At    time.Time `json:"at"`
	}
	// IncidentEvidence is what was found out.
	IncidentEvidence struct {
		ID        sqldb.ID              `json:"id"`
		Step      string                `json:"step"`
		Kind      incident.EvidenceKind `json:"kind"`
		Text      string                `json:"text"`
		Numbers   []incident.Number     `json:"numbers,omitempty"`
		Name      string                `json:"name"`
		MediaType string                `json:"media_type"`
		Size      int64                 `json:"size"`
		SHA256    string                `json:"sha256"`
		Person    string                `json:"person"`
		At        time.Time             `json:"at"`
		Version   int64                 `json:"version"`
	}
	// IncidentBackfill says which data was entered afterwards.
	IncidentBackfill struct {
		Text       string    `json:"text"`
		Records    int64     `json:"records"`
		Person     string    `json:"person"`
		OfficeName string    `json:"office_name"`
		From       time.Time `json:"from"`
		To         time.Time `json:"to"`
		At         time.Time `json:"at"`
	}
	// IncidentAction is what the review asks somebody to do.
	IncidentAction struct {
		ID        sqldb.ID   `json:"id"`
		Text      string     `json:"text"`
		Owner     string     `json:"owner"`
		DueOn     string     `json:"due_on"`
		State     string     `json:"state"`
		StateName string     `json:"state_name"`
		Version   int64      `json:"version"`
		Outcome   string     `json:"outcome"`
		MadeBy    string     `json:"made_by"`
		MadeAt    time.Time  `json:"made_at"`
		EndedAt   *time.Time `json:"ended_at,omitempty"`
	}
)

// incidentRecord reads all that is on record of an incident.
func (s *server) incidentRecord(ctx context.Context, id sqldb.ID) (*IncidentRecord, error) {
	r, err := s.Incident.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.recordTold(ctx, r)
}

func (s *server) recordTold(ctx context.Context, r *incident.Record) (*IncidentRecord, error) {
	told, err := s.incidentsOf(ctx, []incident.Incident{r.Incident})
	if err != nil {
		return nil, err
	}
	lot := told[0].Lot
	out := &IncidentRecord{Incident: incidentOf(&r.Incident, r.Plan, lot), Timeline: entriesOf(r.Timeline, r.Plan),
		Suggestion: IncidentSuggestion{r.Suggestion.Level, r.Plan.LevelName(r.Suggestion.Level), r.Suggestion.Why, r.Suggestion.Gap, inShanghaiIf(r.Suggestion.Next)},
		Pending:    toldOf(r.Pending, func(p incident.Pending) IncidentPending { return pendingOf(p, r.Plan) }),
		Signatures: toldOf(r.Signatures, func(x incident.Signature) IncidentSignature { return signatureOf(x, r.Plan) }),
		Steps:      toldOf(r.Steps, func(x incident.StepView) IncidentStep { return stepOf(&x, r.Plan, r.Now) }),
		Limits:     toldOf(r.Countdowns, func(x incident.Countdown) IncidentLimit { return limitOf(x, r.Now) }),
		Deadlines:  toldOf(r.Deadlines, func(x incident.Deadline) IncidentDeadline { return IncidentDeadline{x.Event, inShanghai(x.At)} }),
		Evidence:   toldOf(r.Exhibits, evidenceOf),
		Backfills:  toldOf(r.Backfills, func(x incident.Backfill) IncidentBackfill { return backfillOf(x, r.Plan) }),
		Actions:    toldOf(r.Actions, actionOf)}
	scenario := r.Plan.Scenario(r.Scenario)
	for i := range scenario.Branches {
		b := &scenario.Branches[i]
		out.Branches = append(out.Branches, IncidentBranch{b.ID, b.Kind, b.Title, b.Relation, r.Plays(b)})
	}
	if f := r.Fault(); f != nil {
		out.Fault = &IncidentFault{f.Side, f.Side.Chinese(), append([]string{}, f.For...), append([]string{}, f.Against...)}
	}
	return out, nil
}

// toldOf tells each of a list; an empty one is [] in JSON.
func toldOf[A, B any](all []A, tell func(A) B) []B {
	told := make([]B, len(all))
	for i := range all {
		told[i] = tell(all[i])
	}
	return told
}

func officesOf(ids []string, p *incident.Plan) []Office {
	return toldOf(ids, func(id string) Office { return Office{id, p.PartyName(id)} })
}

func pendingOf(x incident.Pending, p *incident.Plan) IncidentPending {
	return IncidentPending{x.Act, x.Act.Chinese(), x.All, officesOf(x.Wanted, p), officesOf(x.Missing, p)}
}

func signatureOf(x incident.Signature, p *incident.Plan) IncidentSignature {
	return IncidentSignature{x.Act, x.Act.Chinese(), x.Level, p.LevelName(x.Level), x.Person, x.Office, p.PartyName(x.Office), x.Text, inShanghai(x.HappenedAt), inShanghai(x.SignedAt)}
}

func stepOf(x *incident.StepView, p *incident.Plan, now time.Time) IncidentStep {
	return IncidentStep{Key: x.Step, Branch: x.Branch.ID, Plays: x.Plays, Text: x.Plan.Text, OwnerText: x.Plan.OwnerRaw, Owners: officesOf(x.Plan.Owners, p), HelperText: x.Plan.HelperRaw,
		Helpers: officesOf(x.Plan.Helpers, p), AlternativeAfter: x.Plan.AlternativeAfter, State: x.State, StateName: incident.StepStateName(x.State), Version: x.Version, Person: x.Person,
		OfficeName: p.PartyName(x.Office), Outcome: x.Text, StartedAt: inShanghaiIf(x.StartedAt), EndedAt: inShanghaiIf(x.EndedAt), Used: int64(x.Used(now).Seconds())}
}

func limitOf(x incident.Countdown, now time.Time) IncidentLimit {
	l := IncidentLimit{Step: x.Step, Limit: x.Limit, Text: x.Text, From: inShanghai(x.From), Until: inShanghaiIf(x.Until), EndedAt: inShanghaiIf(x.Ended), Passed: x.Passed(now)}
	if x.Ended.IsZero() && !x.Until.IsZero() {
		left := int64(x.Until.Sub(now).Seconds())
		l.Left = &left
	}
	return l
}

func evidenceOf(x incident.Exhibit) IncidentEvidence {
	return IncidentEvidence{x.ID, x.Step, x.Kind, x.Text, x.Numbers, x.Name, x.MediaType, x.Size, x.SHA256, x.Person, inShanghai(x.At), x.Version}
}

func backfillOf(x incident.Backfill, p *incident.Plan) IncidentBackfill {
	return IncidentBackfill{x.Text, x.Records, x.Person, p.PartyName(x.Office), inShanghai(x.From), inShanghai(x.To), inShanghai(x.At)}
}

func actionOf(x incident.Action) IncidentAction {
	return IncidentAction{x.ID, x.Text, x.Owner, string(x.DueOn), x.State, incident.ActionStateName(x.State), x.Version, x.Outcome, x.MadeBy, inShanghai(x.MadeAt), inShanghaiIf(x.EndedAt)}
}
