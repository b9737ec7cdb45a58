package bank

import (
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"

	"depositd/platform/deposit"
)

// Reach is how a bank is called. The zero Reach: it is not.
type Reach struct {
	URL        string        // tcp://host:port, https://… or http://…
	Timeout    time.Duration // of one message and its answer, from the dialling on
	LeasedLine bool          // an address outside the own network is reached over a line that nobody else is on
}

// How long a bank may take. Ten seconds are common, batches take longer; beyond minutes nobody is there.
const (
	defaultTimeout = 30 * time.Second
	leastTimeout   = time.Second
	mostTimeout    = 5 * time.Minute
)

var callKeys = []string{"url", "timeout", "leased_line"}

// reach reads "call": an address, or a section of it.
func (r *setReader) reach(b *Bank, node ast.Node) Reach {
	if node == nil {
		return Reach{}
	}
	said := map[string]ast.Node{"url": node}
	if isSection(node) {
		if said = r.section(node, "call", callKeys); said == nil {
			return Reach{}
		}
	}
	if b.Adapter != nil && b.Adapter.Calls == nil && !b.Pays() {
		r.complain(node.GetToken(), "call", "报文格式 ", b.Adapter.Name, " 不能向银行发出请求，也不能付款，请删去 call，或换一种 adapter")
	}
	reach := Reach{URL: r.scalar(said["url"], "call.url"), Timeout: r.timeout(said["timeout"]), LeasedLine: r.yes(said["leased_line"], "call.leased_line")}
	switch err := reach.check(); {
	case said["url"] == nil:
		r.complain(node.GetToken(), "call.url", "缺少银行地址，如 tcp://127.0.0.1:9000 或 https://10.1.2.3/bank")
	case err != nil:
		r.complain(said["url"].GetToken(), "call.url", deposit.AsRefusal(err).Text)
	}
	return reach
}

func (r *setReader) timeout(node ast.Node) time.Duration {
	text := r.scalar(node, "call.timeout")
	if text == "" {
		return defaultTimeout
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < leastTimeout || d > mostTimeout {
		r.complain(node.GetToken(), "call.timeout", "应为 ", leastTimeout, " 到 ", mostTimeout, " 的时长，如 30s：", clip(text))
	}
	return d
}

// check holds an address to what may go over it. Messages over tcp and http can be read and altered on the way, and a
// G-series bank knows us by nothing but where we come from: they go within the own machine or network, where a front-end
// machine (前置机) stands, or over a leased line, which banks.yaml has to say.
func (c Reach) check() error {
	to, err := url.Parse(c.URL)
	if err != nil || to.Host == "" || to.Opaque != "" {
		return deposit.Refuse(deposit.Invalid, "call_malformed", "银行地址应如 tcp://127.0.0.1:9000 或 https://10.1.2.3/bank：", clip(c.URL))
	}
	port, err := strconv.ParseUint(to.Port(), 10, 16)
	switch {
	case to.User != nil || to.RawQuery != "" || to.Fragment != "":
		return deposit.Refuse(deposit.Invalid, "call_malformed", "银行地址中不能有口令、参数或片段")
	case to.Hostname() == "" || to.Port() != "" && (err != nil || port == 0):
		return deposit.Refuse(deposit.Invalid, "call_malformed", "银行地址的主机或端口不对：", clip(c.URL))
	case to.Scheme == tcp && (to.Port() == "" || to.Path != ""):
		return deposit.Refuse(deposit.Invalid, "call_malformed", "tcp 地址应为主机和端口，如 tcp://127.0.0.1:9000：", clip(c.URL))
	case to.Scheme != tcp && to.Scheme != "http" && to.Scheme != "https":
		return deposit.Refuse(deposit.Invalid, "call_malformed", "银行地址应以 tcp://、https:// 或 http:// 开头：", clip(c.URL))
	case to.Scheme != "https" && !c.LeasedLine && !ownNetwork(to.Hostname()):
		return deposit.Refuse(deposit.Invalid, "call_unprotected", to.Scheme, " 不加密，只能用于本机或内网地址；请改用 https，确为专线的请写 call: {url: …, leased_line: true}")
	}
	return nil
}

// ownNetwork asks for an address, not a name: whoever answers for a name could lead it elsewhere.
func ownNetwork(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (address.IsLoopback() || address.IsPrivate())
}

// isSection says whether a node is a mapping.
func isSection(node ast.Node) bool {
	t := node.Type()
	return t == ast.MappingType || t == ast.MappingValueType
}

// yes reads true or false.
func (r *setReader) yes(node ast.Node, key string) bool {
	switch text := r.scalar(node, key); text {
	case "", "false":
		return false
	case "true":
		return true
	default:
		r.complain(node.GetToken(), key, "应为 true 或 false：", clip(text))
		return false
	}
}
