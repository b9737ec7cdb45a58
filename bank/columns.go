package bank

import (
	"slices"
	"strconv"
	"strings"

	"depositd/platform/deposit"
)

// unit is how a bank writes the amount of a payment.
type unit struct {
	want  string
	read  func(string) (deposit.Fen, error)
	write func(deposit.Fen) string
}

// The units. inYuan takes zeros beyond two decimals, strictYuan does not.
var (
	inYuan     = unit{"大于零、不超过十亿元、最多两位小数的金额（元），如 800000.00", yuan, deposit.Fen.String}
	strictYuan = unit{inYuan.want, deposit.ParseYuan, deposit.Fen.String}
	inFen      = unit{"大于零、不超过十亿元的整数金额（分），如 80000000", readFen, func(f deposit.Fen) string { return strconv.FormatInt(int64(f), 10) }}
)

func readFen(s string) (deposit.Fen, error) {
	if s == "" || len(s) > 15 || strings.Trim(s, "-0123456789") != "" {
		return 0, refuseValue("amount_malformed")
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, refuseValue("amount_malformed")
	}
	return deposit.ParseYuan(deposit.Fen(n).String())
}

// amount is the amount of a bank that writes none below zero.
func (u unit) amount() value[booking] {
	return value[booking]{Field: "amount", Want: u.want, Number: true,
		Read: func(k *booking, s string) (err error) {
			k.Amount, err = u.read(s)
			return err
		},
		Write: func(k *booking) string { return u.write(k.Amount) },
	}
}

// redAmount is the amount of a bank that books a 冲正 in red: below zero, on the side of the entry it takes back.
func (u unit) redAmount() value[booking] {
	return value[booking]{Field: "amount", Want: u.want + "，冲正为负", Number: true,
		Read: func(k *booking, s string) (err error) {
			s, k.red = strings.CutPrefix(s, "-")
			k.Amount, err = u.read(s)
			return err
		},
		Write: func(k *booking) string {
			if k.Reversal == Reverses {
				return "-" + u.write(k.Amount)
			}
			return u.write(k.Amount)
		},
	}
}

// sideIn says whether money came or went, in the bank's two words.
func sideIn(credit, debit string) value[booking] {
	return value[booking]{Field: "direction", Want: credit + "（贷，收入）或 " + debit + "（借，支出）",
		Read: func(k *booking, s string) error {
			switch s {
			case credit:
				k.Direction = Credit
			case debit:
				k.Direction = Debit
			default:
				return refuseValue("direction_unknown")
			}
			return nil
		},
		Write: func(k *booking) string {
			if k.Direction == Credit {
				return credit
			}
			return debit
		},
	}
}

// redSideIn is the side of a bank that books a 冲正 in red: the side of the entry taken back.
func redSideIn(credit, debit string) value[booking] {
	v := sideIn(credit, debit)
	black := v.Write
	v.Write = func(k *booking) string {
		if k.Reversal == Reverses {
			return black(&booking{Entry: Entry{Direction: k.Direction.opposite()}})
		}
		return black(k)
	}
	return v
}

// markIn is a column that marks a 冲正; the first of each list is written.
func markIn(plain, reversal []string) value[booking] {
	return value[booking]{Field: "reversal", Want: strings.Join(slices.Concat(plain, reversal), "、") + " 之一",
		Read: func(k *booking, s string) error {
			k.marked = slices.Contains(reversal, s)
			if !k.marked && !slices.Contains(plain, s) {
				return refuseValue("reversal_unknown")
			}
			return nil
		},
		Write: func(k *booking) string {
			if k.Reversal == Reverses {
				return reversal[0]
			}
			return plain[0]
		},
	}
}

// yuanOnly is the currency of an entry.
func yuanOnly(written string) value[booking] {
	return value[booking]{Field: "currency", Want: "人民币（" + written + "、CNY 或 RMB）",
		Read:  func(_ *booking, s string) error { return CheckCurrency(s) },
		Write: func(*booking) string { return written },
	}
}

// literal is a text that stands in every record, by which its kind is known.
func literal[T any](s string) value[T] {
	return value[T]{Want: s,
		Read: func(_ *T, got string) error {
			if got != s {
				return refuseValue("record_kind")
			}
			return nil
		},
		Write: func(*T) string { return s },
	}
}

// The values of headers.
var (
	headParent = value[heading]{Field: "parent_account", Want: "母账户账号",
		Read:  func(h *heading, s string) error { h.ParentAccount = s; return nil },
		Write: func(h *heading) string { return h.ParentAccount },
	}
	headDay = value[heading]{Field: "booking_date", Want: "存在的日期，如 20260612", Read: readStatementDay,
		Write: func(h *heading) string { return strings.ReplaceAll(string(h.Day), "-", "") },
	}
	headCurrency = value[heading]{Field: "currency", Want: "人民币（CNY）", Read: readCurrency,
		Write: func(h *heading) string { return h.Currency },
	}
	headOpening   = headSum(func(h *heading) **deposit.Fen { return &h.Opening })
	headClosing   = headSum(func(h *heading) **deposit.Fen { return &h.Closing })
	headCreditSum = headSum(func(h *heading) **deposit.Fen { return &h.Declared.CreditSum })
	headDebitSum  = headSum(func(h *heading) **deposit.Fen { return &h.Declared.DebitSum })
	headCredits   = headCount(func(h *heading) *int { return &h.Declared.Credits })
	headDebits    = headCount(func(h *heading) *int { return &h.Declared.Debits })
	headRecords   = value[heading]{Want: "明细条数", Number: true, Read: readRecords,
		Write: func(h *heading) string {
			if h.records < 0 {
				return ""
			}
			return strconv.Itoa(h.records)
		},
	}
	headPage = value[heading]{Want: "页码", Number: true, Write: func(*heading) string { return "1" },
		Read: func(_ *heading, s string) error { _, err := wholeNumber(s, 1); return err },
	}
)

func readStatementDay(h *heading, s string) (err error) {
	h.Day, err = dayIn(compactDay, s)
	if err == nil && (h.Day < firstBooking || h.Day > lastBooking) {
		return refuseValue("booking_date_range")
	}
	return err
}

func readRecords(h *heading, s string) (err error) {
	h.records, err = wholeNumber(s, -1)
	return err
}

func readCurrency(h *heading, s string) error {
	h.Currency = ""
	if s != "" {
		h.Currency = "CNY"
	}
	return CheckCurrency(s)
}

// The layouts of days and times without separators.
const (
	compactDay  = "20060102"
	compactTime = "20060102150405"
)

// headSum is a balance or a sum in yuan, of any sign; empty when not told.
func headSum(of func(*heading) **deposit.Fen) value[heading] {
	return value[heading]{Want: "金额（元），最多两位小数，可为空", Number: true,
		Read: func(h *heading, s string) error {
			*of(h) = nil
			if s == "" {
				return nil
			}
			fen, err := deposit.ParseBalance(s)
			*of(h) = &fen
			return err
		},
		Write: func(h *heading) string {
			if fen := *of(h); fen != nil {
				return fen.String()
			}
			return ""
		},
	}
}

// headCount is a number of records; empty when not told.
func headCount(of func(*heading) *int) value[heading] {
	return value[heading]{Want: "笔数，可为空", Number: true,
		Read: func(h *heading, s string) (err error) {
			*of(h), err = wholeNumber(s, -1)
			return err
		},
		Write: func(h *heading) string {
			if n := *of(h); n >= 0 {
				return strconv.Itoa(n)
			}
			return ""
		},
	}
}

// lastPage says whether more pages follow, in the bank's two words.
func lastPage(last, more string) value[heading] {
	return value[heading]{Want: last + " 或 " + more,
		Read: func(h *heading, s string) error {
			h.LastPage = s == last
			if s != last && s != more {
				return refuseValue("page_malformed")
			}
			return nil
		},
		Write: func(h *heading) string {
			if h.LastPage {
				return last
			}
			return more
		},
	}
}

// DeclaredBy is what a file with these entries truly declares: a reversal counts on the side to which it moves money.
func DeclaredBy(entries []Entry) Declared {
	d := Declared{Entries: len(entries), Sum: new(deposit.Fen), CreditSum: new(deposit.Fen), DebitSum: new(deposit.Fen)}
	for i := range entries {
		e := &entries[i]
		*d.Sum += e.Amount
		if e.Direction == Credit {
			d.Credits++
			*d.CreditSum += e.Amount
			continue
		}
		d.Debits++
		*d.DebitSum += e.Amount
	}
	return d
}
