package incident

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the plan that holds unless a file replaces it
	"encoding/hex"
	"slices"
	"strings"
	"sync"
)

// DefaultPlan is the plan that the program carries: 聊公共资源〔2020〕4号 as data, its texts verbatim.
//
//go:embed plan.yaml
var DefaultPlan []byte

// Default is DefaultPlan, read once: that takes longer than most commands do.
var Default = sync.OnceValues(func() (*Plan, error) { return ParsePlan(DefaultPlan) })

// Plan is an emergency plan: who there is, the phases of a response, the levels, the limits, and what to do in which scenario.
// Its texts are shown as they are written. Its yaml names are those of plan.yaml.
type Plan struct {
	SchemaVersion int         `yaml:"schema_version"`
	Document      Document    `yaml:"document"`
	Parties       []Party     `yaml:"parties"`
	Phases        Phases      `yaml:"phases"`
	Levels        Levels      `yaml:"levels"`
	Limits        []Limit     `yaml:"time_limits"`
	Scenarios     []Scenario  `yaml:"scenarios"`
	Ambiguities   []Ambiguity `yaml:"ambiguities"`

	body   []byte
	digest string
}

type (
	// Document says which paper the plan is.
	Document struct {
		Issuer      string  `yaml:"issuer"`
		Number      string  `yaml:"number"`
		Title       string  `yaml:"title_text"`
		Issued      string  `yaml:"issued_date"`
		AddressedTo string  `yaml:"addressed_to"`
		Purpose     Passage `yaml:"purpose"`
		Scope       Passage `yaml:"scope"`
	}
	// Passage is a section of the paper.
	Passage struct {
		Ref  string `yaml:"ref"`
		Text string `yaml:"text"`
	}
	// Party is a group, an office, a department or somebody outside: whoever the plan gives something to do.
	Party struct {
		ID        string   `yaml:"id"`
		Name      string   `yaml:"name"`
		Kind      string   `yaml:"kind"` // command, person, department, department_set, function, external
		MemberOf  string   `yaml:"member_of"`
		Members   []string `yaml:"members"`
		MappedTo  string   `yaml:"mapped_to"`
		Business  bool     `yaml:"business"`
		DefinedIn string   `yaml:"defined_in"`
		Text      string   `yaml:"text"`
	}
	// Phases are the six phases of a response (2.2).
	Phases struct {
		Ref   string  `yaml:"ref"`
		Text  string  `yaml:"text"`
		Items []Phase `yaml:"items"`
	}
	// Phase is one of them, with who does what in it.
	Phase struct {
		Seq             int                   `yaml:"seq"`
		ID              string                `yaml:"id"`
		Name            string                `yaml:"name"`
		Text            string                `yaml:"text"`
		ReportedBy      string                `yaml:"reported_by"`
		AssessedBy      []string              `yaml:"assessed_by"`
		ReportedToAny   []string              `yaml:"reported_to_any"`
		ConfirmedBy     byLevel               `yaml:"confirmed_by"`
		Escalated       map[string]escalation `yaml:"escalated"`
		ConditionAll    []string              `yaml:"condition_all"`
		Inform          []string              `yaml:"inform"`
		StartDeclaredBy string                `yaml:"start_declared_by"`
		EndDeclaredBy   string                `yaml:"end_declared_by"`
		Records         []record              `yaml:"records"`
		Tasks           []string              `yaml:"tasks"`
		PerformedBy     []string              `yaml:"performed_by"`
	}
	escalation struct {
		By string `yaml:"by"`
		To string `yaml:"to"`
	}
	record struct {
		Field    string `yaml:"field"`
		Evidence string `yaml:"evidence"`
	}
	// Levels are the levels of response (3.1).
	Levels struct {
		Ref           string   `yaml:"ref"`
		SeverityOrder []string `yaml:"severity_order"` // mild to grave
		Items         []Level  `yaml:"items"`
	}
	// Level is one of them, with what starts it and who decides.
	Level struct {
		ID              string    `yaml:"id"`
		Name            string    `yaml:"name"`
		Text            string    `yaml:"text"`
		Triggers        []Trigger `yaml:"triggers_any"`
		DecidedBy       string    `yaml:"decided_by"`
		CarriedOutBy    []string  `yaml:"carried_out_by"`
		FiledBy         string    `yaml:"filed_by"`
		FiledWith       string    `yaml:"filed_with"`
		ReportedBy      string    `yaml:"reported_by"`
		ConfirmedBy     string    `yaml:"confirmed_by"`
		StartDeclaredBy string    `yaml:"start_declared_by"`
		EndDeclaredBy   string    `yaml:"end_declared_by"`
		Then            string    `yaml:"then"`
	}
	// Trigger is what a level begins with: an effect that has lasted longer than a limit, or at once where there is none.
	Trigger struct {
		Cause    string `yaml:"cause"`
		Effect   string `yaml:"effect"`
		Limit    string `yaml:"limit"`
		Requires string `yaml:"requires"`
	}
	// Limit is a time within which something has to be done, or after which a level begins.
	Limit struct {
		ID       string  `yaml:"id"`
		Ref      string  `yaml:"ref"`
		Value    float64 `yaml:"value"`
		Unit     string  `yaml:"unit"`  // minute, hour, day
		Sense    string  `yaml:"sense"` // more_than, within, before_event, late_if_after_event
		Event    string  `yaml:"event"`
		Evidence string  `yaml:"evidence"`
		StartsAt string  `yaml:"starts_at"`
	}
	// Scenario is what can happen, and its ways out.
	Scenario struct {
		ID           string   `yaml:"id"`
		Chapter      chapter  `yaml:"chapter"`
		Name         string   `yaml:"name"`
		Problem      string   `yaml:"problem"`
		HelperColumn string   `yaml:"helper_column"`
		Branches     []Branch `yaml:"branches"`
	}
	chapter struct {
		ID   string `yaml:"id"`
		Name string `yaml:"name"`
	}
	// Branch is a list of steps: main stands always, of the plans and cases (方案, 情况) a person chooses.
	Branch struct {
		ID       string `yaml:"id"`
		Kind     string `yaml:"kind"` // main, plan, case
		Title    string `yaml:"title_text"`
		Relation string `yaml:"relation"` // sequential, alternative
		Steps    []Step `yaml:"steps"`
	}
	// Step is what somebody has to do.
	Step struct {
		No               string   `yaml:"step_no"`
		Text             string   `yaml:"text"`
		OwnerRaw         string   `yaml:"owner_raw"`
		Owners           []string `yaml:"owners"`
		HelperRaw        string   `yaml:"helper_raw"`
		Helpers          []string `yaml:"helpers"`
		Limits           []string `yaml:"limits"`
		AlternativeAfter string   `yaml:"alternative_after"`
	}
	// Ambiguity is an open question of the plan.
	Ambiguity struct {
		ID       string `yaml:"id"`
		Ref      string `yaml:"ref"`
		Question string `yaml:"question"`
	}
)

// The kinds of branches, the relations of steps, and the senses of limits.
const (
	branchMain  = "main"
	sequential  = "sequential"
	alternative = "alternative"

	moreThan       = "more_than"
	within         = "within"
	beforeEvent    = "before_event"
	lateAfterEvent = "late_if_after_event"
)

// Body is the plan's file, byte for byte.
func (p *Plan) Body() []byte { return p.body }

// Digest tells the plan apart from others: the SHA-256 of its file.
func (p *Plan) Digest() string { return p.digest }

func digestOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Scenario finds a scenario; nil if there is none.
func (p *Plan) Scenario(id string) *Scenario {
	return find(p.Scenarios, func(s *Scenario) bool { return s.ID == id })
}

// Party finds a party; nil if there is none.
func (p *Plan) Party(id string) *Party {
	return find(p.Parties, func(one *Party) bool { return one.ID == id })
}

// Level finds a level; nil if there is none.
func (p *Plan) Level(id string) *Level {
	return find(p.Levels.Items, func(l *Level) bool { return l.ID == id })
}

// Limit finds a limit; nil if there is none.
func (p *Plan) Limit(id string) *Limit {
	return find(p.Limits, func(l *Limit) bool { return l.ID == id })
}

func (p *Plan) phase(id string) *Phase {
	return find(p.Phases.Items, func(one *Phase) bool { return one.ID == id })
}

func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// LevelName is a level's name for people, 未定级 for none.
func (p *Plan) LevelName(id string) string {
	if l := p.Level(id); l != nil {
		return l.Name
	}
	return cmp.Or(id, "未定级")
}

// Names are what people call the parties, joined by 、.
func (p *Plan) Names(ids []string) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = p.PartyName(id)
	}
	return strings.Join(names, "、")
}

// PartyName is what people call a party.
func (p *Plan) PartyName(id string) string {
	if one := p.Party(id); one != nil {
		return one.Name
	}
	return id
}

// Events are what deadlines can be of: the events of the plan's limits, and the refunds' due day.
func (p *Plan) Events() []string {
	events := []string{RefundDue}
	for _, l := range p.Limits {
		if l.Sense == beforeEvent && !slices.Contains(events, l.Event) {
			events = append(events, l.Event)
		}
	}
	return events
}

// Includes says whether a party is an office, or has it as its head or as a part: 各业务科室 include each of them.
func (p *Plan) Includes(party, office string) bool {
	one := p.Party(party)
	return p.SignsFor(office, party) || one != nil && slices.ContainsFunc(one.Members, func(part string) bool { return p.SignsFor(office, part) })
}

// Branch finds a branch; nil if there is none.
func (s *Scenario) Branch(id string) *Branch {
	return find(s.Branches, func(b *Branch) bool { return b.ID == id })
}

// Chooses says whether a person has to choose a branch.
func (s *Scenario) Chooses() bool {
	return slices.ContainsFunc(s.Branches, func(b Branch) bool { return b.Kind != branchMain })
}

// Key is the key of a step, 4.6.3/2/2.1.
func (s *Scenario) Key(b *Branch, step *Step) string { return s.ID + "/" + b.ID + "/" + step.No }

// Step finds a step by its key; nil if there is none.
func (s *Scenario) Step(key string) (*Branch, *Step) {
	for i := range s.Branches {
		b := &s.Branches[i]
		if step := find(b.Steps, func(one *Step) bool { return s.Key(b, one) == key }); step != nil {
			return b, step
		}
	}
	return nil, nil
}
