// Package custody keeps the master key, under which a database's own keys are wrapped: as a file that only its owner may
// read, or in the hands of custodians of whom some together have it and fewer have nothing.
package custody

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Key is a master key. It is printed as its ID, whatever the verb; only Text tells it.
type Key [32]byte

// New makes a key.
func New() (k Key) {
	_, _ = rand.Read(k[:]) // never fails, by its contract
	return k
}

// ID tells keys apart and nothing of them.
func (k Key) ID() string { return hex.EncodeToString(k.id()) }

func (k Key) id() []byte {
	sum := sha256.Sum256(append([]byte("depositd master key\x00"), k[:]...))
	return sum[:8]
}

// String is the ID.
func (k Key) String() string { return k.ID() }

// Format keeps every verb of fmt from printing the key.
func (k Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, k.ID()) }

// MarshalText keeps JSON from printing the key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.ID()), nil }

const (
	keyMark   = "depositd-key-1:"
	shareMark = "depositd-share-1:"
)

// What a text can come back with that is no key, or no share.
var (
	ErrText  = errors.New("not a key of depositd, or mistyped")
	ErrShare = errors.New("not a share of a key of depositd, or mistyped")
)

// Text is the key as its file holds it: one line, with a check sum against mistyping.
func (k Key) Text() string { return keyMark + withSum(k[:]) }

// Parse reads what Text gives; blanks around it do not matter.
func Parse(text string) (k Key, err error) {
	b, ok := body(text, keyMark, len(k))
	if !ok {
		return Key{}, ErrText
	}
	copy(k[:], b)
	return k, nil
}

var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const sumBytes = 4

func withSum(b []byte) string {
	sum := sha256.Sum256(b)
	return letters.EncodeToString(append(b[:len(b):len(b)], sum[:sumBytes]...))
}

func body(text, mark string, size int) ([]byte, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), mark)
	b, err := letters.DecodeString(rest)
	if !ok || err != nil || len(b) != size+sumBytes || withSum(b[:size]) != rest {
		return nil, false
	}
	return b[:size], true
}

// ErrOpen says that others may read a file that holds a key.
var ErrOpen = errors.New("others may read the file of the key: chmod 600")

// mostFile is more than any key or share is long.
const mostFile = 1 << 10

// ReadFile reads the text of a key or a share. ErrOpen unless the file is its owner's alone.
func ReadFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	at, err := f.Stat()
	if err != nil {
		return "", err
	}
	if at.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s: %w", name, ErrOpen)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostFile))
	return string(text), err
}

// WriteFile writes a text into a new file that only its owner may read, and to the disk. A file that is there stays as it is.
func WriteFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}
