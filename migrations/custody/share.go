package custody

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// Share is one custodian's part of a key (Shamir, "How to Share a Secret", 1979, over GF(2⁸)): Needed of them give the key,
// fewer give nothing, not even a guess.
type Share struct {
	Number int // from 1
	Needed int
	id     []byte // of the key, so that shares of two keys are not mixed
	part   Key    // as long as one
}

// Key is the ID of the key that it is a share of.
func (s *Share) Key() string { return hex.EncodeToString(s.id) }

// Text is the share as its file holds it.
func (s *Share) Text() string {
	return shareMark + withSum(append(append([]byte{byte(s.Number), byte(s.Needed)}, s.id...), s.part[:]...))
}

// ParseShare reads what Text gives.
func ParseShare(text string) (s Share, err error) {
	b, ok := body(text, shareMark, 2+8+len(s.part))
	if !ok || b[0] == 0 || b[1] < 2 {
		return s, ErrShare
	}
	s.Number, s.Needed, s.id = int(b[0]), int(b[1]), b[2:10]
	copy(s.part[:], b[10:])
	return s, nil
}

// Split makes so many shares of a key, of which needed give it back: 2 ≤ needed ≤ shares ≤ 255.
func Split(k Key, shares, needed int) ([]Share, error) {
	if needed < 2 || shares < needed || shares > 255 {
		return nil, errors.New("of 2 to 255 shares, at least 2 and at most all must be needed")
	}
	all := make([]Share, shares)
	for i := range all {
		all[i] = Share{Number: i + 1, Needed: needed, id: k.id()}
	}
	curve := make([]byte, needed) // of one byte of the key: its coefficients, the byte itself the first
	for at := range k {
		_, _ = rand.Read(curve)
		curve[0] = k[at]
		for i := range all {
			all[i].part[at] = valueAt(curve, byte(all[i].Number))
		}
	}
	return all, nil
}

// What Combine can come back with.
var (
	ErrFew    = errors.New("too few shares")
	ErrMixed  = errors.New("the shares are not of one key")
	ErrForged = errors.New("the shares do not give the key that they name")
)

// Combine gives the key of shares, which may be more than are needed and may hold one of them twice.
func Combine(shares ...Share) (k Key, err error) {
	var numbers []byte
	var parts []Key
	for i := range shares {
		s := &shares[i]
		if !bytes.Equal(s.id, shares[0].id) || s.Needed != shares[0].Needed {
			return k, ErrMixed
		}
		if bytes.IndexByte(numbers, byte(s.Number)) < 0 {
			numbers, parts = append(numbers, byte(s.Number)), append(parts, s.part)
		}
	}
	if len(shares) == 0 || len(numbers) < shares[0].Needed {
		return k, fmt.Errorf("%w: %d", ErrFew, len(numbers))
	}
	for i, part := range parts {
		weight := weightAtZero(numbers, i)
		for at := range k {
			k[at] ^= times(part[at], weight)
		}
	}
	if !bytes.Equal(k.id(), shares[0].id) {
		return Key{}, ErrForged
	}
	return k, nil
}

// valueAt is the curve's value at x, by Horner's rule.
func valueAt(curve []byte, x byte) (y byte) {
	for i := len(curve) - 1; i >= 0; i-- {
		y = times(y, x) ^ curve[i]
	}
	return y
}

// weightAtZero is Lagrange's weight of the i-th point for the value at zero; minus is plus in GF(2⁸).
func weightAtZero(numbers []byte, i int) byte {
	weight := byte(1)
	for j, x := range numbers {
		if j != i {
			weight = times(weight, times(x, inverse(x^numbers[i])))
		}
	}
	return weight
}

// times multiplies in GF(2⁸) modulo x⁸+x⁴+x³+x+1, without a table or a branch that would tell the factors by its time.
func times(a, b byte) (product byte) {
	for range 8 {
		product ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return product
}

// inverse is a²⁵⁴; of zero, which Combine never asks for, zero.
func inverse(a byte) byte {
	power := a
	for range 6 {
		power = times(times(power, power), a)
	}
	return times(power, power)
}
