package bank

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"

	"depositd/platform/deposit"
)

// TestVectors holds the algorithms to published examples.
func TestVectors(t *testing.T) {
	unhex := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if sum := sm3.Sum([]byte("abc")); hex.EncodeToString(sum[:]) != "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" {
		t.Errorf("SM3 of abc (GB/T 32905 A.1): %x", sum)
	}
	for scheme, want := range map[Scheme]string{
		HMACSHA256: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", // RFC 4231, case 6
		HMACSM3:    "b4fd844e13342002f0b2e0690ea7741f1497d993a70494cea601e657bedf67a0", // the same under SM3, by OpenSSL
	} {
		mac, _ := macKey{schemes[scheme].hash, bytes.Repeat([]byte{0xaa}, 131)}.digest()
		_, _ = mac.Write([]byte("Test Using Larger Than Block-Size Key - Hash Key First"))
		if got := hex.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("%s: %s, want %s", scheme, got, want)
		}
	}
	// GB/T 32918.5 A.2: the user id 1234567812345678 and "message digest".
	public, err := sm2.NewPublicKey(unhex("0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"))
	if err != nil {
		t.Fatal(err)
	}
	key := sm2Key{public}
	digest, _ := key.digest()
	_, _ = digest.Write([]byte("message digest"))
	signature := unhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
	sum := digest.Sum(nil)
	if !key.believes(sum, signature) {
		t.Error("SM2: the standard's own signature is not believed")
	}
	signature[63] ^= 1
	if key.believes(sum, signature) {
		t.Error("SM2: another signature is believed")
	}
}

// A peer is a bank and what it signs with.
type peer struct {
	*Bank
	*Signer
}

var signing = []Scheme{HMACSHA256, HMACSM3, SM2SM3, RSASHA256, RSAPSS}

// newPeer makes a bank whose key is new.
func newPeer(t *testing.T, code string, scheme Scheme) peer {
	t.Helper()
	secret, public, err := NewKey(scheme, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if public == nil {
		public = secret
	}
	proof, err := schemes[scheme].parse(public)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(scheme, code, "k2026", secret)
	if err != nil {
		t.Fatal(err)
	}
	return peer{&Bank{Code: code, Seal: Seal{Scheme: scheme, Keys: []Key{{ID: "k2026", proof: proof}}}}, signer}
}

const peerID = "2026061209300001"

func (p peer) path() string { return "/v1/banks/" + p.Code + "/messages" }

// envelope signs a body now.
func (p peer) envelope(t *testing.T, body []byte) (Envelope, http.Header) {
	t.Helper()
	headers, err := p.Sign(peerID, sealNow, "POST", p.path(), body)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for _, one := range headers {
		h.Set(one.Name, one.Value)
	}
	return Envelope{Header: h.Get, Method: "POST", Path: p.path(), At: sealNow}, h
}

// doubtOf is the code of an error that must be a Doubt; "" when believed.
func doubtOf(t *testing.T, err error) string {
	t.Helper()
	var doubt *Doubt
	if err == nil {
		return ""
	}
	if !errors.As(err, &doubt) {
		t.Fatalf("%v is no Doubt", err)
	}
	return doubt.Code
}

func TestSchemes(t *testing.T) {
	body := []byte(oneNotice)
	for _, scheme := range signing {
		p, other := newPeer(t, "jz", scheme), newPeer(t, "jz", scheme)
		twin := peer{&Bank{Code: "twin", Seal: p.Seal}, p.Signer} // another bank with the same key, which banks.yaml refuses
		e, _ := p.envelope(t, body)
		spoiled := func(spoil func(*Envelope, http.Header)) Envelope {
			e, h := p.envelope(t, body)
			spoil(&e, h)
			return e
		}
		set := func(name, value string) Envelope {
			return spoiled(func(_ *Envelope, h http.Header) { h.Set(name, value) })
		}
		foreign, _ := other.envelope(t, body)
		for name, c := range map[string]struct {
			bank  *Bank
			e     Envelope
			body  string
			doubt string
		}{
			"signed":              {p.Bank, e, oneNotice, ""},
			"another body":        {p.Bank, e, oneNotice + " ", "seal_wrong"},
			"another bank's":      {twin.Bank, e, oneNotice, "seal_wrong"},
			"another's key":       {p.Bank, foreign, oneNotice, "seal_wrong"},
			"another path":        {p.Bank, spoiled(func(e *Envelope, _ http.Header) { e.Path = "/v1/banks/jz/statements" }), oneNotice, "seal_wrong"},
			"another method":      {p.Bank, spoiled(func(e *Envelope, _ http.Header) { e.Method = "PUT" }), oneNotice, "seal_wrong"},
			"another id":          {p.Bank, set(headerID, "2026061209300002"), oneNotice, "seal_wrong"},
			"another time":        {p.Bank, set(headerTimestamp, "1781227801"), oneNotice, "seal_wrong"},
			"a key nobody knows":  {p.Bank, set(headerKeyID, "k2027"), oneNotice, "seal_key"},
			"an id of 15":         {p.Bank, set(headerID, peerID[1:]), oneNotice, "seal_malformed"},
			"a key id with blank": {p.Bank, set(headerKeyID, "k 2026"), oneNotice, "seal_malformed"},
			"another's mark":      {p.Bank, set(headerSignature, "v9,"+strings.SplitN(e.Header(headerSignature), ",", 2)[1]), oneNotice, "seal_wrong"},
			"no time":             {p.Bank, set(headerTimestamp, ""), oneNotice, "seal_missing"},
		} {
			if got := doubtOf(t, c.bank.Believe(c.e, strings.NewReader(c.body))); got != c.doubt {
				t.Errorf("%s, %s: %q, want %q", scheme, name, got, c.doubt)
			}
		}
		// Without the key's id only Standard Webhooks is left, and what is signed is another text.
		want := "seal_missing"
		if scheme == HMACSHA256 {
			want = "seal_wrong"
		}
		if got := doubtOf(t, p.Believe(set(headerKeyID, ""), bytes.NewReader(body))); got != want {
			t.Errorf("%s without its key's id: %q, want %q", scheme, got, want)
		}
	}
}

// TestEveryBit flips each bit of a message of 1 KiB, of its id, its time, its key's id and its signature: none is believed.
func TestEveryBit(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 64)
	for _, scheme := range signing {
		p := newPeer(t, "jz", scheme)
		e, h := p.envelope(t, body)
		tries := 0
		refused := func(what string) {
			tries++
			if p.Believe(e, bytes.NewReader(body)) == nil {
				t.Errorf("%s: %s changed, and it is believed", scheme, what)
			}
		}
		step := 1
		if scheme != HMACSHA256 && scheme != HMACSM3 {
			step = 61 // a prime: the algorithm is the library's, ours is what goes into it
		}
		for bit := 0; bit < 8*len(body); bit += step {
			body[bit/8] ^= 1 << (bit % 8)
			refused("the body")
			body[bit/8] ^= 1 << (bit % 8)
		}
		for _, name := range []string{headerID, headerTimestamp, headerKeyID, headerSignature} {
			good := h.Get(name)
			for bit := range 8 * len(good) {
				bad := []byte(good)
				bad[bit/8] ^= 1 << (bit % 8)
				h[http.CanonicalHeaderKey(name)] = []string{string(bad)}
				refused(name)
			}
			h.Set(name, good)
		}
		if p.Believe(e, bytes.NewReader(body)) != nil || tries < 900 {
			t.Errorf("%s: %d tries, and the message itself is not believed", scheme, tries)
		}
	}
}

// TestClock steps a clock of ours from ten minutes before a message's time to ten after: it is believed for 300 seconds
// either way and never else.
func TestClock(t *testing.T) {
	p := newPeer(t, "jz", HMACSM3)
	e, _ := p.envelope(t, nil)
	for off := -600; off <= 600; off++ {
		e.At = sealNow.Add(time.Duration(off) * time.Second)
		if believed := p.Believe(e, bytes.NewReader(nil)) == nil; believed != (off >= -300 && off <= 300) {
			t.Errorf("%d s off: believed %v", off, believed)
		}
	}
}

// TestKeyChange: an old key ends and a new one begins on the days that banks.yaml says, in Shanghai.
func TestKeyChange(t *testing.T) {
	s := SealWith(HMACSHA256, sealKey, nextKey)
	s.Keys[0].Until, s.Keys[1].From = "2026-06-12", "2026-06-12"
	for when, want := range map[string][2]string{
		"2026-06-11 23:59:59": {"", "seal_wrong"},
		"2026-06-12 00:00:00": {"", ""},
		"2026-06-12 23:59:59": {"", ""},
		"2026-06-13 00:00:00": {"seal_wrong", ""},
	} {
		at, err := time.ParseInLocation(time.DateTime, when, deposit.Shanghai)
		if err != nil {
			t.Fatal(err)
		}
		b := &Bank{Code: "jz", Seal: s}
		for i, key := range [][]byte{sealKey, nextKey} {
			if got := doubtOf(t, b.Believe(Envelope{Header: webhook(key, "m-1", at, "x", nil), At: at}, strings.NewReader("x"))); got != want[i] {
				t.Errorf("%s, key %d: %q, want %q", when, i+1, got, want[i])
			}
		}
	}
}

func TestDoor(t *testing.T) {
	pin, next := pinOf([]byte("one")), pinOf([]byte("two"))
	d := Door{Pins: []string{pin, next}, From: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	at := func(address, pin string) Peer { return Peer{netip.MustParseAddr(address), pin} }
	for name, c := range map[string]struct {
		door  Door
		peer  Peer
		doubt string
	}{
		"nothing asked":              {Door{}, Peer{}, ""},
		"the right certificate":      {d, at("10.1.2.3", pin), ""},
		"the next certificate":       {d, at("10.1.2.3", next), ""},
		"an address in IPv6 clothes": {d, at("::ffff:10.1.2.3", pin), ""},
		"another certificate":        {d, at("10.1.2.3", pinOf([]byte("three"))), "seal_peer"},
		"no certificate":             {d, at("10.1.2.3", ""), "seal_peer"},
		"another address":            {d, at("10.2.2.3", pin), "seal_peer"},
		"no address":                 {d, Peer{Pin: pin}, "seal_peer"},
	} {
		b := Bank{Seal: Seal{Scheme: NoSeal, Door: c.door}}
		if got := doubtOf(t, b.Believe(Envelope{Peer: c.peer, At: sealNow}, strings.NewReader(""))); got != c.doubt {
			t.Errorf("%s: %q, want %q", name, got, c.doubt)
		}
	}
	if !(Seal{Scheme: NoSeal}).Weak() || (Seal{Scheme: NoSeal, Door: d}).Weak() || SealWith(HMACSHA256, sealKey).Weak() {
		t.Error("only what has neither signature nor door is weak")
	}
}

// TestSealFile reads the seals of a banks.yaml, right and wrong.
func TestSealFile(t *testing.T) {
	sm2Secret, sm2Public, err := NewKey(SM2SM3, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, rsaPublic, err := NewKey(RSASHA256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"sm2.pem": sm2Public, "sm2.key": sm2Secret, "rsa.pem": rsaPublic, "a.key": sealKey, "b.key": nextKey, "c.key": bytes.Repeat([]byte("c"), 24)}
	pin := pinOf([]byte("one"))
	for seal, want := range map[string]string{
		"{scheme: sm2-sm3, keys: [sm2.pem]}":                                                                          "",
		"{scheme: rsa-sha256, keys: [{id: r1, file: rsa.pem, until: 2026-12-31}]}":                                    "",
		"{scheme: rsa-pss-sha256, keys: [rsa.pem], client_pins: ['" + pin + "']}":                                     "",
		"{scheme: hmac-sm3, keys: [{id: k1, file: a.key}, {id: k2, file: b.key}]}":                                    "",
		"{scheme: none, from: [10.1.2.3, 10.2.0.0/16]}":                                                               "",
		"{scheme: hmac-sm3, keys: [a.key, b.key, c.key]}":                                                             "同时有效的密钥有 3 把",
		"{scheme: hmac-sm3, keys: [a.key, b.key, {id: c, file: c.key, from: 2027-01-01}]}":                            "同时有效的密钥有 3 把",
		"{scheme: hmac-sm3, keys: [{file: a.key, until: 2026-12-31}, b.key, {id: c, file: c.key, from: 2027-01-01}]}": "",
		"{scheme: hmac-sm3, keys: [{id: k, file: a.key}, {id: k, file: b.key}]}":                                      "密钥编号 k 重复",
		"{scheme: hmac-sm3, keys: [{id: 'k 1', file: a.key}]}":                                                        "密钥编号“k 1”",
		"{scheme: hmac-sm3, keys: [{id: k1}]}":                                                                        "缺少 file",
		"{scheme: hmac-sm3, keys: [{file: a.key, until: 31.12.2026}]}":                                                "应为日期",
		"{scheme: hmac-sm3, keys: [{file: a.key, from: 2027-01-01, until: 2026-01-01}]}":                              "晚于末日",
		"{scheme: sm2-sm3, keys: [sm2.key]}":                                                                          "这是私钥",
		"{scheme: sm2-sm3, keys: [rsa.pem]}":                                                                          "不是 SM2 公钥",
		"{scheme: rsa-sha256, keys: [sm2.pem]}":                                                                       "不是 RSA 公钥",
		"{scheme: sm2-sm3, keys: [a.key]}":                                                                            "PEM",
		"{scheme: none, client_pins: [abc]}":                                                                          "depositd seal pin",
		"{scheme: none, client_pins: ['" + pin + "', '" + pin + "', '" + pin + "']}":                                  "最多写 2 个",
		"{scheme: none, from: [bank.example]}":                                                                        "应为 IP 地址或网段",
	} {
		set, err := ParseSet([]byte("banks: [{code: a, adapter: camt, parent_accounts: ['1'], seal: "+seal+"}]"), func(name string) ([]byte, error) { return files[name], nil })
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", seal, err)
		case want == "":
			if again, err := ParseSet([]byte(set.Describe()), func(name string) ([]byte, error) { return files[name], nil }); err != nil || again.Describe() != set.Describe() {
				t.Errorf("%s: what is printed means something else: %v\n%s", seal, err, set.Describe())
			}
		case err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %s", seal, err, want)
		}
	}
}
