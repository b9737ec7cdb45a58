// Package refund brings deposits back: when each is due and what it earns, by a table of rules that is configuration.
package refund

import (
	"slices"

	"depositd/platform"
	"depositd/platform/deposit"
)

// Business is the line of business whose law a lot's refunds follow.
type Business string

// The lines of business. Any is a rule's that asks for none.
const (
	Construction Business = "construction"
	Procurement  Business = "procurement"
	Land         Business = "land"
	Property     Business = "property"
	Any          Business = "any"
)

// Party is what a payer came to be in the tender.
type Party string

// The parties. The law keeps candidates apart from losers. A bid that was revoked after the deadline is a loser's, unless
// somebody decides to keep its deposit (条例 §35). Payer has paid what is no deposit: late, to a wrong number, twice, too much.
const (
	Winner    Party = "winner"
	Candidate Party = "candidate"
	Loser     Party = "loser"
	Withdrawn Party = "withdrawn" // before the deadline
	All       Party = "all"       // of those above; in a rule only
	Payer     Party = "payer"
)

// Event is what a limit's clock starts at.
type Event string

// The events. AtFinding is the verdict that money is no deposit; the platform tells the others, but AtSaleEnd.
const (
	AtContract    Event = "CONTRACT_SIGNED"
	AtAward       Event = "AWARD_NOTICE"
	AtWithdrawal  Event = "BID_WITHDRAWN"
	AtTermination Event = "TERMINATED"
	AtFailure     Event = "FAILED"
	AtSaleEnd     Event = "SALE_ENDED"
	AtFinding     Event = "FOUND"
)

// EventOf is the event of a limit that the platform's word is, if it is one.
func EventOf(kind platform.EventKind) (Event, bool) {
	switch kind {
	case platform.EventContractSigned, platform.EventAwardNotice, platform.EventBidWithdrawn, platform.EventTerminated, platform.EventFailed:
		return Event(kind), true
	}
	return "", false
}

// Unit is what a limit counts in.
type Unit string

// The units. They are different limits: 5 日 are not 5 个工作日.
const (
	CalendarDays Unit = "calendar" // 日, rolled to a working day
	Workdays     Unit = "workday"  // 个工作日
)

// Treatment is what becomes of the deposit.
type Treatment string

// The treatments.
const (
	GoesBack Treatment = "refund"
	Kept     Treatment = "kept"   // it becomes part of the price
	ByNotice Treatment = "notice" // as the notice of the sale says
)

var (
	businessNames  = map[Business]string{Construction: "建设工程", Procurement: "政府采购", Land: "土地", Property: "产权", Any: "不分类别"}
	partyNames     = map[Party]string{Winner: "中标人", Candidate: "中标候选人", Loser: "未中标人", Withdrawn: "撤回投标的", All: "全体投标人", Payer: "付款人"}
	unitNames      = map[Unit]string{CalendarDays: "日", Workdays: "个工作日"}
	treatmentNames = map[Treatment]string{GoesBack: "退还", Kept: "不退还", ByNotice: "按公告约定"}
	eventNames     = map[Event]string{AtContract: "签订合同", AtAward: "发出中标通知书", AtWithdrawal: "收到书面撤回", AtTermination: "终止",
		AtFailure: "流标", AtSaleEnd: "交易活动结束", AtFinding: "认定不是保证金"}
)

// Chinese is the line's name for people.
func (b Business) Chinese() string { return businessNames[b] }

// Chinese is the party's name for people.
func (p Party) Chinese() string { return partyNames[p] }

// Chinese is the event's name for people.
func (e Event) Chinese() string { return eventNames[e] }

// Chinese is the unit's name for people, as it stands after a number.
func (u Unit) Chinese() string { return unitNames[u] }

// Chinese is the treatment's name for people.
func (t Treatment) Chinese() string { return treatmentNames[t] }

// Rule is one row of the table: whose deposit is due how long after what.
type Rule struct {
	ID        string
	Business  Business
	Parties   []Party
	Starts    []Event // the first of them that happened starts the clock
	N         int     // at least 1, of Unit; 0 unless the deposit goes back
	Unit      Unit
	Own       bool // the number is the centre's own: Basis gives none
	Treatment Treatment

	Interest       string // the table of rates; "" is none
	Overdue        string // the table of rates for each day overdue; "" is none
	OverduePercent int    // 120: the rate raised by a fifth

	Basis  string // the law or document
	Note   string
	From   deposit.Day // for events from this day on; "" is from ever
	To     deposit.Day // and to this day; "" is for ever
	Active bool
}

// Situation is what the limit of one payment depends on.
type Situation struct {
	Department string // of the lot; "" for money that belongs to none
	Party      Party
	Happened   map[Event]deposit.Day // of the lot's present round, and of this bid; a later one of a kind takes the former's place
	Today      deposit.Day
}

// Limit is the last day on which a payment may go back.
type Limit struct {
	Rule        Rule
	Start       Event
	StartDay    deposit.Day
	Day         deposit.Day // it ends at 24:00; "" where the rule's treatment is not GoesBack
	Provisional bool        // a year on the way has no published calendar: Day may move
	DaysLeft    int         // calendar days from today to Day; 0 on the day itself, negative when overdue
}

// Overdue reports whether the last day is over.
func (l Limit) Overdue() bool { return l.Day != "" && l.DaysLeft < 0 }

// Due is the limit of a payment: of the rules whose clock has started, the one that ends first; where none has, the rule
// by which the deposit is not refunded. Not ok: nothing is due, because no event has started a clock – Awaited says which
// could – or because no rule fits, as for a department that the table does not know.
func Due(rules *Rules, calendar deposit.Calendar, s Situation) (due Limit, ok bool) {
	for _, rule := range rules.fitting(s) {
		limit, started := rule.limit(calendar, s)
		if started && (!ok || limit.before(due)) {
			due, ok = limit, true
		}
	}
	return due, ok
}

// Awaited lists the events that can start a clock for the payment and have not happened.
func Awaited(rules *Rules, s Situation) []Event {
	var awaited []Event
	for _, rule := range rules.fitting(s) {
		for _, event := range rule.Starts {
			if _, happened := s.Happened[event]; !happened && !slices.Contains(awaited, event) {
				awaited = append(awaited, event)
			}
		}
	}
	return awaited
}

// fitting lists the active rules for the line of business and the party, in the table's order.
func (r *Rules) fitting(s Situation) []Rule {
	business, known := r.Business(s.Department)
	var fit []Rule
	for _, rule := range r.rules {
		if rule.Active && (rule.Business == Any || known && rule.Business == business) && rule.concerns(s.Party) {
			fit = append(fit, rule)
		}
	}
	return fit
}

func (r Rule) concerns(p Party) bool {
	return slices.Contains(r.Parties, p) || p != Payer && slices.Contains(r.Parties, All)
}

// limit is the rule's limit if its clock has started. A rule without one holds from the beginning.
func (r Rule) limit(calendar deposit.Calendar, s Situation) (l Limit, started bool) {
	l.Rule = r
	for _, event := range r.Starts {
		if day, happened := s.Happened[event]; happened && (l.StartDay == "" || day < l.StartDay) {
			l.Start, l.StartDay = event, day
		}
	}
	at := l.StartDay
	if len(r.Starts) == 0 {
		at = s.Today
	}
	if at == "" || at < r.From || r.To != "" && at > r.To {
		return Limit{}, false
	}
	if r.Treatment != GoesBack {
		return l, true
	}
	if r.Unit == Workdays {
		l.Day, l.Provisional = calendar.AddWorkdays(l.StartDay, r.N)
	} else {
		l.Day, l.Provisional = calendar.AddDays(l.StartDay, r.N)
	}
	l.DaysLeft = s.Today.DaysTo(l.Day)
	return l, true
}

// before says that l is to be kept rather than m: what has to go back goes back, and by the day that comes first.
func (l Limit) before(m Limit) bool {
	if l.Day == "" || m.Day == "" {
		return l.Day != "" && m.Day == ""
	}
	return l.Day < m.Day
}
