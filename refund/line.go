package refund

import (
	"context"
	"errors"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// State says where a line stands on its way to the payee's account.
type State string

// The states of a line; LineMoves says how one follows the other.
const (
	Draft     State = "DRAFT"     // on a list, its money reserved
	Checked   State = "CHECKED"   // its batch is checked
	Released  State = "RELEASED"  // its batch is released, it may be sent
	Sending   State = "SENDING"   // it is stored as about to be sent; nobody can say more
	Accepted  State = "ACCEPTED"  // the bank has it and has not paid yet
	Paid      State = "PAID"      // the bank says so; proven once the statement has its debit
	Unknown   State = "UNKNOWN"   // the bank may have paid it or not: it is asked, never sent under another serial
	Failed    State = "FAILED"    // finally not paid
	Returned  State = "RETURNED"  // paid, and come back (退汇)
	Cancelled State = "CANCELLED" // taken back before it was sent
)

var stateNames = map[State]string{Draft: "待复核", Checked: "已复核", Released: "已放行", Sending: "发送中", Accepted: "银行已受理", Paid: "已付款",
	Unknown: "结果不明", Failed: "退付失败", Returned: "已退汇", Cancelled: "已撤销"}

// Chinese is the state's name for people.
func (s State) Chinese() string { return stateNames[s] }

// LineMoves is how a line's state changes. A crash while it was SENDING makes it UNKNOWN; RELEASED it becomes again only where
// the bank could not even be dialled. FAILED, RETURNED and CANCELLED are final: a second try is another line with approvals of
// its own.
var LineMoves = deposit.Machine{
	"DRAFT":     {"check": "CHECKED", "cancel": "CANCELLED"},
	"CHECKED":   {"release": "RELEASED", "revise": "DRAFT", "cancel": "CANCELLED", "pay_by_hand": "PAID"},
	"RELEASED":  {"claim": "SENDING", "revise": "DRAFT", "cancel": "CANCELLED"},
	"SENDING":   {"accept": "ACCEPTED", "pay": "PAID", "reject": "FAILED", "lose": "UNKNOWN", "unsent": "RELEASED"},
	"ACCEPTED":  {"pay": "PAID", "reject": "FAILED", "lose": "UNKNOWN", "disprove": "FAILED"},
	"UNKNOWN":   {"accept": "ACCEPTED", "pay": "PAID", "reject": "FAILED", "disprove": "FAILED"},
	"PAID":      {"return": "RETURNED"},
	"FAILED":    {},
	"RETURNED":  {},
	"CANCELLED": {},
}

// dead are the states in which a line no longer reserves its money.
const dead = "('FAILED','CANCELLED','RETURNED')"

// The ways a line is paid.
const (
	ByBank = "BANK" // by this service
	ByHand = "HAND" // a person has paid it in online banking (网银); entered so that it is never paid again
)

// Cause says why money goes back: the verdict on the credit, or what became of the bid.
type Cause string

// The causes besides verdicts.
const (
	Won          Cause = "WON"
	Lost         Cause = "LOST"
	BidWithdrawn Cause = "BID_WITHDRAWN"
	LotFailed    Cause = "LOT_FAILED"
	LotEnded     Cause = "LOT_TERMINATED"
	PaidByHand   Cause = "PAID_BY_HAND" // entered after the fact, without another ground
)

// Line is one payment back.
type Line struct {
	ID               sqldb.ID
	Serial           string // its name at the bank, one for ever
	ListID           sqldb.ID
	EntryID          sqldb.ID // the credit it pays back
	Bank             string
	ParentAccount    string
	SubAccount       string
	LotID            sqldb.ID
	BidID            sqldb.ID
	Department       string
	Cause            Cause
	Rule             string // of the rule table: "R1"
	DueOn            string // a deposit.Day; "" where no rule gives one
	Provisional      bool   // the day runs into a year without a published calendar
	Amount           deposit.Fen
	InterestExpected deposit.Fen
	InterestPaid     deposit.Fen
	PayeeName        string
	PayeeAccount     string
	PayeeBank        string
	PayeeBankCode    string
	PayeeChange      sqldb.ID // 0: the payee is the payer, to the byte
	Channel          string
	Replaces         sqldb.ID
	BatchID          sqldb.ID
	SendID           sqldb.ID
	Word             bank.PayStatus // the bank's last answer, with its code and words
	Code             string
	Said             string
	BankSerial       string
	Vouched          string // who says first that it was paid, or never paid
	Blind            bool   // made while its lot was sealed; see blind.go
	State            State
	Version          int64
	MadeAt           time.Time
	SentAt           time.Time
	AskedAt          time.Time
}

var lines = sqldb.NewTable("refunds", lineColumns, lineRow)

const lineColumns = "id, serial, list_id, entry_id, bank, parent_account, sub_account, lot_id, bid_id, department, cause, rule, due_on, provisional, " +
	"amount, interest_expected, interest_paid, payee_tag, sealed, payee_change, channel, replaces, batch_id, send_id, " +
	"word, code, said, bank_serial, vouched, blind, state, version, made_at, sent_at, asked_at"

func lineRow(l *Line) []any {
	return []any{&l.ID, &l.Serial, &l.ListID, &l.EntryID, &l.Bank, &l.ParentAccount, &l.SubAccount, &l.LotID, &l.BidID, &l.Department, &l.Cause, &l.Rule, &l.DueOn, &l.Provisional,
		&l.Amount, &l.InterestExpected, &l.InterestPaid, sqldb.Tag(payeeTag, &l.PayeeAccount), sealedPayee(l), &l.PayeeChange, &l.Channel, &l.Replaces, &l.BatchID, &l.SendID,
		&l.Word, &l.Code, sealedSaid(l), &l.BankSerial, &l.Vouched, &l.Blind, &l.State, &l.Version, sqldb.Wall(&l.MadeAt), sqldb.Wall(&l.SentAt), sqldb.Wall(&l.AskedAt)}
}

// payeeTag is the place of the tags of PayeeAccount.
const payeeTag = "refunds.payee"

// sealedPayee is the column refunds.sealed, which says whom the line pays, as a field of a query; the ID has to stand before it.
func sealedPayee(l *Line) any {
	return sqldb.Sealed("refunds", &l.ID, &l.PayeeName, &l.PayeeAccount, &l.PayeeBank, &l.PayeeBankCode)
}

// sealedSaid is the column refunds.said: the bank's words, which may name the payee.
func sealedSaid(l *Line) any { return sqldb.SealedIfAny("refunds", &l.ID, &l.Said) }

// LineByID reads one line; NotFound "refund_unknown".
func LineByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Line, error) {
	l, err := lines.One(ctx, r, "WHERE id = ?", id)
	if errors.Is(err, sqldb.ErrNone) {
		return l, unknownRefund()
	}
	return l, err
}

func unknownRefund() error {
	return deposit.Refuse(deposit.NotFound, "refund_unknown", "没有这笔退付")
}

// ids gives the keys of lines, in their order.
func ids(all []Line) []sqldb.ID {
	keys := make([]sqldb.ID, len(all))
	for i := range all {
		keys[i] = all[i].ID
	}
	return keys
}

// total sums lines up.
func total(all []Line) (sum deposit.Fen) {
	for i := range all {
		sum += all[i].Amount
	}
	return sum
}

// LinesOfAccount lists every line on a parent account, in the order of their keys.
func LinesOfAccount(ctx context.Context, r sqldb.Reader, bank, parent string) ([]Line, error) {
	return lines.All(ctx, r, "WHERE bank = ? AND parent_account = ? ORDER BY id", bank, parent)
}
