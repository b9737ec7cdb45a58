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

	"depositd/api"
	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/reconcile"
)

const benchBanks = `banks:
  - {code: bench, name: 测试银行, adapter: gseries, statement: delimited, parent_accounts: ["3705018860000000123"], notices: single, seal: {scheme: none}}
`

// intake is one way of taking notices: the service's, the same handler without storage, and a commit for each request.
type intake struct {
	what    string
	share   int // how many requests share a commit at most; 0: as the service does
	discard bool
}

var intakes = []intake{{what: "depositd"}, {what: "不存储", discard: true}, {what: "逐笔提交", share: 1}}

// ingest measures how many notices are acknowledged, after the commit, on each database: G-series XML over HTTP on
// loopback, clients and service on the same cores.
func (k *benchCmd) ingest(ctx context.Context, b *bench) error {
	for _, clients := range k.Clients {
		for i, url := range append([]string{sqldb.FileURL(filepath.Join(b.dir, fmt.Sprintf("ingest-%d.db", clients)))}, k.Also...) {
			rows := make([]benchRow, len(intakes))
			for j, way := range intakes {
				row, err := k.take(ctx, url, way, clients)
				if err != nil {
					return err
				}
				rows[j] = row
				rows[j].Note = fmt.Sprintf("库 %d，%d 个发送方%s", i+1, clients, row.Note)
			}
			b.tellRates(rows...)
		}
	}
	return nil
}

// tellRates keeps and prints rows whose rate matters; the first is ours.
func (b *bench) tellRates(rows ...benchRow) {
	for i := range rows {
		r := &rows[i]
		r.RowsPerSecond = float64(r.N) / r.Seconds
		if i > 0 {
			r.Rate = r.RowsPerSecond / rows[0].RowsPerSecond
		}
		fmt.Fprintf(b.stdout, "  %-10s %9.0f 笔/秒  p50 %7.2f ms  p99 %7.2f ms  %s\n", r.What, r.RowsPerSecond, r.P50, r.P99, r.Note)
	}
	b.report.Rows = append(b.report.Rows, rows...)
}

// take runs the clients against one way of taking notices.
func (k *benchCmd) take(ctx context.Context, url string, way intake, clients int) (row benchRow, err error) {
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if way.share > 0 {
		db.ShareCommits(way.share)
	}
	if _, err := db.Migrate(ctx); err != nil {
		return row, err
	}
	set, err := bank.ParseSet([]byte(benchBanks), nil)
	if err != nil {
		return row, err
	}
	desks := api.Desks{DB: db, Banks: set, Bank: bank.NewDesk(db), Platform: platform.NewDesk(db), Reconcile: reconcile.NewDesk(db, set, reconcile.Rules{}),
		Judge: func() {}, Log: slog.New(slog.DiscardHandler)}
	if way.discard {
		desks.Receive = func(context.Context, bank.Message) (bank.Receipt, error) { return bank.Receipt{Outcome: bank.New}, nil }
	}
	handler, err := api.New(desks)
	if err != nil {
		return row, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return row, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	defer serving.Wait()
	defer func() { err = errors.Join(err, server.Close()) }()
	row, err = k.send(ctx, "http://"+listener.Addr().String()+"/v1/banks/bench/messages", clients)
	row.Section, row.What = "ingest", way.what
	if err == nil && !way.discard && way.share == 0 {
		begun := time.Now()
		n, judgeErr := desks.Reconcile.JudgeAll(ctx)
		err, row.Note = judgeErr, fmt.Sprintf("，其后判定 %d 笔用 %.2f 秒", n, time.Since(begun).Seconds())
	}
	return row, err
}

// send posts notices for the time given and measures each.
func (k *benchCmd) send(ctx context.Context, url string, clients int) (benchRow, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	var number, refused atomic.Int64
	run := time.Now().UnixNano()
	took := make([][]time.Duration, clients)
	begun := time.Now()
	end := begun.Add(time.Duration(k.Seconds) * time.Second)
	var sending sync.WaitGroup
	for i := range clients {
		sending.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				at := time.Now()
				if !post(ctx, client, url, benchNotice(run, number.Add(1))) {
					refused.Add(1)
				}
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	sending.Wait()
	row := benchRow{N: int(number.Load()), Seconds: time.Since(begun).Seconds()}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	if refused.Load() > 0 || len(all) == 0 {
		return row, fmt.Errorf("%d 笔未被受理", refused.Load())
	}
	row.P50, row.P99 = milliseconds(all[len(all)/2]), milliseconds(all[len(all)*99/100])
	return row, nil
}

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

// benchNotice is a G-series credit advice that no other is equal to.
func benchNotice(run, number int64) []byte {
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?><root><head><TransCode>G00001</TransCode><TransDate>20260612</TransDate><TransTime>093000</TransTime><SeqNo>%08d</SeqNo></head>`+
		`<body><InstCode>3705018860000000123</InstCode><InDate>20260612092958</InDate><InAmount>800000.00</InAmount><InName>聊城市东昌建设工程有限公司</InName><InAcct>6212000000000000005</InAcct>`+
		`<InMemo>3705018860000000123-%06d</InMemo><InBankFLCode>%d-%d</InBankFLCode></body></root>`, number, number, run, number)
}
