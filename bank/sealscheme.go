package bank

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	hashes "hash"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/smx509"

	"depositd/platform/deposit"
)

// Scheme is a way to prove that a message is a bank's own.
type Scheme string

// The schemes. NoSeal is for leased lines and must be written out in banks.yaml: what is merely forgotten is refused.
const (
	HMACSHA256 Scheme = "hmac-sha256"    // without webhook-key-id: Standard Webhooks 1.0.0, symmetric (v1)
	HMACSM3    Scheme = "hmac-sm3"       // GB/T 32905, GB/T 15852.2
	SM2SM3     Scheme = "sm2-sm3"        // GB/T 32918.2, the user id 1234567812345678 of GM/T 0009; ASN.1 or r‖s
	RSASHA256  Scheme = "rsa-sha256"     // RFC 8017 PKCS #1 v1.5
	RSAPSS     Scheme = "rsa-pss-sha256" // RFC 8017 PSS
	NoSeal     Scheme = "none"
)

// scheme is what a scheme does. A new one is a row here.
type scheme struct {
	mark   string             // stands before a signature and a comma, so that no scheme's is taken for another's
	plain  bool               // a message without a key's id is taken too
	hash   func() hashes.Hash // of a symmetric scheme
	secret bool               // the key that believes is the key that signs
	parse  func(file []byte) (proof, error)
}

var schemes = map[Scheme]scheme{
	HMACSHA256: {mark: "v1", plain: true, hash: sha256.New, secret: true, parse: parseMAC(sha256.New)},
	HMACSM3:    {mark: "v1sm3", hash: sm3.New, secret: true, parse: parseMAC(sm3.New)},
	SM2SM3:     {mark: "v1sm2", parse: parseSM2},
	RSASHA256:  {mark: "v1rsa", parse: parseRSA(false)},
	RSAPSS:     {mark: "v1pss", parse: parseRSA(true)},
	NoSeal:     {},
}

// Schemes lists the schemes' names.
func Schemes() []Scheme { return slices.Sorted(maps.Keys(schemes)) }

// proof is a key that tells signatures from forgeries.
type proof interface {
	digest() (hashes.Hash, error) // takes what is signed
	believes(sum, signature []byte) bool
	bits() int
	same() [sha256.Size]byte // tells keys apart without telling them
}

type macKey struct {
	hash func() hashes.Hash
	key  []byte
}

func (k macKey) digest() (hashes.Hash, error)        { return hmac.New(k.hash, k.key), nil }
func (k macKey) believes(sum, signature []byte) bool { return hmac.Equal(sum, signature) }
func (k macKey) bits() int                           { return 8 * len(k.key) }
func (k macKey) same() [sha256.Size]byte             { return sha256.Sum256(k.key) }

func parseMAC(h func() hashes.Hash) func([]byte) (proof, error) {
	return func(file []byte) (proof, error) {
		key, err := ParseKey(file)
		return macKey{h, key}, err
	}
}

type sm2Key struct{ *ecdsa.PublicKey }

func (k sm2Key) digest() (hashes.Hash, error) { return sm2.NewHash(k.PublicKey) }
func (k sm2Key) bits() int                    { return 256 }
func (k sm2Key) same() [sha256.Size]byte {
	return sha256.Sum256(append(k.X.Bytes(), k.Y.Bytes()...))
}

// believes takes a signature in ASN.1 or, as many front-end machines give it, r and s in 32 bytes each.
func (k sm2Key) believes(sum, signature []byte) bool {
	if len(signature) == 64 {
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		signature, _ = asn1.Marshal(struct{ R, S *big.Int }{r, s}) // two numbers: never fails
	}
	return sm2.VerifyASN1(k.PublicKey, sum, signature)
}

func parseSM2(file []byte) (proof, error) {
	public, err := parsePublic(file)
	if err != nil {
		return nil, err
	}
	if key, ok := public.(*ecdsa.PublicKey); ok && key.Curve == sm2.P256() {
		return sm2Key{key}, nil
	}
	return nil, deposit.Refuse(deposit.Invalid, "key_kind", "不是 SM2 公钥")
}

type rsaKey struct {
	*rsa.PublicKey
	pss bool
}

func (k rsaKey) digest() (hashes.Hash, error) { return sha256.New(), nil }
func (k rsaKey) bits() int                    { return k.N.BitLen() }
func (k rsaKey) same() [sha256.Size]byte      { return sha256.Sum256(k.N.Bytes()) }
func (k rsaKey) believes(sum, signature []byte) bool {
	if k.pss {
		return rsa.VerifyPSS(k.PublicKey, crypto.SHA256, sum, signature, nil) == nil
	}
	return rsa.VerifyPKCS1v15(k.PublicKey, crypto.SHA256, sum, signature) == nil
}

// minRSA is what GB/T 39786 and NIST SP 800-57 ask of an RSA key.
const minRSA = 2048

func parseRSA(pss bool) func([]byte) (proof, error) {
	return func(file []byte) (proof, error) {
		public, err := parsePublic(file)
		if err != nil {
			return nil, err
		}
		key, ok := public.(*rsa.PublicKey)
		switch {
		case !ok:
			return nil, deposit.Refuse(deposit.Invalid, "key_kind", "不是 RSA 公钥")
		case key.N.BitLen() < minRSA:
			return nil, deposit.Refuse(deposit.Invalid, "key_too_short", "RSA 密钥只有 ", key.N.BitLen(), " 位，至少 ", minRSA, " 位")
		}
		return rsaKey{key, pss}, nil
	}
}

// parsePublic reads a public key or a certificate in PEM. A certificate stands for its key: banks.yaml says how long it is
// valid.
func parsePublic(file []byte) (any, error) {
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, deposit.Refuse(deposit.Invalid, "key_malformed", "应为 PEM 格式的公钥（BEGIN PUBLIC KEY）或证书（BEGIN CERTIFICATE）")
	}
	switch block.Type {
	case "PUBLIC KEY":
		if key, err := smx509.ParsePKIXPublicKey(block.Bytes); err == nil {
			return key, nil
		}
	case "CERTIFICATE":
		if certificate, err := smx509.ParseCertificate(block.Bytes); err == nil {
			return certificate.PublicKey, nil
		}
	case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "SM2 PRIVATE KEY":
		return nil, deposit.Refuse(deposit.Invalid, "key_private", "这是私钥：此处只应有银行的公钥，私钥不得离开银行，请银行更换密钥")
	}
	return nil, deposit.Refuse(deposit.Invalid, "key_malformed", "读不懂的公钥或证书（", clip(block.Type), "）")
}

// minKey is what Standard Webhooks asks of a symmetric key: 192 bits.
const minKey = 24

// ParseKey reads a symmetric key's file: "whsec_" and base64, as Standard Webhooks writes keys, or else the bytes
// themselves without blanks at the ends. A key shorter than 24 bytes is an Invalid Refusal.
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
