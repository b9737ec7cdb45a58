package bank

import (
	"errors"
	"time"

	"depositd/platform/deposit"
)

// Calls is what a dialect can ask the bank. A question that the dialect does not have is nil.
type Calls struct {
	ContentType string // of a request over HTTP

	Link   *Question[LinkTest, Linked]   // is the bank there
	Open   *Question[Opening, Opened]    // open a number
	Close  *Question[OfNumber, Closed]   // close a number
	Credit *Question[OfNumber, Credited] // what came in on a number
	Left   *Question[OfParent, Left]     // how many numbers are left
}

// Codes lists what the dialect calls its questions.
func (c *Calls) Codes() []string {
	var codes []string
	add := func(has bool, code func() string) {
		if has {
			codes = append(codes, code())
		}
	}
	add(c.Link != nil, func() string { return c.Link.Code })
	add(c.Open != nil, func() string { return c.Open.Code })
	add(c.Close != nil, func() string { return c.Close.Code })
	add(c.Credit != nil, func() string { return c.Credit.Code })
	add(c.Left != nil, func() string { return c.Left.Code })
	return codes
}

// Question is one kind of call: how it is asked and how the answer is read. Both functions are pure.
type Question[Q, A any] struct {
	Code string // what the dialect calls it: "G00003"

	// Ask gives the request's bytes, without a frame. An error is an Invalid Refusal: it cannot be asked like that.
	Ask func(h CallHead, q Q) ([]byte, error)

	// Read takes the answer apart and says which result code it had. An error is a *CallError when the bank said no, else
	// an Invalid Refusal: the answer cannot be read.
	Read func(b *Bank, q Q, raw []byte) (answer A, result string, err error)
}

// CallHead is what every request says of itself.
type CallHead struct {
	Serial string    // the message's own number (SeqNo), of at most 20 letters and digits
	At     time.Time // when it is sent
}

// The questions.
type (
	// LinkTest asks nothing.
	LinkTest struct{}

	// Opening asks for a number. The same parent account and key again is the same number.
	Opening struct {
		Parent string
		Key    string    // whom it is for (InstSeq, 竞买号), never a name: 1 to 12 letters, digits or hyphens
		Until  time.Time // when it stops taking money (MatuDay), to the second
	}

	// OfNumber is about one number of a parent account.
	OfNumber struct{ Parent, Number string }

	// OfParent is about all numbers of a parent account.
	OfParent struct{ Parent string }
)

// The answers.
type (
	// Linked says no more than that the bank answered.
	Linked struct{}

	// Opened is the number that the bank opened.
	Opened struct {
		Number string // "" only when the bank says Again and does not repeat it
		Again  bool   // the same key had it already
	}

	// Closed says that the number is closed.
	Closed struct{ Again bool }

	// Credited is what came in on a number, in the bank's order: admitted entries without ID and FirstSeen, and the answer
	// that tells them, as received.
	Credited struct {
		Entries []Entry
		Raw     []byte
	}

	// Left is the bank's count of a parent account's numbers.
	Left struct{ Free, Total int }
)

// Used is how many numbers the bank has handed out.
func (l Left) Used() int { return l.Total - l.Free }

// CallOutcome is how a call fared, by what is known of its effect at the bank.
type CallOutcome string

// The outcomes.
const (
	CallDone    CallOutcome = "DONE"    // the bank said yes
	CallUnsent  CallOutcome = "UNSENT"  // it surely did not reach the bank
	CallUnknown CallOutcome = "UNKNOWN" // sent, and no answer that can be read: it may have taken effect
	CallRefused CallOutcome = "REFUSED" // the bank said no
)

// CallOutcomes are all of them, with what people call them.
var CallOutcomes = map[CallOutcome]string{CallDone: "成功", CallUnsent: "未发出", CallUnknown: "结果未知", CallRefused: "银行拒绝"}

// CallError is why a call did not come to a good end. It unwraps to a Refusal: bank_unreachable, bank_no_answer,
// bank_answer_unreadable (all Unavailable) or bank_refused (Conflict; Unavailable when the bank's system is to blame).
type CallError struct {
	Outcome CallOutcome // never CallDone
	Result  string      // the bank's result code where it refused
	Said    string      // the bank's own words where it refused, at most 200 characters; they may hold names, keep them from logs
	Detail  string      // why in our own words, which never hold a name or an account number
	refusal error
	cause   error // of the network or of the reader; nil when the bank refused
}

// Error says why, without the bank's own words: for logs.
func (e *CallError) Error() string {
	if e.cause == nil || deposit.IsKind(e.cause, deposit.Invalid) { // what a reader says may quote the answer
		return e.refusal.Error()
	}
	return e.refusal.Error() + ": " + e.cause.Error()
}

// Unwrap gives the Refusal first, then what caused it.
func (e *CallError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.refusal}
	}
	return []error{e.refusal, e.cause}
}

// CallOutcomeOf classifies the error of a call. What is no CallError came up before anything was sent.
func CallOutcomeOf(err error) CallOutcome {
	var failed *CallError
	switch {
	case err == nil:
		return CallDone
	case errors.As(err, &failed):
		return failed.Outcome
	}
	return CallUnsent
}

func unreachable(cause error) error {
	return callError(CallUnsent, "bank_unreachable", "无法连接银行，请求没有发出；请检查专线、前置机和 banks.yaml 的 call", cause)
}

func noAnswer(cause error) error {
	return callError(CallUnknown, "bank_no_answer", "请求已发出，没有收到银行的完整应答；是否已生效未知，请先向银行查询", cause)
}

func callError(outcome CallOutcome, code, text string, cause error) error {
	return &CallError{Outcome: outcome, Detail: text, cause: cause, refusal: deposit.Refuse(deposit.Unavailable, code, text)}
}

// unreadableAnswer names the reason by its code only: what the reader says of it may quote the answer, and that may be a payer.
func unreadableAnswer(cause error) error {
	text := "银行的应答无法识别（" + deposit.AsRefusal(cause).Code + "），是否已生效未知，请先向银行查询"
	return callError(CallUnknown, "bank_answer_unreadable", text, cause)
}

// refusedBy is the bank's no: its result code, what that means, and whether it blames itself.
func refusedBy(result, meaning, said string, itself bool) error {
	kind := deposit.Conflict
	if itself {
		kind = deposit.Unavailable
	}
	text := "银行拒绝：结果码 " + clip(result) + "（" + meaning + "）"
	return &CallError{Outcome: CallRefused, Result: result, Said: cut(tidyRemark(said), maxSaid), Detail: text, refusal: deposit.Refuse(kind, "bank_refused", text)}
}

const maxSaid = 200 // characters: a reason takes one line
