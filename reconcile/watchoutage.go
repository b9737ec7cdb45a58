package reconcile

import (
	"context"
	"fmt"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// deafMatters is how long the service has to be deaf for an incident: a restart takes seconds, and banks push again what was
// not answered for some minutes. Shorter outages are noted and asked about all the same.
const deafMatters = 5 * time.Minute

// outageFacts is an outage with what came of asking the banks.
type outageFacts struct {
	Outage
	banks     []bankOutage
	recovered []PulledCredit
}

// bankOutage is what one bank may have pushed in vain.
type bankOutage struct {
	bank     *bank.Bank
	callable bool
	known    bool    // its rhythm is
	expected float64 // pushes, by its rhythm
}

// watchOutages looks at the times in which the service was deaf (plan 5.1.1).
func (k *Keeper) watchOutages(ctx context.Context, c circumstances) ([]incident.Sign, error) {
	var signs []incident.Sign
	var err error
	for _, o := range c.outages {
		if o.Lasted() < deafMatters {
			continue
		}
		f := outageFacts{Outage: o}
		if f.recovered, err = pulledIn(ctx, k.db, o.Began.Add(-onItsWay), o.Ended); err != nil {
			return nil, err
		}
		for _, b := range k.banks.All() {
			if b.Notices == bank.None {
				continue
			}
			known, err := k.rhythmOf(ctx, b.Code, c.now)
			if err != nil {
				return nil, err
			}
			f.banks = append(f.banks, bankOutage{b, k.lines[b.Code] != nil && b.Adapter.Calls != nil && b.Adapter.Calls.Credit != nil, known.rhythm.Known(), known.rhythm.Expected(o.Began, o.Ended)})
		}
		signs = append(signs, f.sign(c))
	}
	return signs, nil
}

// sign is what an outage shows. It is pure. It is over when it is seen, so that no level follows from how long ago it began.
func (f *outageFacts) sign(c circumstances) incident.Sign {
	span := deposit.Wall(f.Began) + " 至 " + deposit.Wall(f.Ended)
	s := incident.Sign{Scenario: incident.Outage, Branch: mainBranch, Code: SignOutage, Subject: deposit.Wall(f.Began), Department: string(IT), Since: f.Began,
		Title: "本服务中断 " + lasting(f.Lasted()), Detail: span + "：" + f.Cause.Chinese() + "；此间银行的到账通知可能没有收到"}
	var w weighing
	w.say(f.Cause == WasStopped, incident.SideOurs, "服务收到停止指令后退出")
	w.say(f.Cause == HasDied, incident.SideOurs, "服务没有留下停止记录：进程、主机或时钟中断")
	w.say(f.Cause == LostDatabase, incident.SideOurs, "服务在运行，但连不上数据库")
	s.Fault = w.fault()
	var p proofs
	p.know("1", "中断时段："+span+"，整个系统不能访问共 "+lasting(f.Lasted())+"，请据此定级", "原因："+f.Cause.Chinese())
	p.know("2", "服务已于 "+deposit.Wall(f.Ended)+" 恢复："+map[bool]string{true: "用时在 100 分钟以内", false: "用时超过 100 分钟"}[f.Lasted() <= restartLimit])
	f.proveRecovery(&p, c.veil)
	p.know("5", c.changesText(f.Ended)...)
	p.ask("5", "确认各项服务恢复原状后解除应急状态")
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

// restartLimit is the plan's forecast of a recovery by backup or restart (5.1.1, step 2).
const restartLimit = 100 * time.Minute

// proveRecovery is step 4: what may be missing, and what came back by asking.
func (f *outageFacts) proveRecovery(p *proofs, veil Veil) {
	var byHand []string
	for _, b := range f.banks {
		may := "推送规律尚不可知"
		if b.known {
			may = "按平日规律此间约有推送 " + veil.Count(int(b.expected+0.5)) + " 条"
		}
		way := "不能由本系统查询，须由银行补推或以对账单补齐"
		switch {
		case b.callable && f.State == OutageAsked:
			way = "已逐个子账号查询缺失时段的到账"
		case b.callable:
			way = "正在逐个子账号查询缺失时段的到账"
		}
		p.know("4", b.bank.Name+"："+may+"；"+way)
		if !b.callable {
			byHand = append(byHand, b.bank.Name)
		}
	}
	p.know("4", "查询补回的到账："+pulledText(f.recovered, veil))
	if len(byHand) > 0 {
		p.ask("4", fmt.Sprint("请 ", Listed(byHand), " 补推 ", deposit.Wall(f.Began.Add(-onItsWay)), " 至 ", deposit.Wall(f.Ended), " 的到账通知，重复推送不会重复入账"))
	}
	if f.State == OutageFound {
		p.ask("4", "等待查询完成；查询失败时请向银行索取该时段明细")
	}
}
