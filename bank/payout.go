package bank

import (
	"time"

	"depositd/platform/deposit"
)

// MaxPayLines is the most lines one batch of ours has; a dialect may take fewer (Paying.MaxLines).
const MaxPayLines = 500

// Payout is one batch of payments as a bank gets it. What is written of it follows from it alone: the same Payout gives
// the same bytes for ever, so that sending again is sending the same.
type Payout struct {
	Number        string // ours, one a batch: 1 to 20 ASCII letters, digits and hyphens, as TF-20260612-03
	ParentAccount string
	SubAccount    string    // whence all its lines are paid; "" where lines name their own, or none
	PayerName     string    // who holds the parent account; of pain.001 only, may be ""
	CreatedAt     time.Time // to the second
	Lines         []PayLine
}

// Total is what the batch pays in all.
func (p *Payout) Total() (sum deposit.Fen) {
	for i := range p.Lines {
		sum += p.Lines[i].Amount
	}
	return sum
}

// PayLine is one payment. What its texts may be is the dialect's to say: Bank.CheckPay.
type PayLine struct {
	Serial        string // ours, one a line for ever: PaySerial. The bank knows the payment by it, and its debit on the statement
	PayeeName     string
	PayeeAccount  string
	PayeeBank     string      // the name of the payee's bank; needed unless SameBank
	PayeeBankCode string      // its 12-digit 联行号, see CheckBankCode; needed unless SameBank
	SameBank      bool        // the payee's account is with the paying bank
	Amount        deposit.Fen // all that is paid, the interest included
	Interest      deposit.Fen // how much of Amount is interest; no dialect has a field for it
	FromSub       string      // the sub-account the money lies on; "": the Payout's
	OriginSerial  string      // the bank's serial of the credit that is paid back
	Purpose       string      // for the payee to read
}

// PayStatus is how a payment, or a batch, stands with the bank.
type PayStatus string

// The statuses. Only PayFailed, PayCancelled and PayExpired say that the bank will not pay; PayPaid is the bank's word,
// until its debit stands on the statement. PayNotFound is the answer of a query: the bank knows no such payment now,
// which never means that it failed – it may still be on its way.
const (
	PayAccepted   PayStatus = "ACCEPTED"
	PayProcessing PayStatus = "PROCESSING"
	PayPaid       PayStatus = "PAID"
	PayFailed     PayStatus = "FAILED"
	PayPartial    PayStatus = "PARTIAL" // of a batch only
	PayReturned   PayStatus = "RETURNED"
	PayCancelled  PayStatus = "CANCELLED"
	PayExpired    PayStatus = "EXPIRED"
	PayUnknown    PayStatus = "UNKNOWN" // never sent again under another serial: asked after
	PayNotFound   PayStatus = "NOT_FOUND"
)

// PayStatusNames are the statuses in Chinese.
var PayStatusNames = map[PayStatus]string{
	PayAccepted: "银行已受理", PayProcessing: "银行处理中", PayPaid: "已付款", PayFailed: "付款失败", PayPartial: "部分成功",
	PayReturned: "已退汇", PayCancelled: "已撤销", PayExpired: "已过期", PayUnknown: "状态未知", PayNotFound: "银行查无此笔",
}

// PayResult is what an answer says of one line.
type PayResult struct {
	Serial     string // ours
	Status     PayStatus
	Code       string // the bank's, as written: "09", "RJCT/AC01"; or why it is unknown: answer_unreadable answer_silent answer_contradicts
	Text       string // the bank's words
	BankSerial string // the bank's serial of the payment, where it tells it
	At         time.Time
}

// PayAnswer is what a bank says of a batch, synchronously, in a result file or in a notice, before it is held against
// the batch (Results).
type PayAnswer struct {
	Batch     string    // our Payout.Number, where it is echoed
	BankBatch string    // the bank's number of the batch, by which it is asked after
	Status    PayStatus // of the batch; "" where nothing is said
	Code      string
	Text      string
	At        time.Time    // zero where nothing is said
	Count     int          // how many lines the batch had, by the bank; -1 where nothing is said
	Sum       *deposit.Fen // and what it came to
	Each      bool         // it names its lines one by one: Status says nothing of those it does not name
	Found     bool         // it answers a query, whole: a line it does not name is PayNotFound
	Unasked   bool         // the bank sent it by itself: a row without our serial is known only by the original credit's
	Rows      []PayRow     // what is said of single lines
	Faults    []Fault      // rows that could not be read
}

// PayRow is one line's row in an answer. Where the dialect does not echo our serial the other fields tell the line.
type PayRow struct {
	PayResult
	PayeeAccount string
	PayeeName    string
	OriginSerial string
	Amount       deposit.Fen // 0 where nothing is said
}

// PayQuery asks after a batch, or after one line of it.
type PayQuery struct {
	Number    string // ours, of this question; as Payout.Number
	At        time.Time
	Payout    Payout // as it was sent
	BankBatch string // "" when the bank's number never came
	Serial    string // of the one line asked after; "": all
}

// PayFault is why a line, or a batch, cannot be paid as it is.
type PayFault struct {
	Serial string `json:"serial"` // of the line; "" for the batch
	Field  string `json:"field"`  // as PayLine's, in the house's spelling: "payee_name"
	Code   string `json:"code"`   // stable: "payee_name_charset"
	Text   string `json:"text"`   // in Chinese; it does not repeat the field's content
}

// Posting is how a bank books a batch.
type Posting string

// The two ways. Under PostSummary one debit stands for the batch, and one credit for all of its failed lines; no serial of
// a line stands on the statement then, at best Payout.Number.
const (
	PostPerItem Posting = "PER_ITEM"
	PostSummary Posting = "SUMMARY"
)

// Paying is how a dialect pays.
type Paying struct {
	MaxLines      int    // a batch
	OneSubAccount bool   // all lines of a batch are paid from Payout.SubAccount; else each from its own
	Serial        string // where our serial travels, so that the statement's debit brings it back; for people

	// Fields are the limits of a line's texts.
	Fields []PayField

	// Write makes the file or message of a batch that Bank.WritePayout has checked.
	Write func(b *Bank, p Payout) ([]byte, error)

	// Read reads a synchronous answer, a result file, a result notice, or the answer to a query. An error is an Invalid
	// Refusal: nothing is known of any line.
	Read func(b *Bank, raw []byte) (PayAnswer, error)

	// Query makes the message that asks after a batch. nil: the dialect has none, results come by themselves.
	Query func(b *Bank, q PayQuery) ([]byte, error)

	// IsResult tells a result that the bank sends by itself from a credit notice. nil: results come as files only.
	IsResult func(raw []byte) bool
}
