package reconcile

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// FindingRow is a finding with what people need to see beside it.
type FindingRow struct {
	ID              sqldb.ID     `json:"id"`
	Kind            FindingKind  `json:"kind"`
	Code            Code         `json:"code"`
	Reasons         []Code       `json:"reasons"`
	Day             deposit.Day  `json:"day"`
	Bank            string       `json:"bank"`
	ParentAccount   string       `json:"parent_account"`
	SubAccount      string       `json:"sub_account"`
	Serial          string       `json:"bank_serial"`
	BookedAt        *time.Time   `json:"booked_at,omitempty"`
	Amount          deposit.Fen  `json:"amount"`
	Payer           deposit.Name `json:"payer_name"`
	Credit          sqldb.ID     `json:"credit"` // the entry, where the finding is about one
	Lot             string       `json:"lot"`
	Bidder          deposit.Name `json:"bidder"`
	SuggestedLot    string       `json:"suggested_lot"`
	SuggestedBidder deposit.Name `json:"suggested_bidder"`
	Department      string       `json:"department"`
	Detail          string       `json:"detail"`
	State           string       `json:"state"`
	Version         int64        `json:"version"`
	FoundAt         time.Time    `json:"found_at"`
	Owner           string       `json:"owner"` // who has taken it; "" where nobody has
}

const findingText = "SELECT f.id, f.kind, f.code, f.reasons, f.day, f.bank, f.parent_account, f.amount, f.department, f.sealed, f.state, f.version, f.found_at, f.owner, " +
	"COALESCE(e.id, 0), COALESCE(e.sub_account, ''), COALESCE(e.serial, ''), COALESCE(e.booked_at, '1000-01-01 00:00:00.000'), e.sealed, " +
	"COALESCE(l.number, ''), COALESCE(b.id, 0), b.sealed, COALESCE(sl.number, ''), COALESCE(sb.id, 0), sb.sealed FROM findings AS f " + findingSubjects +
	"LEFT JOIN bids AS sb ON sb.id = f.suggested_bid AND "

// findingSubjects joins what findings are about.
const findingSubjects = "LEFT JOIN entries AS e ON e.id = f.subject LEFT JOIN bids AS b ON b.id = f.bid_id LEFT JOIN lots AS l ON l.id = f.lot_id "

// findingRows reads the findings that may be seen, with the rows they speak of; where says which are wanted, tail in which
// order and how many.
func findingRows(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, where, tail string, args ...any) ([]FindingRow, error) {
	type row struct {
		FindingRow
		reasons        string
		entry          bank.Entry
		bid, suggested platform.Bid
	}
	suggested, before := platform.LotSeen("sb.lot_id", eyes)
	seen, after := findingSeen(eyes)
	n := strings.Count(where, "?")
	args = slices.Concat(before, args[:n:n], after, args[n:])
	rows, err := sqldb.Select(ctx, r, func(f *row) []any {
		return []any{&f.ID, &f.Kind, &f.Code, &f.reasons, &f.Day, &f.Bank, &f.ParentAccount, &f.Amount, &f.Department, sealedDetail(&f.ID, &f.Detail), &f.State, &f.Version, sqldb.Wall(&f.FoundAt), &f.Owner,
			&f.entry.ID, &f.SubAccount, &f.Serial, sqldb.Wall(&f.entry.BookedAt), bank.SealedPayer(&f.entry),
			&f.Lot, &f.bid.ID, platform.SealedBidder(&f.bid), &f.SuggestedLot, &f.suggested.ID, platform.SealedBidder(&f.suggested)}
	}, findingText+suggested+" LEFT JOIN lots AS sl ON sl.id = sb.lot_id WHERE "+where+" AND "+seen+" "+tail, args...)
	all := make([]FindingRow, len(rows))
	for i, f := range rows {
		all[i] = f.FindingRow
		all[i].Reasons = splitCodes(f.reasons)
		all[i].Credit, all[i].Payer, all[i].Bidder, all[i].SuggestedBidder = f.entry.ID, deposit.Name(f.entry.PayerName), deposit.Name(f.bid.Bidder), deposit.Name(f.suggested.Bidder)
		if !f.entry.BookedAt.IsZero() {
			all[i].BookedAt = &f.entry.BookedAt
		}
	}
	return all, err
}

// findingRow reads one finding; NotFound "finding_unknown" where it is none or may not be seen.
func findingRow(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, id sqldb.ID) (FindingRow, error) {
	rows, err := findingRows(ctx, r, eyes, "f.id = ?", "", id)
	if err != nil {
		return FindingRow{}, err
	}
	if len(rows) == 0 {
		return FindingRow{}, unknownFinding()
	}
	return rows[0], nil
}

// findingSeen is the condition that a finding f, beside the entry e that it is on if it is on one, may be seen, and its
// arguments. That an invariant does not hold or a pool runs empty is nobody's payment: whoever sees everything sees it at
// once, and its text holds no count.
func findingSeen(eyes deposit.Sight) (condition string, args []any) {
	ofLot, args := platform.LotSeen("f.lot_id", eyes)
	nobodys := platform.NobodysSeen("COALESCE(e.first_seen, f.found_at)", eyes)
	if eyes.Everything() {
		nobodys = "(f.kind IN ('CHECK','POOL') OR " + nobodys + ")"
	}
	return "(f.lot_id <> 0 AND " + ofLot + " OR f.lot_id = 0 AND " + nobodys + ")", args
}

// inReportOrder is by account, then what was found, in the order in which it is counted, then the time of the booking.
func inReportOrder(a, b FindingRow) int {
	var at, bt time.Time
	if a.BookedAt != nil {
		at = *a.BookedAt
	}
	if b.BookedAt != nil {
		bt = *b.BookedAt
	}
	return cmp.Or(cmp.Compare(a.Bank, b.Bank), cmp.Compare(a.ParentAccount, b.ParentAccount), cmp.Compare(slices.Index(codes, a.Code), slices.Index(codes, b.Code)), cmp.Compare(a.Kind, b.Kind),
		at.Compare(bt), cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.Lot, b.Lot), cmp.Compare(a.Bidder, b.Bidder), cmp.Compare(a.ID, b.ID))
}

// CreditView is a credit with its verdict, its sightings and its history.
type CreditView struct {
	ID            sqldb.ID        `json:"id"`
	Bank          string          `json:"bank"`
	ParentAccount string          `json:"parent_account"`
	SubAccount    string          `json:"sub_account"`
	BookingDate   deposit.Day     `json:"booking_date"`
	BookedAt      time.Time       `json:"booked_at"`
	Serial        string          `json:"bank_serial"`
	SerialSeq     int             `json:"serial_seq"`
	Direction     bank.Direction  `json:"direction"`
	Reversal      bool            `json:"reversal"`
	ReversalOf    string          `json:"reversal_of"`
	Amount        deposit.Fen     `json:"amount"`
	PayerName     deposit.Name    `json:"payer_name"`    // a person's masked, and
	PayerAccount  deposit.Account `json:"payer_account"` // masked; Reveal gives all of it
	PayerBank     string          `json:"payer_bank"`
	PayerBankCode string          `json:"payer_bank_code"`
	Remark        string          `json:"remark"`
	Verdict       Code            `json:"verdict"` // "" while it waits to be judged, and for debits
	Reasons       []Code          `json:"reasons"`
	Lot           string          `json:"lot"`
	Bidder        deposit.Name    `json:"bidder"`
	Counted       deposit.Fen     `json:"counted"` // what of it counts towards the deposit
	SuggestedLot  string          `json:"suggested_lot"`
	Suggested     deposit.Name    `json:"suggested_bidder"`
	Sightings     []SightingView  `json:"sightings"`
	Conflicts     []ConflictView  `json:"conflicts"`
	History       []EventView     `json:"history"`
}

// SightingView tells where the credit was seen.
type SightingView struct {
	Source string    `json:"source"` // NOTICE or STATEMENT
	File   sqldb.ID  `json:"file"`
	SeenAt time.Time `json:"seen_at"`
}

// ConflictView is a sighting that says something else.
type ConflictView struct {
	Source  string    `json:"source"`
	File    sqldb.ID  `json:"file"`
	SeenAt  time.Time `json:"seen_at"`
	Fields  string    `json:"fields"`
	Content string    `json:"content"`
}

// EventView is a line of the audit trail.
type EventView struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Was    string    `json:"was"`
	Became string    `json:"became"`
	Note   string    `json:"note"`
}

// Credit shows one entry with everything that is known of it. NotFound "credit_unknown" if there is none, and, in the same
// words, if it may not be seen.
func (d *Desk) Credit(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (*CreditView, error) {
	e, err := seenEntry(ctx, d.db, eyes, id)
	if err != nil {
		return nil, err
	}
	v := &CreditView{ID: e.ID, Bank: e.Bank, ParentAccount: e.ParentAccount, SubAccount: e.SubAccount, BookingDate: e.BookingDate, BookedAt: e.BookedAt,
		Serial: e.Serial, SerialSeq: e.SerialSeq, Direction: e.Direction, Reversal: e.Reversal == bank.Reverses, ReversalOf: e.ReversalOf, Amount: e.Amount,
		PayerName: deposit.Name(e.PayerName), PayerAccount: deposit.Account(e.PayerAccount), PayerBank: e.PayerBank, PayerBankCode: e.PayerBankCode, Remark: e.Remark,
		Reasons: []Code{}, Sightings: []SightingView{}, Conflicts: []ConflictView{}, History: []EventView{}}
	return v, errors.Join(d.viewVerdict(ctx, eyes, v), d.viewSightings(ctx, v), d.viewHistory(ctx, v))
}

// CreditsBySerial are a bank's credits of a day with that serial, as far as they may be seen.
func (d *Desk) CreditsBySerial(ctx context.Context, eyes deposit.Sight, b *bank.Bank, day deposit.Day, serial string) ([]bank.Entry, error) {
	all, err := bank.CreditsBySerial(ctx, d.db, b, day, []string{serial})
	if err != nil {
		return nil, err
	}
	ids := make([]sqldb.ID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	seen, err := SeenCredits(ctx, d.db, eyes, ids)
	return slices.DeleteFunc(all, func(e bank.Entry) bool { return !seen[e.ID] }), err
}

// seenEntry is an entry that may be seen.
func seenEntry(ctx context.Context, r sqldb.Reader, eyes deposit.Sight, id sqldb.ID) (bank.Entry, error) {
	seen, err := SeenCredits(ctx, r, eyes, []sqldb.ID{id})
	if err == nil && !seen[id] {
		err = deposit.Refuse(deposit.NotFound, "credit_unknown", "没有这笔入账，或开标前不能查看")
	}
	if err != nil {
		return bank.Entry{}, err
	}
	return bank.EntryByID(ctx, r, id)
}

func (d *Desk) viewVerdict(ctx context.Context, eyes deposit.Sight, v *CreditView) error {
	found, err := matchesOf(ctx, d.db, []sqldb.ID{v.ID})
	m, ok := found[v.ID]
	if err != nil || !ok {
		return err
	}
	v.Verdict, v.Reasons, v.Counted = m.Verdict, splitCodes(m.Reasons), m.Counted
	bids, err := platform.BidsByID(ctx, d.db, []sqldb.ID{m.BidID, m.SuggestedBid})
	if err != nil {
		return err
	}
	meant := bids[m.SuggestedBid]
	lots, err := platform.LotsByID(ctx, d.db, []sqldb.ID{m.LotID, meant.LotID})
	v.Lot, v.Bidder = lots[m.LotID].Number, deposit.Name(bids[m.BidID].Bidder)
	if lot := lots[meant.LotID]; !lot.Sealed() && eyes.Reaches(lot.Department) {
		v.SuggestedLot, v.Suggested = lot.Number, deposit.Name(meant.Bidder)
	}
	return err
}

func (d *Desk) viewSightings(ctx context.Context, v *CreditView) error {
	name := map[bank.Source]string{bank.FromNotice: "NOTICE", bank.FromStatement: "STATEMENT"}
	seen, err := bank.SightingsOf(ctx, d.db, v.ID)
	for _, s := range seen {
		v.Sightings = append(v.Sightings, SightingView{name[s.Source], s.FileID, s.SeenAt})
	}
	if err != nil {
		return err
	}
	against, err := bank.ConflictsOf(ctx, d.db, []sqldb.ID{v.ID})
	for _, c := range against {
		v.Conflicts = append(v.Conflicts, ConflictView{name[c.Source], c.FileID, c.SeenAt, c.Fields, maskedContent(c.Content)})
	}
	return err
}

// maskedContent is what a contradiction says, its account and a person's name masked; "" of one that was too long to be kept whole.
func maskedContent(content string) string {
	said := map[string]string{}
	if json.Unmarshal([]byte(content), &said) != nil {
		return ""
	}
	said["payer_account"], said["payer_name"] = deposit.MaskAccount(said["payer_account"]), deposit.MaskName(said["payer_name"])
	text, _ := json.Marshal(said) // texts: never fails
	return string(text)
}

func (d *Desk) viewHistory(ctx context.Context, v *CreditView) error {
	events, err := sqldb.Events.All(ctx, d.db, "WHERE row_id = ? ORDER BY seq", v.ID)
	for _, e := range events {
		v.History = append(v.History, EventView{e.At, e.By, e.Was, e.Became, e.Note})
	}
	return err
}
