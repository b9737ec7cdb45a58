package deposit

import "time"

// day is a date before anybody has asked in which zone.
type day struct{ year, month, day int }

// plainDay reads the form nearly every day has, "2026-06-12", without package time. It says no to whatever is not that
// form or no day; ParseDay then decides and explains.
func plainDay(s string) (d day, ok bool) {
	if len(s) != len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return d, false
	}
	century, a := twoDigits(s, 0)
	year, b := twoDigits(s, 2)
	month, c := twoDigits(s, 5)
	date, e := twoDigits(s, 8)
	d = day{century*100 + year, month, date}
	return d, a && b && c && e && month >= 1 && month <= 12 && date >= 1 && date <= daysIn(d.year, month)
}

// plainWall reads "2026-06-12 09:00:00" like plainDay.
func plainWall(s string) (t time.Time, ok bool) {
	if len(s) != len(WallTime) || s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	d, ok := plainDay(s[:10])
	hour, a := twoDigits(s, 11)
	minute, b := twoDigits(s, 14)
	second, c := twoDigits(s, 17)
	if !ok || !a || !b || !c || hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	return time.Date(d.year, time.Month(d.month), d.day, hour, minute, second, 0, Shanghai), true
}

func twoDigits[T string | []byte](s T, at int) (n int, ok bool) {
	a, b := s[at]-'0', s[at+1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// PlainClock reads "09:00:00" into seconds since midnight.
func PlainClock(b []byte) (seconds int64, ok bool) {
	if len(b) != len(time.TimeOnly) || b[2] != ':' || b[5] != ':' {
		return 0, false
	}
	hour, h := twoDigits(b, 0)
	minute, m := twoDigits(b, 3)
	second, s := twoDigits(b, 6)
	return int64(hour*3600 + minute*60 + second), h && m && s && hour <= 23 && minute <= 59 && second <= 59
}
