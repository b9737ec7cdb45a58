package incident

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// How long what is stored may be, in characters: so long are the columns.
const (
	mostOffice  = 32
	mostName    = 64
	mostState   = 16
	mostBranch  = 8
	mostTitle   = 200
	mostSubject = 128
	mostWhy     = 400
	mostFile    = 200
	mostMedia   = 100
	mostPerson  = 80
)

// Order asks for an incident to be opened, by a person or the trading platform.
type Order struct {
	Scenario      string
	Branch        string // "" where it is not known yet
	Reference     string // the caller's own, so that it may be sent again; "": none
	Title         string // 1–200 characters, without a payer's name or number
	Detail        string
	Scope         Scope
	Bank          string
	ParentAccount string
	LotID         sqldb.ID
	Department    string
	Drill         bool
	Began         time.Time // the trouble; zero: when it was reported
	Reported      time.Time // earlier than now where it is entered afterwards; zero: now
	Deadlines     []Deadline
	Source        Source // PERSON or PLATFORM
	Office        string // as what a person reports it; "": as whoever he is
}

// Report opens an incident. The same reference for the same scenario, while it is open, is the same incident: it comes back
// as it is by now.
func (d *Desk) Report(ctx context.Context, by string, o Order) (i Incident, err error) {
	if err := d.checkOrder(&o); err != nil {
		return i, err
	}
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		if o.Reported.IsZero() {
			o.Reported = tx.Now
		}
		if o.Reported.After(tx.Now) || o.Began.After(o.Reported) {
			return deposit.Refuse(deposit.Invalid, "time_order", "上报时间不能晚于现在，开始时间不能晚于上报时间")
		}
		if o.Reference != "" {
			i, err = incidents.One(ctx, tx, "WHERE scenario = ? AND code = '' AND subject = ? AND closed_as = 0", o.Scenario, o.Reference)
			if err == nil && i.Drill != o.Drill {
				return deposit.Refuse(deposit.Conflict, "reference_taken", "该编号已用于 ", i.Name(), "，演练与真实事件请用不同的编号")
			}
			if !errors.Is(err, sqldb.ErrNone) {
				return err
			}
		}
		i = Incident{Scenario: o.Scenario, Branch: o.Branch, Subject: o.Reference, Source: o.Source, Drill: o.Drill, Bank: o.Bank, ParentAccount: o.ParentAccount, LotID: o.LotID,
			Department: o.Department, Title: o.Title, Detail: o.Detail, Scope: o.Scope, BeganAt: o.Began, ReportedAt: o.Reported}
		return d.insert(ctx, tx, &i, o.Office, o.Deadlines)
	})
	return i, err
}

func (d *Desk) checkOrder(o *Order) error {
	s := d.plan.Scenario(o.Scenario)
	if s == nil {
		return deposit.Refuse(deposit.Invalid, "scenario_unknown", "预案没有这种情形：", o.Scenario, "；可用：", scenarioIDs(d.plan))
	}
	if o.Branch != "" {
		if b := s.Branch(o.Branch); b == nil || b.Kind == branchMain {
			return noBranch(s)
		}
	}
	if !KnownScope(string(o.Scope)) {
		return deposit.Refuse(deposit.Invalid, "scope_unknown", "scope 应为 PART（部分模块）、WHOLE（整个系统）、EVALUATION（评标受阻）或留空")
	}
	if strings.HasPrefix(o.Reference, numberPrefix) {
		return deposit.Refuse(deposit.Invalid, "reference_malformed", "reference 不能以 ", numberPrefix, " 开头，那是本服务的编号")
	}
	if o.Bank == "" && o.ParentAccount != "" {
		return deposit.Refuse(deposit.Invalid, "bank_missing", "写明母账户时须写明银行")
	}
	if o.Office != "" {
		if err := d.plan.checkOffice(o.Office); err != nil {
			return err
		}
	}
	return errors.Join(checkText("title", &o.Title, mostTitle, true), checkText("detail", &o.Detail, mostText, false), checkText("reference", &o.Reference, mostSubject, false),
		checkText("department", &o.Department, mostName, false), checkDeadlines(o.Deadlines))
}

func scenarioIDs(p *Plan) string {
	ids := make([]string, len(p.Scenarios))
	for i, s := range p.Scenarios {
		ids[i] = s.ID + " " + s.Name
	}
	return strings.Join(ids, "、")
}

// checkText trims a text and holds it to its column, which not every engine does.
func checkText(field string, text *string, most int, needed bool) error {
	*text = strings.TrimSpace(*text)
	switch {
	case needed && *text == "":
		return deposit.Refuse(deposit.Invalid, field+"_missing", field, " 须填写")
	case utf8.RuneCountInString(*text) > most:
		return deposit.Refuse(deposit.Invalid, field+"_too_long", field, " 最多 ", most, " 个字符")
	case !utf8.ValidString(*text) || strings.ContainsFunc(*text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
		return deposit.Refuse(deposit.Invalid, field+"_malformed", field, " 含有控制字符或不是有效的 UTF-8 文本")
	}
	return nil
}

// insert stores a new incident with its plan, its steps and its first line, and does what follows from its being open.
func (d *Desk) insert(ctx context.Context, tx *sqldb.Tx, i *Incident, office string, deadlines []Deadline) error {
	if err := d.keepPlan(ctx, tx); err != nil {
		return err
	}
	var err error
	if i.Number, err = nextNumber(ctx, tx); err != nil {
		return err
	}
	i.ID, i.State, i.Version, i.ReportedBy, i.PlanDigest = tx.NewID(), Reported, 1, tx.By, d.plan.digest
	if i.ReportedAt.IsZero() {
		i.ReportedAt = tx.Now
	}
	if i.Subject == "" {
		i.Subject = i.Number
	}
	if i.BeganAt.IsZero() || i.BeganAt.After(i.ReportedAt) {
		i.BeganAt = i.ReportedAt
	}
	i.fault = notNull(i.fault)
	suggested := d.plan.Suggest(i.Scope, i.BeganAt, tx.Now)
	i.Suggested, i.SuggestedWhy = suggested.Level, clip(suggested.Why, mostWhy)
	if err := incidents.Insert(ctx, tx, *i); err != nil {
		return err
	}
	if err := steps.Insert(ctx, tx, stepsOf(tx, i.ID, d.plan.Scenario(i.Scenario))...); err != nil {
		return err
	}
	if err := tx.Note(ctx, "incidents", i.ID, string(i.State), i.Name()+" "+i.Title); err != nil {
		return err
	}
	s := d.plan.Scenario(i.Scenario)
	text := fmt.Sprintf("%s，%s %s：%s；建议级别：%s（%s）", i.Source.Chinese(), s.ID, s.Name, i.Title, d.plan.LevelName(i.Suggested), i.SuggestedWhy)
	if err := d.tell(ctx, tx, i, Entry{Kind: EntryOpened, Office: office, Text: text}); err != nil {
		return err
	}
	if err := d.keepDeadlines(ctx, tx, i, deadlines); err != nil {
		return err
	}
	return d.freeze(ctx, tx, i)
}

// notNull is a column's empty bytes, which one engine gives back as none.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

const numberPrefix = "YJ-"

// nextNumber is YJ-2026-0007, counted within the year; of two that come to one number the unique index refuses the slower.
func nextNumber(ctx context.Context, tx *sqldb.Tx) (string, error) {
	year := numberPrefix + strconv.Itoa(tx.Now.In(deposit.Shanghai).Year()) + "-"
	n, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM incidents WHERE number >= ? AND number < ?", year, year+"~")
	return fmt.Sprintf("%s%04d", year, n+1), err
}

// bareNumber is a number without a drill's mark.
func bareNumber(number string) string {
	return strings.TrimPrefix(strings.TrimSpace(number), drillMark)
}

// freezes says whether the incident, while it is open, keeps the refunds of its parent account from being sent.
func (i *Incident) freezes() bool {
	return i.Scenario == Unrefundable && i.ParentAccount != "" && !i.Drill
}

func (i *Incident) asFreeze(why string) platform.Freeze {
	return platform.Freeze{Bank: i.Bank, ParentAccount: i.ParentAccount, Cause: platform.ByIncident, Reference: i.Number, Reason: clip(i.Number+" "+why, mostWhy)}
}

// freeze stops the refunds of the account with the incident's opening, in its transaction.
func (d *Desk) freeze(ctx context.Context, tx *sqldb.Tx, i *Incident) error {
	if !i.freezes() {
		return nil
	}
	if err := platform.FreezeRefunds(ctx, tx, i.asFreeze(i.Title)); err != nil {
		return err
	}
	return d.tell(ctx, tx, i, Entry{Kind: EntryFrozen, Text: "已冻结该母账户的退付发送，事件恢复或排除后自动解除；人员也可提前解除"})
}

// thaw lifts the freeze with the incident's end.
func (d *Desk) thaw(ctx context.Context, tx *sqldb.Tx, i *Incident) error {
	if !i.freezes() {
		return nil
	}
	if err := platform.LiftFreezes(ctx, tx, i.asFreeze(i.State.Chinese())); err != nil {
		return err
	}
	return d.tell(ctx, tx, i, Entry{Kind: EntryLifted, Text: "已解除本事件对该母账户退付的冻结"})
}
