package deposit_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"depositd/platform/deposit"
)

// published is the calendar that the program carries.
func published(t testing.TB) deposit.Calendar {
	t.Helper()
	text, err := os.ReadFile("../cn-workdays.json")
	if err != nil {
		t.Fatal(err)
	}
	calendar, err := deposit.ParseCalendar(text)
	if err != nil {
		t.Fatal(err)
	}
	return calendar
}

const provisional = true

// last is the last day of a limit.
type last struct {
	day         deposit.Day
	provisional bool
}

func limit(day deposit.Day, provisional bool) last { return last{day, provisional} }

// The event's day is not counted (民法典 §201); a calendar limit that ends on a rest day moves on (§203).
func TestLimits(t *testing.T) {
	calendar := published(t)
	on := func(day deposit.Day) last { return last{day, !provisional} }
	for _, test := range []struct {
		why                      string
		event                    deposit.Day
		workdays3, workdays5, d5 last
	}{
		{"the rest was extended to 2 February", "2020-01-21", on("2020-02-03"), on("2020-02-05"), on("2020-02-03")},
		{"a Sunday that is a make-up workday", "2020-06-23", on("2020-06-29"), on("2020-07-01"), on("2020-06-28")},
		{"a week of rest", "2020-09-30", on("2020-10-12"), on("2020-10-14"), on("2020-10-09")},
		{"an event on a working Sunday, a limit on a working Saturday", "2025-09-28", on("2025-10-09"), on("2025-10-11"), on("2025-10-09")},
		{"Spring Festival", "2026-02-13", on("2026-02-25"), on("2026-02-27"), on("2026-02-24")},
		{"Mid-Autumn, then National Day", "2026-09-24", on("2026-09-30"), on("2026-10-09"), on("2026-09-29")},
		{"National Day, a working Saturday", "2026-09-30", on("2026-10-10"), on("2026-10-13"), on("2026-10-08")},
		{"an ordinary week", "2026-06-08", on("2026-06-11"), on("2026-06-15"), on("2026-06-15")},
		{"the next year is not published", "2026-12-29", last{"2027-01-01", provisional}, last{"2027-01-05", provisional}, last{"2027-01-04", provisional}},
		{"nor may the last days of this one stay", "2026-12-24", last{"2026-12-29", provisional}, last{"2026-12-31", provisional}, last{"2026-12-29", provisional}},
		{"the day before them is sure", "2026-12-23", on("2026-12-28"), last{"2026-12-30", provisional}, on("2026-12-28")},
		{"a notice moved the last days of the year before", "2018-12-26", on("2018-12-29"), on("2019-01-03"), on("2019-01-02")},
		{"before the first known year", "2017-12-26", last{"2017-12-29", provisional}, last{"2018-01-03", provisional}, last{"2018-01-02", provisional}},
	} {
		for what, got := range map[string][2]last{
			"3 workdays":      {limit(calendar.AddWorkdays(test.event, 3)), test.workdays3},
			"5 workdays":      {limit(calendar.AddWorkdays(test.event, 5)), test.workdays5},
			"5 calendar days": {limit(calendar.AddDays(test.event, 5)), test.d5},
		} {
			if got[0] != got[1] {
				t.Errorf("%s: %s after %s is %v, want %v", test.why, what, test.event, got[0], got[1])
			}
		}
	}
}

// What the counting rests on can fail: without the calendar's special days, or with the event's day counted, vectors differ.
func TestLimitsNeedTheCalendar(t *testing.T) {
	calendar, week := published(t), deposit.Calendar{}
	differ := 0
	for _, event := range []deposit.Day{"2020-01-21", "2020-06-23", "2020-09-30", "2025-09-28", "2026-02-13", "2026-09-24", "2026-09-30"} {
		if naive, sure := week.AddWorkdays(event, 5); !sure {
			t.Errorf("a calendar that knows no year is sure of %s", naive)
		} else if right, _ := calendar.AddWorkdays(event, 5); right != naive {
			differ++
		}
		counted, _ := calendar.AddWorkdays(event.Add(-1), 5)
		if right, _ := calendar.AddWorkdays(event, 5); right == counted {
			t.Errorf("counting the %s itself makes no difference", event)
		}
	}
	if differ != 7 {
		t.Errorf("the week alone is wrong on %d of 7", differ)
	}
}

func TestWorks(t *testing.T) {
	calendar := published(t)
	for day, want := range map[deposit.Day][2]bool{
		"2026-01-01": {false, true}, "2026-01-04": {true, true}, "2026-06-12": {true, true}, "2026-06-13": {false, true},
		"2026-12-28": {true, true}, "2026-12-29": {true, false}, "2027-01-01": {true, false}, "2027-01-02": {false, false},
		"2018-12-29": {true, true}, "2018-12-31": {false, true}, "2017-12-28": {true, false}, "2025-12-31": {true, true},
	} {
		if works, known := calendar.Works(day); works != want[0] || known != want[1] {
			t.Errorf("%s: works %v, known %v; want %v", day, works, known, want)
		}
	}
}

// A year replaces its former self as a whole; the others stay.
func TestCalendarWith(t *testing.T) {
	before := published(t)
	after := before.With(deposit.CalendarYear{Year: 2026, Days: []deposit.SpecialDay{{Day: "2026-06-12", Name: "试"}}},
		deposit.CalendarYear{Year: 2027, Days: []deposit.SpecialDay{{Day: "2027-01-01", Name: "元旦"}}})
	for day, want := range map[deposit.Day]bool{"2026-06-12": false, "2026-01-01": true, "2025-10-01": false, "2027-01-01": false, "2026-12-31": true} {
		if works, known := after.Works(day); works != want || !known {
			t.Errorf("%s: works %v, known %v", day, works, known)
		}
	}
	if works, _ := before.Works("2026-06-12"); !works || len(before.Years()) != 9 || len(after.Years()) != 10 {
		t.Errorf("the calendar it was made from has changed, or years are lost: %d, %d", len(before.Years()), len(after.Years()))
	}
	if got, sure := after.AddWorkdays("2026-12-29", 3); got != "2027-01-04" || sure {
		t.Errorf("with 2027 published: %s, %v", got, sure)
	}
}

func TestParseCalendarComplains(t *testing.T) {
	year := func(days string) string {
		return `{"years": {"2026": {"holidays": {"2026-01-01": "元旦"` + days + `}}}}`
	}
	for _, test := range []struct{ text, want string }{
		{"", "第 1 行：不是有效的 JSON"},
		{"{", "不是有效的 JSON"},
		{"[]", "文件 应为对象"},
		{`{"years": {}}`, "没有任何年份"},
		{`{"years": {"2026": {"makeup_workdays": {"2026-01-04": "元旦"}}}}`, "2026 年没有任何节假日"},
		{`{"timezone": "UTC", ` + year("")[1:], "timezone 只支持 Asia/Shanghai"},
		{`{"zone": {"a": [1]}, ` + year("")[1:], "没有名为“zone”的键"},
		{`{"years": {"26": {}}}`, "年份应在 2000 至 2100 之间：26"},
		{`{"years": {"2026": []}}`, "2026 应为对象"},
		{`{"years": {"2026": {"rest": {}, "holidays": {"2026-01-01": "元旦"}}}}`, "没有名为“rest”的键"},
		{year(`, "2025-01-01": "元旦"`), "2025-01-01 不在 2026 年"},
		{year(`, "2026-02-30": "春节"`), "日期不存在"},
		{year(`, "2026-01-01": "元旦"`), "2026-01-01 写了两次"},
		{year(`, "2026-01-02": 3`), "应为最多 40 个字符的文字"},
		{year(`, "2026-01-02": ["元旦"]`), "应为文字"},
		{year(`}, "makeup_workdays": {"2026-01-01": "元旦"`), "既是节假日又是调休上班日"},
		{year(`}, "makeup_workdays": {"2026-01-05": "元旦"`), "不是周六或周日"},
		{year("") + "{}", "结尾有多余内容"},
		{"{\n\"years\": {\n\"2026\": {\"holidays\": {\"2026-01-01\": \"元旦\",\n\"2026-13-01\": \"x\",\n\"2027-01-01\": \"元旦\"}}}}", "有 2 处错误：\n第 4 行：日期不存在或格式不对，应如 2026-06-12：2026-13-01\n第 5 行：2027-01-01 不在 2026 年"},
	} {
		_, err := deposit.ParseCalendar([]byte(test.text))
		if codeOf(err) != "calendar_invalid" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\n is answered %v, want %s", test.text, err, test.want)
		}
	}
	if _, err := deposit.ParseCalendar([]byte("\uFEFF" + year(""))); err != nil {
		t.Errorf("a file as an editor saves it: %v", err)
	}
}

// A longer limit never ends sooner, a limit ends on a working day, and between its ends there are n working days.
func TestLimitsAreMonotone(t *testing.T) {
	calendar := published(t)
	rapid.Check(t, func(t *rapid.T) {
		event := deposit.Day("2018-01-01").Add(rapid.IntRange(0, 9*365+30).Draw(t, "event"))
		n := rapid.IntRange(1, 40).Draw(t, "n")
		day, sure := calendar.AddWorkdays(event, n)
		shorter, _ := calendar.AddWorkdays(event, n-1)
		later, _ := calendar.AddWorkdays(event.Add(1), n)
		calendarDay, _ := calendar.AddDays(event, n)
		next, _ := calendar.AddDays(event, n+1)
		works, known := calendar.Works(day)
		if !works || day <= shorter || later < day || next < calendarDay || calendarDay > day || !known && !sure {
			t.Fatalf("%s + %d: %s, one less %s, one day later %s; by calendar days %s, one more %s", event, n, day, shorter, later, calendarDay, next)
		}
		between := 0
		for d := event.Add(1); d <= day; d = d.Add(1) {
			if works, _ := calendar.Works(d); works {
				between++
			}
		}
		if between != n {
			t.Fatalf("%s to %s are %d working days, not %d", event, day, between, n)
		}
	})
}

// Reading what is no calendar never fails otherwise than by saying so.
func FuzzParseCalendar(f *testing.F) {
	f.Add([]byte(`{"source": "s", "years": {"2026": {"holidays": {"2026-01-01": "元旦"}, "makeup_workdays": {"2026-01-04": "元旦"}}}}`))
	f.Add([]byte(`{"years": {"2026": {"holidays": {"2026-01-01": null}, "x": [{}]}}} 1`))
	f.Fuzz(func(t *testing.T, text []byte) {
		calendar, err := deposit.ParseCalendar(text)
		if err != nil {
			if codeOf(err) != "calendar_invalid" {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		years := calendar.Years()
		if again := deposit.NewCalendar(years...).Years(); len(years) == 0 || !slices.EqualFunc(years, again, func(a, b deposit.CalendarYear) bool {
			return a.Year == b.Year && slices.Equal(a.Days, b.Days)
		}) {
			t.Errorf("%v is not %v", years, again)
		}
	})
}
