package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// form is one JSON object whose fields are asked for one by one. Whatever is wrong is remembered with its place; after
// the last field, done reports fields that nobody asked for.
type form struct {
	at     string // RFC 6901 pointer of the object; "" is the body itself
	fields map[string]any
	asked  []string
	wrong  *complaints
}

func (f *form) fault(shape bool, name, code, detail string) {
	f.wrong.add(shape, Fault{Pointer: f.at + "/" + escapePointer.Replace(name), Code: code, Detail: detail})
}

// take gives a field's value; absent and null are the same.
func (f *form) take(name string) (any, bool) {
	f.asked = append(f.asked, name)
	value := f.fields[name]
	return value, value != nil
}

// text is a field that must be there and not be empty, of at most so many characters.
func (f *form) text(name string, most int) string {
	value, ok := f.take(name)
	if !ok || value == "" {
		f.fault(true, name, "field_missing", "缺少必填项："+name)
		return ""
	}
	return f.textOf(name, value, most)
}

// textIf is text that may be absent.
func (f *form) textIf(name string, most int) string {
	value, ok := f.take(name)
	if !ok {
		return ""
	}
	return f.textOf(name, value, most)
}

func (f *form) textOf(name string, value any, most int) string {
	text, ok := value.(string)
	if !ok {
		f.fault(true, name, "field_type", name+" 应为字符串")
		return ""
	}
	if utf8.RuneCountInString(text) > most {
		f.fault(false, name, "text_too_long", name+" 最多 "+strconv.Itoa(most)+" 个字符")
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			f.fault(false, name, "text_control", name+" 含有换行等控制字符")
			break
		}
	}
	return text
}

// yuan is an amount that must be there, a string such as "800000.00".
func (f *form) yuan(name string) deposit.Fen {
	value, ok := f.take(name)
	if !ok {
		f.fault(true, name, "field_missing", "缺少必填项："+name)
		return 0
	}
	text, ok := value.(string)
	if !ok { // a JSON number may have been a float on its way
		f.fault(true, name, "field_type", `金额应为字符串，如 "800000.00"`)
		return 0
	}
	fen, err := deposit.ParseYuan(text)
	if err != nil {
		refusal := deposit.AsRefusal(err)
		f.fault(false, name, refusal.Code, refusal.Text)
	}
	return fen
}

// balance is a sum that must be there, of any sign: "-912.00".
func (f *form) balance(name string) deposit.Fen {
	text := f.text(name, mostNumber)
	if text == "" {
		return 0
	}
	fen, err := deposit.ParseBalance(text)
	if err != nil {
		refusal := deposit.AsRefusal(err)
		f.fault(false, name, refusal.Code, refusal.Text)
	}
	return fen
}

// The years in which an instant of this service can lie. What is before or after is a mistyped year.
const firstYear, lastYear = 2000, 2999

// instant is a time that must be there: RFC 3339 with any offset.
func (f *form) instant(name string) time.Time {
	value, ok := f.take(name)
	if !ok {
		f.fault(true, name, "field_missing", "缺少必填项："+name)
		return time.Time{}
	}
	return f.instantOf(name, value)
}

// instantIf is instant that may be absent.
func (f *form) instantIf(name string) time.Time {
	value, ok := f.take(name)
	if !ok {
		return time.Time{}
	}
	return f.instantOf(name, value)
}

func (f *form) instantOf(name string, value any) time.Time {
	text, ok := value.(string)
	if !ok {
		f.fault(true, name, "field_type", name+" 应为字符串，如 2026-06-12T09:00:00+08:00")
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	switch year := t.In(deposit.Shanghai).Year(); {
	case err != nil:
		f.fault(false, name, "time_malformed", "时间不存在或格式不对，应如 2026-06-12T09:00:00+08:00："+name)
	case year < firstYear || year > lastYear:
		f.fault(false, name, "time_out_of_range", "年份不在 2000 至 2999 之间："+name)
	default:
		return t.In(deposit.Shanghai).Truncate(time.Millisecond) // what the schema keeps
	}
	return time.Time{}
}

// flag is a boolean, false when absent.
func (f *form) flag(name string) bool {
	value, ok := f.take(name)
	if !ok {
		return false
	}
	flag, ok := value.(bool)
	if !ok {
		f.fault(true, name, "field_type", name+" 应为 true 或 false")
	}
	return flag
}

// number is a whole number that must be there.
func (f *form) number(name string) int64 {
	value, ok := f.take(name)
	if !ok {
		f.fault(true, name, "field_missing", "缺少必填项："+name)
		return 0
	}
	digits, _ := value.(json.Number)
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		f.fault(true, name, "field_type", name+" 应为整数")
	}
	return n
}

// list is the objects of a field, none when it is absent.
func (f *form) list(name string) []*form {
	value, ok := f.take(name)
	if !ok {
		return nil
	}
	values, ok := value.([]any)
	if !ok {
		f.fault(true, name, "field_type", name+" 应为数组")
		return nil
	}
	forms := make([]*form, 0, len(values))
	for i, value := range values {
		at := f.at + "/" + escapePointer.Replace(name) + "/" + strconv.Itoa(i)
		fields, ok := value.(map[string]any)
		if !ok {
			f.wrong.add(true, Fault{Pointer: at, Code: "field_type", Detail: "应为 JSON 对象"})
			continue
		}
		forms = append(forms, &form{at: at, fields: fields, wrong: f.wrong})
	}
	return forms
}

// done reports the fields that nobody asked for: a misspelt optional field must not be lost silently.
func (f *form) done() {
	for _, name := range slices.Sorted(maps.Keys(f.fields)) {
		if !slices.Contains(f.asked, name) {
			f.fault(true, name, "field_unknown", "没有这个字段："+name)
		}
	}
}

// err is what is wrong with the whole body.
func (f *form) err() error { return f.wrong.err() }

// yuanIf is yuan that may be absent: 0.
func (f *form) yuanIf(name string) deposit.Fen {
	if f.fields[name] == nil {
		f.asked = append(f.asked, name)
		return 0
	}
	return f.yuan(name)
}

// dayIf is a day that may be absent.
func (f *form) dayIf(name string) deposit.Day {
	text := f.textIf(name, len("2026-06-12"))
	if text == "" {
		return ""
	}
	day, err := deposit.ParseDay(text)
	if err != nil {
		f.fault(false, name, "day_malformed", "日期不存在或格式不对，应如 2026-06-12："+name)
	}
	return day
}

// idIf is a key that may be absent.
func (f *form) idIf(name string) sqldb.ID { return f.idOf(name, f.textIf(name, mostNumber)) }

// id is a key that must be there.
func (f *form) id(name string) sqldb.ID { return f.idOf(name, f.text(name, mostNumber)) }

func (f *form) idOf(name, text string) sqldb.ID {
	id, err := sqldb.ParseID(text)
	if err != nil {
		f.fault(false, name, "id_malformed", name+" 应为 13 位小写字母和数字的编号")
	}
	return id
}

// ids is an array of keys, of which there has to be one at least.
func (f *form) ids(name string, most int) (all []sqldb.ID) {
	value, ok := f.take(name)
	values, isList := value.([]any)
	switch {
	case !ok || isList && len(values) == 0:
		f.fault(true, name, "field_missing", "缺少必填项："+name)
	case !isList:
		f.fault(true, name, "field_type", name+" 应为编号的数组")
	case len(values) > most:
		f.fault(false, name, "list_too_long", name+" 最多 "+strconv.Itoa(most)+" 项")
		return nil
	}
	for i, one := range values {
		text, isText := one.(string)
		id, err := sqldb.ParseID(text)
		if !isText || err != nil || id == 0 {
			f.wrong.add(false, Fault{Pointer: f.at + "/" + name + "/" + strconv.Itoa(i), Code: "id_malformed", Detail: "编号应为 13 位小写字母和数字"})
			continue
		}
		all = append(all, id)
	}
	return all
}

// act is a word that says what is to be done, of those that there are.
func (f *form) act(known []string) string {
	act := f.text("act", mostNumber)
	if act != "" && !slices.Contains(known, act) {
		f.fault(false, "act", "act_unknown", "没有这种操作；可用："+strings.Join(known, "、"))
	}
	return act
}
