package sqldb

import (
	"bytes"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/bits"
	"slices"
)

// Sealing at rest. What names a payer or a bidder, and what banks sent, stands in the database only encrypted: a copy of it,
// of its log, a backup or a dump tells nothing of it without the master key. It stays so for ever; opening a lot changes who
// may read, and not what is stored. One column holds all secrets of a row. What a statement has to look for stands beside it
// as a tag, which is the same for the same text, and which nobody can work out without the key.
//
//	row := func(e *Entry) []any { return []any{&e.ID, Tag("entries.payer", &e.PayerKey), Sealed("entries", &e.ID, &e.PayerName, &e.PayerKey)} }

// Sealed lets texts and bytes (*string, *[]byte) of a row be stored together in one encrypted column. The row's key has to
// stand before it among the columns: a sealed value that was moved to another row or table does not open. A missing row of a
// LEFT JOIN is read as empty.
func Sealed(table string, id *ID, secrets ...any) any {
	return &sealed{table: table, id: id, secrets: secrets}
}

// SealedIfAny is Sealed where most rows have nothing to seal, which is no secret: they store an empty value.
func SealedIfAny(table string, id *ID, secrets ...any) any {
	return &sealed{table: table, id: id, secrets: secrets, sparse: true}
}

// SealedAt is Sealed for a row that is the part of a whole: it is bound to its place in that too, and does not open at another.
// The places have to stand before it among the columns, as the whole's key has. What was sealed before there were places opens
// without them.
func SealedAt(table string, id *ID, places []*int, secrets ...any) any {
	return &sealed{table: table, id: id, places: places, secrets: secrets}
}

// Tag lets a text be looked for that is stored sealed. As an argument or on its way into a column it is the text's tag, of
// this place; on its way out it leaves the text to the sealed column. An empty text has the empty tag.
func Tag(place string, text *string) any { return &tagged{place: place, text: text} }

// Tags is Tag for a list of texts, such as that of an IN.
func Tags(place string, texts []string) []any {
	all := make([]any, len(texts))
	for i := range texts {
		all[i] = Tag(place, &texts[i])
	}
	return all
}

// Tag is the tag as a text. ErrLocked without the master key.
func (db *DB) Tag(place, text string) (string, error) { return db.ring.tag(place, text) }

// Tag is the tag as a text.
func (tx *Tx) Tag(place, text string) (string, error) { return tx.ring.tag(place, text) }

// withKeys is a field or an argument that needs the keys of the database it is written to or read from.
type withKeys interface{ take(*ring) }

// handKeys gives the keys to those that need them.
func handKeys(values []any, r *ring) {
	for _, v := range values {
		if v, ok := v.(withKeys); ok {
			v.take(r)
		}
	}
}

type sealed struct {
	table   string
	id      *ID
	places  []*int
	secrets []any
	sparse  bool // nothing is stored as nothing
	ring    *ring

	room, plain []byte // of a field that reads or writes row after row
	rest        []byte // of plain, behind the secrets
}

func (s *sealed) take(r *ring) { s.ring = r }

// Value implements driver.Valuer.
func (s *sealed) Value() (driver.Value, error) {
	if s.sparse && !slices.ContainsFunc(s.secrets, func(secret any) bool { return len(bytesOf(secret)) > 0 }) {
		return []byte{}, nil
	}
	return s.ring.seal(s.form(), s.bound(s.form()), s.packed())
}

// Scan implements sql.Scanner.
func (s *sealed) Scan(src any) error {
	var box []byte
	switch src := src.(type) {
	case nil:
		return s.unpack(nil)
	case []byte:
		box = src
	case string:
		box = []byte(src)
	}
	if s.sparse && len(box) == 0 {
		return s.unpack(nil)
	}
	plain, err := s.ring.open(s.plain[:0], s.bound(formOf(box)), box)
	if err != nil {
		return fmt.Errorf("a sealed value of %s %s: %w", s.table, *s.id, err)
	}
	s.plain = plain
	return s.unpack(plain)
}

func (s *sealed) form() byte {
	if len(s.places) > 0 {
		return placedForm
	}
	return gcmForm
}

func formOf(box []byte) byte {
	if len(box) == 0 {
		return plainForm
	}
	return box[0]
}

// bound is what a value of the form is bound to.
func (s *sealed) bound(form byte) []byte {
	s.room = append(append(s.room[:0], s.table...), 0)
	s.room = binary.BigEndian.AppendUint64(s.room, uint64(*s.id))
	if form == placedForm {
		for _, place := range s.places {
			s.room = binary.BigEndian.AppendUint64(s.room, uint64(*place))
		}
	}
	return s.room
}

// packed is the secrets one after the other, each after its length, filled up with zeros, so that the size of what is stored
// tells little.
func (s *sealed) packed() []byte {
	size := 0
	for _, secret := range s.secrets {
		size += binary.MaxVarintLen32 + len(bytesOf(secret))
	}
	s.plain = slices.Grow(s.plain[:0], roomy(size))
	for _, secret := range s.secrets {
		b := bytesOf(secret)
		s.plain = append(binary.AppendUvarint(s.plain, uint64(len(b))), b...)
	}
	used := len(s.plain)
	s.plain = s.plain[:roomy(used)]
	clear(s.plain[used:]) // it may hold the row before
	return s.plain
}

func bytesOf(secret any) []byte {
	switch v := secret.(type) {
	case *string:
		return []byte(*v)
	case *[]byte:
		return *v
	}
	panic(fmt.Sprintf("a %T cannot be sealed", secret))
}

// leastSealed is the size that the secrets of nearly every row fit in.
const leastSealed = 256

// roomy is the next size for so many bytes: of small ones the next multiple of 256, of large ones that of the power of two
// which is at least their eighth.
func roomy(n int) int {
	step := max(leastSealed, 1<<bits.Len(uint(n/8)))
	return (n/step + 1) * step
}

var errUnpack = errors.New("it holds something else")

func (s *sealed) unpack(plain []byte) error {
	for _, secret := range s.secrets {
		n, used := uint64(0), 0
		if len(plain) > 0 {
			if n, used = binary.Uvarint(plain); used <= 0 || n > uint64(len(plain)-used) {
				return errUnpack
			}
		}
		one := plain[used : used+int(n)]
		plain = plain[used+int(n):]
		switch v := secret.(type) {
		case *string:
			*v = string(one)
		case *[]byte:
			*v = bytes.Clone(one)
		}
	}
	s.rest = plain
	return nil
}

type tagged struct {
	place string
	text  *string
	ring  *ring
}

func (t *tagged) take(r *ring) { t.ring = r }

// Value implements driver.Valuer.
func (t *tagged) Value() (driver.Value, error) { return t.ring.tag(t.place, *t.text) }

// Scan implements sql.Scanner.
func (*tagged) Scan(any) error { return nil }

// tagBytes is how much of the HMAC is stored: two of a billion texts have the same with one chance in 10²⁰.
const tagBytes = 16

func (r *ring) tag(place, text string) (string, error) {
	keys, err := r.held()
	if err != nil || text == "" {
		return "", err
	}
	if seeded(bugUnsealed) {
		return text, nil
	}
	h := keys.hashes.Get().(hash.Hash)
	defer keys.hashes.Put(h)
	h.Reset()
	var room [sha256.Size]byte
	h.Write(append(append(append(room[:0], place...), 0), text...))
	return base64.RawURLEncoding.EncodeToString(h.Sum(room[:0])[:tagBytes]), nil
}

// The first byte of a sealed value says how it was sealed; then come the key's ID, and nonce, ciphertext and tag of
// AES-256-GCM. plainForm is what a build with the seeded bug writes and reads.
const (
	plainForm  = 0
	gcmForm    = 1
	placedForm = 2 // the same, bound to a place as well
	headBytes  = 9
)

func (r *ring) seal(form byte, bound, plain []byte) ([]byte, error) {
	keys, err := r.held()
	if err != nil {
		return nil, err
	}
	if seeded(bugUnsealed) {
		return append([]byte{plainForm}, plain...), nil
	}
	box := make([]byte, headBytes, headBytes+keys.current.Overhead()+len(plain))
	box[0] = form
	binary.BigEndian.PutUint64(box[1:], uint64(keys.currentID))
	return keys.current.Seal(box, nil, plain, append(bound, box[:headBytes]...)), nil
}

// Unseal opens a sealed value as it stands in the database: its secrets one after the other, each after its length. places is
// where in a whole it stands.
func (db *DB) Unseal(table string, id ID, box []byte, places ...int) ([]byte, error) {
	s := &sealed{table: table, id: &id}
	for i := range places {
		s.places = append(s.places, &places[i])
	}
	return db.ring.open(nil, s.bound(formOf(box)), box)
}

// SealText seals a text that is kept outside of the database. ErrLocked without the master key.
func (db *DB) SealText(place, text string) (string, error) {
	s := &sealed{table: place, id: new(ID), secrets: []any{&text}}
	box, err := db.ring.seal(gcmForm, s.bound(gcmForm), s.packed())
	return base64.RawURLEncoding.EncodeToString(box), err
}

// OpenText opens what SealText sealed. ErrSealed when it did not, or with keys that the database has no more.
func (db *DB) OpenText(place, text string) (opened string, err error) {
	box, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", ErrSealed
	}
	s := &sealed{table: place, id: new(ID), secrets: []any{&opened}, ring: db.ring}
	return opened, s.Scan(box)
}

// ErrSealed says that a sealed value does not open: it was changed or moved, or it never was one.
var ErrSealed = errors.New("it does not open: it was changed, moved or never sealed")

// open appends what a sealed value says to room.
func (r *ring) open(room, bound, box []byte) ([]byte, error) {
	if seeded(bugUnsealed) && len(box) > 0 && box[0] == plainForm {
		return append(room, box[1:]...), nil
	}
	if len(box) < headBytes || box[0] != gcmForm && box[0] != placedForm {
		return nil, ErrSealed
	}
	key, err := r.key(ID(binary.BigEndian.Uint64(box[1:])))
	if err != nil {
		return nil, err
	}
	plain, err := key.Open(room, nil, box[headBytes:], append(bound, box[:headBytes]...))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}
