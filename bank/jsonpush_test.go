package bank

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"depositd/platform/deposit"
)

func jsonSample(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", "bank", "jsonpush", "notice-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestJSONPushReads(t *testing.T) {
	whole := Entry{ParentAccount: "6550100000000000017", BookingDate: "2026-06-12", Serial: "JP260612000042", SerialSeq: 1, Direction: Credit,
		SubAccount: "6550100000000000017000147", Amount: 800000_00, BookedAt: time.Date(2026, 6, 12, 9, 29, 58, 0, deposit.Shanghai),
		PayerName: "聊城市东昌建设工程有限公司", PayerAccount: "6212000000000000005", PayerBank: "示例银行聊城东昌支行", PayerBankCode: "105471000012",
		Remark: "投标保证金 LC-2026-0147"}
	least := func(change func(*Entry)) Entry {
		e := Entry{BookingDate: "2026-06-12", Serial: "JP260612000043", Direction: Credit, SubAccount: "6550100000000000017000148", Amount: 50000_00,
			BookedAt: time.Date(2026, 6, 12, 9, 30, 0, 0, deposit.Shanghai), PayerName: "阳谷县狮子楼装饰有限公司"}
		change(&e)
		return e
	}
	plain := least(func(*Entry) {})
	second := least(func(e *Entry) {
		e.Serial, e.SubAccount, e.PayerName = "JP260612000044", "6550100000000000017000149", "阳谷县景阳冈装饰有限公司"
	})
	for name, want := range map[string][]Entry{
		"good-single":           {whole},
		"good-gbk":              {whole},
		"good-utc":              {whole}, // a part of a second is dropped
		"good-bom-and-nul-tail": {whole},
		"good-nulls":            {plain},
		"good-number-amount":    {least(func(e *Entry) { e.Amount = 800000_50 })},
		"good-escapes":          {least(func(e *Entry) { e.PayerBank, e.Remark = "示例银行𠀋支行", `"\/` })},
		"good-reversal":         {least(func(e *Entry) { e.Direction, e.Reversal, e.ReversalOf = Debit, Reverses, "JP260612000041" })},
		"good-returned":         {least(func(e *Entry) { e.Returned = true })},
		"good-aggregate":        {plain, second},
		"link-no-notices":       {},
	} {
		got, err := readJSONPush(jsonBank(SealWith(NoSeal), Aggregate), jsonSample(t, name))
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %d entries, %v", name, len(got), err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s:\n got %+v\nwant %+v", name, got[i], want[i])
			}
		}
	}
}

// TestJSONPushRefuses: each broken sample has its code, and the text says which field.
func TestJSONPushRefuses(t *testing.T) {
	for name, want := range map[string]struct{ code, text string }{
		"duplicate-key":            {"json_duplicate_key", "amount"},
		"duplicate-key-escaped":    {"json_duplicate_key", "amount"},
		"unknown-field":            {"json_unknown_field", "payer"},
		"key-in-capitals":          {"json_unknown_field", "Amount"},
		"trailing-object":          {"json_trailing", "字节"},
		"trailing-text":            {"json_trailing", "字节"},
		"truncated":                {"json_truncated", "字节"},
		"not-an-object":            {"json_type", "对象"},
		"plain-text":               {"json_malformed", "字节"},
		"empty-object":             {"bank_serial_missing", "bank_serial"},
		"deep":                     {"json_depth", "8"},
		"very-deep":                {"json_depth", "8"},
		"comma-missing":            {"json_malformed", "字节"},
		"comma-at-end":             {"json_malformed", "字节"},
		"amount-three-decimals":    {"amount_decimals", "amount"},
		"amount-exponent":          {"amount_malformed", "amount"},
		"amount-huge-exponent":     {"amount_malformed", "amount"},
		"amount-negative":          {"amount_negative", "amount"},
		"amount-zero":              {"amount_zero", "amount"},
		"amount-too-large":         {"amount_too_large", "amount"},
		"amount-not-a-number":      {"amount_malformed", "amount"},
		"amount-boolean":           {"json_type", "amount"},
		"amount-full-width":        {"amount_malformed", "amount"},
		"amount-missing":           {"amount_missing", "amount"},
		"serial-missing":           {"bank_serial_missing", "bank_serial"},
		"serial-a-number":          {"json_type", "bank_serial"},
		"serial-too-long":          {"serial_too_long", "serial"},
		"serial-with-blank":        {"serial_malformed", "serial"},
		"serial-seq-negative":      {"json_type", "serial_seq"},
		"date-that-does-not-exist": {"day_malformed", "booking_date"},
		"time-malformed":           {"time_malformed", "booked_at"},
		"time-before-2000":         {"booked_at_range", "booked_at"},
		"currency-dollar":          {"currency_unsupported", "currency"},
		"direction-unknown":        {"direction_unknown", "direction"},
		"lone-surrogate":           {"charset", "代理"},
		"control-in-name":          {"payer_name_malformed", "payer_name"},
		"notices-and-more":         {"json_unknown_field", "notices"},
		"notices-not-a-list":       {"json_type", "notices"},
		"notices-of-texts":         {"json_type", "notices[0]"},
		"notices-second-broken":    {"amount_decimals", "notices[1].amount"},
		"cut-pair":                 {"charset", "GB18030"},
		"invalid-utf8":             {"charset", "UTF-8"},
		"empty":                    {"message_empty", "空"},
		"nul-only":                 {"message_empty", "空"},
	} {
		_, err := jsonBank(SealWith(NoSeal), Aggregate).Open(Sealed{Raw: jsonSample(t, "bad-"+name), At: sealNow})
		if r := deposit.AsRefusal(err); err == nil || r.Code != want.code || !strings.Contains(r.Text, want.text) || r.Kind != deposit.Invalid {
			t.Errorf("%s: %v, want %s with %q", name, err, want.code, want.text)
		}
	}
	if _, err := readJSONPush(jsonBank(SealWith(NoSeal), Single), jsonSample(t, "good-aggregate")); deposit.AsRefusal(err).Code != "aggregate_unexpected" {
		t.Errorf("a list from a bank that sends one by one: %v", err)
	}
}

// FuzzJSONPush: what is read says the same when it is read again from its plain form, and nothing makes it panic.
func FuzzJSONPush(f *testing.F) {
	samples, _ := filepath.Glob(filepath.Join("..", "testdata", "bank", "jsonpush", "*.json"))
	for _, name := range samples {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	b := jsonBank(SealWith(NoSeal), Aggregate)
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := readJSONPush(b, raw)
		if err != nil {
			if deposit.AsRefusal(err).Kind != deposit.Invalid {
				t.Fatal(err)
			}
			return
		}
		for _, breach := range impossible(reading{entries: admitted(b, found)}) {
			t.Error(breach)
		}
		again, err := readJSONPush(b, append(raw, " \x00\n"...))
		if err != nil || len(again) != len(found) {
			t.Errorf("with padding %d entries, %v; without %d", len(again), err, len(found))
		}
	})
}

// admitted gives those entries that a bank admits.
func admitted(b *Bank, found []Entry) (all []Entry) {
	for _, e := range found {
		if b.admit(&e) == nil {
			all = append(all, e)
		}
	}
	return all
}
