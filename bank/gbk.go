package bank

import (
	"encoding/binary"
	"slices"
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
	runes, had := twoByteRunes(), len(b)
	b = slices.Grow(b, len(raw)+len(raw)/2+8) // a code of two bytes becomes three at most
	out, n := b[had:cap(b)], 0
	for i := 0; i < len(raw); {
		if raw[i] < utf8.RuneSelf {
			out[n] = raw[i]
			for i, n = i+1, n+1; len(raw)-i >= 8 && len(out)-n >= 8; i, n = i+8, n+8 {
				eight := binary.LittleEndian.Uint64(raw[i:])
				if eight&highBits != 0 {
					break
				}
				binary.LittleEndian.PutUint64(out[n:], eight)
			}
			continue
		}
		if i+1 == len(raw) || raw[i] < firstLead || raw[i] > lastByte || raw[i+1] < firstTrail || raw[i+1] > lastByte {
			return b, false
		}
		r := runes[int(raw[i]-firstLead)*trails+int(raw[i+1]-firstTrail)]
		if r == 0 {
			return b, false
		}
		if i += 2; r >= 0x800 { // as nearly all
			o := out[n : n+3]
			o[0], o[1], o[2] = 0xE0|byte(r>>12), 0x80|byte(r>>6)&0xBF, 0x80|byte(r)&0xBF
			n += 3
		} else {
			n += utf8.EncodeRune(out[n:], rune(r))
		}
	}
	return b[:had+n], true
}

// The common Han characters: those of names that are their own deposit.NameKey.
const (
	firstHan = 0x4E00
	lastHan  = 0x9FA5
)

// twoByteHan is the UTF-8 of the common Han characters by their two-byte codes, three bytes from the lowest; 0 for others.
var twoByteHan = sync.OnceValue(func() *[leads * trails]uint32 {
	hans := new([leads * trails]uint32)
	for i, r := range twoByteRunes() {
		if r >= firstHan && r <= lastHan {
			hans[i] = 0xE0 | uint32(r>>12) | (0x80|uint32(r>>6&0x3F))<<8 | (0x80|uint32(r&0x3F))<<16
		}
	}
	return hans
})

// appendHan appends what a name of common Han characters in two-byte codes says; ok is false for any other name.
func appendHan(b, raw []byte) (name []byte, ok bool) {
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw)/2*3 > maxName {
		return b, false
	}
	hans, end := twoByteHan(), len(b)+len(raw)/2*3
	b = slices.Grow(b, maxName+1) // one byte more is written than belongs to the name
	for out := b[len(b) : end+1]; len(raw) >= 2 && len(out) >= 4; raw, out = raw[2:], out[3:] {
		lead, trail := raw[0]-firstLead, raw[1]-firstTrail
		if lead >= leads || trail >= trails {
			return b, false
		}
		han := hans[int(lead)*trails+int(trail)]
		if han == 0 {
			return b, false
		}
		binary.LittleEndian.PutUint32(out, han)
	}
	return b[:end], true
}

// highBits are those that no ASCII has, of eight bytes.
const highBits = 0x8080808080808080

// isASCII looks at eight bytes at a time.
func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&highBits != 0 {
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
