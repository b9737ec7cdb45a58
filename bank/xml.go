package bank

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"depositd/platform/deposit"
)

const (
	maxXMLDepth = 64      // camt nests 14 deep; a deeper message is an attack on the stack
	maxXMLToken = 1 << 20 // bytes of one tag or text; the longest seen is a remark of some hundreds
	sniffSample = 64 << 10
)

// xmlReader reads XML from strangers, token by token, in memory that does not grow with the file: the text is decoded by
// what it really is, DOCTYPE and deep nesting are refused, entities other than the five of XML are unknown.
//
// It is an xml.TokenReader, so xml.NewTokenDecoder(x).DecodeElement reads one record of a large file into a struct.
type xmlReader struct {
	text      *textReader
	chars     *charReader
	xml       *xml.Decoder
	depth     int
	rooted    bool // the root element has begun
	held      xml.Token
	undecoded place // where the character stands that Token refused last
	err       error // what ended the reading; it stays
}

// newXML reads raw, a charset that may be none: "" asks the XML declaration (without one: UTF-8), any other overrules it.
// Either way text that is plainly UTF-8 is read as UTF-8, see Sniff.
func newXML(raw io.Reader, declared Charset) *xmlReader {
	x := &xmlReader{text: newTextReader(raw, declared)}
	x.chars = &charReader{in: bufio.NewReader(x.text), line: 1}
	x.xml = xml.NewDecoder(x.chars)
	x.xml.Strict = true
	x.xml.CharsetReader = func(label string, decoded io.Reader) (io.Reader, error) {
		if declared != "" {
			return decoded, nil
		}
		charset, err := CharsetOf(label)
		x.text.declared = charset // in time: nothing but ASCII stands before the end of the declaration
		return decoded, err
	}
	if declared == "" {
		x.text.declared = UTF8
	}
	return x
}

// Token gives the next token, and io.EOF after the root element and the NUL bytes that peers send behind it. The
// Refusals are of kind Invalid and final, but one: "charset" (a character that could not be decoded stands in the
// token) comes once, and whoever asks again gets the token and goes on, to put that one record aside.
// The bytes of a token are good until the next call, as with xml.Decoder.
func (x *xmlReader) Token() (xml.Token, error) {
	if t := x.held; t != nil {
		x.held = nil
		return t, nil
	}
	if x.err != nil {
		return nil, x.err
	}
	t, err := x.guarded()
	if err != nil {
		x.err = err
		return nil, err
	}
	bad := x.chars.bad
	if bad == nil && unreadable(t) { // written as a character reference: &#xFFFD;
		bad = &place{}
		bad.line, bad.column = x.Pos()
	}
	if bad != nil {
		x.held, x.chars.bad, x.undecoded = t, nil, *bad
		return nil, deposit.Refuse(deposit.Invalid, "charset", "第 ", bad.line, " 行第 ", bad.column, " 列的字符无法解码（不是有效的 ", cmp.Or(x.text.charset, x.text.declared), " 编码），请核对报文编码")
	}
	return t, nil
}

// Pos is where the last token ended: line and column, counted in characters, from 1.
func (x *xmlReader) Pos() (line, column int) {
	column = x.chars.column + 1
	if x.chars.read > x.xml.InputOffset() { // the parser looked one byte ahead, at the next "<"
		column--
	}
	return x.chars.line, max(column, 1)
}

// guarded gives the next token when depth, DOCTYPE and what stands outside the root allow it.
func (x *xmlReader) guarded() (xml.Token, error) {
	if x.rooted && x.depth == 0 {
		if err := x.chars.skipPadding(); err != nil {
			return nil, x.explain(err)
		}
	}
	t, err := x.xml.Token()
	x.chars.since = 0
	if err != nil {
		return nil, x.explain(err)
	}
	switch t := t.(type) {
	case xml.Directive:
		return nil, x.refuse("doctype_forbidden", "报文不得含 DOCTYPE 或实体声明")
	case xml.StartElement:
		if x.depth == 0 && x.rooted {
			return nil, x.refuse("xml_malformed", "只能有一个根元素")
		}
		x.rooted = true
		if x.depth++; x.depth > maxXMLDepth {
			return nil, x.refuse("xml_too_deep", "元素嵌套超过 ", maxXMLDepth, " 层")
		}
	case xml.EndElement:
		x.depth--
	case xml.CharData:
		if x.depth == 0 && strings.TrimSpace(string(t)) != "" {
			return nil, x.refuse("xml_malformed", "根元素之外有文字")
		}
	}
	return t, nil
}

// explain turns an error of the parser into a Refusal; an error of whoever gave us the bytes stays what it is.
func (x *xmlReader) explain(err error) error {
	var refusal *deposit.Refusal
	var syntax *xml.SyntaxError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, io.EOF) && x.rooted:
		return io.EOF
	case errors.Is(err, io.EOF):
		return deposit.Refuse(deposit.Invalid, "xml_empty", "报文为空，应为 XML")
	case errors.Is(x.chars.err, io.EOF):
		return x.refuse("xml_truncated", "报文不完整，XML 在此中断")
	case x.chars.err != nil:
		return fmt.Errorf("read XML: %w", x.chars.err)
	case errors.As(err, &syntax) && strings.Contains(syntax.Msg, "entity"):
		return x.refuse("xml_malformed", "& 未转义（应写作 &amp;）或实体未知")
	}
	return x.refuse("xml_malformed", "不是有效的 XML，请检查标签是否配对、& 与 < 是否转义")
}

// refuse makes a Refusal that says where the reading stands.
func (x *xmlReader) refuse(code string, text ...any) error {
	line, column := x.Pos()
	return deposit.Refuse(deposit.Invalid, code, append([]any{"第 ", line, " 行第 ", column, " 列："}, text...)...)
}

// unreadable reports whether a token's text holds U+FFFD.
func unreadable(t xml.Token) bool {
	switch t := t.(type) {
	case xml.CharData:
		return bytes.ContainsRune(t, utf8.RuneError)
	case xml.StartElement:
		return slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return strings.ContainsRune(a.Value, utf8.RuneError) })
	}
	return false
}

// place is a position in a text, from 1, in characters.
type place struct{ line, column int }

// charReader hands decoded text to the parser byte by byte, counting lines and characters, and finds each U+FFFD, the
// mark the decoders leave where bytes were no text. It limits what the parser can swallow before it gives a token.
type charReader struct {
	in           *bufio.Reader
	line, column int   // of the last byte's character; column 0 stands before the line's first
	read         int64 // bytes so far
	since        int   // bytes since the last token
	matched      int   // how many bytes of U+FFFD the text just ended with
	bad          *place
	err          error
}

// ReadByte is what the parser calls.
func (c *charReader) ReadByte() (byte, error) {
	b, err := c.in.ReadByte()
	if err != nil {
		c.err = err
		return 0, err
	}
	c.read++
	if c.since++; c.since > maxXMLToken {
		return 0, deposit.Refuse(deposit.Invalid, "xml_token_too_long", "第 ", c.line, " 行：一个标签或一段文字超过 ", maxXMLToken, " 字节")
	}
	switch {
	case b == '\n':
		c.line, c.column = c.line+1, 0
	case b&0xC0 != 0x80:
		c.column++
	}
	c.look(b)
	return b, nil
}

// look follows the bytes EF BF BD.
func (c *charReader) look(b byte) {
	switch {
	case b == 0xEF:
		c.matched = 1
	case c.matched == 1 && b == 0xBF:
		c.matched = 2
	case c.matched == 2 && b == 0xBD && c.bad == nil:
		c.bad = &place{c.line, c.column}
		c.matched = 0
	default:
		c.matched = 0
	}
}

// Read makes it an io.Reader, which xml.NewDecoder asks for; the parser itself uses ReadByte.
func (c *charReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := c.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// skipPadding passes over the blanks and NUL bytes that stand behind the root element.
func (c *charReader) skipPadding() error {
	for {
		next, err := c.in.Peek(1)
		if err != nil {
			c.err = err
			return err
		}
		if !strings.ContainsRune("\x00 \t\r\n", rune(next[0])) {
			return nil
		}
		c.since = 0
		if _, err := c.ReadByte(); err != nil {
			return err
		}
	}
}

// textReader decodes a stream. ASCII passes as it is; where the first other byte stands, the charset is sniffed from
// there on, so that a long head of digits and tags does not hide it.
type textReader struct {
	raw      *bufio.Reader
	declared Charset
	charset  Charset   // as found; "" while all was ASCII
	decoded  io.Reader // nil while all was ASCII
}

func newTextReader(raw io.Reader, declared Charset) *textReader {
	size := sniffSample
	if known, ok := raw.(interface{ Len() int }); ok {
		size = min(size, known.Len()) // a notice of 1 KiB needs no buffer of 64
	}
	return &textReader{raw: bufio.NewReaderSize(raw, size), declared: declared}
}

// Read gives UTF-8, in which U+FFFD stands for what could not be decoded.
func (t *textReader) Read(p []byte) (int, error) {
	if t.decoded != nil {
		return t.decoded.Read(p)
	}
	n, err := t.ascii(p)
	if n > 0 || err != nil || len(p) == 0 {
		return n, err
	}
	sample, err := t.raw.Peek(t.raw.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	t.charset = Sniff(sample, t.declared)
	t.decoded = transform.NewReader(t.raw, decoder(t.charset))
	return t.decoded.Read(p)
}

// ascii passes on what has come before the first byte that is not ASCII; none and no error says that it is next.
func (t *textReader) ascii(p []byte) (int, error) {
	if _, err := t.raw.Peek(1); err != nil {
		return 0, err
	}
	ready, _ := t.raw.Peek(min(len(p), t.raw.Buffered()))
	n := 0
	for n < len(ready) && ready[n] < 0x80 {
		n++
	}
	copy(p, ready[:n])
	_, err := t.raw.Discard(n)
	return n, err
}

// decoder never fails; it writes U+FFFD.
func decoder(c Charset) transform.Transformer {
	switch c {
	case UTF8:
		return unicode.UTF8BOM.NewDecoder()
	case Latin1:
		return charmap.ISO8859_1.NewDecoder()
	}
	return simplifiedchinese.GB18030.NewDecoder()
}
