package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"depositd/api"
	"depositd/reconcile"
)

// The limits of a connection. The API shortens or lengthens reading and writing by route; these hold where it does not.
const (
	headerTime   = 5 * time.Second
	requestTime  = time.Minute
	idleTime     = 2 * time.Minute
	mostHeaders  = 16 << 10         // the longest known, of a signed notice behind two proxies, is below 2 KiB
	shutdownTime = 10 * time.Second // for requests in flight, after which they are cut off
	judgeEvery   = time.Minute      // at the latest; a message or an import wakes the judge at once
)

type serveCmd struct{}

// Run serves until it is told to stop, then lets the requests in flight finish.
func (*serveCmd) Run(ctx context.Context, c *call) error {
	if err := keepMemory(); err != nil {
		return err
	}
	return c.use(ctx, brought, func(a *app) error {
		if problems := a.config.banksAtDoor(a.banks); len(problems) > 0 {
			return settingsWrong(problems)
		}
		doors, err := a.listen(ctx)
		if err != nil {
			return err
		}
		return a.serve(ctx, doors)
	})
}

// doors are the listeners; those that are off are nil.
type doors struct{ http, metrics, tcp net.Listener }

func (d doors) close() {
	for _, l := range []net.Listener{d.http, d.metrics, d.tcp} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// listen opens the listeners before anything runs, and tells of all that cannot be opened.
func (a *app) listen(ctx context.Context) (doors, error) {
	var d doors
	var problems []string
	for _, door := range []struct {
		flag, address string
		listener      *net.Listener
	}{{"listen", a.config.listen, &d.http}, {"metrics-listen", a.config.metricsListen, &d.metrics}, {"tcp-listen", a.config.tcpListen, &d.tcp}} {
		if door.address == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", door.address)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--%s %q：不能监听，端口可能已被占用（%s）", door.flag, door.address, err))
			continue
		}
		*door.listener = l
	}
	if a.config.tls != nil && d.http != nil {
		d.http = tls.NewListener(d.http, a.config.tls)
	}
	if len(problems) > 0 {
		d.close()
		return doors{}, listed("监听", problems)
	}
	return d, nil
}

// serve runs everything that goes on while the service is up, and returns when all of it has ended: because ctx did, or
// because a part failed.
func (a *app) serve(ctx context.Context, d doors) error {
	defer d.close()
	if err := a.letIn(); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	jobs := newJobMetrics(registry)
	handler, err := api.New(a.desks(registry))
	if err != nil {
		return err
	}
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running sync.WaitGroup
	start := func(name string, f func(context.Context) error) {
		running.Go(func() {
			if err := f(ctx); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("http", func(ctx context.Context) error { return a.serveHTTP(ctx, d.http, handler) })
	if d.metrics != nil {
		start("metrics", func(ctx context.Context) error { return a.serveHTTP(ctx, d.metrics, metrics) })
	}
	if d.tcp != nil {
		start("tcp", func(ctx context.Context) error { return a.serveFrames(ctx, d.tcp) })
	}
	start("judge", func(ctx context.Context) error { a.judgeAlways(ctx, jobs); return nil })
	start("pools", func(ctx context.Context) error { a.tendAlways(ctx, jobs); return nil })
	start("payer", func(ctx context.Context) error { a.payAlways(ctx, jobs); return nil })
	start("incidents", func(ctx context.Context) error { a.tendIncidents(ctx, jobs); return nil })
	start("watch", func(ctx context.Context) error { a.watchAlways(ctx, jobs); return nil })
	if !a.simulated {
		start("heart", func(ctx context.Context) error { a.beatAlways(ctx); return nil })
	}
	start("webhooks", func(ctx context.Context) error { a.tellAlways(ctx, jobs); return nil })
	start("cron", func(ctx context.Context) error { a.runNightlies(ctx, jobs); return nil })
	a.announce(ctx, d)
	if err := reconcile.NoteProgram(ctx, a.db, "serve", versionName(), a.digest); err != nil {
		a.log.Warn("the start is not noted in the audit trail", "error", err)
	}
	running.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	a.log.Info("stopped")
	return nil
}

// desks is what the API works with.
func (a *app) desks(metrics prometheus.Registerer) api.Desks {
	return api.Desks{DB: a.db, Banks: a.banks, Bank: a.bank, Platform: a.platform, Reconcile: a.reconcile, Keeper: a.keeper, Refund: a.refund, People: a.people, Incident: a.incident, Webhook: a.webhook, Judge: a.wakeJudge, Tend: a.wakeTending, Log: a.log,
		Metrics: metrics, Version: versionName(), TrustedProxies: a.config.trustedProxies, ClientCertHeader: a.config.clientCertHeader, MaxStatement: a.config.maxStatementSize, Rates: a.config.rates, RevealsPerDay: a.config.revealsPerDay, Even: api.EvenStep}
}

// announce says where the service listens, since port 0 lets the system choose.
func (a *app) announce(ctx context.Context, d doors) {
	a.log.Info("depositd "+versionName(), "database", a.db.Engine(), "banks", len(a.banks.All()))
	if d.metrics != nil {
		a.log.Info("metrics on " + d.metrics.Addr().String())
	}
	if d.tcp != nil {
		a.log.Info("frames on "+d.tcp.Addr().String(), "bank", a.config.tcpBank)
	}
	if all, err := a.people.Users(ctx); err == nil && len(all) == 0 {
		a.log.Warn("nobody can log in yet: depositd user first names the first administrators")
	}
	a.log.Info("listening on " + d.http.Addr().String())
}

// serveHTTP answers until ctx ends, and then what is in flight.
func (a *app) serveHTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		MaxHeaderBytes: mostHeaders, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	ended := make(chan struct{})
	var closing sync.WaitGroup
	closing.Go(func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if err := server.Shutdown(graceful); err != nil {
			a.log.Warn("requests in flight were cut off", "error", err)
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	close(ended)
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// wakeJudge says that there may be something to judge. It never waits.
func (a *app) wakeJudge() { wake(a.wake) }

func wake(who chan<- struct{}) {
	select {
	case who <- struct{}{}:
	default:
	}
}

// judgeAlways judges what waits for a verdict, whenever it is woken and every minute. A failure is logged and tried again:
// it delays verdicts and stops nothing else.
func (a *app) judgeAlways(ctx context.Context, jobs *jobMetrics) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		n, err := a.reconcile.JudgeAll(ctx)
		if err != nil && ctx.Err() == nil {
			jobs.failed("judge")
			a.log.Error("judging failed; it will be tried again", "error", err)
		}
		if n > 0 || err != nil {
			a.wakeTheWatch()
		}
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-tick.C:
		}
	}
}

// jobMetrics tells how the jobs fare. No label and no number of it says anything about bids.
type jobMetrics struct {
	failures *prometheus.CounterVec
	last     *prometheus.GaugeVec
}

func newJobMetrics(r prometheus.Registerer) *jobMetrics {
	m := &jobMetrics{
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "depositd_job_failures_total", Help: "Jobs that failed and will be run again."}, []string{"job"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "depositd_job_last_success_timestamp_seconds",
			Help: "When the job last succeeded on this replica."}, []string{"job"}),
	}
	r.MustRegister(m.failures, m.last)
	return m
}

func (m *jobMetrics) failed(job string) { m.failures.WithLabelValues(job).Inc() }
func (m *jobMetrics) succeeded(job string, now time.Time) {
	m.last.WithLabelValues(job).Set(float64(now.Unix()))
}
