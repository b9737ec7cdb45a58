//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// linesOfADay is how many credits the statement holds that is imported again and again: so few that the moments at which a job
// writes are found by many kills, and so many that one of them finds it at it.
const linesOfADay = 240

// writeDay writes the files of a day: lots and bids, and a statement in which each number is paid once.
func writeDay(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	var bids, lines strings.Builder
	bids.WriteString("lot,department,opening_at,deposit,sub_account,bidder,bidder_account,lease_from,lease_to,single_payment,basic_account_required\n")
	lines.WriteString("bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of\n")
	for i := range linesOfADay {
		if i < 60 {
			fmt.Fprintf(&bids, "LC-%d,工程科,2026-06-12 14:00:00,%d.00,3705018860000000123-%06d,聊城%03d工程有限公司,62120%d,2026-06-01 00:00:00,,0,0\n", i%3, 1000+i%3, i, i, i)
		}
		fmt.Fprintf(&lines, "S%d,2026-06-12,2026-06-12 08:59:59,3705018860000000123,3705018860000000123-%06d,C,%d.00,聊城%03d工程有限公司,62120%d,示例银行,保证金,\n", i, i+10, 1000+i%4, i+10, i)
	}
	files := map[string]string{"bids.csv": bids.String(), "statement.csv": lines.String()}
	for i := range 30 {
		files[fmt.Sprintf("notices/%d.xml", i)] = noticeOf(fmt.Sprintf("N%d", i))
	}
	if err := os.Mkdir(filepath.Join(folder, "notices"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// killJobs kills an import and a nightly job at moments all over their time, and says what is otherwise than after runs that nobody
// disturbed.
func killJobs(t *testing.T, p *process, url string, imports, nightlies int) (wrong []string) {
	t.Helper()
	folder := writeDay(t)
	p.does(t, []int{exitOK}, "migrate")
	p.does(t, []int{exitOK}, "import", "bids", filepath.Join(folder, "bids.csv"))
	p.does(t, []int{exitOK}, "import", "notices", filepath.Join(folder, "notices"))
	job := killing{process: p, url: url, codes: []int{exitOK}, args: []string{"import", "statement", filepath.Join(folder, "statement.csv")}}
	wrong = job.kills(t, imports)
	job = killing{process: p, url: url, codes: []int{exitMismatches}, args: []string{"nightly", "--day", "2026-06-12"}}
	wrong = append(wrong, job.kills(t, nightlies)...)
	if len(wrong) == 0 {
		p.does(t, []int{exitOK}, "verify")
	}
	return wrong
}

// A killing is a command that is killed and run again.
type killing struct {
	*process
	url   string
	codes []int // that it ends with
	args  []string

	lasts  time.Duration
	aimed  int // moments at which it was to be killed
	killed int // kills that hit it while it ran
	half   int // after how many tries something was there by half
}

// enoughKills is how many there must be that some of them hit the middle of a job for sure: a few may all miss the moments in which it writes.
const enoughKills = 100

// kills kills the command, up to three times in a row, and then runs it to its end; it says in which state that is another one than after
// a run that nobody disturbed. That the kills matter is seen by the states they leave. The command is done in the end.
func (k *killing) kills(t *testing.T, most int) (wrong []string) {
	t.Helper()
	restore := sqldbtest.Snapshot(t, k.url)
	before := sqldbtest.State(t, k.url)
	began := time.Now()
	k.does(t, k.codes, k.args...)
	k.lasts = time.Since(began)
	want := sqldbtest.State(t, k.url)
	for k.killed < most && len(wrong) == 0 {
		restore(t)
		for range 1 + rand.IntN(3) { // also the second try may be killed
			k.kill(t)
		}
		if left := sqldbtest.State(t, k.url); left != before && left != want {
			k.half++
		}
		k.does(t, k.codes, k.args...)
		if got := sqldbtest.State(t, k.url); got != want {
			wrong = append(wrong, fmt.Sprintf("%v, killed and run again, ends in another state:\n%.3000s", k.args, lineDiff(want, got)))
		}
	}
	if k.half == 0 && most >= enoughKills && len(wrong) == 0 {
		t.Errorf("%v was never killed in the middle: the test shows nothing", k.args)
	}
	t.Logf("%v: %d kills, %d left something half done", k.args, k.killed, k.half)
	return wrong
}

// spread takes the moments at which a command is killed evenly over its time, however many they are: the golden section.
const spread = 0.6180339887498949

// kill kills the command once, unless it is faster.
func (k *killing) kill(t *testing.T) {
	t.Helper()
	_, part := math.Modf(float64(k.aimed) * spread)
	k.aimed++
	cmd := k.start(t, io.Discard, k.args...)
	time.Sleep(time.Duration(part * float64(k.lasts)))
	if kill(cmd); cmd.ProcessState.Exited() {
		k.lasts = k.lasts * 19 / 20
		return
	}
	k.killed++
	k.outlast(t, k.url)
}

// outlast lets the claims of the dead run out, and a server forget their connections.
func (p *process) outlast(t *testing.T, url string) {
	t.Helper()
	if sqldb.File(url) == "" {
		time.Sleep(20 * time.Millisecond)
	}
	sqldbtest.Exec(t, url, "UPDATE claims SET held_until = '2026-01-01 00:00:00.000'")
}

// lineDiff is the lines that are in one text and not in the other.
func lineDiff(want, got string) string {
	count := map[string]int{}
	for line := range strings.Lines(want) {
		count[line]--
	}
	for line := range strings.Lines(got) {
		count[line]++
	}
	var out strings.Builder
	for line, n := range count {
		if n != 0 {
			fmt.Fprintf(&out, "%+d %s", n, line)
		}
	}
	return out.String()
}
