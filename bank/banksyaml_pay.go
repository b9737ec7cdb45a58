package bank

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml/ast"

	"depositd/platform/deposit"
)

// noPayout is the payout of a bank through which nothing is paid.
const noPayout = "none"

// posting reads how the bank books a batch.
func (r *setReader) posting(node ast.Node) Posting {
	switch said := r.scalar(node, "posting"); said {
	case "", "per_item":
		return PostPerItem
	case "summary":
		return PostSummary
	default:
		r.complain(node.GetToken(), "posting", "应为 per_item（逐笔记账）或 summary（汇总记账）：", clip(said))
		return PostPerItem
	}
}

// drop reads the folders by which payout files and result files travel. A bank is paid by one way only: by two it might be paid twice.
func (r *setReader) drop(b *Bank, said map[string]ast.Node) Drop {
	d := Drop{Payouts: r.scalar(said["payout_folder"], "payout_folder"), Results: r.scalar(said["result_folder"], "result_folder")}
	for _, key := range []string{"payout_folder", "result_folder"} {
		if said[key] != nil && said["payout"] == nil {
			r.complain(said[key].GetToken(), key, "没有写明 payout，不能付款：请写明付款格式，或删去此项")
		}
	}
	switch {
	case d.Payouts != "" && said["call"] != nil && b.Adapter != nil && b.Adapter.Calls == nil:
		r.complain(said["payout_folder"].GetToken(), "payout_folder", "call 与 payout_folder 只能写一项：同一批付款只能从一条路径发出")
	case d.Payouts != "" && d.Payouts == d.Results:
		r.complain(said["result_folder"].GetToken(), "result_folder", "应与 payout_folder 不同，否则会把付款文件当作结果读入")
	}
	return d
}

// payout finds the dialect in which the bank is paid through, if the file says one. By default nothing is: every debit of an
// account that is paid from has to be an order of ours, which is not so where refunds go another way.
func (r *setReader) payout(b *Bank, node ast.Node) {
	if node == nil || r.scalar(node, "payout") == noPayout {
		return
	}
	b.PayoutAdapter = r.adapter(node, "payout")
	if b.PayoutAdapter != nil && b.PayoutAdapter.Payout == nil {
		r.complain(node.GetToken(), "payout", "报文格式 ", b.PayoutAdapter.Name, " 不能付款；请换一种，或写 payout: none")
	}
}

const clockLayout = "15:04"

// CutOffText is the time after which a payment is made on the next day; "24:00" where there is none.
func (b *Bank) CutOffText() string {
	if b.CutOff == 0 {
		return "24:00"
	}
	return fmt.Sprintf("%02d:%02d", b.CutOff/time.Hour, b.CutOff%time.Hour/time.Minute)
}

// cutOff reads the time of day after which a bank takes a payment for the next day's.
func (r *setReader) cutOff(b *Bank, node ast.Node) time.Duration {
	text := r.scalar(node, "cut_off")
	if text == "" {
		return 0
	}
	at, err := time.Parse(clockLayout, text)
	switch {
	case err != nil:
		r.complain(node.GetToken(), "cut_off", "应为 24 小时制的时刻并加引号，如 \"17:00\"：", clip(text))
	case !b.Pays():
		r.complain(node.GetToken(), "cut_off", "没有写明 payout，不能付款：请写明付款格式，或删去此项")
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}

// ResendMargin is taken off the time for which a bank knows its messages: for the way there and two clocks.
const ResendMargin = 30 * time.Minute

// mostResend is as long as any bank is known to promise.
const mostResend = 7 * 24 * time.Hour

// resendWithin reads for how long a bank, by contract, takes a repeated message for the one it has had.
func (r *setReader) resendWithin(b *Bank, node ast.Node) time.Duration {
	text := r.scalar(node, "resend_within")
	if text == "" || text == "0" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil || d <= ResendMargin || d > mostResend:
		r.complain(node.GetToken(), "resend_within", "应为 0（从不重发）或大于 ", ResendMargin, "、不超过 ", mostResend, " 的时长，如 12h，以与银行约定的去重时间为准：", clip(text))
	case !b.CanAsk():
		r.complain(node.GetToken(), "resend_within", "重发之前须先向银行查询：该银行没有可查询的付款格式，或以文件付款，请删去此项")
	}
	return d
}

// PayDay is the day on which the bank makes a payment that it is told of at an instant.
func (b *Bank) PayDay(told time.Time) deposit.Day {
	day := deposit.DayOf(told)
	if b.CutOff > 0 && told.Sub(day.Start()) >= b.CutOff {
		return day.Add(1)
	}
	return day
}
