package bank

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// Scheme is a way to prove that a message is a bank's own.
type Scheme string

// The schemes. NoSeal is for leased lines and must be written out in banks.yaml: what is merely forgotten is refused.
const (
	HMACSHA256 Scheme = "hmac-sha256" // Standard Webhooks 1.0.0, symmetric (v1)
	NoSeal     Scheme = "none"
)

// scheme is what a scheme does. A new one is a row here.
type scheme struct {
	keyed  bool                                    // needs keys
	verify func(keys [][]byte, s sealed) error     // nil: believed
	id     func(header func(string) string) string // the sender's signed id of the message; nil: it has none
}

var schemes = map[Scheme]scheme{
	HMACSHA256: {keyed: true, verify: verifyWebhook, id: func(header func(string) string) string { return header(headerID) }},
	NoSeal:     {verify: func([][]byte, sealed) error { return nil }},
}

// Schemes lists the schemes' names.
func Schemes() []Scheme { return slices.Sorted(maps.Keys(schemes)) }

// Seal is how a bank proves that a message is its own. The zero Seal believes nobody. It prints without its keys.
type Seal struct {
	Scheme Scheme
	Files  []string // the key files' names as banks.yaml has them
	keys   [][]byte // in the order of Files; several while one is being replaced by the next
}

// SealWith is a seal of a scheme with keys of at least 24 bytes each, as ParseKey gives them.
func SealWith(s Scheme, keys ...[]byte) Seal { return Seal{Scheme: s, keys: keys} }

// Format prints a seal without its keys, whatever the verb.
func (s Seal) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s（密钥 %d 把，已隐去）", string(s.Scheme), len(s.keys))
}

// Doubt is why a message is not believed. To the outside all doubts are one Denied Refusal, "unauthenticated", so that a
// stranger cannot feel his way; the code and text are for our own records.
type Doubt struct {
	Code string // stable: seal_missing seal_malformed seal_wrong seal_stale seal_unknown
	Text string // in Chinese
}

// Error is the reason: for logs and records, not for the caller.
func (d *Doubt) Error() string { return d.Code + ": " + d.Text }

// Unwrap gives the one refusal that the outside sees.
func (d *Doubt) Unwrap() error { return unauthenticated }

var unauthenticated = deposit.Refuse(deposit.Denied, "unauthenticated", "报文未通过身份验证")

// Reason gives what is recorded of a refused message: a doubt's own code and text, or the refusal's.
func Reason(err error) (code, text string) {
	if doubt := (*Doubt)(nil); errors.As(err, &doubt) {
		return doubt.Code, doubt.Text
	}
	refusal := deposit.AsRefusal(err)
	return refusal.Code, refusal.Text
}

// sealed is what a scheme looks at.
type sealed struct {
	header func(string) string
	body   io.ReadSeeker
	now    time.Time
}

// Verify proves a message by its headers and raw bytes, before anything is decoded. An error is a *Doubt.
func (s Seal) Verify(header func(string) string, body []byte, now time.Time) error {
	return s.VerifyFile(header, bytes.NewReader(body), now)
}

// VerifyFile is Verify for a file too long to be held in memory, which it reads once for each key. An error that is no
// *Doubt is the file's.
func (s Seal) VerifyFile(header func(string) string, body io.ReadSeeker, now time.Time) error {
	how, ok := schemes[s.Scheme]
	if !ok {
		return &Doubt{"seal_unknown", "该银行没有配置验签方式（banks.yaml 的 seal）"}
	}
	if header == nil {
		header = func(string) string { return "" }
	}
	return how.verify(s.keys, sealed{header, body, now})
}

// messageID is the id that the sender gave the message and signed; "" where the scheme has none.
func (s Seal) messageID(header func(string) string) string {
	if id := schemes[s.Scheme].id; id != nil && header != nil {
		return id(header)
	}
	return ""
}

// The headers of Standard Webhooks.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

// maxSkew is how far a message's timestamp may be from our clock, either way; Standard Webhooks leaves it open, five
// minutes is what its libraries take. Replays within it are told by the message's id, in the database.
const maxSkew = 5 * time.Minute

// maxSignatures bounds the work of one message; a sender has one a key, and two keys during a change.
const maxSignatures = 8

var (
	// A full stop divides what is signed; an id that holds one could be read as another id and time.
	webhookID        = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	webhookTimestamp = regexp.MustCompile(`^[1-9][0-9]{0,11}$`)
)

// verifyWebhook looks at the signature before the age, so that the record tells a clock gone wrong from a stranger.
func verifyWebhook(keys [][]byte, s sealed) error {
	id, stamp, signatures := s.header(headerID), s.header(headerTimestamp), strings.Fields(s.header(headerSignature))
	switch {
	case id == "" || stamp == "" || len(signatures) == 0:
		return &Doubt{"seal_missing", "缺少 webhook-id、webhook-timestamp 或 webhook-signature 报文头"}
	case !webhookID.MatchString(id):
		return &Doubt{"seal_malformed", "webhook-id 应为 1 到 64 个字母、数字、下划线或连字符"}
	case !webhookTimestamp.MatchString(stamp):
		return &Doubt{"seal_malformed", "webhook-timestamp 应为 Unix 秒数"}
	case len(signatures) > maxSignatures:
		return &Doubt{"seal_malformed", "webhook-signature 中的签名过多"}
	}
	signed, err := anySigned(keys, id, stamp, s.body, signatures)
	if err != nil {
		return err
	}
	if !signed {
		return &Doubt{"seal_wrong", "签名与任何一把密钥都不符"}
	}
	seconds, _ := strconv.ParseInt(stamp, 10, 64) // twelve digits at most
	if age := s.now.Sub(time.Unix(seconds, 0)); age > maxSkew || age < -maxSkew {
		return &Doubt{"seal_stale", fmt.Sprint("签名正确，但时间戳与本机时钟相差 ", age.Round(time.Second), "，超过 ", maxSkew)}
	}
	return nil
}

// anySigned compares every signature under every key, in constant time each.
func anySigned(keys [][]byte, id, stamp string, body io.ReadSeeker, signatures []string) (signed bool, err error) {
	for _, key := range keys {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return false, fmt.Errorf("read what is signed: %w", err)
		}
		signature, err := sign(key, id, stamp, body)
		if err != nil {
			return false, err
		}
		want := []byte(signature)
		for _, got := range signatures {
			signed = hmac.Equal(want, []byte(got)) || signed
		}
	}
	return signed, nil
}

// SignWebhook gives the webhook-signature header, "v1,…", of a message sent at an instant under an id without full stops.
// The webhook-timestamp header is the instant's Unix seconds.
func SignWebhook(key []byte, id string, at time.Time, body []byte) string {
	signature, _ := sign(key, id, strconv.FormatInt(at.Unix(), 10), bytes.NewReader(body)) // memory never fails to be read
	return signature
}

func sign(key []byte, id, stamp string, body io.Reader) (string, error) {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+stamp+".") // a hash never fails
	if _, err := io.Copy(mac, body); err != nil {
		return "", fmt.Errorf("read what is signed: %w", err)
	}
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// minKey is what Standard Webhooks asks of a symmetric key: 192 bits.
const minKey = 24

// ParseKey reads a key file: "whsec_" and base64, as Standard Webhooks writes keys, or else the bytes themselves without
// blanks at the ends. A key shorter than 24 bytes is an Invalid Refusal.
func ParseKey(file []byte) ([]byte, error) {
	text := strings.TrimSpace(string(file))
	key := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return nil, deposit.Refuse(deposit.Invalid, "key_malformed", "whsec_ 之后不是有效的 base64")
		}
	}
	if len(key) < minKey {
		return nil, deposit.Refuse(deposit.Invalid, "key_too_short", "密钥只有 ", len(key), " 字节，至少 ", minKey, " 字节")
	}
	return key, nil
}
