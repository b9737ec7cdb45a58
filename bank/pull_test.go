package bank

import (
	"errors"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// TestTakePulled: what a bank answers of a number comes in like its notices: what is new of the time asked for, once, whether the
// bank pushes it before or after; a booking told by the day alone belongs to each time of that day.
func TestTakePulled(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := t.Context()
		desk := NewDesk(sqldbtest.Open(t, url, func() time.Time { return batchNow }))
		b := &Bank{Code: "lcyh", ParentAccounts: []string{"1"}}
		at := func(serial, clock string) Entry {
			booked, err := deposit.ParseWall("2026-06-15 " + clock)
			if err != nil {
				t.Fatal(err)
			}
			return Entry{Bank: "lcyh", ParentAccount: "1", BookingDate: "2026-06-15", Serial: serial, Direction: Credit, SubAccount: "n1", Amount: 100, BookedAt: booked, PayerName: "甲"}
		}
		push := func(id string, told ...Entry) {
			t.Helper()
			if _, err := desk.Receive(ctx, Message{Bank: "lcyh", ExternalID: id, Source: ByHTTP, Kind: KindNotice, Raw: []byte(id), Entries: told}); err != nil {
				t.Fatal(err)
			}
		}
		pull := func(raw string, want int, told ...Entry) {
			t.Helper()
			fresh, err := desk.TakePulled(ctx, b, Credited{told, []byte(raw)}, at("", "08:00:00").BookedAt, at("", "09:00:00").BookedAt)
			if err != nil || fresh != want {
				t.Errorf("%s brings %d, want %d; %v", raw, fresh, want, err)
			}
		}
		push("1", at("pushed", "08:10:00"))
		all := []Entry{at("before", "07:59:59"), at("first", "08:00:00"), at("pushed", "08:10:00"), at("lost", "08:30:00"), at("after", "09:00:00"), at("day", "00:00:00")}
		pull("answer", 3, all...)
		pull("another answer", 0, all...)
		push("2", at("lost", "08:30:00"))
		if got := sqldbtest.Strings(t, url, "SELECT serial FROM entries ORDER BY serial"); !slices.Equal(got, []string{"day", "first", "lost", "pushed"}) {
			t.Errorf("the entries are %q", got)
		}
		if got := sqldbtest.Strings(t, url, "SELECT outcome FROM messages ORDER BY source, outcome"); !slices.Equal(got, []string{"DUPLICATE", "NEW", "NEW"}) {
			t.Errorf("the messages are %q", got)
		}
		if _, err := desk.TakePulled(ctx, &Bank{Code: "lcyh"}, Credited{all, nil}, time.Time{}, batchNow); err == nil {
			t.Error("credits of an account that is not ours were taken")
		}
	})
}

// TestPushes: pushes are counted by the hour and why they were refused; answers to questions of ours are none.
func TestPushes(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx := t.Context()
		now := batchNow
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		desk := NewDesk(db)
		send := func(id, source, kind string, refused error) {
			t.Helper()
			m := Message{Bank: "lcyh", ExternalID: id, Source: source, Kind: kind, Raw: []byte(id), Entries: []Entry{{Bank: "lcyh", ParentAccount: "1", BookingDate: deposit.DayOf(now), Serial: id,
				Direction: Credit, Amount: 100, BookedAt: now.Add(-3 * time.Second)}}}
			var err error
			if refused != nil {
				err = desk.Refuse(ctx, m, refused)
			} else {
				_, err = desk.Receive(ctx, m)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if last, err := LastPush(ctx, db, "lcyh"); err != nil || !last.IsZero() {
			t.Fatal(last, err)
		}
		send("a", ByHTTP, KindNotice, nil)
		now = now.Add(59 * time.Minute)
		send("b", ByTCP, KindNotice, nil)
		send("c", ByHTTP, KindNotice, &Doubt{"seal_wrong", ""})
		now = now.Add(5 * time.Minute)
		send("d", ByHTTP, KindNotice, errors.New("a bug"))
		last := now
		now = now.Add(5 * time.Minute)
		send("e", ByPull, KindNotice, nil)
		send("f", ByHTTP, KindLink, nil)
		pushes, err := PushesSince(ctx, db, "lcyh", batchNow)
		want := []Pushes{{batchNow, "", 2}, {batchNow, "seal_wrong", 1}, {batchNow.Add(time.Hour), "internal", 1}}
		if err != nil || !slices.EqualFunc(pushes, want, func(a, b Pushes) bool { return a.Hour.Equal(b.Hour) && a.Code == b.Code && a.Count == b.Count }) {
			t.Errorf("pushes %+v, %v", pushes, err)
		}
		if got, err := LastPush(ctx, db, "lcyh"); err != nil || !got.Equal(last) {
			t.Errorf("the last push was at %s, want %s; %v", got, last, err)
		}
		delays, err := PushDelays(ctx, db, Book{"lcyh", "1"}, deposit.DayOf(now))
		if err != nil || len(delays) != 4 || delays[0] != 3*time.Second {
			t.Errorf("delays %v, %v", delays, err)
		}
		for code, want := range map[string]Rejection{"seal_stale": Disbelieved, "parent_account_unknown": Unwelcome, "internal": Broken, "amount_decimals": Unreadable} {
			if got := RejectionOf(code); got != want || got.Chinese() == "" {
				t.Errorf("%s is %s, want %s", code, got, want)
			}
		}
	})
}

// TestAsked: which numbers have answered, and how many calls came to nothing.
func TestAsked(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		desk := NewDesk(sqldbtest.Open(t, url, func() time.Time { return callHead.At }))
		for minute, outcome := range []CallOutcome{CallDone, CallRefused, CallDone, CallUnknown} {
			if err := desk.NoteCall(t.Context(), callOf("G00005", minute, callEnds[outcome])); err != nil {
				t.Fatal(err)
			}
		}
		since := callHead.At.Add(time.Minute)
		asked, err := desk.AskedSince(t.Context(), "ccb", "G00005", since)
		if err != nil || len(asked) != 1 || !asked["K2"] {
			t.Errorf("asked %v, %v", asked, err)
		}
		if made, failed, err := desk.CallsSince(t.Context(), "ccb", since); err != nil || made != 3 || failed != 2 {
			t.Errorf("%d calls, %d failed; %v", made, failed, err)
		}
	})
}
