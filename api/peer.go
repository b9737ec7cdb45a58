package api

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"depositd/bank"
)

// envelope is what a bank's message came in.
func (s *server) envelope(c *gin.Context) bank.Envelope {
	return bank.Envelope{Header: onlyHeader(c.Request.Header), Method: c.Request.Method, Path: c.Request.URL.EscapedPath(), Peer: s.peer(c), At: s.DB.Now()}
}

// onlyHeader reads headers that must stand there once: of two the proxy in front could take another one than we do.
func onlyHeader(h http.Header) func(name string) string {
	return func(name string) string {
		if values := h.Values(name); len(values) == 1 {
			return values[0]
		}
		return ""
	}
}

// peer is what the connection proves: its address and its client certificate, of which the TLS handshake has shown that
// the other end holds the key. Behind a proxy that ends the TLS both come from it, if it is one of the trusted.
func (s *server) peer(c *gin.Context) bank.Peer {
	p := bank.Peer{}
	p.Address, _ = netip.ParseAddr(c.ClientIP())
	if tls := c.Request.TLS; tls != nil && len(tls.PeerCertificates) > 0 {
		p.Pin = bank.PinOf(tls.PeerCertificates[0])
	}
	if s.ClientCertHeader != "" && s.behindProxy(c.RemoteIP()) {
		p.Pin = pinOfHeader(onlyHeader(c.Request.Header)(s.ClientCertHeader))
	}
	return p
}

// behindProxy says whether a connection comes from a trusted proxy: one that is named, not merely from this machine, since
// whoever has an account here could then bear any certificate.
func (s *server) behindProxy(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && inside(s.TrustedProxies, ip.Unmap())
}

// inside says whether an address is one of those listed, or in a range of them.
func inside(listed []string, ip netip.Addr) bool {
	for _, text := range listed {
		prefix, err := netip.ParsePrefix(text)
		if single, alone := netip.ParseAddr(text); alone == nil {
			prefix, err = netip.PrefixFrom(single, single.BitLen()), nil
		}
		if err == nil && prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// pinOfHeader is the pin of the certificate in a header, as nginx writes it: PEM, percent-encoded ($ssl_client_escaped_cert).
func pinOfHeader(value string) string {
	text, err := url.PathUnescape(value) // a plus sign is base64's own
	if err != nil {
		return ""
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return ""
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return bank.PinOf(certificate)
}

// disbelieve writes down why a message is not believed and says no more than that: in the security log each, with where it
// came from, and of the first few and then one a minute the circumstances in the database, where the watch finds out that a
// bank has changed its key. A stranger can neither fill it nor use up an id.
func (s *server) disbelieve(c *gin.Context, m bank.Message, cause error) error {
	reason, text := bank.Reason(cause)
	s.meters.unbelieved.WithLabelValues(reason).Inc()
	s.Log.Warn("message not believed", "security", true, "request", c.GetString(requestID), "bank", m.Bank, "code", reason, "reason", text, "from", c.ClientIP())
	if m.Bank == "" || !s.samples.take(m.Bank, s.DB.Now()) {
		return bank.ErrUnbelieved
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), keepTime)
	defer cancel()
	if err := s.Bank.Refuse(ctx, m, cause); err != nil {
		s.Log.Warn("the circumstances of an unbelieved message are not kept", "request", c.GetString(requestID), "cause", err)
	}
	return bank.ErrUnbelieved
}

// samples says of which unbelieved messages the circumstances are kept, for each bank.
type samples struct {
	mu    sync.Mutex
	banks map[string]*rate.Limiter
}

// mostSamples are kept at once, and then one a minute.
const mostSamples = 10

func (k *samples) take(code string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.banks == nil {
		k.banks = map[string]*rate.Limiter{}
	}
	if k.banks[code] == nil {
		k.banks[code] = rate.NewLimiter(rate.Every(time.Minute), mostSamples)
	}
	return k.banks[code].AllowN(now, 1)
}

// isDoubt says that an error is a doubt of who sent the message.
func isDoubt(err error) bool {
	doubt := (*bank.Doubt)(nil)
	return errors.As(err, &doubt)
}
