package bank

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"depositd/platform/deposit"
)

// Key is one key of a seal.
type Key struct {
	ID          string // in webhook-key-id
	File        string // its name in banks.yaml
	From, Until deposit.Day
	proof       proof
}

// Format prints a key without what it is, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s（内容已隐去）", k.ID) }

// The ranges of a key without one.
const (
	alwaysFrom  = deposit.Day("2000-01-01")
	alwaysUntil = deposit.Day("9999-12-30")
)

// validAt says whether a key is to be believed at an instant: from the beginning of its first day to the end of its last.
func (k Key) validAt(at time.Time) bool {
	return !at.Before(k.from().Start()) && at.Before(k.until().Add(1).Start())
}

func (k Key) from() deposit.Day {
	if k.From == "" {
		return alwaysFrom
	}
	return k.From
}

func (k Key) until() deposit.Day {
	if k.Until == "" {
		return alwaysUntil
	}
	return k.Until
}

// valid is the keys that may have signed a message: the one it names, or each where it names none.
func (s Seal) valid(id string, at time.Time) (keys []Key) {
	for _, key := range s.Keys {
		if (id == "" || key.ID == id) && key.validAt(at) {
			keys = append(keys, key)
		}
	}
	return keys
}

var (
	sealKeys   = []string{"scheme", "keys", "client_pins", "from"}
	keyEntries = []string{"id", "file", "from", "until"}
)

// Bounds of what a seal may hold at once: one, and the next.
const (
	mostValidKeys = 2
	mostPins      = 2
)

// seal reads how the bank proves its messages. That nothing proves them has to be said.
func (r *setReader) seal(bank, node ast.Node) Seal {
	if node == nil {
		r.complain(bank.GetToken(), "seal", "缺少验签方式；专线等确实不验签的，请明确写 seal: {scheme: none}")
		return Seal{}
	}
	said := r.section(node, "seal", sealKeys)
	if said == nil {
		return Seal{}
	}
	s := Seal{Scheme: Scheme(r.scalar(said["scheme"], "seal.scheme"))}
	s.Door = Door{Pins: r.pins(said["client_pins"]), From: r.prefixes(said["from"])}
	how, known := schemes[s.Scheme]
	if !known {
		r.complain(node.GetToken(), "seal.scheme", "验签方式应为 ", joinSchemes(), " 之一：“", clip(string(s.Scheme)), "”")
		return s
	}
	if how.parse == nil {
		if said["keys"] != nil {
			r.complain(said["keys"].GetToken(), "seal.keys", "scheme 为 ", s.Scheme, " 时不使用密钥，请删去 keys 或改用 ", HMACSHA256)
		}
		return s
	}
	for _, item := range r.list(said["keys"], "seal.keys") {
		if key := r.key(item, how); key.File != "" {
			s.Keys = append(s.Keys, key)
		}
	}
	r.together(node, s)
	return s
}

// together holds the keys of one seal to each other.
func (r *setReader) together(node ast.Node, s Seal) {
	if len(s.Keys) == 0 {
		r.complain(node.GetToken(), "seal.keys", "缺少密钥文件；", s.Scheme, " 至少需要一个，更换密钥期间可写两个")
	}
	ids := map[string]bool{}
	for _, key := range s.Keys {
		if ids[key.ID] {
			r.complain(node.GetToken(), "seal.keys", "密钥编号 ", key.ID, " 重复，请为每把密钥写不同的 id")
		}
		ids[key.ID] = true
		valid := slices.DeleteFunc(slices.Clone(s.Keys), func(other Key) bool { return other.from() > key.from() || other.until() < key.from() })
		if len(valid) > mostValidKeys {
			r.complain(node.GetToken(), "seal.keys", "同时有效的密钥有 ", len(valid), " 把，最多 ", mostValidKeys, " 把（现用和接替的）；请删去已停用的，或用 from、until 写明有效期")
			return
		}
	}
}

// key reads one key: its file's name, or a section with its id and days.
func (r *setReader) key(at ast.Node, how scheme) Key {
	said := map[string]ast.Node{"file": at}
	if isSection(at) {
		if said = r.section(at, "seal.keys", keyEntries); said == nil {
			return Key{}
		}
	}
	k := Key{File: r.scalar(said["file"], "seal.keys"), ID: r.scalar(said["id"], "seal.keys.id"), From: r.keyDay(said["from"]), Until: r.keyDay(said["until"])}
	if k.ID == "" {
		k.ID = strings.TrimSuffix(path.Base(strings.ReplaceAll(k.File, `\`, "/")), path.Ext(k.File))
	}
	switch {
	case k.File == "" && isSection(at):
		r.complain(at.GetToken(), "seal.keys", "缺少 file（密钥文件）")
	case k.File != "" && !keyID.MatchString(k.ID) && (said["id"] != nil || !how.plain):
		r.complain(at.GetToken(), "seal.keys.id", "密钥编号“", clip(k.ID), "”应为 1 到 32 个字母、数字、下划线或连字符，请写 {id: k1, file: …}")
	case k.From != "" && k.Until != "" && k.From > k.Until:
		r.complain(at.GetToken(), "seal.keys", "有效期的首日 ", k.From, " 晚于末日 ", k.Until)
	}
	if k.File != "" {
		k.proof = r.proof(at, how, k.File)
	}
	return k
}

func (r *setReader) keyDay(node ast.Node) deposit.Day {
	text := r.scalar(node, "seal.keys")
	if text == "" {
		return ""
	}
	day, err := deposit.ParseDay(text)
	if err != nil {
		r.complain(node.GetToken(), "seal.keys", "有效期应为日期，如 2026-12-31（含当日）：", clip(text))
	}
	return day
}

// proof reads a key file. Two banks never share a key: what Standard Webhooks signs does not name the bank, so a message
// of one could be played back as the other's.
func (r *setReader) proof(at ast.Node, how scheme, file string) proof {
	text, err := r.readFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.complain(at.GetToken(), "seal.keys", "密钥文件 ", file, " 不存在；路径相对于 banks.yaml 所在目录")
		return nil
	case err != nil:
		r.complain(at.GetToken(), "seal.keys", "密钥文件 ", file, " 无法读取，请检查权限")
		return nil
	}
	key, err := how.parse(text)
	if err != nil {
		hint := "；请向银行索取公钥或证书"
		if how.secret {
			hint = "；可用 depositd seal new 生成"
		}
		r.complain(at.GetToken(), "seal.keys", "密钥文件 ", file, "：", deposit.AsRefusal(err).Text, hint)
		return nil
	}
	same := key.same()
	if owner, taken := r.keys[same]; taken {
		r.complain(at.GetToken(), "seal.keys", "密钥文件 ", file, " 与银行 ", owner, " 的另一密钥相同，每把密钥只能用一次")
	}
	r.keys[same] = r.bank
	return key
}

// pins reads client_pins.
func (r *setReader) pins(node ast.Node) (pins []string) {
	for _, item := range r.list(node, "seal.client_pins") {
		pin := r.scalar(item, "seal.client_pins")
		if sum, err := base64.StdEncoding.DecodeString(pin); err != nil || len(sum) != sha256.Size {
			r.complain(item.GetToken(), "seal.client_pins", "应为证书公钥的 SHA-256（base64，44 个字符），用 depositd seal pin 证书文件 得到：", clip(pin))
			continue
		}
		pins = append(pins, pin)
	}
	if len(pins) > mostPins {
		r.complain(node.GetToken(), "seal.client_pins", "最多写 ", mostPins, " 个（现用和接替的），现有 ", len(pins), " 个")
	}
	return pins
}

// prefixes reads from.
func (r *setReader) prefixes(node ast.Node) (from []netip.Prefix) {
	for _, item := range r.list(node, "seal.from") {
		text := r.scalar(item, "seal.from")
		prefix, err := netip.ParsePrefix(text)
		if address, alone := netip.ParseAddr(text); alone == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			r.complain(item.GetToken(), "seal.from", "应为 IP 地址或网段，如 10.1.2.3 或 10.1.2.0/24：", clip(text))
			continue
		}
		from = append(from, prefix.Masked())
	}
	return from
}

func joinSchemes() string {
	var names []string
	for _, s := range Schemes() {
		names = append(names, string(s))
	}
	return strings.Join(names, "、")
}
