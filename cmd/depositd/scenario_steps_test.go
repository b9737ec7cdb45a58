package main

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// The words of steps.txt, one step a line. Words are parted by blanks; "quoted words" may hold some; # begins a comment.
// TIME is "2026-06-12 09:30:00", DAY "2026-06-12". The clock only goes forward, to the time a step says or needs: a bank
// tells of a booking two seconds after it unless it is later already, a day's statement comes ten minutes and its nightly
// job thirty after midnight. Every step must be taken by the service, unless the next one expects something else.
//
//	clock TIME
//	setting NAME VALUE                                       an environment variable of the service, from its start: LATE_AT_EQUALITY false
//	lot NUMBER DEPARTMENT YUAN opens TIME [single] [basic]
//	bid LOT BIDDER account A [number N] [from TIME] [to TIME] [bank B]
//	event NUMBER KIND LOT at TIME [bidder B] [opens TIME]
//	credit S YUAN by NAME account A at TIME [number N] [bank B] [parent P] [day DAY] [remark R] [returned]
//	debit S YUAN to NAME account A at TIME [number N] [bank B] [parent P]
//	reverse S as S2 at TIME [unnamed]                        the bank takes a booking back; unnamed: without saying which
//	push S [twice] [amount YUAN] [by NAME] [number N] [over tcp]
//	pushall                                                  all that was booked and not told yet, in the order of booking
//	statement DAY [bank B] [parent P] [opening YUAN] [closing YUAN] [without S]... [amount S YUAN] [cut] [declares N] [over file]
//	deliver FILE [bank B] [over file]                        a statement, byte for byte from the folder
//	raw FILE [bank B] [over tcp] [id ID] [stamp TIME] [unsigned]   a message, byte for byte from the folder
//	nightly DAY                                              twice, the second time without any change
//	explain|settle|reopen CODE [S] NOTE                      moves the finding with that code, on that credit
//	expect STATUS [CODE]                                     of the step before: HTTP's status and the problem's code or the bank's Result
//	report DAY                                               prints the report and what became of the credits and bids
//	kept                                                     prints how many of the banks' messages fared how
//	repeat FROM TO STEP                                      with {n} for 001, 002 …
var verbs = map[string]func(*stage, *words){
	"clock":     clockStep,
	"setting":   func(_ *stage, w *words) { w.rest = nil },
	"lot":       lotStep,
	"bid":       bidStep,
	"event":     eventStep,
	"credit":    creditStep,
	"debit":     debitStep,
	"reverse":   reverseStep,
	"push":      pushStep,
	"pushall":   pushAllStep,
	"statement": statementStep,
	"deliver":   deliverStep,
	"raw":       rawStep,
	"nightly":   nightlyStep,
	"explain":   moveStep("explain"),
	"settle":    moveStep("settle"),
	"reopen":    moveStep("reopen"),
	"expect":    expectStep,
	"report":    reportStep,
	"kept":      keptStep,
}

// step is one line of steps.txt.
type step struct {
	line int
	text string
}

// readSteps reads the steps of a file, with what is repeated written out.
func readSteps(file string) (steps []step, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if steps, err = appendSteps(steps, step{n, text}); err != nil {
			return nil, err
		}
	}
	return steps, lines.Err()
}

func appendSteps(steps []step, one step) ([]step, error) {
	rest, repeated := strings.CutPrefix(one.text, "repeat ")
	if !repeated {
		return append(steps, one), nil
	}
	var from, to int
	parts := strings.SplitN(rest, " ", 3)
	if n, err := fmt.Sscan(rest, &from, &to); n != 2 || err != nil || len(parts) != 3 {
		return nil, fmt.Errorf("steps.txt:%d: repeat FROM TO STEP: %w", one.line, err)
	}
	for n := from; n <= to; n++ {
		steps = append(steps, step{one.line, strings.ReplaceAll(parts[2], "{n}", fmt.Sprintf("%03d", n))})
	}
	return steps, nil
}

// settingsIn is the service's environment as the steps want it, under what a test wants.
func settingsIn(steps []step, more map[string]string) map[string]string {
	settings := map[string]string{}
	for _, one := range steps {
		if parts := strings.Fields(one.text); len(parts) == 3 && parts[0] == "setting" {
			settings["DEPOSITD_"+parts[1]] = parts[2]
		}
	}
	maps.Copy(settings, more)
	return settings
}

// splitWords parts a line at its blanks, but not within quotation marks.
func splitWords(line string) (parts []string) {
	for i, quoted := range strings.Split(line, `"`) {
		if i%2 == 1 {
			parts = append(parts, quoted)
		} else {
			parts = append(parts, strings.Fields(quoted)...)
		}
	}
	return parts
}

// words reads a step, word by word.
type words struct {
	rest []string
	fail func(string, ...any)
}

func (w *words) more() bool { return len(w.rest) > 0 }

func (w *words) next() string {
	if !w.more() {
		w.fail("a word is missing at the end")
	}
	word := w.rest[0]
	w.rest = w.rest[1:]
	return word
}

func (w *words) want(word string) {
	if got := w.next(); got != word {
		w.fail("%q, want %q", got, word)
	}
}

func (w *words) time() time.Time {
	t, err := deposit.ParseWall(w.next() + " " + w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return t
}

func (w *words) day() deposit.Day {
	day, err := deposit.ParseDay(w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return day
}

func (w *words) yuan() deposit.Fen {
	fen, err := deposit.ParseBalance(w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return fen
}

func (w *words) number() int {
	n, err := strconv.Atoi(w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return n
}

// options reads what is left, each word with what follows it.
func (w *words) options(known map[string]func()) {
	for w.more() {
		word := w.next()
		take := known[word]
		if take == nil {
			w.fail("%q, want one of %q", word, slices.Sorted(maps.Keys(known)))
		}
		take()
	}
}

func clockStep(s *stage, w *words) {
	to := w.time()
	if to.Before(s.clock.now()) {
		s.fail("it is %s already", deposit.Wall(s.clock.now()))
	}
	s.advance(to)
}

func lotStep(s *stage, w *words) {
	number := w.next()
	body := map[string]any{"department": w.next()}
	amount := w.yuan()
	body["deposit"] = amount
	w.options(map[string]func(){
		"opens":  func() { body["opening_at"] = w.time() },
		"single": func() { body["single_payment"] = true },
		"basic":  func() { body["basic_account_required"] = true },
	})
	s.tell(http.MethodPut, "/v1/lots/"+url.PathEscape(number), body)
	if s.answer.taken {
		s.tenders[number] = amount
	}
}

func bidStep(s *stage, w *words) {
	one := tender{w.next(), w.next()}
	body := map[string]any{"lot": one.lot, "bidder": one.bidder}
	where := s.banks[0]
	w.options(map[string]func(){
		"account": func() { body["bidder_account"] = w.next() },
		"number":  func() { body["sub_account"] = w.next() },
		"from":    func() { body["lease_from"] = w.time() },
		"to":      func() { body["lease_to"] = w.time() },
		"bank":    func() { where = s.bankNamed(w.next()) },
	})
	if body["sub_account"] != nil {
		body["bank"] = where.Code
	}
	s.tell(http.MethodPost, "/v1/bids", body)
	if s.answer.taken && !slices.Contains(s.bids, one) {
		s.bids = append(s.bids, one)
	}
}

func eventStep(s *stage, w *words) {
	body := map[string]any{"number": w.next(), "kind": w.next(), "lot": w.next()}
	w.options(map[string]func(){
		"at": func() {
			at := w.time()
			body["happened_at"] = at
			s.advance(at)
		},
		"bidder": func() { body["bidder"] = w.next() },
		"opens":  func() { body["opening_at"] = w.time() },
	})
	s.tell(http.MethodPost, "/v1/platform/events", body)
}

// nightlyStep runs the job as the command does, and once more: the second run must say the same, to the byte, and leave
// the database as it was.
func nightlyStep(s *stage, w *words) {
	day := w.day()
	s.advance(day.Add(1).Start().Add(30 * time.Minute))
	code, first := s.run("nightly", "--day", string(day), "--json")
	if code != exitOK && code != exitMismatches {
		s.fail("exit code %d: %s", code, first)
	}
	stored := sqldbtest.State(s.t, s.url)
	if again, second := s.run("nightly", "--day", string(day), "--json"); again != code || second != first {
		s.fail("the second run says something else: exit code %d, was %d; %s", again, code, firstDifference(second, first))
	}
	if differs := firstDifference(sqldbtest.State(s.t, s.url), stored); differs != "" {
		s.fail("the second run changed the database: %s", differs)
	}
}

// moveStep lets a person move a finding.
func moveStep(act string) func(*stage, *words) {
	return func(s *stage, w *words) {
		code, serial, note := reconcile.Code(w.next()), "", w.next()
		if w.more() {
			serial, note = note, w.next()
		}
		var page struct{ Findings []reconcile.FindingRow }
		s.ask("/v1/findings?limit=200&code="+string(code), &page)
		found := slices.DeleteFunc(page.Findings, func(f reconcile.FindingRow) bool {
			return f.Serial != serial || f.State == reconcile.Cleared
		})
		if len(found) != 1 {
			s.fail("there are %d such findings", len(found))
		}
		s.act("/v1/findings/"+found[0].ID.String()+"/moves", found[0].Version, map[string]any{"act": act, "note": note})
	}
}

func expectStep(s *stage, w *words) {
	status, code := w.next(), ""
	if w.more() {
		code = w.next()
	}
	if s.answer == nil {
		s.fail("nothing was asked")
	}
	if s.answer.status != status || s.answer.code != code {
		s.fail("got %s %s: %s", s.answer.status, s.answer.code, s.answer.text())
	}
	s.answer = nil
}
