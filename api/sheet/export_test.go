package sheet

import (
	"bytes"
	"testing"

	"github.com/xuri/excelize/v2"

	"depositd/platform/deposit"
)

// Accounts stay text to their last digit, amounts are numbers that add up, and the workbook says what was asked for.
func TestExport(t *testing.T) {
	x := NewExport("差异", []Column{{Title: "账号", Kind: Number, Width: 20}, {Title: "金额", Kind: Money}})
	x.Add("0012345678901234567890", deposit.Fen(1_234_567_89))
	x.Add("=1+1", deposit.Fen(-1))
	raw, err := x.File([][2]string{{"状态", "待处理"}, {"银行", ""}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for at, want := range map[string]string{"A1": "账号", "A2": "0012345678901234567890", "B2": "1,234,567.89", "A3": "=1+1", "A4": "合计 2 行", "B4": "1,234,567.88"} {
		if got, err := f.GetCellValue("差异", at); err != nil || got != want {
			t.Errorf("%s is %q (%v), not %q", at, got, err, want)
		}
	}
	if kind, err := f.GetCellType("差异", "A3"); err != nil || kind == excelize.CellTypeFormula {
		t.Errorf("a text became a formula: %v %v", kind, err)
	}
	if got, err := f.GetCellValue("筛选条件", "B2"); err != nil || got != "全部" {
		t.Errorf("what was not asked for is %q (%v)", got, err)
	}
}
