package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"depositd/migrations/sqldb"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"以 JSON 打印"`
}

// symptom is one line of the doctor's.
type symptom struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"` // what to do, where it is not OK
}

// examination is what the doctor has looked at so far.
type examination struct {
	call     *call
	config   *config
	db       *sqldb.DB
	symptoms []symptom
}

func (x *examination) ok(check, format string, args ...any) {
	x.symptoms = append(x.symptoms, symptom{Check: check, OK: true, Text: fmt.Sprintf(format, args...)})
}

func (x *examination) bad(check, text, remedy string) {
	x.symptoms = append(x.symptoms, symptom{Check: check, Text: text, Remedy: remedy})
}

// Run looks at everything the service needs and says of each thing whether it is well, and if not, what to do.
func (d *doctorCmd) Run(ctx context.Context, c *call) error {
	x := &examination{call: c}
	var problems []string
	if x.config, problems = c.check(); len(problems) == 0 {
		x.ok("设置", "全部有效")
	}
	for _, problem := range problems {
		x.bad("设置", problem, "改正命令行参数或环境变量；depositd config 打印全部设置")
	}
	x.database(ctx)
	x.masterKey(ctx)
	x.files(ctx)
	x.clock(ctx)
	x.banks()
	x.webhooks()
	x.secretKey()
	x.space()
	x.ports(ctx)
	if x.db != nil {
		_ = x.db.Close()
	}
	return d.print(c, x.symptoms)
}

func (d *doctorCmd) print(c *call, symptoms []symptom) error {
	bad := 0
	for _, s := range symptoms {
		mark := "OK  "
		if !s.OK {
			mark = "问题"
			bad++
		}
		if d.JSON {
			continue
		}
		fmt.Fprintf(c.stdout, "%s  %s  %s\n", mark, pad(s.Check, 12), s.Text)
		if s.Remedy != "" {
			fmt.Fprintf(c.stdout, "%s→ %s\n", strings.Repeat(" ", 20), s.Remedy)
		}
	}
	if d.JSON {
		if err := printJSON(c.stdout, map[string]any{"checks": symptoms, "problems": bad}); err != nil {
			return err
		}
	}
	if bad > 0 {
		return errProblems
	}
	return nil
}

// database connects; what follows needs it.
func (x *examination) database(ctx context.Context) {
	if x.config.db == "" {
		return // its setting is wrong, which is told already
	}
	db, err := x.call.openDatabase(ctx, x.config, whatever)
	if err != nil {
		x.bad("数据库", explain(err), "检查 --db、密码文件和数据库服务；新库请先执行 depositd migrate")
		return
	}
	x.db = db
	x.ok("数据库", "可以连接（%s，%s）", sqldb.Mask(x.config.db), db.Engine())
	switch err := db.CheckSchema(ctx); {
	case err == nil:
		x.ok("表结构", "与本程序一致")
	case errors.Is(err, sqldb.ErrSchema):
		x.bad("表结构", "与本程序的版本不一致", "执行 depositd migrate")
	default:
		x.bad("表结构", explain(err), "检查数据库账号的权限")
	}
}

// masterKey holds the master key against the database.
func (x *examination) masterKey(ctx context.Context) {
	if x.db == nil {
		return
	}
	its, err := x.db.Master(ctx)
	if errors.Is(err, sqldb.ErrNoKeys) {
		x.bad("主密钥", "库中有密文，但表 seal_keys 是空的", "从备份恢复表 seal_keys；没有它，库中的户名、账号和报文无法读取")
		return
	}
	if err != nil { // there are no tables yet, which is told already
		return
	}
	key, err := x.config.master.key()
	switch {
	case its == "" && lacksMaster(err):
		x.ok("主密钥", "尚未生成，depositd migrate 时生成")
	case err != nil:
		x.bad("主密钥", explain(err), "没有主密钥就读不出库中的户名、账号和报文；从另存处取回，或由保管人给出份额")
	case its != "" && its != key.ID():
		x.bad("主密钥", fmt.Sprintf("编号 %s 与数据库的 %s 不符", key.ID(), its), "检查 --master-key-file 或 --master-share")
	default:
		x.ok("主密钥", "编号 %s，与数据库相符；请确认已另存一份，且不与数据库的备份放在一起", key.ID())
	}
}

// files says what a copy of the database's files tells: amounts, times and how many rows there are stand open in them,
// unless what lies below encrypts them (docs/sealing.md).
func (x *examination) files(ctx context.Context) {
	if x.db == nil {
		return
	}
	switch encrypted, err := x.db.EncryptsFiles(ctx); {
	case err != nil:
		x.bad("落盘加密", explain(err), "检查数据库账号的权限")
	case encrypted:
		x.ok("落盘加密", "数据库的表与日志文件已加密；导出的 SQL 备份不在其内，须另行加密")
	default:
		x.ok("落盘加密", "数据库文件中的金额、时间和行数是明文，副本会透露有几家投标：请确认所在磁盘已加密，或启用表空间加密（docs/sealing.md）")
	}
}

// mostSkew is how far the clocks of the replicas and of the database may be apart: the leases of jobs are minutes long.
const mostSkew = 30 * time.Second

// firstYear is when this program was written: a clock before it has not been set.
const firstYear = 2026

// clock compares this machine's clock with the database's; a day is closed and a notice is refused by it.
func (x *examination) clock(ctx context.Context) {
	now := time.Now()
	if now.Year() < firstYear {
		x.bad("时钟", "本机时间为 "+now.Format(time.RFC3339), "校准本机时间并启用时间同步（NTP）")
		return
	}
	if x.db == nil {
		return
	}
	there, err := x.db.Clock(ctx)
	if err != nil {
		x.bad("时钟", "读不到数据库时间："+explain(err), "检查数据库")
		return
	}
	skew := there.Sub(now).Round(time.Second)
	if skew.Abs() > mostSkew {
		x.bad("时钟", fmt.Sprintf("数据库时间与本机相差 %s", skew), "两台机器都启用时间同步（NTP）")
		return
	}
	x.ok("时钟", "与数据库相差不超过 %s", mostSkew)
	x.trustedTime(ctx)
}

// trustedTime says when the database's clock is behind the time that openings and notices are judged by.
func (x *examination) trustedTime(ctx context.Context) {
	ahead, err := x.db.TrustedAhead(ctx)
	if err != nil { // the table is not there yet, which is told already
		return
	}
	if ahead > sqldb.MostStatedAhead {
		x.bad("可信时间", fmt.Sprintf("比数据库时间超前 %s：数据库时钟被拨回，或曾经走快；在追上以前，开标时间提前须多等同样长的时间", ahead.Round(time.Second)), "校准数据库服务器的时间并启用时间同步（NTP）；时间已准的，等它追上即可，不影响按时开标")
	}
}

// secretKey reads the key that seals the second factors' secrets; the service makes it where there is none.
func (x *examination) secretKey() {
	file := x.config.secretKeyFile
	_, err := readSecretKey(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.ok("封存密钥", "%s 尚不存在，服务启动时生成", file)
	case err != nil:
		x.bad("封存密钥", explain(err), "改正文件或其权限；内容丢失后，已启用的动态口令须逐人重置（depositd user reset）")
	default:
		x.ok("封存密钥", "可读取（%s）", file)
	}
}

// banks reads banks.yaml and looks at every file that it names.
func (x *examination) banks() {
	var keys []string
	list := x.config.banksFile
	set, err := readBanks(list, func(name string) ([]byte, error) {
		if name != list {
			keys = append(keys, name)
		}
		return os.ReadFile(name)
	})
	if err != nil {
		x.bad("银行清单", err.Error(), "depositd config banks 可再次检查")
	} else {
		x.ok("银行清单", "%s，%d 家银行", list, len(set.All()))
	}
	if x.call.settings.DBPasswordFile != "" {
		keys = append(keys, x.call.settings.DBPasswordFile)
	}
	for _, name := range keys {
		x.secretFile(name)
	}
}

// webhooks reads the emergency plan, and webhooks.yaml where there is one with every key file that it names.
func (x *examination) webhooks() {
	list := x.config.webhooksFile
	plan, err := readPlan(x.config.planFile, os.ReadFile)
	if err != nil {
		x.bad("应急预案", err.Error(), "改正 --plan 所指的文件；depositd config plan 可再次检查")
		return
	}
	if list == "" {
		return // nobody is told
	}
	var keys []string
	settings, err := readWebhooks(list, plan, func(name string) ([]byte, error) {
		if name != list {
			keys = append(keys, name)
		}
		return os.ReadFile(name)
	})
	if err != nil {
		x.bad("外发通知", err.Error(), "改正该文件；格式见 README")
		return
	}
	x.ok("外发通知", "%s，%d 个接收方；depositd webhook test 可试发", list, len(settings.Endpoints))
	for _, name := range keys {
		x.secretFile(name)
	}
}

// secretFile looks at who may read a file that holds a secret.
func (x *examination) secretFile(name string) {
	file, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.bad("密钥文件", name+" 不存在", "放好该文件，或改正路径")
	case err != nil:
		x.bad("密钥文件", name+"："+err.Error(), "检查权限")
	case file.Mode().Perm()&0o007 != 0:
		x.bad("密钥文件", fmt.Sprintf("%s 的权限是 %04o，任何用户都可访问", name, file.Mode().Perm()), "chmod 0600 "+name)
	default:
		x.ok("密钥文件", "%s 只有指定用户可读", name)
	}
}

// leastSpace is room for about a year of a centre's messages and statements.
const leastSpace = 2 << 30

// space looks at the disk that the database file is on; a database server's disk is not ours to see.
func (x *examination) space() {
	folder := os.TempDir() // statement files pass through it
	if file := sqldb.File(x.config.db); file != "" {
		folder = filepath.Dir(file)
	}
	free, err := freeSpace(folder)
	switch {
	case err != nil:
		x.bad("磁盘", folder+"："+err.Error(), "检查文件夹是否存在")
	case free < leastSpace:
		x.bad("磁盘", fmt.Sprintf("%s 所在磁盘只剩 %d MiB", folder, free>>20), "清理或扩容，至少留出 2 GiB")
	default:
		x.ok("磁盘", "%s 所在磁盘可用 %d GiB", folder, free>>30)
	}
}

// ports tries to listen where the service will.
func (x *examination) ports(ctx context.Context) {
	for _, address := range []string{x.config.listen, x.config.metricsListen, x.config.tcpListen} {
		if address == "" || checkAddress(address) != nil {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			_ = l.Close()
			x.ok("监听端口", "%s 空闲", address)
		case isServing(ctx, x.config.listen):
			x.ok("监听端口", "%s 由正在运行的服务占用", address)
		default:
			x.bad("监听端口", address+" 不能监听："+err.Error(), "换一个端口，或停止占用它的程序")
		}
	}
}

// isServing asks whether it is a service of ours that listens there.
func isServing(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/livez", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
