package api

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/refund"
)

// The media types of an upload.
const (
	xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	csvType  = "text/csv"
)

// RefundList is a department's list as it is kept.
type RefundList struct {
	ID         sqldb.ID    `json:"id"`
	Number     string      `json:"number"`
	Department string      `json:"department"`
	Reference  string      `json:"reference"`
	Note       string      `json:"note"`
	Count      int         `json:"count"`
	Total      deposit.Fen `json:"total"`
	MadeBy     string      `json:"made_by"`
	MadeAt     time.Time   `json:"made_at"`
}

func listOf(l *refund.ListView) RefundList {
	return RefundList{ID: l.ID, Number: l.Number, Department: l.Department, Reference: l.Reference, Note: l.Note, Count: l.Lines, Total: l.Amount, MadeBy: l.MadeBy, MadeAt: inShanghai(l.MadeAt)}
}

// ListFault is why a line of a list is refused: where, and what to do.
type ListFault struct {
	Row        int    `json:"row"`         // of an upload as the spreadsheet shows it, else the line's number from 1
	Column     string `json:"column"`      // the field; empty where it is the whole line
	ColumnName string `json:"column_name"` // its header in the template
	Code       string `json:"code"`
	Text       string `json:"text"`
}

// Submitted is what became of a list.
type Submitted struct {
	List    *RefundList `json:"list,omitempty"` // absent in a dry run
	Known   bool        `json:"known"`          // the same list was here before; nothing changed
	DryRun  bool        `json:"dry_run"`
	Refunds []Refund    `json:"refunds"`
	Faults  []ListFault `json:"faults"` // of the lines that were left out
}

// RefusedList is the problem of a list of which nothing is stored: every line that is wrong.
type RefusedList struct {
	Problem
	Right  int         `json:"right"` // how many lines have nothing wrong with them
	Faults []ListFault `json:"faults"`
}

// postList takes a department's list: JSON, .xlsx or CSV by its media type.
func (s *server) postList(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	said, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	switch {
	case err == nil && said == jsonType:
		return s.postListJSON(c, by)
	case err == nil && (said == xlsxType || said == csvType):
		return s.postListFile(c, by, said)
	}
	return problem(http.StatusUnsupportedMediaType, "content_type", "名单应为 JSON（application/json）、.xlsx（"+xlsxType+"）或 CSV（text/csv），请设置 Content-Type")
}

func (s *server) postListJSON(c *gin.Context, by string) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	order := refund.ListOrder{Eyes: s.sight(c), Department: f.text("department", mostNumber), Reference: f.textIf("reference", mostNumber), Note: f.textIf("note", mostNote),
		ValidOnly: f.flag("valid_only"), DryRun: f.flag("dry_run")}
	for _, line := range f.list("lines") {
		order.Lines = append(order.Lines, s.orderOf(line))
		line.done()
	}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	return s.submit(c, by, order, nil, nil)
}

// orderOf reads one line of a list.
func (s *server) orderOf(f *form) refund.Order {
	o := refund.Order{Credit: f.idIf("credit"), Bank: f.textIf("bank", mostBank), Day: f.dayIf("booking_date"), Serial: f.textIf("bank_serial", mostNumber), Lot: f.textIf("lot", mostNumber),
		Bidder: f.textIf("bidder", mostName), Amount: f.yuanIf("amount"), PayeeName: f.textIf("payee_name", mostName), PayeeAccount: f.textIf("payee_account", mostNumber),
		PayeeBank: f.textIf("payee_bank", mostName), PayeeBankCode: f.textIf("payee_bank_code", mostBankCode), Cause: refund.Cause(f.textIf("cause", mostNumber))}
	if _, known := causeOf(string(o.Cause)); !known {
		f.fault(false, "cause", "cause_unknown", "没有这种退付原因，见 /v1/openapi.yaml；留空则由系统判断")
	}
	if only := s.Banks.Only(); o.Bank == "" && only != nil {
		o.Bank = only.Code
	}
	return o
}

// causeOf finds a cause by its code or its name; "" is left to the rules.
func causeOf(said string) (refund.Cause, bool) {
	for _, cause := range refund.Causes() {
		if said == string(cause) || said == cause.Chinese() {
			return cause, true
		}
	}
	return "", said == ""
}

// postListFile takes an .xlsx or a CSV; what stands beside the table comes in the query.
func (s *server) postListFile(c *gin.Context, by, kind string) error {
	if err := onlyParameters(c, "department", "reference", "note", "valid_only", "dry_run", "annotate"); err != nil {
		return err
	}
	order := refund.ListOrder{Eyes: s.sight(c), Department: c.Query("department"), Reference: c.Query("reference"), Note: c.Query("note")}
	var annotate bool
	var err error
	for name, value := range map[string]*bool{"valid_only": &order.ValidOnly, "dry_run": &order.DryRun, "annotate": &annotate} {
		if *value, err = yes(c, name); err != nil {
			return err
		}
	}
	for name, most := range map[string]int{"department": mostNumber, "reference": mostNumber, "note": mostNote} {
		if !plainText(c.Query(name), most) {
			return badParameter(name, "parameter_malformed", name+" 最多 "+strconv.Itoa(most)+" 个字符，不能有控制字符")
		}
	}
	table, err := readTable(c, kind)
	if err != nil {
		return err
	}
	defer table.Close()
	if !annotate {
		annotate = strings.Contains(c.GetHeader("Accept"), xlsxType)
	}
	faults := s.orders(table, &order)
	if table.HeaderWrong() {
		order.Lines = nil
	}
	if !annotate {
		return s.submit(c, by, order, faults, nil)
	}
	return s.submit(c, by, order, faults, table)
}

func readTable(c *gin.Context, kind string) (*sheet.Table, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, sheet.MaxFile))
	if err != nil {
		return nil, err
	}
	return tableOf(raw, kind)
}

func tableOf(raw []byte, kind string) (*sheet.Table, error) {
	if kind == csvType {
		return sheet.ReadCSV(raw, listColumns)
	}
	return sheet.ReadXLSX(raw, listSheet, listColumns)
}

// submit submits the lines that could be read, and answers.
func (s *server) submit(c *gin.Context, by string, order refund.ListOrder, faults []ListFault, table *sheet.Table) error {
	done, all, err := s.takeList(c.Request.Context(), by, order, faults)
	if err != nil {
		if table == nil && len(faults) == 0 {
			return inBody(err)
		}
		return err
	}
	if refused(&order, &done, all) {
		return s.refuseList(c, all, len(done.Lines), table)
	}
	return s.answerList(c, &order, &done, all)
}

// takeList submits the lines that could be read. faults are of those that could not be; with them nothing is stored unless the right
// lines alone are wanted, but the others are looked at all the same, so that everything is told at once, in the order of the rows.
func (s *server) takeList(ctx context.Context, by string, order refund.ListOrder, faults []ListFault) (done refund.Submission, all []ListFault, err error) {
	if len(faults) == 0 || len(order.Lines) > 0 {
		order.DryRun = order.DryRun || len(faults) > 0 && !order.ValidOnly
		if done, err = s.Refund.Submit(ctx, by, order); err != nil {
			return done, nil, err
		}
	}
	for _, f := range done.Faults {
		faults = append(faults, faultOf(f))
	}
	slices.SortStableFunc(faults, func(a, b ListFault) int { return cmp.Compare(a.Row, b.Row) })
	return done, faults, nil
}

// refused says that nothing of a list is taken.
func refused(order *refund.ListOrder, done *refund.Submission, faults []ListFault) bool {
	return len(faults) > 0 && (!order.ValidOnly || len(done.Lines) == 0)
}

func (s *server) answerList(c *gin.Context, order *refund.ListOrder, done *refund.Submission, faults []ListFault) error {
	views, err := s.Refund.View(c.Request.Context(), done.Lines)
	if err != nil {
		return err
	}
	told := Submitted{Known: done.Known, DryRun: order.DryRun, Refunds: s.refundsOf(views), Faults: append([]ListFault{}, faults...)}
	if order.DryRun { // they are nobody's yet
		for i := range told.Refunds {
			told.Refunds[i].ID, told.Refunds[i].Serial = 0, ""
		}
	} else {
		list := listOf(&refund.ListView{List: done.List, Lines: len(done.Lines), Amount: sumOf(views)})
		told.List = &list
	}
	c.JSON(statusOf(!order.DryRun && !done.Known), told)
	return nil
}

func sumOf(lines []refund.LineView) (sum deposit.Fen) {
	for i := range lines {
		sum += lines[i].Amount
	}
	return sum
}

// refuseList tells what is wrong with a list: in JSON, or in the file itself.
func (s *server) refuseList(c *gin.Context, faults []ListFault, right int, table *sheet.Table) error {
	if table != nil {
		file, err := table.Annotate(sheetFaults(faults))
		if err != nil {
			return err
		}
		attach(c, "refused.xlsx", "退付名单-有误.xlsx")
		c.Data(http.StatusUnprocessableEntity, xlsxType, file)
		return nil
	}
	wrong := map[int]bool{}
	for _, f := range faults {
		wrong[f.Row] = true
	}
	p := problem(http.StatusUnprocessableEntity, "list_refused", "名单有 "+strconv.Itoa(len(wrong))+" 行不符合要求（另有 "+strconv.Itoa(right)+
		" 行无误），未保存；请按 faults 逐行改正后重新提交，或用 valid_only 只提交无误的行")
	p.Instance = c.GetString(requestID)
	body, _ := json.Marshal(RefusedList{*p, right, faults}) // strings and numbers: never fails
	c.Data(p.Status, "application/problem+json", body)
	return nil
}

// RefundListPage is some lists; Next, where there are more, is the cursor of the next page.
type RefundListPage struct {
	Lists []RefundList `json:"lists"`
	Next  string       `json:"next,omitempty"`
}

func (s *server) getLists(c *gin.Context) error {
	page, err := s.listPage(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// listPage is the page of lists that is asked for.
func (s *server) listPage(c *gin.Context) (page RefundListPage, err error) {
	if err := onlyParameters(c, "department", "limit", "cursor"); err != nil {
		return page, err
	}
	size, err := limit(c)
	if err != nil {
		return page, err
	}
	rows, next, err := s.Refund.Lists(c.Request.Context(), s.sight(c), refund.ListQuery{Department: c.Query("department"), After: c.Query("cursor"), Limit: size})
	if err != nil {
		return page, err
	}
	page = RefundListPage{Lists: make([]RefundList, len(rows)), Next: next}
	for i := range rows {
		page.Lists[i] = listOf(&rows[i])
	}
	return page, nil
}

// RefundListLines is a list with its lines.
type RefundListLines struct {
	RefundList
	Refunds []Refund `json:"refunds"`
}

func (s *server) getList(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	l, lines, err := s.Refund.ListByID(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, RefundListLines{listOf(&l), s.refundsOf(lines)})
	return nil
}

// postHandPayment enters a payment that a person has made in online banking; another person confirms it.
func (s *server) postHandPayment(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	p := refund.HandPayment{Order: s.orderOf(f), Eyes: s.sight(c), Department: f.text("department", mostNumber), Reference: f.text("reference", mostNumber), BankSerial: f.text("payment_serial", mostNumber),
		Note: strings.TrimSpace(f.text("note", mostNote))}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	done, err := s.Refund.EnterHandPayment(c.Request.Context(), by, p)
	if err != nil {
		return err
	}
	if len(done.Faults) > 0 {
		faults := make([]ListFault, len(done.Faults))
		for i, fault := range done.Faults {
			faults[i] = faultOf(fault)
		}
		return s.refuseList(c, faults, 0, nil)
	}
	return s.answerList(c, &refund.ListOrder{}, &done, nil)
}
