package bank

import "github.com/goccy/go-yaml/ast"

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
