package main

import (
	"context"
	"errors"
	"fmt"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/refund"
)

type refundCmd struct {
	Status refundStatusCmd `cmd:"" help:"各账户退付进度：各状态的笔数与金额、等待谁办理、是否停付"`
	Send   refundSendCmd   `cmd:"" help:"立即向银行发送已放行的退付，查询未决的退付，读取结果文件"`
	Stop   refundStopCmd   `cmd:"" help:"停付：此后不再发出任何退付，直至恢复；已发出的照常查询和核对"`
	Start  refundStartCmd  `cmd:"" help:"恢复付款：解除由 stop 设置的停付；应急事件的冻结须在事件中解除"`
	Due    refundDueCmd    `cmd:"" help:"逾期与即将到期的退付、沉淀保证金"`
}

type refundStatusCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// refundState is what "refund status" prints.
type refundState struct {
	Lines   []refundStanding `json:"lines"`
	Freezes []refundFreeze   `json:"freezes"`
	NoWay   []string         `json:"banks_without_way"`
}

type refundStanding struct {
	Bank          string         `json:"bank"`
	ParentAccount string         `json:"parent_account"`
	State         refund.State   `json:"state"`
	Waiting       refund.Waiting `json:"waits_for"`
	Count         int            `json:"count"`
	Total         deposit.Fen    `json:"total"`
	Since         string         `json:"oldest"`
}

type refundFreeze struct {
	Bank          string               `json:"bank"`
	ParentAccount string               `json:"parent_account"`
	Cause         platform.FreezeCause `json:"cause"`
	Reference     string               `json:"reference"`
	Reason        string               `json:"reason"`
	FrozenAt      string               `json:"frozen_at"`
}

// Run prints how the refunds stand.
func (s *refundStatusCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		state, err := a.refundState(ctx)
		if err != nil {
			return err
		}
		if s.JSON {
			return printJSON(c.stdout, state)
		}
		for _, l := range state.Lines {
			waits := "已办结"
			if l.Waiting != "" {
				waits = "等待 " + l.Waiting.Chinese()
			}
			fmt.Fprintf(c.stdout, "%s  %s  %s %6d 笔  %s 元  最早 %s  %s\n", pad(l.Bank, 12), pad(l.ParentAccount, 24), pad(l.State.Chinese(), 12), l.Count, padLeft(l.Total.Grouped(), 20), l.Since, waits)
		}
		if len(state.Lines) == 0 {
			fmt.Fprintln(c.stdout, "还没有退付")
		}
		for _, f := range state.Freezes {
			fmt.Fprintf(c.stdout, "停付：%s，%s 起，%s\n", accountText(f.Bank, f.ParentAccount), f.FrozenAt, f.Reason)
		}
		for _, code := range state.NoWay {
			fmt.Fprintf(c.stdout, "银行 %s：%s，已放行的退付不会发出\n", code, errNoWay)
		}
		return nil
	})
}

func accountText(code, parent string) string {
	switch {
	case code == "":
		return "全部银行"
	case parent == "":
		return "银行 " + code + " 的全部账户"
	}
	return "银行 " + code + " 账户 " + parent
}

func (a *app) refundState(ctx context.Context) (state refundState, err error) {
	state = refundState{Lines: []refundStanding{}, Freezes: []refundFreeze{}, NoWay: []string{}}
	tallies, err := a.refund.Tallies(ctx)
	if err != nil {
		return state, err
	}
	for _, s := range tallies {
		state.Lines = append(state.Lines, refundStanding{s.Bank, s.ParentAccount, s.State, s.Waiting, s.Count, s.Total, deposit.Wall(s.Since)})
	}
	frozen, err := platform.Freezes(ctx, a.db)
	if err != nil {
		return state, err
	}
	for _, f := range frozen {
		state.Freezes = append(state.Freezes, refundFreeze{f.Bank, f.ParentAccount, f.Cause, f.Reference, f.Reason, deposit.Wall(f.FrozenAt)})
	}
	payers, err := a.payers("")
	for _, b := range payers {
		if _, way := a.wayTo(b); errors.Is(way, errNoWay) {
			state.NoWay = append(state.NoWay, b.Code)
		}
	}
	return state, err
}

type refundSendCmd struct {
	Bank string `placeholder:"CODE" help:"只向这家银行；缺省为全部"`
	JSON bool   `name:"json" help:"以 JSON 打印"`
}

// Run does what the server does every minute; exit code 4 while the server is at it.
func (s *refundSendCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		payers, err := a.payers(s.Bank)
		if err != nil {
			return err
		}
		all := []paid{}
		for _, b := range payers {
			p, err := a.pay(ctx, c.author(), b)
			if errors.Is(err, errNoWay) && s.Bank == "" {
				continue
			}
			if err != nil {
				return fmt.Errorf("银行 %s：%w", b.Code, err)
			}
			all = append(all, p)
		}
		if s.JSON {
			return printJSON(c.stdout, map[string]any{"banks": all})
		}
		for _, p := range all {
			fmt.Fprintf(c.stdout, "%s  发出报文 %d 份，查询 %d 份，重发 %d 份，读入结果文件 %d 个，拒收 %d 个\n", pad(p.Bank, 12), p.Sent, p.Asked, p.Again, len(p.Taken), len(p.Refused))
		}
		return nil
	})
}

// refundScope is what is stopped: an account, a bank, or all.
type refundScope struct {
	Bank    string `placeholder:"CODE" help:"只此银行；缺省为全部银行"`
	Account string `placeholder:"NUMBER" help:"只此母账户（须同时写 --bank）"`
	Reason  string `required:"" placeholder:"TEXT" help:"原因，写入审计日志"`
}

func (s *refundScope) freeze() platform.Freeze {
	return platform.Freeze{Bank: s.Bank, ParentAccount: s.Account, Cause: platform.ByStop, Reason: s.Reason}
}

// apply checks that what is named exists, and freezes or lifts.
func (s *refundScope) apply(ctx context.Context, c *call, do func(context.Context, *sqldb.Tx, platform.Freeze) error, said string) error {
	return c.use(ctx, asIs, func(a *app) error {
		if s.Bank != "" {
			if _, err := a.banks.Bank(s.Bank); err != nil {
				return err
			}
		}
		if err := a.db.Write(ctx, c.author(), func(tx *sqldb.Tx) error { return do(ctx, tx, s.freeze()) }); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "%s：%s\n", said, accountText(s.Bank, s.Account))
		return nil
	})
}

type refundStopCmd struct {
	refundScope `embed:""`
}

// Run stops all sending, at once and for every replica.
func (s *refundStopCmd) Run(ctx context.Context, c *call) error {
	return s.apply(ctx, c, platform.FreezeRefunds, "已停付")
}

type refundStartCmd struct {
	refundScope `embed:""`
}

// Run lifts a stop of the same scope.
func (s *refundStartCmd) Run(ctx context.Context, c *call) error {
	return s.apply(ctx, c, platform.LiftFreezes, "已解除停付")
}

type refundDueCmd struct {
	Days       int    `default:"3" placeholder:"N" help:"多少天内到期"`
	Department string `placeholder:"NAME" help:"只此科室；缺省为全部"`
	JSON       bool   `name:"json" help:"以 JSON 打印"`
}

// refundDue is one amount that is due. Proposals name no payee: the list is for all desks.
type refundDue struct {
	Due        string         `json:"due_on"`
	DaysLeft   int            `json:"days_left"`
	Waiting    refund.Waiting `json:"waits_for"`
	Department string         `json:"department"`
	Rule       string         `json:"rule"`
	Cause      refund.Cause   `json:"cause"`
	Amount     deposit.Fen    `json:"amount"`
	Name       string         `json:"name"` // the refund's serial, or the bank's serial of the credit
}

// Run prints what is overdue or soon due, and what was forgotten.
func (s *refundDueCmd) Run(ctx context.Context, c *call) error {
	return c.use(ctx, asIs, func(a *app) error {
		o, err := a.refund.DueWithin(ctx, deposit.SightOfAll(), s.Department, s.Days)
		if err != nil {
			return err
		}
		due, stale := dueOf(o, deposit.DayOf(a.db.Now()))
		if s.JSON {
			return printJSON(c.stdout, map[string]any{"due": due, "stale": stale})
		}
		for _, part := range []struct {
			title string
			all   []refundDue
		}{{"逾期与即将到期", due}, {"沉淀保证金（长期未退或无期限规则）", stale}} {
			fmt.Fprintf(c.stdout, "%s：%d 笔\n", part.title, len(part.all))
			for _, d := range part.all {
				fmt.Fprintf(c.stdout, "  %s  剩 %4d 天  %s  %s  %s 元  %s  %s\n", pad(d.Due, 10), d.DaysLeft, pad(d.Rule, 4), pad(d.Department, 16), padLeft(d.Amount.Grouped(), 16), d.Name, d.Waiting.Chinese())
			}
		}
		return nil
	})
}

// sealedName stands where a refund of a sealed lot would have a name.
const sealedName = "密封退付"

func dueOf(o refund.Overview, today deposit.Day) (due, stale []refundDue) {
	due, stale = []refundDue{}, []refundDue{}
	of := func(p refund.Proposal) refundDue {
		d := refundDue{Waiting: refund.ForDepartment, Department: p.Receipt.Lot.Department, Cause: p.Ground.Cause, Amount: p.Amount, Name: p.Receipt.Entry.Serial}
		if p.Sealed {
			d.Name = sealedName
		}
		if p.HasLimit {
			d.Due, d.DaysLeft, d.Rule = string(p.Limit.Day), p.Limit.DaysLeft, p.Limit.Rule.ID
		}
		return d
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		due = append(due, refundDue{l.DueOn, today.DaysTo(deposit.Day(l.DueOn)), l.WaitsFor(), l.Department, l.Rule, l.Cause, l.Amount, l.Serial})
	}
	for _, p := range o.Proposals {
		due = append(due, of(p))
	}
	for _, p := range o.Stale {
		stale = append(stale, of(p))
	}
	return due, stale
}
