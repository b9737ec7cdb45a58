package reconcile

import (
	"context"
	"errors"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Diagnosis is all that is known of a number that cannot be credited, for the three steps of plan 4.6.1 case 2: the
// number's state here and at the bank, the parent account's, and what has changed of late. Each part says when and where it
// was read.
//
// While any lot is sealed, a number that is free, one that a bid on a sealed lot holds, and one that is not known here all
// look the same: whoever asks for one number after the other would else count the bidders. No time, count, result or call
// that only a bid or a payment brings about is told then; what a bidder wants to know of his own money is an Enquiry.
type Diagnosis struct {
	SubAccount string `json:"sub_account"`
	Bank       string `json:"bank"`
	Parent     string `json:"parent_account"`

	Number  NumberPart  `json:"number"`
	AtBank  BankPart    `json:"at_bank"`
	Account AccountPart `json:"account"`
	Calls   []CallPart  `json:"calls"`
	Changes []EventView `json:"changes"` // versions and settings of the program, rights, and what was done to the number

	ReadAt time.Time `json:"read_at"`
}

// NumberPart is our word on the number.
type NumberPart struct {
	Source string                `json:"source"`
	State  platform.NumberState  `json:"state"` // "" for a number that is not known here
	Sealed bool                  `json:"sealed"`
	Since  *time.Time            `json:"since,omitempty"`
	Until  *time.Time            `json:"quarantined_until,omitempty"`
	Holds  []platform.HoldReason `json:"holds"`
	Leases []LeasePart           `json:"leases"` // those that may be seen

	held bool // for a lot that is sealed
}

// LeasePart is one time for which the number was somebody's.
type LeasePart struct {
	Lot      string            `json:"lot"`
	LotState platform.LotState `json:"lot_state"`
	From     *time.Time        `json:"from"`
	To       *time.Time        `json:"to,omitempty"` // none while it lasts
}

// BankPart is what the bank answers for the number now.
type BankPart struct {
	Source  string           `json:"source"`
	AskedAt *time.Time       `json:"asked_at,omitempty"`
	Outcome bank.CallOutcome `json:"outcome"` // "": it was not asked
	Result  string           `json:"result"`
	Detail  string           `json:"detail"`
	Differ  string           `json:"differ"`            // how its credits differ from ours; "" while sealed
	Credits *int             `json:"credits,omitempty"` // not while sealed
}

// AccountPart is the parent account. While any lot is sealed it is the last day compared, and whether that agreed.
type AccountPart struct {
	Source         string      `json:"source"`
	Sealed         bool        `json:"sealed"`
	StatementDay   deposit.Day `json:"statement_day,omitempty"`
	Agrees         bool        `json:"agrees"`
	Proof          bank.Proof  `json:"proof"`
	Chain          Chain       `json:"chain"`
	State          string      `json:"state"` // of the day: OPEN, CLOSED
	ComparedAt     *time.Time  `json:"compared_at,omitempty"`
	LastCreditDay  deposit.Day `json:"last_credit_day,omitempty"`
	LastCreditAt   *time.Time  `json:"last_credit_at,omitempty"`
	CreditsThatDay *int        `json:"credits_that_day,omitempty"`
}

// CallPart is a call to the bank: of each kind and outcome the last one.
type CallPart struct {
	Source  string           `json:"source"`
	Code    string           `json:"code"`
	At      time.Time        `json:"at"`
	TookMs  int64            `json:"took_ms"`
	Outcome bank.CallOutcome `json:"outcome"`
	Result  string           `json:"result"`
	Detail  string           `json:"detail"`
}

// Diagnose collects it. code names the bank, "" where the number is known at one only. It asks the bank, so that it takes as long
// as the bank does. NotFound "number_unknown", Invalid "bank_ambiguous" where several banks have the number.
func (k *Keeper) Diagnose(ctx context.Context, eyes deposit.Sight, code, subAccount string) (*Diagnosis, error) {
	sealed, err := anySealed(ctx, k.db)
	if err != nil {
		return nil, err
	}
	n, b, err := k.numberMeant(ctx, eyes, code, subAccount)
	if err != nil {
		return nil, err
	}
	d := &Diagnosis{SubAccount: subAccount, Bank: b.Code, Parent: n.Parent, Calls: []CallPart{}, Changes: []EventView{}, ReadAt: k.db.Now().In(deposit.Shanghai)}
	if d.Parent == "" {
		d.Parent = b.Parent()
	}
	if err := k.diagnoseNumber(ctx, eyes, d, n); err != nil {
		return nil, err
	}
	if sealed {
		d.Number.seal()
	}
	for _, part := range []func(context.Context, *Diagnosis, *bank.Bank) error{k.diagnoseAtBank, k.diagnoseAccount, k.diagnoseCalls} {
		if err := part(ctx, d, b); err != nil {
			return nil, err
		}
	}
	if sealed {
		d.seal(b)
	}
	return d, k.diagnoseChanges(ctx, d, n)
}

// seal makes of a number that is free, is not known, or was ever held for a lot that is sealed, one that says nothing by its
// state.
func (p *NumberPart) seal() {
	if p.State != "" && p.State != platform.NumberFree && !p.held {
		return
	}
	*p = NumberPart{Source: p.Source, Sealed: true, Holds: []platform.HoldReason{}, Leases: p.Leases}
}

// seal takes out what only a bid or a payment brings about: all calls but link tests, and what the bank said of the number.
func (d *Diagnosis) seal(b *bank.Bank) {
	link := ""
	if b.Adapter.Calls != nil && b.Adapter.Calls.Link != nil {
		link = b.Adapter.Calls.Link.Code
	}
	d.Calls = slices.DeleteFunc(d.Calls, func(c CallPart) bool { return c.Code != link })
	at := &d.AtBank
	if at.Outcome == bank.CallRefused {
		at.Outcome = bank.CallDone // it has answered
	}
	*at = BankPart{Source: at.Source, AskedAt: at.AskedAt, Outcome: at.Outcome}
	a := &d.Account
	*a = AccountPart{Source: a.Source, Sealed: true, StatementDay: a.StatementDay, Agrees: a.Agrees}
}

// numberMeant finds the number and its bank. One that is not known here, or is known by sealed bids alone, may be asked of a
// bank that is named.
func (k *Keeper) numberMeant(ctx context.Context, eyes deposit.Sight, code, subAccount string) (n platform.Number, b *bank.Bank, err error) {
	known, err := platform.NumberCalled(ctx, k.db, subAccount, eyes)
	if err != nil {
		return n, nil, err
	}
	if code != "" {
		if b, err = k.banks.Bank(code); err != nil {
			return n, nil, err
		}
		if i := slices.IndexFunc(known, func(n platform.Number) bool { return n.Bank == code }); i >= 0 {
			n = known[i]
		}
		return n, b, nil
	}
	switch len(known) {
	case 0:
		return n, nil, deposit.Refuse(deposit.NotFound, "number_unknown", "没有这一子账号的记录；若要直接询问银行，请用 bank 参数写明银行")
	case 1:
		b, err = k.banks.Bank(known[0].Bank)
		return known[0], b, err
	}
	return n, nil, deposit.Refuse(deposit.Invalid, "bank_ambiguous", "几家银行都有这一子账号，请用 bank 参数写明银行")
}

func (k *Keeper) diagnoseNumber(ctx context.Context, eyes deposit.Sight, d *Diagnosis, n platform.Number) error {
	d.Number = NumberPart{Source: "号池台账", State: n.State, Holds: []platform.HoldReason{}, Leases: []LeasePart{}}
	if n.ID == 0 {
		return nil
	}
	held, err := platform.HoldsOn(ctx, k.db, n.Bank, n.SubAccount)
	if err != nil {
		return err
	}
	leases, err := platform.LeasesOn(ctx, k.db, n.Bank, n.SubAccount)
	if err != nil {
		return err
	}
	ids := make([]sqldb.ID, len(leases))
	for i, l := range leases {
		ids[i] = l.LotID
	}
	lots, err := platform.LotsByID(ctx, k.db, ids)
	for _, l := range leases {
		lot := lots[l.LotID]
		d.Number.held = d.Number.held || lot.Sealed()
		if lot.Sealed() || !eyes.Reaches(lot.Department) {
			continue
		}
		part := LeasePart{Lot: lot.Number, LotState: lot.State, From: instant(l.From)}
		if !l.To.Equal(sqldb.Forever) {
			part.To = instant(l.To)
		}
		d.Number.Leases = append(d.Number.Leases, part)
	}
	d.Number.Holds = append(d.Number.Holds, held...)
	d.Number.Since, d.Number.Until = instant(n.Since), instant(n.QuarantinedUntil)
	return err
}

// instant is a time in Shanghai, nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(deposit.Shanghai)
	return &t
}

// diagnoseAtBank asks the bank now. That it does not answer is an answer.
func (k *Keeper) diagnoseAtBank(ctx context.Context, d *Diagnosis, b *bank.Bank) error {
	line := k.lines[b.Code]
	d.AtBank = BankPart{Source: "银行实时应答"}
	switch {
	case line == nil || b.Adapter.Calls.Credit == nil:
		d.AtBank.Detail = "该银行没有配置可查询的接口，请人工向银行查询"
		return nil
	case d.Parent == "":
		d.AtBank.Detail = "该银行配置了多个母账户，且本系统没有这一子账号的记录，无法查询"
		return nil
	}
	theirs, call, _ := line.Credits(ctx, bank.OfNumber{Parent: d.Parent, Number: d.SubAccount}) // the call says how it failed
	if err := k.bank.NoteCall(ctx, call); err != nil {
		return err
	}
	d.AtBank.AskedAt, d.AtBank.Outcome, d.AtBank.Result, d.AtBank.Detail = instant(call.BeganAt), call.Outcome, call.Result, call.Detail
	if call.Outcome != bank.CallDone || d.Number.Sealed {
		return nil
	}
	ours, err := bank.EntriesOn(ctx, k.db, []bank.Number{{Bank: b.Code, SubAccount: d.SubAccount}})
	count := len(theirs.Entries)
	d.AtBank.Credits, d.AtBank.Differ = &count, creditsDiffer(theirs.Entries, ours)
	return err
}

func (k *Keeper) diagnoseAccount(ctx context.Context, d *Diagnosis, b *bank.Bank) error {
	d.Account = AccountPart{Source: "对账单与到账记录"}
	if d.Parent == "" {
		return nil
	}
	book := bank.Book{Bank: b.Code, ParentAccount: d.Parent}
	last, err := lastClosing(ctx, k.db, book)
	switch {
	case errors.Is(err, sqldb.ErrNone):
	case err != nil:
		return err
	default:
		s, err := bank.StatementOf(ctx, k.db, b.Code, d.Parent, last.Day)
		if err != nil {
			return err
		}
		d.Account.Agrees = last.State == DayClosed
		d.Account.StatementDay, d.Account.Proof, d.Account.Chain, d.Account.State, d.Account.ComparedAt = last.Day, s.Proof, last.Chain, last.State, instant(last.ComparedAt)
	}
	newest, err := bank.NewestOn(ctx, k.db, book, bank.Credit, mostCounted)
	if err != nil || len(newest) == 0 {
		return err
	}
	d.Account.LastCreditDay = newest[0].BookingDate
	count := len(newest)
	d.Account.LastCreditAt, d.Account.CreditsThatDay = instant(newest[0].BookedAt), &count
	return nil
}

// mostCounted is where the counting of a day's credits ends: more say no more about whether the account takes money.
const mostCounted = 1000

func (k *Keeper) diagnoseCalls(ctx context.Context, d *Diagnosis, b *bank.Bank) error {
	if b.Adapter.Calls == nil {
		return nil
	}
	for _, code := range b.Adapter.Calls.Codes() {
		last, err := k.bank.LastCalls(ctx, b.Code, code, 1)
		if err != nil {
			return err
		}
		for _, c := range last {
			d.Calls = append(d.Calls, CallPart{"呼出记录", c.Code, c.BeganAt.In(deposit.Shanghai), c.TookMs, c.Outcome, c.Result, c.Detail})
		}
	}
	slices.SortStableFunc(d.Calls, func(a, b CallPart) int { return b.At.Compare(a.At) })
	return nil
}

// mostChanges is how many of the last changes are told.
const mostChanges = 20

// diagnoseChanges tells what was changed of the program and of rights, and what was done to the number.
func (k *Keeper) diagnoseChanges(ctx context.Context, d *Diagnosis, n platform.Number) error {
	row := n.ID
	if d.Number.Sealed {
		row = 0
	}
	events, err := sqldb.Events.All(ctx, k.db, "WHERE row_id = ? AND row_id <> 0 OR row_id = ? AND table_name = ? ORDER BY seq DESC LIMIT ?", row, programRow, programTable, mostChanges)
	for _, e := range events {
		d.Changes = append(d.Changes, EventView{e.At.In(deposit.Shanghai), e.By, e.Was, e.Became, e.Note})
	}
	return err
}
