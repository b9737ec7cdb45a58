package deposit

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Fen is an amount of money in fen, the hundredth part of a yuan.
// Zero means "no amount": the schema refuses it where a payment is stored.
type Fen int64

// MaxFen is the largest amount one payment may have, 10⁹ yuan. No bid deposit comes near it
// (the law caps most at 800,000 yuan), so more than this is a wrong unit or a broken field.
const MaxFen Fen = 1e9 * 100

var hundred = decimal.NewFromInt(100)

// ParseYuan reads the amount of one payment: yuan, at most two decimals, above zero and at most MaxFen.
// Anything else is an Invalid error with a code of its own, so that the sender can mend it.
func ParseYuan(s string) (Fen, error) {
	fen, err := ParseBalance(s)
	switch {
	case err != nil:
		return 0, err
	case fen < 0:
		return 0, Refuse(Invalid, "amount_negative", "金额不能为负数：", s)
	case fen == 0:
		return 0, Refuse(Invalid, "amount_zero", "金额不能为零")
	case fen > MaxFen:
		return 0, Refuse(Invalid, "amount_too_large", "金额超过十亿元，请核对单位：", s)
	}
	return fen, nil
}

// ParseBalance reads a sum or a balance: yuan, at most two decimals, any sign, within an int64 of fen.
func ParseBalance(s string) (Fen, error) {
	if fen, ok := plainYuan(s); ok {
		return fen, nil
	}
	d, err := decimal.NewFromString(s)
	if err != nil || strings.ContainsAny(s, "eE") {
		return 0, Refuse(Invalid, "amount_malformed", "金额格式不对，应为元、最多两位小数，如 800000.00：", s)
	}
	if d.Exponent() < -2 {
		return 0, Refuse(Invalid, "amount_decimals", "金额最多两位小数：", s)
	}
	fen := d.Mul(hundred)
	if !fen.BigInt().IsInt64() {
		return 0, Refuse(Invalid, "amount_too_large", "金额过大：", s)
	}
	return Fen(fen.IntPart()), nil
}

// plainYuan reads the form nearly every amount has – digits, a point, two digits – without the decimal library.
// It says no to whatever is not that form; ParseBalance then decides and explains.
func plainYuan[T string | []byte](s T) (Fen, bool) {
	point := len(s) - 3
	if point < 1 || len(s) > 18 || s[point] != '.' {
		return 0, false
	}
	var fen Fen
	for i := range len(s) {
		if i == point {
			continue
		}
		digit := s[i] - '0'
		if digit > 9 {
			return 0, false
		}
		fen = fen*10 + Fen(digit)
	}
	return fen, true
}

// PlainYuan reads the amount of one payment where it has that form. It says no to whatever else; ParseYuan then decides.
func PlainYuan(b []byte) (Fen, bool) {
	fen, ok := plainYuan(b)
	return fen, ok && fen > 0 && fen <= MaxFen
}

// String prints yuan with two decimals: "800000.00".
func (f Fen) String() string {
	return string(f.Append(make([]byte, 0, 24)))
}

// Append appends what String prints.
func (f Fen) Append(b []byte) []byte {
	u := uint64(f)
	if f < 0 {
		b, u = append(b, '-'), -u
	}
	b = strconv.AppendUint(b, u/100, 10)
	return append(b, '.', byte('0'+u%100/10), byte('0'+u%10))
}

// Grouped prints yuan for people: "800,000.00".
func (f Fen) Grouped() string {
	s := f.String()
	sign := ""
	if f < 0 {
		sign, s = "-", s[1:]
	}
	yuan, cents := s[:len(s)-3], s[len(s)-3:]
	var b strings.Builder
	for i, c := range yuan {
		if i > 0 && (len(yuan)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String() + cents
}

// MarshalJSON prints the amount as a string, never as a JSON number: "800000.00".
func (f Fen) MarshalJSON() ([]byte, error) {
	return append(f.Append([]byte{'"'}), '"'), nil
}

// UnmarshalJSON reads the string MarshalJSON prints; a JSON number is refused, since a peer's float may have touched it.
func (f *Fen) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return Refuse(Invalid, "amount_malformed", `金额必须是字符串，如 "800000.00"：`, string(b))
	}
	fen, err := ParseBalance(s)
	if err != nil {
		return err
	}
	*f = fen
	return nil
}
