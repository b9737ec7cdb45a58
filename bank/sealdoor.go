package bank

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/netip"
	"slices"
)

// Door is what a bank's connection has to prove before a byte of its message counts. What is empty is not asked.
type Door struct {
	Pins []string       // of its client certificates' keys, as PinOf gives them; two while one is being replaced
	From []netip.Prefix // where it calls from
}

// Peer is what a connection proves of whoever is at its other end.
type Peer struct {
	Address netip.Addr // of the socket, or what a trusted proxy says
	Pin     string     // of the client certificate's key; "" without one
}

// PinOf is the pin of a certificate: the base64 of the SHA-256 of its SubjectPublicKeyInfo (RFC 7469 §2.4). A certificate
// that is renewed with the same key keeps it.
func PinOf(certificate *x509.Certificate) string { return pinOf(certificate.RawSubjectPublicKeyInfo) }

func pinOf(subjectPublicKeyInfo []byte) string {
	sum := sha256.Sum256(subjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (d Door) open() bool { return len(d.Pins) == 0 && len(d.From) == 0 }

// Lets says whether somebody may call from an address.
func (d Door) Lets(address netip.Addr) bool {
	return len(d.From) == 0 || slices.ContainsFunc(d.From, func(from netip.Prefix) bool { return from.Contains(address.Unmap()) })
}

func (d Door) admit(p Peer) error {
	if !d.Lets(p.Address) {
		return &Doubt{"seal_peer", "来源地址不在 banks.yaml 的 seal.from 中"}
	}
	switch {
	case len(d.Pins) == 0:
		return nil
	case p.Pin == "":
		return &Doubt{"seal_peer", "没有出示客户端证书（banks.yaml 的 seal.client_pins）"}
	case !slices.Contains(d.Pins, p.Pin):
		return &Doubt{"seal_peer", "客户端证书的公钥不是登记的那一把"}
	}
	return nil
}
