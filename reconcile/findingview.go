package reconcile

import (
	"context"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// FindingView is a finding with all that a person needs to decide on it: our books and the bank's side by side, the bid that
// was probably meant and why, and what was done so far.
type FindingView struct {
	FindingRow
	AgeDays    int           `json:"age_days"` // working days since its day
	LotName    string        `json:"lot_name"`
	Ledger     *Ledger       `json:"ledger,omitempty"` // of the bid whose number was credited, or that owes its deposit
	Compared   []Compared    `json:"compared"`
	Suggestion *Suggestion   `json:"suggestion,omitempty"`
	Entry      *CreditView   `json:"entry,omitempty"`
	History    []FindingStep `json:"history"` // oldest first
	UndoUntil  *time.Time    `json:"undo_until,omitempty"`
}

// Ledger is the trading platform's side of a bid (台账).
type Ledger struct {
	Lot           string          `json:"lot"`
	LotName       string          `json:"lot_name"`
	Department    string          `json:"department"`
	Deposit       deposit.Fen     `json:"deposit"`
	OpeningAt     time.Time       `json:"opening_at"`
	Bidder        deposit.Name    `json:"bidder"`
	BidderAccount deposit.Account `json:"bidder_account"` // masked, as everywhere
	SubAccount    string          `json:"sub_account"`
	LeasedFrom    *time.Time      `json:"leased_from,omitempty"`
	LeasedTo      *time.Time      `json:"leased_to,omitempty"` // absent while its end is not known
	Paid          bool            `json:"paid"`                // something that counts was paid for the bid
}

// FindingStep is a line of what was done about a finding.
type FindingStep struct {
	EventView
	Kind StepKind `json:"kind"`
}

// StepKind says what a step was.
type StepKind string

// The kinds, which stand in the audit trail as what the finding became; a state is a step of the machine.
const (
	StepMoved    StepKind = "MOVED"
	StepComment  StepKind = "COMMENT"
	StepOwner    StepKind = "OWNER"
	StepHandOver StepKind = "HAND_OVER"
	StepChanged  StepKind = "CHANGED"  // the service found something else
	StepRevealed StepKind = "REVEALED" // somebody was shown what is masked, or asked for it too often
)

// Finding shows one finding; NotFound "finding_unknown" where it is none or may not be seen.
func (d *Desk) Finding(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (*FindingView, error) {
	row, err := findingRow(ctx, d.db, eyes, id)
	if err != nil {
		return nil, err
	}
	kept, err := findings.One(ctx, d.db, "WHERE id = ?", id)
	if err != nil {
		return nil, err
	}
	v := &FindingView{FindingRow: row, Compared: []Compared{}, History: []FindingStep{}}
	age, err := d.ageing(ctx)
	if err != nil {
		return nil, err
	}
	v.AgeDays = age(v.Day)
	if v.Credit != 0 {
		if v.Entry, err = d.Credit(ctx, eyes, v.Credit); err != nil {
			return nil, err
		}
	}
	if err := d.viewSides(ctx, v, &kept); err != nil {
		return nil, err
	}
	return v, d.viewSteps(ctx, v)
}

// viewSides reads our side, and the bid that was probably meant.
func (d *Desk) viewSides(ctx context.Context, v *FindingView, f *Finding) error {
	held, err := d.ledger(ctx, v, f.LotID, f.BidID)
	if err != nil {
		return err
	}
	v.Ledger, v.Compared = held, compare(held, v.Entry)
	if held != nil {
		v.LotName = held.LotName
	}
	if v.SuggestedLot == "" || v.Entry == nil { // none, or one that may not be seen
		return nil
	}
	meant, err := d.ledger(ctx, v, 0, f.SuggestedBid)
	if err == nil && meant != nil {
		v.Suggestion = suggestion(*meant, v.Entry)
	}
	return err
}

// ledger reads the platform's side of a bid, or of a lot whose bids share the number; nil for neither.
func (d *Desk) ledger(ctx context.Context, v *FindingView, lotID, bidID sqldb.ID) (*Ledger, error) {
	bids, err := platform.BidsByID(ctx, d.db, []sqldb.ID{bidID})
	if err != nil {
		return nil, err
	}
	bid := bids[bidID]
	if bid.LotID != 0 {
		lotID = bid.LotID
	}
	lots, err := platform.LotsByID(ctx, d.db, []sqldb.ID{lotID})
	lot, known := lots[lotID]
	if err != nil || !known {
		return nil, err
	}
	l := &Ledger{Lot: lot.Number, LotName: lot.Name, Department: lot.Department, Deposit: lot.Deposit, OpeningAt: lot.OpensAt, Bidder: deposit.Name(bid.Bidder), BidderAccount: deposit.Account(bid.BidderAccount)}
	paid, err := countedOf(ctx, d.db, []sqldb.ID{bidID})
	if err != nil {
		return nil, err
	}
	l.Paid = paid[bidID].Credits > 0
	return l, d.viewLease(ctx, v, l, lot.ID, bid)
}

// viewLease names the lease that was in force when the money came, else the last one: of the bid, or of its lot where the bids
// share the number. Those of other lots, which may be sealed, say nothing here.
func (d *Desk) viewLease(ctx context.Context, v *FindingView, l *Ledger, lot sqldb.ID, bid platform.Bid) (err error) {
	var leases []platform.Lease
	if bid.ID != 0 {
		leases, err = platform.LeasesOf(ctx, d.db, []sqldb.ID{bid.ID})
	}
	if err == nil && len(leases) == 0 && v.Entry != nil && v.Entry.SubAccount != "" {
		leases, err = platform.LeasesOn(ctx, d.db, v.Entry.Bank, v.Entry.SubAccount)
	}
	leases = slices.DeleteFunc(leases, func(one platform.Lease) bool { return one.LotID != lot })
	if err != nil || len(leases) == 0 {
		return err
	}
	slices.SortFunc(leases, func(a, b platform.Lease) int { return a.From.Compare(b.From) })
	lease := leases[len(leases)-1]
	for _, one := range leases {
		if v.Entry != nil && one.InForce(v.Entry.BookedAt) {
			lease = one
		}
	}
	l.SubAccount, l.LeasedFrom = lease.SubAccount, &lease.From
	if lease.To.Before(sqldb.Forever) {
		l.LeasedTo = &lease.To
	}
	return nil
}

// viewSteps reads what was done. An act can be taken back until its day is sealed, at midnight: as a new line, never by taking the
// old one away.
func (d *Desk) viewSteps(ctx context.Context, v *FindingView) error {
	events, err := sqldb.Events.All(ctx, d.db, "WHERE row_id = ? AND table_name = 'findings' ORDER BY seq", v.ID)
	for _, e := range events {
		step := FindingStep{EventView{e.At, e.By, e.Was, e.Became, e.Note}, stepKind(e)}
		v.History = append(v.History, step)
		if step.Kind != StepMoved {
			continue
		}
		v.UndoUntil = nil
		if night := deposit.DayOf(e.At).Add(1).Start(); (e.Became == Explained || e.Became == Settled) && d.db.Now().Before(night) {
			v.UndoUntil = &night
		}
	}
	return err
}

func stepKind(e sqldb.Event) StepKind {
	if StateName[e.Became] != "" {
		return StepMoved
	}
	if kind := StepKind(e.Became); kind == StepComment || kind == StepOwner || kind == StepHandOver {
		return kind
	}
	if e.Became == Revealed || e.Became == RevealRefused {
		return StepRevealed
	}
	return StepChanged
}

// Ageing counts the working days from a day to today, by the calendar; today is T+0, and what is older than 60 is 60.
func (d *Desk) Ageing(ctx context.Context) (func(deposit.Day) int, error) { return d.ageing(ctx) }

// DaysOfAge are the first and the last day of the band of Ages, as Ageing counts; "" where the band has no end on that side.
func (d *Desk) DaysOfAge(ctx context.Context, band int) (since, until deposit.Day, err error) {
	age, err := d.ageing(ctx)
	if err != nil {
		return "", "", err
	}
	day := deposit.DayOf(d.db.Now())
	for band > 0 && age(day) <= Ages[band-1].Most {
		day = day.Add(-1)
	}
	if band > 0 {
		until = day
	}
	if band == len(Ages)-1 {
		return "", until, nil
	}
	for age(day) <= Ages[band].Most {
		day = day.Add(-1)
	}
	return day.Add(1), until, nil
}

// Workdays says which days are working days, by the calendar; a day of a year that is not published yet is one if it is no weekend.
func (d *Desk) Workdays(ctx context.Context) (func(deposit.Day) bool, error) {
	calendar, err := platform.Calendar(ctx, d.db)
	return func(day deposit.Day) bool { works, _ := calendar.Works(day); return works }, err
}
