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

// widestGap is below what two keys of one commit lie apart at most.
const widestGap = 1 << 24

// keys makes the keys of one commit: the first anywhere, each further one a random step behind the last. Rows that are
// written together so lie on the same few pages of their tables, where single random keys would change a page each. A key
// still tells nothing of other commits, nor how many keys lie between two of the same.
type keys struct{ last uint64 }

func (k *keys) next() ID {
	if k.last == 0 {
		k.last = random() >> 2 // room enough behind it
	}
	k.last += 1 + random()%widestGap
	return ID(k.last)
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
