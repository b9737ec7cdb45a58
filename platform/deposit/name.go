package deposit

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// NameKey is the form under which two spellings of one company are equal: NFKC (full width, ㈱, ⽅), upper case,
// without spaces, control and zero-width characters, brackets and interpuncts. It is only for equality: money is paid
// to the account's exact bytes. What a bracket holds stays, since （集团） and 分公司 name another legal payer.
func NameKey(name string) string {
	if isPlainName(name) {
		return name
	}
	if bare := brackets.Replace(name); isPlainName(bare) { // （集团）, nearly all of the rest
		return bare
	}
	return anyKey(name)
}

// anyKey is NameKey of names that need the tables of Unicode.
func anyKey(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for _, r := range norm.NFKC.String(name) {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.Is(unicode.Cf, r):
		case strings.ContainsRune("()[]{}〔〕【】〈〉《》「」『』", r):
		case strings.ContainsRune("·•‧・∙⋅･.．｡", r):
		case r >= firstOldGB18030 && int(r-firstOldGB18030) < len(oldGB18030):
			b.WriteRune(oldGB18030[r-firstOldGB18030])
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}

var brackets = strings.NewReplacer("（", "", "）", "")

// isPlainName reports whether a name is its own key because it holds nothing but common Han characters,
// as nearly all company names do.
func isPlainName(name string) bool {
	if len(name)%3 != 0 {
		return false
	}
	for i := 0; i < len(name); i += 3 { // as UTF-8 writes them
		a, b, c := rune(name[i]), rune(name[i+1]), rune(name[i+2])
		if r := a&0xF<<12 | b&0x3F<<6 | c&0x3F; a>>4 != 0xE || b>>6 != 2 || c>>6 != 2 || r < 0x4E00 || r > 0x9FA5 {
			return false
		}
	}
	return true
}

// oldGB18030 lists, from U+E815 on, what Unicode now has for the private-use runes that older GB18030 tables
// (Java peers among them) give for the GBK cells FE50–FEA0; 䶮, a given name, is the one seen most.
var oldGB18030 = []rune("⺁𠂇𠂉𠃌⺄㑳㑇⺈⺋龴㖞㘚㘎⺌⺗㥮㤘龵㧏㧟㩳㧐龶龷㭎㱮㳠⺧𡗗龸⺪䁖䅟⺮䌷⺳⺶⺷𢦏䎱䎬⺻䏝䓖䙡䙌龹䜣䜩䝼䞍⻊䥇䥺䥽䦂䦃䦅䦆䦟䦛䦷䦶龺𤇾䲣䲟䲠䲡䱷䲢䴓䴔䴕䴖䴗䴘䴙䶮龻")

const firstOldGB18030 = 0xE815

// organisation holds the words that mark an account's name as an organisation's rather than a person's, and ends those that do
// so at its end alone: 会 and 行 stand in given names too.
var (
	organisation = []string{"公司", "中心", "集团", "学校", "银行", "企业"}
	ends         = []string{"厂", "店", "院", "所", "局", "处", "部", "社", "会", "行", "站", "队", "场", "馆", "室"}
)

// IsPerson reports whether an account's name looks like a natural person's: two to four Han characters without a word
// that marks an organisation, or a transliterated name with an interpunct; blanks, by which banks set short names apart, do
// not count. It is a guess: the clerk's eye is drawn by it and what is shown is masked by it, but nothing is decided by it.
func IsPerson(name string) bool {
	name = strings.Join(strings.Fields(name), "")
	n := utf8.RuneCountInString(name)
	longest := 4
	if strings.ContainsAny(name, "·•") {
		longest = 15
	}
	if n < 2 || n > longest {
		return false
	}
	for _, r := range name {
		if !unicode.Is(unicode.Han, r) && r != '·' && r != '•' {
			return false
		}
	}
	return !slices.ContainsFunc(organisation, func(word string) bool { return strings.Contains(name, word) }) &&
		!(n > 2 && slices.ContainsFunc(ends, func(word string) bool { return strings.HasSuffix(name, word) }))
}
