//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// A diskEvent is what a process did to its database's files, or that it acknowledged a notice.
type diskEvent struct {
	kind string // pwrite64, ftruncate, fsync, fsync failed, unlink, ack
	file string // the file's name without its folder
	at   int64  // where it wrote, or the length it cut to
	body []byte
}

// recorded is the tracer that writes down what reaches the disk and the network.
func recorded(trace string) []string {
	return []string{"strace", "-f", "-y", "-xx", "-s", "1000000", "--seccomp-bpf", "-e", "trace=write,pwrite64,fsync,fdatasync,ftruncate,unlink", "-o", trace}
}

// needStrace skips where there is no tracer, but never where one could have been installed.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err == nil {
		return
	}
	if os.Getenv("CI") != "" || os.Getuid() == 0 {
		t.Fatal("strace is missing: apt-get install --no-install-recommends strace")
	}
	t.Skip("strace is missing: the tests of a failing disk need it")
}

var (
	traceLine = regexp.MustCompile(`^(\d+) +(.*)$`)
	resumed   = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	traced    = regexp.MustCompile(`^(\w+)\((?:\d+<([^>]*)>(?:, )?)?(?:"([^"]*)")?(.*)\) += (-?\d+)`)
	afterData = regexp.MustCompile(`(\d+)$`)
)

// readTrace reads what strace wrote, in the order in which the calls ended; an acknowledgement counts from its beginning.
func readTrace(t *testing.T, file string) (events []diskEvent) {
	t.Helper()
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	begun := map[string]string{}
	for lines.Scan() {
		parts := traceLine.FindStringSubmatch(lines.Text())
		if parts == nil {
			continue
		}
		pid, call := parts[1], parts[2]
		if head, unfinished := strings.CutSuffix(call, " <unfinished ...>"); unfinished {
			if begun[pid] = head; !strings.HasPrefix(head, "write(") {
				continue
			}
			call, begun[pid] = head+") = 0", ""
		} else if rest := resumed.FindStringSubmatch(call); rest != nil {
			call = begun[pid] + rest[1]
		}
		if e, ok := readCall(call); ok {
			events = append(events, e)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

func readCall(call string) (e diskEvent, ok bool) {
	m := traced.FindStringSubmatch(call)
	if m == nil {
		return e, false
	}
	e = diskEvent{kind: m[1], file: filepath.Base(string(unhex(m[2])))}
	if strings.HasPrefix(m[5], "-") {
		lost := e.kind == "fsync" || e.kind == "fdatasync"
		e.kind = "fsync failed"
		return e, lost
	}
	switch e.kind {
	case "write":
		e.kind = "ack"
		return e, bytes.Contains(unhex(m[3]), []byte("<Result>00</Result>"))
	case "pwrite64":
		e.body = unhex(m[3])
		e.at, _ = strconv.ParseInt(afterData.FindString(m[4]), 10, 64)
	case "ftruncate":
		e.at, _ = strconv.ParseInt(afterData.FindString(m[4]), 10, 64)
	case "fdatasync":
		e.kind = "fsync"
	case "unlink":
		e.file = filepath.Base(string(unhex(m[3])))
	}
	return e, e.file == "deposit.db" || e.file == "deposit.db-wal"
}

func unhex(s string) []byte {
	if !strings.HasPrefix(s, `\x`) {
		return []byte(s)
	}
	b, _ := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	return b
}

// A disk is what is certain to be on it, and what was written since and may be there or not.
type disk struct {
	certain map[string][]byte
	written map[string][]diskEvent
}

func (d *disk) take(e diskEvent) {
	switch e.kind {
	case "fsync":
		for _, w := range d.written[e.file] {
			d.certain[e.file] = w.on(d.certain[e.file])
		}
		delete(d.written, e.file)
	case "fsync failed": // the system has thrown away what it could not write, and will not say so again
		delete(d.written, e.file)
	case "pwrite64", "ftruncate", "unlink":
		d.written[e.file] = append(d.written[e.file], e)
	}
}

// on carries the event out on a file's content, in place where it fits.
func (e diskEvent) on(body []byte) []byte {
	switch e.kind {
	case "unlink":
		return nil
	case "ftruncate":
		return reaching(body, int(e.at))[:e.at]
	}
	body = reaching(body, int(e.at)+len(e.body))
	copy(body[e.at:], e.body)
	return body
}

// reaching is a content of at least that length, filled up with zeros.
func reaching(body []byte, length int) []byte {
	return append(body, make([]byte, max(0, length-len(body)))...)
}

// cuts are the ways in which what was not synced may have reached the disk when the power went.
var cuts = []func(written []diskEvent) []diskEvent{
	func([]diskEvent) []diskEvent { return nil },
	func(w []diskEvent) []diskEvent { return w },
	func(w []diskEvent) []diskEvent { return w[:rand.IntN(len(w)+1)] },
	func(w []diskEvent) []diskEvent {
		return slices.DeleteFunc(slices.Clone(w), func(diskEvent) bool { return rand.IntN(2) == 0 })
	},
	func(w []diskEvent) []diskEvent { // the last write is torn between two sectors
		kept := slices.Clone(w[:rand.IntN(len(w)+1)])
		if n := len(kept) - 1; n >= 0 && len(kept[n].body) > 512 {
			kept[n].body = kept[n].body[:512*rand.IntN(len(kept[n].body)/512)]
		}
		return kept
	},
}

// survives writes the image of a disk after a power cut, opens it, and says what is wrong with it.
func (d *disk) survives(t *testing.T, folder string, cut func([]diskEvent) []diskEvent, acked []string) string {
	t.Helper()
	for _, name := range []string{"deposit.db", "deposit.db-wal", "deposit.db-shm"} {
		_ = os.Remove(filepath.Join(folder, name))
		body := slices.Clone(d.certain[name])
		for _, w := range cut(d.written[name]) {
			body = w.on(body)
		}
		if body == nil {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url := sqldb.FileURL(filepath.Join(folder, "deposit.db"))
	sound, err := sqldbtest.Query(t, url, "PRAGMA integrity_check")
	if err != nil || len(sound) != 1 || sound[0] != "ok" {
		return fmt.Sprint("broken: ", sound, err)
	}
	stored, err := sqldbtest.Query(t, url, "SELECT serial FROM entries")
	if err != nil {
		return err.Error()
	}
	for _, serial := range acked {
		if !slices.Contains(stored, serial) {
			return "acknowledged and lost: " + serial
		}
	}
	return ""
}

// powerCuts records what the program does to its disk while it acknowledges notices, cuts the power at many moments and in
// every way, and says what the disk has lost.
func powerCuts(t *testing.T, file, bug string, notices, moments int) (images int, wrong []string) {
	t.Helper()
	home := t.TempDir()
	url := sqldb.FileURL(filepath.Join(home, "deposit.db"))
	p := on(t, file, url, bug)
	p.does(t, []int{exitOK}, "migrate")
	base, err := os.ReadFile(filepath.Join(home, "deposit.db"))
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(home, "trace")
	p.under = recorded(trace)
	cmd, address := p.serve(t)
	banks := tellers{stop: make(chan struct{})}
	banks.address.Store(address)
	for i := range notices {
		for until := time.Now().Add(time.Minute); !banks.push(fmt.Sprint("P", i)); { // a busy disk may take longer than a bank waits
			if time.Now().After(until) {
				t.Fatal("a notice is not acknowledged")
			}
		}
	}
	kill(cmd)
	events := readTrace(t, trace)
	image := sqldbtest.InMemory(t)
	d := &disk{certain: map[string][]byte{"deposit.db": base}, written: map[string][]diskEvent{}}
	var acked []string
	for i, e := range events {
		if d.take(e); e.kind == "ack" {
			acked = append(acked, fmt.Sprint("P", len(acked)))
		}
		if rand.IntN(len(events)) >= moments && e.kind != "ack" && i != len(events)-1 {
			continue
		}
		for _, cut := range cuts {
			images++
			if lost := d.survives(t, image, cut, acked); lost != "" {
				wrong = append(wrong, fmt.Sprintf("event %d of %d, %s: %s", i, len(events), e.kind, lost))
			}
		}
	}
	if len(acked) < notices-1 || len(acked) > notices { // the line of the last one may be lost with the tracer
		t.Errorf("the trace shows %d acknowledgements of %d", len(acked), notices)
	}
	return images, wrong
}

// TestTorturePowerCut: whenever the power is cut and whatever of the unsynced reached the disk, the database opens, is
// sound, and holds every notice that was acknowledged. With synchronous=NORMAL it does not, which the same test shows.
func TestTorturePowerCut(t *testing.T) {
	sqldbtest.Unwatched(t)
	needStrace(t)
	images, wrong := powerCuts(t, build(t, "nomsgpack"), "", tortured(80, 400), tortured(60, 3000))
	if len(wrong) > 0 {
		t.Errorf("%d of %d: %q", len(wrong), images, some(wrong))
	}
	t.Logf("%d images", images)
	images, wrong = powerCuts(t, build(t, "nomsgpack,seeded"), "synchronous_normal", 30, 30)
	if len(wrong) == 0 {
		t.Error("synchronous=NORMAL passes: the test shows nothing")
	}
	t.Logf("with synchronous=NORMAL %d of %d images have lost something", len(wrong), images)
}
