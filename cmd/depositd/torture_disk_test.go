//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// diskFaults are the ways in which a disk fails: once, again and again, or from then on; the calls are counted in each thread.
var diskFaults = []struct {
	fault string
	first int // the call that fails first, late enough that the program is up
}{
	{"pwrite64:error=ENOSPC:when=%d+", 60},
	{"pwrite64:error=EIO:when=%d", 60},
	{"fsync:error=EIO:when=%d", 7},
	{"fsync:error=EIO:when=%d+", 7},
	{"fsync:error=ENOSPC:when=%d+5", 7},
}

// failing runs the program on a disk that fails and says what was acknowledged and is not there: neither in the file as the
// system shows it, nor on a disk that has lost what it could not sync. refused is how many tries were not acknowledged.
func failing(t *testing.T, file, bug, fault string) (refused int, wrong []string) {
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
	p.under = append(recorded(trace), "-e", "inject="+fault)
	cmd, address := p.serve(t)
	banks := tellers{stop: make(chan struct{})}
	banks.address.Store(address)
	var acked []string
	for i := range 30 {
		serial := fmt.Sprint("D", i)
		if banks.push(serial) {
			acked = append(acked, serial)
		} else if refused++; banks.push(serial) {
			acked = append(acked, serial)
		}
	}
	kill(cmd)
	events := readTrace(t, trace)
	d := &disk{certain: map[string][]byte{"deposit.db": base}, written: map[string][]diskEvent{}}
	for _, e := range events {
		d.take(e)
	}
	image := sqldbtest.InMemory(t)
	for _, cut := range cuts {
		if lost := d.survives(t, image, cut, acked); lost != "" {
			wrong = append(wrong, "after a power cut: "+lost)
		}
	}
	p.under = nil
	wrong = append(wrong, p.restarts(t, url, acked)...)
	return refused, wrong
}

// restarts starts the program on the mended disk: everything acknowledged is there, nothing by half, and it takes notices.
func (p *process) restarts(t *testing.T, url string, acked []string) (wrong []string) {
	t.Helper()
	wrong = missing(t, url, acked)
	cmd, address := p.serve(t)
	defer kill(cmd)
	banks := tellers{stop: make(chan struct{})}
	banks.address.Store(address)
	for until := time.Now().Add(time.Minute); !banks.push("AFTER"); time.Sleep(10 * time.Millisecond) { // a busy machine may need some tries
		if time.Now().After(until) {
			return append(wrong, "it takes no notices after the restart")
		}
	}
	for what, query := range halves {
		if rows := sqldbtest.Strings(t, url, query); len(rows) > 0 {
			wrong = append(wrong, fmt.Sprint(what, ": ", len(rows)))
		}
	}
	p.does(t, []int{exitOK}, "verify")
	return wrong
}

// TestTortureDisk: the disk is full or broken, at any of its calls. Nothing is acknowledged that is not stored, also where
// the system forgets what it could not sync, and the program starts again when the disk is mended. A program that takes
// every COMMIT for done is found out.
func TestTortureDisk(t *testing.T) {
	sqldbtest.Unwatched(t)
	needStrace(t)
	file, total := build(t, "nomsgpack"), 0
	for _, f := range diskFaults {
		for i := range tortured(1, 20) {
			fault := fmt.Sprintf(f.fault, f.first*(2+i)/2)
			refused, wrong := failing(t, file, "", fault)
			if len(wrong) > 0 {
				t.Errorf("%s: %q", fault, some(wrong))
			}
			total += refused
			t.Logf("%s: %d refused", fault, refused)
		}
	}
	if total == 0 {
		t.Error("the disk never failed: the test shows nothing")
	}
	t.Logf("%d tries were refused", total)
	_, wrong := failing(t, build(t, "nomsgpack,seeded"), "commit_errors_ignored", "fsync:error=EIO:when=7+")
	if len(wrong) == 0 {
		t.Error("a program that overlooks errors passes: the test shows nothing")
	}
}
