package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

type demoCmd struct {
	Once bool   `help:"打印报告后退出，不继续提供服务"`
	Seed uint64 `default:"2026" placeholder:"N" help:"随机数种子；同一种子得到同一份报告"`
	Days int    `default:"21" hidden:"" help:"演示六月的最后几个工作日"`
	Keep string `placeholder:"DIR" help:"数据留在此目录；缺省为临时目录，结束时删除"`
}

// demoBank is a bank of the demonstration.
type demoBank struct {
	code, parent string
	balance      deposit.Fen // on its parent account when the month begins
	signs        bool
}

// demoBanks are two banks of different dialects, and one that is called as well: it opens the numbers of its pool and pays back. What
// demoBanksFile says of them is the service's knowledge, this the banks' own.
var demoBanks = [3]demoBank{
	{"luxi", "3705018860000000123", 12_860_000_00, false},
	{"open", "6550100000000000017", 8_417_306_52, true},
	{"yunhe", "9801000000000000036", 5_120_000_00, false},
}

// called is the bank that is called, in demoBanks.
const called = 2

const demoBanksFile = `# 演示用银行配置；depositd config banks 检查并打印。
banks:
  - code: luxi
    name: 鲁西示例银行
    adapter: gseries        # 到账通知：G 系列 XML，专线，不验签
    statement: delimited    # 对账单：竖线分隔 GBK
    parent_accounts: ["3705018860000000123"]
    charset: GBK
    notices: single
    seal: {scheme: none}
  - code: open
    name: 示例开放银行
    adapter: jsonpush       # 到账通知：JSON 推送，HMAC-SHA256 签名
    statement: camt         # 对账单：ISO 20022 camt.053
    parent_accounts: ["6550100000000000017"]
    charset: UTF-8
    notices: single
    seal:
      scheme: hmac-sha256
      keys: [open.key]
  - code: yunhe
    name: 运河示例银行
    adapter: gseries
    statement: delimited
    payout: gseries         # 退付经同一专线：G00010 发出，G00011 查询
    parent_accounts: ["9801000000000000036"]
    charset: GBK
    notices: single
    seal: {scheme: none}
    call: {url: "tcp://%s", timeout: 30s}
    numbers: {from: open}   # 子账号逐个向银行申请：G00003
`

// Run shows the service: it starts the real one on an empty database, lets a month of a trading centre happen to it over
// HTTP, prints the report of the last day, and goes on serving until it is told to stop. The mismatches are meant, so
// that the exit code is 0.
func (d *demoCmd) Run(ctx context.Context, c *call) error {
	for _, flag := range []string{"db", "db-password-file", "banks"} {
		if c.origin[flag] == fromFlag {
			return usageError{fmt.Errorf("demo 使用自己的数据库和银行清单，不接受 --%s；要保留数据请用 --keep DIR", flag)}
		}
	}
	if d.Days < leastDays || d.Days > mostDays {
		return usageError{fmt.Errorf("--days 应在 %d 至 %d 之间", leastDays, mostDays)}
	}
	folder, err := d.folder()
	if err != nil {
		return err
	}
	if d.Keep == "" {
		defer func() { _ = os.RemoveAll(folder) }()
	}
	line, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	key, err := writeDemoBanks(folder, line.Addr().String())
	if err != nil {
		return errors.Join(err, line.Close())
	}
	p := &player{clock: &demoClock{}, keys: [3][]byte{nil, key, nil}, line: line}
	month := newDemoMonth(d.Seed, d.Days, p)
	p.clock.advance(month.steps[0].at)
	c.now = p.clock.now
	c.settings.DB, c.settings.DBPasswordFile, c.settings.Banks = sqldb.FileURL(filepath.Join(folder, "deposit.db")), "", filepath.Join(folder, "banks.yaml")
	c.settings.MasterKeyFile, c.settings.MasterShare = filepath.Join(folder, "master.key"), nil
	c.settings.RateOverall = 0 // a month of requests comes in a minute
	if c.origin["metrics-listen"] == "" {
		c.settings.MetricsListen = ""
	}
	return c.use(ctx, brought, func(a *app) error { return d.show(ctx, c, a, p, month) })
}

// folder is where the data lie: a new one, or an empty one that was named.
func (d *demoCmd) folder() (string, error) {
	if d.Keep == "" {
		return os.MkdirTemp("", "depositd-demo-")
	}
	if err := os.MkdirAll(d.Keep, 0o700); err != nil {
		return "", err
	}
	if there, err := os.ReadDir(d.Keep); err != nil || len(there) > 0 {
		return "", errors.Join(err, usageError{fmt.Errorf("目录 %s 不是空的，请另选一个", d.Keep)})
	}
	return d.Keep, nil
}

// writeDemoBanks writes banks.yaml, with where the bank is called, and a new key for the bank that signs.
func writeDemoBanks(folder, line string) (key []byte, err error) {
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	written := []byte("whsec_" + base64.StdEncoding.EncodeToString(key) + "\n")
	return key, errors.Join(os.WriteFile(filepath.Join(folder, "open.key"), written, 0o600), custody.WriteFile(filepath.Join(folder, "master.key"), custody.New().Text()),
		os.WriteFile(filepath.Join(folder, "banks.yaml"), fmt.Appendf(nil, demoBanksFile, line), 0o600))
}

// show serves, plays the month, and prints what it came to.
func (d *demoCmd) show(ctx context.Context, c *call, a *app, p *player, month *demoMonth) error {
	a.simulated = true
	a.log = slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := p.letIn(ctx, a); err != nil {
		return err
	}
	doors, err := c.demoDoors(ctx, a)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	if err := p.meet(a, d.Seed); err != nil {
		stop()
		doors.close()
		return err
	}
	listening := make(chan error, 1)
	go func() { listening <- p.sims[called].ServeTCPCalls(serving, p.line) }()
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(a.serve(serving, doors), <-listening) }()
	err = d.playMonth(ctx, c, a, p, month, "http://"+doors.http.Addr().String())
	if err == nil && !d.Once {
		p.clock.run()
		d.lookOn(c.stdout, p, month)
		select {
		case <-ctx.Done():
		case err := <-ended:
			stop()
			return err
		}
	}
	stop()
	return errors.Join(err, <-ended)
}

// demoDoors opens the listener, on another port where the usual one is taken and no other was asked for.
func (c *call) demoDoors(ctx context.Context, a *app) (doors, error) {
	d, err := a.listen(ctx)
	if err == nil || c.origin["listen"] != "" {
		return d, err
	}
	taken := a.config.listen
	a.config.listen = "127.0.0.1:0"
	if d, err = a.listen(ctx); err == nil {
		fmt.Fprintf(c.stderr, "%s 已被占用，改用 %s（可用 --listen 指定）\n", taken, d.http.Addr())
	}
	return d, err
}

// playMonth lets the month happen and prints the last day's report.
func (d *demoCmd) playMonth(ctx context.Context, c *call, a *app, p *player, month *demoMonth, base string) error {
	p.reach(base)
	fmt.Fprintf(c.stderr, "演示：%s 至 %s，%d 个工作日；服务在 %s，模拟时钟\n", month.days[0], month.days[month.last], month.last+1, base)
	shown := c.progress("六月的标段、投标、到账通知、对账单与日终对账", int64(len(month.steps)))
	if err := p.run(ctx, month.steps, shown); err != nil {
		shown.end("中断")
		return err
	}
	shown.end(month.summary())
	fmt.Fprintln(c.stderr)
	if err := writeReport(c.stdout, p.report, a.banks); err != nil {
		return err
	}
	back, err := p.paidBack(ctx, month.back)
	if err != nil {
		return err
	}
	back.write(c.stdout)
	return errors.Join(p.check(), back.check())
}

// summary counts what was played.
func (m *demoMonth) summary() string {
	bids, entries := 0, 0
	lots := append(slices.Clone(m.lots), m.back.lot)
	for _, lot := range lots {
		bids += len(lot.bids)
	}
	for i, sim := range m.play.sims {
		for _, day := range m.days[:m.last+1] {
			entries += len(sim.Entries(demoBanks[i].parent, day))
		}
	}
	return fmt.Sprintf("标段 %d 个，投标 %d 份，银行入账与出账 %d 笔，推送通知 %d 条", len(lots), bids, entries, m.play.messages)
}

// lookOn tells how to go on from here.
func (d *demoCmd) lookOn(w io.Writer, p *player, month *demoMonth) {
	day, before := month.days[month.last], month.days[month.last-1]
	program := os.Args[0]
	fmt.Fprintf(w, `
服务仍在 %[1]s 运行（演示时钟 %[2]s），按 Ctrl-C 结束。继续查看：
浏览器打开 %[1]s 登录（演示用户只需密码 %[7]s）：
%[8]s
  curl -s -c sid -d '{"name":"%[9]s","password":"%[7]s"}' -H 'Content-Type: application/json' %[1]s/v1/session
  curl -s -b sid %[1]s/v1/reports/%[3]s
  curl -s -b sid '%[1]s/v1/findings?day=%[3]s&code=WRONG_SUB_ACCOUNT'
  curl -s %[1]s/v1/openapi.yaml
  %[5]s report --db %[6]s --day %[4]s
`, p.base, deposit.Wall(p.clock.now()), day, before, program, p.app.config.db, demoPassword, demoLogins(), demoPeople[0].name)
	if d.Keep == "" {
		fmt.Fprintln(w, "数据在临时目录中，结束时删除；要保留请用 --keep DIR")
	}
}
