package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"depositd/api"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/reconcile"
	"depositd/refund"
)

// config is what the settings mean.
type config struct {
	db               string // with its password
	master           master
	banksFile        string
	refundRulesFile  string // "" is the program's own
	refundLimits     refund.Limits
	planFile         string // "" is the program's own
	planAuthority    incident.Authority
	webhooksFile     string // "" tells nobody
	listen           string
	metricsListen    string // "" is off
	tcpListen        string // "" is off
	tcpBank          string
	rules            reconcile.Rules
	nightly          cron.Schedule
	trustedProxies   []string
	tls              *tls.Config // nil: plain HTTP
	clientCertHeader string      // "" is none
	rates            api.Rates
	revealsPerDay    int
	secretKeyFile    string
	doors            people.Rules
	maxStatementSize int64
	logJSON          bool
}

// check makes sense of the settings and lists everything that is wrong with them; it looks at no network.
func (c *call) check() (*config, []string) {
	s, problems := c.settings, append([]string(nil), c.problems...)
	wrong := func(flag, value string, err error) {
		problems = append(problems, fmt.Sprintf("--%s %q：%s", flag, value, err))
	}
	out := &config{db: s.DB, master: s.masterOf(), banksFile: s.banksFile(), refundRulesFile: s.RefundRules, planFile: s.Plan, planAuthority: incident.Authority(s.PlanAuthority), webhooksFile: s.Webhooks, listen: s.Listen, metricsListen: s.MetricsListen, tcpListen: s.TCPListen,
		tcpBank: s.TCPBank, secretKeyFile: s.secretKeyFile(), rules: s.rules(), logJSON: s.LogFormat == "json"}
	var err error
	if out.db, err = s.database(); err != nil {
		wrong("db", sqldb.Mask(s.DB), err)
	}
	for _, a := range []struct{ flag, address string }{{"listen", s.Listen}, {"metrics-listen", s.MetricsListen}, {"tcp-listen", s.TCPListen}} {
		if err := checkAddress(a.address); err != nil && (a.address != "" || a.flag == "listen") {
			wrong(a.flag, a.address, err)
		} else if a.flag == "metrics-listen" && a.address != "" && !isLoopback(a.address) {
			wrong(a.flag, a.address, errors.New("只能监听本机回环地址，如 127.0.0.1:9090：指标可能透露投标情况"))
		}
	}
	if (s.TCPListen == "") != (s.TCPBank == "") {
		wrong("tcp-bank", s.TCPBank, errors.New("--tcp-listen 与 --tcp-bank 必须同时设置"))
	}
	if out.nightly, err = cron.ParseStandard(s.NightlyAt); err != nil {
		wrong("nightly-at", s.NightlyAt, errors.New("应为 分 时 日 月 周，如 30 0 * * *"))
	}
	s.checkDoors(out, wrong)
	if out.maxStatementSize, err = parseSize(s.MaxStatementSize); err != nil {
		wrong("max-statement-size", s.MaxStatementSize, err)
	}
	out.rates = api.Rates{PerCaller: s.RatePerCaller, Overall: s.RateOverall}
	if s.RatePerCaller < 0 || s.RateOverall < 0 {
		wrong("rate-per-caller", fmt.Sprint(s.RatePerCaller, "、", s.RateOverall), errors.New("应为每秒的请求数，0 为不限"))
	}
	if out.revealsPerDay = s.RevealsPerDay; s.RevealsPerDay < 1 {
		wrong("reveals-per-day", strconv.Itoa(s.RevealsPerDay), errors.New("应为大于零的次数"))
	}
	out.refundLimits = s.refundLimits(wrong)
	if !slices.Contains(incident.Authorities(), out.planAuthority) {
		wrong("plan-authority", s.PlanAuthority, errors.New("应为 both、2.2 或 3.1"))
	}
	if s.LogFormat != "text" && s.LogFormat != "json" {
		wrong("log-format", s.LogFormat, errors.New("应为 text 或 json"))
	}
	return out, problems
}

// checkDoors makes sense of what decides on who is let in.
func (s *Settings) checkDoors(out *config, wrong func(flag, value string, err error)) {
	var err error
	if out.trustedProxies, err = parseProxies(s.TrustedProxy); err != nil {
		wrong("trusted-proxy", strings.Join(s.TrustedProxy, ","), err)
	}
	if out.tls, err = s.tls(); err != nil {
		wrong("tls-cert", s.TLSCert, err)
	}
	out.clientCertHeader = s.ClientCertHeader
	switch {
	case s.ClientCertHeader != "" && !headerName.MatchString(s.ClientCertHeader):
		wrong("client-cert-header", s.ClientCertHeader, errors.New("应为请求头的名称，如 X-Client-Cert"))
	case s.ClientCertHeader != "" && len(s.TrustedProxy) == 0:
		wrong("client-cert-header", s.ClientCertHeader, errors.New("须同时用 --trusted-proxy 写明可信的代理"))
	}
	if policy, ok := passwordPolicies[s.PasswordPolicy]; ok {
		out.doors.Policy = policy
	} else {
		wrong("password-policy", s.PasswordPolicy, errors.New("应为 dengbao 或 asvs"))
	}
}

// headerName is the form of the name of a header.
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,62}$`)

// passwordPolicies are what may be demanded of passwords.
var passwordPolicies = map[string]people.Policy{"dengbao": people.Graded, "asvs": people.ASVS}

// banksFile is the file that describes the banks.
func (s *Settings) banksFile() string {
	if s.Banks != "" {
		return s.Banks
	}
	return filepath.Join(filepath.Dir(sqldb.File(s.DB)), "banks.yaml")
}

// secretKeyFile is the file of the key that seals the second factors.
func (s *Settings) secretKeyFile() string {
	if s.SecretKeyFile != "" {
		return s.SecretKeyFile
	}
	return filepath.Join(filepath.Dir(s.banksFile()), "secret.key")
}

// rules is what the settings say of deciding.
func (s *Settings) rules() reconcile.Rules { return reconcile.Rules{EqualIsOnTime: !s.LateAtEquality} }

// refundLimits is what the settings allow of refunds.
func (s *Settings) refundLimits(wrong func(flag, value string, err error)) (l refund.Limits) {
	for _, one := range []struct {
		flag, value string
		limit       *deposit.Fen
	}{{"refund-line-limit", s.RefundLineLimit, &l.Line}, {"refund-batch-limit", s.RefundBatchLimit, &l.Batch}, {"refund-day-limit", s.RefundDayLimit, &l.Day}} {
		fen, err := deposit.ParseBalance(one.value)
		if *one.limit = fen; err != nil || fen <= 0 {
			wrong(one.flag, one.value, errors.New("应为大于零的金额，单位元，如 800000.00"))
		}
	}
	for _, one := range []struct {
		flag, value string
		lasts       *time.Duration
	}{{"refund-approval", s.RefundApproval, &l.ApprovalLasts}, {"refund-cooling", s.RefundCooling, &l.Cooling}} {
		d, err := time.ParseDuration(one.value)
		if *one.lasts = d; err != nil || d < time.Minute || d > mostRefundTime {
			wrong(one.flag, one.value, errors.New("应为 1m 到 720h 的时长，如 24h"))
		}
	}
	return l
}

// mostRefundTime bounds how long a signature counts: what was looked at a month ago has to be looked at again.
const mostRefundTime = 720 * time.Hour

// database is the address with the password that a file may hold.
func (s *Settings) database() (string, error) {
	if err := sqldb.CheckURL(s.DB); err != nil {
		return "", fmt.Errorf("应为 %s", sqldb.Forms)
	}
	if s.DBPasswordFile == "" {
		return s.DB, nil
	}
	password, err := readSecret(s.DBPasswordFile)
	if err != nil {
		return "", fmt.Errorf("读不到密码文件：%w", err)
	}
	url, err := sqldb.WithPassword(s.DB, password)
	if err != nil {
		return "", errors.New("用 --db-password-file 时，地址中应有用户名且没有密码")
	}
	return url, nil
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("应为 主机:端口，如 127.0.0.1:8080")
	}
	return nil
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// parseProxies checks address ranges; a single address is a range of one.
func parseProxies(list []string) ([]string, error) {
	var all []string
	for _, text := range list {
		if ip, err := netip.ParseAddr(text); err == nil {
			text = netip.PrefixFrom(ip, ip.BitLen()).String()
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errors.New("应为地址段，如 10.1.2.0/24")
		}
		if prefix.Bits() == 0 {
			return nil, errors.New("不能信任所有地址")
		}
		all = append(all, prefix.Masked().String())
	}
	return all, nil
}

// largestStatement bounds the setting; the largest real files, of a million lines, are near 200 MiB.
const largestStatement = 4 << 30

var sizeUnits = []struct {
	suffix string
	shift  uint
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"K", 10}, {"M", 20}, {"G", 30}, {"", 0}}

// parseSize reads "256MiB", "20M" or a number of bytes.
func parseSize(text string) (int64, error) {
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if size := n << unit.shift; err == nil && n > 0 && n <= largestStatement>>unit.shift && size >= 1<<10 {
			return size, nil
		}
		break
	}
	return 0, errors.New("应为 1KiB 至 4GiB 之间的大小，如 256MiB")
}
