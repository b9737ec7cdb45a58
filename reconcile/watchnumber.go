package reconcile

import (
	"context"
	"fmt"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// numberStands is our word on a number of which a bank says something else.
type numberStands struct {
	id      sqldb.ID
	number  string
	state   platform.NumberState
	since   time.Time
	lot     string
	sealed  bool     // its lot is not opened: no time and no lot is told
	changes []string // what was done to it last
}

func (n *numberStands) text() string {
	text := "子账号 " + n.number + "：本系统记为“" + n.state.Chinese() + "”"
	switch {
	case n.sealed:
		return text + "，所属标段未开标"
	case n.lot != "":
		text += "，属于标段 " + n.lot
	}
	return text + "，自 " + deposit.Wall(n.since) + " 起"
}

// lastChanges is how many of the last changes of a number are told.
const lastChanges = 3

// readStands reads our word on the numbers in question, and how many of the bank's messages were refused of late.
func (k *Keeper) readStands(ctx context.Context, f *poolFacts, p platform.Pool) (err error) {
	f.stands, err = sqldb.Select(ctx, k.db, func(n *numberStands) []any {
		return []any{&n.id, &n.number, &n.state, sqldb.Wall(&n.since), &n.lot, &n.sealed}
	}, "SELECT n.id, n.sub_account, n.state, n.since, COALESCE(t.number, ''), CASE WHEN t.state = 'ANNOUNCED' THEN 1 ELSE 0 END FROM findings AS f JOIN numbers AS n ON n.id = f.subject "+
		"LEFT JOIN leases AS l ON l.id = n.lease_id LEFT JOIN lots AS t ON t.id = l.lot_id WHERE f.kind = 'WORD' AND f.state IN ('OPEN','EXPLAINED') AND f.bank = ? AND f.parent_account = ? "+
		"ORDER BY n.sub_account LIMIT ?", p.Bank, p.Parent, mostListed)
	if err != nil {
		return err
	}
	for i := range f.stands {
		n := &f.stands[i]
		if n.sealed {
			continue
		}
		events, err := sqldb.Events.All(ctx, k.db, "WHERE row_id = ? AND table_name = 'numbers' ORDER BY seq DESC LIMIT ?", n.id, lastChanges)
		if err != nil {
			return err
		}
		for _, e := range events {
			n.changes = append(n.changes, fmt.Sprint("子账号 ", n.number, "，", deposit.Wall(e.At), "：", e.Was, " → ", e.Became, " ", e.Note, "（", e.By, "）"))
		}
	}
	pushes, err := bank.PushesSince(ctx, k.db, p.Bank, f.now.Add(-24*time.Hour))
	for _, one := range pushes {
		if one.Code != "" {
			f.refused += one.Count
		}
	}
	return err
}

// certificateText says how long the bank's certificate is good. A line without TLS has none.
func (f *poolFacts) certificateText() string {
	switch until := f.certificate; {
	case until.IsZero():
		return "未见银行证书（专线或内网不加密，或尚未连通）"
	case until.Before(f.now):
		return "银行证书已于 " + string(deposit.DayOf(until)) + " 到期"
	default:
		return "银行证书有效至 " + string(deposit.DayOf(until))
	}
}

// caseTwoSign is of numbers on which the bank does not book, or books otherwise than we know (plan 4.6.1, case 2).
func (f *poolFacts) caseTwoSign() incident.Sign {
	s := f.sign(caseTwo, SignNotBooked, "子账号无法入账或到账与银行不符")
	s.Detail = "母账户 " + f.view.Parent + "；银行的答复与本系统对子账号的记录不一致"
	var w weighing
	w.say(f.has(NumberUnknown) > 0, incident.SideBank, "本系统登记在用的子账号，银行答复不存在")
	w.say(f.has(NumberClash) > 0, incident.SideBank, "银行把在用的子账号再次给出")
	w.say(f.has(NumberCreditsDiffer) > 0, incident.SideBank, "银行查询所列到账与其推送不一致")
	if e := f.changedBefore(s.Since); e != nil {
		w.say(true, incident.SideOurs, "发现前 24 小时内本系统有变动："+e.Note)
	}
	w.say(f.deafIn(f.now.Add(-recently), f.now) > 0, incident.SideOurs, "近 7 天本系统曾中断，可能漏收推送")
	s.Fault = w.fault()
	var p proofs
	for _, one := range f.found {
		if one.Code == NumberUnknown || one.Code == NumberCreditsDiffer || one.Code == NumberClash {
			p.know("2.1", one.Detail+"（"+one.Code.Name()+"）")
		}
	}
	p.ask("2.1", "致电"+f.bank.Name+"：核对上列子账号的状态，能否正常入账；有无被退回或挂账的款项", "请银行对上列子账号逐笔提供入账明细")
	for _, n := range f.stands {
		p.know("2.1", n.text())
		p.know("2.3", n.changes...)
	}
	p.know("2.1", "近 24 小时被本系统拒收的该行报文："+f.veil.Count(f.refused)+" 条")
	if at := f.last.LastCredit; !at.IsZero() {
		p.know("2.1", "母账户最近一笔入账："+f.veil.When(at))
	}
	f.proveAccount(&p)
	p.know("2.3", f.changesText(s.Since)...)
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

// proveAccount is step 2.2: is the centre's deposit account in a normal state?
func (f *poolFacts) proveAccount(p *proofs) {
	if f.last.StatementDay == "" {
		p.know("2.2", "尚无该母账户的对账单")
	} else {
		agree := "余额、衔接均相符，已日终关闭"
		if !f.last.Closed || f.last.Chain == ChainIsBroken {
			agree = "尚不相符或未关闭，请综合科核对"
		}
		p.know("2.2", "最近对账单 "+string(f.last.StatementDay)+"："+agree)
	}
	if at := f.last.LastCredit; !at.IsZero() {
		p.know("2.2", "最近一笔入账："+f.veil.When(at))
	}
	if at := f.last.LastDebit; !at.IsZero() {
		p.know("2.2", "最近一笔支出："+f.veil.When(at))
	}
	p.ask("2.2", "综合科与"+f.bank.Name+"确认母账户 "+f.view.Parent+" 是否正常（冻结、久悬、限额）")
}
