package bank

import (
	"encoding/csv"
	"io"
	"regexp"

	"depositd/platform/deposit"
)

// csvColumns is the statement that any spreadsheet can make. UTF-8 with a byte order mark or not, or GBK; columns in any order:
//
//	bank_serial,booking_date,booked_at,parent_account,sub_account,direction,amount,payer_name,payer_account,payer_bank,remark,reversal_of
//
// Days are 2006-01-02, times 2006-01-02 15:04:05 in Shanghai, the direction is C or D, amounts are yuan above zero with at most
// two decimals. A debit with reversal_of takes that entry back (冲正); a credit with reversal_of, or with 退汇 or 退票 in its
// remark, is a payment of ours that came back. parent_account may be empty where the bank has but one. The format has
// no trailer: whether rows are missing at its end, only the balances of another file can tell.
var csvColumns = []column[booking]{
	{"bank_serial", 0, exact(textOf("serial"))}, {"booking_date", 0, bookingDate("2006-01-02")}, {"booked_at", 0, bookedAt(deposit.WallTime)},
	{"parent_account", 0, exact(textOf("parent_account"))}, {"sub_account", 0, exact(textOf("sub_account"))}, {"direction", 0, sideIn("C", "D")},
	{"amount", 0, strictYuan.amount()}, {"payer_name", 0, textOf("payer_name")}, {"payer_account", 0, exact(textOf("payer_account"))},
	{"payer_bank", 0, textOf("payer_bank")}, {"remark", 0, textOf("remark")}, {"reversal_of", 0, exact(textOf("reversal_of"))},
}

// exact is a number that a spreadsheet may have spoilt: 3.70502E+18 is nobody's account any more.
func exact(v value[booking]) value[booking] {
	read := v.Read
	v.Want += "；长数字列须设为文本格式后再导出"
	v.Read = func(k *booking, s string) error {
		if scientific.MatchString(s) {
			return refuseValue(v.Field + "_scientific")
		}
		return read(k, s)
	}
	return v
}

var scientific = regexp.MustCompile(`^[0-9](\.[0-9]+)?[Ee]\+[0-9]+$`)

var csvAdapter = &Adapter{Name: "csv", Title: "通用 CSV 对账单（UTF-8 或 GBK）", Statement: readCSV}

func csvNames() []string {
	names := make([]string, len(csvColumns))
	for i, col := range csvColumns {
		names[i] = col.Name
	}
	return names
}

// readCSV begins a statement whenever account or day change from one row to the next; the file says nothing about any but
// its entries.
func readCSV(b *Bank, file io.Reader, sink Sink) error {
	var open Statement
	plain := plainCSV{bank: b}
	err := ReadTable(file, b.Charset, csvNames(), func(r *Row) error {
		k, f := plain.entry(r)
		if f != nil {
			return sink.Fault(*f)
		}
		if k.ParentAccount != open.ParentAccount || k.BookingDate != open.Day {
			if err := endOf(open, sink); err != nil {
				return err
			}
			open = Statement{ParentAccount: k.ParentAccount, Day: k.BookingDate, Declared: Undeclared, LastPage: true}
			if err := sink.Begin(open); err != nil {
				return err
			}
		}
		return sink.Entry(k)
	}, sink.Fault)
	if err != nil {
		return err
	}
	return endOf(open, sink)
}

// endOf ends the statement that is open, if one is.
func endOf(open Statement, sink Sink) error {
	if open.Day == "" {
		return nil
	}
	return sink.End(open)
}

// cells gives a row to the functions that read layouts.
func (r *Row) cells() cells {
	return cells{r.Raw, r.Fields, r.At}
}

// WriteCSV writes entries as the adapter "csv" reads them, in UTF-8, whatever their accounts and days; the format holds no
// balances, so nothing of the statement is written. Nor is the payer's bank code, which it has no column for. An entry
// that would be another one when read again (a serial with parts, a 冲正 without the serial it takes back) is an Invalid error.
func WriteCSV(w io.Writer, _ Statement, entries []Entry) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvNames()); err != nil {
		return err
	}
	for i := range entries {
		e := entries[i]
		e.PayerBankCode = ""
		fields := compose(&booking{Entry: e}, csvColumns)
		k := new(booking)
		f := k.read(&Bank{Code: e.Bank}, csvColumns, cells{texts: fields, at: func(int) (line, column int) { return i + 2, 1 }})
		if f != nil {
			return unwritable(&e, f.Text)
		}
		if !sameBooking(e, k.Entry) {
			return unwritable(&e, "读回的内容与原内容不同")
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
