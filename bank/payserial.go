package bank

import (
	"regexp"
	"slices"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// A serial is "TK", the 13 characters of an id, and a check character: 16 ASCII characters, which is what the narrowest
// remark seen keeps (招商银行 NARTXT). It holds no date, so none rolls over.
const serialPrefix = "TK"

// Its id is written without I, L, O and U; the check character may be any.
var (
	serialShape = regexp.MustCompile(`^TK[0-9A-HJKMNP-TV-Z]{13}[0-9A-Z]$`)
	serialIn    = regexp.MustCompile(`TK[0-9A-HJKMNP-TV-Z]{13}[0-9A-Z]`)
)

// PaySerial is the serial of the line with an id.
func PaySerial(id sqldb.ID) string {
	s := serialPrefix + strings.ToUpper(id.String())
	return s + string(hybridCheck(s, alphanumerics))
}

// CheckPaySerial refuses what is no serial of ours: one mistyped character is found, and so are nearly all swapped ones
// (ISO 7064, MOD 37,36).
func CheckPaySerial(s string) error {
	if !isPaySerial(s) {
		return deposit.Refuse(deposit.Invalid, "serial_malformed", "付款流水号应为 TK 开头的 16 位，且校验位正确：", clip(s))
	}
	return nil
}

func isPaySerial(s string) bool {
	last := len(s) - 1
	return serialShape.MatchString(s) && hybridCheck(s[:last], alphanumerics) == s[last]
}

// PaySerialsIn finds our serials in a text, as the remark of a debit or of a payment that came back, each once and in
// order. What the bank writes around them does not matter.
func PaySerialsIn(text string) (found []string) {
	text = strings.ToUpper(text)
	for at := 0; ; {
		m := serialIn.FindStringIndex(text[at:])
		if m == nil {
			return found
		}
		s := text[at+m[0] : at+m[1]]
		at += m[0] + 1
		if isPaySerial(s) && !slices.Contains(found, s) {
			found = append(found, s)
			at += len(s) - 1
		}
	}
}

const (
	digits        = "0123456789"
	alphanumerics = digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// hybridCheck is the check character of ISO 7064's hybrid systems, MOD n+1,n over an alphabet of n. Every character of
// s is of the alphabet.
func hybridCheck(s, alphabet string) byte {
	n := len(alphabet)
	p := n
	for i := range len(s) {
		p += strings.IndexByte(alphabet, s[i])
		if p %= n; p == 0 {
			p = n
		}
		p = p * 2 % (n + 1)
	}
	return alphabet[(n+1-p)%n]
}

var bankCodeShape = regexp.MustCompile(`^[0-9]{12}$`)

// CheckBankCode refuses what is no 联行号 of CNAPS: twelve digits, the last of which is the check digit of ISO 7064,
// MOD 11,10.
func CheckBankCode(code string) error {
	switch {
	case !bankCodeShape.MatchString(code):
		return deposit.Refuse(deposit.Invalid, "bank_code_malformed", "联行号应为 12 位数字")
	case hybridCheck(code[:11], digits) != code[11]:
		return deposit.Refuse(deposit.Invalid, "bank_code_check_digit", "联行号的校验位不对，请核对是否抄错")
	}
	return nil
}
