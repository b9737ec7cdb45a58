package sheet

import (
	"math/big"
	"regexp"
	"strings"
	"time"

	"depositd/platform/deposit"
)

var grouped = regexp.MustCompile(`^[0-9]{1,3}([,，][0-9]{3})+(\.[0-9]+)?$`)

// readMoney reads yuan as people write them: 800000, 800,000.00, ¥800,000.00元. A number of the file is what the spreadsheet
// shows of it: fifteen digits.
func readMoney(text string, numeric bool) (yuan, code, complaint string) {
	if numeric {
		text = shown(text)
	}
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimLeft(text, "¥￥ "), "元"))
	if grouped.MatchString(text) {
		text = strings.NewReplacer(",", "", "，", "").Replace(text)
	}
	fen, err := deposit.ParseYuan(text)
	if err != nil {
		refusal := deposit.AsRefusal(err)
		return "", refusal.Code, clip(refusal.Text)
	}
	return fen.String(), "", ""
}

// digitsShown is how many significant digits a spreadsheet keeps of a number; what follows them in the file is the noise of
// binary arithmetic (0.1 + 0.2 is written 0.30000000000000004).
const digitsShown = 15

var plainDecimal = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?$`)

// shown is a number as the spreadsheet shows it; exact, and by no float.
func shown(text string) string {
	parts := plainDecimal.FindStringSubmatch(text)
	if parts == nil {
		return text
	}
	whole := len(strings.TrimLeft(parts[2], "0"))
	if whole+len(parts[3]) <= digitsShown || whole > digitsShown {
		return text
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return strings.TrimSuffix(strings.TrimRight(exact.FloatString(digitsShown-whole), "0"), ".")
}

// dayForms are how people write a day; the Chinese one and blanks are undone before.
var dayForms = []string{"2006-1-2", "2006/1/2", "2006.1.2", "20060102"}

var chineseDay = strings.NewReplacer("年", "-", "月", "-", "日", "")

// readDay reads a day, written in any of the usual ways or kept by the spreadsheet as a number. A time behind it is left out.
func readDay(from source, text string, numeric bool) (day, code, complaint string) {
	if numeric {
		if d, ok := from.day(text); ok {
			return string(d), "", ""
		}
	}
	written, _, _ := strings.Cut(chineseDay.Replace(text), " ")
	for _, form := range dayForms {
		if at, err := time.Parse(form, written); err == nil && at.Year() >= 2000 && at.Year() < 3000 {
			return at.Format(time.DateOnly), "", ""
		}
	}
	return "", "day_malformed", "日期不存在或格式不对，应如 2026-06-12：" + clip(text)
}
