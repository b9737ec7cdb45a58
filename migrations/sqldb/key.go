package sqldb

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
)

// ID is a random key of 63 bits. People and JSON see 13 characters of base 32; zero is "none" and prints as "".
type ID int64

var base32ID = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID makes a key that tells nothing about the order or the number of keys, not even of those next to it.
func NewID() ID { return ID(random()>>1 | 1) }

func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	return binary.BigEndian.Uint64(b[:])
}

// The keys of one commit lie in a window of 2^windowBits that begins anywhere.
const (
	windowBits = 40
	halfBits   = windowBits / 2
	halfMask   = 1<<halfBits - 1
)

// keys makes the keys of one commit. Rows that are written together so lie on the same few pages of their tables, where single
// random keys would change a page each. Within the window the keys are scattered: how far two of them lie apart tells neither
// their order nor how many were made besides, which would be how many paid (招标投标法 §22).
type keys struct {
	draw   func() ID
	window uint64 // where it begins; 0 before the first key
	rounds [4]uint64
	made   uint64
}

func (k *keys) next() ID {
	if k.window == 0 {
		k.window = uint64(k.draw())>>1&^(1<<windowBits-1) + 1<<windowBits
		for i := range k.rounds {
			k.rounds[i] = uint64(k.draw())
		}
	}
	k.made++
	return ID(k.window + scatter(k.made, &k.rounds))
}

// scatter is a permutation of the window (a Feistel network), so that no key comes twice.
func scatter(n uint64, rounds *[4]uint64) uint64 {
	left, right := n>>halfBits&halfMask, n&halfMask
	for _, round := range rounds {
		left, right = right, left^mixed(right^round)&halfMask
	}
	return left<<halfBits | right
}

// mixed lets every bit of a number change every bit (splitmix64).
func mixed(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// String is the form of a key for people and JSON.
func (id ID) String() string {
	if id == 0 {
		return ""
	}
	return base32ID.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// ParseID reads what String prints.
func ParseID(s string) (ID, error) {
	if s == "" {
		return 0, nil
	}
	b, err := base32ID.DecodeString(s)
	if err != nil || len(b) != 8 || b[0]&0x80 != 0 {
		return 0, fmt.Errorf("%q is not a key of 13 characters", s)
	}
	return ID(binary.BigEndian.Uint64(b)), nil
}

// MarshalText prints String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what ParseID reads.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
