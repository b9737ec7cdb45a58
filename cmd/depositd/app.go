package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/webhook"
	"depositd/reconcile"
	"depositd/refund"
)

// app is the service without a way in: the HTTP server, the nightly job and the commands are three ways into it.
// Nothing runs in it that a method was not called for.
type app struct {
	config      *config
	db          *sqldb.DB
	banks       *bank.Set
	bank        *bank.Desk
	platform    *platform.Desk
	reconcile   *reconcile.Desk
	keeper      *reconcile.Keeper
	refund      *refund.Desk
	refundRules *refund.Rules
	people      *people.Desk // of those who let somebody in; see letIn
	incident    *incident.Desk
	webhook     *webhook.Desk
	log         *slog.Logger
	holder      string        // this process among the replicas
	wake        chan struct{} // holds one: there is something to judge
	wakePools   chan struct{} // holds one: there may be something to do for the pools
	wakePayer   chan struct{} // holds one: something was released
	wakeWatch   chan struct{} // holds one: there may be a trouble
	looked      time.Time     // for what is overdue; of the watch alone
	wakeHooks   chan struct{} // holds one: something may wait to be told to others
	digest      string        // tells the settings apart from others
	simulated   bool          // the clock leaps: a gap of it is no time in which nobody heard
}

// schema says what a command expects of the database.
type schema int

const (
	asIs     schema = iota // the tables must be there in this program's version
	brought                // they are brought to it; a database that does not exist is made
	whatever               // nothing is expected
)

// open checks the settings and the banks' file and connects; everything that is wrong comes back at once.
func (c *call) open(ctx context.Context, want schema) (*app, error) {
	config, problems := c.check()
	banks, err := readBanks(config.banksFile, os.ReadFile)
	if err != nil {
		problems = append(problems, err.Error())
	} else if _, err := banks.Bank(config.tcpBank); config.tcpBank != "" && err != nil {
		problems = append(problems, fmt.Sprintf("--tcp-bank %q：%s", config.tcpBank, explain(err)))
	}
	refundRules, err := readRefundRules(config.refundRulesFile, os.ReadFile)
	if err != nil {
		problems = append(problems, err.Error())
	}
	plan, err := readPlan(config.planFile, os.ReadFile)
	if err != nil {
		problems = append(problems, err.Error())
	}
	hooks, err := readWebhooks(config.webhooksFile, plan, os.ReadFile)
	if err != nil {
		problems = append(problems, err.Error())
	}
	db, err := c.openDatabase(ctx, config, want)
	if err != nil && len(problems) == 0 {
		return nil, err
	}
	if err != nil {
		problems = append(problems, explain(err))
	}
	if len(problems) > 0 {
		if db != nil {
			_ = db.Close()
		}
		return nil, settingsWrong(problems)
	}
	host, _ := os.Hostname()
	a := &app{config: config, db: db, banks: banks, bank: bank.NewDesk(db), platform: platform.NewDesk(db),
		reconcile: reconcile.NewDesk(db, banks, config.rules), refund: refund.NewDesk(db, banks, refundRules, config.refundLimits), refundRules: refundRules,
		incident: incident.NewDesk(db, plan, config.planAuthority), webhook: webhook.NewDesk(db, hooks, plan),
		log: c.logger(config), holder: fmt.Sprintf("%.40s/%d/%s", host, os.Getpid(), sqldb.NewID()), digest: c.digest(banks),
		wake: make(chan struct{}, 1), wakePools: make(chan struct{}, 1), wakePayer: make(chan struct{}, 1), wakeWatch: make(chan struct{}, 1), wakeHooks: make(chan struct{}, 1)}
	if a.keeper, err = reconcile.NewKeeper(db, banks, a.bank, a.platform, callSerial); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	a.reconcile.Join(a.refund.Beside())
	a.refund.OnRelease(a.wakeThePayer)
	a.incident.Join(a.webhook.Queue)
	a.incident.OnChange(a.wakeTheHooks)
	a.webhook.OnResend(a.wakeTheHooks)
	return a, nil
}

// callSerial numbers a call to a bank (SeqNo).
func callSerial() string { return sqldb.NewID().String() }

// use opens the app for one command.
func (c *call) use(ctx context.Context, want schema, f func(*app) error) error {
	a, err := c.open(ctx, want)
	if err != nil {
		return err
	}
	return errors.Join(f(a), a.db.Close())
}

// useDatabase opens only the database, for commands that need no bank.
func (c *call) useDatabase(ctx context.Context, f func(*sqldb.DB) error) error {
	config, problems := c.check()
	if len(problems) > 0 {
		return settingsWrong(problems)
	}
	db, err := c.openDatabase(ctx, config, asIs)
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}

// openDatabase connects. Only who asks for the tables to be brought may make a new database file: a report from a
// mistyped address shall not be an empty one.
func (c *call) openDatabase(ctx context.Context, config *config, want schema) (*sqldb.DB, error) {
	if config.db == "" {
		return nil, nil // its setting is wrong, which is reported already
	}
	if file := sqldb.File(config.db); file != "" && want != brought {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, usageError{fmt.Errorf("数据库文件 %s 不存在：请检查 --db，或先执行 depositd migrate 建立", file)}
		}
	}
	if _, err := config.master.key(); err != nil && want == brought && !config.master.mayMake() { // nothing is changed that could not be finished
		return nil, err
	}
	db, err := sqldb.OpenAt(ctx, config.db, c.now)
	if err != nil {
		return nil, err
	}
	switch want {
	case brought:
		_, err = db.Migrate(ctx)
	case asIs:
		err = db.CheckSchema(ctx)
	case whatever:
		return db, nil
	}
	if err == nil {
		err = c.unlock(ctx, &config.master, db, want)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// readBanks reads banks.yaml; the files it names stand relative to it.
func readBanks(file string, readFile func(string) ([]byte, error)) (*bank.Set, error) {
	body, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("银行清单 %s 不存在：请用 --banks 指定，或在该处建立（样例见 README）", file)}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("读不到银行清单：%w", err)}
	}
	set, err := bank.ParseSet(body, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		return readFile(name)
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("银行清单 %s：%s", file, deposit.AsRefusal(err).Text)}
	}
	return set, nil
}

// readPlan reads the file of the setting, or takes the plan that the program carries.
func readPlan(file string, readFile func(string) ([]byte, error)) (*incident.Plan, error) {
	if file == "" {
		return incident.Default()
	}
	body, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("应急预案 %s 不存在：请检查 --plan", file)}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("读不到应急预案：%w", err)}
	}
	plan, err := incident.ParsePlan(body)
	if err != nil {
		return nil, usageError{fmt.Errorf("应急预案 %s：%s", file, deposit.AsRefusal(err).Text)}
	}
	return plan, nil
}

// readWebhooks reads the file of the setting; without one nobody is told. The key files that it names stand relative to it.
func readWebhooks(file string, plan *incident.Plan, readFile func(string) ([]byte, error)) (*webhook.Settings, error) {
	if file == "" || plan == nil { // a plan that cannot be read is told already
		return &webhook.Settings{}, nil
	}
	body, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("外发通知的设置 %s 不存在：请检查 --webhooks", file)}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("读不到外发通知的设置：%w", err)}
	}
	settings, err := webhook.ParseSettings(body, plan, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		key, err := readFile(name)
		if err != nil {
			return nil, err
		}
		return bank.ParseKey(key)
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("外发通知的设置 %s：%s", file, deposit.AsRefusal(err).Text)}
	}
	return settings, nil
}

// readRefundRules reads the file of the setting, or takes the rules that the program carries.
func readRefundRules(file string, readFile func(string) ([]byte, error)) (*refund.Rules, error) {
	if file == "" {
		return refund.Default()
	}
	body, err := readFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{fmt.Errorf("退付规则 %s 不存在：请检查 --refund-rules", file)}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("读不到退付规则：%w", err)}
	}
	rules, err := refund.ParseRules(body)
	if err != nil {
		return nil, usageError{fmt.Errorf("退付规则 %s：%s", file, deposit.AsRefusal(err).Text)}
	}
	return rules, nil
}

// logger writes to stderr, in Shanghai time wherever the machine stands.
func (c *call) logger(config *config) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.TimeValue(a.Value.Time().In(deposit.Shanghai))
		}
		return a
	}}
	if config.logJSON {
		return slog.New(slog.NewJSONHandler(c.stderr, options))
	}
	return slog.New(slog.NewTextHandler(c.stderr, options))
}

// author is who a command acts for in the audit trail.
func (c *call) author() string {
	if user, _ := c.getenv("USER"); user != "" {
		return fmt.Sprintf("cli:%.60s", user)
	}
	return "cli"
}
