package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// sealCmd is for the people on both sides who set a bank up.
type sealCmd struct {
	New  sealNew  `cmd:"" help:"生成密钥：对称密钥，或 SM2、RSA 的私钥与公钥"`
	Sign sealSign `cmd:"" help:"像银行那样为一份报文签名，打印可直接执行的 curl 命令"`
	Pin  sealPin  `cmd:"" help:"打印证书（或公钥）的指纹，供 banks.yaml 的 client_pins 使用"`
}

type sealNew struct {
	Scheme string `arg:"" placeholder:"SCHEME" help:"${schemes}"`
	File   string `arg:"" placeholder:"FILE" help:"密钥文件；不对称的另写一份 FILE.pub"`
}

// Run makes a key. A file that is there is never written over: it could be the only copy of a key in use.
func (n *sealNew) Run(c *call) error {
	secret, public, err := bank.NewKey(bank.Scheme(n.Scheme), rand.Reader)
	if err != nil {
		return err
	}
	if err := writeNew(n.File, secret, 0o600); err != nil {
		return err
	}
	if public == nil {
		fmt.Fprintf(c.stdout, "密钥 %s：请经安全途径交给银行一份，另一份写入 banks.yaml 的 seal.keys\n", n.File)
		return nil
	}
	if err := writeNew(n.File+".pub", public, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "私钥 %s：只由签名的一方持有\n公钥 %s.pub：写入 banks.yaml 的 seal.keys\n", n.File, n.File)
	return nil
}

func writeNew(name string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s 已存在，不覆盖：请换一个文件名", name)}
	}
	if err != nil {
		return usageError{err}
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

type sealSign struct {
	Scheme string `default:"hmac-sha256" placeholder:"SCHEME" help:"${schemes}"`
	Key    string `required:"" placeholder:"FILE" help:"对称密钥或私钥的文件"`
	KeyID  string `name:"key-id" placeholder:"ID" help:"密钥编号；hmac-sha256 可不写，即 Standard Webhooks"`
	Bank   string `required:"" placeholder:"CODE" help:"银行代码"`
	ID     string `name:"id" placeholder:"ID" help:"报文编号，16 至 64 个字母、数字、下划线或连字符；缺省随机"`
	URL    string `name:"url" default:"http://127.0.0.1:8080" placeholder:"URL" help:"服务的地址"`
	To     string `default:"messages" enum:"messages,statements" help:"报文（messages）还是对账文件（statements）"`
	File   string `arg:"" placeholder:"FILE" help:"报文文件"`
}

// Run prints a curl command that sends the file as the bank would: within five minutes it is taken.
func (s *sealSign) Run(c *call) error {
	secret, err := os.ReadFile(s.Key)
	if err != nil {
		return usageError{err}
	}
	signer, err := bank.NewSigner(bank.Scheme(s.Scheme), s.Bank, s.KeyID, secret)
	if err != nil {
		return err
	}
	body, err := os.ReadFile(s.File)
	if err != nil {
		return usageError{err}
	}
	if s.ID == "" {
		s.ID = sqldb.NewID().String() + sqldb.NewID().String()
	}
	path := "/v1/banks/" + url.PathEscape(s.Bank) + "/" + s.To
	headers, err := signer.Sign(s.ID, time.Now(), "POST", path, body)
	if err != nil {
		return err
	}
	fmt.Fprint(c.stdout, "curl -sS --data-binary ", quoted("@"+s.File), " -H 'Content-Type: application/octet-stream'")
	for _, h := range headers {
		fmt.Fprint(c.stdout, " \\\n  -H ", quoted(h.Name+": "+h.Value))
	}
	fmt.Fprintln(c.stdout, " \\\n ", quoted(strings.TrimSuffix(s.URL, "/")+path))
	return nil
}

// quoted is a word for a shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

type sealPin struct {
	File string `arg:"" placeholder:"FILE" help:"PEM 格式的证书或公钥"`
}

// Run prints a pin.
func (p *sealPin) Run(c *call) error {
	file, err := os.ReadFile(p.File)
	if err != nil {
		return usageError{err}
	}
	pin, err := bank.PinOfFile(file)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, pin)
	return nil
}

// schemeNames lists the schemes that sign, for the help.
func schemeNames() string {
	var names []string
	for _, scheme := range bank.Schemes() {
		if scheme != bank.NoSeal {
			names = append(names, string(scheme))
		}
	}
	return strings.Join(names, "、")
}
