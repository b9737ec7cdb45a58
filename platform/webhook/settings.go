package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"depositd/platform/deposit"
	"depositd/platform/incident"
)

// Settings are who is told what, and how often it is tried (webhooks.yaml).
type Settings struct {
	Endpoints []Endpoint
	Retry     Retry
}

// Endpoint is one receiver. It prints without its secrets.
type Endpoint struct {
	Name        string
	URL         string
	SecretFiles []string
	secrets     [][]byte
	Departments []string // whose incidents; none: everybody's
	Levels      []string // of the plan, or "none"; none: all
	Events      []string // kinds of timeline entries
	Drills      bool
}

// Secrets are the keys that a notice is signed with: several while one takes the place of another.
func (e *Endpoint) Secrets() [][]byte { return e.secrets }

// Format prints an endpoint without its secrets, whatever the verb.
func (e Endpoint) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%s %s", e.Name, e.URL) }

// Endpoint finds an endpoint by its name; nil if there is none.
func (s *Settings) Endpoint(name string) *Endpoint {
	for i := range s.Endpoints {
		if s.Endpoints[i].Name == name {
			return &s.Endpoints[i]
		}
	}
	return nil
}

// noLevel is how webhooks.yaml calls incidents that have no level yet.
const noLevel = "none"

// defaultEvents are told unless the file says otherwise: what people wait for, not each step and each piece of evidence.
var defaultEvents = []string{string(incident.EntryOpened), string(incident.EntryMoved), string(incident.EntryGraded), string(incident.EntrySuggested), string(incident.EntryOverdue),
	string(incident.EntryGone), string(incident.EntryAgain)}

// Retry is when a notice that was not taken is sent again.
type Retry struct {
	After  []time.Duration // the n-th wait follows the n-th failure; behind the last it is given up
	Jitter float64         // of a wait, by which it is longer at most
}

// defaultRetry is the schedule that Standard Webhooks recommends: some three days.
var defaultRetry = Retry{After: []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}, Jitter: 0.2}

// What a schedule may be, and how long a receiver may ask to be left alone (Retry-After).
const (
	leastWait = time.Second
	mostWait  = 7 * 24 * time.Hour
	mostWaits = 50
	mostAsked = 24 * time.Hour
)

// after is the wait behind the n-th failure; again is false when it is given up.
func (r Retry) after(failures int, spread float64) (wait time.Duration, again bool) {
	if failures > len(r.After) {
		return 0, false
	}
	wait = r.After[failures-1]
	return wait + time.Duration(float64(wait)*r.Jitter*spread), true
}

// file is webhooks.yaml.
type file struct {
	Webhooks []struct {
		Name        string   `yaml:"name"`
		URL         string   `yaml:"url"`
		SecretFiles []string `yaml:"secret_files"`
		Departments []string `yaml:"departments"`
		Levels      []string `yaml:"levels"`
		Events      []string `yaml:"events"`
		Drills      *bool    `yaml:"drills"`
	} `yaml:"webhooks"`
	Retry *struct {
		After  []string `yaml:"after"`
		Jitter *float64 `yaml:"jitter"`
	} `yaml:"retry"`
}

// ParseSettings reads webhooks.yaml. secret reads a key file, by the name the file has. The error is one Invalid Refusal,
// webhooks_invalid, whose text lists everything that is wrong, a line each. No text is nobody to tell.
func ParseSettings(text []byte, plan *incident.Plan, secret func(name string) ([]byte, error)) (*Settings, error) {
	r := &reading{plan: plan, secret: secret, out: &Settings{Retry: defaultRetry}}
	var f file
	if len(text) > 0 {
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f); err != nil {
			r.complain("", "不是有效的 YAML，或有不认识的键：", yaml.FormatError(err, false, false))
		}
	}
	r.endpoints(&f)
	r.retry(&f)
	if len(r.wrong) > 0 {
		return nil, deposit.Refuse(deposit.Invalid, "webhooks_invalid", "webhooks.yaml 有 ", len(r.wrong), " 处错误：\n", strings.Join(r.wrong, "\n"))
	}
	return r.out, nil
}

// reading collects what is wrong with a file.
type reading struct {
	plan   *incident.Plan
	secret func(string) ([]byte, error)
	out    *Settings
	wrong  []string
}

func (r *reading) complain(where string, text ...any) {
	if where != "" {
		where += "："
	}
	r.wrong = append(r.wrong, where+fmt.Sprint(text...))
}

var endpointName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

func (r *reading) endpoints(f *file) {
	for i, w := range f.Webhooks {
		where := fmt.Sprintf("第 %d 个接收方", i+1)
		if endpointName.MatchString(w.Name) {
			where = "接收方 " + w.Name
		} else {
			r.complain(where, "name 应为 1 到 32 个小写字母、数字或连字符：“", w.Name, "”")
		}
		if r.out.Endpoint(w.Name) != nil {
			r.complain(where, "name 重复，请换一个")
		}
		if err := checkURL(w.URL); err != nil {
			r.complain(where, deposit.AsRefusal(err).Text)
		}
		e := Endpoint{Name: w.Name, URL: w.URL, SecretFiles: w.SecretFiles, Departments: w.Departments, Levels: w.Levels, Events: w.Events, Drills: w.Drills == nil || *w.Drills}
		if len(e.Events) == 0 {
			e.Events = defaultEvents
		}
		r.secrets(where, &e)
		r.words(where, &e)
		r.out.Endpoints = append(r.out.Endpoints, e)
	}
}

// mostSecrets is how many signatures a receiver has to look at: the old key and the new one are two.
const mostSecrets = 4

func (r *reading) secrets(where string, e *Endpoint) {
	if len(e.SecretFiles) == 0 || len(e.SecretFiles) > mostSecrets {
		r.complain(where, "secret_files 应写明 1 到 ", mostSecrets, " 个密钥文件（whsec_…）；更换密钥期间写新旧两个")
	}
	for _, name := range e.SecretFiles {
		key, err := r.secret(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.complain(where, "密钥文件 ", name, " 不存在；路径相对于 webhooks.yaml 所在目录")
		case deposit.IsKind(err, deposit.Invalid):
			r.complain(where, "密钥文件 ", name, "：", deposit.AsRefusal(err).Text)
		case err != nil:
			r.complain(where, "密钥文件 ", name, " 无法读取，请检查权限")
		}
		e.secrets = append(e.secrets, key)
	}
}

// words holds levels and events to those there are.
func (r *reading) words(where string, e *Endpoint) {
	levels := []string{noLevel}
	for _, l := range r.plan.Levels.Items {
		levels = append(levels, l.ID)
	}
	var events []string
	for _, kind := range incident.EntryKinds() {
		events = append(events, string(kind))
	}
	for _, list := range []struct {
		key        string
		said, they []string
	}{{"levels", e.Levels, levels}, {"events", e.Events, events}} {
		for _, word := range list.said {
			if !slices.Contains(list.they, word) {
				r.complain(where, list.key, " 中没有“", word, "”；可用：", strings.Join(list.they, "、"))
			}
		}
	}
	for _, name := range e.Departments {
		if strings.TrimSpace(name) == "" {
			r.complain(where, "departments 中有空的科室名称")
		}
	}
}

func (r *reading) retry(f *file) {
	if f.Retry == nil {
		return
	}
	if f.Retry.Jitter != nil {
		r.out.Retry.Jitter = *f.Retry.Jitter
	}
	if j := r.out.Retry.Jitter; j < 0 || j > 1 {
		r.complain("retry.jitter", "应为 0 到 1 之间的小数，如 0.2")
	}
	if len(f.Retry.After) > mostWaits {
		r.complain("retry.after", "最多 ", mostWaits, " 次")
	}
	if f.Retry.After == nil {
		return
	}
	r.out.Retry.After = nil
	for _, text := range f.Retry.After {
		d, err := time.ParseDuration(text)
		if err != nil || d < leastWait || d > mostWait {
			r.complain("retry.after", "应为 ", leastWait, " 到 ", mostWait, " 的时长，如 5m：“", text, "”")
		}
		r.out.Retry.After = append(r.out.Retry.After, d)
	}
}

// checkURL holds an address to https, or http within the own machine or network, where a relay stands.
func checkURL(text string) error {
	to, err := url.Parse(text)
	switch {
	case err != nil || to.Host == "" || to.Opaque != "" || to.Scheme != "http" && to.Scheme != "https":
		return deposit.Refuse(deposit.Invalid, "url_malformed", "url 应如 https://hooks.example.cn/depositd：“", text, "”")
	case to.User != nil || to.Fragment != "":
		return deposit.Refuse(deposit.Invalid, "url_malformed", "url 中不能有口令或片段")
	case to.Scheme == "http" && !ownNetwork(to.Hostname()):
		return deposit.Refuse(deposit.Invalid, "url_unprotected", "http 不加密，只能用于本机或内网地址，其他请用 https")
	}
	return nil
}

// ownNetwork asks for an address, not a name: whoever answers for a name could lead it elsewhere.
func ownNetwork(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && (address.IsLoopback() || address.IsPrivate())
}
