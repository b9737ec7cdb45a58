package deposit

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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
func (a Account) Format(f fmt.State, verb rune) { format(f, verb, a.String()) }

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

// Name is somebody's name as it goes out to people: a natural person's (个人信息保护法 §51) is masked wherever it is printed
// or written as JSON, an organisation's stays whole, since the centre works by it. The whole name is had by Full alone, as that
// of an Account. Names are compared whole and masked last; a text that is joined with a Name is one too, and is no person's.
type Name string

// Full is the whole name.
func (n Name) Full() string { return string(n) }

// Key is the whole name's NameKey.
func (n Name) Key() string { return NameKey(string(n)) }

// String is the name, masked if it is a person's.
func (n Name) String() string { return MaskName(string(n)) }

// Format prints the name as String does, whatever the verb.
func (n Name) Format(f fmt.State, verb rune) { format(f, verb, n.String()) }

// MarshalText is the name as String gives it: for JSON.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// format prints a text that is masked already.
func format(f fmt.State, verb rune, text string) {
	if verb == 'q' {
		text = strconv.Quote(text)
	}
	_, _ = f.Write([]byte(text)) // fmt ignores it too
}

// maskStar stands for all of a person's name but its first character: one, so that it tells no length.
const maskStar = "*"

// MaskName shows of a natural person's name its first character: "张*". What is not taken for a person's (IsPerson) stays whole.
func MaskName(name string) string {
	if !IsPerson(name) {
		return name
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(name))
	return string(first) + maskStar
}

// MaskNames masks the persons' names among those given wherever they stand in a text.
func MaskNames(text string, names []string) string { return Masks(names, MaskName).Replace(text) }

// Masks replaces the words given by what mask, MaskName or MaskAccount, makes of them, wherever they stand: made once for many texts.
func Masks(words []string, mask func(string) string) *strings.Replacer {
	words = slices.DeleteFunc(slices.Clone(words), func(word string) bool { return mask(word) == word })
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) // 王建国 before 王建
	pairs := make([]string, 0, 2*len(words))
	for _, word := range slices.Compact(words) {
		pairs = append(pairs, word, mask(word))
	}
	return strings.NewReplacer(pairs...)
}

// IsMasked says that a text is what people are shown in the place of a name or of an account: nobody is called so, and nothing
// can be paid to it.
func IsMasked(text string) bool { return strings.ContainsAny(text, "*＊") }
