package deposit

import (
	"slices"
	"time"
)

// SpecialDay is a day on which a notice departs from the week: a rest day (法定节假日) or a make-up working day (调休上班).
type SpecialDay struct {
	Day   Day    `json:"day"`
	Works bool   `json:"works"`
	Name  string `json:"name"` // of the holiday it belongs to, such as 春节
}

// CalendarYear is the State Council's notice for one year: its days that depart from the week, in their order.
type CalendarYear struct {
	Year   int          `json:"year"`
	Source string       `json:"source"` // where the data was taken from
	Days   []SpecialDay `json:"days"`
}

// Calendar says which days are working days: Monday to Friday, unless the year's notice says otherwise. Of a year without
// a published notice it knows nothing, and says so. The zero Calendar knows no year.
type Calendar struct {
	years map[int]CalendarYear
	works map[Day]bool // of the special days
}

// NewCalendar makes the calendar of the years; of two for one year the later one counts.
func NewCalendar(years ...CalendarYear) Calendar {
	c := Calendar{years: make(map[int]CalendarYear, len(years)), works: map[Day]bool{}}
	for _, y := range years {
		c.years[y.Year] = y
	}
	for _, y := range c.years {
		for _, special := range y.Days {
			c.works[special.Day] = special.Works
		}
	}
	return c
}

// With is the calendar with years replaced, each as a whole, or added.
func (c Calendar) With(years ...CalendarYear) Calendar {
	return NewCalendar(append(c.Years(), years...)...)
}

// Years lists the years that are known, in their order.
func (c Calendar) Years() []CalendarYear {
	all := make([]CalendarYear, 0, len(c.years))
	for _, y := range c.years {
		all = append(all, y)
	}
	slices.SortFunc(all, func(a, b CalendarYear) int { return a.Year - b.Year })
	return all
}

// Year is the notice of a year, if it is known.
func (c Calendar) Year(year int) (CalendarYear, bool) {
	y, ok := c.years[year]
	return y, ok
}

// Works reports whether a day is a working day. known is false where no notice is there that could say otherwise: the
// answer is then the week's, with weekends as rest days. A notice also moves the last days of the year before it, as that
// for 2019 made 2018-12-29 a working day and the two days after it rest days, so that these are known with the next year only.
func (c Calendar) Works(d Day) (works, known bool) {
	at := d.Start()
	_, known = c.years[at.Year()]
	if known && at.Month() == time.December && at.Day() >= movedByNext {
		_, known = c.years[at.Year()+1]
	}
	works, special := c.works[d]
	if !special {
		works = at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
	}
	return works, known
}

// movedByNext is the first day of December that the next year's notice has ever moved.
const movedByNext = 29

// AddWorkdays is the last day of a limit of n working days (个工作日) that starts with an event on a day: the event's day
// is not counted (民法典 §201). provisional says that a day on the way is not known; n of zero is the day itself.
func (c Calendar) AddWorkdays(d Day, n int) (last Day, provisional bool) {
	for n > 0 {
		d = d.Add(1)
		works, known := c.Works(d)
		provisional = provisional || !known
		if works {
			n--
		}
	}
	return d, provisional
}

// AddDays is the last day of a limit of n calendar days (日): the event's day is not counted (民法典 §201), and a last day
// that is a rest day moves to the next working day (§203). provisional says that it is not known whether it has to.
func (c Calendar) AddDays(d Day, n int) (last Day, provisional bool) {
	for last = d.Add(n); ; last = last.Add(1) {
		works, known := c.Works(last)
		provisional = provisional || !known
		if works {
			return last, provisional
		}
	}
}
