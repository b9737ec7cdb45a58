// Package deposit is the vocabulary of bid deposits: money, days, names, refusals and state machines. It does no I/O and
// imports nothing of ours.
package deposit

import (
	"time"
)

// Shanghai is the one zone of the service: China has kept UTC+8 without summer time since 1992,
// so a fixed zone needs no time-zone database on the machine.
var Shanghai = time.FixedZone("CST", 8*60*60)

// Day is a business day, "2026-06-12". The bank's booking day is a field of its message, never the clock's day.
type Day string

// ParseDay reads "2026-06-12"; a day that does not exist is an Invalid error.
func ParseDay(s string) (Day, error) {
	if _, ok := plainDay(s); ok {
		return Day(s), nil
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", Refuse(Invalid, "day_malformed", "日期不存在或格式不对，应如 2026-06-12：", s)
	}
	return Day(s), nil
}

// DayOf is the Shanghai day of an instant.
func DayOf(t time.Time) Day { return Day(t.In(Shanghai).Format(time.DateOnly)) }

// Start is the first instant of the day in Shanghai.
func (d Day) Start() time.Time {
	t, _ := time.ParseInLocation(time.DateOnly, string(d), Shanghai)
	return t
}

// Add counts calendar days.
func (d Day) Add(days int) Day { return DayOf(d.Start().AddDate(0, 0, days)) }

// DaysTo counts the calendar days from the day to a later one; to an earlier one they are negative.
func (d Day) DaysTo(later Day) int { return int(later.Start().Sub(d.Start()) / (24 * time.Hour)) }

// UnmarshalText refuses what ParseDay refuses.
func (d *Day) UnmarshalText(b []byte) error {
	day, err := ParseDay(string(b))
	if err != nil {
		return err
	}
	*d = day
	return nil
}

// WallTime is the layout of an instant for people and in files: Shanghai wall time, "2026-06-12 09:00:00".
const WallTime = time.DateTime

// ParseWall reads Shanghai wall time, "2026-06-12 09:00:00".
func ParseWall(s string) (time.Time, error) {
	if t, ok := plainWall(s); ok {
		return t, nil
	}
	t, err := time.ParseInLocation(WallTime, s, Shanghai)
	if err != nil {
		return time.Time{}, Refuse(Invalid, "time_malformed", "时间不存在或格式不对，应如 2026-06-12 09:00:00：", s)
	}
	return t, nil
}

// Wall prints Shanghai wall time; the zero time is "".
func Wall(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(Shanghai).Format(WallTime)
}
