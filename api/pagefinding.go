package api

import (
	"context"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// findingQueue is the work queue as its page shows it.
type findingQueue struct {
	Query   url.Values
	Asked   reconcile.FindingQuery
	Age     string
	Ages    []reconcile.Age
	Mine    string // whose own work may be asked for
	Counts  *reasonCounts
	Rows    []queueRow
	Next    string
	Banks   []bankChoice
	Offices []string
	Hands   bool // the visitor works on findings
	Open    *findingDrawer
}

// reasonCounts are the cards by reason. Counting reads every finding that the filters find, so that it is asked for beside the rows,
// and after every act.
type reasonCounts struct {
	Query  url.Values
	Code   reconcile.Code
	All    FindingCounts // of the chosen filters, but for the reason
	Chosen FindingCounts // of all of them
}

type bankChoice struct{ Code, Name string }

// queueRow is a finding in the queue.
type queueRow struct {
	reconcile.FindingRow
	Age int
}

// findingDrawer is a finding beside the queue, with what may be done about it.
type findingDrawer struct {
	*reconcile.FindingView
	Query   url.Values
	Acts    []findingChoice
	Offices []string
	Done    string // what was just done
	Reveal  revealForm
	Hands   bool // the visitor works on findings, and
	Files   bool // sees what banks have sent
}

type findingChoice struct{ Act, Name, Key string }

// findingParameters are what the page knows beside the filters.
var findingParameters = []string{"cursor", "limit", "open", "counts"}

// pageFindings shows the queue: without a filter, what is still to do. With open it shows that finding beside, with counts the cards
// by reason.
func (s *server) pageFindings(c *gin.Context) error {
	if c.Request.URL.RawQuery == "" {
		c.Request.URL.RawQuery = "state=" + stateTodo
	}
	q, err := s.findingQuery(c, findingParameters...)
	if err != nil {
		return err
	}
	open, err := idIf(c, "open")
	if err != nil {
		return err
	}
	b := findingQueue{Query: c.Request.URL.Query(), Asked: q, Age: c.Query("age"), Ages: reconcile.Ages[:], Mine: s.caller(c).Name, Hands: s.caller(c).Has(handsOn()...)}
	if open != 0 {
		if b.Open, err = s.drawer(c, open, b.Query); err != nil {
			return err
		}
		if partial(c) {
			return s.show(c, "findings", "drawer", view{Body: b.Open})
		}
	}
	if c.Query("counts") != "" {
		if b.Counts, err = s.countReasons(c, q); err != nil {
			return err
		}
		if partial(c) {
			return s.show(c, "findings", "reasons", view{Body: b.Counts})
		}
	}
	if err := s.fillQueue(c, &b); err != nil {
		return err
	}
	return s.show(c, "findings", "queue", view{Title: "差异处理", Menu: "/findings", Body: b})
}

func (s *server) countReasons(c *gin.Context, q reconcile.FindingQuery) (*reasonCounts, error) {
	query := c.Request.URL.Query()
	query.Del("counts")
	r := reasonCounts{Query: query, Code: q.Code}
	q.Code = ""
	codes, err := s.Reconcile.CountFindings(c.Request.Context(), s.sight(c), q)
	r.All, r.Chosen = countsOf(codes), countsOf(codes)
	if r.Code != "" {
		r.Chosen = countsOf(slices.DeleteFunc(slices.Clone(codes), func(one reconcile.CodeCount) bool { return one.Code != r.Code }))
	}
	return &r, err
}

func (s *server) fillQueue(c *gin.Context, b *findingQueue) error {
	ctx := c.Request.Context()
	rows, next, err := s.Reconcile.Findings(ctx, s.sight(c), b.Asked)
	if err != nil {
		return err
	}
	b.Next = next
	age, err := s.Reconcile.Ageing(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		b.Rows = append(b.Rows, queueRow{r, age(r.Day)})
	}
	b.Banks = s.bankChoices()
	b.Offices, err = s.offices(ctx)
	return err
}

// offices are the departments that a finding may be with.
func (s *server) offices(ctx context.Context) ([]string, error) {
	lots, err := platform.Departments(ctx, s.DB)
	all := []string{string(reconcile.Finance), string(reconcile.IT)}
	for _, name := range lots {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all, err
}

func (s *server) drawer(c *gin.Context, id sqldb.ID, query url.Values) (*findingDrawer, error) {
	v, err := s.Reconcile.Finding(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return nil, err
	}
	d, who := &findingDrawer{FindingView: v, Query: query}, s.caller(c)
	d.Files, d.Reveal = who.Has(fileReaders()...), s.keepRights(c).RevealAt("/findings/", id)
	if d.Hands = who.Has(handsOn()...); d.Hands {
		d.Acts = choicesOf(v)
	}
	d.Offices, err = s.offices(c.Request.Context())
	return d, err
}

// choicesOf are the acts that a finding's state lets people do, the likely ones first.
func choicesOf(v *reconcile.FindingView) (all []findingChoice) {
	offer := func(wanted bool, act, name, key string) {
		if wanted {
			all = append(all, findingChoice{act, name, key})
		}
	}
	steps := reconcile.FindingMoves[v.State]
	undo := "重新打开"
	if v.UndoUntil != nil {
		undo = "撤销"
	}
	offer(steps["confirm"] != "", "confirm", "确认", "a")
	offer(steps["explain"] != "", "explain", "说明", "")
	offer(v.State != reconcile.Settled && v.State != reconcile.Cleared, "hand_over", "移交", "t")
	offer(v.State != reconcile.Settled && v.State != reconcile.Cleared && v.Credit != 0 && v.Code.Refundable(), "refund", "提出退付", "")
	offer(steps["settle"] != "", "settle", "办结", "")
	offer(steps["reopen"] != "", "reopen", undo, "")
	return all
}

// doneNames are what the page says after an act.
var doneNames = map[string]string{"confirm": "已确认", "explain": "已说明", "settle": "已办结", "reopen": "已恢复为待处理，原记录保留", "hand_over": "已移交", "refund": "已提出退付",
	"take": "已认领", "comment": "已留言"}

// actOnFinding takes a form of the drawer, and shows the drawer again.
func (s *server) actOnFinding(c *gin.Context) error {
	if _, err := s.findingQuery(c, findingParameters...); err != nil {
		return err
	}
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	w := workOf(f, f.number("version"))
	if err := f.err(); err != nil {
		return err
	}
	if err := s.work(c, by, id, w); err != nil {
		return err
	}
	query := c.Request.URL.Query()
	query.Set("open", id.String())
	if !partial(c) {
		return seeOther(c, "/findings?"+query.Encode())
	}
	d, err := s.drawer(c, id, query)
	if err != nil {
		return err
	}
	d.Done = doneNames[w.act]
	c.Header("HX-Trigger", "moved")
	return s.show(c, "findings", "drawer", view{Body: d})
}

// findingColumns are the columns of the workbook.
var findingColumns = []sheet.Column{
	{Title: "日期", Kind: sheet.Day, Width: 12}, {Title: "银行", Width: 18}, {Title: "母账户", Kind: sheet.Number, Width: 24}, {Title: "原因", Width: 18}, {Title: "全部原因", Width: 28},
	{Title: "银行流水号", Kind: sheet.Number, Width: 24}, {Title: "子账号", Kind: sheet.Number, Width: 26}, {Title: "记账时间", Width: 20}, {Title: "金额（元）", Kind: sheet.Money, Width: 16},
	{Title: "付款人", Width: 34}, {Title: "标段编号", Kind: sheet.Number, Width: 22}, {Title: "投标人", Width: 34}, {Title: "疑为标段", Kind: sheet.Number, Width: 22}, {Title: "疑为投标人", Width: 34},
	{Title: "责任科室", Width: 14}, {Title: "经办人", Width: 14}, {Title: "状态", Width: 10}, {Title: "说明", Width: 40},
}

// exportFindings gives what the filters find as a workbook.
func (s *server) exportFindings(c *gin.Context) error {
	q, err := s.findingQuery(c, findingParameters...)
	if err != nil {
		return err
	}
	q.Limit = 0
	book := sheet.NewExport("差异", findingColumns)
	err = fillBook(book, func(cursor string) ([]reconcile.FindingRow, string, error) {
		q.After = cursor
		return s.Reconcile.Findings(c.Request.Context(), s.sight(c), q)
	}, s.findingCells)
	if err != nil {
		return err
	}
	return giveBook(c, book, s.filterLines(q), "findings.xlsx", "差异-"+string(s.today())+".xlsx")
}

func (s *server) findingCells(r *reconcile.FindingRow) []any {
	reasons := ""
	for i, code := range r.Reasons {
		if i > 0 {
			reasons += "、"
		}
		reasons += code.Name()
	}
	booked := ""
	if r.BookedAt != nil {
		booked = deposit.Wall(*r.BookedAt)
	}
	return []any{string(r.Day), s.bankName(r.Bank), r.ParentAccount, r.Code.Name(), reasons, r.Serial, r.SubAccount, booked, r.Amount, r.Payer, r.Lot, r.Bidder,
		r.SuggestedLot, r.SuggestedBidder, r.Department, r.Owner, reconcile.StateName[r.State], r.Detail}
}

func ownerName(owner string) string {
	if owner == reconcile.Nobody {
		return "未认领"
	}
	return owner
}

// filterLines say what a workbook was asked for.
func (s *server) filterLines(q reconcile.FindingQuery) [][2]string {
	state := reconcile.StateName[q.State]
	if q.Todo {
		state = "待处理、已说明"
	}
	return [][2]string{{"日期", string(q.Day)}, {"银行", s.bankName(q.Bank)}, {"原因", q.Code.Name()}, {"状态", state}, {"责任科室", q.Department}, {"经办人", ownerName(q.Owner)}, {"日期自", string(q.Since)}, {"日期至", string(q.Until)}, {"查找", q.Search},
		s.madeAt()}
}
