package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"depositd/bank"
	"depositd/reconcile"
)

// mostForScripts is the largest n for which sort and awk are waited for.
const mostForScripts = 1_000_000

// contender is a program that does a check: ours or another.
type contender struct {
	what    string
	program string
	args    []string
	charset bank.Charset
	most    int // the largest n it is asked for; 0 for any
	row     benchRow
	counts  map[reconcile.Code]int64
}

// check measures the whole of a check, files in and findings out, beside others that do the same. All have to come to the
// same numbers of each verdict.
func (k *benchCmd) check(ctx context.Context, b *bench) error {
	for _, n := range k.N {
		if err := k.checkOf(ctx, b, n); err != nil {
			return err
		}
	}
	return nil
}

func (k *benchCmd) checkOf(ctx context.Context, b *bench, n int) error {
	files := map[bank.Charset][2]string{}
	for _, charset := range []bank.Charset{bank.UTF8, bank.GB18030} {
		name := func(kind string) string {
			return filepath.Join(b.dir, kind+"-"+strconv.Itoa(n)+"-"+string(charset)+".csv")
		}
		files[charset] = [2]string{name("bids"), name("statement")}
		if err := (benchWorld{n, charset}).write(files[charset][0], files[charset][1]); err != nil {
			return err
		}
	}
	all, err := k.contenders(b, n)
	if err != nil {
		return err
	}
	for range k.Runs {
		for _, one := range all { // in turn, so that what else the machine does meets all of them
			if err := one.run(ctx, b, files[one.charset], n); err != nil {
				return err
			}
		}
	}
	rows := make([]benchRow, len(all))
	for i, one := range all {
		rows[i] = one.row
		rows[i].Section, rows[i].What, rows[i].N = "check", one.what, n
		if !maps.Equal(one.counts, all[0].counts) {
			return fmt.Errorf("%s 与 %s 的结论不同：%v，%v", one.what, all[0].what, one.counts, all[0].counts)
		}
	}
	b.tell(rows...)
	if err := k.gbk(ctx, b, files[bank.GB18030][1]); err != nil {
		return err
	}
	return b.forget(k, files)
}

// forget removes files that are no longer needed, before the next are made.
func (b *bench) forget(k *benchCmd, files map[bank.Charset][2]string) (err error) {
	for _, pair := range files {
		for _, name := range pair {
			if !k.Keep {
				err = errors.Join(err, os.Remove(name))
			}
		}
	}
	return err
}

// contenders are ours on both charsets, and the others that are there.
func (k *benchCmd) contenders(b *bench, n int) ([]*contender, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	all := []*contender{
		{what: "depositd", program: own, args: []string{"check", "--json"}, charset: bank.UTF8},
		{what: "同,GBK", program: own, args: []string{"check", "--json"}, charset: bank.GB18030},
	}
	script := filepath.Join(k.Scripts, "check.sh")
	others := []*contender{{what: "duckdb", program: k.Peers, args: []string{"check"}, charset: bank.UTF8},
		{what: "sort+awk", program: script, charset: bank.UTF8, most: mostForScripts}}
	for _, other := range others {
		_, err := os.Stat(other.program)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fmt.Fprintf(b.stdout, "  没有对照程序 %s\n", other.program)
		case err != nil:
			return nil, err
		case other.most == 0 || n <= other.most:
			all = append(all, other)
		}
	}
	return all, nil
}

// run does the check once.
func (one *contender) run(ctx context.Context, b *bench, files [2]string, n int) error {
	out := filepath.Join(b.dir, "findings.csv")
	args := append(append([]string{}, one.args...), "--bids", files[0], "--statement", files[1], "--out", out)
	row, text, err := b.child(ctx, []int{exitOK, exitMismatches}, one.program, args...)
	if err != nil {
		return err
	}
	var told struct {
		Written map[reconcile.Code]int64 `json:"written"`
		Version string                   `json:"version"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return fmt.Errorf("%s 的输出：%w", one.what, err)
	}
	if told.Version != "" {
		b.report.Versions[one.what] = told.Version
	}
	one.counts = told.Written
	one.row.best(row)
	fmt.Fprintf(b.stderr, "  %s %s %d：%s\n", time.Now().Format(time.TimeOnly), one.what, n, time.Duration(row.Seconds*float64(time.Second)).Round(time.Millisecond))
	return nil
}
