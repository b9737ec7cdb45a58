package bank

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"depositd/platform/deposit"
)

// Signer signs as a bank does: for the simulated bank, and for a bank's engineer who compares his signatures with ours.
type Signer struct {
	Scheme Scheme
	Bank   string
	KeyID  string // "": as Standard Webhooks has it, which is for HMACSHA256 alone
	key    any    // []byte, *sm2.PrivateKey or *rsa.PrivateKey
}

// Format prints a signer without its key, whatever the verb.
func (s *Signer) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s %s %s（内容已隐去）", string(s.Scheme), s.Bank, s.KeyID)
}

// NewSigner reads a signing key: a symmetric one as ParseKey does, or a private key in PKCS #8 PEM.
func NewSigner(scheme Scheme, bank, keyID string, file []byte) (*Signer, error) {
	how, known := schemes[scheme]
	switch {
	case !known || how.parse == nil:
		return nil, deposit.Refuse(deposit.Invalid, "scheme_unknown", "该方式不签名或不存在：", clip(string(scheme)), "；可用：", joinSchemes())
	case keyID == "" && !how.plain:
		return nil, deposit.Refuse(deposit.Invalid, "key_id_missing", scheme, " 的报文须写明密钥编号")
	}
	s := &Signer{Scheme: scheme, Bank: bank, KeyID: keyID}
	if how.secret {
		key, err := ParseKey(file)
		s.key = key
		return s, err
	}
	block, _ := pem.Decode(file)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, deposit.Refuse(deposit.Invalid, "key_malformed", "应为 PKCS #8 的 PEM 私钥（BEGIN PRIVATE KEY）")
	}
	var err error
	if s.key, err = smx509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		return nil, deposit.Refuse(deposit.Invalid, "key_malformed", "读不懂的私钥")
	}
	_, isSM2 := s.key.(*sm2.PrivateKey)
	if _, isRSA := s.key.(*rsa.PrivateKey); isSM2 != (scheme == SM2SM3) || isRSA == isSM2 {
		return nil, deposit.Refuse(deposit.Invalid, "key_kind", "私钥的种类与 ", scheme, " 不符")
	}
	return s, nil
}

// Header is one header of a signed request.
type Header struct{ Name, Value string }

// Sign gives the headers of a message that is sent at an instant under an id, by a method to a path.
func (s *Signer) Sign(id string, at time.Time, method, path string, body []byte) ([]Header, error) {
	h := head{id: id, stamp: strconv.FormatInt(at.Unix(), 10), keyID: s.KeyID, method: method, path: path}
	signature, err := s.signature(append([]byte(h.prefix(s.Bank)), body...))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	headers := []Header{{headerID, id}, {headerTimestamp, h.stamp}}
	if s.KeyID != "" {
		headers = append(headers, Header{headerKeyID, s.KeyID})
	}
	return append(headers, Header{headerSignature, schemes[s.Scheme].mark + "," + base64.StdEncoding.EncodeToString(signature)}), nil
}

func (s *Signer) signature(text []byte) ([]byte, error) {
	switch key := s.key.(type) {
	case *sm2.PrivateKey:
		return key.Sign(rand.Reader, text, sm2.DefaultSM2SignerOpts)
	case *rsa.PrivateKey:
		sum := sha256.Sum256(text)
		if s.Scheme == RSAPSS {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], nil)
		}
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	case []byte:
		mac := hmac.New(schemes[s.Scheme].hash, key)
		_, _ = mac.Write(text) // a hash never fails
		return mac.Sum(nil), nil
	}
	return nil, fmt.Errorf("a signer without a key")
}

// SignWebhook gives the webhook-signature header, "v1,…", that Standard Webhooks has for a message sent at an instant under
// an id without full stops. The webhook-timestamp header is the instant's Unix seconds.
func SignWebhook(key []byte, id string, at time.Time, body []byte) string {
	s := Signer{Scheme: HMACSHA256, key: key}
	headers, _ := s.Sign(id, at, "", "", body) // a MAC never fails
	return headers[len(headers)-1].Value
}

// rsaBits is the size of the RSA keys that are made here.
const rsaBits = 3072

// NewKey makes a key for a scheme: the secret, and the public part that banks.yaml gets; nil where both sides hold the secret.
func NewKey(scheme Scheme, random io.Reader) (secret, public []byte, err error) {
	switch scheme {
	case HMACSHA256, HMACSM3:
		key := make([]byte, sha256.Size)
		if _, err := io.ReadFull(random, key); err != nil {
			return nil, nil, fmt.Errorf("make a key: %w", err)
		}
		return []byte("whsec_" + base64.StdEncoding.EncodeToString(key) + "\n"), nil, nil
	case SM2SM3:
		key, err := sm2.GenerateKey(random)
		if err != nil {
			return nil, nil, fmt.Errorf("make a key: %w", err)
		}
		return pair(key, &key.PublicKey)
	case RSASHA256, RSAPSS:
		key, err := rsa.GenerateKey(random, rsaBits)
		if err != nil {
			return nil, nil, fmt.Errorf("make a key: %w", err)
		}
		return pair(key, &key.PublicKey)
	}
	return nil, nil, deposit.Refuse(deposit.Invalid, "scheme_unknown", "该方式不用密钥或不存在：", clip(string(scheme)), "；可用：", joinSchemes())
}

// pair writes both halves of a key as PEM.
func pair(secret, public any) (secretPEM, publicPEM []byte, err error) {
	inner, err := smx509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, fmt.Errorf("write a key: %w", err)
	}
	outer, err := smx509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, nil, fmt.Errorf("write a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: inner}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: outer}), nil
}

// PinOfFile is the pin of a certificate or a public key in PEM.
func PinOfFile(file []byte) (string, error) {
	block, _ := pem.Decode(file)
	if block != nil && block.Type == "PUBLIC KEY" {
		return pinOf(block.Bytes), nil
	}
	if block != nil && block.Type == "CERTIFICATE" {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			return PinOf(certificate), nil
		}
	}
	return "", deposit.Refuse(deposit.Invalid, "certificate_malformed", "应为 PEM 格式的证书或公钥")
}
