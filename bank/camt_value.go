package bank

import (
	"cmp"
	"strings"
	"time"

	"depositd/platform/deposit"
)

// camtDate is a day, and the instant where the bank tells one.
type camtDate struct {
	Day  deposit.Day
	Time time.Time // zero where it tells the day only
}

// newCamtDate reads a Dt or DtTm. An instant with an offset counts as that instant, one without as Shanghai wall time; an
// offset behind a mere day is dropped. No element is no date and no error.
func newCamtDate(e *camtNode) (camtDate, error) {
	if e == nil {
		return camtDate{}, nil
	}
	return parseCamtDate(cmp.Or(e.say("DtTm"), e.say("Dt"), e.say()))
}

func parseCamtDate(s string) (camtDate, error) {
	if len(s) <= len(time.DateOnly) || s[len(time.DateOnly)] != 'T' {
		day, err := deposit.ParseDay(s[:min(len(s), len(time.DateOnly))])
		return camtDate{Day: day}, err
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.ParseInLocation("2006-01-02T15:04:05", s, deposit.Shanghai)
	}
	if err != nil {
		return camtDate{}, deposit.Refuse(deposit.Invalid, "time_malformed", "时间不存在或格式不对，应如 2026-06-12T09:00:00+08:00：", s)
	}
	t = t.In(deposit.Shanghai).Truncate(time.Second)
	return camtDate{deposit.DayOf(t), t}, nil
}

// camtAmount reads an amount of money: none below zero, none above what one payment may have; zero occurs.
func camtAmount(e *camtNode) (deposit.Fen, error) {
	fen, err := camtFen(e.say())
	if err == nil && fen != 0 {
		return deposit.ParseYuan(fen.String())
	}
	return fen, err
}

// camtFen reads a sum of any sign. ISO 20022 allows five decimals, and banks fill them with zeros.
func camtFen(s string) (deposit.Fen, error) {
	if point := strings.IndexByte(s, '.'); point >= 0 && len(s) > point+3 {
		s = s[:point+3] + strings.TrimRight(s[point+3:], "0")
	}
	return deposit.ParseBalance(s)
}

func (e *camtNode) ccy() string {
	if e == nil {
		return ""
	}
	return e.currency
}

// squeeze makes one line of a text that was broken into several.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// camtPeriod is the day that FrToDt ends on. An end at midnight, after an earlier start, is the end of the day before.
func camtPeriod(e *camtNode) camtDate {
	from, _ := parseCamtDate(cmp.Or(e.say("FrDtTm"), e.say("FrDt")))
	to, err := parseCamtDate(cmp.Or(e.say("ToDtTm"), e.say("ToDt")))
	if err == nil && !to.Time.IsZero() && to.Time.Equal(to.Day.Start()) && from.Time.Before(to.Time) {
		return camtDate{Day: to.Day.Add(-1)}
	}
	return to
}

// camtBalance is one balance of a statement's head.
type camtBalance struct {
	Code, Currency string
	Amount         deposit.Fen // debit balances below zero
	Date           camtDate
	Written        string // the date as written
}

// balance reads a balance. Without CdtDbtInd, which occurs, it is a credit balance, and the amount's own sign holds.
func (s *camtStatement) balance(e *camtNode) {
	amount, err := camtFen(e.say("Amt"))
	if err != nil {
		s.fault(e, "Amt", err)
		return
	}
	if camtDirection(e) == Debit {
		amount = -amount
	}
	date, err := newCamtDate(e.at("Dt"))
	if err != nil {
		s.fault(e, "Dt", err)
	}
	code := cmp.Or(e.say("Tp", "CdOrPrtry", "Cd"), e.say("Tp", "CdOrPrtry", "Prtry"), e.say("Tp", "Cd"))
	s.Balances = append(s.Balances, camtBalance{code, e.at("Amt").ccy(), amount, date, cmp.Or(e.say("Dt", "Dt"), e.say("Dt", "DtTm"))})
}

// opening is the balance before the first entry: OPBD, else the closing of the period before, else what is available. Of
// an intraday report with none of them the first of several interim balances; nil where the file does not say.
func (s *camtStatement) opening() *camtBalance {
	if b := s.balanceOf("OPBD", "PRCD", "OPAV"); b != nil {
		return b[0]
	}
	if b := s.balanceOf("ITBD"); len(b) > 1 {
		return b[0]
	}
	return nil
}

// closing is the balance after the last entry: CLBD, else what is available. An intraday report ends at its last interim
// balance; but a single one, with no opening, is neither.
func (s *camtStatement) closing() *camtBalance {
	if b := s.balanceOf("CLBD", "CLAV"); b != nil {
		return b[len(b)-1]
	}
	if b := s.balanceOf("ITBD"); len(b) > 0 && s.opening() != nil {
		return b[len(b)-1]
	}
	return nil
}

// balanceOf gives the balances of the first code that has any: those in the account's currency where there are such.
func (s *camtStatement) balanceOf(codes ...string) []*camtBalance {
	for _, code := range codes {
		var own, all []*camtBalance
		for i := range s.Balances {
			b := &s.Balances[i]
			if b.Code != code {
				continue
			}
			if all = append(all, b); b.Currency == s.Currency {
				own = append(own, b)
			}
		}
		if len(own) > 0 {
			return own
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}
