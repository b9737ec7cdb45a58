package bank

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// jsonPush is the generic JSON callback, in the manner of the open platforms of banks: one object a booking, or
// {"notices":[…]} where the bank aggregates. Its keys are those of jsonKeys.
//
// JSON leaves much to the reader – which of two equal keys counts, what a lone surrogate is, how exact a number is – and
// what one reader may take otherwise than the next is refused here.
var jsonPush = &Adapter{Name: "jsonpush", Title: "JSON 推送（通用）", Notice: readJSONPush}

// The keys of a booking. Those that are not needed may be absent, null or "".
var jsonKeys = []string{
	"notice_id",                                // the sender's id of the notice; kept with the raw message only
	"bank_serial", "serial_seq", "reversal_of", // serial_seq is an integer; reversal_of makes the booking a reversal
	"booking_date", "booked_at", // 2026-06-12; RFC 3339, or 2006-01-02 15:04:05 in Shanghai
	"parent_account", "sub_account", "direction", // C, the default, or D
	"amount", "currency", // yuan as a string or a number with at most two decimals
	"payer_name", "payer_account", "payer_bank", "payer_bank_code", "remark",
	"returned", // true: a payment of ours that came back
}

// readJSONPush reads a pushed message; see jsonKeys.
func readJSONPush(b *Bank, raw []byte) ([]Entry, error) {
	raw = trimPadding(raw)
	text, err := Sniff(raw, b.Charset).Decode(raw)
	if err != nil {
		return nil, err
	}
	value, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	message, ok := value.(map[string]any)
	if !ok {
		return nil, deposit.Refuse(deposit.Invalid, "json_type", "报文应为一个 JSON 对象")
	}
	list, aggregate := message["notices"]
	if !aggregate {
		e, err := jsonEntry(&jsonObject{fields: message})
		return []Entry{e}, err
	}
	if b.Notices != Aggregate {
		return nil, deposit.Refuse(deposit.Invalid, "aggregate_unexpected", "该银行配置为逐笔通知（notices: single），不接受 notices 列表")
	}
	return jsonEntries(message, list)
}

func jsonEntries(message map[string]any, list any) ([]Entry, error) {
	if len(message) > 1 {
		return nil, deposit.Refuse(deposit.Invalid, "json_unknown_field", "含有 notices 的报文不能有其他字段")
	}
	items, ok := list.([]any)
	if !ok {
		return nil, deposit.Refuse(deposit.Invalid, "json_type", "notices 应为列表")
	}
	found := make([]Entry, 0, len(items))
	for i, item := range items {
		at := fmt.Sprintf("notices[%d]", i)
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, deposit.Refuse(deposit.Invalid, "json_type", at, " 应为 JSON 对象")
		}
		e, err := jsonEntry(&jsonObject{at: at + ".", fields: fields})
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	return found, nil
}

// jsonEntry reads one booking.
func jsonEntry(o *jsonObject) (Entry, error) {
	for key := range o.fields {
		if !slices.Contains(jsonKeys, key) {
			return Entry{}, deposit.Refuse(deposit.Invalid, "json_unknown_field", "不认识的字段：", o.at, clip(key))
		}
	}
	e := Entry{
		Serial: o.needed("bank_serial"), SerialSeq: o.integer("serial_seq"), ReversalOf: o.text("reversal_of"), Returned: o.boolean("returned"),
		BookingDate: o.day("booking_date"), BookedAt: o.instant("booked_at"), ParentAccount: o.text("parent_account"), SubAccount: o.text("sub_account"),
		Direction: Direction(o.text("direction")), Amount: o.amount("amount"), PayerName: o.text("payer_name"), PayerAccount: o.text("payer_account"),
		PayerBank: o.text("payer_bank"), PayerBankCode: o.text("payer_bank_code"), Remark: o.text("remark"),
	}
	o.text("notice_id")
	o.refuse("currency", CheckCurrency(o.text("currency")))
	if e.ReversalOf != "" {
		e.Reversal = Reverses
	}
	switch e.Direction {
	case "":
		e.Direction = Credit
	case Credit, Debit:
	default:
		o.refuse("direction", deposit.Refuse(deposit.Invalid, "direction_unknown", "应为 C（贷，收入）或 D（借，支出）：", clip(string(e.Direction))))
	}
	return e, o.err
}

// jsonObject takes the fields of a booking out one by one; the first refusal stays.
type jsonObject struct {
	at     string // where the object stands, for refusals: "notices[2]."
	fields map[string]any
	err    error
}

// refuse keeps a refusal, with the field it is about.
func (o *jsonObject) refuse(key string, err error) {
	if err != nil && o.err == nil {
		r := deposit.AsRefusal(err)
		o.err = deposit.Refuse(deposit.Invalid, r.Code, "字段 ", o.at, key, "：", r.Text)
	}
}

func (o *jsonObject) mistyped(key, want string) {
	o.refuse(key, deposit.Refuse(deposit.Invalid, "json_type", "应为", want))
}

func (o *jsonObject) text(key string) string {
	switch v := o.fields[key].(type) {
	case nil:
	case string:
		return strings.TrimSpace(v)
	default:
		o.mistyped(key, "字符串")
	}
	return ""
}

func (o *jsonObject) needed(key string) string {
	s := o.text(key)
	if s == "" {
		o.refuse(key, deposit.Refuse(deposit.Invalid, key+"_missing", "缺少该字段或为空"))
	}
	return s
}

func (o *jsonObject) boolean(key string) bool {
	switch v := o.fields[key].(type) {
	case nil:
	case bool:
		return v
	default:
		o.mistyped(key, " true 或 false")
	}
	return false
}

// integer reads a number of the schema's INT, from 0.
func (o *jsonObject) integer(key string) int {
	switch v := o.fields[key].(type) {
	case nil:
	case json.Number:
		n, err := strconv.Atoi(v.String())
		if err == nil && n >= 0 && n <= math.MaxInt32 {
			return n
		}
		o.mistyped(key, fmt.Sprint(" 0 到 ", math.MaxInt32, " 的整数"))
	default:
		o.mistyped(key, "整数")
	}
	return 0
}

// maxAmount is the most characters an amount is written in: a thousand million yuan and the fen are 13.
const maxAmount = 20

// amount reads the digits as they were sent; a JSON number never passes through a float.
func (o *jsonObject) amount(key string) deposit.Fen {
	var written string
	switch v := o.fields[key].(type) {
	case nil:
		o.refuse(key, deposit.Refuse(deposit.Invalid, "amount_missing", "缺少金额"))
		return 0
	case string:
		written = strings.TrimSpace(v)
	case json.Number:
		written = v.String()
	default:
		o.mistyped(key, "字符串或数字")
		return 0
	}
	if len(written) > maxAmount {
		o.refuse(key, deposit.Refuse(deposit.Invalid, "amount_malformed", "金额格式不对，应为元、最多两位小数，如 800000.00：", clip(written)))
		return 0
	}
	fen, err := deposit.ParseYuan(written)
	o.refuse(key, err)
	return fen
}

func (o *jsonObject) day(key string) deposit.Day {
	written := o.needed(key)
	if written == "" {
		return ""
	}
	day, err := deposit.ParseDay(clip(written))
	o.refuse(key, err)
	return day
}

// instant reads an instant to the second: fractions are dropped, never rounded up to a later one.
func (o *jsonObject) instant(key string) time.Time {
	written := o.needed(key)
	if written == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, written)
	if err != nil {
		if t, err = deposit.ParseWall(clip(written)); err != nil {
			o.refuse(key, deposit.Refuse(deposit.Invalid, "time_malformed", "时间不存在或格式不对，应如 2026-06-12T09:00:00+08:00 或 2026-06-12 09:00:00：", clip(written)))
		}
	}
	return t.In(deposit.Shanghai).Truncate(time.Second)
}
