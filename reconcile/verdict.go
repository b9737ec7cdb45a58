package reconcile

import (
	"maps"
	"slices"
	"strings"
)

// Code names a verdict on a credit or a bid, a reason for it, or a finding of the closing.
type Code string

// The verdicts on a credit, in the order in which they are tried: the first that fits is the verdict.
const (
	Reversed          Code = "REVERSED"
	ReturnedRefund    Code = "RETURNED_REFUND"
	PaidToParent      Code = "PAID_TO_PARENT"
	UnknownSubAccount Code = "UNKNOWN_SUB_ACCOUNT"
	WrongSubAccount   Code = "WRONG_SUB_ACCOUNT"
	ThirdPartyPayer   Code = "THIRD_PARTY_PAYER"
	LateCredit        Code = "LATE_CREDIT"
	NotBasicAccount   Code = "NOT_BASIC_ACCOUNT"
	Underpaid         Code = "UNDERPAID"
	DuplicatePayment  Code = "DUPLICATE_PAYMENT"
	Overpaid          Code = "OVERPAID"
	Matched           Code = "MATCHED"
)

// Unpaid is the verdict on a bid without a deposit at opening; one with too little is Underpaid.
const Unpaid Code = "UNPAID"

// SharedPayer is found on an open lot whose bidders have one payer's account in common (条例 §40(6)).
const SharedPayer Code = "SHARED_PAYER"

// What the closing of a day finds. The first two set a credit aside, as its verdict, until a person has asked the bank.
const (
	AdviceConflict  Code = "ADVICE_CONFLICT"
	AdviceOrphan    Code = "ADVICE_ORPHAN"
	AdviceMissing   Code = "ADVICE_MISSING"
	AdviceDelayed   Code = "ADVICE_DELAYED"
	BalanceMismatch Code = "BALANCE_MISMATCH"
	ChainBroken     Code = "CHAIN_BROKEN"
	MessageReused   Code = "MESSAGE_REUSED"
	Violated        Code = "INVARIANT_VIOLATED"
)

// What is found about pools of sub-accounts (plan 4.6.1).
const (
	PoolExhausted       Code = "POOL_EXHAUSTED"        // nothing is free, and somebody waits
	PoolLow             Code = "POOL_LOW"              // fewer are free than banks.yaml wants
	PoolForecast        Code = "POOL_FORECAST"         // it may run empty before the bank can give more
	PoolCountDiffers    Code = "POOL_COUNT_DIFFERS"    // the bank counts other numbers than we do
	NumberUnreleased    Code = "NUMBER_UNRELEASED"     // nobody needs it any more, and it is not released
	NumberClash         Code = "NUMBER_CLASH"          // the bank hands it out while a lease stands here
	NumberCreditsDiffer Code = "NUMBER_CREDITS_DIFFER" // the bank tells other credits on it than we know
	NumberUnknown       Code = "NUMBER_UNKNOWN"        // the bank does not know it
)

// What settling refunds finds on the debits of a statement, and on credits that may be refunds come back.
const (
	DebitUnordered  Code = "DEBIT_UNORDERED"
	DebitTwice      Code = "DEBIT_TWICE"
	DebitDiffers    Code = "DEBIT_DIFFERS"
	ReturnUnclear   Code = "RETURN_UNCLEAR"
	RefundDisagrees Code = "REFUND_DISAGREES"
	InterestDiffers Code = "INTEREST_DIFFERS"
)

// Reasons that are not verdicts of their own.
const (
	NotLeased             Code = "NOT_LEASED"              // the number is ours, but nobody held it at that time
	LateNumberMoney       Code = "LATE_NUMBER_MONEY"       // somebody had held it before; never the next holder's money
	SplitPayment          Code = "SPLIT_PAYMENT"           // one of several credits that reach the deposit together
	SinglePaymentRequired Code = "SINGLE_PAYMENT_REQUIRED" // the lot demands the deposit in one payment
	NameVariant           Code = "NAME_VARIANT"            // the payer is the holder by the key of the name, not to the letter
	PersonalPayer         Code = "PERSONAL_PAYER"          // a person paid in a company's place
	PartialPayment        Code = "PARTIAL_PAYMENT"         // not yet the deposit, and the opening is still to come
)

// Department is who has to act on a finding.
type Department string

// The departments of the plan. Business is the lot's own department.
const (
	Finance  Department = "综合科"
	IT       Department = "信息技术科"
	Business Department = ""
)

// meaning is what people need to know of a code.
type meaning struct {
	name       string // Chinese, for reports
	acts       Department
	refundable bool // the money goes back unless somebody decides otherwise
}

var meanings = map[Code]meaning{
	Reversed:          {"已冲正", Finance, false},
	ReturnedRefund:    {"退款退汇", Finance, false},
	PaidToParent:      {"汇入母账户", Finance, true},
	UnknownSubAccount: {"子账号不明", Finance, true},
	WrongSubAccount:   {"汇错子账号", Business, true},
	ThirdPartyPayer:   {"非投标人汇款", Business, true},
	LateCredit:        {"晚于开标时间汇入", Finance, true},
	NotBasicAccount:   {"非基本账户", Business, true},
	Underpaid:         {"少缴", Business, true},
	DuplicatePayment:  {"重复缴纳", Finance, true},
	Overpaid:          {"多缴", Finance, true},
	Matched:           {"已匹配", Finance, false},
	Unpaid:            {"未缴纳", Business, false},
	SharedPayer:       {"同一账户缴纳", Business, false},

	AdviceConflict:  {"到账信息矛盾", Finance, false},
	AdviceOrphan:    {"有通知无流水", Finance, false},
	AdviceMissing:   {"有流水无通知", IT, false},
	AdviceDelayed:   {"通知迟到", IT, false},
	BalanceMismatch: {"余额不平", Finance, false},
	ChainBroken:     {"期初与上日期末不符", Finance, false},
	MessageReused:   {"报文编号重用", IT, false},
	Violated:        {"内部校验不通过", IT, false},

	PoolExhausted:       {"子账号已用完", IT, false},
	PoolLow:             {"子账号偏少", IT, false},
	PoolForecast:        {"子账号将用完", IT, false},
	PoolCountDiffers:    {"子账号数与银行不符", IT, false},
	NumberUnreleased:    {"子账号未释放", IT, false},
	NumberClash:         {"银行重复给出子账号", IT, false},
	NumberCreditsDiffer: {"子账号到账与银行不符", IT, false},
	NumberUnknown:       {"银行不识该子账号", IT, false},

	DebitUnordered:  {"无退付指令的支出", Finance, false},
	DebitTwice:      {"疑似重复付款", Finance, false},
	DebitDiffers:    {"付款金额不符", Finance, false},
	ReturnUnclear:   {"疑似退汇", Finance, false},
	RefundDisagrees: {"银行退付答复前后矛盾", Finance, false},
	InterestDiffers: {"利息与预期不符", Finance, false},

	NotLeased:             {"子账号当时未分配", Finance, false},
	LateNumberMoney:       {"子账号释放后到账", Finance, true},
	SplitPayment:          {"分笔缴纳", Finance, false},
	SinglePaymentRequired: {"须一次性足额缴纳", Business, false},
	NameVariant:           {"户名写法不同", Finance, false},
	PersonalPayer:         {"个人代缴", Business, false},
	PartialPayment:        {"部分到账", Finance, false},
}

// Name is the Chinese name of a code.
func (c Code) Name() string { return meanings[c].name }

// Refundable says whether money with this verdict goes back to whoever paid it.
func (c Code) Refundable() bool { return meanings[c].refundable }

// verdicts lists the codes that a credit's verdict can be, in the order of trying.
var verdicts = []Code{Reversed, ReturnedRefund, PaidToParent, UnknownSubAccount, WrongSubAccount, ThirdPartyPayer,
	LateCredit, NotBasicAccount, Underpaid, DuplicatePayment, Overpaid, Matched}

// poolCodes lists what is found about pools and their numbers.
var poolCodes = []Code{PoolExhausted, PoolForecast, PoolLow, PoolCountDiffers, NumberUnreleased, NumberClash, NumberCreditsDiffer, NumberUnknown}

// refundCodes lists what is found when payments back are settled.
var refundCodes = []Code{DebitUnordered, DebitTwice, DebitDiffers, ReturnUnclear, RefundDisagrees, InterestDiffers}

// RefundCodes lists what is found when payments back are settled.
func RefundCodes() []Code { return slices.Clone(refundCodes) }

// PoolCodes lists what is found about pools and their numbers.
func PoolCodes() []Code { return slices.Clone(poolCodes) }

// codes lists every verdict and finding, in the order in which reports tell them.
var codes = slices.Concat(verdicts, []Code{Unpaid, SharedPayer, AdviceMissing, AdviceOrphan, AdviceConflict, AdviceDelayed, BalanceMismatch, ChainBroken}, poolCodes, refundCodes, []Code{MessageReused, Violated})

// Codes lists every verdict and finding, in the order in which reports tell them.
func Codes() []Code { return slices.Clone(codes) }

// AllCodes lists every code that has a name, those that are only reasons among them.
func AllCodes() []Code { return slices.Sorted(maps.Keys(meanings)) }

// joinCodes writes reasons as they stand in files and rows: "LATE_CREDIT;NAME_VARIANT".
func joinCodes(codes []Code) string {
	parts := make([]string, len(codes))
	for i, c := range codes {
		parts[i] = string(c)
	}
	return strings.Join(parts, ";")
}

func splitCodes(s string) []Code {
	codes := []Code{}
	for part := range strings.SplitSeq(s, ";") {
		if part != "" {
			codes = append(codes, Code(part))
		}
	}
	return codes
}
