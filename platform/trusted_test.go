package platform

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// tries is what the machine that serves lets through of what must be refused, and refuses of what must be done, when its own
// clock is wrong: by the database's clock an hour before an opening and a minute after one, and about notices of two hours and of
// twenty-five. "" each time is what is right.
func (h house) tries(clock time.Time) (came []string) {
	lot := func(name string, opens time.Duration) string {
		o := lotA
		o.Number, o.OpensAt = name+sqldb.NewID().String(), clock.Add(opens)
		h.putLot(o)
		return o.Number
	}
	try := func(want string, act func() error) {
		h.Helper()
		code := ""
		if err := act(); err != nil {
			if code = deposit.AsRefusal(err).Code; code == "internal" {
				h.Fatal(err)
			}
		}
		switch code {
		case want:
			code = ""
		case "":
			code = "not " + want
		}
		came = append(came, code)
	}
	opened := func(lot string, after time.Duration) error {
		_, err := h.desk.Record(ctx, "test", EventOrder{Number: sqldb.NewID().String(), Kind: EventOpened, Lot: lot, HappenedAt: clock.Add(after)})
		return err
	}
	said := func(lot string) error {
		_, err := h.desk.SayOpened(ctx, Word{By: "张科长", Eyes: deposit.SightOfAll(), Lot: lot, Reason: "平台停机"})
		if err == nil {
			_, err = h.desk.SayOpened(ctx, Word{By: "李主任", Eyes: deposit.SightOfAll(), Lot: lot, Reason: "平台停机"})
		}
		return err
	}
	wished := func(lot string, after time.Duration) error {
		o := lotA
		o.Number, o.OpensAt = lot, clock.Add(after)
		_, _, err := h.desk.PutLot(ctx, "test", o)
		return err
	}
	try("event_in_future", func() error { return opened(lot("a", time.Hour), time.Hour) })
	try("opening_early", func() error { return opened(lot("b", time.Hour), 0) })
	try("opening_early", func() error { return said(lot("c", time.Hour)) })
	try("", func() error { return opened(lot("d", -time.Minute), -time.Second) })
	try("", func() error { return said(lot("e", -time.Minute)) })
	try("notice_short", func() error { return wished(lot("f", 72*time.Hour), 2*time.Hour) })
	try("", func() error { return wished(lot("g", 72*time.Hour), 25*time.Hour) })
	return came
}

// TestClockOfTheProcess: whoever sets the clock of the machine that serves brings no opening about and puts none off, and makes
// no notice shorter or longer. Where that clock decides, as it once did, the same tries show it.
func TestClockOfTheProcess(t *testing.T) {
	for off, shown := range map[time.Duration][]string{
		0: nil, 24 * time.Hour: {"not event_in_future", "not opening_early", "notice_short"}, -24 * time.Hour: {"event_in_future", "opening_early", "not notice_short"},
	} {
		sqldbtest.EachURL(t, func(t *testing.T, url string) {
			db := sqldbtest.Open(t, url, func() time.Time { return time.Now().Add(off) })
			clock, err := db.Clock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			h := house{t, db, NewDesk(db)}
			came := h.tries(clock) // the clock of the process stands for the database's
			for _, code := range shown {
				if !slices.Contains(came, code) {
					t.Errorf("%s off: the tries do not show %s: %q", off, code, came)
				}
			}
			sqldbtest.Exec(t, url, "DELETE FROM trusted_time")
			db.AskClock()
			if came := h.tries(clock); slices.ContainsFunc(came, func(code string) bool { return code != "" }) {
				t.Errorf("%s off: %q", off, came)
			}
		})
	}
}

// TestTrustedTimeStays: when the database's clock is set back, what was open stays open, what has come has come, and a notice is
// counted from the latest time that was; a stated time counts when it is no more than 30 seconds ahead, and one further ahead
// leaves nothing behind.
func TestTrustedTimeStays(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		now := noon
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		h := house{t, db, NewDesk(db)}
		n := 0
		opened := func(lot string, at time.Time) string {
			n++
			_, err := h.desk.Record(ctx, "test", EventOrder{Number: fmt.Sprint("E", n), Kind: EventOpened, Lot: lot, HappenedAt: at})
			if err != nil {
				return deposit.AsRefusal(err).Code
			}
			return ""
		}
		lot := func(number string, opens time.Time) {
			o := lotA
			o.Number, o.OpensAt = number, opens
			h.putLot(o)
		}
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		lot("A", noon)
		lot("B", noon.Add(31*time.Second))
		lot("C", noon.Add(-time.Minute))
		lot("D", noon.Add(72*time.Hour))
		want("31 seconds ahead", opened("B", noon.Add(31*time.Second)), "opening_early")
		want("on time", opened("A", noon), "")
		want("half a minute ahead", opened("B", noon.Add(31*time.Second)), "opening_early")
		now = noon.Add(time.Second)
		want("30 seconds ahead", opened("B", noon.Add(31*time.Second)), "")

		now = noon.Add(-2 * time.Minute)
		want("set back, what has come has come", opened("C", noon.Add(-time.Minute)), "")
		for _, number := range []string{"A", "B", "C"} {
			if l, err := LotByNumber(ctx, h.db, number); err != nil || l.Sealed() {
				t.Errorf("set back, %s is sealed again: %v", number, err)
			}
		}
		wish := func(opens time.Time) string {
			n++
			_, err := h.desk.Record(ctx, "test", EventOrder{Number: fmt.Sprint("E", n), Kind: EventOpeningMoved, Lot: "D", HappenedAt: now, OpensAt: opens})
			if err != nil {
				return deposit.AsRefusal(err).Code
			}
			return ""
		}
		latest := noon.Add(31 * time.Second)
		now = noon.Add(-48 * time.Hour)
		want("set back, a short notice", wish(latest.Add(24*time.Hour-time.Second)), "notice_short")
		want("set back, a notice in time", wish(latest.Add(24*time.Hour)), "")
		if ahead, err := db.TrustedAhead(ctx); err != nil || ahead != latest.Sub(now) {
			t.Errorf("%s ahead of the clock, %v", ahead, err)
		}
	})
}

// TestClockAheadOnce: if the database's clock was ahead once, so that trusted time is for long, still nothing is opened before its
// hour by the clock as it is now.
func TestClockAheadOnce(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		now := noon.AddDate(1, 0, 0)
		db := sqldbtest.Open(t, url, func() time.Time { return now })
		h := house{t, db, NewDesk(db)}
		h.putLot(lotA)
		h.record(EventOrder{Number: "E1", Kind: EventOpeningMoved, Lot: lotA.Number, HappenedAt: noon, OpensAt: lotA.OpensAt.Add(time.Hour)})
		now = noon
		if came := h.tries(noon); slices.ContainsFunc(came[:5], func(code string) bool { return code != "" }) || came[6] != "notice_short" {
			t.Errorf("%q", came)
		}
	})
}
