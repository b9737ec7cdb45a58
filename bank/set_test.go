package bank

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"depositd/platform/deposit"
)

// keyFiles are the files beside a test's banks.yaml.
func keyFiles(path string) ([]byte, error) {
	switch path {
	case "jsonpush.key", "a.key":
		return append(slices.Clone(sealKey), '\n'), nil
	case "camt.key", "b.key":
		return []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil
	case "short.key":
		return []byte("secret"), nil
	case "locked.key":
		return nil, fs.ErrPermission
	}
	return nil, fs.ErrNotExist
}

func parseSet(t *testing.T, text string) *Set {
	t.Helper()
	s, err := ParseSet([]byte(text), keyFiles)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExampleSet(t *testing.T) {
	s := parseSet(t, ExampleSet)
	var codes []string
	for _, b := range s.All() {
		codes = append(codes, b.Code)
	}
	if want := []string{"ccb", "jsonpush", "camt", "rural"}; !slices.Equal(codes, want) {
		t.Errorf("in the file's order: %v, want %v", codes, want)
	}
	b, err := s.Bank("jsonpush")
	if err != nil || b.Adapter.Name != "jsonpush" || b.StatementAdapter.Name != "csv" || b.Charset != UTF8 || b.Notices != Aggregate || b.Parent() != "6550100000000000017" {
		t.Errorf("%+v, %v", b, err)
	}
	if believe(b.Seal, webhook(sealKey, "m-1", sealNow, "x", nil), "x") != nil {
		t.Error("the seal does not have its key")
	}
	if s.Only() != nil {
		t.Error("one of four banks is the only one")
	}
	_, err = s.Bank("icbc")
	if r := deposit.AsRefusal(err); r.Kind != deposit.NotFound || r.Code != "bank_unknown" || !strings.Contains(r.Text, "ccb、jsonpush、camt、rural") {
		t.Errorf("an unknown bank: %v", err)
	}
}

// TestDefaults: what is left out is what the documentation says.
func TestDefaults(t *testing.T) {
	s := parseSet(t, "banks: [{code: a, adapter: camt, parent_accounts: [0012, 1e3], seal: {scheme: none}}]")
	b := s.Only()
	if b == nil || b.Name != "a" || b.StatementAdapter != b.Adapter || b.Charset != GB18030 || b.Notices != Single || b.Seal.Scheme != NoSeal {
		t.Fatalf("%+v", b)
	}
	if !slices.Equal(b.ParentAccounts, []string{"0012", "1e3"}) {
		t.Errorf("an account number was read as a number: %v", b.ParentAccounts)
	}
	if b.Parent() != "" {
		t.Error("one of two parent accounts is the default")
	}
}

// TestDescribe: what is printed means the same and tells no key.
func TestDescribe(t *testing.T) {
	s := parseSet(t, ExampleSet)
	text := s.Describe()
	for _, secret := range []string{string(sealKey), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
		if strings.Contains(text, secret) {
			t.Error("it prints a key")
		}
	}
	if !strings.Contains(text, "jsonpush.key # 256 位，内容已隐去") || !strings.Contains(text, "zone: Asia/Shanghai") {
		t.Errorf("it does not say everything:\n%s", text)
	}
	again, err := ParseSet([]byte(text), keyFiles)
	if err != nil {
		t.Fatalf("what it prints is no banks.yaml: %v\n%s", err, text)
	}
	for i, b := range again.All() {
		if first := s.All()[i]; b.Code != first.Code || b.Name != first.Name || b.Adapter != first.Adapter || b.StatementAdapter != first.StatementAdapter ||
			!slices.Equal(b.ParentAccounts, first.ParentAccounts) || b.Charset != first.Charset || b.Notices != first.Notices || !cmp.Equal(sealTextOf(b.Seal), sealTextOf(first.Seal)) {
			t.Errorf("it means another bank: %+v, was %+v", b, first)
		}
	}
}

// TestParseSetComplains: each mistake is named with its place, its bank, its key and what to do.
func TestParseSetComplains(t *testing.T) {
	const rest = "seal: {scheme: none}, parent_accounts: [\"1\"]}]"
	for name, c := range map[string]struct {
		text string
		want []string // each in the text
	}{
		"an empty file":              {"", []string{"一份 YAML 文档"}},
		"only a comment":             {"# nothing\n", []string{"一份 YAML 文档"}},
		"no banks":                   {"banks: []", []string{"没有配置银行"}},
		"banks without value":        {"banks:", []string{"没有配置银行"}},
		"not YAML":                   {"banks: [", []string{"第 1 行", "不是有效的 YAML"}},
		"not UTF-8":                  {"banks: \xb1\xb1", []string{"UTF-8"}},
		"two documents":              {"banks: []\n---\nbanks: []\n", []string{"一份 YAML 文档"}},
		"a list for a mapping":       {"- banks", []string{"第 1 行", "可用的键：banks"}},
		"a bank that is a text":      {"banks: [ccb]", []string{"第 1 行第 9 列", "第 1 家", "可用的键：code"}},
		"an unknown key at the top":  {"bank: []\nbanks: []", []string{"第 1 行第 1 列", "“bank”", "可用：banks"}},
		"an unknown key":             {"banks:\n  - {code: a, adapter: camt, adaptor: x, " + rest[:len(rest)-1], []string{"第 2 行第 30 列", "银行 a", "“adaptor”", "parent_accounts"}},
		"a key twice":                {"banks: [{code: a, code: b, adapter: camt, " + rest, []string{"code 写了两次"}},
		"no code":                    {"banks: [{adapter: camt, " + rest, []string{"（第 1 家）", "code", "缺少银行代码"}},
		"a code in capitals":         {"banks: [{code: CCB, adapter: camt, " + rest, []string{"“CCB”", "小写"}},
		"a code of 33":               {"banks: [{code: " + strings.Repeat("a", 33) + ", adapter: camt, " + rest, []string{"1 到 32"}},
		"a code twice":               {"banks: [{code: a, adapter: camt, seal: {scheme: none}, parent_accounts: [\"2\"]}, {code: a, adapter: camt, " + rest, []string{"“a”重复"}},
		"no adapter":                 {"banks: [{code: a, " + rest, []string{"银行 a：adapter：缺少报文格式", "camt", "jsonpush"}},
		"an unknown adapter":         {"banks: [{code: a, adapter: swift, " + rest, []string{"“swift”", "camt", "jsonpush"}},
		"an unknown statement":       {"banks: [{code: a, adapter: camt, statement: mt940, " + rest, []string{"statement", "“mt940”"}},
		"an adapter without notices": {"banks: [{code: a, adapter: csv, " + rest, []string{"notices: none"}},
		"without statements":         {"banks: [{code: a, adapter: jsonpush, " + rest, []string{"不能读对账单", "statement: csv"}},
		"no parent accounts":         {"banks: [{code: a, adapter: camt, seal: {scheme: none}}]", []string{"银行 a", "parent_accounts", "缺少母账户"}},
		"an empty list of them":      {"banks: [{code: a, adapter: camt, parent_accounts: [], seal: {scheme: none}}]", []string{"缺少母账户"}},
		"one that is no list":        {"banks: [{code: a, adapter: camt, parent_accounts: 1, seal: {scheme: none}}]", []string{"应为列表"}},
		"an empty one":               {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\", \"\"], seal: {scheme: none}}]", []string{"母账户“”"}},
		"a malformed one":            {"banks: [{code: a, adapter: camt, parent_accounts: [\"1 2\"], seal: {scheme: none}}]", []string{"“1 2”"}},
		"one in two banks":           {"banks: [{code: b, adapter: camt, seal: {scheme: none}, parent_accounts: [\"1\"]}, {code: a, adapter: camt, " + rest, []string{"银行 a", "已属于银行 b"}},
		"another currency":           {"banks: [{code: a, adapter: camt, currency: EUR, " + rest, []string{"currency", "CNY", "EUR"}},
		"another zone":               {"banks: [{code: a, adapter: camt, zone: UTC, " + rest, []string{"zone", "Asia/Shanghai"}},
		"an unknown charset":         {"banks: [{code: a, adapter: camt, charset: BIG5, " + rest, []string{"charset", "BIG5", "GB18030"}},
		"unknown notices":            {"banks: [{code: a, adapter: camt, notices: many, " + rest, []string{"notices", "many", "aggregate"}},
		"no seal":                    {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"]}]", []string{"银行 a", "缺少验签方式", "scheme: none"}},
		"an empty seal":              {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {}}]", []string{"seal.scheme", "hmac-sha256、hmac-sm3、none"}},
		"an unknown seal":            {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: md5}}]", []string{"“md5”", "hmac-sha256、hmac-sm3、none"}},
		"an unknown key in it":       {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: none, key: x}}]", []string{"“key”", "scheme、keys、client_pins、from"}},
		"a seal without keys":        {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: hmac-sha256}}]", []string{"seal.keys", "缺少密钥文件"}},
		"no seal with keys":          {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: none, keys: [a.key]}}]", []string{"删去 keys"}},
		"a missing key":              {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: hmac-sha256, keys: [c.key]}}]", []string{"c.key 不存在", "banks.yaml 所在目录"}},
		"a locked key":               {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: hmac-sha256, keys: [locked.key]}}]", []string{"locked.key 无法读取"}},
		"a short key":                {"banks: [{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: hmac-sha256, keys: [short.key]}}]", []string{"只有 6 字节", "至少 24 字节"}},
		"a key of two banks": {"banks: [{code: b, adapter: camt, parent_accounts: [\"2\"], seal: {scheme: hmac-sha256, keys: [a.key]}}, " +
			"{code: a, adapter: camt, parent_accounts: [\"1\"], seal: {scheme: hmac-sha256, keys: [jsonpush.key]}}]", []string{"银行 a", "与银行 b"}},
		"an alias": {"banks: [{code: &x a, adapter: camt, name: *x, " + rest, []string{"此处应为一个值"}},
	} {
		_, err := ParseSet([]byte(c.text), keyFiles)
		r := deposit.AsRefusal(err)
		if err == nil || r.Code != "banks_invalid" || r.Kind != deposit.Invalid {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(r.Text, want) {
				t.Errorf("%s: %q is not in\n%s", name, want, r.Text)
			}
		}
		if strings.Contains(r.Text, "secret") {
			t.Errorf("%s: the error tells a key", name)
		}
	}
}

// TestParseSetListsEverything: somebody with five mistakes is told of five.
func TestParseSetListsEverything(t *testing.T) {
	_, err := ParseSet([]byte(`banks:
  - code: a
    adapter: swift
    currency: USD
    zone: UTC
    parent_accounts: ["1"]
    seal: {scheme: hmac-sha256, keys: [c.key]}
  - code: a
    adapter: csv
    notices: none
    parent_accounts: ["1"]
`), keyFiles)
	text := deposit.AsRefusal(err).Text
	if !strings.HasPrefix(text, "banks.yaml 有 7 处错误") || strings.Count(text, "\n第 ") != 7 {
		t.Errorf("not seven mistakes, each with its place:\n%s", text)
	}
}

// FuzzParseSet: any text gives a set in which every bank is whole, or an error that says something.
func FuzzParseSet(f *testing.F) {
	f.Add([]byte(ExampleSet))
	f.Add([]byte("banks: [{code: a, adapter: camt, parent_accounts: [1], seal: {scheme: none}}]"))
	f.Add([]byte(oneBank("call: 'tcp://127.0.0.1:9000', numbers: {from: rule, rule: '{parent}-{01..20}'}")))
	f.Add([]byte("a: &a [*a, *a]\nbanks: {<<: *a}"))
	f.Add([]byte("? [x]\n: y"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSet(text, func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if err != nil {
			if r := deposit.AsRefusal(err); !errors.As(err, &r) || r.Kind != deposit.Invalid || r.Text == "" {
				t.Fatal(err)
			}
			return
		}
		for _, b := range s.All() {
			if b.Numbers.From == "" || b.Numbers.QuarantineDays < 1 || b.Numbers.LeadDays < 0 || b.Reach.URL != "" && (b.Reach.check() != nil || b.Reach.Timeout < leastTimeout) {
				t.Errorf("a pool that is not whole: %+v", b)
			}
			if b.Code == "" || b.Name == "" || b.Adapter == nil || b.StatementAdapter == nil || len(b.ParentAccounts) == 0 || b.Charset == "" || b.Notices == "" || b.Seal.Scheme != NoSeal {
				t.Errorf("a bank that is not whole: %+v", b)
			}
		}
		if again, err := ParseSet([]byte(s.Describe()), keyFiles); err != nil || len(again.All()) != len(s.All()) {
			t.Errorf("what is printed is no banks.yaml: %v\n%s", err, s.Describe())
		}
	})
}
