package people

import (
	"strings"
	"unicode"
)

// commonRoots are what common passwords are made of, in small letters and without disguise. The lists of leaked passwords
// hold few of twelve characters and more that are not one of these with digits and signs around it, twice over, or several
// of them in a row.
var commonRoots = strings.Fields(`
	password passwort passw passwd pass word admin administrator root user guest test demo login welcome letmein secret master
	default changeme change system manager server oracle cisco huawei windows linux internet computer
	qwertyuiop qwerty qwert asdfghjkl asdfgh asdf zxcvbnm zxcvbn zxcv qazwsxedc qazwsx qaz wsx edc rfv tgb yhn ujm plm okn
	abcdefghijkl abcdefgh abcdef abcd abc aabbcc dragon monkey football baseball sunshine princess superman batman michael
	iloveyou loveyou love trustno trust shadow freedom whatever hello hunter killer ninja jesus
	woaini woai aini wodemima mima woshishei nihao zhongguo china beijing shandong jinan liaocheng lc ggzy ggzyjy baozhengjin
	deposit depositd toubiao zhaobiao jiaoyi zhongxin caiwu zhonghe caigou gongcheng laopo laogong baobao tianshi
	january february march april june july august september october november december spring summer autumn winter
	monday tuesday wednesday thursday friday saturday sunday`)

// disguises are the digits and signs that are written for letters.
var disguises = strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t")

// common says that a password would be among the first that somebody tries: digits alone, little told often, or nothing left
// of it but digits, signs and at most two letters once the common words are taken out, with the usual disguises or without.
func common(password string) bool {
	plain := strings.ToLower(password)
	core := strings.TrimFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) })
	return strings.Trim(plain, "0123456789") == "" || repeats(plain) || fewLeft(plain) || fewLeft(disguises.Replace(core))
}

func fewLeft(text string) bool {
	rest := without(text)
	return rest != text && letters(rest) <= 2
}

func without(text string) string {
	for _, root := range commonRoots {
		text = strings.ReplaceAll(text, root, "")
	}
	return text
}

func letters(text string) (n int) {
	for _, r := range text {
		if r >= 'a' && r <= 'z' || r > 0x7f {
			n++
		}
	}
	return n
}

// repeats says that a text is one piece of at most a third of its length, again and again.
func repeats(text string) bool {
	for n := 1; n <= len(text)/3; n++ {
		if piece := text[:n]; strings.HasPrefix(strings.Repeat(piece, len(text)/n+1), text) {
			return true
		}
	}
	return false
}
