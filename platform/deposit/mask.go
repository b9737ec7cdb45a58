package deposit

import (
	"fmt"
	"strconv"
)

// Account is somebody's bank account as it goes out to people: wherever it is printed or written as JSON it is masked. The
// whole number is had by Full alone, which is for the bank's files and for a reveal that the audit trail tells of.
//
// The rule is that of PCI DSS 3.4.1, first six and last four at most, which JR/T 0171-2020 asks for accounts of this kind too.
type Account string

// Full is the whole number.
func (a Account) Full() string { return string(a) }

// String is the number masked.
func (a Account) String() string { return MaskAccount(string(a)) }

// Format prints the number masked, whatever the verb.
func (a Account) Format(f fmt.State, verb rune) {
	text := a.String()
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = f.Write([]byte(text)) // fmt ignores it too
}

// MarshalText is the number masked: for JSON.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// How much of a number is shown, by its length: of a short one the ends would be most of it. The stars are always four, so
// that they tell no length.
const (
	maskStars = "****"
	maskHead  = 6
	maskTail  = 4
	maskWhole = 16 // shown with its head from this length on: the issuer's six and four are not more than five eighths
	maskShort = 8  // below it nothing is shown
)

// MaskAccount shows of an account number who issued it and how it ends: "621226****1234".
func MaskAccount(account string) string {
	n := len([]rune(account))
	runes := []rune(account)
	switch {
	case n == 0:
		return ""
	case n < maskShort:
		return maskStars
	case n < maskWhole:
		return maskStars + string(runes[n-maskTail:])
	}
	return string(runes[:maskHead]) + maskStars + string(runes[n-maskTail:])
}
