package main

import (
	"strings"
	"unicode"
)

// displayWidth is how many columns a text takes on a terminal: Chinese characters and full-width signs take two,
// combining marks none.
func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, wide):
		return 2
	}
	return 1
}

// wide is what Unicode's East Asian Width calls W or F, as far as names and reports hold it.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0x33ff, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1}, {0xa000, 0xa4cf, 1},
		{0xac00, 0xd7a3, 1}, {0xe815, 0xe864, 1}, {0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x20000, 0x3fffd, 1}},
}

// pad fills a text up to a number of columns.
func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-displayWidth(s)))
}

// padLeft is pad with the text at the right, for amounts.
func padLeft(s string, columns int) string {
	return strings.Repeat(" ", max(0, columns-displayWidth(s))) + s
}

// fit cuts a text that is wider than a number of columns, with an ellipsis, and pads one that is not.
func fit(s string, columns int) string {
	if displayWidth(s) <= columns {
		return pad(s, columns)
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > columns-1 {
			return pad(s[:i]+"…", columns)
		}
	}
	return s
}
