package sqldb

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"depositd/migrations/custody"
)

// sealKey is a key of the database, wrapped by the master key.
type sealKey struct {
	ID      ID
	Purpose string
	Wrapped string
	Master  string
	MadeAt  time.Time
}

var sealKeys = NewTable("seal_keys", "id, purpose, wrapped, master, made_at", func(k *sealKey) []any {
	return []any{&k.ID, &k.Purpose, &k.Wrapped, &k.Master, Wall(&k.MadeAt)}
})

// The purposes. There is one key for tags for ever, and its ID is known, so that two processes cannot make two.
const (
	forRows = "ROWS"
	forTags = "TAGS"
	tagsID  = ID(1)
)

// rowsKeyLasts is how long a key seals new rows: with a nonce by chance, one may seal 2³² (NIST SP 800-38D, 8.3).
const rowsKeyLasts = 90 * 24 * time.Hour

// What Unlock and whatever needs the keys can come back with.
var (
	ErrLocked = errors.New("the database is locked: its master key was not given")
	ErrMaster = errors.New("the master key is not this database's")
	ErrNoTags = errors.New("the key for tags is missing among the keys of the database")
	ErrNoKeys = errors.New("the keys of the database are gone, and what they sealed is there")
)

// unwrapped is the keys of a database, ready for use; it is never changed.
type unwrapped struct {
	master    custody.Key
	rows      map[ID]cipher.AEAD
	current   cipher.AEAD // seals what is new
	currentID ID
	since     time.Time
	tags      []byte
	hashes    sync.Pool // of HMACs with tags, which cost more to make than to use
}

// ring holds the keys of a database while it is open.
type ring struct {
	db   *DB
	keys atomic.Pointer[unwrapped] // nil until it is unlocked
}

// Master is the ID of the master key that unlocks the database; "" while it has no keys yet, and ErrNoKeys where it had some.
func (db *DB) Master(ctx context.Context) (string, error) {
	its, err := Value[string](ctx, db, "SELECT COALESCE(MAX(master), '') FROM seal_keys")
	if err == nil && its == "" {
		err = db.neverHadKeys(ctx)
	}
	return its, err
}

// neverHadKeys is ErrNoKeys where something is sealed: other keys would open nothing of it, and hide that it is lost.
func (db *DB) neverHadKeys(ctx context.Context) error {
	some, err := db.anySealed(ctx)
	if err == nil && some {
		err = ErrNoKeys
	}
	return err
}

// anySealed says whether the database holds a sealed value, as far as this program declares them.
func (db *DB) anySealed(ctx context.Context) (bool, error) {
	for _, column := range VaultColumns() {
		table, name, _ := strings.Cut(column, ".")
		n, err := Value[int](ctx, db, "SELECT COUNT(*) FROM (SELECT 1 AS found FROM "+table+" WHERE "+name+" > X'' LIMIT 1) AS x")
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// Unlock unwraps the keys of the database, and makes those that are missing. Before it nothing sealed is read or written.
// ErrMaster when they are wrapped by another master key; ErrNoTags when that for tags is gone, without which nothing stored is
// found again; ErrNoKeys when those for rows are, and there are rows.
func (db *DB) Unlock(ctx context.Context, master custody.Key) error {
	for range attempts {
		held, err := db.ring.load(ctx, master)
		if err != nil {
			return err
		}
		if held.tags == nil && held.current != nil {
			return ErrNoTags
		}
		if held.current == nil {
			if err := db.neverHadKeys(ctx); err != nil {
				return err
			}
		}
		var fresh []sealKey
		if held.tags == nil {
			fresh = append(fresh, newSealKey(master, tagsID, forTags, db.Now()))
		}
		if held.current == nil || held.since.Add(rowsKeyLasts).Before(db.Now()) {
			fresh = append(fresh, newSealKey(master, NewID(), forRows, db.Now()))
		}
		if len(fresh) == 0 {
			db.ring.keys.Store(held)
			return nil
		}
		err = db.Write(ctx, "keys", func(tx *Tx) error { return sealKeys.Insert(ctx, tx, fresh...) })
		if err != nil && !errors.Is(err, ErrTaken) { // taken: another replica was faster
			return err
		}
	}
	return fmt.Errorf("%w: its keys could not be stored", ErrUnavailable)
}

// Rewrap wraps the keys of an unlocked database with another master key, and begins a new key for rows. What was sealed
// stays as it is. Run again it changes nothing but that.
func (db *DB) Rewrap(ctx context.Context, by string, next custody.Key) error {
	held, err := db.ring.held()
	if err != nil {
		return err
	}
	was := held.master
	err = db.Write(ctx, by, func(tx *Tx) error {
		stored, err := sealKeys.All(ctx, tx, "WHERE master = ? AND master <> ? ORDER BY id", was.ID(), next.ID())
		if err != nil {
			return err
		}
		for _, k := range stored {
			key, err := k.unwrap(was)
			if err != nil {
				return err
			}
			n, err := tx.Exec(ctx, "UPDATE seal_keys SET wrapped = ?, master = ? WHERE id = ? AND master = ?", wrap(next, k.ID, k.Purpose, key), next.ID(), k.ID, was.ID())
			if err == nil && n != 1 {
				err = ErrStale
			}
			if err != nil {
				return err
			}
			if err := tx.Note(ctx, "seal_keys", k.ID, "REWRAPPED", was.ID()+" → "+next.ID()); err != nil {
				return err
			}
		}
		return sealKeys.Insert(ctx, tx, newSealKey(next, tx.NewID(), forRows, tx.Now))
	})
	if err != nil {
		return err
	}
	return db.Unlock(ctx, next)
}

// load reads the keys and unwraps them.
func (r *ring) load(ctx context.Context, master custody.Key) (*unwrapped, error) {
	stored, err := sealKeys.All(ctx, r.db, "ORDER BY made_at, id")
	if err != nil {
		return nil, err
	}
	held := &unwrapped{master: master, rows: map[ID]cipher.AEAD{}}
	for _, k := range stored {
		key, err := k.unwrap(master)
		if err != nil {
			return nil, err
		}
		if k.Purpose == forTags {
			held.tags = key
			held.hashes.New = func() any { return hmac.New(sha256.New, key) }
			continue
		}
		if held.current, err = gcm(key); err != nil {
			return nil, err
		}
		held.rows[k.ID], held.currentID, held.since = held.current, k.ID, k.MadeAt
	}
	return held, nil
}

func (r *ring) held() (*unwrapped, error) {
	if r == nil || r.keys.Load() == nil {
		return nil, ErrLocked
	}
	return r.keys.Load(), nil
}

// key finds the key of a sealed value; one that another replica has begun meanwhile is read.
func (r *ring) key(id ID) (cipher.AEAD, error) {
	held, err := r.held()
	if err != nil {
		return nil, err
	}
	if key := held.rows[id]; key != nil {
		return key, nil
	}
	if held, err = r.load(context.Background(), held.master); err != nil {
		return nil, err
	}
	r.keys.Store(held)
	if key := held.rows[id]; key != nil {
		return key, nil
	}
	return nil, ErrSealed
}

func newSealKey(master custody.Key, id ID, purpose string, now time.Time) sealKey {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, by its contract
	return sealKey{ID: id, Purpose: purpose, Wrapped: wrap(master, id, purpose, key), Master: master.ID(), MadeAt: now}
}

// wrap encrypts a key under the master key, bound to its row.
func wrap(master custody.Key, id ID, purpose string, key []byte) string {
	aead, err := gcm(master[:])
	if err != nil {
		panic(err) // a key of 32 bytes is one
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(nil, nil, key, wrapBound(id, purpose)))
}

func wrapBound(id ID, purpose string) []byte { return []byte("seal_keys\x00" + id.String() + purpose) }

func (k *sealKey) unwrap(master custody.Key) ([]byte, error) {
	if k.Master != master.ID() {
		return nil, fmt.Errorf("%w: it is %s, the keys were wrapped by %s", ErrMaster, master.ID(), k.Master)
	}
	aead, err := gcm(master[:])
	if err != nil {
		return nil, err
	}
	box, err := base64.StdEncoding.DecodeString(k.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, ErrSealed)
	}
	key, err := aead.Open(nil, nil, box, wrapBound(k.ID, k.Purpose))
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, ErrSealed)
	}
	return key, nil
}

// gcm is AES-256-GCM with a nonce by chance before each ciphertext.
func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
