package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	cdpnet "github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// SHOTS names a folder into which the pages are photographed, at 1280 and at 1920, to be looked at.
var shots = os.Getenv("SHOTS")

//go:embed testdata/axe/axe.min.js
var axe string

// chromium is the one browser of all tests; nil where none is installed.
var chromium = sync.OnceValue(func() context.Context {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil
	}
	allocated, _ := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("lang", "zh-CN"), chromedp.WSURLReadTimeout(time.Minute))...)
	browser, stopBrowser = chromedp.NewContext(allocated)
	if err := chromedp.Run(browser); err != nil {
		panic(err)
	}
	return browser
})

var (
	browser     context.Context
	stopBrowser = func() {}
)

func TestMain(m *testing.M) {
	code := m.Run()
	if whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && !testing.Short(); whole && code == 0 {
		for _, one := range unheld(&heldAnswers) {
			fmt.Println("openapi.yaml has a success that no test has held to it:", one)
			code = 1
		}
	}
	if browser != nil {
		_ = chromedp.Cancel(browser) // it goes, and takes its folder along
	}
	stopBrowser()
	os.Exit(code)
}

// A screen is a person before a page: a tab of the browser with a session, which fails the test on any complaint of the console,
// a violation of the policy among them.
type screen struct {
	*house
	ctx  context.Context
	base string

	mu     sync.Mutex
	faults []string
}

// screenOf opens a tab for somebody who has come in.
func (h *house) screenOf(person string) *screen {
	h.t.Helper()
	if chromium() == nil {
		h.t.Skip("no chromium on this machine; make test installs it")
	}
	served := httptest.NewServer(h.handler)
	h.t.Cleanup(served.Close)
	ctx, closeTab := chromedp.NewContext(chromium())
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	h.t.Cleanup(func() { cancel(); closeTab() })
	s := &screen{house: h, ctx: ctx, base: served.URL}
	chromedp.ListenTarget(ctx, s.listen)
	s.do(log.Enable(), page.BringToFront(), emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
	s.become(person)
	return s
}

// become puts somebody else before the screen. The tests of a package run one after another, so that one jar of cookies serves them all.
func (s *screen) become(person string) {
	s.t.Helper()
	cookie := cdpnet.SetCookie(cookieName, s.cookie(person)).WithURL(s.base).WithSecure(true).WithHTTPOnly(true).WithPath("/").WithSameSite(cdpnet.CookieSameSiteStrict)
	s.do(chromedp.ActionFunc(func(ctx context.Context) error { return cookie.Do(ctx) }))
}

// listen notes what the page complains about.
func (s *screen) listen(event any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		s.faults = append(s.faults, "exception: "+e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && e.Entry.Source != log.SourceNetwork { // a refused form is an answer, no fault
			s.faults = append(s.faults, string(e.Entry.Source)+": "+e.Entry.Text)
		}
	}
}

func (s *screen) do(actions ...chromedp.Action) {
	s.t.Helper()
	if err := chromedp.Run(s.ctx, actions...); err != nil {
		var body string
		late, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
		defer cancel()
		_ = chromedp.Run(late, chromedp.Text("body", &body, chromedp.ByQuery))
		s.t.Fatalf("%v; the page says:\n%s\n%s", err, body, s.complaints())
	}
}

func (s *screen) complaints() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.faults, "\n")
}

func (s *screen) open(path string) {
	s.t.Helper()
	s.do(chromedp.Navigate(s.base+path), chromedp.WaitVisible("main", chromedp.ByQuery))
}

// until asks the page a question until it says yes. A page that is going away is asked again when the next one is there.
func (s *screen) until(question, otherwise string) {
	s.t.Helper()
	s.do(chromedp.ActionFunc(func(ctx context.Context) error {
		for until := time.Now().Add(10 * time.Second); time.Now().Before(until); {
			var yes bool
			if err := chromedp.Evaluate(question, &yes).Do(ctx); err == nil && yes {
				return nil
			}
			if err := chromedp.Sleep(20 * time.Millisecond).Do(ctx); err != nil {
				return err
			}
		}
		var at string
		_ = chromedp.Location(&at).Do(ctx)
		return fmt.Errorf("%s: %s", at, otherwise)
	}))
}

// sees waits until an element that is there holds a text.
func (s *screen) sees(selector, text string) {
	s.t.Helper()
	s.until(`[...document.querySelectorAll(`+quoted(selector)+`)].some(e => e.textContent.includes(`+quoted(text)+`))`, "no "+selector+" holds "+text)
}

// gone waits until there is no such element.
func (s *screen) gone(selector string) {
	s.t.Helper()
	s.until(`!document.querySelector(`+quoted(selector)+`)`, selector+" is still there")
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

// press presses keys once the page's scripts listen to them.
func (s *screen) press(keys string) {
	s.t.Helper()
	s.until(`document.readyState === 'complete'`, "the page is not complete")
	s.do(chromedp.KeyEvent(keys))
}

// click clicks an element once it is there.
func (s *screen) click(selector string) {
	s.t.Helper()
	s.until(`(() => { const e = document.querySelector(`+quoted(selector)+`); e?.click(); return !!e; })()`, "there is no "+selector)
}

// fill writes into a field anew: a key that the tests press is typed as well, which a keyboard's is not once the page has taken it.
func (s *screen) fill(selector, text string) {
	s.t.Helper()
	s.until(`(() => { const e = document.querySelector(`+quoted(selector)+`); if (e) { e.focus(); e.value = ''; } return !!e; })()`, "there is no "+selector)
	s.do(input.InsertText(text))
}

// sound holds the page to axe's rules of weight and to an empty console, and photographs it where that is asked for.
func (s *screen) sound(name string) {
	s.t.Helper()
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML, FailureSummary string }
	}
	s.do(chromedp.Evaluate(axe+";null", nil), chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)`, &found,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, v := range found {
		if slices.Contains([]string{"serious", "critical"}, v.Impact) {
			s.t.Errorf("%s: axe %s (%s): %+v", name, v.ID, v.Help, v.Nodes)
		}
	}
	if said := s.complaints(); said != "" {
		s.t.Errorf("%s: the console says:\n%s", name, said)
	}
	s.photograph(name)
}

func (s *screen) photograph(name string) {
	s.t.Helper()
	if shots == "" {
		return
	}
	for _, width := range []int64{1280, 1920} {
		var png []byte
		s.do(emulation.SetDeviceMetricsOverride(width, 1000, 1, false), chromedp.CaptureScreenshot(&png))
		if err := os.WriteFile(filepath.Join(shots, name+"-"+plainNumber(float64(width))+".png"), png, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.do(emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
}

// The harness proves itself: an image without a name, and a script that the policy forbids, are noticed.
func TestBrowserNotices(t *testing.T) {
	h := local(t)
	s := h.screenOf(maker)
	s.open("/login")
	var faults int
	s.do(chromedp.Evaluate(`document.body.insertAdjacentHTML('beforeend', '<img src="/static/none.svg"><p style="color:red">x</p>')`, nil), chromedp.Evaluate(axe+";null", nil),
		chromedp.Evaluate(`axe.run().then(r => r.violations.filter(v => v.impact === 'critical').length)`, &faults,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if faults == 0 {
		t.Error("axe took an image without a name")
	}
	if !strings.Contains(s.complaints(), "Content Security Policy") {
		t.Errorf("an inline style went unnoticed: %q", s.complaints())
	}
}
