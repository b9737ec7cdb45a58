//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// linesOfADay is how many credits the statement holds that is imported again and again: some transactions' worth.
const linesOfADay = 1200

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

// killJobs kills an import and a nightly job at random moments and runs them again.
func killJobs(t *testing.T, p *process, url string, imports, nightlies int) {
	t.Helper()
	folder := writeDay(t)
	p.does(t, []int{exitOK}, "migrate")
	p.does(t, []int{exitOK}, "import", "bids", filepath.Join(folder, "bids.csv"))
	p.does(t, []int{exitOK}, "import", "notices", filepath.Join(folder, "notices"))
	p.killed(t, url, imports, []int{exitOK}, "import", "statement", filepath.Join(folder, "statement.csv"))
	p.killed(t, url, nightlies, []int{exitMismatches}, "nightly", "--day", "2026-06-12")
	p.does(t, []int{exitOK}, "verify")
}

// enoughKills is how many kills are tried until one hits the middle of a job.
const enoughKills = 20

// killed runs a command that is killed, up to three times in a row, and then one that is not; the state is the one after a
// run that nobody disturbed. That the kills matter is seen by the states they leave. The command is done in the end.
func (p *process) killed(t *testing.T, url string, kills int, codes []int, args ...string) {
	t.Helper()
	restore := sqldbtest.Snapshot(t, url)
	before := sqldbtest.State(t, url)
	began := time.Now()
	p.does(t, codes, args...)
	lasts := time.Since(began)
	want := sqldbtest.State(t, url)
	half := 0
	for done := 0; done < kills || half == 0 && done < max(kills, enoughKills); {
		restore(t)
		for range 1 + rand.IntN(3) { // also the second try may be killed
			cmd := p.start(t, io.Discard, args...)
			time.Sleep(lasts/5 + rand.N(lasts*4/5))
			if kill(cmd); cmd.ProcessState.Exited() {
				lasts = lasts * 9 / 10 // it was faster than we took it to be
				continue
			}
			done++
			p.outlast(t, url)
		}
		if state := sqldbtest.State(t, url); state != before && state != want {
			half++
		}
		p.does(t, codes, args...)
		if got := sqldbtest.State(t, url); got != want {
			t.Fatalf("%v, killed and run again, ends in another state:\n%.3000s", args, lineDiff(want, got))
		}
	}
	if half == 0 && os.Getenv("TORTURE") != "" { // a few kills may all miss the few moments in which a job writes
		t.Errorf("%v was never killed in the middle: the test shows nothing", args)
	}
	t.Logf("%v: %d kills, %d left something half done", args, kills, half)
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
