package deposit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"depositd/platform/deposit"
)

func TestParseYuan(t *testing.T) {
	for _, test := range []struct {
		in   string
		fen  deposit.Fen
		code string
	}{
		{"800000.00", 80000000, ""},
		{"0.01", 1, ""},
		{"5", 500, ""},
		{"5.5", 550, ""},
		{"1000000000.00", deposit.MaxFen, ""},
		{"1000000000.01", 0, "amount_too_large"},
		{"99999999999999999999.00", 0, "amount_too_large"},
		{"100.005", 0, "amount_decimals"},
		{"100.0000000000005", 0, "amount_decimals"},
		{"-1.00", 0, "amount_negative"},
		{"0.00", 0, "amount_zero"},
		{"", 0, "amount_malformed"},
		{"1e5", 0, "amount_malformed"},
		{"NaN", 0, "amount_malformed"},
		{"1,000.00", 0, "amount_malformed"},
		{"１００.00", 0, "amount_malformed"},
		{" 5.00", 0, "amount_malformed"},
	} {
		fen, err := deposit.ParseYuan(test.in)
		if code := codeOf(err); fen != test.fen || code != test.code {
			t.Errorf("ParseYuan(%q) = %d %q, want %d %q", test.in, fen, code, test.fen, test.code)
		}
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return deposit.AsRefusal(err).Code
}

// The short way through nearly every amount says what the decimal library says.
func FuzzParseBalance(f *testing.F) {
	for _, s := range []string{"800000.00", "-0.01", "9223372036854775807", "92233720368547758.07", "92233720368547758.08", ".50", "5.", "0x1.00", "+1.00", "00.01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fen, err := deposit.ParseBalance(s)
		d, decimalErr := decimal.NewFromString(s)
		if err != nil {
			return // what is refused is the stricter side
		}
		if decimalErr != nil || !d.Shift(2).Equal(decimal.NewFromInt(int64(fen))) {
			t.Errorf("%q is %d fen, the decimal library says %v %v", s, fen, d, decimalErr)
		}
		if back, err := deposit.ParseBalance(fen.String()); err != nil || back != fen {
			t.Errorf("%d prints as %q, which is %d %v", fen, fen, back, err)
		}
	})
}

func TestFenPrints(t *testing.T) {
	for fen, want := range map[deposit.Fen][2]string{
		0: {"0.00", "0.00"}, 7: {"0.07", "0.07"}, -7: {"-0.07", "-0.07"}, 99999: {"999.99", "999.99"}, 100000: {"1000.00", "1,000.00"},
		-123456789012: {"-1234567890.12", "-1,234,567,890.12"}, -9223372036854775808: {"-92233720368547758.08", "-92,233,720,368,547,758.08"},
	} {
		if fen.String() != want[0] || fen.Grouped() != want[1] {
			t.Errorf("%d prints as %q and %q, want %q", int64(fen), fen.String(), fen.Grouped(), want)
		}
	}
	var back struct{ A deposit.Fen }
	if err := json.Unmarshal([]byte(`{"A":800000}`), &back); err == nil {
		t.Error("a JSON number was taken for an amount")
	}
	if err := json.Unmarshal([]byte(`{"A":"800000.00"}`), &back); err != nil || back.A != 80000000 {
		t.Errorf("got %d, %v", back.A, err)
	}
}

func TestDays(t *testing.T) {
	for _, bad := range []string{"2026-02-30", "2026-6-1", "20260612", "", "2026-13-01"} {
		if _, err := deposit.ParseDay(bad); codeOf(err) != "day_malformed" {
			t.Errorf("%q was taken for a day", bad)
		}
	}
	late := time.Date(2026, 6, 12, 16, 0, 0, 0, time.UTC) // midnight in Shanghai
	if d := deposit.DayOf(late); d != "2026-06-13" {
		t.Errorf("DayOf = %s", d)
	}
	if d := deposit.Day("2026-02-28").Add(1); d != "2026-03-01" {
		t.Errorf("Add = %s", d)
	}
	at, err := deposit.ParseWall("2026-06-12 09:00:00")
	if err != nil || at.UTC().Hour() != 1 || deposit.Wall(at) != "2026-06-12 09:00:00" || deposit.Wall(time.Time{}) != "" {
		t.Errorf("ParseWall = %v, %v", at, err)
	}
	if _, err := deposit.ParseWall("2026-02-30 09:00:00"); codeOf(err) != "time_malformed" {
		t.Error("a time on no day was taken")
	}
}

// Two spellings of one company have one key; two companies have two.
func TestNameKey(t *testing.T) {
	for _, same := range [][]string{
		{"聊城市东昌建设工程有限公司", "聊城市东昌建设工程有限公司　", " 聊城市 东昌建设工程有限公司", "聊城市东昌建设\u200b工程有限公司"},
		{"山东（聊城）实业有限公司", "山东(聊城)实业有限公司", "山东〔聊城〕实业有限公司"},
		{"ABC建设有限公司", "ＡＢＣ建设有限公司", "abc建设有限公司"},
		{"阿里·木江", "阿里•木江", "阿里・木江", "阿里‧木江", "阿里．木江"},
		{"㈱东方", "(株)东方"},
		{"⽅圆公司", "方圆公司"},
		{"北京䶮科技有限公司", "北京\ue863科技有限公司"},
	} {
		for _, name := range same[1:] {
			if deposit.NameKey(name) != deposit.NameKey(same[0]) {
				t.Errorf("%q and %q have the keys %q and %q", same[0], name, deposit.NameKey(same[0]), deposit.NameKey(name))
			}
		}
	}
	for _, differ := range [][2]string{{"东昌建设有限公司", "东昌建设有限公司临清分公司"}, {"东昌有限公司", "东昌（集团）有限公司"}, {"东昌有限公司", "东昌有限责任公司"}} {
		if deposit.NameKey(differ[0]) == deposit.NameKey(differ[1]) {
			t.Errorf("%q and %q have one key", differ[0], differ[1])
		}
	}
}

func TestIsPerson(t *testing.T) {
	for name, want := range map[string]bool{"王建国": true, "欧阳建国": true, "买买提·阿不都拉": true, "李": false, "东昌建设有限公司": false, "刘家粥铺店": false,
		"ABC": false, "聊城市东昌": false, "": false, "鲁西厂": false, "张会芳": true, "王景行": false, "刘会": true, "张　三": true, " 李 四 ": true, "东昌公司": false,
		"总工会": false, "财政局": false, "阿里·木江有限公司": false} {
		if deposit.IsPerson(name) != want {
			t.Errorf("IsPerson(%q) = %v", name, !want)
		}
	}
}

func TestMachine(t *testing.T) {
	m := deposit.Machine{"OPEN": {"settle": "SETTLED"}, "SETTLED": {"reopen": "OPEN"}}
	if next, err := m.Next("OPEN", "settle"); err != nil || next != "SETTLED" {
		t.Errorf("got %s, %v", next, err)
	}
	if _, err := m.Next("SETTLED", "settle"); !deposit.IsKind(err, deposit.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
	if got := m.Draw(); got != "OPEN -settle-> SETTLED\nSETTLED -reopen-> OPEN\n" {
		t.Errorf("drawn as\n%s", got)
	}
}

// What nobody classified is our fault, and its text stays inside.
func TestUnclassifiedIsInternal(t *testing.T) {
	r := deposit.AsRefusal(errors.New("secret"))
	if r.Kind != deposit.Internal || strings.Contains(r.Text, "secret") {
		t.Errorf("got %+v", r)
	}
}
