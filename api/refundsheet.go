package api

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/platform/deposit"
	"depositd/refund"
)

// listSheet is the sheet of a template that is filled in.
const listSheet = "退付名单"

// listColumns are the columns of a department's list; the fields are those of the JSON.
var listColumns = []sheet.Column{
	{Field: "lot", Title: "标段编号", Also: []string{"标段", "项目编号"}, Most: mostNumber, Width: 22, Hint: "交易平台的标段编号，用于核对；不属于任何标段的入账留空"},
	{Field: "bidder", Title: "投标人", Also: []string{"投标人名称", "投标单位"}, Most: mostName, Width: 34, Hint: "用于核对，可留空"},
	{Field: "bank", Title: "入账银行", Also: []string{"银行"}, Most: mostName, Width: 16, Hint: "收款银行的代码或名称；中心只有一家银行时可留空"},
	{Field: "booking_date", Title: "入账日期", Kind: sheet.Day, Needed: true, Width: 14, Hint: "银行记账日期，如 2026-06-12"},
	{Field: "bank_serial", Title: "入账流水号", Also: []string{"流水号", "银行流水号"}, Kind: sheet.Number, Needed: true, Most: mostNumber, Width: 26, Hint: "对账单上的银行流水号，一字不差；单元格须为文本格式"},
	{Field: "amount", Title: "退付金额", Also: []string{"金额"}, Kind: sheet.Money, Width: 16, Hint: "元，最多两位小数；留空则退付该原因允许的全部金额"},
	{Field: "payee_name", Title: "收款户名", Also: []string{"收款人", "户名"}, Most: mostName, Width: 34, Hint: "须与付款户名逐字相同；留空即为付款人"},
	{Field: "payee_account", Title: "收款账号", Also: []string{"账号", "银行账号"}, Kind: sheet.Number, Most: mostNumber, Width: 26, Hint: "须与付款账号逐字相同；留空即为付款账号；单元格须为文本格式"},
	{Field: "payee_bank", Title: "收款开户行", Also: []string{"开户行", "收款银行"}, Most: mostName, Width: 34, Hint: "留空即为付款账户的开户行"},
	{Field: "payee_bank_code", Title: "联行号", Also: []string{"收款行联行号", "行号"}, Kind: sheet.Number, Most: mostBankCode, Width: 18, Hint: "12 位；留空即为付款账户的联行号；单元格须为文本格式"},
	{Field: "cause", Title: "退付原因", Also: []string{"原因"}, Most: mostNumber, Width: 18, Choice: causeNames(), Hint: "一笔入账有几种原因（如多缴部分与保证金）时必填，可选：" + strings.Join(causeNames(), "、")},
}

// listRemarks is what else to know of the template.
var listRemarks = []string{
	"一行一笔，一份名单最多 5000 行；列的先后不限，列名不要改动，没有用到的列可以删去。",
	"每行与入账逐笔核对，有误的行连同原因原样退回（“错误原因”列），改正后整份重新提交即可，不会重复退付。",
}

func causeNames() (names []string) {
	for _, cause := range refund.Causes() {
		names = append(names, cause.Chinese())
	}
	return names
}

// titleOf is the header of a field's column; "" where it has none.
func titleOf(field string) string {
	for i := range listColumns {
		if listColumns[i].Field == field {
			return listColumns[i].Title
		}
	}
	return ""
}

// columnAliases are fields that the bank's side calls otherwise than a list.
var columnAliases = map[string]string{"origin_serial": "bank_serial"}

// faultOf gives the desk's fault its column.
func faultOf(f refund.Fault) ListFault {
	if list, other := columnAliases[f.Column]; other {
		f.Column = list
	}
	return ListFault{f.Row, f.Column, titleOf(f.Column), f.Code, f.Text}
}

func sheetFaults(all []ListFault) []sheet.Fault {
	marks := make([]sheet.Fault, len(all))
	for i, f := range all {
		marks[i] = sheet.Fault{Row: f.Row, Field: f.Column, Title: f.ColumnName, Code: f.Code, Text: f.Text}
	}
	return marks
}

// orders reads the rows that have nothing wrong with them as lines of the list, and tells of the others.
func (s *server) orders(t *sheet.Table, list *refund.ListOrder) (faults []ListFault) {
	for _, f := range t.Faults {
		faults = append(faults, ListFault{f.Row, f.Field, f.Title, f.Code, f.Text})
	}
	wrong := t.Wrong()
	for i := range t.Rows {
		r := &t.Rows[i]
		o, refused := s.orderOfRow(r)
		faults = append(faults, refused...)
		if len(refused) == 0 && !wrong[r.Number] {
			list.Lines = append(list.Lines, o)
		}
	}
	return faults
}

func (s *server) orderOfRow(r *sheet.Row) (o refund.Order, faults []ListFault) {
	complain := func(field, code, text string) {
		faults = append(faults, ListFault{r.Number, field, titleOf(field), code, text})
	}
	code, known := s.bankCode(r.Cell("bank"))
	if !known {
		complain("bank", "bank_unknown", "没有这家银行，请填写 banks.yaml 中的代码或名称")
	}
	cause, known := causeOf(r.Cell("cause"))
	if !known {
		complain("cause", "cause_unknown", "没有这种退付原因，请从模板的下拉列表中选择，或留空由系统判断")
	}
	o = refund.Order{Row: r.Number, Bank: code, Day: deposit.Day(r.Cell("booking_date")), Serial: r.Cell("bank_serial"), Lot: r.Cell("lot"), Bidder: r.Cell("bidder"),
		PayeeName: r.Cell("payee_name"), PayeeAccount: r.Cell("payee_account"), PayeeBank: r.Cell("payee_bank"), PayeeBankCode: r.Cell("payee_bank_code"), Cause: cause}
	if text := r.Cell("amount"); text != "" {
		fen, err := deposit.ParseYuan(text)
		if err != nil {
			complain("amount", deposit.AsRefusal(err).Code, deposit.AsRefusal(err).Text)
		}
		o.Amount = fen
	}
	return o, faults
}

// bankCode finds a bank by its code or its name; said nothing, it is the only one.
func (s *server) bankCode(said string) (code string, known bool) {
	if only := s.Banks.Only(); said == "" && only != nil {
		return only.Code, true
	}
	for _, b := range s.Banks.All() {
		if said == b.Code || said == b.Name {
			return b.Code, true
		}
	}
	return "", false
}

func (s *server) getTemplate(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	file, err := sheet.Template(listSheet, listColumns, listRemarks)
	if err != nil {
		return err
	}
	attach(c, "template.xlsx", "退付名单模板.xlsx")
	c.Data(http.StatusOK, xlsxType, file)
	return nil
}

func (s *server) getTemplateCSV(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	attach(c, "template.csv", "退付名单模板.csv")
	c.Data(http.StatusOK, csvType+"; charset=utf-8", sheet.TemplateCSV(listColumns, listRemarks))
	return nil
}

// attach has a browser keep the answer as a file: by the second name if it can read that.
func attach(c *gin.Context, plain, name string) {
	c.Header("Content-Disposition", `attachment; filename="`+plain+`"; filename*=UTF-8''`+url.PathEscape(name))
}

// plainText says whether a text is short enough and of one line.
func plainText(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}
