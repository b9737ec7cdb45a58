package people

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// KeySize is how many bytes the key has that seals the second factors' secrets.
const KeySize = 32

// sealer keeps what must be read again, so that it cannot be hashed, from whoever has the database alone: AES-256-GCM, and the
// row's key goes into the seal, so that one person's secret does not open as another's.
type sealer struct{ gcm cipher.AEAD }

func newSealer(key []byte) (*sealer, error) {
	if len(key) != KeySize {
		return nil, errors.New("people: the sealing key must have 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	return &sealer{gcm}, err
}

func (s *sealer) seal(row sqldb.ID, plain []byte) string {
	nonce := make([]byte, s.gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails, by its contract
	return base64.RawStdEncoding.EncodeToString(s.gcm.Seal(nonce, nonce, plain, []byte(row.String())))
}

// open fails where the text was sealed with another key or for another row.
func (s *sealer) open(row sqldb.ID, text string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) < s.gcm.NonceSize() {
		return nil, errors.New("people: a sealed secret is cut")
	}
	plain, err := s.gcm.Open(nil, raw[:s.gcm.NonceSize()], raw[s.gcm.NonceSize():], []byte(row.String()))
	if err != nil {
		return nil, deposit.Refuse(deposit.Unavailable, "secret_key_differs", "密钥文件与封存时的不同，动态口令无法核对：请运维员检查 --secret-key-file（各副本须用同一文件）")
	}
	return plain, nil
}
