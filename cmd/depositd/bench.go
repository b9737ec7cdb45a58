package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

type benchCmd struct {
	N       []int         `default:"10000,100000,1000000" placeholder:"N,…" help:"每档的规模：投标数，到账数与之相近"`
	Section []string      `placeholder:"NAME,…" help:"只测这些部分：${bench_sections}；默认全部"`
	Runs    int           `default:"3" placeholder:"N" help:"每项轮流测几次，取最快的一次"`
	Peers   string        `default:"bin/peers" placeholder:"FILE" help:"对照程序（make bench 会编译 testdata/peers）；没有则不作对照"`
	Scripts string        `default:"testdata/peers" placeholder:"DIR" help:"对照脚本所在的目录；没有则不作对照"`
	Clients []int         `default:"1,16,64,256" placeholder:"N,…" help:"ingest：同时有多少个发送方"`
	Each    time.Duration `default:"2s" placeholder:"TIME" help:"ingest：每项每次测多久"`
	Load    time.Duration `default:"60s" placeholder:"TIME" help:"ingest：最后边收边判多久，再看积压多久清空；0 则不测"`
	Also    []string      `placeholder:"URL,…" help:"除临时的本地库外，还在这些空数据库上测 ingest 与 nightly"`
	Dir     string        `placeholder:"DIR" help:"工作文件放在何处；默认为系统临时目录。用后删除"`
	Keep    bool          `help:"保留工作文件"`
	Out     string        `default:"bench.json" placeholder:"FILE" help:"结果写入的 JSON 文件"`
}

// benchSections are what is measured, one file each: check in bench_check.go.
var benchSections = []struct {
	name, title string
	run         func(*benchCmd, context.Context, *bench) error
}{
	{"check", "check：两个文件进，不符清单出", (*benchCmd).check},
	{"ingest", "ingest：经 HTTP 接收通知，提交后应答", (*benchCmd).ingest},
	{"nightly", "nightly：导入对账单，日终对账", (*benchCmd).nightly},
	{"refunds", "refunds：提交、签批、发送、应答、核对借方（内存为堆用量）", (*benchCmd).refunds},
}

func benchSectionNames() string {
	names := make([]string, len(benchSections))
	for i, s := range benchSections {
		names[i] = s.name
	}
	return strings.Join(names, "、")
}

// bench is a benchmark that runs: a place for its files, and what came of it.
type bench struct {
	*call
	dir    string
	report benchReport
}

// benchReport is bench.json.
type benchReport struct {
	Machine  benchMachine      `json:"machine"`
	Versions map[string]string `json:"versions"`
	Rows     []benchRow        `json:"rows"`
}

// benchMachine is all that is told of the machine.
type benchMachine struct {
	Cores     int    `json:"cores"`
	MemoryMiB int64  `json:"memory_mib,omitempty"`
	System    string `json:"system"`
}

// benchRow is one measurement: the fastest of the runs, and the most memory that any of them took.
type benchRow struct {
	Section       string  `json:"section"`
	What          string  `json:"what"`
	N             int     `json:"n"`
	Seconds       float64 `json:"seconds"`
	CPU           float64 `json:"cpu_seconds,omitempty"` // of all threads, with the system's work for them
	RowsPerSecond float64 `json:"rows_per_second"`
	MiB           float64 `json:"peak_rss_mib,omitempty"`
	Slower        float64 `json:"times_our_seconds,omitempty"` // of something beside ours: how often our time it took
	Larger        float64 `json:"times_our_memory,omitempty"`
	Rate          float64 `json:"times_our_rate,omitempty"` // of ingestion
	P50           float64 `json:"p50_ms,omitempty"`
	P99           float64 `json:"p99_ms,omitempty"`
	Work          float64 `json:"cpu_us,omitempty"`          // of the processors, for one notice, clients and service together
	Backlog       float64 `json:"backlog_seconds,omitempty"` // from the last acknowledgement until nothing waits for a verdict
	Note          string  `json:"note,omitempty"`
}

// Run measures, prints a table and writes bench.json. Nothing is stored anywhere else.
func (k *benchCmd) Run(ctx context.Context, c *call) (err error) {
	if k.Runs < 1 || slices.Min(slices.Concat(k.N, k.Clients, []int{1})) < 1 || k.Each <= 0 {
		return usageError{errors.New("--runs、--n、--clients 与 --each 应为正数")}
	}
	dir, err := os.MkdirTemp(k.Dir, "depositd-bench-")
	if err != nil {
		return err
	}
	if !k.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	b := &bench{call: c, dir: dir, report: benchReport{Machine: machine(), Versions: map[string]string{"depositd": versionName(), "go": runtime.Version()}}}
	for _, s := range benchSections {
		if len(k.Section) > 0 && !slices.Contains(k.Section, s.name) {
			continue
		}
		fmt.Fprintf(c.stdout, "%s\n", s.title)
		if err := s.run(k, ctx, b); err != nil {
			return fmt.Errorf("%s：%w", s.name, err)
		}
	}
	return b.write(k.Out)
}

// write writes bench.json.
func (b *bench) write(name string) error {
	text, err := json.MarshalIndent(b.report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644) //nolint:gosec // a table of times is nobody's secret
}

// tell keeps rows and prints them. The first is ours; the others are set against it.
func (b *bench) tell(rows ...benchRow) {
	for i := range rows {
		r := &rows[i]
		if r.Seconds > 0 {
			r.RowsPerSecond = float64(r.N) / r.Seconds
		}
		if i > 0 && rows[0].Seconds > 0 {
			r.Slower = r.Seconds / rows[0].Seconds
		}
		if i > 0 && rows[0].MiB > 0 {
			r.Larger = r.MiB / rows[0].MiB
		}
		b.print(r)
	}
	b.report.Rows = append(b.report.Rows, rows...)
}

func (b *bench) print(r *benchRow) {
	fmt.Fprintf(b.stdout, "  %-10s %9d  %8.3f s  %9.0f 行/秒", r.What, r.N, r.Seconds, r.RowsPerSecond)
	if r.CPU > 0 {
		fmt.Fprintf(b.stdout, "  CPU %.3f s", r.CPU)
	}
	if r.MiB > 0 {
		fmt.Fprintf(b.stdout, "  %7.0f MiB", r.MiB)
	}
	if r.Slower > 0 {
		fmt.Fprintf(b.stdout, "  用时 %.2f 倍", r.Slower)
	}
	if r.Larger > 0 {
		fmt.Fprintf(b.stdout, "，内存 %.1f 倍", r.Larger)
	}
	if r.Note != "" {
		fmt.Fprintf(b.stdout, "  %s", r.Note)
	}
	fmt.Fprintln(b.stdout)
}

// child runs a program and measures it: wall time and the most memory that it, or one of its own children, had. The exit
// codes given are as good as 0.
func (b *bench) child(ctx context.Context, good []int, program string, args ...string) (row benchRow, out []byte, err error) {
	debug.FreeOSMemory()                              // a child counts the memory of its parent at its birth
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // programs that the caller names
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = io.Discard
	begun := time.Now()
	out, err = cmd.Output()
	row.Seconds = time.Since(begun).Seconds()
	if exit := new(exec.ExitError); errors.As(err, &exit) && slices.Contains(good, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		return row, out, fmt.Errorf("%s：%w", program, err)
	}
	row.MiB = peakMiB(cmd.ProcessState)
	row.CPU = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return row, out, nil
}

// best keeps the fastest of the runs, the least work, and the most memory.
func (r *benchRow) best(one benchRow) {
	if r.Seconds == 0 || one.Seconds < r.Seconds {
		r.Seconds = one.Seconds
	}
	if r.CPU == 0 || one.CPU < r.CPU {
		r.CPU = one.CPU
	}
	r.MiB = max(r.MiB, one.MiB)
}
