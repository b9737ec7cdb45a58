// Command depositd receives bid deposits for a public resource trading centre: it takes the banks' messages, says of each
// credit what it is, closes the day against the bank's statement and prints what does not fit.
//
// The server, the nightly job and the commands are three ways into one app.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/people"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// program is every command and, with Settings, every flag: the help, the environment and the parsing come from it.
type program struct {
	Settings `embed:"" group:"设置"`

	Serve      serveCmd      `cmd:"" help:"启动服务：接收银行报文、定时对账、提供接口"`
	Demo       demoCmd       `cmd:"" help:"演示：模拟一个交易中心的一个月，打印最后一天的对账报告"`
	Import     importCmd     `cmd:"" help:"导入文件：标段、投标、到账通知、银行对账文件"`
	Nightly    nightlyCmd    `cmd:"" help:"执行一天的对账（可重复执行，结果不变）"`
	Report     reportCmd     `cmd:"" help:"打印一天的对账报告"`
	Pool       poolCmd       `cmd:"" help:"子账号号池：现状、导入、与银行核对、预测、人工释放"`
	Watch      watchCmd      `cmd:"" help:"立即查找预案 4.6 与 5.1.1 的故障，打印逐步证据与责任判断（服务每分钟自动执行）"`
	Check      checkCmd      `cmd:"" help:"比对两个文件：投标表与银行对账文件，无需数据库"`
	Bench      benchCmd      `cmd:"" help:"测速：在本机生成数据并测量，与其他程序对照"`
	Verify     verifyCmd     `cmd:"" help:"检查数据的内部一致性与审计封印，并打开每一处密文"`
	Checkpoint checkpointCmd `cmd:"" help:"打印审计日志的检查点，供保存在数据库以外"`
	Seal       sealCmd       `cmd:"" help:"银行报文的密钥：生成、签名样例、证书指纹"`
	Refund     refundCmd     `cmd:"" help:"退付：进度、发送、停付与恢复、到期清单"`
	User       userCmd       `cmd:"" help:"用户：首任管理员、增加、申请角色、停用、启用、重置、列表"`
	Token      tokenCmd      `cmd:"" help:"程序接口的令牌：增加、吊销、列表"`
	Webhook    webhookCmd    `cmd:"" help:"应急事件的外发通知：清单、重发、试发"`
	Incident   incidentCmd   `cmd:"" help:"应急事件与演练：清单、登记、签署、步骤"`
	Calendar   calendarCmd   `cmd:"" help:"工作日历：查看，或导入国务院办公厅新公布的放假安排"`
	Migrate    migrateCmd    `cmd:"" help:"建立或升级数据库表结构"`
	Key        keyCmd        `cmd:"" help:"主密钥：生成、拆分给保管人、恢复、更换"`
	Config     configCmd     `cmd:"" help:"打印生效的设置（密码已遮盖）；检查 banks.yaml"`
	Doctor     doctorCmd     `cmd:"" help:"检查运行环境，逐项说明问题与处理办法"`
	Version    versionCmd    `cmd:"" help:"打印版本"`
	Department departmentCmd `cmd:"" help:"科室：增加、列表"`
}

const description = `depositd：公共资源交易中心投标保证金到账核对服务。

退出码：0 正常，1 失败，2 用法或输入文件有误，3 有不符项，4 任务正由另一进程执行。
设置的优先级：命令行 > 环境变量（DEPOSITD_ 加大写的设置名）> 默认值。`

// The exit codes.
const (
	exitOK = iota
	exitFailure
	exitUsage
	exitMismatches
	exitHeld
)

// What a command comes back with when it did its work and the exit code has to say more than yes or no.
var (
	errMismatches = errors.New("有不符项")
	errProblems   = errors.New("发现问题")
	errHeld       = errors.New("该任务正由另一进程执行，请稍后再试")
)

// usageError is a mistake in the arguments or in a file that was given: exit code 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// call is one invocation: what main handed in, and the settings that came of it.
type call struct {
	settings       *Settings
	origin         map[string]origin // per setting
	problems       []string          // settings that could not be read
	getenv         environment
	now            func() time.Time // the clock the database is opened with, as sqldb.OpenAt has it; the demonstration has its own
	stdout, stderr io.Writer
}

// environment gives the value of a variable, and whether there is one: an empty one can mean something.
type environment func(name string) (value string, there bool)

// run is the program: it parses, runs one command and gives the exit code.
func run(ctx context.Context, args []string, getenv environment, stdout, stderr io.Writer) int {
	return runAt(ctx, args, getenv, nil, stdout, stderr)
}

// runAt is run with a clock of the caller's, which stands for the database's too; nil is the machine's, and the database's own.
func runAt(ctx context.Context, args []string, getenv environment, now func() time.Time, stdout, stderr io.Writer) int {
	var p program
	c := &call{settings: &p.Settings, origin: map[string]origin{}, getenv: getenv, now: now, stdout: stdout, stderr: stderr}
	helped := false
	parser, err := kong.New(&p, kong.Name("depositd"), kong.Description(description), kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }), kong.Resolvers(kong.ResolverFunc(c.fromEnvironment)), kong.ValueFormatter(helpText),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, NoAppDescFormat: true, WrapUpperBound: 110}),
		kong.Vars{"db_default": sqldb.DefaultURL, "db_forms": sqldb.Forms, "bench_sections": benchSectionNames(), "schemes": schemeNames(),
			"person_roles": people.Join(people.OfPersons), "token_scopes": people.Join(people.Scopes)}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(c))
	if err != nil {
		return c.fail(err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err != nil {
		return c.fail(usageError{fmt.Errorf("%s\n用法见 %s --help", explain(err), commandOf(err))})
	}
	c.noteFlags(parsed)
	if err := parsed.Run(); err != nil {
		return c.fail(err)
	}
	return exitOK
}

// commandOf is the command that a mistake was made in, as far as it was understood: "depositd report".
func commandOf(err error) string {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil {
		return "depositd"
	}
	words := []string{"depositd"}
	for _, part := range parse.Context.Path {
		if part.Command != nil {
			words = append(words, part.Command.Name)
		}
	}
	return strings.Join(words, " ")
}

// fail says what went wrong and gives the exit code for it.
func (c *call) fail(err error) int {
	code := exitCode(err)
	if !errors.Is(err, errMismatches) && !errors.Is(err, errProblems) { // those have printed what they found
		fmt.Fprintln(c.stderr, "depositd:", explain(err))
	}
	return code
}

func exitCode(err error) int {
	var usage usageError
	switch {
	case errors.Is(err, errMismatches):
		return exitMismatches
	case errors.Is(err, errHeld):
		return exitHeld
	case errors.As(err, &usage), deposit.IsKind(err, deposit.Invalid), deposit.IsKind(err, deposit.NotFound):
		return exitUsage
	}
	return exitFailure
}

// explain is an error's text for the person at the terminal.
func explain(err error) string {
	var refusal *deposit.Refusal
	switch {
	case errors.Is(err, sqldb.ErrSchema):
		return "数据库表结构与本程序的版本不一致：请先执行 depositd migrate"
	case errors.Is(err, sqldb.ErrMaster):
		return "主密钥与数据库不符：请检查 --master-key-file 或 --master-share；depositd doctor 列出两者的编号（master_key_differs）"
	case errors.Is(err, sqldb.ErrNoTags):
		return "库中的检索密钥缺失：请从备份恢复表 seal_keys（seal_keys_incomplete）"
	case errors.Is(err, sqldb.ErrNoKeys):
		return "库中有密文，但其密钥不在表 seal_keys 中：新的密钥打不开它们，故不生成。请从备份恢复表 seal_keys（只恢复这一张表即可，主密钥不变），再重试（seal_keys_missing）"
	case errors.Is(err, sqldb.ErrSealed):
		return "库中有密文打不开，是被改动、移动，或其密钥已不在表 seal_keys 中：请与备份核对（sealed_value_damaged）\n" + err.Error()
	case errors.Is(err, sqldb.ErrUnavailable):
		return "数据库连不上或没有应答：请检查 --db 与数据库服务（depositd doctor 可逐项检查）\n" + err.Error()
	case errors.Is(err, context.Canceled):
		return "已中断"
	case errors.As(err, &refusal):
		return strings.Replace(err.Error(), refusal.Error(), refusal.Text, 1) + "（" + refusal.Code + "）"
	case errors.Is(err, fs.ErrNotExist):
		return "文件不存在：" + err.Error()
	}
	return err.Error()
}
