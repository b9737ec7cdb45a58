package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// How often progress is shown: a terminal's bar is redrawn, elsewhere each time is a line of a log.
const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 10 * time.Second
	barWidth    = 30
)

// progress shows how far long work has come: a bar on a terminal, plain lines elsewhere. It is a few lines of our own
// since no library measures a Chinese label rightly.
type progress struct {
	w           io.Writer
	terminal    bool
	label       string
	done, total int64
	shown       time.Time
}

// progress begins to show work of a known size on stderr, so that stdout stays the command's result.
func (c *call) progress(label string, total int64) *progress {
	p := &progress{w: c.stderr, terminal: isTerminal(c.stderr), label: label, total: max(total, 1), shown: time.Now()}
	if p.terminal {
		p.draw()
	}
	return p
}

// add counts work done.
func (p *progress) add(n int64) {
	p.done = min(p.done+n, p.total)
	pause := lineEvery
	if p.terminal {
		pause = redrawEvery
	}
	if now := time.Now(); now.Sub(p.shown) >= pause {
		p.shown = now
		p.draw()
	}
}

// end clears a terminal's bar and says what the work came to.
func (p *progress) end(result string) {
	if p.terminal {
		fmt.Fprint(p.w, "\r\033[K")
	}
	fmt.Fprintln(p.w, p.label+"："+result)
}

func (p *progress) draw() {
	percent := p.done * 100 / p.total
	if !p.terminal {
		fmt.Fprintf(p.w, "%s：%d%%\n", p.label, percent)
		return
	}
	full := int(percent) * barWidth / 100
	fmt.Fprintf(p.w, "\r\033[K%s [%s%s] %3d%%", p.label, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), percent)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// watchedFile is a file whose reading is shown.
type watchedFile struct {
	io.ReadSeeker
	progress *progress
}

// Read counts what is read.
func (f watchedFile) Read(b []byte) (int, error) {
	n, err := f.ReadSeeker.Read(b)
	f.progress.add(int64(n))
	return n, err
}
