package bank

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// callOf is a call to a bank at a minute of the day.
func callOf(code string, minute int, err error) Call {
	c := Call{Bank: "ccb", Code: code, Subject: fmt.Sprint("K", minute), BeganAt: callHead.At.Add(time.Duration(minute) * time.Minute)}
	c.end(c.BeganAt.Add(1500*time.Millisecond), "00", err)
	return c
}

var callEnds = map[CallOutcome]error{CallDone: nil, CallUnsent: unreachable(errors.New("connection refused")), CallUnknown: noAnswer(os.ErrDeadlineExceeded),
	CallRefused: refusedBy("09", gMeanings["09"], "户名不符：某某公司", false)}

// TestCallsAreKept: the newest of each outcome, newest first, whoever notes them how often; the old ones go, the last ones stay.
func TestCallsAreKept(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		desk := NewDesk(sqldbtest.Open(t, url, func() time.Time { return callHead.At }))
		note := func(c Call) {
			if err := desk.NoteCall(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		last := func(limit int) (minutes []string) {
			calls, err := desk.LastCalls(t.Context(), "ccb", "G00003", limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range calls {
				minutes = append(minutes, c.Subject+" "+string(c.Outcome))
			}
			return minutes
		}
		for minute, outcome := range []CallOutcome{CallRefused, CallDone, CallDone, CallUnsent, CallUnknown, CallUnknown, CallUnknown} {
			note(callOf("G00003", minute, callEnds[outcome]))
		}
		again := callOf("G00003", 6, callEnds[CallUnknown])
		note(again)
		note(callOf("G00009", 7, nil))
		if got, want := last(2), []string{"K6 UNKNOWN", "K5 UNKNOWN", "K3 UNSENT", "K2 DONE", "K1 DONE", "K0 REFUSED"}; !slices.Equal(got, want) {
			t.Errorf("the last are %q, want %q", got, want)
		}
		kept, err := desk.LastCalls(t.Context(), "ccb", "G00003", 1)
		if err != nil || kept[0].ID == 0 {
			t.Fatal(kept, err)
		}
		again.ID = kept[0].ID
		if kept[0].BeganAt.Equal(again.BeganAt) {
			kept[0].BeganAt = again.BeganAt
		}
		if kept[0] != again || again.TookMs != 1500 || again.Result != "bank_no_answer" || again.Detail == "" {
			t.Errorf("kept as %+v, was %+v", kept[0], again)
		}
		gone, err := desk.ForgetCalls(t.Context(), "nightly", callHead.At.Add(6*time.Minute))
		if err != nil || gone != 3 { // 1 and 4 and 5
			t.Errorf("%d forgotten, %v", gone, err)
		}
		if got, want := last(9), []string{"K6 UNKNOWN", "K3 UNSENT", "K2 DONE", "K0 REFUSED"}; !slices.Equal(got, want) {
			t.Errorf("%q stay, want %q", got, want)
		}
		if gone, err := desk.ForgetCalls(t.Context(), "nightly", callHead.At.Add(time.Hour)); err != nil || gone != 0 {
			t.Errorf("%d more forgotten, %v", gone, err)
		}
	})
}

// TestCallRecordsNameNobody: neither the bank's own words nor what an answer holds come into the record, the log or a problem.
func TestCallRecordsNameNobody(t *testing.T) {
	const payer = "某某建设工程有限公司"
	misread := strings.Replace(creditOne, "20260612092958", payer, 1)
	_, _, quoted := gCalls.Credit.heard(callBank, thisOne, answered(gCredits, "<Count>1</Count><Entity>"+misread+"</Entity>"))
	_, _, said := gCalls.Close.heard(callBank, thisOne, answered(gClose, "<Result>09</Result><AddWord>"+payer+"户名不符</AddWord>"))
	var misreading, refusal *CallError
	if !errors.As(quoted, &misreading) || !strings.Contains(misreading.cause.Error(), payer) || !errors.As(said, &refusal) || !strings.Contains(refusal.Said, payer) {
		t.Fatalf("nobody is named at all: %v, %v", quoted, said)
	}
	for _, err := range []error{quoted, said} {
		if c := callOf("G00005", 0, err); strings.Contains(fmt.Sprintf("%+v %v %s", c, err, deposit.AsRefusal(err).Text), payer) {
			t.Errorf("%+v\n%v", c, err)
		}
	}
}

// TestCallOutcomes: a closed set, each with a Chinese name and a place in the schema.
func TestCallOutcomes(t *testing.T) {
	if len(CallOutcomes) != len(callEnds) {
		t.Errorf("%d outcomes have a name, there are %d", len(CallOutcomes), len(callEnds))
	}
	for outcome, err := range callEnds {
		if CallOutcomeOf(err) != outcome || CallOutcomes[outcome] == "" || len(outcome) > 16 {
			t.Errorf("%s: %v", outcome, err)
		}
		if c := callOf("G00003", 0, err); c.Outcome != outcome || len([]rune(c.Detail)) > maxCallDetail || len(c.Result) > maxCallResult {
			t.Errorf("%+v", c)
		}
	}
	if CallOutcomeOf(sqldb.ErrNone) != CallUnsent || !errors.Is(callEnds[CallUnknown], os.ErrDeadlineExceeded) {
		t.Error("an error is not what it was")
	}
}
