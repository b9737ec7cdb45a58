package platform

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// calendarFile is a file of one year: rest days and make-up working days, "2027-01-01".
func calendarFile(year int, rests, makeups string) []byte {
	list := func(days string) string {
		var all []string
		for day := range strings.FieldsSeq(days) {
			all = append(all, fmt.Sprintf("%q: %q", day, "试"))
		}
		return strings.Join(all, ", ")
	}
	return fmt.Appendf(nil, `{"source": "测试", "years": {"%d": {"holidays": {%s}, "makeup_workdays": {%s}}}}`, year, list(rests), list(makeups))
}

func (h house) calendar() deposit.Calendar {
	h.Helper()
	calendar, err := Calendar(ctx, h.db)
	if err != nil {
		h.Fatal(err)
	}
	return calendar
}

func (h house) publish(file []byte) []YearLoaded {
	h.Helper()
	done, err := h.desk.LoadCalendar(ctx, "test", file)
	if err != nil {
		h.Fatal(err)
	}
	return done
}

func (h house) works(day deposit.Day) string {
	works, known := h.calendar().Works(day)
	return fmt.Sprint(works, " ", known)
}

// Before anything is loaded, the years that the program carries are in force.
func TestBuiltInCalendar(t *testing.T) {
	each(t, func(h house) {
		if years := h.calendar().Years(); len(years) != 9 || years[0].Year != 2018 || years[8].Year != 2026 || !strings.Contains(years[0].Source, "chinese-days 1.5.7 (MIT)") {
			h.Errorf("%d years", len(years))
		}
		if day, provisional := h.calendar().AddWorkdays("2026-02-13", 5); day != "2026-02-27" || provisional {
			h.Errorf("got %s, %v", day, provisional)
		}
		before := h.written()
		for _, year := range h.publish(publishedCalendar) {
			if year.Changed || year.Differs != "" {
				h.Errorf("loading what is in force changes %+v", year)
			}
		}
		if h.written() != before {
			h.Error("loading what is in force writes")
		}
	})
}

// A notice that comes out later, and its correction in mid-year: each replaces its year as a whole and leaves the others.
func TestLoadCalendar(t *testing.T) {
	each(t, func(h house) {
		if day, provisional := h.calendar().AddWorkdays("2026-12-29", 3); day != "2027-01-01" || !provisional {
			h.Errorf("before 2027 is published: %s, %v", day, provisional)
		}
		first := calendarFile(2027, "2027-01-01 2027-02-05", "2027-02-06")
		done := h.publish(first)
		if len(done) != 1 || !done[0].Changed || done[0].Differs != "01-01 休息（试），02-05 休息（试），02-06 上班（试）" {
			h.Errorf("got %+v", done)
		}
		if day, provisional := h.calendar().AddWorkdays("2026-12-29", 3); day != "2027-01-04" || provisional {
			h.Errorf("after 2027 is published: %s, %v", day, provisional)
		}
		written := h.written()
		if done := h.publish(first); done[0].Changed || h.written() != written {
			h.Errorf("loaded again: %+v", done)
		}
		done = h.publish(calendarFile(2027, "2027-01-01 2027-02-08", ""))
		if done[0].Differs != "02-05 恢复平常，02-06 恢复平常，02-08 休息（试）" {
			h.Errorf("got %+v", done)
		}
		for day, want := range map[deposit.Day]string{"2027-02-05": "true true", "2027-02-06": "false true", "2027-02-08": "false true", "2026-10-10": "true true"} {
			if got := h.works(day); got != want {
				h.Errorf("%s: %s, want %s", day, got, want)
			}
		}
		notes, err := sqldb.Events.All(ctx, h.db, "WHERE table_name = 'calendar_years' ORDER BY seq")
		if err != nil || len(notes) != 2 || notes[1].By != "test" || notes[1].Became != "LOADED" || !strings.HasPrefix(notes[1].Note, "2027 年工作日历：02-05 恢复平常") {
			h.Errorf("%+v, %v", notes, err)
		}
	})
}

// A year that the program carries can be replaced too, and what is wrong in a file leaves everything as it was.
func TestLoadCalendarAllOrNothing(t *testing.T) {
	each(t, func(h house) {
		h.publish(calendarFile(2026, "2026-01-01 2026-06-12", ""))
		if h.works("2026-06-12") != "false true" || h.works("2026-10-10") != "false true" || h.works("2025-10-01") != "false true" {
			h.Error("2026 is not replaced as a whole")
		}
		written := h.written()
		_, err := h.desk.LoadCalendar(ctx, "test", []byte("{\"years\": {\"2028\": {\"holidays\": {\"2028-01-01\": \"元旦\"}},\n\"2029\": {\"holidays\": {\"2028-01-01\": \"元旦\"}}}}"))
		if deposit.AsRefusal(err).Code != "calendar_invalid" || !strings.Contains(err.Error(), "第 2 行") || h.written() != written {
			h.Errorf("got %v", err)
		}
		sources, err := CalendarSources(ctx, h.db)
		if err != nil || len(sources) != 9 || !sources[7].ImportedAt.IsZero() || !sources[8].ImportedAt.Equal(noon) || sources[8].Source != "测试" {
			h.Errorf("%+v, %v", sources, err)
		}
	})
}

// Of two who load a year at once, one year comes out whole; a reader sees either and nothing between.
func TestCalendarIsReplacedWhole(t *testing.T) {
	each(t, func(h house) {
		files := [][]byte{calendarFile(2030, "2030-01-01 2030-03-04", "2030-03-02"), calendarFile(2030, "2030-01-01 2030-03-05", "2030-03-03")}
		whole := [][]bool{{false, true, true, false}, {true, false, false, true}} // 4, 5, 2, 3 March
		h.publish(files[0])
		var loaders sync.WaitGroup
		for i := range 6 {
			loaders.Go(func() {
				if _, err := h.desk.LoadCalendar(ctx, "test", files[i%2]); err != nil {
					h.Error(err)
				}
			})
		}
		for range 20 {
			calendar, seen := h.calendar(), []bool{}
			for _, day := range []deposit.Day{"2030-03-04", "2030-03-05", "2030-03-02", "2030-03-03"} {
				works, _ := calendar.Works(day)
				seen = append(seen, works)
			}
			if !slices.Equal(seen, whole[0]) && !slices.Equal(seen, whole[1]) {
				h.Errorf("a mixture of two calendars: %v", seen)
			}
		}
		loaders.Wait()
	})
}

// The guard can fail: who has seen an older version of the year replaces nothing.
func TestCalendarGuard(t *testing.T) {
	each(t, func(h house) {
		h.publish(calendarFile(2030, "2030-01-01", ""))
		row, err := calendarYears.One(ctx, h.db, "WHERE calendar_year = ?", 2030)
		if err != nil {
			h.Fatal(err)
		}
		h.publish(calendarFile(2030, "2030-01-02", ""))
		err = h.db.Write(ctx, "test", func(tx *sqldb.Tx) error { return moveYearOn(ctx, tx, row, "") })
		if !errors.Is(err, sqldb.ErrStale) || h.works("2030-01-02") != "false true" {
			h.Errorf("got %v, %s", err, h.works("2030-01-02"))
		}
	})
}
