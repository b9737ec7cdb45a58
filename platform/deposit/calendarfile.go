package deposit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The years that a calendar may have. The tendering law is of 2000.
const (
	firstCalendarYear = 2000
	lastCalendarYear  = 2100
)

// ParseCalendar reads a calendar's file:
//
//	{"source": "…", "timezone": "Asia/Shanghai", "years": {"2026": {"holidays": {"2026-01-01": "元旦"}, "makeup_workdays": {"2026-01-04": "元旦"}}}}
//
// The error is one Invalid Refusal, calendar_invalid, whose text lists everything that is wrong, with its line. What is
// not JSON ends the list. A year has to have a holiday: a year without one has no notice yet and must not look as if it had.
func ParseCalendar(text []byte) (Calendar, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	r := &calendarReader{text: text, in: json.NewDecoder(bytes.NewReader(text))}
	if err := r.file(); err != nil && !errors.Is(err, errCannotGoOn) {
		r.complain("不是有效的 JSON：", err)
	}
	if len(r.years) == 0 && len(r.wrong) == 0 {
		r.complain("没有任何年份，years 中至少应有一年")
	}
	if len(r.wrong) > 0 {
		return Calendar{}, Refuse(Invalid, "calendar_invalid", "工作日历有 ", len(r.wrong), " 处错误：\n", strings.Join(r.wrong, "\n"))
	}
	for i := range r.years {
		r.years[i].Source = r.source
	}
	return NewCalendar(r.years...), nil
}

// errCannotGoOn ends the reading after a complaint.
var errCannotGoOn = errors.New("cannot go on")

// calendarReader walks the file token by token, so that each complaint knows its line and no key is overlooked.
type calendarReader struct {
	text   []byte
	in     *json.Decoder
	source string
	years  []CalendarYear
	wrong  []string
}

func (r *calendarReader) complain(text ...any) {
	line := 1 + bytes.Count(r.text[:r.in.InputOffset()], []byte("\n"))
	r.wrong = append(r.wrong, fmt.Sprintf("第 %d 行：%s", line, fmt.Sprint(text...)))
}

func (r *calendarReader) file() error {
	err := r.object("文件", func(key string) (err error) {
		switch key {
		case "source":
			r.source, err = r.string(key, 200)
		case "timezone":
			var zone string
			if zone, err = r.string(key, 40); err == nil && zone != "Asia/Shanghai" {
				r.complain("timezone 只支持 Asia/Shanghai：", zone)
			}
		case "years":
			err = r.object(key, r.year)
		default:
			err = r.unknown(key, "source、timezone、years")
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := r.in.Token(); !errors.Is(err, io.EOF) {
		r.complain("结尾有多余内容")
	}
	return nil
}

func (r *calendarReader) year(key string) error {
	year, err := strconv.Atoi(key)
	if err != nil || len(key) != 4 || year < firstCalendarYear || year > lastCalendarYear {
		r.complain("年份应在 ", firstCalendarYear, " 至 ", lastCalendarYear, " 之间：", key)
		return r.skip()
	}
	y := CalendarYear{Year: year}
	err = r.object(key, func(list string) error {
		switch list {
		case "holidays":
			return r.days(list, &y, false)
		case "makeup_workdays":
			return r.days(list, &y, true)
		}
		return r.unknown(list, "holidays、makeup_workdays")
	})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(y.Days, func(s SpecialDay) bool { return !s.Works }) {
		r.complain(key, " 年没有任何节假日；尚未公布安排的年份请不要写入")
	}
	slices.SortFunc(y.Days, func(a, b SpecialDay) int { return strings.Compare(string(a.Day), string(b.Day)) })
	r.years = append(r.years, y)
	return nil
}

// days reads one list of a year. Saturdays and Sundays may be holidays; only they can be make-up working days.
func (r *calendarReader) days(list string, y *CalendarYear, works bool) error {
	return r.object(list, func(key string) error {
		name, err := r.string(key, 40)
		if err != nil {
			return err
		}
		day, err := ParseDay(key)
		switch weekday := day.Start().Weekday(); {
		case err != nil:
			r.complain("日期不存在或格式不对，应如 2026-06-12：", key)
		case day.Start().Year() != y.Year:
			r.complain(key, " 不在 ", y.Year, " 年")
		case slices.ContainsFunc(y.Days, func(s SpecialDay) bool { return s.Day == day }):
			r.complain(key, " 既是节假日又是调休上班日")
		case works && weekday != time.Saturday && weekday != time.Sunday:
			r.complain(key, " 不是周六或周日，不能是调休上班日")
		default:
			y.Days = append(y.Days, SpecialDay{day, works, name})
		}
		return nil
	})
}

// object reads an object; each reads the value of a key.
func (r *calendarReader) object(what string, each func(key string) error) error {
	opening, err := r.in.Token()
	if err != nil {
		return err
	}
	if opening != json.Delim('{') {
		r.complain(what, " 应为对象 {…}")
		return errCannotGoOn
	}
	seen := map[string]bool{}
	for r.in.More() {
		key, err := r.in.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // of an object, keys are strings
		if seen[name] {
			r.complain(name, " 写了两次")
		}
		seen[name] = true
		if err := each(name); err != nil {
			return err
		}
	}
	_, err = r.in.Token()
	return err
}

func (r *calendarReader) string(key string, most int) (string, error) {
	value, err := r.in.Token()
	if err != nil {
		return "", err
	}
	text, ok := value.(string)
	if _, opens := value.(json.Delim); opens {
		r.complain(key, " 应为文字")
		return "", errCannotGoOn
	}
	if !ok || len([]rune(text)) > most {
		r.complain(key, " 应为最多 ", most, " 个字符的文字")
	}
	return strings.TrimSpace(text), nil
}

// unknown complains of a key and reads over its value.
func (r *calendarReader) unknown(key, known string) error {
	r.complain("没有名为“", key, "”的键；可用：", known)
	return r.skip()
}

func (r *calendarReader) skip() error {
	var skipped json.RawMessage
	return r.in.Decode(&skipped)
}
