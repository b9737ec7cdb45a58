package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// Refund is one payment back. What does not apply is empty.
type Refund struct {
	ID               sqldb.ID        `json:"id"`     // empty in a dry run
	Sealed           bool            `json:"sealed"` // its lot is sealed: rule, day and steps are told, no lot, name, account of the payer or amount
	Serial           string          `json:"serial"`
	List             sqldb.ID        `json:"list"`
	ListNumber       string          `json:"list_number"`
	Credit           sqldb.ID        `json:"credit"`
	Bank             string          `json:"bank"`
	ParentAccount    string          `json:"parent_account"`
	SubAccount       string          `json:"sub_account"`
	Lot              string          `json:"lot"`
	Bidder           deposit.Name    `json:"bidder"`
	Department       string          `json:"department"`
	Cause            refund.Cause    `json:"cause"`
	CauseName        string          `json:"cause_name"`
	Rule             string          `json:"rule"`
	DueOn            string          `json:"due_on"`
	Provisional      bool            `json:"provisional"`
	DaysLeft         *int            `json:"days_left,omitempty"` // while it is on its way and a rule has a day for it
	Amount           deposit.Fen     `json:"amount"`
	InterestExpected deposit.Fen     `json:"interest_expected"`
	InterestPaid     deposit.Fen     `json:"interest_paid"`
	PayeeName        deposit.Name    `json:"payee_name"`
	PayeeAccount     deposit.Account `json:"payee_account"`
	PayeeBank        string          `json:"payee_bank"`
	PayeeBankCode    string          `json:"payee_bank_code"`
	PayeeChange      sqldb.ID        `json:"payee_change"`
	Channel          string          `json:"channel"`
	Replaces         sqldb.ID        `json:"replaces"`
	Batch            sqldb.ID        `json:"batch"`
	BatchNumber      string          `json:"batch_number"`
	Word             bank.PayStatus  `json:"bank_word"` // of the bank's last answer
	WordName         string          `json:"bank_word_name"`
	Code             string          `json:"bank_code"`
	Said             string          `json:"bank_said"`
	PaymentSerial    string          `json:"payment_serial"` // the bank's, of the payment
	Vouched          string          `json:"vouched"`
	State            refund.State    `json:"state"`
	StateName        string          `json:"state_name"`
	WaitsFor         refund.Waiting  `json:"waits_for"`
	WaitsForName     string          `json:"waits_for_name"`
	WaitsSince       *time.Time      `json:"waits_since,omitempty"`
	Version          int64           `json:"version"`
	MadeAt           time.Time       `json:"made_at"`
	SentAt           *time.Time      `json:"sent_at,omitempty"`
	AskedAt          *time.Time      `json:"asked_at,omitempty"`
}

// refundOf tells a line with its context.
func refundOf(l *refund.LineView, today deposit.Day) Refund {
	waits := l.WaitsFor()
	r := Refund{ID: l.ID, Sealed: l.Sealed, Serial: l.Serial, List: l.ListID, ListNumber: l.List, Credit: l.EntryID, Bank: l.Bank, ParentAccount: l.ParentAccount, SubAccount: l.SubAccount,
		Lot: l.Lot, Bidder: deposit.Name(l.Bidder), Department: l.Department, Cause: l.Cause, CauseName: l.Cause.Chinese(), Rule: l.Rule, DueOn: l.DueOn, Provisional: l.Provisional,
		Amount: l.Amount, InterestExpected: l.InterestExpected, InterestPaid: l.InterestPaid, PayeeName: deposit.Name(l.PayeeName), PayeeAccount: deposit.Account(l.PayeeAccount), PayeeBank: l.PayeeBank,
		PayeeBankCode: l.PayeeBankCode, PayeeChange: l.PayeeChange, Channel: l.Channel, Replaces: l.Replaces, Batch: l.BatchID, BatchNumber: l.Batch,
		Word: l.Word, WordName: bank.PayStatusNames[l.Word], Code: l.Code, Said: l.Said, PaymentSerial: l.BankSerial, Vouched: l.Vouched, State: l.State, StateName: l.State.Chinese(),
		WaitsFor: waits, WaitsForName: waits.Chinese(), WaitsSince: inShanghaiIf(l.Since), Version: l.Version, MadeAt: inShanghai(l.MadeAt), SentAt: inShanghaiIf(l.SentAt), AskedAt: inShanghaiIf(l.AskedAt)}
	if l.DueOn != "" && waits != "" && waits != refund.ForStatement {
		left := today.DaysTo(deposit.Day(l.DueOn))
		r.DaysLeft = &left
	}
	return r
}

func (s *server) refundsOf(all []refund.LineView) []Refund {
	today := deposit.DayOf(s.DB.Now())
	told := make([]Refund, len(all))
	for i := range all {
		told[i] = refundOf(&all[i], today)
	}
	return told
}

// RefundPage is some refunds; Next, where there are more, is the cursor of the next page.
type RefundPage struct {
	Refunds []Refund `json:"refunds"`
	Next    string   `json:"next,omitempty"`
}

func (s *server) getRefunds(c *gin.Context) error {
	q, err := refundQuery(c)
	if err != nil {
		return err
	}
	rows, next, err := s.Refund.Lines(c.Request.Context(), s.sight(c), q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, RefundPage{s.refundsOf(rows), next})
	return nil
}

func refundQuery(c *gin.Context) (q refund.LineQuery, err error) {
	if err := onlyParameters(c, "state", "department", "batch", "list", "credit", "due_by", "limit", "cursor"); err != nil {
		return q, err
	}
	q = refund.LineQuery{State: refund.State(c.Query("state")), Department: c.Query("department"), After: c.Query("cursor")}
	if q.State != "" && q.State.Chinese() == "" {
		return q, badParameter("state", "state_unknown", "没有这种退付状态，见 /v1/openapi.yaml")
	}
	for name, id := range map[string]*sqldb.ID{"batch": &q.Batch, "list": &q.List, "credit": &q.Credit} {
		if *id, err = idIf(c, name); err != nil {
			return q, err
		}
	}
	if q.DueBy, err = dayIf(c, "due_by"); err != nil {
		return q, err
	}
	q.Limit, err = limit(c)
	return q, err
}

// RefundStory is a refund with all that happened to it.
type RefundStory struct {
	Refund
	Sent     *SentMessage          `json:"sent,omitempty"`
	Answers  []BankAnswer          `json:"answers"`
	Debit    *RefundDebit          `json:"debit,omitempty"`
	Comeback sqldb.ID              `json:"returned_by"` // the credit it came back with
	History  []reconcile.EventView `json:"history"`
}

// SentMessage is the message a refund went out in, by its facts.
type SentMessage struct {
	Part      int       `json:"part"`
	BankBatch string    `json:"bank_batch"`
	SHA256    string    `json:"sha256"`
	Bytes     int       `json:"bytes"`
	MadeAt    time.Time `json:"made_at"`
}

// BankAnswer is what a bank said of that message, by its facts.
type BankAnswer struct {
	Kind   string    `json:"kind"`
	At     time.Time `json:"at"`
	SHA256 string    `json:"sha256"`
	Bytes  int       `json:"bytes"`
}

// RefundDebit is the debit of a statement that proves a payment.
type RefundDebit struct {
	Entry       sqldb.ID    `json:"entry"`
	Serial      string      `json:"bank_serial"`
	BookingDate deposit.Day `json:"booking_date"`
	Amount      deposit.Fen `json:"amount"`
	FoundBy     string      `json:"found_by"`
}

func (s *server) getRefund(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	story, err := s.Refund.Story(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	tag(c, story.Version)
	c.JSON(http.StatusOK, s.storyOf(&story))
	return nil
}

func (s *server) storyOf(story *refund.Story) RefundStory {
	told := RefundStory{Refund: refundOf(&story.LineView, deposit.DayOf(s.DB.Now())), Answers: make([]BankAnswer, len(story.Answers)), Comeback: story.Comeback,
		History: make([]reconcile.EventView, len(story.History))}
	if m := story.Sent; m != nil {
		told.Sent = &SentMessage{m.Part, m.BankBatch, m.SHA256, m.Size, inShanghai(m.MadeAt)}
	}
	for i, a := range story.Answers {
		told.Answers[i] = BankAnswer{a.Kind, inShanghai(a.At), a.SHA256, a.Size}
	}
	if d := story.Debit; d != nil {
		told.Debit = &RefundDebit{d.Entry.ID, d.Entry.Serial, d.Entry.BookingDate, d.Entry.Amount, d.FoundBy}
	}
	for i, e := range story.History {
		told.History[i] = reconcile.EventView{At: inShanghai(e.At), By: e.By, Was: e.Was, Became: e.Became, Note: e.Note}
	}
	return told
}

// refundActs are what a person may say of one refund.
var refundActs = []string{"disprove", "vouch", "return", "cancel", "confirm_hand"}

// moveRefund takes a person's word on one refund and answers what it is then.
func (s *server) moveRefund(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	if err := s.actOn(c.Request.Context(), by, id, seen, f); err != nil {
		return err
	}
	story, err := s.Refund.Story(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	tag(c, story.Version)
	c.JSON(http.StatusOK, refundOf(&story.LineView, deposit.DayOf(s.DB.Now())))
	return nil
}

// actOn reads a person's word on one refund and takes it.
func (s *server) actOn(ctx context.Context, by string, id sqldb.ID, version int64, f *form) error {
	act, note, entry := f.act(refundActs), strings.TrimSpace(f.text("note", mostNote)), f.idIf("entry")
	if act != "return" && entry != 0 {
		f.fault(false, "entry", "field_unexpected", "entry 只用于 return（退汇的入账）")
	}
	f.done()
	err := f.err()
	switch {
	case err != nil:
		return err
	case act == "disprove":
		_, err = s.Refund.Disprove(ctx, by, id, version, note)
	case act == "vouch":
		_, err = s.Refund.Vouch(ctx, by, id, version, note)
	case act == "confirm_hand":
		_, err = s.Refund.ConfirmHandPayment(ctx, by, id, version, note)
	case act == "return":
		err = s.Refund.ConfirmReturn(ctx, by, id, version, entry, note)
	case act == "cancel":
		err = s.Refund.CancelDraft(ctx, by, id, version, note)
	}
	if err == nil {
		s.Judge() // a credit that came back is judged anew
	}
	return err
}
