package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// EnquiryAnswer is the answer to a bidder's question about his own money.
type EnquiryAnswer string

// The answers. None of them names a lot or a bidder.
const (
	MoneyHere      EnquiryAnswer = "FOUND"     // on the number asked about, which is the payer's own
	MoneyElsewhere EnquiryAnswer = "ELSEWHERE" // on the number asked about, which is not the payer's; Place is his own
	MoneyUnknown   EnquiryAnswer = "NOT_FOUND"
)

var answerNames = map[EnquiryAnswer]string{MoneyHere: "已到账，子账号无误", MoneyElsewhere: "已到账，但子账号不是该付款人的", MoneyUnknown: "没有查到与所述完全一致的入账"}

// Chinese is the answer for people.
func (a EnquiryAnswer) Chinese() string { return answerNames[a] }

// EnquiryOrder is a bidder's question about his own payment, as his voucher has it (plan 4.6.2 step 1.1). Before the opening
// nobody looks a payer up: only who knows all of it is answered.
type EnquiryOrder struct {
	Bank       string
	SubAccount string // to which he paid
	Amount     deposit.Fen
	Day        deposit.Day // of the booking
	Serial     string      // the bank's
	Payer      string
	Reason     string // why it is asked, and who asked: 1–400 characters
}

func (o *EnquiryOrder) check() error {
	for _, text := range []struct {
		name  string
		value *string
		most  int
	}{{"bank", &o.Bank, 32}, {"sub_account", &o.SubAccount, 40}, {"bank_serial", &o.Serial, 64}, {"payer_name", &o.Payer, 200}, {"reason", &o.Reason, 400}} {
		*text.value = strings.TrimSpace(*text.value)
		if n := utf8.RuneCountInString(*text.value); n == 0 || n > text.most {
			return deposit.Refuse(deposit.Invalid, "field_missing", text.name, " 须填写，最多 ", text.most, " 字")
		}
	}
	if deposit.IsMasked(o.Payer) { // it would be nobody's, and the bidder told that his money is not there
		return deposit.Refuse(deposit.Invalid, "payer_masked", "payer_name 含有 *，是脱敏后的显示，请按付款凭证填写完整户名")
	}
	if o.Amount <= 0 || o.Day == "" {
		return deposit.Refuse(deposit.Invalid, "field_missing", "amount、booking_date 须按付款凭证填写")
	}
	return nil
}

// Enquiry is a question as it is kept, for ever.
type Enquiry struct {
	ID         sqldb.ID
	SubAccount string
	Amount     deposit.Fen
	Day        deposit.Day
	Serial     string
	Bank       string
	Payer      string
	Reason     string
	AskedBy    string
	AskedAt    time.Time
	ReleasedBy string
	ReleasedAt time.Time
	Answer     EnquiryAnswer // "" until another person has released it
	Place      string
	State      string
	Version    int64
}

// The states of an enquiry.
const (
	Asked    = "ASKED"
	Answered = "ANSWERED"
)

// EnquiryMoves is how an enquiry's state changes.
var EnquiryMoves = deposit.Machine{Asked: {"release": Answered}, Answered: {}}

var enquiries = sqldb.NewTable("enquiries", "id, sub_account, amount, day, serial, bank, sealed, asked_by, asked_at, released_by, released_at, answer, place, state, version",
	func(e *Enquiry) []any {
		return []any{&e.ID, &e.SubAccount, &e.Amount, &e.Day, &e.Serial, &e.Bank, sqldb.Sealed("enquiries", &e.ID, &e.Payer, &e.Reason), &e.AskedBy, sqldb.Wall(&e.AskedAt), &e.ReleasedBy,
			sqldb.Wall(&e.ReleasedAt), &e.Answer, &e.Place, &e.State, &e.Version}
	})

// sameQuestion is how long a question that waits for its answer is the same one when the same person asks it again.
const sameQuestion = 24 * time.Hour

// Enquire takes a bidder's question; asked again while it waits it is the same enquiry. Nothing is answered yet.
func (d *Desk) Enquire(ctx context.Context, by string, o EnquiryOrder) (e Enquiry, err error) {
	if err := o.check(); err != nil {
		return e, err
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		waiting, err := enquiries.All(ctx, tx, "WHERE asked_at > ? AND state = ? AND asked_by = ? AND bank = ? AND serial = ? AND day = ? AND sub_account = ? AND amount = ? ORDER BY asked_at, id",
			sqldb.At(tx.Now.Add(-sameQuestion)), Asked, by, o.Bank, o.Serial, o.Day, o.SubAccount, o.Amount)
		if err != nil {
			return err
		}
		if at := slices.IndexFunc(waiting, func(w Enquiry) bool { return w.Payer == o.Payer && w.Reason == o.Reason }); at >= 0 {
			e = waiting[at]
			return nil
		}
		e = Enquiry{ID: tx.NewID(), SubAccount: o.SubAccount, Amount: o.Amount, Day: o.Day, Serial: o.Serial, Bank: o.Bank, Payer: o.Payer, Reason: o.Reason,
			AskedBy: by, AskedAt: tx.Now, State: Asked, Version: 1}
		return errors.Join(enquiries.Insert(ctx, tx, e), tx.Note(ctx, "enquiries", e.ID, Asked, o.Reason))
	})
	return e, err
}

// ReleaseEnquiry is a second person's word that the bidder may have his answer, and gives it. Said again by the same person
// it is the same answer. NotFound "enquiry_unknown"; Denied "same_person"; Conflict "state_forbids".
func (d *Desk) ReleaseEnquiry(ctx context.Context, by string, id sqldb.ID) (e Enquiry, err error) {
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		e, err = enquiries.One(ctx, tx, "WHERE id = ?", id)
		switch {
		case errors.Is(err, sqldb.ErrNone):
			return deposit.Refuse(deposit.NotFound, "enquiry_unknown", "没有这项查询")
		case err != nil || e.State == Answered && e.ReleasedBy == by:
			return err
		case e.AskedBy == by:
			return deposit.Refuse(deposit.Denied, "same_person", "须由登记人以外的人放行答复")
		}
		next, err := EnquiryMoves.Next(e.State, "release")
		if err != nil {
			return err
		}
		if e.Answer, e.Place, err = d.answer(ctx, tx, &e); err != nil {
			return err
		}
		if err := tx.Move(ctx, sqldb.Move{Table: "enquiries", ID: id, Version: e.Version, From: e.State, To: next, Note: "答复已放行"}); err != nil {
			return err
		}
		e.State, e.Version, e.ReleasedBy, e.ReleasedAt = next, e.Version+1, by, tx.Now
		n, err := tx.Exec(ctx, "UPDATE enquiries SET released_by = ?, released_at = ?, answer = ?, place = ? WHERE id = ? AND version = ?",
			by, sqldb.At(tx.Now), e.Answer, e.Place, id, e.Version)
		if err == nil && n != 1 {
			err = sqldb.ErrStale
		}
		return err
	})
	return e, err
}

// answer finds the one credit that is all that was said, and whether its number is the payer's.
func (d *Desk) answer(ctx context.Context, r sqldb.Reader, e *Enquiry) (EnquiryAnswer, string, error) {
	b, err := d.banks.Bank(e.Bank)
	if err != nil {
		return "", "", err
	}
	same, err := bank.CreditsBySerial(ctx, r, b, e.Day, []string{e.Serial})
	if err != nil {
		return "", "", err
	}
	key := deposit.NameKey(e.Payer)
	same = slices.DeleteFunc(same, func(c bank.Entry) bool {
		return c.SubAccount != e.SubAccount || c.Amount != e.Amount || c.PayerKey != key
	})
	if len(same) != 1 {
		return MoneyUnknown, "", nil
	}
	claims, err := platform.Claims(ctx, r, []platform.Ask{{PayerKey: key}})
	if err != nil {
		return "", "", err
	}
	place := ""
	for _, p := range claims[0] {
		switch {
		case p.Lease.SubAccount == "" || !p.Lease.InForce(same[0].BookedAt):
		case p.Lease.SubAccount == e.SubAccount && p.Lease.Bank == e.Bank:
			return MoneyHere, "", nil
		case place == "" || p.Lot.Deposit == e.Amount:
			place = p.Lease.SubAccount
		}
	}
	return MoneyElsewhere, place, nil
}

// BidStatus is how a bid's own deposit stands: for its bidder, by way of the platform, and nobody else.
type BidStatus struct {
	Bid     platform.Bid
	Deposit BidDeposit
	Codes   []Code // what the bidder has to see to, in the order of reports
}

// BidDeposit says how much of a bid's deposit is there.
type BidDeposit string

// How much.
const (
	NothingPaid BidDeposit = "NONE"
	PartlyPaid  BidDeposit = "PARTIAL"
	WhollyPaid  BidDeposit = "PAID"
)

// StatusOf tells a bid's own status, at any time. NotFound "bid_unknown".
func (d *Desk) StatusOf(ctx context.Context, id sqldb.ID) (s BidStatus, err error) {
	bids, err := platform.BidsByID(ctx, d.db, []sqldb.ID{id})
	if err != nil {
		return s, err
	}
	bid, there := bids[id]
	if !there {
		return s, deposit.Refuse(deposit.NotFound, "bid_unknown", "没有这一投标")
	}
	lots, err := platform.LotsByID(ctx, d.db, []sqldb.ID{bid.LotID})
	if err != nil {
		return s, err
	}
	sums, err := countedOf(ctx, d.db, []sqldb.ID{id})
	if err != nil {
		return s, err
	}
	s.Bid, s.Deposit = bid, NothingPaid
	switch sum := sums[id].Counted; {
	case sum >= lots[bid.LotID].Deposit:
		s.Deposit = WhollyPaid
	case sum > 0:
		s.Deposit = PartlyPaid
	}
	s.Codes, err = sqldb.Select(ctx, d.db, func(c *Code) []any { return []any{c} },
		"SELECT DISTINCT code FROM findings WHERE bid_id = ? AND kind IN ('CREDIT','BID','CONFLICT') AND state IN ('OPEN','EXPLAINED')", id)
	slices.SortFunc(s.Codes, func(a, b Code) int { return slices.Index(codes, a) - slices.Index(codes, b) })
	return s, err
}
