package once

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// derive makes what a ticket needs from the key that only the caller has.
func (t Ticket) derive(purpose string, of []byte) []byte {
	mac := hmac.New(sha256.New, []byte(t.key))
	_, _ = mac.Write([]byte(purpose + "\x00" + t.caller + "\x00")) // a hash never fails
	_, _ = mac.Write(of)
	return mac.Sum(nil)
}

// name is what the key is kept as.
func (t Ticket) name() string { return hex.EncodeToString(t.derive("name", nil)) }

// fingerprint tells requests apart; of a request that could be guessed it tells nothing without the key.
func (t Ticket) fingerprint(says []byte) string {
	return hex.EncodeToString(t.derive("fingerprint", says))
}

func (t Ticket) cipher() cipher.AEAD {
	block, _ := aes.NewCipher(t.derive("answer", nil)) // 32 bytes
	sealer, _ := cipher.NewGCM(block)
	return sealer
}

// seal encrypts an answer. The nonce is made of the text, so that no two texts have the same one.
func (t Ticket) seal(a *Answer) []byte {
	text, _ := json.Marshal(a) // texts and bytes: never fails
	sealer := t.cipher()
	nonce := t.derive("nonce", text)[:sealer.NonceSize()]
	return sealer.Seal(nonce, nonce, text, nil)
}

func (t Ticket) open(kept []byte) (*Answer, error) {
	sealer := t.cipher()
	if len(kept) < sealer.NonceSize() {
		return nil, fmt.Errorf("a kept answer of %d bytes", len(kept))
	}
	text, err := sealer.Open(nil, kept[:sealer.NonceSize()], kept[sealer.NonceSize():], nil)
	if err != nil {
		return nil, fmt.Errorf("open a kept answer: %w", err)
	}
	a := &Answer{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	return a, nil
}
