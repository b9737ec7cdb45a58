package bank

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// Seal is how a bank proves that a message is its own. The zero Seal believes nobody. It prints without its keys.
type Seal struct {
	Scheme Scheme
	Door   Door  // what the connection itself has to prove
	Keys   []Key // in the order of banks.yaml; two are valid at once while one is being replaced by the next
}

// SealWith is a symmetric seal, or none, with keys of at least 24 bytes each, as ParseKey gives them; they are known as
// k1, k2 and so on and valid for ever.
func SealWith(s Scheme, keys ...[]byte) Seal {
	seal := Seal{Scheme: s}
	for i, key := range keys {
		seal.Keys = append(seal.Keys, Key{ID: "k" + strconv.Itoa(i+1), proof: macKey{schemes[s].hash, key}})
	}
	return seal
}

// Format prints a seal without its keys, whatever the verb.
func (s Seal) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s（密钥 %d 把，已隐去）", string(s.Scheme), len(s.Keys))
}

// Weak says that nothing but the network tells this bank from a stranger: neither a signature, nor a certificate, nor an
// address. Such a seal is for a front-end machine that reaches us over the loopback interface alone.
func (s Seal) Weak() bool { return s.Scheme == NoSeal && s.Door.open() }

// Doubt is why a message is not believed. To the outside all doubts are one Denied Refusal, "unauthenticated", so that a
// stranger cannot feel his way; the code and text are for the security log.
type Doubt struct {
	Code string // stable: seal_unknown seal_peer seal_missing seal_malformed seal_stale seal_key seal_wrong
	Text string // in Chinese
}

// Error is the reason: for logs and records, not for the caller.
func (d *Doubt) Error() string { return d.Code + ": " + d.Text }

// Unwrap gives the one refusal that the outside sees.
func (d *Doubt) Unwrap() error { return ErrUnbelieved }

// ErrUnbelieved is all that a stranger hears, of a bank that there is as of one that there is not.
var ErrUnbelieved error = deposit.Refuse(deposit.Denied, "unauthenticated", "报文未通过身份验证")

// Reason gives what is recorded of a refused message: a doubt's own code and text, or the refusal's.
func Reason(err error) (code, text string) {
	if doubt := (*Doubt)(nil); errors.As(err, &doubt) {
		return doubt.Code, doubt.Text
	}
	refusal := deposit.AsRefusal(err)
	return refusal.Code, refusal.Text
}

// Envelope is what a message came in: what is signed with it, and what its connection proves.
type Envelope struct {
	Header       func(name string) string // "" for a header that is missing or stands there twice; nil where the way has none
	Method, Path string                   // of the HTTP request
	Peer         Peer
	At           time.Time // when it came
}

func (e Envelope) header(name string) string {
	if e.Header == nil {
		return ""
	}
	return e.Header(name)
}

// Believe proves a message by its envelope and raw bytes, before anything is decoded; it reads them once for each key that
// may be the right one. An error that is no *Doubt is the reading's. The order is that of the safety page, §7.1: what costs
// least and tells least comes first – the connection, the form of the headers, the age, the key, and the signature at last.
func (b *Bank) Believe(e Envelope, body io.ReadSeeker) error {
	h, keys, err := b.examine(e)
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, key := range keys {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read what is signed: %w", err)
		}
		signed, err := h.signedBy(key, b.Code, body)
		if err != nil || signed {
			return err
		}
	}
	return &Doubt{"seal_wrong", "签名与任何一把有效密钥都不符"}
}

// Admit is Believe as far as it goes without the body.
func (b *Bank) Admit(e Envelope) error {
	_, _, err := b.examine(e)
	return err
}

// examine gives the keys that may have signed; none, without an error, where nothing has to be signed.
func (b *Bank) examine(e Envelope) (head, []Key, error) {
	how, known := schemes[b.Seal.Scheme]
	if !known {
		return head{}, nil, &Doubt{"seal_unknown", "该银行没有配置验签方式（banks.yaml 的 seal）"}
	}
	if err := b.Seal.Door.admit(e.Peer); err != nil || how.parse == nil {
		return head{}, nil, err
	}
	h, err := readHead(e, how)
	if err != nil {
		return h, nil, err
	}
	keys := b.Seal.valid(h.keyID, e.At)
	if len(keys) == 0 {
		return h, nil, &Doubt{"seal_key", "没有这个编号的有效密钥（不存在、尚未生效或已过期）"}
	}
	return h, keys, nil
}

// messageID is the id that the sender gave the message and signed; "" where the scheme has none.
func (s Seal) messageID(e Envelope) string {
	if schemes[s.Scheme].parse == nil {
		return ""
	}
	return e.header(headerID)
}

// The headers, which are those of Standard Webhooks and one for the key's id.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
	headerKeyID     = "webhook-key-id"
)

// maxSkew is how far a message's timestamp may be from our clock, either way; Standard Webhooks leaves it open, five
// minutes is what its libraries take. Replays within it are told by the message's id, in the database.
const maxSkew = 5 * time.Minute

// maxSignatures bounds the work of one message; a sender has one a key, and two keys during a change.
const maxSignatures = 8

var (
	// A full stop divides what is signed; an id that holds one could be read as another id and time.
	plainID          = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	wholeID          = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`) // shorter ones collide
	keyID            = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	webhookTimestamp = regexp.MustCompile(`^[1-9][0-9]{0,11}$`)
)

// head is what the headers of a message say.
type head struct {
	id, stamp, keyID string
	method, path     string
	signatures       [][]byte
}

// readHead reads the headers. A header that is there twice counts as missing: two readers could take another one each.
func readHead(e Envelope, how scheme) (head, error) {
	h := head{id: e.header(headerID), stamp: e.header(headerTimestamp), keyID: e.header(headerKeyID), method: e.Method, path: e.Path}
	said := strings.Fields(e.header(headerSignature))
	switch {
	case h.id == "" || h.stamp == "" || len(said) == 0:
		return h, &Doubt{"seal_missing", "缺少 webhook-id、webhook-timestamp 或 webhook-signature 报文头（或重复出现）"}
	case h.keyID == "" && !how.plain:
		return h, &Doubt{"seal_missing", "缺少 webhook-key-id 报文头（密钥编号）"}
	case h.keyID == "" && !plainID.MatchString(h.id), h.keyID != "" && !wholeID.MatchString(h.id):
		return h, &Doubt{"seal_malformed", "webhook-id 应为 16 到 64 个字母、数字、下划线或连字符（无 webhook-key-id 时 1 到 64 个）"}
	case h.keyID != "" && !keyID.MatchString(h.keyID):
		return h, &Doubt{"seal_malformed", "webhook-key-id 应为 1 到 32 个字母、数字、下划线或连字符"}
	case !webhookTimestamp.MatchString(h.stamp):
		return h, &Doubt{"seal_malformed", "webhook-timestamp 应为 Unix 秒数"}
	case len(said) > maxSignatures:
		return h, &Doubt{"seal_malformed", "webhook-signature 中的签名过多"}
	}
	seconds, _ := strconv.ParseInt(h.stamp, 10, 64) // twelve digits at most
	if age := e.At.Sub(time.Unix(seconds, 0)); age > maxSkew || age < -maxSkew {
		return h, &Doubt{"seal_stale", fmt.Sprint("时间戳与本机时钟相差 ", age.Round(time.Second), "，超过 ", maxSkew)}
	}
	for _, one := range said {
		mark, encoded, _ := strings.Cut(one, ",")
		if signature, err := base64.StdEncoding.Strict().DecodeString(encoded); err == nil && mark == how.mark {
			h.signatures = append(h.signatures, signature)
		}
	}
	return h, nil
}

// prefix is what is signed before the body. Without a key's id it is that of Standard Webhooks; with one it names the bank,
// the key and the way as well, so that a message is good for nothing else.
func (h head) prefix(bank string) string {
	if h.keyID == "" {
		return h.id + "." + h.stamp + "."
	}
	return strings.Join([]string{"v1", bank, h.keyID, h.id, h.stamp, h.method, h.path, ""}, ".")
}

// signedBy holds every signature against a key, in constant time where the key is a secret.
func (h head) signedBy(key Key, bank string, body io.Reader) (signed bool, err error) {
	digest, err := key.proof.digest()
	if err != nil {
		return false, err
	}
	_, _ = io.WriteString(digest, h.prefix(bank)) // a hash never fails
	if _, err := io.Copy(digest, body); err != nil {
		return false, fmt.Errorf("read what is signed: %w", err)
	}
	sum := digest.Sum(nil)
	for _, signature := range h.signatures {
		signed = key.proof.believes(sum, signature) || signed
	}
	return signed, nil
}
