package bank

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// maxLine bounds a line of a file: the longest record known has 530 bytes, so a line of this length is no record.
const maxLine = 64 << 10

// padding is what stands behind the last record of files from peers with fixed buffers, or from DOS.
const padding = "\x00\x1a"

// lines reads a file of a bank line by line as bytes, and knows how their text is written. A line ends with LF or CRLF,
// the last one also with nothing; a byte order mark before the first belongs to no line. Padding behind the last comes as
// blank lines, or at the end of the last line.
type lines struct {
	in       *bufio.Reader
	number   int
	declared Charset
	charset  Charset // "" until a byte beyond ASCII decides it
	pages    pages
	room     []byte
	at       int64   // where the next line begins in the file
	places   *places // where the lines begin, if anybody wants to know
}

// line is one line of a file.
type line struct {
	number int    // from 1
	raw    []byte // without the line's end; valid until the next line is read
	last   bool   // the file ends within it
}

// newLines starts to read a file and decides by its first 64 KiB how its text is written, whatever was declared.
func newLines(file io.Reader, declared Charset) (*lines, error) {
	if declared == "" {
		declared = GB18030
	}
	l := &lines{in: bufio.NewReaderSize(file, maxLine), declared: declared}
	sample, err := l.in.Peek(maxLine)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if text := bytes.TrimPrefix(sample, utf8BOM); err != nil && len(bytes.Trim(text, padding+blanks+"\n")) == 0 {
		return nil, fileEmpty()
	}
	if bytes.HasPrefix(sample, utf8BOM) {
		_, err := l.in.Discard(len(utf8BOM))
		l.charset, l.at = UTF8, int64(len(utf8BOM))
		return l, err
	}
	if end := bytes.LastIndexByte(sample, '\n'); err == nil && end >= 0 {
		sample = sample[:end] // what follows may end within a character
	}
	l.charset = vote(sample, declared)
	return l, nil
}

func fileEmpty() error { return deposit.Refuse(deposit.Invalid, "file_empty", "文件为空") }

// vote lets the lines of a sample say how they are written, each with the weight of its bytes beyond ASCII: one damaged
// line of a UTF-8 file does not make it GBK, nor does one short GBK name that is UTF-8 by chance make it UTF-8.
// "" when the sample is pure ASCII.
func vote(sample []byte, declared Charset) Charset {
	utf, other := 0, 0
	for raw := range bytes.Lines(sample) {
		weight := beyondASCII(raw)
		if weight == 0 {
			continue
		}
		if utf8.Valid(raw) {
			utf += weight
		} else {
			other += weight
		}
	}
	switch {
	case utf == 0 && other == 0:
		return ""
	case utf >= other:
		return UTF8
	}
	return withoutUTF8(declared)
}

func beyondASCII(raw []byte) (n int) {
	for _, c := range raw {
		if c >= utf8.RuneSelf {
			n++
		}
	}
	return n
}

// next gives the next line; io.EOF after the last. A line that is too long is an error of the whole file.
func (l *lines) next() (n line, err error) {
	err = l.read(&n)
	return n, err
}

// read is next without a copy of the line.
func (l *lines) read(n *line) error {
	raw, err := l.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !(errors.Is(err, bufio.ErrBufferFull) && endsInPadding(raw)) {
		return l.explain(err)
	}
	if len(raw) == 0 {
		return io.EOF
	}
	l.number++
	if l.places != nil {
		l.places.note(l.number, l.at)
	}
	l.at += int64(len(raw))
	raw, ended := bytes.CutSuffix(raw, []byte("\n"))
	raw = bytes.TrimSuffix(raw, []byte("\r"))
	if l.charset == "" && !isASCII(raw) {
		l.charset = Sniff(raw, l.declared)
	}
	n.number, n.raw, n.last = l.number, raw, !ended
	return nil
}

// endsInPadding tells a record with a long tail of padding from a line that is too long.
func endsInPadding(raw []byte) bool { return strings.IndexByte(padding, raw[len(raw)-1]) >= 0 }

func (l *lines) explain(err error) error {
	if errors.Is(err, bufio.ErrBufferFull) {
		return deposit.Refuse(deposit.Invalid, "line_too_long", "第 ", l.number+1, " 行超过 ", maxLine>>10, " KiB，不是该格式的文件")
	}
	return fmt.Errorf("read the file: %w", err)
}

// blank says that a line holds no record.
func (n line) blank() bool { return len(bytes.Trim(n.raw, padding+blanks)) == 0 }

const blanks = " \t\r"

// record is the line without the padding that may stand behind it; in a layout of fixed width, blanks are content.
func (n line) record() []byte {
	if end := len(n.raw) - 1; end >= 0 && n.raw[end] > ' ' { // beyond all of them
		return n.raw
	}
	return bytes.TrimRight(n.raw, padding+blanks)
}

// decode reads bytes of a line. Where they stop being text, bad is that byte's column from 1; else it is 0.
func (l *lines) decode(raw []byte) (text string, bad int) {
	if text, ok := l.decodePlain(raw); ok {
		return text, 0
	}
	text, err := l.charset.Decode(raw)
	if err == nil {
		return text, 0
	}
	return text, l.charset.column(text[:max(0, strings.IndexRune(text, utf8.RuneError))])
}

// decodePlain reads bytes that are surely text, as nearly all are.
func (l *lines) decodePlain(raw []byte) (text string, ok bool) {
	switch {
	case isASCII(raw):
		return l.pages.keep(raw), true
	case l.charset == UTF8:
		if !utf8.Valid(raw) || bytes.Contains(raw, replacement) {
			return "", false
		}
		return l.pages.keep(raw), true
	case l.charset == GB18030:
		if l.room, ok = appendTwoByte(l.room[:0], raw); ok {
			return l.pages.keep(l.room), true
		}
	}
	return "", false
}

var replacement = []byte("\uFFFD")

// charsetFault is the fault of a line that does not decode at a column, counted in bytes.
func (l *lines) charsetFault(number, column int, text string) *Fault {
	return &Fault{Line: number, Column: column, Code: "charset", Raw: text,
		Text: fmt.Sprintf("应为 %s 编码的文字；第 %d 字节起无法解码", l.charset, column)}
}
