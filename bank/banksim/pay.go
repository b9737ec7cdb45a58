package banksim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"depositd/bank"
	"depositd/platform/deposit"
)

// Fate is what befalls a payment at the bank.
type Fate string

// The fates. Whatever befalls one line of a message that is never answered, the answer is lost for all its lines.
const (
	Pays         Fate = "pays"          // paid at once, and the answer says so
	Refuses      Fate = "refuses"       // refused for good
	LosesAnswer  Fate = "loses-answer"  // paid; nothing is answered
	Drowns       Fate = "drowns"        // never taken; nothing is answered. Sent again it is a new payment
	Sleeps       Fate = "sleeps"        // nothing is answered, queries do not find it, and later it is paid
	PaysLater    Fate = "pays-later"    // in process, and later paid
	RefusesLater Fate = "refuses-later" // in process, and later refused for good
	Unclear      Fate = "unclear"       // the bank says a word that settles nothing, and later pays
	Unnamed      Fate = "unnamed"       // paid, but the answer does not name the line
	ComesBack    Fate = "comes-back"    // paid, and days later returned (退汇) with our serial in the remark
	ComesBare    Fate = "comes-bare"    // the same, and nothing in the remark
)

// Fates lists them all.
var Fates = []Fate{Pays, Refuses, LosesAnswer, Drowns, Sleeps, PaysLater, RefusesLater, Unclear, Unnamed, ComesBack, ComesBare}

// Dice decide what befalls a line when it is taken.
type Dice func(r *rand.Rand, l bank.PayLine) Fate

// Odds are dice with a weight for each fate.
func Odds(weights map[Fate]int) Dice {
	fates, total := slices.Sorted(maps.Keys(weights)), 0
	for _, f := range fates {
		total += weights[f]
	}
	return func(r *rand.Rand, _ bank.PayLine) Fate {
		n := r.IntN(total)
		for _, f := range fates {
			if n -= weights[f]; n < 0 {
				return f
			}
		}
		return Pays
	}
}

// Always are dice of one fate.
func Always(f Fate) Dice { return func(*rand.Rand, bank.PayLine) Fate { return f } }

// Hostile are the odds of a bad week: half of the payments go well.
func Hostile() Dice {
	weights := map[Fate]int{}
	for _, f := range Fates {
		weights[f] = 5
	}
	weights[Pays] = 50
	return Odds(weights)
}

// PayRules are how a bank pays.
type PayRules struct {
	Dice        Dice
	NoEcho      bool          // G series: answers do not name our serial
	LostQueries int           // of a hundred queries so many are never answered
	Later       time.Duration // the longest until a late payment is decided; zero: three days
	Return      time.Duration // until money comes back; zero: four days
}

// Payments is the paying side of a simulated bank. It takes what is sent as bytes, books what it pays into the Sim's book,
// and keeps a ledger of its own of what it really paid. The same seed, clock and messages give the same bytes. Orders, queries and Tick
// may come from many goroutines.
type Payments struct {
	mu       sync.Mutex // over what follows
	sim      *Sim
	rules    PayRules
	dialect  string
	batches  int
	payments map[string]*payment // by our serial
	order    []string            // the serials as they were first taken
	changed  []string            // serials the bank has to report on by itself
	refusals []string
}

// payState is how a payment stands with the bank.
type payState string

const (
	payTaken   payState = "taken"
	payUnclear payState = "unclear"
	payPaid    payState = "paid"
	payRefused payState = "refused"
)

// payment is one line the bank has taken.
type payment struct {
	line      bank.PayLine
	batch     string // ours
	bankBatch string
	parent    string
	fate      Fate
	state     payState
	serial    string    // the bank's, of the debit
	decides   time.Time // when a late one is decided; zero: it is
	returns   time.Time // when it comes back; zero: it does not
	paid      deposit.Fen
	returned  bool
	repaid    bool // summary posting: the failed part was credited
}

// Paying opens the paying side of a bank, in the place of an earlier one. It pays in the dialect of its PayoutAdapter; a bank of the G
// series that listens takes orders over its line.
func (s *Sim) Paying(rules PayRules) *Payments {
	if rules.Later == 0 {
		rules.Later = 3 * 24 * time.Hour
	}
	if rules.Return == 0 {
		rules.Return = 4 * 24 * time.Hour
	}
	if rules.Dice == nil {
		rules.Dice = Always(Pays)
	}
	p := &Payments{sim: s, rules: rules, payments: map[string]*payment{}, dialect: "pain"}
	if name := s.bank.PayoutAdapter.Name; name == "gseries" || name == "delimited" {
		p.dialect = name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pays = p
	return p
}

// Paid is what the bank has really paid under a serial of ours, whether or not it came back.
func (p *Payments) Paid(serial string) deposit.Fen {
	if known := p.payments[serial]; known != nil {
		return known.paid
	}
	return 0
}

// PaidSum is all that the bank has really paid.
func (p *Payments) PaidSum() (sum deposit.Fen) {
	for _, known := range p.payments {
		sum += known.paid
	}
	return sum
}

// PaidLine is one line of the bank's ledger.
type PaidLine struct {
	Serial     string // ours
	BankSerial string // of its debit; of the batch's where that is summary
	Paid       deposit.Fen
	Refused    bool // for good
	Returned   bool
	Open       bool // still to be decided
}

// Ledger is every payment the bank has taken, in the order in which it did.
func (p *Payments) Ledger() []PaidLine {
	lines := make([]PaidLine, len(p.order))
	for i, serial := range p.order {
		known := p.payments[serial]
		lines[i] = PaidLine{serial, known.serial, known.paid, known.state == payRefused, known.returned, !known.decides.IsZero()}
	}
	return lines
}

// Contradictions are the serials that were sent again with other content. Each was refused.
func (p *Payments) Contradictions() []string { return slices.Clone(p.refusals) }

// Settled says whether nothing is left to be decided or to come back.
func (p *Payments) Settled() bool {
	for _, known := range p.payments {
		if !known.decides.IsZero() || !known.returns.IsZero() {
			return false
		}
	}
	return true
}

// Tick does what has become due by now: late payments are decided, returned money is booked.
func (p *Payments) Tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.sim.now()
	for _, serial := range p.order {
		known := p.payments[serial]
		if !known.decides.IsZero() && !now.Before(known.decides) {
			known.decides = time.Time{}
			p.decide(known)
			p.changed = append(p.changed, serial)
		}
		if !known.returns.IsZero() && !now.Before(known.returns) {
			known.returns, known.returned = time.Time{}, true
			p.comeBack(known)
		}
	}
	p.repay()
}

// take is the core: lines that are new are taken, each to its fate; lines that are known are left alone, or refused when
// they are not the same. answered says whether the sender hears anything.
func (p *Payments) take(o *order) (answered bool) {
	answered = true
	p.batches++
	bankBatch := fmt.Sprintf("B%s%06d", p.sim.now().In(deposit.Shanghai).Format("060102"), p.batches)
	var fresh []*payment
	for _, l := range o.lines {
		if known := p.payments[l.Serial]; known != nil {
			bankBatch = known.bankBatch
			p.again(known, o, l)
			continue
		}
		fate := p.rules.Dice(p.sim.rand, l)
		answered = answered && fate != LosesAnswer && fate != Drowns && fate != Sleeps
		if fate == Drowns {
			continue
		}
		known := &payment{line: l, batch: o.number, bankBatch: bankBatch, parent: o.parent, fate: fate, state: payTaken}
		p.payments[l.Serial] = known
		p.order, fresh = append(p.order, l.Serial), append(fresh, known)
	}
	o.bankBatch = bankBatch
	p.bookBatch(fresh)
	for _, known := range fresh {
		p.begin(known)
		if known.decides.IsZero() && (!answered || known.fate == Unnamed) { // what the answer does not say is reported later
			p.changed = append(p.changed, known.line.Serial)
		}
	}
	p.repay()
	return answered
}

// again remembers a serial that comes with other content.
func (p *Payments) again(known *payment, o *order, l bank.PayLine) {
	if known.line != l || known.parent != o.parent {
		p.refusals = append(p.refusals, l.Serial)
		o.refused = append(o.refused, l.Serial)
	}
}

// begin decides a payment at once, or says when.
func (p *Payments) begin(known *payment) {
	switch known.fate {
	case Unclear, PaysLater, RefusesLater, Sleeps:
		if known.fate == Unclear {
			known.state = payUnclear
		}
		known.decides = p.sim.now().Add(time.Duration(1 + p.sim.rand.Int64N(int64(p.rules.Later))))
	default:
		p.decide(known)
	}
}

// decide pays, or refuses for good.
func (p *Payments) decide(known *payment) {
	if known.fate == Refuses || known.fate == RefusesLater {
		known.state = payRefused
		return
	}
	known.state, known.paid = payPaid, known.line.Amount
	if p.sim.bank.Posting != bank.PostSummary {
		known.serial = p.debit(known.parent, known.line.FromSub, payee(&known.line), known.line.Amount, strings.TrimSpace(known.line.Serial+" "+known.line.Purpose))
	}
	if known.fate == ComesBack || known.fate == ComesBare {
		known.returns = p.sim.now().Add(p.rules.Return)
	}
}

func (p *Payments) debit(parent, sub string, with Party, amount deposit.Fen, remark string) string {
	return p.sim.Debit(Transfer{Parent: parent, SubAccount: sub, With: with, Amount: amount, Remark: remark}).Serial
}

// payee is the other side of a payment.
func payee(l *bank.PayLine) Party {
	return Party{Name: l.PayeeName, Account: l.PayeeAccount, Bank: l.PayeeBank, BankCode: l.PayeeBankCode}
}

// comeBack books a payment that the payee's bank sent back.
func (p *Payments) comeBack(known *payment) {
	remark := "退汇 户名不符"
	if known.fate == ComesBack {
		remark += " " + known.line.Serial
	}
	p.sim.Credit(Transfer{Parent: known.parent, SubAccount: known.line.FromSub, With: payee(&known.line), Amount: known.line.Amount, Remark: remark, Returned: true})
}

// bookBatch books the one debit of what was taken of a batch, for each sub-account, under summary posting.
func (p *Payments) bookBatch(fresh []*payment) {
	if p.sim.bank.Posting != bank.PostSummary {
		return
	}
	for _, of := range byAccount(fresh) {
		var sum deposit.Fen
		for _, known := range of {
			sum += known.line.Amount
		}
		serial := p.debit(of[0].parent, of[0].line.FromSub, Party{}, sum, of[0].batch+" 批量付款")
		for _, known := range of {
			known.serial = serial
		}
	}
}

// repay books, under summary posting, the one credit of what failed of a batch, once all of it is decided.
func (p *Payments) repay() {
	if p.sim.bank.Posting != bank.PostSummary {
		return
	}
	var all []*payment
	for _, serial := range p.order {
		all = append(all, p.payments[serial])
	}
	for _, of := range byAccount(all) {
		var failed deposit.Fen
		open := false
		for _, known := range of {
			open = open || !known.decides.IsZero()
			if known.state == payRefused && !known.repaid {
				failed += known.line.Amount
			}
		}
		if open || failed == 0 {
			continue
		}
		for _, known := range of {
			known.repaid = known.repaid || known.state == payRefused
		}
		p.sim.Credit(Transfer{Parent: of[0].parent, SubAccount: of[0].line.FromSub, Amount: failed, Remark: of[0].batch + " 批量付款失败退回"})
	}
}

// byAccount divides payments by batch and sub-account, in the order of their first ones.
func byAccount(all []*payment) (groups [][]*payment) {
	at := map[[2]string]int{}
	for _, known := range all {
		key := [2]string{known.batch, known.line.FromSub}
		i, there := at[key]
		if !there {
			i = len(groups)
			at[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], known)
	}
	return groups
}
