// Package incident is the emergency plan at work: what is wrong, in which of the plan's scenarios, how grave it is, who has
// confirmed and declared what, which steps are done, and what was found out. It knows the plan (plan.yaml) and no trouble: the
// detectors of the floors above say what they see (Sign), and Observe opens, updates and de-duplicates incidents of it.
//
// Every change writes the incident's timeline in the same transaction, and hands it to whoever has joined (Join), so that a
// notice to people is queued by the commit that it speaks of.
//
// No payer's name or number belongs into an incident's title, detail or timeline: they are sent to people. What the evidence
// may hold before a lot is opened, its giver decides.
package incident

import (
	"context"
	"errors"
	"sync"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// The scenarios that the service itself finds.
const (
	Unpayable    = "4.6.1" // 投标保证金无法正常缴纳
	Unshown      = "4.6.2" // 电子交易系统无法显示投标保证金到账明细
	Unrefundable = "4.6.3" // 投标保证金无法正常退付: it freezes the refunds of its parent account
	Outage       = "5.1.1" // 网络、服务器中断服务
)

// Incident is one trouble and how far its handling has come.
type Incident struct {
	ID            sqldb.ID
	Number        string // YJ-2026-0007
	PlanDigest    string // of the plan that it was opened under
	Scenario      string
	Branch        string // "" until one is chosen
	Code          string // what the service saw; "" of what a person reports
	Subject       string // what it is about
	Source        Source
	Drill         bool // 演练: marked everywhere, and freezes nothing
	Bank          string
	ParentAccount string
	LotID         sqldb.ID
	Department    string
	Title         string
	Detail        string
	Scope         Scope
	Level         string // set by a person; "" is not yet
	Suggested     string // the level by the plan's letter; "" where it has none
	SuggestedWhy  string
	FaultSide     Side
	fault         []byte // the facts, as JSON
	State         State
	Version       int64
	Entries       int64 // of its timeline
	closedAs      sqldb.ID
	ReportedBy    string
	BeganAt       time.Time // the trouble
	ReportedAt    time.Time
	ConfirmedAt   time.Time
	AssessedAt    time.Time
	NoticeStartAt time.Time // 通知开始时间
	PlanEndAt     time.Time // 应急预案结束时间
	NoticeEndAt   time.Time // 通知截止时间
	ReviewedAt    time.Time
	DismissedAt   time.Time
	GoneAt        time.Time // the service no longer sees it; it stays open for people
}

var incidents = sqldb.NewTable("incidents", "id, number, plan_digest, scenario, branch, code, subject, source, drill, bank, parent_account, lot_id, department, sealed, "+
	"scope, level, suggested_level, suggested_why, fault_side, fault, state, version, entries, closed_as, reported_by, began_at, reported_at, confirmed_at, assessed_at, "+
	"notice_start_at, plan_end_at, notice_end_at, reviewed_at, dismissed_at, gone_at", func(i *Incident) []any {
	return []any{&i.ID, &i.Number, &i.PlanDigest, &i.Scenario, &i.Branch, &i.Code, &i.Subject, &i.Source, &i.Drill, &i.Bank, &i.ParentAccount, &i.LotID, &i.Department, i.sealedWords(),
		&i.Scope, &i.Level, &i.Suggested, &i.SuggestedWhy, &i.FaultSide, i.sealedFault(), &i.State, &i.Version, &i.Entries, &i.closedAs, &i.ReportedBy, sqldb.Wall(&i.BeganAt), sqldb.Wall(&i.ReportedAt),
		sqldb.Wall(&i.ConfirmedAt), sqldb.Wall(&i.AssessedAt), sqldb.Wall(&i.NoticeStartAt), sqldb.Wall(&i.PlanEndAt), sqldb.Wall(&i.NoticeEndAt), sqldb.Wall(&i.ReviewedAt),
		sqldb.Wall(&i.DismissedAt), sqldb.Wall(&i.GoneAt)}
})

// sealedWords is the column incidents.sealed, as a field of a query: people write what they like into it, names and accounts too.
// The ID has to stand before it.
func (i *Incident) sealedWords() any { return sqldb.Sealed("incidents", &i.ID, &i.Title, &i.Detail) }

// sealedFault is the column incidents.fault.
func (i *Incident) sealedFault() any { return sqldb.SealedIfAny("incidents", &i.ID, &i.fault) }

// Source is who opened an incident.
type Source string

// The sources.
const (
	FromPerson   Source = "PERSON"
	FromPlatform Source = "PLATFORM"
	FromService  Source = "SERVICE"
)

var sourceNames = map[Source]string{FromPerson: "人员上报", FromPlatform: "交易平台上报", FromService: "本服务发现"}

// Chinese is the source's name, "" of none.
func (s Source) Chinese() string { return sourceNames[s] }

// State is how far the handling has come: the six phases of 2.2, or dismissed.
type State string

// The states.
const (
	Reported  State = "REPORTED"  // 产生阶段
	Confirmed State = "CONFIRMED" // 事件起始阶段
	Assessed  State = "ASSESSED"  // 评估确认阶段
	Activated State = "ACTIVATED" // 启动预案阶段
	Recovered State = "RECOVERED" // 系统恢复阶段
	Reviewed  State = "REVIEWED"  // 事件回顾阶段
	Dismissed State = "DISMISSED"
)

var stateNames = map[State]string{Reported: "已上报", Confirmed: "已确认", Assessed: "已评估", Activated: "预案启动中", Recovered: "已恢复", Reviewed: "已回顾", Dismissed: "已排除"}

// Chinese is the state's name, "" of none.
func (s State) Chinese() string { return stateNames[s] }

// Moves is how an incident's state changes. Where the plan need not start, recovery follows the assessment.
var Moves = deposit.Machine{
	"REPORTED":  {"confirm": "CONFIRMED", "dismiss": "DISMISSED"},
	"CONFIRMED": {"assess": "ASSESSED", "dismiss": "DISMISSED"},
	"ASSESSED":  {"activate": "ACTIVATED", "recover": "RECOVERED"},
	"ACTIVATED": {"recover": "RECOVERED"},
	"RECOVERED": {"review": "REVIEWED"},
	"REVIEWED":  {},
	"DISMISSED": {},
}

// Open says whether the trouble is still being dealt with: it has neither recovered nor been dismissed.
func (i *Incident) Open() bool { return i.closedAs == 0 }

// drillMark stands before a drill's number wherever it is shown.
const drillMark = "【演练】"

// Name is the number for people, that of a drill with its mark.
func (i *Incident) Name() string {
	if i.Drill {
		return drillMark + i.Number
	}
	return i.Number
}

// Key is what a sign is about; one incident is open for it at most.
type Key struct{ Scenario, Code, Subject string }

// Key is the incident's own.
func (i *Incident) Key() Key { return Key{i.Scenario, i.Code, i.Subject} }

// Side is where a fault lies.
type Side string

// The sides.
const (
	SideBidder Side = "BIDDER"
	SideBank   Side = "BANK"
	SideLink   Side = "LINK"
	SideOurs   Side = "OURS"
	SideOpen   Side = "OPEN" // the facts do not tell
)

var sideNames = map[Side]string{SideBidder: "投标人", SideBank: "银行", SideLink: "银行与本系统之间的线路", SideOurs: "本系统", SideOpen: "尚不能判定"}

// Chinese is the side's name, "" of none.
func (s Side) Chinese() string { return sideNames[s] }

// Fault says where a fault lies, with the facts that speak for it and against it.
type Fault struct {
	Side    Side     `json:"side"`
	For     []string `json:"for"`
	Against []string `json:"against"`
}

// Desk keeps incidents. It is safe for use by many goroutines, and by several replicas on one database.
type Desk struct {
	db        *sqldb.DB
	plan      *Plan
	authority Authority
	beside    []func(context.Context, *sqldb.Tx, Change) error
	changed   func()
	older     sync.Map // digest → *Plan, of incidents opened under another plan
}

// NewDesk makes the desk of a database with the plan that new incidents are opened under.
func NewDesk(db *sqldb.DB, plan *Plan, authority Authority) *Desk {
	return &Desk{db: db, plan: plan, authority: authority, changed: func() {}}
}

// Plan is the plan that new incidents are opened under.
func (d *Desk) Plan() *Plan { return d.plan }

// Authority is what counts where the plan contradicts itself.
func (d *Desk) Authority() Authority { return d.authority }

// Join has f run for each change, in the transaction that makes it: what f writes is committed with it, and its error undoes
// it. It is called before any work begins.
func (d *Desk) Join(f func(context.Context, *sqldb.Tx, Change) error) { d.beside = append(d.beside, f) }

// OnChange says whom to tell that incidents may have changed, after the commit. f must not wait.
func (d *Desk) OnChange(f func()) { d.changed = f }

// clashes bounds how often a use case runs again because another one was faster at a number or a row.
const clashes = 20

// write runs f, and again where another one was faster: f then finds what that one wrote.
func (d *Desk) write(ctx context.Context, by string, f func(*sqldb.Tx) error) (err error) {
	for range clashes {
		err = d.db.Write(ctx, by, f)
		if !errors.Is(err, sqldb.ErrTaken) && !errors.Is(err, sqldb.ErrStale) {
			break
		}
	}
	if err == nil {
		d.changed()
	}
	return err
}

// ByID reads one incident; NotFound "incident_unknown".
func ByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Incident, error) {
	i, err := incidents.One(ctx, r, "WHERE id = ?", id)
	return i, noIncident(err)
}

// ByNumber reads one by what people call it, with a drill's mark or without.
func ByNumber(ctx context.Context, r sqldb.Reader, number string) (Incident, error) {
	i, err := incidents.One(ctx, r, "WHERE number = ?", bareNumber(number))
	return i, noIncident(err)
}

func noIncident(err error) error {
	if errors.Is(err, sqldb.ErrNone) {
		return Unknown()
	}
	return err
}

// Unknown is the refusal of an incident that is not there.
func Unknown() error {
	return deposit.Refuse(deposit.NotFound, "incident_unknown", "没有这个应急事件，请核对编号，如 YJ-2026-0007")
}
