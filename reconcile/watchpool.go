package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// poolFacts is what is known of a pool whose numbers may be the trouble.
type poolFacts struct {
	circumstances
	bank   *bank.Bank
	view   PoolView // its counts are empty while it is sealed
	free   bool     // a number is free
	word   poolState
	found  []FindingRow // on the pool and its numbers
	stuck  []Unreleased // that should be released
	opens  []bank.Call  // the last askings for a number, the newest first
	calls  []bank.Call  // of each kind and outcome the last one
	failed int          // of the calls of the last hour
	made   int
	last   accountFacts
	stands []numberStands // of the numbers on which a bank's word differs from ours

	certificate time.Time // until when the bank's is good; zero: it has shown none
	refused     int       // of its messages of the last day
}

// accountFacts is how the parent account stands.
type accountFacts struct {
	StatementDay deposit.Day
	Proof        bank.Proof
	Chain        Chain
	Closed       bool
	LastCredit   time.Time
	LastDebit    time.Time
}

// watchPools looks at the pools of numbers (plan 4.6.1).
func (k *Keeper) watchPools(ctx context.Context, c circumstances) ([]incident.Sign, error) {
	pools, err := k.pools(ctx)
	if err != nil {
		return nil, err
	}
	found, err := k.Findings(ctx, deposit.SightOfAll())
	if err != nil {
		return nil, err
	}
	var signs []incident.Sign
	for _, p := range pools {
		f := poolFacts{circumstances: c}
		for _, one := range found {
			if one.Bank == p.Bank && one.ParentAccount == p.Parent {
				f.found = append(f.found, one)
			}
		}
		if f.bank, err = k.banks.Bank(p.Bank); err != nil {
			return nil, err
		}
		if f.opens, err = k.lastOpenings(ctx, f.bank); err != nil {
			return nil, err
		}
		if len(f.found) == 0 && !f.allocationFails() {
			continue
		}
		if err := k.readPool(ctx, &f, p); err != nil {
			return nil, err
		}
		signs = append(signs, f.signs()...)
	}
	return signs, nil
}

// failsInARow is how many askings for a number fail one after the other before it is more than a slip.
const failsInARow = 3

func (k *Keeper) lastOpenings(ctx context.Context, b *bank.Bank) ([]bank.Call, error) {
	if !k.Opens(b) || b.Adapter.Calls.Open == nil {
		return nil, nil
	}
	last, err := k.bank.LastCalls(ctx, b.Code, b.Adapter.Calls.Open.Code, failsInARow)
	return firstOf(last, failsInARow), err
}

func (k *Keeper) readPool(ctx context.Context, f *poolFacts, p platform.Pool) (err error) {
	sealed, err := anySealed(ctx, k.db)
	if err != nil {
		return err
	}
	if f.view, err = k.view(ctx, p, sealed); err != nil {
		return err
	}
	counts, err := platform.PoolCounts(ctx, k.db, p.Bank, p.Parent)
	if err != nil {
		return err
	}
	f.free = counts[platform.NumberFree] > 0
	if f.word, err = poolStateOf(ctx, k.db, p); err != nil {
		return err
	}
	stuck, err := k.Unreleased(ctx)
	if err != nil {
		return err
	}
	for i := range stuck {
		if stuck[i].Bank == p.Bank && stuck[i].Parent == p.Parent && stuck[i].overdue(f.now) {
			f.stuck = append(f.stuck, stuck[i])
		}
	}
	if f.bank.Adapter.Calls != nil {
		for _, code := range f.bank.Adapter.Calls.Codes() {
			last, err := k.bank.LastCalls(ctx, p.Bank, code, 1)
			if err != nil {
				return err
			}
			f.calls = append(f.calls, last...)
		}
		if f.made, f.failed, err = k.bank.CallsSince(ctx, p.Bank, f.now.Add(-time.Hour)); err != nil {
			return err
		}
	}
	if line := k.lines[p.Bank]; line != nil {
		f.certificate = line.CertificateUntil()
	}
	if f.has(NumberUnknown, NumberCreditsDiffer, NumberClash) > 0 {
		if err := k.readStands(ctx, f, p); err != nil {
			return err
		}
	}
	f.last, err = k.accountFacts(ctx, bank.Book{Bank: p.Bank, ParentAccount: p.Parent})
	return err
}

func (k *Keeper) accountFacts(ctx context.Context, b bank.Book) (a accountFacts, err error) {
	if last, lastErr := lastClosing(ctx, k.db, b); lastErr == nil {
		s, err := bank.StatementOf(ctx, k.db, b.Bank, b.ParentAccount, last.Day)
		if err != nil {
			return a, err
		}
		a.StatementDay, a.Proof, a.Chain, a.Closed = last.Day, s.Proof, last.Chain, last.State == DayClosed
	}
	for direction, at := range map[bank.Direction]*time.Time{bank.Credit: &a.LastCredit, bank.Debit: &a.LastDebit} {
		newest, err := bank.NewestOn(ctx, k.db, b, direction, 1)
		if err != nil {
			return a, err
		}
		if len(newest) > 0 {
			*at = newest[0].BookedAt
		}
	}
	return a, nil
}

// has counts the findings of some codes.
func (f *poolFacts) has(codes ...Code) (n int) {
	for _, one := range f.found {
		if slices.Contains(codes, one.Code) {
			n++
		}
	}
	return n
}

// allocationFails says whether the last askings for a number failed, one after the other.
func (f *poolFacts) allocationFails() bool {
	return len(f.opens) >= failsInARow && f.now.Sub(f.opens[0].BeganAt) < allocationLately &&
		!slices.ContainsFunc(f.opens, func(c bank.Call) bool { return c.Outcome == bank.CallDone })
}

// allocationLately is how long failed askings say something about now: who waits is asked for every few minutes.
const allocationLately = 2 * time.Hour

// signs is what the facts of one pool show. It is pure. A bank that has no numbers left refuses each asking: that is one
// trouble, and so is one that cannot be asked while nothing is free.
func (f *poolFacts) signs() (signs []incident.Sign) {
	failing := f.allocationFails()
	dry := failing && f.opens[0].Outcome == bank.CallRefused && (f.word.AskedAt.IsZero() || f.word.BankFree == 0)
	switch {
	case failing && !dry:
		signs = append(signs, f.caseOneSign(SignAllocation, "向银行申请子账号连续失败"))
	case dry, f.has(PoolExhausted) > 0:
		signs = append(signs, f.caseOneSign(SignPoolExhausted, "子账号已用完，有投标等候"))
	}
	if f.has(NumberUnreleased) > 0 {
		signs = append(signs, f.caseOneSign(SignUnreleased, "有子账号逾期未释放"))
	}
	if f.has(NumberUnknown, NumberCreditsDiffer, NumberClash) > 0 {
		signs = append(signs, f.caseTwoSign())
	}
	return signs
}

func (f *poolFacts) sign(branch, code, title string) incident.Sign {
	return incident.Sign{Scenario: incident.Unpayable, Branch: branch, Code: code, Subject: f.view.Bank + "|" + f.view.Parent, Bank: f.view.Bank, ParentAccount: f.view.Parent,
		Department: string(IT), Title: f.bank.Name + "：" + title, Scope: incident.Part, Since: f.since(code)}
}

// since is when the trouble was found first, where a finding tells it.
func (f *poolFacts) since(code string) (at time.Time) {
	of := map[string][]Code{SignPoolExhausted: {PoolExhausted}, SignUnreleased: {NumberUnreleased}, SignNotBooked: {NumberUnknown, NumberCreditsDiffer, NumberClash}}[code]
	for _, one := range f.found {
		if slices.Contains(of, one.Code) && (at.IsZero() || one.FoundAt.Before(at)) {
			at = one.FoundAt
		}
	}
	return at
}

// blockedBy counts the numbers that are not released, by what blocks them.
func (f *poolFacts) blockedBy() map[Blocked]int {
	count := map[Blocked]int{}
	for i := range f.stuck {
		count[f.stuck[i].Blocked]++
	}
	return count
}

// caseOneSign is of numbers that cannot be had (plan 4.6.1, case 1).
func (f *poolFacts) caseOneSign(code, title string) incident.Sign {
	s := f.sign(caseOne, code, title)
	blocked := f.blockedBy()
	var w weighing
	if code != SignUnreleased {
		f.weighAllocation(&w)
	}
	w.say(blocked[BlockedBalance] > 0, incident.SideOurs, "有已结束标段的子账号资金未退清，占用号池")
	w.say(blocked[BlockedHeld] > 0, incident.SideOurs, "有子账号因退款等业务尚未办结而不能释放")
	w.say(blocked[BlockedPerson] > 0, incident.SideOurs, "有子账号等待人工确认释放（depositd pool release）")
	w.say(blocked[BlockedRefused] > 0, incident.SideBank, "资金已退清，而银行拒绝注销子账号")
	w.say(blocked[BlockedUnheard] > 0, incident.SideLink, "注销请求没有得到银行的确认")
	s.Fault = w.fault()
	s.Detail = "母账户 " + f.view.Parent + "；请按情况一检查子账号是否用完或释放有问题"
	var p proofs
	f.proveNumbers(&p)
	f.proveLink(&p, "1.2")
	s.Evidence = Exhibits(s.Scenario, s.Branch, p)
	return s
}

func (f *poolFacts) weighAllocation(w *weighing) {
	if len(f.opens) > 0 && f.allocationFails() {
		last := f.opens[0]
		w.say(last.Outcome == bank.CallUnsent, incident.SideLink, "申请子账号的请求连续发不出去："+last.Detail)
		w.say(last.Outcome == bank.CallUnknown, incident.SideBank, "申请已送达，银行没有给出可识别的应答："+last.Detail)
		w.say(last.Outcome == bank.CallRefused, incident.SideBank, "银行连续拒绝开立子账号，结果码 "+last.Result)
	}
	w.say(!f.word.AskedAt.IsZero() && f.word.BankFree == 0 && f.bank.Numbers.From == bank.OnDemand, incident.SideBank, "银行答复已无剩余子账号")
	w.say(f.bank.Numbers.From != bank.OnDemand && !f.free && f.has(PoolExhausted) > 0, incident.SideOurs, "号池由本中心导入，空闲数已用完，未及时增补")
	w.say(f.has(PoolExhausted) > 0 && (f.word.Low || f.word.Colour == platform.PoolRed), incident.SideOurs, "此前已有号池预警，未及时申请增补")
	w.say(f.has(PoolCountDiffers) > 0, incident.SideBank, "银行的子账号数与本系统不符")
}

// proveNumbers is step 1.1: are the numbers used up, or not released?
func (f *poolFacts) proveNumbers(p *proofs) {
	if f.view.Sealed {
		p.know("1.1", "号池正为未开标的标段服务，各状态数量封存；当日状态："+f.view.Colour.Chinese())
	} else if c := f.view.Counts; c != nil {
		p.know("1.1", fmt.Sprint("空闲 ", c.Free, "，已分配 ", c.Leased, "，待释放 ", c.Draining, "，隔离中 ", c.Quarantined, "，已停用 ", c.Retired, "，等候 ", c.Waiting))
	}
	for _, b := range slices.Sorted(maps.Keys(f.blockedBy())) {
		var names []string
		for i := range f.stuck {
			if u := &f.stuck[i]; u.Blocked == b {
				names = append(names, u.SubAccount+"（自 "+string(deposit.DayOf(u.Since))+"）")
			}
		}
		p.know("1.1", "未释放，原因“"+b.Chinese()+"”："+Listed(names))
	}
	switch {
	case f.word.AskedAt.IsZero():
		p.know("1.1", "银行从未答复过子账号剩余情况（G00013）")
	case f.view.Sealed:
		p.know("1.1", "银行 "+deposit.Wall(f.word.AskedAt)+" 答复过子账号剩余情况，数量封存")
	default:
		p.know("1.1", fmt.Sprint("银行 ", deposit.Wall(f.word.AskedAt), " 答复：剩余 ", f.word.BankFree, "，总数 ", f.word.BankTotal))
	}
	if f.word.ForecastOn != "" {
		p.know("1.1", "预测（"+string(f.word.ForecastOn)+"）："+f.word.Colour.Chinese())
	}
	for _, one := range f.found {
		if one.Code == PoolCountDiffers && !f.view.Sealed {
			p.know("1.1", one.Detail)
		}
	}
	p.ask("1.1", "致电"+f.bank.Name+"：母账户 "+f.view.Parent+" 的子账号是否已用完，能否立即增补", "请银行核对上列子账号的状态，对资金已退清的予以释放")
}

// proveLink is the step that asks for the way between the bank and us.
func (f *poolFacts) proveLink(p *proofs, step string) {
	if f.bank.Reach.URL == "" || f.bank.Adapter.Calls == nil {
		p.know(step, "该银行没有配置可呼出的接口；子账号由文件导入", f.clockText())
		p.ask(step, "与银行和运维公司确认文件交换是否正常")
		return
	}
	for _, c := range f.calls {
		opens := f.bank.Adapter.Calls.Open != nil && c.Code == f.bank.Adapter.Calls.Open.Code // its time would tell when somebody bid
		veil := f.veil
		if !opens {
			veil = Veil{}
		}
		p.know(step, callText(&c, veil))
	}
	if len(f.calls) == 0 {
		p.know(step, "尚无对该银行的呼出记录")
	}
	p.know(step, fmt.Sprint("最近一小时呼出失败 ", f.veil.Count(f.failed), " 次，共 ", f.veil.Count(f.made), " 次"), f.certificateText(), f.clockText())
	p.know(step, f.outageText())
}

// callText is what became of a call; while lots are sealed an asking for a number tells its day only.
func callText(c *bank.Call, veil Veil) string {
	text := fmt.Sprint(c.Code, " 最近一次“", bank.CallOutcomes[c.Outcome], "”：", veil.When(c.BeganAt))
	if !veil.Hides() {
		text += fmt.Sprint("，用时 ", c.TookMs, " 毫秒")
	}
	if c.Result != "" {
		text += "，结果码 " + c.Result
	}
	if c.Outcome != bank.CallDone && c.Detail != "" {
		text += "，" + c.Detail
	}
	return text
}
