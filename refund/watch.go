package refund

import (
	"context"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/reconcile"
)

// What the desk looks for in plan 4.6.3: the codes of its signs.
const (
	SignBatchFailed = "REFUND_BATCH_FAILED" // case 2: what the bank, the line or we are to blame for
	SignUnknown     = "REFUNDS_UNKNOWN"     // case 2: for longer than a day nobody knows whether they were paid
	SignReturned    = "REFUNDS_RETURNED"    // case 1: the payee's name or account is not what his bank knows
	SignOverdue     = "REFUNDS_OVERDUE"     // case 1: the law's day is over
)

// WatchedCodes are the codes of which Watch looks at everything there is: what it does not see of them is gone.
func WatchedCodes() []string { return []string{SignBatchFailed, SignUnknown, SignReturned} }

// How long a released batch may wait for a bank that cannot be reached, and how long an outcome may be unknown (T+1).
const (
	unsentFor  = 30 * time.Minute
	unknownFor = 24 * time.Hour
)

// Watch looks for the troubles of 4.6.3, each with the evidence per step of the plan and where the fault lies. It changes nothing.
// A batch that failed, and payments of which nothing is known, freeze the parent account (the incident's does): what was
// sent may have been paid. Money that is late or was returned freezes nothing: that would make it later.
func (d *Desk) Watch(ctx context.Context) (signs []incident.Sign, err error) {
	c, err := d.watchedNow(ctx)
	if err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context, watchedNow) ([]incident.Sign, error){d.watchBatches, d.watchUnknown, d.watchReturned} {
		found, err := look(ctx, c)
		if err != nil {
			return nil, err
		}
		signs = append(signs, found...)
	}
	return signs, nil
}

// watchedNow is what is the same for all that is looked at.
type watchedNow struct {
	now     time.Time
	veil    reconcile.Veil
	changes func(troubleBegan time.Time) []string
}

func (d *Desk) watchedNow(ctx context.Context) (c watchedNow, err error) {
	c.now = d.db.Now()
	if c.veil, err = reconcile.VeilNow(ctx, d.db); err != nil {
		return c, err
	}
	c.changes, err = reconcile.ProgramChanges(ctx, d.db, WatchedCodes())
	return c, err
}

// mostWatched is how many lines or batches a round looks at: more are no other trouble.
const mostWatched = 500

// account is a parent account, under which lines are one trouble.
type account struct{ bank, parent string }

func (a account) subject() string { return a.bank + "|" + a.parent }

// watchUnknown looks at payments of which nobody knows for longer than a day whether they were made.
func (d *Desk) watchUnknown(ctx context.Context, c watchedNow) ([]incident.Sign, error) {
	all, err := lines.All(ctx, d.db, "WHERE state IN ('UNKNOWN','SENDING') AND sent_at < ? ORDER BY sent_at, id LIMIT ?", sqldb.At(c.now.Add(-unknownFor)), mostWatched)
	if err != nil {
		return nil, err
	}
	notes, err := lastNotes(ctx, d.db, all)
	if err != nil {
		return nil, err
	}
	return d.byAccount(ctx, all, func(b *bank.Bank, a account, some []watchedLine) incident.Sign {
		s := incident.Sign{Scenario: incident.Unrefundable, Branch: "2", Code: SignUnknown, Subject: a.subject(), Bank: a.bank, ParentAccount: a.parent, Department: string(reconcile.Finance), Scope: incident.Part,
			Title: b.Name + "：有退付超过一天结果不明", Since: some[0].SentAt.Add(unknownFor)}
		serials, sealed := toldLines(some)
		s.Detail = "结果不明的退付不得以新流水号重发"
		p := reconcile.Proof{Step: "2.1", Facts: nonEmpty(serialsText("结果不明的退付流水号", serials), c.veil.Note(sealed), "最早发送："+string(deposit.DayOf(some[0].SentAt)), askedText(b, some))}
		p.Asks = []string{"致电" + b.Name + "：按上列退付流水号逐笔查明是否已付", "导入发送日及次日的对账单：有支出即已付；没有且银行确认未付的，由两人认定后再重新提交"}
		changed := reconcile.Proof{Step: "2.3", Facts: c.changes(some[0].SentAt)}
		s.Evidence = reconcile.Exhibits(s.Scenario, s.Branch, []reconcile.Proof{p, changed})
		s.Fault = unknownFault(some, notes)
		return s
	})
}

// unknownFault says on whose side it lies that nothing is known: we broke off, the bank said what settles nothing, or there was
// no answer, which may be the bank's fault or the line's.
func unknownFault(some []watchedLine, notes map[sqldb.ID]string) *incident.Fault {
	broken, silent, unclear := 0, 0, 0
	for _, l := range some {
		switch {
		case l.Code != "":
			unclear++
		case notes[l.ID] == noteBroken, l.State == Sending:
			broken++
		default:
			silent++
		}
	}
	f := &incident.Fault{Side: incident.SideOpen, For: []string{}, Against: []string{}}
	switch {
	case broken == len(some):
		f.Side = incident.SideOurs
	case unclear == len(some):
		f.Side = incident.SideBank
	}
	for _, one := range []struct {
		n    int
		fact string
	}{{broken, "发送时本系统中断，报文是否到达银行不明"}, {unclear, "银行的应答代码不能据以认定是否已付"}, {silent, "已发出而没有得到可识别的应答，银行或线路均有可能"}} {
		if one.n > 0 {
			f.For = append(f.For, one.fact)
		}
	}
	return f
}

func askedText(b *bank.Bank, some []watchedLine) string {
	if !b.CanAsk() {
		return "该银行不能由本系统查询付款结果"
	}
	last := time.Time{}
	for _, l := range some {
		if l.AskedAt.After(last) {
			last = l.AskedAt
		}
	}
	if last.IsZero() {
		return "尚未向银行查询过"
	}
	return "最近一次向银行查询：" + string(deposit.DayOf(last)) + "，仍无定论"
}

// watchReturned looks at payments that failed or came back for the payee's own data.
func (d *Desk) watchReturned(ctx context.Context, c watchedNow) ([]incident.Sign, error) {
	all, err := lines.All(ctx, d.db, "WHERE state IN ('RETURNED','FAILED') AND NOT EXISTS (SELECT 1 FROM refunds AS n WHERE n.replaces = refunds.id AND n.state <> 'CANCELLED') ORDER BY sent_at, id LIMIT ?", mostWatched)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(l Line) bool { return l.State == Failed && !aboutPayee(&l) })
	changed, err := d.changesUnderWay(ctx, all)
	if err != nil {
		return nil, err
	}
	return d.byAccount(ctx, all, func(b *bank.Bank, a account, some []watchedLine) incident.Sign {
		s := incident.Sign{Scenario: incident.Unrefundable, Branch: "1", Code: SignReturned, Subject: a.subject(), Bank: a.bank, Department: string(reconcile.Finance),
			Title: b.Name + "：有退付因收款户名或账户问题退汇、拒付", Since: some[0].SentAt}
		returned, refused := []watchedLine{}, []watchedLine{}
		for _, l := range some {
			if l.State == Returned {
				returned = append(returned, l)
			} else {
				refused = append(refused, l)
			}
		}
		p := reconcile.Proof{Step: "1.2"}
		for _, part := range []struct {
			what  string
			lines []watchedLine
		}{{"已付后退汇的退付流水号", returned}, {"因收款人信息拒付的退付流水号", refused}} {
			serials, sealed := toldLines(part.lines)
			p.Facts = append(p.Facts, nonEmpty(serialsText(part.what, serials), c.veil.Note(sealed))...)
		}
		s.Detail = "请业务科室核对收款户名、账号、开户行，经审核后重新退付"
		for _, l := range some {
			if text := changed[l.EntryID]; text != "" && !l.sealed {
				p.Facts = append(p.Facts, "退付流水号 "+l.Serial+"：收款账户变更"+text)
			}
		}
		p.Asks = []string{"业务科室联系投标人核对收款户名、账号、开户行与联行号；有变更的办理收款账户变更审批并附证明", "综合科审核后重新组批，或由网银付款并登记"}
		s.Evidence = reconcile.Exhibits(s.Scenario, s.Branch, []reconcile.Proof{p})
		s.Fault = &incident.Fault{Side: incident.SideBidder, For: []string{"收款行或银行指明户名、账号或账户状态有误"}, Against: []string{}}
		if slices.ContainsFunc(some, func(l watchedLine) bool { return l.PayeeChange != 0 }) {
			s.Fault.Against = append(s.Fault.Against, "其中有经变更审批的收款账户，应核对审批时登记的信息")
		}
		return s
	})
}

// changesUnderWay says of lines' receipts how far a change of the payee is, of whose evidence the papers' hash is kept.
func (d *Desk) changesUnderWay(ctx context.Context, all []Line) (map[sqldb.ID]string, error) {
	entries := make([]sqldb.ID, len(all))
	for i := range all {
		entries[i] = all[i].EntryID
	}
	texts := map[sqldb.ID]string{}
	err := sqldb.Chunks(distinct(entries), func(in string, args []any) error {
		rows, err := changes.All(ctx, d.db, "WHERE entry_id IN "+in+" ORDER BY made_at, id", args...)
		for i := range rows {
			p := &rows[i]
			texts[p.EntryID] = "（" + string(deposit.DayOf(p.MadeAt)) + " 提出）：" + ChangeStates[p.State]
			if p.EvidenceSHA256 != "" {
				texts[p.EntryID] += "，附有证明材料"
			}
		}
		return err
	})
	return texts, err
}

// watchedLine is a line, and whether its lot is not opened.
type watchedLine struct {
	Line
	sealed bool
}

func toldLines(some []watchedLine) (serials []string, sealed int) {
	for _, l := range some {
		if l.sealed {
			sealed++
		} else {
			serials = append(serials, l.Serial)
		}
	}
	return serials, sealed
}

// byAccount makes one sign for the lines of each parent account, in the order in which they come.
func (d *Desk) byAccount(ctx context.Context, all []Line, sign func(*bank.Bank, account, []watchedLine) incident.Sign) ([]incident.Sign, error) {
	watched, err := d.watchedLines(ctx, all)
	if err != nil {
		return nil, err
	}
	groups := map[account][]watchedLine{}
	var order []account
	for _, l := range watched {
		a := account{l.Bank, l.ParentAccount}
		if groups[a] == nil {
			order = append(order, a)
		}
		groups[a] = append(groups[a], l)
	}
	signs := make([]incident.Sign, 0, len(order))
	for _, a := range order {
		b, err := d.banks.Bank(a.bank)
		if err != nil {
			return nil, err
		}
		signs = append(signs, sign(b, a, groups[a]))
	}
	return signs, nil
}

func (d *Desk) watchedLines(ctx context.Context, all []Line) ([]watchedLine, error) {
	lotIDs := make([]sqldb.ID, len(all))
	for i := range all {
		lotIDs[i] = all[i].LotID
	}
	lots, err := platform.LotsByID(ctx, d.db, distinct(lotIDs))
	watched := make([]watchedLine, len(all))
	for i := range all {
		watched[i] = watchedLine{all[i], lots[all[i].LotID].State == platform.LotAnnounced}
	}
	return watched, err
}

func serialsText(what string, serials []string) string {
	if len(serials) == 0 {
		return ""
	}
	return what + "：" + reconcile.Listed(serials)
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(t string) bool { return strings.TrimSpace(t) == "" })
}
