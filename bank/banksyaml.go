package bank

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"depositd/platform/deposit"
)

// What banks.yaml may say of currency and zone. The keys are there so that a file that means another is refused, not misread.
const (
	onlyCurrency = "CNY"
	onlyZone     = "Asia/Shanghai"
)

// The keys of banks.yaml.
var (
	fileKeys = []string{"banks"}
	bankKeys = []string{"code", "name", "adapter", "statement", "payout", "posting", "cut_off", "resend_within", "parent_accounts", "currency", "zone", "charset", "notices", "seal", "call", "payout_folder", "result_folder", "numbers"}
)

var (
	bankCode      = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	parentAccount = regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)
)

// ParseSet reads banks.yaml. readFile opens the key files by the names the file has, which are relative to it. The error
// is one Invalid Refusal, banks_invalid, whose text lists everything that is wrong, a line each, with line and column.
func ParseSet(text []byte, readFile func(path string) ([]byte, error)) (*Set, error) {
	r := &setReader{readFile: readFile, codes: map[string]bool{}, parents: map[string]string{}, keys: map[[sha256.Size]byte]string{}}
	r.file(text)
	if len(r.wrong) > 0 {
		return nil, deposit.Refuse(deposit.Invalid, "banks_invalid", "banks.yaml 有 ", len(r.wrong), " 处错误：\n", strings.Join(r.wrong, "\n"))
	}
	return &Set{r.banks}, nil
}

// setReader walks the file's syntax tree, so that each complaint knows its line and column, and goes on after it.
type setReader struct {
	readFile func(string) ([]byte, error)
	banks    []*Bank
	wrong    []string

	bank    string                       // whose section is being read, for complaints
	codes   map[string]bool              // in use
	parents map[string]string            // parent account → bank
	keys    map[[sha256.Size]byte]string // hash of a key → bank
}

func (r *setReader) complain(at *token.Token, key string, text ...any) {
	var where []string
	if at != nil && at.Position != nil {
		where = append(where, fmt.Sprintf("第 %d 行第 %d 列", at.Position.Line, at.Position.Column))
	}
	if r.bank != "" {
		where = append(where, "银行 "+r.bank)
	}
	if key != "" {
		where = append(where, key)
	}
	r.wrong = append(r.wrong, strings.Join(append(where, fmt.Sprint(text...)), "："))
}

func (r *setReader) file(text []byte) {
	if !utf8.Valid(text) {
		r.complain(nil, "", "文件不是 UTF-8 编码，请另存为 UTF-8")
		return
	}
	tree, err := parser.ParseBytes(trimPadding(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.unreadable(err)
		return
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		r.complain(nil, "", "文件应有且只有一份 YAML 文档，以 banks: 开头")
		return
	}
	body := tree.Docs[0].Body
	list := r.list(r.section(body, "", fileKeys)["banks"], "banks")
	if len(list) == 0 && len(r.wrong) == 0 {
		r.complain(body.GetToken(), "banks", "没有配置银行，至少应有一家")
	}
	for i, node := range list {
		r.one(i, node)
	}
}

// unreadable reports what is not YAML at all, where the parser says it is.
func (r *setReader) unreadable(err error) {
	var located yaml.Error
	if errors.As(err, &located) {
		r.complain(located.GetToken(), "", "不是有效的 YAML：", located.GetMessage())
		return
	}
	r.complain(nil, "", "不是有效的 YAML：", err)
}

// one reads a bank's section.
func (r *setReader) one(i int, node ast.Node) {
	r.bank = bankLabel(i, node)
	defer func() { r.bank = "" }()
	said := r.section(node, "", bankKeys)
	if said == nil {
		return
	}
	code := r.scalar(said["code"], "code")
	switch {
	case code == "":
		r.complain(node.GetToken(), "code", "缺少银行代码，由小写字母、数字和连字符组成，如 ccb")
	case !bankCode.MatchString(code):
		r.complain(said["code"].GetToken(), "code", "银行代码“", clip(code), "”应为 1 到 32 个小写字母、数字或连字符")
	case r.codes[code]:
		r.complain(said["code"].GetToken(), "code", "银行代码“", code, "”重复，请换一个")
	default:
		r.codes[code] = true
	}
	b := &Bank{Code: code, Name: r.scalar(said["name"], "name"), Charset: r.charset(said["charset"]), Notices: r.notices(said["notices"]),
		Posting: r.posting(said["posting"])}
	if b.Name == "" {
		b.Name = code
	}
	r.fixed(said["currency"], "currency", onlyCurrency)
	r.fixed(said["zone"], "zone", onlyZone)
	r.adapters(b, node, said)
	b.ParentAccounts = r.parentAccounts(node, said["parent_accounts"])
	b.Seal = r.seal(node, said["seal"])
	b.Reach = r.reach(b, said["call"])
	b.Drop = r.drop(b, said)
	b.CutOff, b.ResendWithin = r.cutOff(b, said["cut_off"]), r.resendWithin(b, said["resend_within"])
	b.Numbers = r.numbers(b, said["numbers"])
	r.banks = append(r.banks, b)
}

// bankLabel is what complaints call a bank: its code, or where it stands in the list.
func bankLabel(i int, node ast.Node) string {
	if section, ok := node.(*ast.MappingNode); ok {
		for _, pair := range section.Values {
			if code := pair.Value; pair.Key.GetToken().Value == "code" && code != nil && bankCode.MatchString(code.GetToken().Value) {
				return code.GetToken().Value
			}
		}
	}
	return fmt.Sprintf("（第 %d 家）", i+1)
}

// fixed complains about a value other than the only one there is.
func (r *setReader) fixed(node ast.Node, key, only string) {
	if value := r.scalar(node, key); value != "" && value != only {
		r.complain(node.GetToken(), key, "只支持 ", only, "，请改正或删去此项：", clip(value))
	}
}

func (r *setReader) charset(node ast.Node) Charset {
	charset, err := CharsetOf(r.scalar(node, "charset"))
	if err != nil {
		r.complain(node.GetToken(), "charset", deposit.AsRefusal(err).Text)
	}
	return charset
}

func (r *setReader) notices(node ast.Node) Notices {
	n := Notices(r.scalar(node, "notices"))
	switch n {
	case "":
		return Single
	case Single, Aggregate, None:
	default:
		r.complain(node.GetToken(), "notices", "应为 single（逐笔）、aggregate（可合并）或 none（不推送）：", clip(string(n)))
	}
	return n
}

// adapters finds the dialects of a bank and holds them to what it needs of them.
func (r *setReader) adapters(b *Bank, node ast.Node, said map[string]ast.Node) {
	b.Adapter = r.adapter(said["adapter"], "adapter")
	if said["adapter"] == nil {
		r.complain(node.GetToken(), "adapter", "缺少报文格式；可用：", adapterNames())
	}
	if b.StatementAdapter = b.Adapter; said["statement"] != nil {
		b.StatementAdapter = r.adapter(said["statement"], "statement")
	}
	r.payout(b, said["payout"])
	if b.Adapter != nil && b.Adapter.Notice == nil && b.Notices != None {
		r.complain(said["adapter"].GetToken(), "notices", "报文格式 ", b.Adapter.Name, " 不能接收通知；请写 notices: none，或换一种 adapter")
	}
	if b.StatementAdapter != nil && b.StatementAdapter.Statement == nil {
		at := said["statement"]
		if at == nil {
			at = said["adapter"]
		}
		r.complain(at.GetToken(), "statement", "报文格式 ", b.StatementAdapter.Name, " 不能读对账单；请用 statement 指定对账单的格式，如 statement: csv")
	}
}

func (r *setReader) adapter(node ast.Node, key string) *Adapter {
	name := r.scalar(node, key)
	if name == "" {
		return nil
	}
	a, err := AdapterOf(name)
	if err != nil {
		r.complain(node.GetToken(), key, "没有名为“", clip(name), "”的报文格式；可用：", adapterNames())
	}
	return a
}

func adapterNames() string {
	var names []string
	for _, a := range Adapters() {
		names = append(names, a.Name)
	}
	return strings.Join(names, "、")
}

func (r *setReader) parentAccounts(bank, node ast.Node) []string {
	var accounts []string
	before := len(r.wrong)
	for _, item := range r.list(node, "parent_accounts") {
		account := r.scalar(item, "parent_accounts")
		switch owner, taken := r.parents[account]; {
		case !parentAccount.MatchString(account):
			r.complain(item.GetToken(), "parent_accounts", "母账户“", clip(account), "”应为 1 到 40 位数字、字母或连字符")
		case taken:
			r.complain(item.GetToken(), "parent_accounts", "母账户 ", account, " 已属于银行 ", owner, "，一个母账户只能写一次")
		default:
			r.parents[account] = r.bank
			accounts = append(accounts, account)
		}
	}
	if len(accounts) == 0 && len(r.wrong) == before {
		r.complain(bank.GetToken(), "parent_accounts", "缺少母账户，至少应有一个")
	}
	return accounts
}

// section reads a mapping whose keys are known; nil when it is none. A key without a value counts as not there.
func (r *setReader) section(node ast.Node, name string, known []string) map[string]ast.Node {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.complain(node.GetToken(), name, "此处应为若干“键: 值”，可用的键：", strings.Join(known, "、"))
		return nil
	}
	said, seen := map[string]ast.Node{}, map[string]bool{}
	for _, pair := range pairs {
		at := pair.Key.GetToken()
		switch key := at.Value; {
		case !slices.Contains(known, key):
			r.complain(at, name, "没有名为“", clip(key), "”的键；可用：", strings.Join(known, "、"))
		case seen[key]:
			r.complain(at, name, "键 ", key, " 写了两次，请删去一个")
		default:
			seen[key] = true
			if pair.Value != nil && pair.Value.Type() != ast.NullType {
				said[key] = pair.Value
			}
		}
	}
	return said
}

// list reads a sequence; none when the node is nil.
func (r *setReader) list(node ast.Node, key string) []ast.Node {
	if node == nil {
		return nil
	}
	if n, ok := node.(*ast.SequenceNode); ok {
		return n.Values
	}
	r.complain(node.GetToken(), key, "此处应为列表，如 [甲, 乙] 或每行以“- ”开头")
	return nil
}

// scalar reads a value as it is written – an account number is no number – and "" when the node is nil.
func (r *setReader) scalar(node ast.Node, key string) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return ""
	case *ast.StringNode:
		return strings.TrimSpace(n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return strings.TrimSpace(n.GetToken().Value)
	}
	r.complain(node.GetToken(), key, "此处应为一个值")
	return ""
}
