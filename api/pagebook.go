package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/platform/deposit"
	"depositd/refund"
)

// bookPages are the tables of the pages as workbooks, of what the same person sees there: accounts masked, sealed lines without content.
func (s *server) bookPages(readers []Role) []Route {
	return []Route{
		{"GET", "/balances.xlsx", readers, s.exportBalances, "", 0, awhile},
		{"GET", "/refunds/due.xlsx", readers, s.exportDue, "", 0, awhile},
		{"GET", "/refunds/lists.xlsx", readers, s.exportLists, "", 0, awhile},
		{"GET", "/refunds/lists/:id/list.xlsx", readers, s.exportList, "", 0, awhile},
		{"GET", "/refunds/batches/:id/batch.xlsx", readers, s.exportBatch, "", 0, awhile},
	}
}

// giveBook answers with a workbook; plain is its name for programs that read ASCII alone.
func giveBook(c *gin.Context, book *sheet.Export, filters [][2]string, plain, name string) error {
	file, err := book.File(filters)
	if err != nil {
		return err
	}
	attach(c, plain, name)
	c.Data(http.StatusOK, xlsxType, file)
	return nil
}

// mostExported is how many rows a workbook takes: what a spreadsheet still opens at ease.
const mostExported = 50_000

// fillBook writes all pages of what is asked for, each row by its cells. An Invalid Refusal, too_many_rows, for more than a workbook takes.
func fillBook[T any](book *sheet.Export, read func(cursor string) (page []T, next string, err error), cells func(*T) []any) error {
	for rows, cursor := 0, ""; ; {
		page, next, err := read(cursor)
		if err != nil {
			return err
		}
		for i := range page {
			book.Add(cells(&page[i])...)
		}
		if rows += len(page); rows > mostExported {
			return deposit.Refuse(deposit.Invalid, "too_many_rows", "超过 ", mostExported, " 行，请缩小筛选范围后再导出")
		}
		if cursor = next; next == "" {
			return nil
		}
	}
}

// refundColumns are the columns of a list's or a batch's workbook.
var refundColumns = []sheet.Column{
	{Title: "付款编号", Kind: sheet.Number, Width: 22}, {Title: "名单", Kind: sheet.Number, Width: 18}, {Title: "批次", Kind: sheet.Number, Width: 18}, {Title: "银行", Width: 16}, {Title: "母账户", Kind: sheet.Number, Width: 24},
	{Title: "子账号", Kind: sheet.Number, Width: 26}, {Title: "标段编号", Kind: sheet.Number, Width: 22}, {Title: "投标人", Width: 34}, {Title: "原因", Width: 16}, {Title: "金额（元）", Kind: sheet.Money, Width: 16},
	{Title: "预计利息（元）", Kind: sheet.Money, Width: 16}, {Title: "收款户名", Width: 34}, {Title: "收款账号", Kind: sheet.Number, Width: 24}, {Title: "开户行", Width: 30}, {Title: "联行号", Kind: sheet.Number, Width: 16},
	{Title: "退付期限", Kind: sheet.Day, Width: 12}, {Title: "依据", Width: 12}, {Title: "状态", Width: 12}, {Title: "银行答复", Width: 28}, {Title: "付款流水号", Kind: sheet.Number, Width: 24}, {Title: "等待", Width: 14},
}

func (s *server) refundBook(name string, all []Refund) *sheet.Export {
	book := sheet.NewExport(name, refundColumns)
	for i := range all {
		r := &all[i]
		amount, interest := any(r.Amount), any(r.InterestExpected)
		if r.Sealed {
			amount, interest = sealedCell, sealedCell
		}
		book.Add(r.Serial, r.ListNumber, r.BatchNumber, s.bankName(r.Bank), r.ParentAccount, r.SubAccount, r.Lot, r.Bidder, r.CauseName, amount, interest, r.PayeeName, r.PayeeAccount.String(),
			r.PayeeBank, r.PayeeBankCode, r.DueOn, r.Rule, r.StateName, r.WordName+" "+r.Said, r.PaymentSerial, r.WaitsForName)
	}
	return book
}

const sealedCell = "未开标，保密"

// madeAt is the line of the filter sheet that says of when a workbook is.
func (s *server) madeAt() [2]string { return [2]string{"导出时间", deposit.Wall(s.DB.Now())} }

func (s *server) exportList(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	l, lines, err := s.Refund.ListByID(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	filters := [][2]string{{"名单", l.Number}, {"科室", l.Department}, {"提交人", l.MadeBy}, {"说明", l.Note}, s.madeAt()}
	return giveBook(c, s.refundBook("退付名单", s.refundsOf(lines)), filters, "list.xlsx", "退付名单-"+l.Number+".xlsx")
}

func (s *server) exportBatch(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	b, lines, err := s.Refund.BatchWithLines(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	filters := [][2]string{{"批次", b.Number}, {"银行", s.bankName(b.Bank)}, {"母账户", b.ParentAccount}, {"制单", b.MadeBy}, {"复核", b.CheckedBy}, {"放行", b.ReleasedBy}, {"摘要", b.Digest}, s.madeAt()}
	return giveBook(c, s.refundBook("退付批次", s.refundsOf(lines)), filters, "batch.xlsx", "退付批次-"+b.Number+".xlsx")
}

var listColumnsOut = []sheet.Column{{Title: "编号", Kind: sheet.Number, Width: 20}, {Title: "科室", Width: 16}, {Title: "科室编号", Kind: sheet.Number, Width: 20}, {Title: "笔数", Kind: sheet.Number, Width: 8},
	{Title: "金额（元）", Kind: sheet.Money, Width: 18}, {Title: "提交人", Width: 14}, {Title: "提交时间", Width: 20}, {Title: "说明", Width: 40}}

// exportLists gives all lists of a department, or of all that the visitor sees.
func (s *server) exportLists(c *gin.Context) error {
	if err := onlyParameters(c, "department"); err != nil {
		return err
	}
	book, q := sheet.NewExport("退付名单", listColumnsOut), refund.ListQuery{Department: c.Query("department")}
	err := fillBook(book, func(cursor string) ([]refund.ListView, string, error) {
		q.After = cursor
		return s.Refund.Lists(c.Request.Context(), s.sight(c), q)
	}, func(one *refund.ListView) []any {
		l := listOf(one)
		return []any{l.Number, l.Department, l.Reference, strconv.Itoa(l.Count), l.Total, l.MadeBy, deposit.Wall(l.MadeAt), l.Note}
	})
	if err != nil {
		return err
	}
	return giveBook(c, book, [][2]string{{"科室", q.Department}, s.madeAt()}, "lists.xlsx", "退付名单-"+string(s.today())+".xlsx")
}

var dueColumns = []sheet.Column{{Title: "退付期限", Kind: sheet.Day, Width: 12}, {Title: "剩余天数", Width: 10}, {Title: "原因", Width: 16}, {Title: "金额（元）", Kind: sheet.Money, Width: 16}, {Title: "逾期占用费（元）", Kind: sheet.Money, Width: 16},
	{Title: "收款人", Width: 34}, {Title: "账号", Kind: sheet.Number, Width: 24}, {Title: "标段编号", Kind: sheet.Number, Width: 22}, {Title: "银行流水号", Kind: sheet.Number, Width: 24}, {Title: "付款编号", Kind: sheet.Number, Width: 22},
	{Title: "等待", Width: 14}, {Title: "依据", Width: 40}}

// exportDue gives what is overdue, due within the calendar's weeks, and long past its day.
func (s *server) exportDue(c *gin.Context) error {
	if err := onlyParameters(c, "department"); err != nil {
		return err
	}
	_, last := s.dueWeeks()
	o, err := s.Refund.DueWithin(c.Request.Context(), s.sight(c), c.Query("department"), s.today().DaysTo(last))
	if err != nil {
		return err
	}
	book := sheet.NewExport("到期与逾期", dueColumns)
	left := func(n *int) string {
		if n == nil {
			return ""
		}
		return plainNumber(float64(*n))
	}
	proposals := append(proposalsOf(o.Proposals), proposalsOf(o.Stale)...)
	for i := range proposals {
		p := &proposals[i]
		amount, fee := any(p.Amount), any(p.OverdueFee)
		if p.Sealed {
			amount, fee = sealedCell, sealedCell
		}
		book.Add(p.DueOn, left(p.DaysLeft), p.CauseName, amount, fee, p.PayerName, p.PayerAccount.String(), p.Lot, p.Serial, "", p.WaitsForName, p.Basis)
	}
	for _, r := range s.refundsOf(o.Lines) {
		amount := any(r.Amount)
		if r.Sealed {
			amount = sealedCell
		}
		book.Add(r.DueOn, left(r.DaysLeft), r.CauseName, amount, "", r.PayeeName, r.PayeeAccount.String(), r.Lot, "", r.Serial, r.WaitsForName, r.Rule)
	}
	return giveBook(c, book, [][2]string{{"科室", c.Query("department")}, {"截至", string(last)}, s.madeAt()}, "due.xlsx", "到期日历-"+string(s.today())+".xlsx")
}

var balanceColumns = []sheet.Column{{Title: "日期", Kind: sheet.Day, Width: 12}, {Title: "银行", Width: 18}, {Title: "母账户", Kind: sheet.Number, Width: 24}, {Title: "期初（元）", Kind: sheet.Money, Width: 18}, {Title: "收（元）", Kind: sheet.Money, Width: 18},
	{Title: "付（元）", Kind: sheet.Money, Width: 18}, {Title: "期末（元）", Kind: sheet.Money, Width: 18}, {Title: "差额（元）", Kind: sheet.Money, Width: 16}, {Title: "通知笔数", Kind: sheet.Number, Width: 10}, {Title: "对账单笔数", Kind: sheet.Number, Width: 10}, {Title: "日终", Width: 16}}

// exportBalances gives the day's balance proof per account, as the overview shows it.
func (s *server) exportBalances(c *gin.Context) error {
	o, err := s.overview(c)
	if err != nil {
		return err
	}
	book := sheet.NewExport("余额核对", balanceColumns)
	told := func(text string) any {
		if fen, err := deposit.ParseBalance(text); err == nil {
			return fen
		}
		return "未告知"
	}
	for _, b := range o.Banks {
		who := []any{string(o.Day), s.bankName(b.Bank), b.ParentAccount}
		switch {
		case b.Sealed:
			verdict := "有差异"
			if b.Agrees {
				verdict = "相符"
			}
			book.Add(append(who, sealedCell, sealedCell, sealedCell, sealedCell, sealedCell, sealedCell, sealedCell, verdict)...)
		case !b.Arrived:
			book.Add(append(who, "", "", "", "", "", plainNumber(float64(b.Notices.Entries)), "", "对账单未到")...)
		default:
			state := "未平"
			if b.State == "CLOSED" {
				state = "已平"
			}
			book.Add(append(who, told(b.Opening), b.Credits, b.Debits, told(b.Closing), b.Gap, plainNumber(float64(b.Notices.Entries)), plainNumber(float64(b.Statement.Entries)), state)...)
		}
	}
	return giveBook(c, book, [][2]string{{"对账日", string(o.Day)}, s.madeAt()}, "balances.xlsx", "余额核对-"+string(o.Day)+".xlsx")
}
