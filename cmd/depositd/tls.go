package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"depositd/bank"
)

// tls is how the HTTP interface speaks TLS by itself; nil: it does not, and a proxy may.
//
// A client certificate is asked for and not demanded: people have none. The handshake proves that the other end holds its
// key; which key a bank must hold, banks.yaml pins.
func (s *Settings) tls() (*tls.Config, error) {
	switch {
	case s.TLSCert == "" && s.TLSKey == "" && s.ClientCA == "":
		return nil, nil
	case s.TLSCert == "" || s.TLSKey == "":
		return nil, errors.New("--tls-cert 与 --tls-key 必须同时设置（--client-ca 以二者为前提）")
	}
	pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("读不到证书或私钥，或二者不是一对：%w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	if s.ClientCA == "" {
		return config, nil
	}
	authorities, err := os.ReadFile(s.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("读不到 --client-ca：%w", err)
	}
	config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(authorities) {
		return nil, errors.New("--client-ca 中没有 PEM 格式的证书")
	}
	return config, nil
}

// banksAtDoor says which banks cannot be believed where this configuration listens: a bank that proves its messages by
// nothing may push them over the loopback interface alone, from a front-end machine's program.
func (c *config) banksAtDoor(banks *bank.Set) (problems []string) {
	for _, b := range banks.All() {
		if b.Seal.Weak() && b.Notices != bank.None && !isLoopback(c.listen) {
			problems = append(problems, fmt.Sprintf("银行 %s 的报文没有签名（seal: {scheme: none}），而 --listen %s 不是本机回环：请在 banks.yaml 的 seal 中写 client_pins（客户端证书）或 from（来源地址），或只监听本机", b.Code, c.listen))
		}
		if b.Seal.Weak() && b.Code == c.tcpBank && !isLoopback(c.tcpListen) {
			problems = append(problems, fmt.Sprintf("银行 %s 的报文没有签名，而 --tcp-listen %s 不是本机回环：请在 banks.yaml 的 seal 中写 from（来源地址），或只监听本机", b.Code, c.tcpListen))
		}
	}
	return problems
}

// guarded is a listener that hangs up on whoever calls from an address that the bank does not have.
type guarded struct {
	net.Listener
	door    bank.Door
	refused func(from net.Addr)
}

// Accept waits for a caller that is let in.
func (g guarded) Accept() (net.Conn, error) {
	for {
		line, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(line.RemoteAddr().String())
		if err == nil && g.door.Lets(from.Addr()) {
			return line, nil
		}
		g.refused(line.RemoteAddr())
		_ = line.Close()
	}
}
