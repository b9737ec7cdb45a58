package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"depositd/bank"
)

// pushed is a sealed request of the bank "open", to be spoiled.
func (h *house) pushed(id string, body []byte) *http.Request {
	request := httptest.NewRequest("POST", "/v1/banks/open/messages", bytes.NewReader(body))
	header := h.sealed(id, body)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return request
}

// Whatever bit of a message of 1 KiB is flipped on its way, it is refused, in the same words, and leaves no row.
func TestFlippedBitsLeaveNothing(t *testing.T) {
	h := local(t)
	body := []byte(notice + strings.Repeat(" ", 1<<10-len(notice)))
	sealed := h.pushed("msg-1", body).Header
	for bit := range 8 * len(body) {
		body[bit/8] ^= 1 << (bit % 8)
		request := httptest.NewRequest("POST", "/v1/banks/open/messages", bytes.NewReader(body))
		request.Header = sealed.Clone()
		if got := h.play(request); got.Code != 401 {
			t.Fatalf("bit %d: %d %s", bit, got.Code, got.Body)
		}
		body[bit/8] ^= 1 << (bit % 8)
	}
	if h.count("entries")+h.count("events") != 0 || h.count("messages") > mostSamples {
		t.Error("a forged message left more than a few circumstances")
	}
	h.push("msg-1", string(body)).want(200, "")
}

// A header of the seal that is dropped or there twice, be it twice the same, and a body under another message's seal.
func TestSpoiledSeals(t *testing.T) {
	h := local(t)
	body, other := []byte(notice), []byte(with(notice, "000147", "000148"))
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		dropped, twice, second := h.pushed("msg-1", body), h.pushed("msg-1", body), h.pushed("msg-1", body)
		dropped.Header.Del(name)
		twice.Header.Add(name, twice.Header.Get(name))
		second.Header.Add(name, "x")
		for what, request := range map[string]*http.Request{"dropped": dropped, "twice": twice, "with another": second} {
			if got := h.play(request); got.Code != 401 {
				t.Errorf("%s %s: %d", name, what, got.Code)
			}
		}
	}
	swapped := h.pushed("msg-1", other)
	swapped.Header = h.pushed("msg-1", body).Header
	if got := h.play(swapped); got.Code != 401 {
		t.Errorf("a body under another message's seal: %d", got.Code)
	}
	if h.count("entries") != 0 {
		t.Error("it left an entry")
	}
}

// The same message again is answered as the first time, from whatever replica and after a restart, as long as its
// timestamp lets it in; then no more. There is one effect.
func TestReplays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.push("msg-1", notice).want(200, "").Body.String()
		request := func() *http.Request {
			r := h.pushed("msg-1", []byte(notice))
			r.Header.Set("webhook-timestamp", unix(noon))
			r.Header.Set("webhook-signature", bank.SignWebhook(key, "msg-1", noon, []byte(notice)))
			return r
		}
		for _, c := range []struct {
			after  time.Duration
			status int
		}{{time.Second, 200}, {299 * time.Second, 200}, {300 * time.Second, 200}, {301 * time.Second, 401}, {24 * time.Hour, 401}} {
			h.now = noon.Add(c.after)
			got := h.play(request())
			if got.Code != c.status || c.status == 200 && with(got.Body.String(), `"entries":0`, `"entries":1`) != first {
				t.Errorf("after %s: %d %s", c.after, got.Code, got.Body)
			}
			h.server.Bank = bank.NewDesk(h.db) // a restart: nothing is remembered but what is stored
		}
		h.push("msg-1", notice).want(200, "") // signed anew, a day later, it is still the same message
		if h.count("entries") != 1 || h.count("messages WHERE outcome <> 'REFUSED'") != 1 {
			t.Error("a replay had an effect")
		}
	})
}

// An id that is used again for other bytes is a finding, one however often it happens.
func TestReusedIDIsAFinding(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.push("msg-1", notice).want(200, "")
		for _, number := range []string{"000148", "000149"} {
			h.push("msg-1", with(notice, "000147", number)).want(422, "replay_differs")
		}
		got := h.get("/v1/findings").want(200, "").Body.String()
		if strings.Count(got, `"MESSAGE_REUSED"`) < 1 || h.count("findings") != 1 {
			t.Errorf("the findings are %s", got)
		}
	})
}

// certificate makes a self-signed client certificate.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: secret, Leaf: leaf}
}

// A bank whose certificates are pinned is believed with either of two over TLS, or from a trusted proxy that hands one on;
// never by a header that somebody else has sent.
func TestPinnedCertificates(t *testing.T) {
	now, next, stranger := certificate(t), certificate(t), certificate(t)
	h := newHouse(t, "sqlite:"+t.TempDir()+"/deposit.db", `banks:
  - {code: line, adapter: gseries, statement: csv, parent_accounts: ["3705018860000000123"], charset: GBK,
     seal: {scheme: none, client_pins: ["`+bank.PinOf(now.Leaf)+`", "`+bank.PinOf(next.Leaf)+`"]}}
`)
	service := httptest.NewUnstartedServer(h.handler)
	service.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	service.StartTLS()
	defer service.Close()
	send := func(c *tls.Certificate) int {
		client := service.Client()
		transport := client.Transport.(*http.Transport).Clone()
		defer transport.CloseIdleConnections()
		if c != nil {
			transport.TLSClientConfig.Certificates = []tls.Certificate{*c}
		}
		client = &http.Client{Transport: transport}
		answer, err := client.Post(service.URL+"/v1/banks/line/messages", "text/xml", strings.NewReader(gNotice("1.00")))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	for i, c := range []struct {
		certificate *tls.Certificate
		status      int
	}{{&now, 200}, {&next, 200}, {&stranger, 401}, {nil, 401}} {
		if got := send(c.certificate); got != c.status {
			t.Errorf("certificate %d: %d", i, got)
		}
	}
	escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: now.Leaf.Raw})))
	forwarded := func() int {
		return h.send("POST", "/v1/banks/line/messages", []byte(gNotice("1.00")), "X-Client-Cert", escaped).Code
	}
	if forwarded() != 401 {
		t.Error("a header is believed that nobody configured")
	}
	h.server.ClientCertHeader = "X-Client-Cert"
	if forwarded() != 401 {
		t.Error("a stranger's header is believed")
	}
	h.server.TrustedProxies = []string{"192.0.2.1"}
	if forwarded() != 200 {
		t.Error("the proxy's header is not believed")
	}
}
