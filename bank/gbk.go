package bank

import (
	"encoding/binary"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// twoByteRunes is what the two-byte codes of GB18030 stand for, which are those of GBK: the decoder's own answers, taken
// down once, since looking one up is many times as fast as decoding it. 0 is none.
var twoByteRunes = sync.OnceValue(func() *[leads * trails]uint16 {
	runes := new([leads * trails]uint16)
	decoder := simplifiedchinese.GB18030.NewDecoder()
	for lead := firstLead; lead <= lastByte; lead++ {
		for trail := firstTrail; trail <= lastByte; trail++ {
			text, err := decoder.Bytes([]byte{byte(lead), byte(trail)})
			r, n := utf8.DecodeRune(text)
			if err == nil && n == len(text) && r != utf8.RuneError && r <= 0xFFFF {
				runes[(lead-firstLead)*trails+trail-firstTrail] = uint16(r)
			}
		}
	}
	return runes
})

const (
	firstLead  = 0x81
	firstTrail = 0x40
	lastByte   = 0xFE
	leads      = lastByte - firstLead + 1
	trails     = lastByte - firstTrail + 1
)

// appendTwoByte appends what text in ASCII and two-byte codes says; ok is false for any other, which a decoder has to read.
func appendTwoByte(b, raw []byte) (text []byte, ok bool) {
	runes := twoByteRunes()
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c < utf8.RuneSelf {
			b = append(b, c)
			continue
		}
		if i++; c < firstLead || c > lastByte || i == len(raw) || raw[i] < firstTrail || raw[i] > lastByte {
			return b, false
		}
		r := runes[int(c-firstLead)*trails+int(raw[i]-firstTrail)]
		switch {
		case r >= 0x800: // as nearly all
			b = append(b, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0xBF, 0x80|byte(r)&0xBF)
		case r == 0:
			return b, false
		default:
			b = utf8.AppendRune(b, rune(r))
		}
	}
	return b, true
}

// isASCII looks at eight bytes at a time.
func isASCII(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// pages keeps texts that are needed for a while in pages of many, since making each by itself takes longer than reading it.
type pages struct{ page strings.Builder }

const pageBytes = 64 << 10

func (p *pages) keep(text []byte) string {
	if p.page.Cap()-p.page.Len() < len(text) {
		p.page = strings.Builder{}
		p.page.Grow(max(pageBytes, len(text)))
	}
	at := p.page.Len()
	p.page.Write(text)
	return p.page.String()[at:]
}
