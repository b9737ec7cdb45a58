package api

import (
	"strings"
	"testing"

	"depositd/api/sheet/sheettest"
)

// The workbooks hold typed cells: numbers for money, text for accounts and serials, a total below, and what was asked for on a sheet
// of its own.
func TestBooks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.released(2)
		list := h.key("SELECT id FROM refund_lists")
		for _, book := range []struct {
			target, sheet string
			says          []string
		}{
			{"/refunds/lists.xlsx", "退付名单", []string{"TF-20260612-01", "1,600,000.00", "合计 1 行"}},
			{"/refunds/lists/" + list + "/list.xlsx", "退付名单", []string{"800,000.00", "1,600,000.00", "合计 2 行", payerName(1), "621200****0001"}},
			{"/refunds/batches/" + b.ID.String() + "/batch.xlsx", "退付批次", []string{"PC-20260612-01", "1,600,000.00", lineParent, "已放行"}},
			{"/balances.xlsx?day=2026-06-12", "余额核对", []string{"2026-06-12", lineParent, "对账单未到"}},
		} {
			got := h.page(maker, "GET", book.target, nil).shows(200)
			if kind := got.Header().Get("Content-Type"); kind != xlsxType {
				t.Errorf("%s is %s", book.target, kind)
			}
			cells := sheettest.Cells(t, got.Body.Bytes(), book.sheet)
			for _, text := range book.says {
				if !strings.Contains(cells, text) {
					t.Errorf("%s does not say %q:\n%s", book.target, text, cells)
				}
			}
			if strings.Contains(cells, payerAccount(1)) {
				t.Errorf("%s tells a whole account number", book.target)
			}
			if asked := sheettest.Cells(t, got.Body.Bytes(), "筛选条件"); !strings.Contains(asked, "2026-06-12") {
				t.Errorf("%s does not say of when it is: %s", book.target, asked)
			}
		}
	})
}

// What is due stands in its workbook as in the calendar.
func TestDueBook(t *testing.T) {
	h := local(t)
	h.lost(2)
	h.happens("E3", `"kind":"contract_signed","happened_at":"2026-06-12T11:30:00+08:00"`)
	cells := sheettest.Cells(t, h.page(maker, "GET", "/refunds/due.xlsx", nil).shows(200).Body.Bytes(), "到期与逾期")
	for _, text := range []string{"800,000.00", "1,600,000.00", "合计 2 行", payerName(0), creditSerial(1)} {
		if !strings.Contains(cells, text) {
			t.Errorf("the book does not say %q:\n%s", text, cells)
		}
	}
}
