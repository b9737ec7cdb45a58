package platform

import (
	"context"
	_ "embed" // the published calendar
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// publishedCalendar is the years that were published when the program was built: data of chinese-days 1.5.7 (MIT, see
// cn-workdays.LICENSE), after the State Council's annual notices.
//
//go:embed cn-workdays.json
var publishedCalendar []byte

// builtIn is the calendar that the program carries. TestBuiltInCalendar reads the file.
var builtIn = sync.OnceValues(func() (deposit.Calendar, error) { return deposit.ParseCalendar(publishedCalendar) })

// calendarYear is the row of a year that was loaded.
type calendarYear struct {
	ID         sqldb.ID
	Year       int
	Source     string
	Version    int64
	ImportedAt time.Time
}

var calendarYears = sqldb.NewTable("calendar_years", "id, calendar_year, source, version, imported_at", func(y *calendarYear) []any {
	return []any{&y.ID, &y.Year, &y.Source, &y.Version, sqldb.Wall(&y.ImportedAt)}
})

// calendarDay is a day of a loaded year.
type calendarDay struct {
	Day   deposit.Day
	Year  int
	Works bool
	Name  string
}

var calendarDays = sqldb.NewTable("calendar_days", "day, calendar_year, works, name", func(d *calendarDay) []any {
	return []any{&d.Day, &d.Year, &d.Works, &d.Name}
})

// Calendar is the calendar in force: the years the program carries, each replaced by the loaded one where there is one.
// It is read anew for each use, so that every replica counts by what was loaded last.
func Calendar(ctx context.Context, r sqldb.Reader) (deposit.Calendar, error) {
	carried, err := builtIn()
	if err != nil {
		return deposit.Calendar{}, err
	}
	loaded, err := loadedYears(ctx, r)
	return carried.With(loaded...), err
}

// loadedYears reads years and days by one statement, which sees a year before or after its replacement and never between.
func loadedYears(ctx context.Context, r sqldb.Reader) ([]deposit.CalendarYear, error) {
	type row struct {
		year    int
		source  string
		special deposit.SpecialDay
	}
	rows, err := sqldb.Select(ctx, r, func(one *row) []any {
		return []any{&one.year, &one.source, &one.special.Day, &one.special.Works, &one.special.Name}
	}, "SELECT y.calendar_year, y.source, d.day, d.works, d.name FROM calendar_years y JOIN calendar_days d ON d.calendar_year = y.calendar_year ORDER BY d.day")
	if err != nil {
		return nil, err
	}
	var years []deposit.CalendarYear
	for _, one := range rows {
		if len(years) == 0 || years[len(years)-1].Year != one.year {
			years = append(years, deposit.CalendarYear{Year: one.year, Source: one.source})
		}
		last := &years[len(years)-1]
		last.Days = append(last.Days, one.special)
	}
	return years, nil
}

// YearLoaded is what loading came to for one year of the file.
type YearLoaded struct {
	Year    int    `json:"year"`
	Changed bool   `json:"changed"` // false: the file says what holds already
	Differs string `json:"differs"` // in Chinese, for people and the audit trail: which days became what
}

// LoadCalendar puts the years of a file in force, each as a whole, all or nothing; the years that it does not name stay.
// The form of the file, and the Invalid "calendar_invalid" for what is wrong with it, are deposit.ParseCalendar's. Loaded
// again, it changes nothing.
func (d *Desk) LoadCalendar(ctx context.Context, by string, file []byte) (done []YearLoaded, err error) {
	calendar, err := deposit.ParseCalendar(file)
	if err != nil {
		return nil, err
	}
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		done = nil
		inForce, err := Calendar(ctx, tx)
		if err != nil {
			return err
		}
		for _, year := range calendar.Years() {
			was, known := inForce.Year(year.Year)
			one := YearLoaded{Year: year.Year, Differs: calendarDiffers(was, year)}
			if one.Changed = !known || one.Differs != ""; one.Changed {
				if err := replaceYear(ctx, tx, year, one.Differs); err != nil {
					return err
				}
			}
			done = append(done, one)
		}
		return nil
	})
	return done, err
}

// replaceYear is guarded by the version of the year's row, which is read first: of two who load a year at once, the
// slower one finds it moved on, or taken.
func replaceYear(ctx context.Context, tx *sqldb.Tx, year deposit.CalendarYear, differs string) error {
	row, err := calendarYears.One(ctx, tx, "WHERE calendar_year = ?", year.Year)
	if errors.Is(err, sqldb.ErrNone) {
		row = calendarYear{ID: tx.NewID(), Year: year.Year, Source: year.Source, Version: 1, ImportedAt: tx.Now}
		err = calendarYears.Insert(ctx, tx, row)
	} else if err == nil {
		err = moveYearOn(ctx, tx, row, year.Source)
	}
	if err != nil {
		return err
	}
	days := make([]calendarDay, len(year.Days))
	for i, special := range year.Days {
		days[i] = calendarDay{special.Day, year.Year, special.Works, special.Name}
	}
	if err := calendarDays.Insert(ctx, tx, days...); err != nil {
		return err
	}
	return tx.Note(ctx, "calendar_years", row.ID, "LOADED", fmt.Sprintf("%d 年工作日历：%.900s", year.Year, differs))
}

func moveYearOn(ctx context.Context, tx *sqldb.Tx, row calendarYear, source string) error {
	n, err := tx.Exec(ctx, "UPDATE calendar_years SET source = ?, version = version + 1, imported_at = ? WHERE id = ? AND version = ?",
		source, sqldb.At(tx.Now), row.ID, row.Version)
	if err != nil {
		return fmt.Errorf("replace calendar year: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("replace calendar year: %w", sqldb.ErrStale)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM calendar_days WHERE calendar_year = ?", row.Year); err != nil {
		return fmt.Errorf("replace calendar days: %w", err)
	}
	return nil
}

// mostTold is how many days the audit trail names of one change; a whole year has about forty.
const mostTold = 50

// calendarDiffers names the days that are another thing than they were, "" for none: "02-24 改为休息（春节）".
func calendarDiffers(was, year deposit.CalendarYear) string {
	before, after := byDay(was), byDay(year)
	var days []deposit.Day
	for _, special := range slices.Concat(was.Days, year.Days) {
		if before[special.Day] != after[special.Day] {
			days = append(days, special.Day)
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	told := make([]string, 0, len(days))
	for _, day := range days[:min(len(days), mostTold)] {
		told = append(told, string(day[len("2026-"):])+" "+becomes(after[day]))
	}
	if len(days) > mostTold {
		told = append(told, fmt.Sprintf("等 %d 天", len(days)))
	}
	return strings.Join(told, "，")
}

func becomes(special deposit.SpecialDay) string {
	switch {
	case special.Day == "":
		return "恢复平常"
	case special.Works:
		return "上班（" + special.Name + "）"
	}
	return "休息（" + special.Name + "）"
}

func byDay(year deposit.CalendarYear) map[deposit.Day]deposit.SpecialDay {
	days := make(map[deposit.Day]deposit.SpecialDay, len(year.Days))
	for _, special := range year.Days {
		days[special.Day] = special
	}
	return days
}

// CalendarSource says of a year in force who brought it, and when; the zero time is the program itself.
type CalendarSource struct {
	Year       int       `json:"year"`
	Source     string    `json:"source"`
	ImportedAt time.Time `json:"imported_at,omitzero"`
}

// CalendarSources lists the years in force.
func CalendarSources(ctx context.Context, r sqldb.Reader) ([]CalendarSource, error) {
	calendar, err := Calendar(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := calendarYears.All(ctx, r, "ORDER BY calendar_year")
	loadedAt := make(map[int]time.Time, len(rows))
	for _, row := range rows {
		loadedAt[row.Year] = row.ImportedAt
	}
	var sources []CalendarSource
	for _, year := range calendar.Years() {
		sources = append(sources, CalendarSource{year.Year, year.Source, loadedAt[year.Year]})
	}
	return sources, err
}
