package bank

import "encoding/binary"

// isCode says whether a text is a code: visible ASCII, no plus sign, no comma, no quote.
func isCode(f []byte) bool {
	if len(f) < 8 {
		return isAnyCode(f)
	}
	const ones = 0x0101010101010101
	var other uint64 // bytes that are not between the minus sign and the tilde, as nearly all are, have its high bit
	for at := 0; at < len(f)-8; at += 8 {
		x := binary.LittleEndian.Uint64(f[at:])
		other |= x | (x + ones) | ^(x + (0x80-'-')*ones)
	}
	x := binary.LittleEndian.Uint64(f[len(f)-8:])
	other |= x | (x + ones) | ^(x + (0x80-'-')*ones)
	return other&highBits == 0 || isAnyCode(f)
}

func isAnyCode(f []byte) bool {
	for _, c := range f {
		if c <= ' ' || c > '~' || c == '+' || c == ',' || c == '"' {
			return false
		}
	}
	return true
}

// textKind is what a text consists of.
type textKind int

// The kinds.
const (
	oddText   textKind = iota
	hanText            // common Han characters only
	mixedText          // also others, which are visible and of one form only
)

// maxName is the longest name in bytes of UTF-8 that has not too many characters for sure.
const maxName = 200

// nameKind looks at a text that may be UTF-8: only Han characters and their punctuation in full width, visible ASCII and blanks
// within are not odd.
func nameKind(f []byte) textKind {
	if len(f) == 0 || len(f) > maxName || f[0] == ' ' || f[len(f)-1] == ' ' {
		return oddText
	}
	kind, hans := hanText, 0
	for i := 0; i < len(f); {
		if c := f[i]; c < 0x7F && c >= ' ' && c != ',' && c != '"' {
			kind = mixedText
			i++
			continue
		}
		if i+2 >= len(f) {
			return oddText
		}
		three := uint32(f[i])<<16 | uint32(f[i+1])<<8 | uint32(f[i+2])
		switch r := three>>4&0xF000 | three>>2&0xFC0 | three&0x3F; {
		case three&0xF0C0C0 != 0xE08080:
			return oddText
		case r-firstHan <= lastHan-firstHan:
			hans++
		case r == '（' || r == '）':
			kind = mixedText
		default:
			return oddText
		}
		i += 3
	}
	if hans == 0 {
		return oddText
	}
	return kind
}
