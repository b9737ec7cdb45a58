package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// When a silence is odd, so that a bank that can be called is asked, and when it is a fault by itself: in so many of
// silences of a line that is whole there is one as long. A bank is looked at some ten times a day.
const (
	oddSilence  = 1e-2
	deadSilence = 1e-5
)

// How many messages of an hour are refused before it is more than a slip, and how many times the usual rate that is.
const (
	mostRefused  = 3
	risingFactor = 3
)

// watchPushes looks at how the banks push (plan 4.6.2, case 2).
func (k *Keeper) watchPushes(ctx context.Context, c circumstances) ([]incident.Sign, error) {
	missing, err := missingLines(ctx, k.db)
	if err != nil {
		return nil, err
	}
	var facts []pushFacts
	for _, b := range k.banks.All() {
		if b.Notices == bank.None {
			continue
		}
		f, err := k.pushFacts(ctx, c, b, missing)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	var signs []incident.Sign
	for i := range facts {
		facts[i].others = othersOf(facts, i)
		signs = append(signs, facts[i].signs()...)
	}
	return signs, nil
}

// othersOf counts how the other banks push in the time in which one does not.
func othersOf(all []pushFacts, i int) (o othersPush) {
	for j := range all {
		switch {
		case j == i:
		case all[j].last.After(all[i].last):
			o.Lively++
		case all[j].silence() <= oddSilence:
			o.Silent++
		}
	}
	return o
}

// signs is what the facts of one bank show. It is pure.
func (f *pushFacts) signs() (signs []incident.Sign) {
	refused := f.refused(f.now.Add(-time.Hour))
	rejected := refused[bank.Disbelieved] + refused[bank.Unwelcome] + refused[bank.Broken]
	unreadable := refused[bank.Unreadable]
	if rejected >= mostRefused {
		signs = append(signs, f.rejectedSign(refused))
	}
	if unreadable >= mostRefused && float64(unreadable) > risingFactor*f.usual[bank.Unreadable] {
		signs = append(signs, f.unreadableSign(unreadable))
	}
	if unpushed := f.unpushed(); f.stopped() || len(unpushed) > 0 {
		signs = append(signs, f.notPushedSign(unpushed))
	}
	return signs
}

// refused counts the messages that were refused since an instant's hour, by kind of reason.
func (f *pushFacts) refused(since time.Time) map[bank.Rejection]int {
	counts := map[bank.Rejection]int{}
	for _, p := range f.today {
		if p.Code != "" && !p.Hour.Before(since.Truncate(time.Hour)) {
			counts[bank.RejectionOf(p.Code)] += p.Count
		}
	}
	return counts
}

// stopped says whether the bank has ceased to push: so long a silence does not come by chance, or it is odd and the bank
// itself says that it has booked more, by a call or by its statement, or cannot be reached. A bank that has told of all numbers, and nothing new, is not
// silent: nothing was paid.
func (f *pushFacts) stopped() bool {
	chance := f.silence()
	switch {
	case chance > oddSilence:
		return false
	case len(f.recent) > 0, f.link != nil && f.link.Outcome != bank.CallDone, slices.ContainsFunc(f.missing, func(l missingLine) bool { return l.Day >= deposit.DayOf(f.last) }):
		return true
	case f.pulled.Complete && f.link != nil:
		return false
	}
	return chance <= deadSilence
}

// unpushed are the statement's lines that nothing else explains: on a day on which messages were refused each of them may be
// one of those lines, and what was booked while the service was deaf is told there.
func (f *pushFacts) unpushed() (left []missingLine) {
	refused := map[deposit.Day]int{}
	for _, p := range f.today {
		if p.Code != "" {
			refused[deposit.DayOf(p.Hour)] += p.Count
		}
	}
	for _, l := range f.missing {
		switch day := l.Day; {
		case refused[day] > 0:
			refused[day]--
		case f.deafIn(day.Start(), day.Add(1).Start()) >= deafMatters:
		default:
			left = append(left, l)
		}
	}
	return left
}

func (f *pushFacts) sign(code, title string) incident.Sign {
	return incident.Sign{Scenario: incident.Unshown, Branch: caseTwo, Code: code, Subject: f.bank.Code, Bank: f.bank.Code, ParentAccount: f.bank.Parent(), Department: string(IT),
		Title: title, Scope: incident.Part}
}

func (f *pushFacts) notPushedSign(unpushed []missingLine) incident.Sign {
	s := f.sign(SignNotPushed, f.bank.Name+"：到账通知中断或漏推")
	if f.stopped() {
		s.Since = f.last.Truncate(time.Hour).Add(time.Hour)
		s.Detail = fmt.Sprint("银行不再推送到账通知；按近 ", rhythmWeeks, " 周同星期、同时段，此间本应有约 ", f.veil.Count(int(f.rhythm.Expected(f.last, f.silentTo)+0.5)), " 条")
	} else {
		s.Since = lastDayOf(unpushed).Start()
		s.Detail = "对账单上有银行从未推送的到账"
	}
	began := s.Since
	var w weighing
	f.weighSilence(&w, unpushed)
	s.Fault = w.fault()
	var p proofs
	f.provePushing(&p, unpushed)
	f.proveTaking(&p)
	p.know("2.3", f.changesText(began)...)
	p.know("2.3", hiddenText())
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

func lastDayOf(all []missingLine) (day deposit.Day) {
	for _, l := range all {
		day = max(day, l.Day)
	}
	return day
}

// weighSilence says what speaks for whom where a bank's pushes are missing.
func (f *pushFacts) weighSilence(w *weighing, unpushed []missingLine) {
	stopped := f.stopped()
	if f.link != nil {
		w.say(len(f.recent) > 0 && f.link.Outcome == bank.CallDone, incident.SideBank, "银行能正常应答查询，并承认有已入账而未推送的款项")
		w.say(f.link.Outcome == bank.CallUnsent, incident.SideLink, "本系统连不上银行（链路监测未发出）")
		w.say(f.link.Outcome == bank.CallUnknown, incident.SideBank, "链路监测已送达，银行没有给出可识别的应答")
		w.say(f.link.Outcome == bank.CallRefused, incident.SideBank, "银行拒绝链路监测，结果码 "+f.link.Result)
		w.say(f.link.Outcome == bank.CallDone && len(f.recent) == 0, incident.SideLink, "由本系统到银行的方向畅通，由银行到本系统的方向没有报文")
	}
	w.say(stopped && f.others.Lively > 0, incident.SideBank, "同一时段其他银行的推送正常到达本系统")
	w.say(stopped && f.others.Lively == 0 && f.others.Silent > 0, incident.SideOurs, "各银行同时静默，应先检查本系统的接收端口、防火墙与证书")
	if e := f.changedBefore(f.last); stopped && e != nil {
		w.say(true, incident.SideOurs, "静默开始前 24 小时内本系统有变动："+e.Note)
	}
	if len(unpushed) > 0 {
		w.say(!stopped && !f.last.IsZero(), incident.SideBank, "同期的其他通知正常到达并被接收，只缺对账单上的这些笔")
		w.say(f.atCap, incident.SideBank, "当日通知笔数恰为整百整千，银行可能在该笔数截断")
		deaf := time.Duration(0)
		for _, l := range unpushed {
			deaf = max(deaf, f.deafIn(l.Day.Start(), l.Day.Add(1).Start()))
		}
		w.say(deaf > 0, incident.SideOurs, "当日本系统曾中断 "+lasting(deaf))
	}
	w.say(len(w.facts) > 0 && len(f.refusedToday()) > 0, incident.SideOurs, "近 24 小时有银行报文被本系统拒收")
}

func (f *pushFacts) refusedToday() map[bank.Rejection]int {
	return f.refused(f.now.Add(-24 * time.Hour))
}

// provePushing is step 2.1: does the bank push to us smoothly?
func (f *pushFacts) provePushing(p *proofs, unpushed []missingLine) {
	if f.last.IsZero() {
		p.know("2.1", "从未收到该银行的推送")
	} else {
		p.know("2.1", "最近一次推送："+f.veil.When(f.last))
	}
	if f.stopped() {
		p.know("2.1", fmt.Sprint("静默期间预期推送：约 ", f.veil.Count(int(f.rhythm.Expected(f.last, f.silentTo)+0.5)), " 条；线路正常时如此静默的可能性不到 ", chanceText(f.silence())))
	}
	var serials []string
	for _, l := range unpushed {
		serials = append(serials, string(l.Day)+" 流水号 "+l.Serial)
	}
	if len(serials) > 0 {
		p.know("2.1", "对账单有而从未推送（已开标标段）："+Listed(serials))
	}
	if f.atCap && !f.veil.Hides() {
		p.know("2.1", "最近一日通知笔数恰为整百整千，疑似银行截断")
	}
	if n := len(f.spread); n > 0 && !f.veil.Hides() {
		p.know("2.1", fmt.Sprint("从入账到通知：一半在 ", lasting(f.spread[n/2]), " 内，99% 在 ", lasting(f.spread[(n*99-1)/100]), " 内"))
	}
	p.know("2.1", f.linkText(), f.recoveredText())
	p.ask("2.1", "致电"+f.bank.Name+"科技部门：到账通知推送程序是否在运行，最后一次成功推送是何时、流水号是多少", "请银行补推 "+f.spanText(unpushed)+" 的全部到账通知，重复推送不会重复入账")
	if len(serials) > 0 {
		p.ask("2.1", "请银行逐笔说明未推送的原因："+Listed(serials))
	}
}

// spanText says for which time the bank has to push again.
func (f *pushFacts) spanText(unpushed []missingLine) string {
	switch {
	case f.veil.Hides():
		return "近 7 日"
	case f.stopped():
		return string(deposit.DayOf(f.last)) + " 至 " + string(deposit.DayOf(f.now))
	}
	var days []string
	for _, l := range unpushed {
		if !slices.Contains(days, string(l.Day)) {
			days = append(days, string(l.Day))
		}
	}
	slices.Sort(days)
	return Listed(days)
}

func chanceText(p float64) string {
	switch {
	case p <= 1e-5:
		return "十万分之一"
	case p <= 1e-4:
		return "万分之一"
	case p <= 1e-3:
		return "千分之一"
	}
	return "百分之一"
}

func (f *pushFacts) linkText() string {
	if f.link == nil {
		if f.bank.Reach.URL == "" {
			return "该银行没有配置可呼出的接口，无法由本系统询问"
		}
		return ""
	}
	text := fmt.Sprint("链路监测 ", f.link.Code, "（", deposit.Wall(f.link.BeganAt), "）：", bank.CallOutcomes[f.link.Outcome])
	if f.link.Outcome != bank.CallDone {
		text += " " + f.link.Result + " " + f.link.Detail
	}
	return text
}

// recoveredText tells what asking the bank brought.
func (f *pushFacts) recoveredText() string {
	if len(f.recent) == 0 {
		return ""
	}
	return "向银行查询到账明细，补回未推送的到账：" + pulledText(f.recent, f.veil)
}

// pulledText lists what was pulled: by serial where its lot is opened, else in a band.
func pulledText(all []PulledCredit, veil Veil) string {
	var serials []string
	sealed := 0
	for _, p := range all {
		if p.Opened {
			serials = append(serials, p.Serial)
		} else {
			sealed++
		}
	}
	text := fmt.Sprint("已开标标段 ", len(serials), " 笔")
	if len(serials) > 0 {
		text += "（流水号 " + Listed(serials) + "）"
	}
	if note := veil.Note(sealed); note != "" {
		text += "；" + note
	}
	return text
}

// proveTaking is step 2.2: do we take from the bank smoothly?
func (f *pushFacts) proveTaking(p *proofs) {
	refused := f.refusedToday()
	for _, kind := range []bank.Rejection{bank.Disbelieved, bank.Unwelcome, bank.Unreadable, bank.Broken} {
		p.know("2.2", fmt.Sprint("近 24 小时", kind.Chinese(), "的报文：", f.veil.Count(refused[kind]), " 条"))
	}
	codes := map[string]bool{}
	for _, t := range f.today {
		if t.Code != "" {
			codes[t.Code] = true
		}
	}
	if len(codes) > 0 {
		p.know("2.2", "拒收原因代码："+Listed(sortedKeys(codes)))
	}
	backlog := "没有等待核对的到账"
	if !f.backlog.IsZero() && f.now.Sub(f.backlog) > stuckAfter {
		backlog = "有到账等待核对超过 " + lasting(stuckAfter)
	}
	p.know("2.2", backlog, f.outageText(), f.clockText())
}

// stuckAfter is how long an entry may wait for its verdict; it takes a second.
const stuckAfter = 10 * time.Minute

// outageText tells of the last day's outages.
func (c *circumstances) outageText() string {
	text := ""
	for _, o := range c.outages {
		if c.now.Sub(o.Ended) < 24*time.Hour {
			text += fmt.Sprint("；自 ", deposit.Wall(o.Began), " 起中断 ", lasting(o.Lasted()), "（", o.Cause.Chinese(), "）")
		}
	}
	if text == "" {
		return "近 24 小时本系统没有中断"
	}
	return "本系统" + text[len("；"):]
}

func (c *circumstances) clockText() string {
	if off := c.clockOff.Abs(); off > 2*time.Second {
		return "本机与数据库时钟相差 " + lasting(off) + "，请校时"
	}
	return "本机与数据库时钟一致"
}

// hiddenText says that money may be here and not shown because its lot is sealed: nothing is wrong with that. How much there is
// is not told, not even in bands: it would be how many have paid.
func hiddenText() string {
	return "已到账但因未开标而不显示的入账，开标前不公开，属正常封存"
}
