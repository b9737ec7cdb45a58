package api

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/refund"
)

// refundPages is the money's way back before a browser.
func (s *server) refundPages(readers []Role) []Route {
	maker, checker, leader := []Role{people.FinanceMaker}, []Role{people.FinanceChecker}, []Role{people.Leader}
	lists, finance := handsOn(), slices.Concat(maker, checker)
	return []Route{
		{"GET", "/refunds", readers, s.pageProposals, "", 0, awhile},
		{"POST", "/refunds", lists, s.acceptProposals, formType, maxForm, awhile},
		{"GET", "/refunds/due", readers, s.pageDue, "", 0, awhile},
		{"GET", "/refunds/lists", readers, s.pageLists, "", 0, shortly},
		{"GET", "/refunds/lists/:id", readers, s.pageList, "", 0, awhile},
		{"GET", "/refunds/upload", lists, s.pageUpload, "", 0, shortly},
		{"POST", "/refunds/upload", lists, s.upload, fileType, sheet.MaxFile + maxForm, awhile},
		{"GET", "/refunds/batches", readers, s.pageBatches, "", 0, shortly},
		{"POST", "/refunds/batches", maker, s.composeBatches, formType, maxForm, shortly},
		{"GET", "/refunds/batches/:id", readers, s.pageBatch, "", 0, awhile},
		{"GET", "/refunds/batches/:id/corrected.xlsx", readers, s.exportCorrected, "", 0, awhile},
		{"POST", "/refunds/batches/:id/check", checker, s.checkOnPage, formType, maxForm, shortly},
		{"POST", "/refunds/batches/:id/release", leader, s.releaseOnPage, formType, maxForm, shortly},
		{"POST", "/refunds/batches/:id/take-out", finance, s.takeOutOnPage, formType, maxForm, shortly},
	}
}

// proposalPage is what should go back and is on no list yet.
type proposalPage struct {
	ProposalPage
	Query   url.Values
	Offices []string
	Total   deposit.Fen
	Mine    string // the department that the visitor lists for; "" for any
}

func (s *server) pageProposals(c *gin.Context) error {
	if err := onlyParameters(c, "department", "limit", "cursor"); err != nil {
		return err
	}
	size, err := limit(c)
	if err != nil {
		return err
	}
	b := proposalPage{Query: c.Request.URL.Query(), Mine: s.caller(c).Department}
	page, next, err := s.Refund.Proposals(c.Request.Context(), s.sight(c), refund.ProposalQuery{Department: c.Query("department"), After: c.Query("cursor"), Limit: size})
	if err != nil {
		return err
	}
	b.Proposals, b.Next = proposalsOf(page), next
	for i := range b.Proposals {
		b.Total += b.Proposals[i].Amount
	}
	if b.Offices, err = s.offices(c.Request.Context()); err != nil {
		return err
	}
	return s.show(c, "refunds", "", view{Title: "退付", Menu: "/refunds", Body: b})
}

// acceptProposals puts what was ticked on a list, whole or not at all.
func (s *server) acceptProposals(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	f, err := formOf(c)
	if err != nil {
		return err
	}
	order := refund.ListOrder{Eyes: s.sight(c), Department: f.text("department", mostNumber), Reference: f.textIf("reference", mostNumber), Note: f.textIf("note", mostNote)}
	if err := f.err(); err != nil {
		return err
	}
	ids, err := tickedIDs(chosen(c, "credit"))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return problem(http.StatusUnprocessableEntity, "nothing_chosen", "请先勾选要退付的入账")
	}
	for i, id := range ids {
		order.Lines = append(order.Lines, refund.Order{Row: i + 1, Credit: id})
	}
	done, faults, err := s.takeList(c.Request.Context(), by, order, nil)
	if err != nil {
		return err
	}
	if refused(&order, &done, faults) {
		return problem(http.StatusUnprocessableEntity, "list_refused", "有 "+plainNumber(float64(len(faults)))+" 处不符合要求，未列入名单", listFaults(faults)...)
	}
	return seeOther(c, "/refunds/lists/"+done.List.ID.String())
}

func listFaults(all []ListFault) []Fault {
	told := make([]Fault, len(all))
	for i, f := range all {
		told[i] = Fault{Line: f.Row, Code: f.Code, Detail: "第 " + plainNumber(float64(f.Row)) + " 行：" + f.Text}
	}
	return told
}

// dueDay is a day of the calendar of what has to go back.
type dueDay struct {
	Day   deposit.Day
	Count int64
	Sum   deposit.Fen
	Rest  bool // no working day
	Now   bool
}

// duePage is what is overdue, and a calendar of the weeks ahead.
type duePage struct {
	Due
	Weeks   [][]dueDay
	Overdue dueDay
}

// weeksAhead is how many weeks the calendar shows.
const weeksAhead = 5

func (s *server) pageDue(c *gin.Context) error {
	if err := onlyParameters(c, "department"); err != nil {
		return err
	}
	today := s.today()
	monday := today.Add(-(int(today.Start().Weekday()) + 6) % 7)
	last := monday.Add(7*weeksAhead - 1)
	o, err := s.Refund.DueWithin(c.Request.Context(), s.sight(c), c.Query("department"), today.DaysTo(last))
	if err != nil {
		return err
	}
	b := duePage{Due: Due{Today: today, Until: last, Proposals: proposalsOf(o.Proposals), Refunds: s.refundsOf(o.Lines), Stale: proposalsOf(o.Stale)}}
	if b.Weeks, err = s.weeks(c, monday); err != nil {
		return err
	}
	for i := range b.Proposals {
		b.enter(deposit.Day(b.Proposals[i].DueOn), b.Proposals[i].Amount)
	}
	for i := range b.Refunds {
		b.enter(deposit.Day(b.Refunds[i].DueOn), b.Refunds[i].Amount)
	}
	return s.show(c, "due", "", view{Title: "到期日历", Menu: "/refunds", Body: b})
}

// enter counts one refund on its day; what is late is counted apart.
func (p *duePage) enter(day deposit.Day, amount deposit.Fen) {
	at := &p.Overdue
	if day >= p.Today {
		i := p.Weeks[0][0].Day.DaysTo(day)
		at = &p.Weeks[i/7][i%7]
	}
	at.Count++
	at.Sum += amount
}

func (s *server) weeks(c *gin.Context, monday deposit.Day) (weeks [][]dueDay, err error) {
	works, err := s.Reconcile.Workdays(c.Request.Context())
	for w := range weeksAhead {
		week := make([]dueDay, 7)
		for i := range week {
			day := monday.Add(7*w + i)
			week[i] = dueDay{Day: day, Rest: err == nil && !works(day), Now: day == s.today()}
		}
		weeks = append(weeks, week)
	}
	return weeks, err
}

func (s *server) pageLists(c *gin.Context) error {
	page, err := s.listPage(c)
	if err != nil {
		return err
	}
	return s.show(c, "lists", "", view{Title: "名单", Menu: "/refunds", Body: page})
}

func (s *server) pageList(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	l, lines, err := s.Refund.ListByID(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	return s.show(c, "list", "", view{Title: l.Number, Menu: "/refunds", Crumbs: []crumb{{"/refunds/lists", "名单"}}, Body: RefundListLines{listOf(&l), s.refundsOf(lines)}})
}
