package bank

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"depositd/platform/deposit"
)

// validEntry is an entry with which nothing is wrong, changed as a test likes.
func validEntry(change func(*Entry)) Entry {
	e := Entry{Bank: "ccb", ParentAccount: "6550100000000000017", BookingDate: "2026-06-12", Serial: "JP260612000042", Direction: Credit, Amount: 800000_00,
		BookedAt: time.Date(2026, 6, 12, 9, 29, 58, 0, deposit.Shanghai)}
	if change != nil {
		change(&e)
	}
	return e
}

func TestCheck(t *testing.T) {
	long := func(n int) string { return strings.Repeat("建", n) }
	for name, c := range map[string]struct {
		change func(*Entry)
		code   string // "" when nothing is wrong
	}{
		"the least":                       {nil, ""},
		"no bank":                         {func(e *Entry) { e.Bank = "" }, "bank_missing"},
		"no parent account":               {func(e *Entry) { e.ParentAccount = "" }, "parent_account_missing"},
		"no serial":                       {func(e *Entry) { e.Serial = "" }, "serial_missing"},
		"a serial with a blank":           {func(e *Entry) { e.Serial = "1 2" }, "serial_malformed"},
		"a serial with a line's end":      {func(e *Entry) { e.Serial = "1\n2" }, "serial_malformed"},
		"a serial with a lost character":  {func(e *Entry) { e.Serial = "1\uFFFD" }, "serial_charset"},
		"bytes that are no text":          {func(e *Entry) { e.PayerName = "\xb1\xb1" }, "payer_name_charset"},
		"a name with blanks":              {func(e *Entry) { e.PayerName = "Liaocheng Construction Co., Ltd." }, ""},
		"a name with a NUL":               {func(e *Entry) { e.PayerName = "甲\x00公司" }, "payer_name_malformed"},
		"a name of 200 Han characters":    {func(e *Entry) { e.PayerName = long(200) }, ""},
		"a name of 201":                   {func(e *Entry) { e.PayerName = long(201) }, "payer_name_too_long"},
		"a bank code of 15":               {func(e *Entry) { e.PayerBankCode = "105471000012345" }, "payer_bank_code_too_long"},
		"a negative serial number":        {func(e *Entry) { e.SerialSeq = -1 }, "serial_seq_range"},
		"a serial number beyond INT":      {func(e *Entry) { e.SerialSeq = 1 << 31 }, "serial_seq_range"},
		"no direction":                    {func(e *Entry) { e.Direction = "" }, "direction_unknown"},
		"an unknown reversal":             {func(e *Entry) { e.Reversal = "X" }, "reversal_unknown"},
		"no amount":                       {func(e *Entry) { e.Amount = 0 }, "amount_zero"},
		"a negative amount":               {func(e *Entry) { e.Amount = -1 }, "amount_zero"},
		"a thousand million":              {func(e *Entry) { e.Amount = deposit.MaxFen }, ""},
		"a fen more":                      {func(e *Entry) { e.Amount = deposit.MaxFen + 1 }, "amount_too_large"},
		"no booking date":                 {func(e *Entry) { e.BookingDate = "" }, "booking_date_missing"},
		"a date that does not exist":      {func(e *Entry) { e.BookingDate = "2026-02-30" }, "booking_date_malformed"},
		"a date of the last century":      {func(e *Entry) { e.BookingDate = "1999-12-31" }, "booking_date_range"},
		"a date of the next":              {func(e *Entry) { e.BookingDate = "2100-01-01" }, "booking_date_range"},
		"no time":                         {func(e *Entry) { e.BookedAt = time.Time{} }, "booked_at_missing"},
		"the first second of 2000":        {func(e *Entry) { e.BookedAt = time.Date(2000, 1, 1, 0, 0, 0, 0, deposit.Shanghai) }, ""},
		"the second before":               {func(e *Entry) { e.BookedAt = time.Date(1999, 12, 31, 23, 59, 59, 0, deposit.Shanghai) }, "booked_at_range"},
		"the last second of 2099":         {func(e *Entry) { e.BookedAt = time.Date(2099, 12, 31, 23, 59, 59, 0, deposit.Shanghai) }, ""},
		"the second after":                {func(e *Entry) { e.BookedAt = time.Date(2100, 1, 1, 0, 0, 0, 0, deposit.Shanghai) }, "booked_at_range"},
		"a year that is none in Shanghai": {func(e *Entry) { e.BookedAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC) }, "booked_at_range"},
	} {
		e := validEntry(c.change)
		err := e.Check()
		if c.code == "" && err != nil || c.code != "" && (err == nil || deposit.AsRefusal(err).Code != c.code || !deposit.IsKind(err, deposit.Invalid)) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

// TestCheckKnowsTheSchema: what Check lets pass is what the columns hold, no more and no less.
func TestCheckKnowsTheSchema(t *testing.T) {
	schema, err := os.ReadFile("../migrations/00001_house.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(schema), "CREATE TABLE entries (")
	table, _, _ = strings.Cut(table, "$TABLE;")
	columns := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\s+(\w+)\s+VARCHAR\((\d+)\)`).FindAllStringSubmatch(table, -1) {
		columns[m[1]], _ = strconv.Atoi(m[2])
	}
	delete(columns, "direction") // closed sets, looked at one by one
	delete(columns, "reversal")
	for _, x := range texts {
		if columns[x.name] != x.most {
			t.Errorf("%s: Check lets %d characters pass, the column holds %d", x.name, x.most, columns[x.name])
		}
		delete(columns, x.name)
	}
	if len(columns) > 0 {
		t.Errorf("Check does not look at %v", columns)
	}
}

func TestAdmit(t *testing.T) {
	b := &Bank{Code: "ccb", ParentAccounts: []string{"6550100000000000017"}}
	e := validEntry(func(e *Entry) {
		e.Bank, e.ParentAccount, e.Serial = "", "", " JP1\t"
		e.PayerName, e.Remark = "　甲（集团）公司 ", strings.Repeat("\n备注", 300)
	})
	if err := b.admit(&e); err != nil {
		t.Fatal(err)
	}
	want := validEntry(func(e *Entry) {
		e.Serial, e.PayerName, e.PayerKey = "JP1", "甲（集团）公司", "甲集团公司"
		e.Remark = strings.TrimSpace(string([]rune(strings.TrimSpace(strings.Repeat(" 备注", 300)))[:400]))
	})
	if e != want {
		t.Errorf("admitted %+v,\nwant %+v", e, want)
	}
	two := &Bank{Code: "ccb", ParentAccounts: []string{"1", "2"}}
	if err := two.admit(&Entry{Serial: "1"}); deposit.AsRefusal(err).Code != "parent_account_missing" {
		t.Errorf("of two parent accounts one was chosen: %v", err)
	}
}

func TestCheckCurrency(t *testing.T) {
	for code, ok := range map[string]bool{"": true, "CNY": true, "cny": true, " RMB ": true, "156": true, "01": true, "USD": false, "EUR": false, "人民币元": false} {
		if err := CheckCurrency(code); (err == nil) != ok {
			t.Errorf("%q: %v", code, err)
		}
	}
}
