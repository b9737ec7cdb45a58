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
	"depositd/reconcile"
)

// examination is a list before the desk: what has to be known of its credits, and what came of its lines. What the list
// itself promises counts against its later lines.
type examination struct {
	desk  *Desk
	now   time.Time
	newID func() sqldb.ID // of the transaction that stores the lines, so that they lie together
	list  *ListOrder

	receipts map[sqldb.ID]*reconcile.Receipt
	seen     map[sqldb.ID]bool // of them, those that the submitter may see
	reserved map[sqldb.ID]deposit.Fen
	events   map[sqldb.ID][]platform.Happening
	held     map[sqldb.ID]Disposition
	changes  map[sqldb.ID][]PayeeChange
	frozen   []platform.Freeze
	calendar deposit.Calendar

	lines  []Line
	faults []Fault
}

// examine reads what has to be known and judges each line, to be stored or not.
func (d *Desk) examine(ctx context.Context, r sqldb.Reader, now time.Time, newID func() sqldb.ID, list *ListOrder) (*examination, error) {
	x := &examination{desk: d, now: now, newID: newID, list: list, reserved: map[sqldb.ID]deposit.Fen{}}
	orders := slices.Clone(list.Lines)
	if err := d.resolve(ctx, r, orders); err != nil {
		return x, err
	}
	if err := x.gather(ctx, r, orders); err != nil {
		return x, err
	}
	for i := range orders {
		if line, faults := x.line(&orders[i]); len(faults) > 0 {
			x.faults = append(x.faults, faults...)
		} else {
			x.reserved[line.EntryID] += line.Amount
			x.lines = append(x.lines, line)
		}
	}
	return x, nil
}

func (x *examination) gather(ctx context.Context, r sqldb.Reader, orders []Order) (err error) {
	var credits, lots []sqldb.ID
	for i := range orders {
		if orders[i].Credit != 0 {
			credits = append(credits, orders[i].Credit)
		}
	}
	slices.Sort(credits)
	credits = slices.Compact(credits)
	if x.receipts, err = reconcile.Receipts(ctx, r, credits); err != nil {
		return err
	}
	if x.list != nil {
		if x.seen, err = reconcile.SeenCredits(ctx, r, x.list.Eyes, credits); err != nil {
			return err
		}
	}
	for _, receipt := range x.receipts {
		lots = append(lots, receipt.Lot.ID)
	}
	if x.events, err = platform.Happenings(ctx, r, lots); err != nil {
		return err
	}
	known, err := reservationsOf(ctx, r, credits)
	if err != nil {
		return err
	}
	for id, one := range known {
		x.reserved[id] = one.Reserved
	}
	if x.held, err = holdsOf(ctx, r, credits); err != nil {
		return err
	}
	if x.changes, err = changesOf(ctx, r, credits); err != nil {
		return err
	}
	if x.calendar, err = platform.Calendar(ctx, r); err != nil {
		return err
	}
	x.frozen, err = platform.Freezes(ctx, r)
	return err
}

// complaint collects what is wrong with one line.
type complaint struct {
	row    int
	faults []Fault
}

func (c *complaint) add(column, code string, text ...any) {
	refusal := deposit.AsRefusal(deposit.Refuse(deposit.Invalid, code, text...))
	c.faults = append(c.faults, Fault{c.row, column, refusal.Code, refusal.Text})
}

const bankNotListed = "该笔入账的银行不在 banks.yaml 中"

// line judges one line. It is asked of the receipt first: of a credit that is not there, or may not be seen, nothing else can
// be said.
func (x *examination) line(o *Order) (Line, []Fault) {
	c := &complaint{row: o.Row}
	receipt := x.receipts[o.Credit]
	blind := receipt != nil && !x.seen[o.Credit] && withdrawnBlind(receipt) && x.list.Eyes.Everything() && x.list.byHand == "" && o.saysNothing()
	_, bankUnknown := x.desk.banks.Bank(o.Bank)
	switch {
	case o.Credit == 0 && o.Serial == "":
		c.add("bank_serial", "credit_missing", "请填写入账流水号与入账日期")
		return Line{}, c.faults
	case o.Credit == 0 && bankUnknown != nil:
		c.add("bank", "bank_unknown", bankNotListed)
		return Line{}, c.faults
	case receipt == nil || !x.seen[o.Credit] && !blind:
		c.add("bank_serial", "receipt_unknown", "没有查到这笔入账，请核对银行、入账日期和流水号；标段开标前的入账不能查看，也不能列入名单")
		return Line{}, c.faults
	}
	line := x.judged(c, o, receipt)
	if line.Blind = blind; blind {
		return line, blinded(o.Row, c.faults)
	}
	return line, c.faults
}

// judged is the line that an order comes to, with what is wrong about it.
func (x *examination) judged(c *complaint, o *Order, receipt *reconcile.Receipt) Line {
	x.arrived(c, receipt)
	x.own(c, o, receipt)
	ground, found := x.ground(c, o, receipt)
	line := x.draft(o, receipt, ground)
	if found {
		x.money(c, o, receipt, ground, &line)
		x.due(c, receipt, ground, &line)
	}
	x.payee(c, receipt, &line)
	x.free(c, receipt)
	return line
}

// arrived: the bank's statement has the money, and it is still here.
func (x *examination) arrived(c *complaint, r *reconcile.Receipt) {
	switch {
	case r.Verdict == "":
		c.add("bank_serial", "receipt_unjudged", "这笔入账尚未完成核对，请稍候再提交")
	case r.Net() == 0:
		c.add("bank_serial", "receipt_void", "这笔入账不能退付：", r.Verdict.Name())
	case !r.OnStatement:
		c.add("bank_serial", "receipt_unproven", "这笔入账只有银行通知，对账单尚未到达，请待日终对账后再提交")
	}
}

// own: the department's own lot, and the lot and bidder that it believes the money is for. Finance acts for everybody,
// and for money that is nobody's.
func (x *examination) own(c *complaint, o *Order, r *reconcile.Receipt) {
	finance := x.list.Department == string(reconcile.Finance)
	switch {
	case r.Lot.ID == 0 && !finance:
		c.add("lot", "lot_none", "这笔入账不属于任何标段，由综合科提交")
	case r.Lot.ID != 0 && !finance && r.Lot.Department != x.list.Department:
		c.add("lot", "lot_foreign", "这笔入账不属于本科室的标段")
		return // of another department's money nothing else is told
	}
	if o.Lot != "" && o.Lot != r.Lot.Number {
		c.add("lot", "lot_differs", "标段与入账不符，请核对标段编号和流水号")
	}
	if o.Bidder != "" && deposit.NameKey(o.Bidder) != r.Bid.BidderKey && o.Bidder != deposit.MaskName(r.Bid.Bidder) && r.Bid.ID != 0 {
		c.add("bidder", "bidder_differs", "投标人与入账所属投标不符")
	}
}

// sealedOpen says whether a credit's lot is open, or does not matter because its bid was withdrawn, or is no lot's. Until
// then who has paid is secret, and a refund would tell (招标投标法 §22).
func sealedOpen(r *reconcile.Receipt) bool {
	return r.Lot.ID == 0 || !r.Lot.Sealed() || r.Bid.State == platform.BidWithdrawn
}

// ground finds why the money goes back.
func (x *examination) ground(c *complaint, o *Order, r *reconcile.Receipt) (Ground, bool) {
	all := Grounds(r, x.events[r.Lot.ID])
	if o.Cause != "" {
		all = slices.DeleteFunc(all, func(g Ground) bool { return g.Cause != o.Cause })
	}
	switch {
	case r.Net() == 0 || !sealedOpen(r):
		return Ground{}, false
	case len(all) == 0 && o.Cause == "" && x.list.byHand != "": // it is paid, with a ground or without
		return Ground{Cause: PaidByHand, Most: r.Net(), At: r.Entry.BookedAt}, true
	case len(all) == 0 && o.Cause != "":
		c.add("cause", "cause_differs", "该笔入账没有这一退付原因，请核对；留空则由系统判断")
	case len(all) == 0:
		c.add("cause", "no_ground", "目前没有退付依据：保证金有效，且标段尚无中标、流标、终止或合同结果")
	case len(all) > 1:
		c.add("cause", "cause_ambiguous", "该笔入账有多种退付原因，请写明 cause：多缴部分与保证金须分行提交")
	default:
		return all[0], true
	}
	return Ground{}, false
}

// accountMeant is the account that an order names. The payer's as people are shown it, masked, means the payer's: a list that
// was made of what the console shows goes back to where the money came from.
func accountMeant(ordered, payer string) string {
	if ordered == "" || ordered == deposit.MaskAccount(payer) {
		return payer
	}
	return ordered
}

// nameMeant is the name that an order gives to the account that it means. A person's as people are shown it, masked, means the
// payer's or that of a confirmed change to this account – if it can mean one alone; else it stays as it is, and nobody's.
func nameMeant(ordered, account string, payer *bank.Entry, changed []PayeeChange) string {
	if ordered = orElse(ordered, payer.PayerName); !deposit.IsMasked(ordered) {
		return ordered
	}
	var meant []string
	means := func(name, whose string) {
		if whose == account && deposit.MaskName(name) == ordered && !slices.Contains(meant, name) {
			meant = append(meant, name)
		}
	}
	means(payer.PayerName, payer.PayerAccount)
	for _, c := range changed {
		means(c.PayeeName, c.PayeeAccount)
	}
	if len(meant) != 1 {
		return ordered
	}
	return meant[0]
}

// draft is the line as it would be stored.
func (x *examination) draft(o *Order, r *reconcile.Receipt, g Ground) Line {
	e := &r.Entry
	id, account := x.newID(), accountMeant(o.PayeeAccount, e.PayerAccount)
	l := Line{ID: id, Serial: bank.PaySerial(id), EntryID: e.ID, Bank: e.Bank, ParentAccount: e.ParentAccount, SubAccount: e.SubAccount,
		LotID: r.Lot.ID, BidID: r.Bid.ID, Department: x.list.Department, Cause: g.Cause, Amount: o.Amount, Channel: ByBank,
		PayeeName: nameMeant(o.PayeeName, account, e, x.changes[e.ID]), PayeeAccount: account,
		PayeeBank: orElse(o.PayeeBank, e.PayerBank), PayeeBankCode: orElse(o.PayeeBankCode, e.PayerBankCode),
		State: Draft, Version: 1, MadeAt: x.now}
	if l.Amount == 0 {
		l.Amount = g.Most
	}
	if x.list.byHand != "" {
		l.Channel, l.BankSerial = ByHand, x.list.byHand
	}
	return l
}

func orElse(said, known string) string {
	if said = strings.TrimSpace(said); said != "" {
		return said
	}
	return known
}

// money: no more than the ground allows, than is left, than one line may have.
func (x *examination) money(c *complaint, o *Order, r *reconcile.Receipt, g Ground, l *Line) {
	left := r.Net() - x.reserved[r.Entry.ID]
	switch {
	case o.Amount < 0:
		c.add("amount", "amount_negative", "退付金额不能为负数")
	case left <= 0:
		c.add("amount", "already_refunded", "这笔入账已全部退付、正在退付或已被扣留")
	case l.Amount > left:
		c.add("amount", "amount_exceeds_left", "退付金额超过余额 ", left.Grouped(), " 元（其余已退付、正在退付或已被扣留）")
	case l.Amount > g.Most:
		c.add("amount", "amount_exceeds_ground", "该原因最多可退 ", g.Most.Grouped(), " 元")
	case l.Amount > x.desk.limits.Line:
		c.add("amount", "amount_over_limit", "超过单笔限额 ", x.desk.limits.Line.Grouped(), " 元")
	}
}

// due: by when, by which rule, and with how much interest; or that the law keeps it.
func (x *examination) due(c *complaint, r *reconcile.Receipt, g Ground, l *Line) {
	today := deposit.DayOf(x.now)
	limit, ok := Due(x.desk.rules, x.calendar, situationOf(r, g, x.events[r.Lot.ID], today))
	switch {
	case !ok:
		return
	case limit.Rule.Treatment != GoesBack:
		c.add("cause", "kept_by_rule", "按规则 ", limit.Rule.ID, "（", limit.Rule.Basis, "）该保证金", limit.Rule.Treatment.Chinese())
	}
	l.Rule, l.DueOn, l.Provisional = limit.Rule.ID, string(limit.Day), limit.Provisional
	if interest, ok := x.desk.rules.Interest(limit.Rule, l.Amount, r.Entry.BookingDate, today); ok {
		l.InterestExpected = interest.Amount
	}
}

// payee: the account that paid, to the byte, unless a change of it was approved and its cooling-off time is over; and what
// the bank's format can say.
func (x *examination) payee(c *complaint, r *reconcile.Receipt, l *Line) {
	e := &r.Entry
	if l.PayeeName != e.PayerName || l.PayeeAccount != e.PayerAccount {
		change, approved := confirmed(x.changes[e.ID], l)
		switch {
		case deposit.IsMasked(l.PayeeName), deposit.IsMasked(l.PayeeAccount):
			c.add("payee_name", "payee_masked", payeeMasked)
		case !approved:
			c.add("payee_account", "payee_differs", "收款户名或账号与付款账户不一致（须逐字相同）；确有变更的，请先办理收款账户变更审批")
		}
		l.PayeeChange = change
	}
	b, err := x.desk.banks.Bank(e.Bank)
	if err != nil {
		c.add("bank", "bank_unknown", bankNotListed)
		return
	}
	if l.Channel == ByHand {
		return // nothing is sent
	}
	pay := l.pay(e.Serial)
	pay.Amount = max(pay.Amount, 1) // what is wrong with the amount is said by money, or there is no ground for any
	for _, f := range b.CheckPay(&pay) {
		c.add(f.Field, f.Code, f.Text)
	}
}

// payeeMasked says that what was copied from a page is not what the bank can pay to.
const payeeMasked = "收款户名或账号含有 *，是脱敏后的显示，请填写完整内容（“查看完整账号”可以看到）；原路退回的留空即可"

// free: nothing keeps the money here. What was paid by hand is entered whatever stands against it.
func (x *examination) free(c *complaint, r *reconcile.Receipt) {
	e := &r.Entry
	if x.list.byHand != "" {
		return
	}
	if hold, held := x.held[e.ID]; held {
		c.add("bank_serial", "on_hold", "该笔保证金暂缓退还，文号 ", hold.Document)
	}
	if slices.ContainsFunc(x.frozen, func(f platform.Freeze) bool { return f.Covers(e.Bank, e.ParentAccount) }) {
		c.add("bank", "frozen", "该母账户的退付已冻结（应急事件或停付），解除后再提交")
	}
}

// pay is the line as the bank is to get it. origin is the bank's serial of the credit.
func (l *Line) pay(origin string) bank.PayLine {
	return bank.PayLine{Serial: l.Serial, PayeeName: l.PayeeName, PayeeAccount: l.PayeeAccount, PayeeBank: l.PayeeBank, PayeeBankCode: l.PayeeBankCode,
		Amount: l.Amount, FromSub: l.SubAccount, OriginSerial: origin, Purpose: purpose}
}

// purpose is what the payee reads; the bank puts our serial beside it.
const purpose = "退投标保证金"
