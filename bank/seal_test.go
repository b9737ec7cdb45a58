package bank

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"depositd/platform/deposit"
)

var (
	sealKey = []byte("0123456789abcdef0123456789abcdef")
	nextKey = []byte("fedcba9876543210fedcba9876543210")
	sealNow = time.Date(2026, 6, 12, 9, 30, 0, 0, deposit.Shanghai)
)

// TestSignWebhook holds to the example of the Standard Webhooks libraries.
func TestSignWebhook(t *testing.T) {
	key, err := ParseKey([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := SignWebhook(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
}

// webhook gives the headers of a message signed at an instant, and lets a test spoil them.
func webhook(key []byte, id string, at time.Time, body string, spoil func(http.Header)) func(string) string {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", SignWebhook(key, id, at, []byte(body)))
	if spoil != nil {
		spoil(h)
	}
	return h.Get
}

// believe asks whether a bank with a seal takes a body for its own.
func believe(s Seal, header func(string) string, body string) error {
	b := Bank{Code: "jz", Seal: s}
	return b.Believe(Envelope{Header: header, Method: "POST", Path: "/v1/banks/jz/messages", At: sealNow}, strings.NewReader(body))
}

func TestVerify(t *testing.T) {
	const body = `{"bank_serial":"1"}`
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	both := SealWith(HMACSHA256, sealKey, nextKey)
	for name, c := range map[string]struct {
		seal   Seal
		header func(string) string
		doubt  string // the Doubt's code; "" when believed
	}{
		"signed":                             {both, webhook(sealKey, "m-1", sealNow, body, nil), ""},
		"signed with the next key":           {both, webhook(nextKey, "m-1", sealNow, body, nil), ""},
		"two signatures, the second ours":    {both, webhook(sealKey, "m-1", sealNow, body, func(h http.Header) { h.Set("webhook-signature", "v1,AAAA "+h.Get("webhook-signature")) }), ""},
		"five minutes old":                   {both, webhook(sealKey, "m-1", sealNow.Add(-5*time.Minute), body, nil), ""},
		"five minutes ahead":                 {both, webhook(sealKey, "m-1", sealNow.Add(5*time.Minute), body, nil), ""},
		"five minutes and a second old":      {both, webhook(sealKey, "m-1", sealNow.Add(-301*time.Second), body, nil), "seal_stale"},
		"five minutes and a second ahead":    {both, webhook(sealKey, "m-1", sealNow.Add(301*time.Second), body, nil), "seal_stale"},
		"signed with the key after a change": {SealWith(HMACSHA256, sealKey), webhook(nextKey, "m-1", sealNow, body, nil), "seal_wrong"},
		"another body":                       {both, webhook(sealKey, "m-1", sealNow, body+" ", nil), "seal_wrong"},
		"another id":                         {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-id", "m-2")), "seal_wrong"},
		"another time":                       {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-timestamp", "1781227801")), "seal_wrong"},
		"another version":                    {both, webhook(sealKey, "m-1", sealNow, body, func(h http.Header) { h.Set("webhook-signature", "v2"+h.Get("webhook-signature")[2:]) }), "seal_wrong"},
		"stale and wrong":                    {both, webhook(sealKey, "m-1", sealNow.Add(-time.Hour), body+" ", nil), "seal_stale"},
		"no signature":                       {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-signature", "")), "seal_missing"},
		"no id":                              {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-id", "")), "seal_missing"},
		"no headers at all":                  {both, nil, "seal_missing"},
		"an id with a full stop":             {both, webhook(sealKey, "m.1781227800", sealNow, body, nil), "seal_malformed"},
		"an id of 64":                        {both, webhook(sealKey, strings.Repeat("m", 64), sealNow, body, nil), ""},
		"an id of 65":                        {both, webhook(sealKey, strings.Repeat("m", 65), sealNow, body, nil), "seal_malformed"},
		"a time in words":                    {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-timestamp", "now")), "seal_malformed"},
		"a time out of range":                {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-timestamp", "99999999999999999999")), "seal_malformed"},
		"a time with a sign":                 {both, webhook(sealKey, "m-1", sealNow, body, set("webhook-timestamp", "+1781227800")), "seal_malformed"},
		"nine signatures":                    {both, webhook(sealKey, "m-1", sealNow, body, func(h http.Header) { h.Set("webhook-signature", strings.Repeat(h.Get("webhook-signature")+" ", 9)) }), "seal_malformed"},
		"no keys":                            {SealWith(HMACSHA256), webhook(nil, "m-1", sealNow, body, nil), "seal_key"},
		"no seal, said so":                   {SealWith(NoSeal), nil, ""},
		"a seal nobody set":                  {Seal{}, webhook(sealKey, "m-1", sealNow, body, nil), "seal_unknown"},
	} {
		err := believe(c.seal, c.header, body)
		var doubt *Doubt
		if errors.As(err, &doubt); err != nil && doubt == nil {
			t.Errorf("%s: %v is no Doubt", name, err)
			continue
		}
		switch {
		case c.doubt == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.doubt != "" && (err == nil || doubt.Code != c.doubt):
			t.Errorf("%s: %v, want %s", name, err, c.doubt)
		case err != nil && deposit.AsRefusal(err) != deposit.AsRefusal(ErrUnbelieved):
			t.Errorf("%s: the outside sees %v", name, deposit.AsRefusal(err))
		}
		if code, text := Reason(err); err != nil && (code != c.doubt || text == "") {
			t.Errorf("%s: what is recorded is %q %q", name, code, text)
		}
	}
}

// TestShiftedStops: what is signed, "id.time.body", must not be readable as another id, time and body.
func TestShiftedStops(t *testing.T) {
	body := strconv.FormatInt(sealNow.Unix(), 10) + ".abc"
	signature := SignWebhook(sealKey, "m-1", sealNow, []byte(body))
	shifted := map[string]string{"webhook-id": "m-1." + strconv.FormatInt(sealNow.Unix(), 10), "webhook-timestamp": strconv.FormatInt(sealNow.Unix(), 10), "webhook-signature": signature}
	if err := believe(SealWith(HMACSHA256, sealKey), func(name string) string { return shifted[name] }, "abc"); err == nil {
		t.Error("a signature was taken for another message")
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]string{
		"  " + string(sealKey) + "\n":                           string(sealKey),
		"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3":                "0123456789abcdef01234567",
		"012345678901234567890123":                              "012345678901234567890123",
		"01234567890123456789012":                               "key_too_short",
		"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY=":                "key_too_short", // 23 bytes in 32 characters
		"whsec_not base64 not base64 not base64 not base64 not": "key_malformed",
		"": "key_too_short",
	} {
		got, err := ParseKey([]byte(text))
		if err != nil {
			got = []byte(deposit.AsRefusal(err).Code)
		}
		if string(got) != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSealPrintsNoKey(t *testing.T) {
	b := &Bank{Seal: SealWith(HMACSHA256, sealKey)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, b.Seal), fmt.Sprintf(verb, b.Seal.Keys[0]), fmt.Sprintf(verb, b.Seal.Keys), fmt.Sprintf(verb, &Signer{key: sealKey}), fmt.Sprintf(verb, *b), fmt.Sprintf(verb, &b.Seal)} {
			if strings.Contains(printed, string(sealKey)) || strings.Contains(printed, fmt.Sprintf("%x", sealKey)) || strings.Contains(printed, "48 49 50") {
				t.Errorf("%s prints the key", verb)
			}
		}
	}
}

// FuzzVerify: nobody without the key is believed, whatever the headers say.
func FuzzVerify(f *testing.F) {
	f.Add("m-1", "1781227800", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", []byte("{}"))
	f.Add("", "", "", []byte(nil))
	f.Add("m.1", "-1", "v1, v1a,x v1", []byte{0})
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := map[string]string{headerID: id, headerTimestamp: stamp, headerSignature: signature}
		err := believe(SealWith(HMACSHA256, sealKey), func(name string) string { return h[name] }, string(body))
		seconds, _ := strconv.ParseInt(stamp, 10, 64)
		if err == nil && !strings.Contains(signature, SignWebhook(sealKey, id, time.Unix(seconds, 0), body)) {
			t.Errorf("believed %q %q %q", id, stamp, signature)
		}
	})
}
