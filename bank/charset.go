package bank

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"

	"depositd/platform/deposit"
)

// Charset is how a bank writes its text.
type Charset string

// The charsets banks use. GB18030 reads GBK and GB2312 as well, which it contains.
const (
	UTF8    Charset = "UTF-8"
	GB18030 Charset = "GB18030"
	Latin1  Charset = "ISO-8859-1"
)

// CharsetOf finds a charset by the names that XML declarations and banks.yaml use; "" is GB18030, the habit here.
func CharsetOf(name string) (Charset, error) {
	switch strings.ToUpper(strings.TrimSpace(name)) {
	case "", "GB18030", "GBK", "GB2312", "GB_2312-80", "CP936", "HZ-GB-2312":
		return GB18030, nil
	case "UTF-8", "UTF8", "US-ASCII", "ASCII":
		return UTF8, nil
	case "ISO-8859-1", "LATIN1", "WINDOWS-1252":
		return Latin1, nil
	}
	return "", deposit.Refuse(deposit.Invalid, "charset_unknown", "不支持的字符集：", name, "；可用 GB18030（含 GBK、GB2312）、UTF-8、ISO-8859-1")
}

var utf8BOM = []byte("\xef\xbb\xbf")

// Sniff says how a text is really written, since declarations lie (a Java peer writes UTF-8 under a GBK header): text
// that is valid UTF-8 with a multi-byte rune in it is UTF-8, whatever was declared. So is text of which all but a cut
// character or two is UTF-8: read as GBK it would be another text without any error. The sample may end within a rune.
func Sniff(sample []byte, declared Charset) Charset {
	if bytes.HasPrefix(sample, utf8BOM) {
		return UTF8
	}
	multibyte, long, broken := 0, 0, 0 // runes of more than one byte, of three or four, bytes that are in none
	for len(sample) > 0 {
		r, n := utf8.DecodeRune(sample)
		switch {
		case r != utf8.RuneError || n > 1:
			multibyte += min(n-1, 1)
			long += n / 3
		case multibyte > 0 && !utf8.FullRune(sample):
			n = len(sample) // cut at the sample's end
		default:
			broken++
		}
		sample = sample[n:]
	}
	switch {
	case broken > 0 && long <= 2*broken: // in GBK text a hundredth of the bytes look like long runes, by chance
		return withoutUTF8(declared)
	case multibyte > 0:
		return UTF8
	}
	return declared
}

// withoutUTF8 is what bytes that are no UTF-8 can be under a declaration that says they are.
func withoutUTF8(declared Charset) Charset {
	if declared == UTF8 {
		return GB18030
	}
	return declared
}

// Decode reads bytes of the charset. The decoders never fail: what they cannot read becomes U+FFFD, so that is looked for
// here, and the error says at which byte (from 1) the text stops being text.
func (c Charset) Decode(b []byte) (string, error) {
	if isASCII(b) {
		return string(b), nil
	}
	var text string
	switch c {
	case UTF8:
		text = string(b)
	case Latin1:
		s, _ := charmap.ISO8859_1.NewDecoder().Bytes(b)
		text = string(s)
	default:
		s, _ := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
		text = string(s)
	}
	for i, r := range text {
		if r == utf8.RuneError {
			return text, deposit.Refuse(deposit.Invalid, "charset", "第 ", c.column(text[:i]), " 字节不是有效的 ", c, " 编码")
		}
	}
	return text, nil
}

// Reader decodes as it reads, by the library's decoder, which never fails: what it cannot read becomes U+FFFD.
func (c Charset) Reader(r io.Reader) io.Reader {
	switch c {
	case UTF8:
		return r
	case Latin1:
		return charmap.ISO8859_1.NewDecoder().Reader(r)
	}
	return simplifiedchinese.GB18030.NewDecoder().Reader(r)
}

// Encode writes text in the charset. GB18030 has every character; one that another charset has not is an Invalid error.
func (c Charset) Encode(text string) ([]byte, error) {
	var b []byte
	var err error
	switch c {
	case UTF8:
		return []byte(text), nil
	case Latin1:
		b, err = charmap.ISO8859_1.NewEncoder().Bytes([]byte(text))
	default:
		b, err = simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(text))
	}
	if err != nil {
		return nil, deposit.Refuse(deposit.Invalid, "charset", "含有 ", c, " 没有的字符")
	}
	return b, nil
}

// column is the byte, from 1, that follows a decoded text in its own charset.
func (c Charset) column(before string) int {
	switch c {
	case UTF8:
		return len(before) + 1
	case Latin1:
		return utf8.RuneCountInString(before) + 1
	}
	b, err := simplifiedchinese.GB18030.NewEncoder().String(before)
	if err != nil {
		return len(before) + 1
	}
	return len(b) + 1
}

// trimPadding drops the NUL bytes and blanks that peers with fixed buffers send after a message.
func trimPadding(raw []byte) []byte {
	return bytes.TrimRight(bytes.TrimPrefix(raw, utf8BOM), "\x00 \t\r\n")
}
