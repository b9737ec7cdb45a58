package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"depositd/api"
	"depositd/bank"
	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/incident"
	"depositd/platform/people"
	"depositd/platform/webhook"
	"depositd/reconcile"
	"depositd/refund"
)

const benchBanks = `banks:
  - {code: bench, name: 测试银行, adapter: gseries, statement: delimited, parent_accounts: ["3705018860000000123"], notices: single, seal: {scheme: none}}
`

// intake is one way of taking notices: the service's, the same handler without storage, a commit for each request, and
// the service's with the judge at work beside it, as in serve.
type intake struct {
	what    string
	share   int // how many requests share a commit at most; 0: as the service does
	discard bool
	judge   bool
}

var (
	intakes = []intake{{what: "depositd"}, {what: "不存储", discard: true}, {what: "逐笔提交", share: 1}}
	judging = intake{what: "边收边判", judge: true}
)

// judgedClients is how many send while the judge works.
const judgedClients = 64

// ingest measures how many notices are acknowledged, after the commit, on each database: G-series XML over HTTP on
// loopback, clients and service on the same cores.
func (k *benchCmd) ingest(ctx context.Context, b *bench) error {
	urls := append([]string{sqldb.FileURL(filepath.Join(b.dir, "ingest.db"))}, k.Also...)
	for _, clients := range k.Clients {
		for i, url := range urls {
			rows, err := k.ingestInTurns(ctx, url, clients, fmt.Sprintf("库 %d，%d 个发送方", i+1, clients))
			if err != nil {
				return err
			}
			b.tellRates(rows...)
		}
	}
	for i, url := range urls {
		if k.Load == 0 {
			break
		}
		one, err := takeNotices(ctx, url, judging, sending{clients: judgedClients, lasts: k.Load})
		if err != nil {
			return err
		}
		row := benchRow{Seconds: one.lasted.Seconds(), Work: microseconds(one.worked), Backlog: one.backlog.Seconds()}
		row.tellTimes(judging, one.took, fmt.Sprintf("库 %d，%d 个发送方，%s；其后积压清空用 %.2f 秒", i+1, judgedClients, k.Load, row.Backlog))
		b.tellRates(row)
	}
	return nil
}

// ingestInTurns lets the ways take turns, so that what else the machine does meets them all.
func (k *benchCmd) ingestInTurns(ctx context.Context, url string, clients int, note string) ([]benchRow, error) {
	rows := make([]benchRow, len(intakes))
	took := make([][]time.Duration, len(intakes))
	for range k.Runs {
		for j, way := range intakes {
			one, err := takeNotices(ctx, url, way, sending{clients: clients, lasts: k.Each})
			if err != nil {
				return nil, err
			}
			rows[j].Seconds += one.lasted.Seconds()
			rows[j].Work += microseconds(one.worked)
			took[j] = append(took[j], one.took...)
		}
	}
	for j, way := range intakes {
		rows[j].tellTimes(way, took[j], note)
	}
	return rows, nil
}

// tellTimes fills in what came of a way of taking notices, whose Seconds and Work are those of all of them.
func (r *benchRow) tellTimes(way intake, took []time.Duration, note string) {
	slices.Sort(took)
	r.Section, r.What, r.N, r.Note = "ingest", way.what, len(took), note
	r.Work /= float64(len(took))
	r.P50, r.P99 = milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100])
}

// tellRates keeps and prints rows whose rate matters; the first is ours.
func (b *bench) tellRates(rows ...benchRow) {
	for i := range rows {
		r := &rows[i]
		r.RowsPerSecond = float64(r.N) / r.Seconds
		if i > 0 {
			r.Rate = r.RowsPerSecond / rows[0].RowsPerSecond
		}
		fmt.Fprintf(b.stdout, "  %-10s %9.0f 笔/秒  p50 %7.2f ms  p99 %7.2f ms  处理器 %4.0f µs  %s", r.What, r.RowsPerSecond, r.P50, r.P99, r.Work, r.Note)
		if i > 0 {
			fmt.Fprintf(b.stdout, "，为 depositd 的 %.2f 倍", r.Rate)
		}
		fmt.Fprintln(b.stdout)
	}
	b.report.Rows = append(b.report.Rows, rows...)
}

// sending is what the clients are to do, and what it came to.
type sending struct {
	clients int
	lasts   time.Duration

	took    []time.Duration // by notice, all of them acknowledged
	lasted  time.Duration
	worked  time.Duration // of the processors, clients and service together
	backlog time.Duration // from the end until nothing waited for a verdict
}

// takeNotices runs the clients against one way of taking notices.
func takeNotices(ctx context.Context, url string, way intake, s sending) (_ sending, err error) {
	a, err := benchApp(ctx, url)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, a.db.Close()) }()
	if way.share > 0 {
		a.db.ShareCommits(way.share)
	}
	run := time.Now()
	if way.judge {
		if err := a.benchBids(ctx, run.UnixNano(), int64(s.lasts.Seconds()*bidsPerSecond)); err != nil {
			return s, err
		}
		if _, err := a.reconcile.JudgeAll(ctx); err != nil { // what came before, while nobody judged, is no backlog of this load
			return s, err
		}
	}
	registry := prometheus.NewRegistry()
	if a.people, err = people.NewDesk(a.db, make([]byte, people.KeySize), people.Rules{}); err != nil { // nobody comes in but the bank
		return s, err
	}
	desks := a.desks(registry)
	desks.Rates = api.Rates{} // what the machine can do is to be measured
	if way.discard {
		desks.Receive = func(context.Context, bank.Message) (bank.Receipt, error) { return bank.Receipt{Outcome: bank.New}, nil }
	}
	handler, err := api.New(desks)
	if err != nil {
		return s, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { _ = a.serveHTTP(ctx, listener, handler) })
	if way.judge {
		running.Go(func() { a.judgeAlways(ctx, newJobMetrics(registry)) })
	}
	if err := s.send(ctx, "http://"+listener.Addr().String()+"/v1/banks/bench/messages", run); err != nil || !way.judge {
		return s, err
	}
	s.backlog, err = a.untilJudged(ctx)
	return s, err
}

// benchKey is the master key of the benchmark's databases, which are opened more than once.
var benchKey = custody.Key{'b', 'e', 'n', 'c', 'h'}

// benchReady brings a database of the benchmark's to its tables and unlocks it.
func benchReady(ctx context.Context, db *sqldb.DB) error {
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	return db.Unlock(ctx, benchKey)
}

// benchApp is the service as serve has it, on a database of the benchmark's.
func benchApp(ctx context.Context, url string) (*app, error) {
	set, err := bank.ParseSet([]byte(benchBanks), nil)
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := benchReady(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	plan, err := incident.Default()
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &app{config: &config{}, db: db, incident: incident.NewDesk(db, plan, incident.ByBoth), webhook: webhook.NewDesk(db, &webhook.Settings{}, plan), banks: set, bank: bank.NewDesk(db), platform: platform.NewDesk(db), reconcile: reconcile.NewDesk(db, set, reconcile.Rules{}),
		keeper: &reconcile.Keeper{}, refund: refund.NewDesk(db, set, nil, refund.DefaultLimits), log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1),
		wakePools: make(chan struct{}, 1), wakeWatch: make(chan struct{}, 1), wakeHooks: make(chan struct{}, 1)}, nil
}

// untilJudged waits until nothing waits for a verdict and tells how long that took.
func (a *app) untilJudged(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		n, err := sqldb.Value[int](ctx, a.db, "SELECT COUNT(*) FROM unjudged")
		if err != nil || n == 0 {
			return time.Since(begun), err
		}
	}
}

// send posts notices for the time given and measures each. A notice that is not acknowledged ends it.
func (s *sending) send(ctx context.Context, url string, run time.Time) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.clients}}
	defer client.CloseIdleConnections()
	var number, refused atomic.Int64
	took := make([][]time.Duration, s.clients)
	begun, before := time.Now(), worked()
	var sending sync.WaitGroup
	for i := range s.clients {
		sending.Go(func() {
			for time.Since(begun) < s.lasts && ctx.Err() == nil {
				at := time.Now()
				if !post(ctx, client, url, benchNotice(run, number.Add(1))) {
					refused.Add(1)
					return
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	sending.Wait()
	s.lasted, s.worked, s.took = time.Since(begun), worked()-before, slices.Concat(took...)
	if refused.Load() > 0 || len(s.took) == 0 {
		return fmt.Errorf("%d 笔未被受理", refused.Load())
	}
	return nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// post says whether a notice was acknowledged.
func post(ctx context.Context, client *http.Client, url string, body []byte) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false
	}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	text, err := io.ReadAll(answer.Body)
	return errors.Join(err, answer.Body.Close()) == nil && answer.StatusCode == http.StatusOK && bytes.Contains(text, []byte("<Result>00</Result>"))
}
