package incident

import (
	"context"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Signature is one confirmation, declaration or decision: who, as what office, when, and in which words.
type Signature struct {
	ID         sqldb.ID
	IncidentID sqldb.ID
	Act        Act
	slot       string
	Level      string // that it was signed at
	Person     string
	Office     string
	Text       string
	HappenedAt time.Time // the time that is declared
	SignedAt   time.Time
}

var signatures = sqldb.NewTable("incident_signatures", "id, incident_id, act, slot, level, person, office, sealed, happened_at, signed_at", func(s *Signature) []any {
	return []any{&s.ID, &s.IncidentID, &s.Act, &s.slot, &s.Level, &s.Person, &s.Office, sqldb.Sealed("incident_signatures", &s.ID, &s.Text), sqldb.Wall(&s.HappenedAt), sqldb.Wall(&s.SignedAt)}
})

// Signatures lists what was signed for an incident, in its order.
func Signatures(ctx context.Context, r sqldb.Reader, incident sqldb.ID) ([]Signature, error) {
	return signatures.All(ctx, r, "WHERE incident_id = ? ORDER BY signed_at, id", incident)
}

// Declaration is what a person signs.
type Declaration struct {
	Incident sqldb.ID
	Version  int64 // of the incident, as it was seen
	Act      Act
	Office   string    // as what: a party of the plan
	Text     string    // his words, 1–2000 characters
	At       time.Time // the time that is declared, such as 通知开始时间; zero: now
	Level    string    // of Grade
}

// Declare takes a person's signature; the same one again changes nothing. The act is done once every office that the plan names has signed it, each by another person:
// Denied "office_may_not", "same_person"; Conflict "state_forbids", "already_signed", "level_missing", "plan_not_ended",
// "steps_open", "changed_meanwhile".
func (d *Desk) Declare(ctx context.Context, by string, w Declaration) (i Incident, err error) {
	if err := checkText("text", &w.Text, mostText, true); err != nil {
		return i, err
	}
	if w.Act.Chinese() == "" {
		return i, deposit.Refuse(deposit.Invalid, "act_unknown", "没有这种签署：", w.Act)
	}
	err = d.act(ctx, by, w.Office, w.Incident, func(tx *sqldb.Tx, now *Incident, p *Plan) error {
		if again, err := now.signedBefore(ctx, tx, &w); err != nil || again {
			i = *now
			return err
		}
		if now.Version != w.Version {
			return errChanged()
		}
		if w.At.IsZero() {
			w.At = tx.Now
		}
		w.At = w.At.Truncate(time.Millisecond)
		if err := d.may(ctx, tx, now, p, &w); err != nil {
			return err
		}
		err := d.sign(ctx, tx, now, p, w)
		i = *now
		return err
	})
	return i, err
}

// signedBefore says whether the same person has signed the same, in the same words, as one does who got no answer.
func (i *Incident) signedBefore(ctx context.Context, tx *sqldb.Tx, w *Declaration) (bool, error) {
	level := i.Level
	if w.Act == Grade {
		level = w.Level
	}
	given, err := signatures.All(ctx, tx, "WHERE incident_id = ? AND act = ? AND level = ? AND person = ? AND office = ? ORDER BY id", i.ID, w.Act, level, tx.By, w.Office)
	return slices.ContainsFunc(given, func(s Signature) bool { return s.Text == w.Text }) && level == i.Level, err
}

// may refuses an act whose time has not come, whatever the signer.
func (d *Desk) may(ctx context.Context, r sqldb.Reader, i *Incident, p *Plan, w *Declaration) error {
	if err := i.allows(w.Act); err != nil {
		return err
	}
	switch {
	case w.Act == Grade && p.Level(w.Level) == nil:
		return deposit.Refuse(deposit.Invalid, "level_unknown", "没有这个级别：", w.Level)
	case w.Act != Grade && w.Act != Dismiss && i.Level == "":
		return deposit.Refuse(deposit.Conflict, "level_missing", "请先定级（建议：", p.LevelName(i.Suggested), "；", i.SuggestedWhy, "）")
	case w.At.Before(i.lastTime()):
		return deposit.Refuse(deposit.Invalid, "time_order", "时间不能早于上一阶段的 ", deposit.Wall(i.lastTime()))
	case w.Act == Recover && i.unended():
		return deposit.Refuse(deposit.Conflict, "plan_not_ended", "预案尚未宣布结束，请先由", p.Names(p.Signers(d.authority, End, i.Level)), "宣布结束")
	case w.Act == Review:
		return p.walked(ctx, r, i)
	}
	return nil
}

// allows says whether the state has a place for an act. What the machine does not know are records.
func (i *Incident) allows(a Act) error {
	forbidden := false
	switch a {
	case Grade:
		forbidden = !i.Open()
	case End:
		forbidden = i.State != Activated || !i.PlanEndAt.IsZero()
	case File:
		forbidden = i.State == Dismissed
	default:
		_, err := Moves.Next(string(i.State), string(a))
		return err
	}
	if forbidden {
		return deposit.Refuse(deposit.Conflict, "state_forbids", "当前状态（", i.State, "）不允许该操作：", a)
	}
	return nil
}

// unended says that the plan was started and nobody has declared its end.
func (i *Incident) unended() bool { return i.State == Activated && i.PlanEndAt.IsZero() }

// lastTime is the latest of the times that the phases so far have.
func (i *Incident) lastTime() time.Time {
	return slices.MaxFunc([]time.Time{i.ReportedAt, i.ConfirmedAt, i.AssessedAt, i.NoticeStartAt, i.PlanEndAt, i.NoticeEndAt}, time.Time.Compare)
}

// walked refuses a review before the branch is chosen and every step in play is ended.
func (p *Plan) walked(ctx context.Context, r sqldb.Reader, i *Incident) error {
	if i.Branch == "" && p.Scenario(i.Scenario).Chooses() {
		return deposit.Refuse(deposit.Conflict, "branch_missing", "请先选择所采用的方案，再做事件回顾")
	}
	all, err := StepsOf(ctx, r, i.ID)
	if err != nil {
		return err
	}
	if open := p.unended(i, all); len(open) > 0 {
		return deposit.Refuse(deposit.Conflict, "steps_open", "以下步骤尚未完成或跳过：", strings.Join(open, "、"))
	}
	return nil
}

// sign stores a signature, and does the act once all have signed it.
func (d *Desk) sign(ctx context.Context, tx *sqldb.Tx, i *Incident, p *Plan, w Declaration) error {
	given, err := signatures.All(ctx, tx, "WHERE incident_id = ? AND act = ? AND level = ? ORDER BY signed_at, id", i.ID, w.Act, i.Level)
	if err != nil {
		return err
	}
	s := Signature{ID: tx.NewID(), IncidentID: i.ID, Act: w.Act, slot: i.Level, Level: i.Level, Person: tx.By, Office: w.Office, Text: w.Text, HappenedAt: w.At, SignedAt: tx.Now}
	if w.Act == Grade {
		s.Level, s.slot = w.Level, s.ID.String()
	}
	wanted, all := p.wanted(d.authority, w.Act, i.Level)
	if all {
		err = p.checkSigner(wanted, given, &s)
	} else {
		err = p.checkAny(wanted, &s)
	}
	if err != nil {
		return err
	}
	if w.At.After(tx.Now) {
		return deposit.Refuse(deposit.Invalid, "time_in_future", "时间不能晚于现在")
	}
	if err := signatures.Insert(ctx, tx, s); err != nil {
		return err
	}
	missing := p.missing(wanted, append(given, s))
	if all && len(missing) > 0 {
		return d.tell(ctx, tx, i, Entry{Kind: EntrySigned, Office: w.Office, Text: w.Act.Chinese() + "：" + w.Text + "；尚待" + p.Names(missing) + "签署"})
	}
	return d.done(ctx, tx, i, p, &s)
}

// wanted are the offices that sign an act: all of them, or any one.
func (p *Plan) wanted(a Authority, act Act, level string) (offices []string, all bool) {
	switch act {
	case Grade, Dismiss:
		for _, l := range p.Levels.Items {
			offices = slices.Concat(offices, p.by22(Confirm, l.ID), p.by31(Confirm, l.ID), p.by22(Assess, l.ID))
			if act == Grade {
				offices = append(offices, nonEmpty(l.ReportedBy)...)
			}
		}
		return append(offices, p.phase("occurrence").AssessedBy...), false
	case File:
		return p.Signers(a, File, level), false
	}
	return p.Signers(a, act, level), true
}

// checkSigner refuses an office that need not sign, and a person or office that has signed.
func (p *Plan) checkSigner(wanted []string, given []Signature, s *Signature) error {
	switch {
	case !slices.ContainsFunc(wanted, func(one string) bool { return p.SignsFor(s.Office, one) }):
		return deposit.Refuse(deposit.Denied, "office_may_not", s.Act.Chinese(), "须由", p.Names(wanted), "签署，", p.PartyName(s.Office), "不能签署")
	case slices.ContainsFunc(given, func(one Signature) bool { return one.Person == s.Person }):
		return deposit.Refuse(deposit.Denied, "same_person", "您已签署过", s.Act.Chinese(), "，各方须由不同的人签署")
	case !slices.ContainsFunc(p.missing(wanted, given), func(one string) bool { return p.SignsFor(s.Office, one) }):
		return deposit.Refuse(deposit.Conflict, "already_signed", p.PartyName(s.Office), "一方已签署过", s.Act.Chinese())
	}
	return nil
}

// checkAny refuses an office that is none of those of which one is enough. Where the plan names nobody anybody may.
func (p *Plan) checkAny(wanted []string, s *Signature) error {
	if len(wanted) == 0 || slices.ContainsFunc(wanted, func(one string) bool { return p.SignsFor(s.Office, one) }) {
		return nil
	}
	slices.Sort(wanted)
	return deposit.Refuse(deposit.Denied, "office_may_not", s.Act.Chinese(), "可由", p.Names(slices.Compact(wanted)), "签署，", p.PartyName(s.Office), "不能签署")
}

// missing are the offices that nobody has signed for.
func (p *Plan) missing(wanted []string, given []Signature) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(office string) bool {
		return slices.ContainsFunc(given, func(s Signature) bool { return p.SignsFor(s.Office, office) })
	})
}

// timeColumns are where an act's time stands.
var timeColumns = map[Act]string{Confirm: "confirmed_at", Assess: "assessed_at", Activate: "notice_start_at", End: "plan_end_at", Recover: "notice_end_at",
	Review: "reviewed_at", Dismiss: "dismissed_at"}

func (i *Incident) timeOf(a Act) *time.Time {
	return map[Act]*time.Time{Confirm: &i.ConfirmedAt, Assess: &i.AssessedAt, Activate: &i.NoticeStartAt, End: &i.PlanEndAt, Recover: &i.NoticeEndAt,
		Review: &i.ReviewedAt, Dismiss: &i.DismissedAt}[a]
}

// done makes the incident what its last signature makes of it.
func (d *Desk) done(ctx context.Context, tx *sqldb.Tx, i *Incident, p *Plan, s *Signature) error {
	switch s.Act {
	case File:
		return d.tell(ctx, tx, i, Entry{Kind: EntrySigned, Office: s.Office, Text: s.Act.Chinese() + p.filedWith(i.Level) + "：" + s.Text})
	case Grade:
		i.Level = s.Level
		if err := d.bump(ctx, tx, i, "level = ?", i.Level); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryGraded, Office: s.Office, Text: p.LevelName(i.Level) + "：" + s.Text})
	}
	*i.timeOf(s.Act) = s.HappenedAt
	text := s.Act.Chinese() + "（" + deposit.Wall(s.HappenedAt) + "）：" + s.Text
	if s.Act == End {
		if err := d.bump(ctx, tx, i, "plan_end_at = ?", sqldb.At(i.PlanEndAt)); err != nil {
			return err
		}
		return d.tell(ctx, tx, i, Entry{Kind: EntryMoved, Office: s.Office, Text: text})
	}
	next, err := Moves.Next(string(i.State), string(s.Act))
	if err != nil {
		return err
	}
	if err := tx.Move(ctx, sqldb.Move{Table: "incidents", ID: i.ID, Version: i.Version, From: string(i.State), To: next, Note: clip(text, mostWhy)}); err != nil {
		return err
	}
	i.State, i.Version = State(next), i.Version+1
	if i.State == Recovered || i.State == Dismissed {
		i.closedAs = i.ID
	}
	if err := d.bump(ctx, tx, i, timeColumns[s.Act]+" = ?, closed_as = ?", sqldb.At(s.HappenedAt), i.closedAs); err != nil {
		return err
	}
	if err := d.tell(ctx, tx, i, Entry{Kind: EntryMoved, Office: s.Office, Text: text}); err != nil {
		return err
	}
	if s.Act == Recover || s.Act == Dismiss {
		return d.thaw(ctx, tx, i)
	}
	return nil
}

func (p *Plan) filedWith(level string) string {
	if l := p.Level(level); l != nil && l.FiledWith != "" {
		return "（报" + p.PartyName(l.FiledWith) + "）"
	}
	return ""
}

// bump changes columns of an incident, so that whoever has seen it otherwise has to look again.
func (d *Desk) bump(ctx context.Context, tx *sqldb.Tx, i *Incident, columns string, args ...any) error {
	n, err := tx.Exec(ctx, "UPDATE incidents SET "+columns+", version = version + 1 WHERE id = ? AND version = ?", append(args, i.ID, i.Version)...)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	i.Version++
	return err
}

func errChanged() error {
	return deposit.Refuse(deposit.Conflict, "changed_meanwhile", "已被他人修改，请刷新后重试")
}

// Pending is an act that the state has a place for, and who has still to sign it.
type Pending struct {
	Act     Act
	Wanted  []string // offices; all of them, or any one where All is not set
	Missing []string
	All     bool
}

// pending lists the acts that may be signed now.
func (d *Desk) pending(i *Incident, p *Plan, given []Signature) (open []Pending) {
	for _, act := range Acts() {
		if i.allows(act) != nil {
			continue
		}
		if i.Level == "" && act != Grade && act != Dismiss || act == Recover && i.unended() {
			continue
		}
		one := Pending{Act: act}
		one.Wanted, one.All = p.wanted(d.authority, act, i.Level)
		slices.Sort(one.Wanted)
		one.Wanted = slices.Compact(one.Wanted)
		if one.All {
			one.Missing = p.missing(one.Wanted, slices.DeleteFunc(slices.Clone(given), func(s Signature) bool { return s.Act != act || s.Level != i.Level }))
		}
		open = append(open, one)
	}
	return open
}

// act runs what a person does with one incident, as an office that there is.
func (d *Desk) act(ctx context.Context, by, office string, incident sqldb.ID, f func(*sqldb.Tx, *Incident, *Plan) error) error {
	return d.write(ctx, by, func(tx *sqldb.Tx) error {
		i, err := ByID(ctx, tx, incident)
		if err != nil {
			return err
		}
		p, err := d.planOf(ctx, tx, &i)
		if err != nil {
			return err
		}
		if err := p.checkOffice(office); err != nil {
			return err
		}
		return f(tx, &i, p)
	})
}
