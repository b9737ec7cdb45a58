package refund

import (
	"context"
	"fmt"
	"slices"

	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/reconcile"
)

// OverdueCodes are the codes of which WatchOverdue looks at everything there is.
func OverdueCodes() []string { return []string{SignOverdue} }

// overdueOf is what a department should have paid back by now.
type overdueOf struct {
	department string
	earliest   deposit.Day
	unlisted   []string        // the bank's serials of receipts that are on no list
	waiting    map[Waiting]int // lines on their way, by whom they wait for
	serials    []string        // of those lines
}

// WatchOverdue looks for deposits whose last day for going back is over (plan 4.6.3, case 1: they go back by the normal flow),
// an incident for each department. That a department has to pay back before an opening would tell of a withdrawal, and is left out. It reads all that is due, and what it sees changes with the day: once an hour is enough.
func (d *Desk) WatchOverdue(ctx context.Context) ([]incident.Sign, error) {
	today := deposit.DayOf(d.db.Now())
	o, err := d.DueWithin(ctx, deposit.SightOfAll(), "", -1)
	if err != nil {
		return nil, err
	}
	var all []*overdueOf
	of := func(department string, due deposit.Day) *overdueOf {
		i := slices.IndexFunc(all, func(x *overdueOf) bool { return x.department == department })
		if i < 0 {
			i = len(all)
			all = append(all, &overdueOf{department: department, earliest: due, waiting: map[Waiting]int{}})
		}
		all[i].earliest = min(all[i].earliest, due)
		return all[i]
	}
	for _, p := range slices.Concat(o.Proposals, o.Stale) {
		if !p.Sealed && p.HasLimit && p.Limit.Overdue() {
			x := of(departmentOf(&p), p.Limit.Day)
			x.unlisted = append(x.unlisted, p.Receipt.Entry.Serial)
		}
	}
	for _, l := range o.Lines {
		if due := deposit.Day(l.DueOn); !l.Sealed && due < today {
			x := of(l.Department, due)
			x.waiting[l.WaitsFor()]++
			x.serials = append(x.serials, l.Serial)
		}
	}
	signs := make([]incident.Sign, len(all))
	for i, x := range all {
		signs[i] = x.sign()
	}
	return signs, nil
}

func departmentOf(p *Proposal) string {
	if p.Receipt.Lot.Department == "" {
		return string(reconcile.Finance)
	}
	return p.Receipt.Lot.Department
}

// sign is what a department's overdue refunds show. It is pure.
func (x *overdueOf) sign() incident.Sign {
	s := incident.Sign{Scenario: incident.Unrefundable, Branch: "1", Code: SignOverdue, Subject: x.department, Department: x.department, Title: x.department + "：有保证金逾期未退付",
		Detail: "最早的退付期限为 " + string(x.earliest), Since: x.earliest.Add(1).Start(), Deadlines: []incident.Deadline{{Event: incident.RefundDue, At: x.earliest.Add(1).Start()}}}
	p := reconcile.Proof{Step: "1.1"}
	f := &incident.Fault{Side: incident.SideOurs, For: []string{}, Against: []string{}}
	if len(x.unlisted) > 0 {
		fact := fmt.Sprint("尚未列入退款名单 ", len(x.unlisted), " 笔，到账流水号 ", reconcile.Listed(x.unlisted))
		p.Facts = append(p.Facts, fact)
		f.For = append(f.For, fmt.Sprint("尚未列入退款名单 ", len(x.unlisted), " 笔"))
	}
	for _, w := range []Waiting{ForMaker, ForChecker, ForReleaser, ForUs, ForBank} {
		if n := x.waiting[w]; n > 0 {
			p.Facts = append(p.Facts, fmt.Sprint("在途 ", n, " 笔，等待", w.Chinese()))
			if w == ForBank {
				f.Against = append(f.Against, fmt.Sprint("已交银行办理 ", n, " 笔，尚无结果"))
			} else {
				f.For = append(f.For, fmt.Sprint("等待", w.Chinese(), " ", n, " 笔"))
			}
		}
	}
	if len(f.For) == 0 && len(f.Against) > 0 {
		f.Side, f.For, f.Against = incident.SideBank, f.Against, f.For
	}
	p.Facts = append(p.Facts, nonEmpty(serialsText("在途的退付流水号", x.serials))...)
	p.Asks = []string{"按到账流水号查所属项目，由业务科室今日提交退款名单", "综合科组批、复核、放行；逾期的按规定计付资金占用费"}
	s.Evidence = reconcile.Exhibits(s.Scenario, s.Branch, []reconcile.Proof{p})
	s.Fault = f
	return s
}
