package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// stage is where a scenario is played: a service with a database of its own, a clock that the steps move, and what the
// world outside remembers of what it did.
type stage struct {
	t       *testing.T
	folder  string
	url     string // the database's
	getenv  environment
	clock   *demoClock
	db      *sqldb.DB       // to look into; only sessions are written
	desk    *reconcile.Desk // on it
	client  *http.Client
	http    string // the service's address
	tcp     string
	banks   []*farBank
	tenders map[string]deposit.Fen // the deposit of each lot
	bids    []tender
	now     step
	answer  *answer
	said    strings.Builder
}

// tender is a bid as the platform told it.
type tender struct{ lot, bidder string }

// stepFailed is how a step ends the scenario.
type stepFailed struct{ error }

// fail ends the scenario.
func (s *stage) fail(format string, args ...any) {
	panic(stepFailed{fmt.Errorf("steps.txt:%d: %s: %w", s.now.line, s.now.text, fmt.Errorf(format, args...))})
}

func (s *stage) must(err error) {
	if err != nil {
		s.fail("%w", err)
	}
}

// newStage starts the service. Its nightly job runs when a step says so, never by itself.
func newStage(t *testing.T, folder, url string, settings map[string]string) *stage {
	t.Helper()
	s := &stage{t: t, folder: folder, url: url, clock: &demoClock{}, tenders: map[string]deposit.Fen{}}
	s.clock.advance(time.Date(2026, 6, 1, 0, 0, 0, 0, deposit.Shanghai))
	file := filepath.Join(folder, "banks.yaml")
	if _, err := os.Stat(file); err != nil {
		file = filepath.Join(scenarios, "banks.yaml")
	}
	set, err := readBanks(file, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range set.All() {
		s.banks = append(s.banks, newFarBank(t, b, filepath.Dir(file)))
	}
	env := map[string]string{"DEPOSITD_DB": url, "DEPOSITD_BANKS": file, "DEPOSITD_MASTER_KEY_FILE": sqldbtest.MasterFile(t), "DEPOSITD_LISTEN": "127.0.0.1:0", "DEPOSITD_METRICS_LISTEN": "127.0.0.1:0",
		"DEPOSITD_TCP_LISTEN": "127.0.0.1:0", "DEPOSITD_TCP_BANK": s.banks[0].Code, "DEPOSITD_NIGHTLY_AT": "@every 87600h",
		"DEPOSITD_SECRET_KEY_FILE": filepath.Join(t.TempDir(), "secret.key")}
	for name, value := range settings {
		env[name] = value
	}
	s.getenv = environmentOf(env)
	s.db = sqldbtest.Open(t, url, s.clock.now)
	s.desk = reconcile.NewDesk(s.db, set, reconcile.Rules{})
	s.client = visit(t, s.db)
	serving := startServiceAt(t, s.getenv, s.clock.now)
	t.Cleanup(serving.ends)
	s.http, s.tcp = "http://"+serving.says(`listening on ([0-9.:]+)`), serving.says(`frames on ([0-9.:]+)`)
	return s
}

// play plays one step, after looking whether the one before went as it should.
func (s *stage) play(one step) {
	w := &words{rest: splitWords(one.text), fail: s.fail}
	verb := w.next()
	if verb != "expect" {
		s.wasTaken()
	}
	s.now = one
	do := verbs[verb]
	if do == nil {
		s.fail("there is no step %q", verb)
	}
	do(s, w)
	if w.more() {
		s.fail("%q is not understood", w.next())
	}
}

// end holds the service to its own invariants and to the seals of its days.
func (s *stage) end() {
	s.wasTaken()
	if code, out := s.run("verify"); code != exitOK {
		s.fail("verify: exit code %d\n%s", code, out)
	}
}

// advance moves the clock to a time, if it is not there yet.
func (s *stage) advance(to time.Time) { s.clock.advance(to) }

// answer is what the service said to a request, a message or a command.
type answer struct {
	status string // "201"; of a command "exit-2"; over TCP "tcp"
	code   string // of a problem, or the G series' Result
	taken  bool
	body   []byte
}

// wasTaken ends the scenario if the last request was refused and nobody expected it.
func (s *stage) wasTaken() {
	if s.answer != nil && !s.answer.taken {
		s.fail("refused with %s %s: %s", s.answer.status, s.answer.code, s.answer.text())
	}
	s.answer = nil
}

// text is the answer's for people, whatever its charset.
func (a *answer) text() string {
	if strings.Contains(string(a.body), `encoding="GBK"`) {
		text, _ := bank.GB18030.Decode(a.body)
		return text
	}
	return string(a.body)
}

var gResultIn = regexp.MustCompile(`<Result>([0-9]+)</Result>`)

func answerOf(status string, fine bool, body []byte) *answer {
	a := &answer{status: status, taken: fine, body: body}
	var problem struct{ Code string }
	if result := gResultIn.FindSubmatch(body); result != nil {
		a.code = string(result[1])
		a.taken = fine && (a.code == "00" || a.code == "01")
	} else if !fine && json.Unmarshal(body, &problem) == nil {
		a.code = problem.Code
	}
	return a
}

// send makes one request, keeps the answer, and waits until the service has judged what came of it.
func (s *stage) send(method, path, kind string, body []byte, header map[string]string) {
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.http+path, bytes.NewReader(body))
	s.must(err)
	request.Header.Set("Content-Type", kind)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	s.must(err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	s.must(err)
	s.answer = answerOf(fmt.Sprint(response.StatusCode), response.StatusCode/100 == 2, text)
	s.settle()
}

// tell sends JSON, as the platform and people do.
func (s *stage) tell(method, path string, body map[string]any) {
	text, err := json.Marshal(body)
	s.must(err)
	s.send(method, path, "application/json", text, nil)
}

// act sends a person's word on something whose version was seen.
func (s *stage) act(path string, seen int64, body map[string]any) {
	text, err := json.Marshal(body)
	s.must(err)
	s.send(http.MethodPost, path, "application/json", text, map[string]string{"If-Match": fmt.Sprintf("%q", strconv.FormatInt(seen, 10)), "Idempotency-Key": "step-" + sqldb.NewID().String()})
}

// ask reads JSON.
func (s *stage) ask(path string, into any) {
	s.send(http.MethodGet, path, "", nil, nil)
	s.wasTakenFor(into)
}

func (s *stage) wasTakenFor(into any) {
	body := s.answer.body
	s.wasTaken()
	s.must(json.Unmarshal(body, into))
}

// settle waits until nothing waits for a verdict, so that what a scenario says does not hang on how fast this machine is.
func (s *stage) settle() {
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		waiting, err := bank.Unjudged(s.t.Context(), s.db, 1)
		s.must(err)
		touched, err := platform.Touched(s.t.Context(), s.db, 1)
		s.must(err)
		switch {
		case len(waiting)+len(touched) == 0:
			return
		case time.Now().After(until):
			s.fail("the judge does not come to an end")
		}
	}
}

// run runs a command of the program on the same database, at the scenario's time.
func (s *stage) run(args ...string) (code int, out string) {
	var text, complaints strings.Builder
	code = runAt(s.t.Context(), args, s.getenv, s.clock.now, &text, &complaints)
	if code != exitOK && code != exitMismatches {
		return code, text.String() + complaints.String()
	}
	return code, text.String()
}

// file reads a file of the scenario's folder.
func (s *stage) file(name string) []byte {
	body, err := os.ReadFile(filepath.Join(s.folder, filepath.Base(name)))
	s.must(err)
	return body
}
