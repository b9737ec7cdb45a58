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

// payout finds the dialect in which the bank is paid through: its own where that can pay, unless the file says another.
func (r *setReader) payout(b *Bank, node ast.Node) {
	b.PayoutAdapter = b.Adapter
	if node == nil || r.scalar(node, "payout") == noPayout {
		if node != nil {
			b.PayoutAdapter = nil
		}
		return
	}
	b.PayoutAdapter = r.adapter(node, "payout")
	if b.PayoutAdapter != nil && b.PayoutAdapter.Payout == nil {
		r.complain(node.GetToken(), "payout", "报文格式 ", b.PayoutAdapter.Name, " 不能付款；请换一种，或写 payout: none")
	}
}
