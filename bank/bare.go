package bank

import (
	"bytes"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"depositd/platform/deposit"
)

// Bare is a record of a table that stands on one line without any quote and has as many fields as the header. Its fields are
// bytes of the file. Each method reads one of the columns asked for, by its place among them, in the form that nearly all
// have; a field of any other form makes the record odd, and what the methods gave is worth nothing then. Each column has to
// be read: only then is it sure that the record is such a one. What the methods give as bytes is good until the next record,
// that of Name until the next name.
type Bare struct {
	Line int

	odd    bool
	lines  *lines
	line   line
	cells  []span
	from   []int // for each column, its cell
	others []int // the cells that are not read
	seed   maphash.Seed
	memos  []memo // of the columns
	room   []byte
}

func newBare(t *table) *Bare {
	b := &Bare{lines: t.in, cells: make([]span, t.columns), from: t.row.from, seed: maphash.MakeSeed(), memos: make([]memo, len(t.row.from))}
	read := make([]bool, t.columns)
	for _, c := range b.from {
		read[c] = true
	}
	for c, is := range read {
		if !is {
			b.others = append(b.others, c)
		}
	}
	return b
}

// span is a cell of the record, and how wide it was before.
type span struct {
	from, to int
	width    int
	steady   bool // it was as wide in the record before that
}

// take takes the line, if it may be such a record. A cell that was as wide twice is taken to be so again if a comma follows.
// Whether a cell holds a comma or a quote is for whoever reads it: no method takes one that does.
func (b *Bare) take() bool {
	raw := b.line.raw
	if len(raw) == 0 || raw[len(raw)-1] <= ' ' || b.lines.charset == Latin1 {
		return false
	}
	at, last := 0, len(b.cells)-1
	for i := range b.cells[:last] {
		c := &b.cells[i]
		width := c.width
		if end := at + width; !c.steady || end >= len(raw) || raw[end] != ',' {
			if width = bytes.IndexByte(raw[at:], ','); width < 0 {
				return false
			}
			c.width, c.steady = width, width == c.width
		}
		c.from, c.to = at, at+width
		at += width + 1
	}
	if at > len(raw) {
		return false
	}
	b.cells[last].from, b.cells[last].to = at, len(raw)
	b.Line, b.odd = b.line.number, bytes.IndexByte(raw[at:], ',') >= 0
	for _, i := range b.others {
		cell := raw[b.cells[i].from:b.cells[i].to]
		b.odd = b.odd || !b.isText(cell) || bytes.ContainsAny(cell, separators)
	}
	return !b.odd
}

// isText says whether bytes are text, in a form that is read without a decoder.
func (b *Bare) isText(cell []byte) (ok bool) {
	switch {
	case isASCII(cell):
		return true
	case b.lines.charset == UTF8:
		return utf8.Valid(cell) && !bytes.Contains(cell, replacement)
	}
	b.room, ok = appendTwoByte(b.room[:0], cell)
	return ok
}

// separators are what a record is cut at.
const separators = `,"`

func (b *Bare) field(i int) []byte {
	c := &b.cells[b.from[i]]
	return b.line.raw[c.from:c.to]
}

// Odd says whether any field read so far was odd.
func (b *Bare) Odd() bool { return b.odd }

// Spoil makes the record odd: what its fields say together is not what nearly all say.
func (b *Bare) Spoil() { b.odd = true }

// Code is a number or a code of at most so many characters, or nothing: visible ASCII, and no plus sign, which a spreadsheet
// may have put there.
func (b *Bare) Code(i, most int) []byte {
	f := b.field(i)
	b.odd = b.odd || len(f) > most || !isCode(f)
	return f
}

// Yuan is the amount of a payment, with two decimals.
func (b *Bare) Yuan(i int) deposit.Fen {
	fen, ok := deposit.PlainYuan(b.field(i))
	b.odd = b.odd || !ok
	return fen
}

// Wall is a time, "2026-06-12 09:00:00", in seconds since 1970.
func (b *Bare) Wall(i int) int64 {
	f := b.field(i)
	if len(f) != len(deposit.WallTime) || f[10] != ' ' {
		b.odd = true
		return 0
	}
	clock, ok := deposit.PlainClock(f[11:])
	b.odd = b.odd || !ok
	return b.known(i, f[:10], midnight) + clock
}

// midnight is when a day begins.
func midnight(day string) (seconds int64, ok bool) {
	d, err := deposit.ParseDay(day)
	return d.Start().Unix(), err == nil
}

// Known is what read makes of a field, of which the column has few; nothing, where it is not ok. Which read it is, has to be
// the same for all fields of a column.
func (b *Bare) Known(i int, read func(text string) (is int64, ok bool)) int64 {
	return b.known(i, b.field(i), read)
}

func (b *Bare) known(i int, f []byte, read func(text string) (is int64, ok bool)) int64 {
	last := b.memos[i].last
	if last == nil || !bytes.Equal(last.text, f) {
		last = b.lookUp(&b.memos[i], f, read)
	}
	b.odd = b.odd || !last.ok
	return last.is
}

// lookUp finds what a text said, or lets read read it.
func (b *Bare) lookUp(m *memo, f []byte, read func(text string) (is int64, ok bool)) *remembered {
	m.last = &m.slots[maphash.Bytes(b.seed, f)%memoSlots]
	if !bytes.Equal(m.last.text, f) || m.last.text == nil {
		b.learn(m.last, f, read)
	}
	return m.last
}

// memo remembers what texts of a column say.
type memo struct {
	slots [memoSlots]remembered
	last  *remembered
}

const memoSlots = 128

type remembered struct {
	text []byte
	is   int64
	ok   bool
}

func (b *Bare) learn(r *remembered, f []byte, read func(string) (int64, bool)) {
	r.text = append(append(r.text[:0], f...), 0)[:len(f)] // never nil
	text, bad := b.lines.decode(f)
	r.is, r.ok = 0, bad == 0 && text == trimBlanks(text) && !bytes.ContainsAny(f, separators)
	if r.ok {
		r.is, r.ok = read(text)
	}
}

// Empty says that a field holds nothing, not even blanks.
func (b *Bare) Empty(i int) bool { return len(b.field(i)) == 0 }

// Text is whether there is any text, whatever it says.
func (b *Bare) Text(i int) bool {
	f := b.field(i)
	if len(f) == 0 || isCode(f) {
		return len(f) > 0
	}
	b.known(i, f, anyText)
	return true
}

// anyText admits no plus sign: see Code.
func anyText(text string) (int64, bool) { return 0, strings.IndexByte(text, '+') < 0 }

// Name is the name of whom somebody pays or is paid for, as UTF-8, and whether deposit.NameKey of it is the name itself.
// It has a Han character at least, and beside them only their punctuation in full width and visible ASCII.
func (b *Bare) Name(i int) (name []byte, isKey bool) {
	f := b.field(i)
	if b.lines.charset == GB18030 {
		var ok bool
		if b.room, ok = appendHan(b.room[:0], f); ok {
			return b.room, true
		}
		b.room, ok = appendTwoByte(b.room[:0], f)
		b.odd = b.odd || !ok
		f = b.room
	}
	kind := nameKind(f)
	b.odd = b.odd || kind == oddText
	return f, kind == hanText
}
