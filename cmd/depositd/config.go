package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"depositd/migrations/sqldb"
)

// Settings are all settings, as they were written: a flag, else the environment variable DEPOSITD_ and the flag's name,
// else the default. check makes sense of them, all at once, so that whoever starts the program hears of every mistake.
type Settings struct {
	DB               string   `name:"db" default:"${db_default}" placeholder:"URL" help:"数据库：${db_forms}"`
	DBPasswordFile   string   `name:"db-password-file" placeholder:"FILE" help:"数据库密码所在的文件"`
	MasterKeyFile    string   `name:"master-key-file" placeholder:"FILE" help:"主密钥文件，库中的户名、账号和报文以它加密；缺省为数据库文件旁的 master.key（数据库在服务器上时为当前目录）"`
	MasterShare      []string `name:"master-share" placeholder:"FILE" help:"主密钥由保管人分持时，逐份给出的份额文件，可重复"`
	Banks            string   `placeholder:"FILE" help:"银行清单；缺省为数据库文件旁的 banks.yaml（数据库在服务器上时为当前目录）"`
	RefundRules      string   `name:"refund-rules" placeholder:"FILE" help:"退付规则（期限、利率）；缺省为程序自带的规则"`
	RefundLineLimit  string   `default:"100000000.00" placeholder:"YUAN" help:"退付单笔限额（元）"`
	RefundBatchLimit string   `default:"1000000000.00" placeholder:"YUAN" help:"退付单批限额（元）"`
	RefundDayLimit   string   `default:"5000000000.00" placeholder:"YUAN" help:"每个母账户每日退付限额（元）"`
	RefundApproval   string   `name:"refund-approval" default:"24h" placeholder:"DURATION" help:"复核与放行的有效时间，过期须重新签批"`
	RefundCooling    string   `name:"refund-cooling" default:"24h" placeholder:"DURATION" help:"收款账户变更批准后须等待多久才能付款"`
	Plan             string   `name:"plan" placeholder:"FILE" help:"应急预案；缺省为程序自带的聊公共资源〔2020〕4号"`
	PlanAuthority    string   `name:"plan-authority" default:"both" placeholder:"both|2.2|3.1" help:"预案 2.2 与 3.1 规定的签署人不一致时：都要签，或以其一为准"`
	Webhooks         string   `name:"webhooks" placeholder:"FILE" help:"应急事件外发通知的接收方；缺省不外发"`
	Listen           string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"HTTP 接口的监听地址"`
	MetricsListen    string   `default:"127.0.0.1:9090" empty:"off" placeholder:"HOST:PORT" help:"监控指标的监听地址，只能是本机回环"`
	TCPListen        string   `name:"tcp-listen" placeholder:"HOST:PORT" help:"G 系列报文的 TCP 监听地址；缺省关闭"`
	TCPBank          string   `name:"tcp-bank" placeholder:"CODE" help:"TCP 监听所属的银行代码"`
	LateAtEquality   bool     `default:"true" negatable:"" help:"恰在开标时刻到账算迟到"`
	NightlyAt        string   `default:"30 0 * * *" placeholder:"CRON" help:"每日对账的时刻：分 时 日 月 周（北京时间）"`
	TrustedProxy     []string `placeholder:"CIDR" help:"可信反向代理的地址段，可重复；缺省无"`
	TLSCert          string   `name:"tls-cert" placeholder:"FILE" help:"HTTP 接口的证书（PEM，含中间证书）；缺省不加密，由前置代理加密"`
	TLSKey           string   `name:"tls-key" placeholder:"FILE" help:"证书的私钥"`
	ClientCA         string   `name:"client-ca" placeholder:"FILE" help:"签发客户端证书的机构（PEM）；缺省只按 banks.yaml 的指纹认定"`
	ClientCertHeader string   `placeholder:"NAME" help:"可信反向代理转交客户端证书的请求头（PEM，百分号编码）；缺省不认"`
	RatePerCaller    int      `default:"200" placeholder:"N" help:"每个来源地址（本机除外）每秒的请求数上限，允许十倍的瞬时突发；0 不限"`
	RateOverall      int      `default:"2000" placeholder:"N" help:"全部来源每秒的请求数上限，允许十倍的瞬时突发；0 不限"`
	RevealsPerDay    int      `default:"50" placeholder:"N" help:"每人每日查看完整户名、账号的次数上限"`
	SecretKeyFile    string   `name:"secret-key-file" placeholder:"FILE" help:"封存动态口令的密钥文件；缺省为银行清单旁的 secret.key，没有则生成；各副本须用同一文件"`
	PasswordPolicy   string   `name:"password-policy" default:"dengbao" placeholder:"dengbao|asvs" help:"密码规则：dengbao 等保三级（复杂度、90 天更换），asvs 只看长度与常见密码"`
	MaxStatementSize string   `default:"512MiB" placeholder:"SIZE" help:"对账文件的大小上限"`
	LogFormat        string   `default:"text" placeholder:"text|json" help:"日志格式"`
}

// origin says where a setting's value came from.
type origin string

const (
	fromDefault     origin = "default"
	fromEnvironment origin = "environment"
	fromFlag        origin = "flag"
)

// envName is the environment variable of a setting: "DEPOSITD_TCP_LISTEN".
func envName(flag string) string {
	return "DEPOSITD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// isSetting tells the settings from the flags of single commands, which the environment does not reach.
func isSetting(v *kong.Value) bool {
	return v.Flag != nil && v.Flag.Group != nil && v.Flag.Group.Key == "设置"
}

// emptyIsOff tells a setting that an empty value switches off, whatever its default.
func emptyIsOff(v *kong.Value) bool { return isSetting(v) && v.Tag.Get("empty") == "off" }

// fromEnvironment resolves the settings that no flag gave. An empty variable is no variable, but where it switches off.
func (c *call) fromEnvironment(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, there := c.getenv(envName(flag.Name))
	if !isSetting(flag.Value) || value == "" && !(there && emptyIsOff(flag.Value)) {
		return nil, nil
	}
	c.origin[flag.Name] = fromEnvironment
	if flag.IsBool() && !isBool(value) { // kept for the whole list of mistakes
		c.problems = append(c.problems, fmt.Sprintf("%s=%s：应为 true 或 false", envName(flag.Name), value))
		return nil, nil
	}
	return value, nil
}

func isBool(text string) bool {
	_, err := strconv.ParseBool(text)
	return err == nil
}

// noteFlags records which settings the command line gave.
func (c *call) noteFlags(parsed *kong.Context) {
	for _, step := range parsed.Path {
		if step.Flag != nil && !step.Resolved {
			c.origin[step.Flag.Name] = fromFlag
		}
	}
}

// helpText adds a flag's default to its help, and to a setting's the name of its environment variable.
func helpText(v *kong.Value) string {
	help := v.Help
	if emptyIsOff(v) {
		help += "；空则关闭"
	}
	if v.HasDefault {
		help += "；默认 " + v.Default
	}
	if isSetting(v) {
		help += " [" + envName(v.Name) + "]"
	}
	return help
}

type configCmd struct {
	Show        configShowCmd        `cmd:"" default:"withargs" help:"打印生效的设置"`
	Banks       configBanksCmd       `cmd:"" help:"打印并检查 banks.yaml"`
	RefundRules configRefundRulesCmd `cmd:"" name:"refund-rules" help:"打印并检查退付规则"`
	Plan        configPlanCmd        `cmd:"" help:"打印并检查应急预案"`
}

type configShowCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// setting is one line of what config prints.
type setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin origin `json:"origin"`
}

// Run prints the effective settings with secrets masked, and then the whole list of what is wrong with them.
func (s *configShowCmd) Run(c *call) error {
	_, problems := c.check()
	if s.JSON {
		if err := printJSON(c.stdout, map[string]any{"settings": c.effective(), "problems": append([]string{}, problems...)}); err != nil {
			return err
		}
	} else {
		for _, one := range c.effective() {
			fmt.Fprintf(c.stdout, "%-20s %-36s %s\n", one.Name, one.Value, originName[one.Origin])
		}
	}
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	return nil
}

var originName = map[origin]string{fromDefault: "默认值", fromEnvironment: "环境变量", fromFlag: "命令行"}

// effective lists the settings in the order of the struct.
func (c *call) effective() []setting {
	var all []setting
	values := reflect.ValueOf(*c.settings)
	for i := range values.NumField() {
		name := flagName(values.Type().Field(i))
		value := fmt.Sprint(values.Field(i).Interface())
		if list, ok := values.Field(i).Interface().([]string); ok {
			value = strings.Join(list, ",")
		}
		switch name {
		case "db":
			value = sqldb.Mask(value)
		case "banks":
			value = c.settings.banksFile()
		case "master-key-file":
			value = c.settings.masterOf().file
		case "secret-key-file":
			value = c.settings.secretKeyFile()
		}
		from := c.origin[name]
		if from == "" {
			from = fromDefault
		}
		all = append(all, setting{name, value, from})
	}
	return all
}

// flagName is the name kong gives a field: its tag, or LogFormat as log-format.
func flagName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	var b strings.Builder
	for i, r := range f.Name {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// settingsWrong is the whole list as one error.
func settingsWrong(problems []string) error { return usageError{listed("设置", problems)} }

func listed(what string, problems []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s有 %d 处问题：", what, len(problems))
	for i, problem := range problems {
		fmt.Fprintf(&b, "\n  %d. %s", i+1, problem)
	}
	return errors.New(b.String())
}

func printJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// readSecret reads a secret's file: one line, without the line's end.
func readSecret(name string) (string, error) {
	body, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(body), "\r\n")
	if secret == "" || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("%s：应恰有一行非空的密码", name)
	}
	return secret, nil
}
