//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// A process is the real thing in a process of its own, which can be killed.
type process struct {
	file  string
	env   []string
	under []string // what it runs under: a tracer with its arguments
}

// on gives the program its settings, with a banks.yaml and a folder to work in.
func on(t *testing.T, file, url, bug string) *process {
	t.Helper()
	getenv := settingsFor(t, url, nil)
	p := &process{file: file, env: []string{"USER=tester", sqldb.SeededBug + "=" + bug, "TZ=UTC"}}
	for _, name := range []string{"DEPOSITD_DB", "DEPOSITD_BANKS", "DEPOSITD_MASTER_KEY_FILE", "DEPOSITD_LISTEN"} {
		value, _ := getenv(name)
		p.env = append(p.env, name+"="+value)
	}
	p.env = append(p.env, "DEPOSITD_METRICS_LISTEN=127.0.0.1:0", "PATH="+os.Getenv("PATH"))
	return p
}

// start runs a command without waiting for its end.
func (p *process) start(t *testing.T, stderr io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	line := slices.Concat(p.under, []string{p.file}, args)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), line[0], line[1:]...)
	cmd.Env, cmd.Stderr = p.env, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that it is killed together with its tracer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// does runs a command to its end and wants one of the exit codes.
func (p *process) does(t *testing.T, codes []int, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.file, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || !slices.Contains(codes, cmd.ProcessState.ExitCode()) {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

var listening = regexp.MustCompile(`listening on ([0-9.:]+)`)

// serve starts the service and gives its address once it listens.
func (p *process) serve(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	said, told, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := p.start(t, told, "serve")
	_ = told.Close()
	address := make(chan string, 1)
	go func() {
		defer func() { _ = said.Close() }()
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
				_, _ = io.Copy(io.Discard, said)
				return
			}
		}
		close(address) // it ended
	}()
	select {
	case a := <-address:
		return cmd, a
	case <-time.After(time.Minute):
		kill(cmd)
		t.Fatal("the service does not listen")
		return nil, ""
	}
}

// kill ends a process at once and waits until it is gone.
func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Wait()
}

// tellers are banks' systems: each pushes one notice after the other, and the same again until it is acknowledged.
type tellers struct {
	address atomic.Value // string: where the service listens now
	acked   atomic.Int64
	stop    chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	serials []string // acknowledged
}

func (b *tellers) start(n int) {
	b.stop = make(chan struct{})
	for teller := range n {
		b.running.Go(func() {
			for i := 0; ; i++ {
				serial := fmt.Sprintf("T%dN%d", teller, i)
				for !b.push(serial) {
					select {
					case <-b.stop:
						return
					case <-time.After(2 * time.Millisecond):
					}
				}
				b.mu.Lock()
				b.serials = append(b.serials, serial)
				b.mu.Unlock()
				b.acked.Add(1)
			}
		})
	}
}

// impatient gives an address up that answers nothing: a killed service's may be another program's by now.
var impatient = http.Client{Timeout: 10 * time.Second}

// push sends one notice and says whether it was acknowledged.
func (b *tellers) push(serial string) bool {
	select {
	case <-b.stop:
		return false
	default:
	}
	address, _ := b.address.Load().(string)
	answer, err := impatient.Post("http://"+address+"/v1/banks/ccb/messages", "application/xml", strings.NewReader(noticeOf(serial)))
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return err == nil && answer.StatusCode == http.StatusOK && received.Match(body)
}

var received = regexp.MustCompile(`<Result>(00|01)</Result>`) // new, or here already

// noticeOf is a notice of a payment on a number of its own.
func noticeOf(serial string) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="GBK"?><root><head><TransCode>G00001</TransCode><TransDate>20260612</TransDate><TransTime>093000</TransTime><SeqNo>%[1]s</SeqNo></head>`+
		`<body><InstCode>3705018860000000123</InstCode><InDate>20260612092958</InDate><InAmount>800000.00</InAmount><InName>ACME</InName><InAcct>6212000000000000005</InAcct>`+
		`<InMemo>3705018860000000123-%[1]s</InMemo><InBankFLCode>%[1]s</InBankFLCode></body></root>`, serial)
}

// lives kills the service at random moments, some milliseconds after it answers, while notices come in; then it says what
// was acknowledged and is not there, and what is there by half.
func (p *process) lives(t *testing.T, url string, kills int) (wrong []string) {
	t.Helper()
	var banks tellers
	banks.address.Store("127.0.0.1:1")
	banks.start(6)
	for range kills {
		cmd, address := p.serve(t)
		before := banks.acked.Load()
		banks.address.Store(address)
		for until := time.Now().Add(time.Minute); banks.acked.Load() == before && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		if banks.acked.Load() == before {
			t.Error("nothing is acknowledged after a restart")
		}
		time.Sleep(time.Duration(5+rand.IntN(55)) * time.Millisecond)
		kill(cmd)
	}
	close(banks.stop)
	banks.running.Wait()
	wrong = missing(t, url, banks.serials)
	for what, query := range halves {
		if rows := sqldbtest.Strings(t, url, query); len(rows) > 0 {
			wrong = append(wrong, fmt.Sprint(what, ": ", len(rows)))
		}
	}
	p.does(t, []int{exitOK}, "verify")
	t.Logf("%d kills, %d notices acknowledged", kills, len(banks.serials))
	return wrong
}

// missing says which acknowledged serials do not stand in the database exactly once.
func missing(t *testing.T, url string, acked []string) (wrong []string) {
	t.Helper()
	stored := map[string]int{}
	for _, serial := range sqldbtest.Strings(t, url, "SELECT serial FROM entries") {
		stored[serial]++
	}
	for _, serial := range acked {
		if stored[serial] != 1 {
			wrong = append(wrong, fmt.Sprintf("%s was acknowledged and stands there %d times", serial, stored[serial]))
		}
	}
	return wrong
}

// some is the first of what is wrong, for a message.
func some(wrong []string) []string { return wrong[:min(len(wrong), 5)] }

// halves are what a notice would be that was stored by half.
var halves = map[string]string{
	"entries without a sighting":  "SELECT id FROM entries WHERE id NOT IN (SELECT entry_id FROM sightings)",
	"sightings without a message": "SELECT entry_id FROM sightings WHERE source = 'N' AND file_id NOT IN (SELECT id FROM messages)",
	"sightings without an entry":  "SELECT entry_id FROM sightings WHERE entry_id NOT IN (SELECT id FROM entries)",
	"messages without a sighting": "SELECT id FROM messages WHERE kind = 'NOTICE' AND outcome = 'NEW' AND id NOT IN (SELECT file_id FROM sightings)",
}

// TestTortureKilled: the program is killed without warning, hundreds of times. No acknowledged notice is lost and none is
// stored by half; an import or a nightly job that was killed and is run again ends as one that was not.
func TestTortureKilled(t *testing.T) {
	sqldbtest.Unwatched(t)
	shipped, seeded := build(t, "nomsgpack"), build(t, "nomsgpack,seeded")
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		t.Run("serve", func(t *testing.T) {
			if wrong := on(t, shipped, url, "").lives(t, url, times(url, 180, 20)); len(wrong) > 0 {
				t.Errorf("%d: %q", len(wrong), some(wrong))
			}
		})
	})
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		t.Run("jobs", func(t *testing.T) {
			if wrong := killJobs(t, on(t, shipped, url, ""), url, times(url, 200, 20), times(url, 200, 20)); len(wrong) > 0 {
				t.Errorf("%s", wrong)
			}
		})
	})
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		t.Run("a notice acknowledged before it is stored is missed", func(t *testing.T) {
			if wrong := on(t, seeded, url, "answer_before_commit").lives(t, url, 12); len(wrong) == 0 {
				t.Error("the harness does not notice")
			}
		})
		t.Run("a job whose statements are each committed alone is missed", func(t *testing.T) {
			if wrong := killJobs(t, on(t, seeded, url, "statements_commit_alone"), url, 200, 200); len(wrong) == 0 {
				t.Error("the harness does not notice")
			}
		})
	})
}

// times is how often something is done to a database in a file and to one on a server.
func times(url string, file, server int) int {
	if sqldb.File(url) == "" {
		return tortured(server, 10*server)
	}
	return tortured(file, 12*file)
}
