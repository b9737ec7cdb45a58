package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"depositd/api"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/people"
)

type incidentCmd struct {
	List   incidentListCmd   `cmd:"" help:"应急事件清单；缺省只列未结束的"`
	Show   incidentShowCmd   `cmd:"" help:"一个事件的全部记录：级别、待签、步骤、时限、证据、时间线"`
	Open   incidentOpenCmd   `cmd:"" help:"登记应急事件"`
	Drill  incidentDrillCmd  `cmd:"" help:"登记应急演练：处处标明【演练】，不冻结退付"`
	Sign   incidentSignCmd   `cmd:"" help:"签署：定级 grade、确认 confirm、评估 assess、启动 activate、结束 end、恢复 recover、备案 file、回顾 review、排除 dismiss"`
	Branch incidentBranchCmd `cmd:"" help:"选择方案（情况）"`
	Step   incidentStepCmd   `cmd:"" help:"办理步骤：start 开始、finish 完成、skip 跳过、reopen 重新打开"`
	Note   incidentNoteCmd   `cmd:"" help:"在时间线上记一笔"`
}

type incidentListCmd struct {
	All      bool   `help:"已恢复、已回顾、已排除的也列"`
	Scenario string `placeholder:"ID" help:"只此情形，如 4.6.3"`
	JSON     bool   `name:"json" help:"以 JSON 打印"`
}

// incidentLine is an incident in a list.
type incidentLine struct {
	Number    string `json:"number"`
	Scenario  string `json:"scenario"`
	State     string `json:"state"`
	Level     string `json:"level"`
	Suggested string `json:"suggested_level"`
	Reported  string `json:"reported_at"`
	Title     string `json:"title"`
}

// mostListed is how many incidents are printed at most; a centre has some a year.
const mostListed = 200

// Run lists incidents, the newest first.
func (s *incidentListCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		page, _, err := a.incident.List(ctx, incident.Query{Open: !s.All, Scenario: s.Scenario, Limit: mostListed})
		if err != nil {
			return err
		}
		p, lines := a.incident.Plan(), make([]incidentLine, len(page))
		for n := range page {
			i := &page[n]
			lines[n] = incidentLine{i.Name(), i.Scenario, i.State.Chinese(), p.LevelName(i.Level), p.LevelName(i.Suggested), deposit.Wall(i.ReportedAt), i.Title}
		}
		if s.JSON {
			return printJSON(c.stdout, map[string]any{"incidents": lines})
		}
		for _, l := range lines {
			fmt.Fprintf(c.stdout, "%s  %s  %s  %s  %s  %s\n", pad(l.Number, 22), pad(l.Scenario, 5), pad(l.State, 10), pad(l.Level, 12), l.Reported, l.Title)
		}
		if len(lines) == 0 {
			fmt.Fprintln(c.stdout, "没有未结束的应急事件")
		}
		return nil
	})
}

type incidentShowCmd struct {
	Number string `arg:"" placeholder:"YJ-2026-0007" help:"事件编号"`
}

// Run prints all that is on record of an incident.
func (s *incidentShowCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error { return a.showIncident(ctx, c.stdout, s.Number) })
}

func (a *app) showIncident(ctx context.Context, w io.Writer, number string) error {
	i, err := incident.ByNumber(ctx, a.db, number)
	if err != nil {
		return err
	}
	r, err := a.incident.Record(ctx, i.ID)
	if err != nil {
		return err
	}
	printIncident(w, r)
	return nil
}

// incidentOrder is what a person says of a trouble or a drill.
type incidentOrder struct {
	Scenario   string   `arg:"" placeholder:"ID" help:"情形，如 5.1.1；全部情形见 depositd config plan"`
	Title      string   `arg:"" placeholder:"TITLE" help:"一句话标题，不写付款人"`
	As         string   `required:"" placeholder:"OFFICE" help:"以何职务或部门，如 it_dept（信息技术科）"`
	Scope      string   `placeholder:"SCOPE" help:"故障范围：PART 部分模块，WHOLE 整个系统，EVALUATION 评标受阻"`
	Branch     string   `placeholder:"ID" help:"方案编号"`
	Detail     string   `placeholder:"TEXT" help:"说明"`
	Bank       string   `placeholder:"CODE" help:"银行代码"`
	Account    string   `placeholder:"NUMBER" help:"母账户；4.6.3 的真实事件会冻结其退付"`
	Lot        string   `placeholder:"NUMBER" help:"标段编号"`
	Department string   `placeholder:"NAME" help:"科室"`
	Began      string   `placeholder:"TIME" help:"故障开始时间，如 2026-06-12 02:30:00；缺省为现在"`
	Deadline   []string `placeholder:"EVENT=TIME" help:"时间节点，可重复，如 解密截止时间=2026-06-12 10:30:00"`
	Reference  string   `placeholder:"TEXT" help:"自编编号，重复执行时不会登记两次"`
}

func (s *incidentOrder) order() (o incident.Order, err error) {
	o = incident.Order{Scenario: s.Scenario, Branch: s.Branch, Reference: s.Reference, Title: s.Title, Detail: s.Detail, Scope: incident.Scope(s.Scope), Bank: s.Bank, ParentAccount: s.Account,
		Department: s.Department, Source: incident.FromPerson, Office: s.As}
	if o.Began, err = wallIf(s.Began); err != nil {
		return o, err
	}
	for _, text := range s.Deadline {
		event, at, _ := strings.Cut(text, "=")
		due := incident.Deadline{Event: event}
		if due.At, err = deposit.ParseWall(at); err != nil {
			return o, err
		}
		o.Deadlines = append(o.Deadlines, due)
	}
	return o, nil
}

func wallIf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return deposit.ParseWall(text)
}

func (s *incidentOrder) report(ctx context.Context, c *call, drill bool) error {
	return c.use(ctx, asIs, func(a *app) error {
		if err := a.asOperator(s.As); err != nil {
			return err
		}
		o, err := s.order()
		if err != nil {
			return err
		}
		if s.Bank != "" {
			if _, err := a.banks.Bank(s.Bank); err != nil {
				return err
			}
		}
		if s.Lot != "" {
			lot, err := platform.LotByNumber(ctx, a.db, s.Lot)
			if err != nil {
				return err
			}
			o.LotID = lot.ID
		}
		o.Drill = drill
		i, err := a.incident.Report(ctx, c.author(), o)
		if err != nil {
			return err
		}
		return a.showIncident(ctx, c.stdout, i.Number)
	})
}

type incidentOpenCmd struct {
	incidentOrder `embed:""`
}

// Run opens an incident.
func (s *incidentOpenCmd) Run(ctx context.Context, c *call) error { return s.report(ctx, c, false) }

type incidentDrillCmd struct {
	incidentOrder `embed:""`
}

// Run opens a drill.
func (s *incidentDrillCmd) Run(ctx context.Context, c *call) error { return s.report(ctx, c, true) }

// incidentAct is on which incident a person acts, as what and in which words.
type incidentAct struct {
	Number string `arg:"" placeholder:"YJ-2026-0007" help:"事件编号"`
	As     string `required:"" placeholder:"OFFICE" help:"以何职务或部门，如 it_dept（信息技术科）；指挥机构和科室负责人须本人登录签署"`
}

// asOperator refuses an office that an operator does not hold. Whoever is at this machine is one, and has proved to be nobody else: the
// plan's other signatures are given by persons who have logged in.
func (a *app) asOperator(office string) error {
	p := a.incident.Plan()
	if (api.Caller{Roles: []api.Role{people.ITOperator}}).Holds(p, office) {
		return nil
	}
	return deposit.Refuse(deposit.Denied, "office_not_held", "命令行由运维员使用，不能以", p.PartyName(office), "的身份操作，请其本人登录控制台签署")
}

// act runs what a person does with the incident as it is now, and prints what it has become.
func (s *incidentAct) act(ctx context.Context, c *call, do func(*app, *incident.Record) error) error {
	return c.use(ctx, asIs, func(a *app) error {
		if err := a.asOperator(s.As); err != nil {
			return err
		}
		i, err := incident.ByNumber(ctx, a.db, s.Number)
		if err != nil {
			return err
		}
		r, err := a.incident.Record(ctx, i.ID)
		if err != nil {
			return err
		}
		if err := do(a, r); err != nil {
			return err
		}
		return a.showIncident(ctx, c.stdout, s.Number)
	})
}

type incidentSignCmd struct {
	incidentAct `embed:""`
	Act         string `arg:"" placeholder:"ACT" help:"签署事项"`
	Text        string `required:"" placeholder:"TEXT" help:"意见"`
	Level       string `placeholder:"LEVEL" help:"定级时的级别，如 level_1"`
	At          string `placeholder:"TIME" help:"所宣布的时间，如 2026-06-12 03:10:00；缺省为现在"`
}

// Run signs as whoever is logged in on this machine.
func (s *incidentSignCmd) Run(ctx context.Context, c *call) error {
	at, err := wallIf(s.At)
	if err != nil {
		return err
	}
	return s.act(ctx, c, func(a *app, r *incident.Record) error {
		_, err := a.incident.Declare(ctx, c.author(), incident.Declaration{Incident: r.ID, Version: r.Version, Act: incident.Act(s.Act), Office: s.As, Text: s.Text, Level: s.Level, At: at})
		return err
	})
}

type incidentBranchCmd struct {
	incidentAct `embed:""`
	Branch      string `arg:"" placeholder:"ID" help:"方案编号"`
}

// Run chooses a branch.
func (s *incidentBranchCmd) Run(ctx context.Context, c *call) error {
	return s.act(ctx, c, func(a *app, r *incident.Record) error {
		_, err := a.incident.Choose(ctx, c.author(), s.As, r.ID, r.Version, s.Branch)
		return err
	})
}

type incidentStepCmd struct {
	incidentAct `embed:""`
	Step        string `arg:"" placeholder:"KEY" help:"步骤，如 4.6.3/2/2.1"`
	Act         string `arg:"" placeholder:"ACT" help:"start、finish、skip 或 reopen"`
	Text        string `placeholder:"TEXT" help:"结果；跳过与重新打开时须写明原因"`
}

// Run moves a step of the checklist.
func (s *incidentStepCmd) Run(ctx context.Context, c *call) error {
	return s.act(ctx, c, func(a *app, r *incident.Record) error {
		act := incident.StepAct{Incident: r.ID, Step: s.Step, Act: s.Act, Text: s.Text}
		for _, step := range r.Steps {
			if step.Step == s.Step {
				act.Version = step.Version
			}
		}
		_, err := a.incident.MoveStep(ctx, c.author(), s.As, act)
		return err
	})
}

type incidentNoteCmd struct {
	incidentAct `embed:""`
	Text        string `arg:"" placeholder:"TEXT" help:"内容"`
}

// Run adds words to the timeline.
func (s *incidentNoteCmd) Run(ctx context.Context, c *call) error {
	return s.act(ctx, c, func(a *app, r *incident.Record) error {
		return a.incident.Note(ctx, c.author(), s.As, r.ID, s.Text)
	})
}
