package api

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/reconcile"
)

// auditors read the audit trail.
func auditors() []Role { return []Role{people.AuditAdmin, people.Auditor} }

// AuditEvent is a line of the audit trail.
type AuditEvent struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`    // a person, a bank's code, or a job
	Table  string    `json:"table"` // what kind of thing it happened to
	Row    sqldb.ID  `json:"row"`   // and which
	Was    string    `json:"was"`   // the state before; "" where it is no step of states
	Became string    `json:"became"`
	Note   string    `json:"note"`
}

// AuditPage is some events, the newest first.
type AuditPage struct {
	Events []AuditEvent `json:"events"`
	Sealed bool         `json:"sealed"` // what may be of a sealed lot is left out
	Next   string       `json:"next,omitempty"`
}

// auditParameters are what the trail is asked by.
var auditParameters = []string{"day", "by", "table", "row", "limit", "cursor"}

func auditQuery(c *gin.Context) (q platform.AuditQuery, err error) {
	if err := onlyParameters(c, auditParameters...); err != nil {
		return q, err
	}
	q = platform.AuditQuery{By: c.Query("by"), Table: c.Query("table"), After: c.Query("cursor")}
	if q.Day, err = dayIf(c, "day"); err != nil {
		return q, err
	}
	if text := c.Query("row"); text != "" {
		if q.Row, err = sqldb.ParseID(text); err != nil {
			return q, badParameter("row", "id_malformed", "row 应为 13 位的编号")
		}
	}
	q.Limit, err = limit(c)
	return q, err
}

func (s *server) audit(c *gin.Context) (p AuditPage, err error) {
	q, err := auditQuery(c)
	if err != nil {
		return p, err
	}
	return s.auditPage(c, q)
}

func (s *server) auditPage(c *gin.Context, q platform.AuditQuery) (p AuditPage, err error) {
	all, next, short, err := platform.Audit(c.Request.Context(), s.DB, q)
	p = AuditPage{Events: make([]AuditEvent, len(all)), Sealed: short, Next: next}
	for i, e := range all {
		p.Events[i] = AuditEvent{At: inShanghai(e.At), By: e.By, Table: e.Table, Row: e.Row, Was: e.Was, Became: e.Became, Note: e.Note}
	}
	return p, err
}

func (s *server) getEvents(c *gin.Context) error {
	p, err := s.audit(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, p)
	return nil
}

// getSeal tells whether a day's events are sealed, and still are what was sealed.
func (s *server) getSeal(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	day, err := dayParam(c)
	if err != nil {
		return err
	}
	seal, err := s.Reconcile.DaySeal(c.Request.Context(), day)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, seal)
	return nil
}

// auditView is the audit trail as its page shows it.
type auditView struct {
	AuditPage
	Query  url.Values
	Tables []bankChoice
	Seal   *reconcile.DaySeal // of the day that is asked for
}

func (s *server) pageAudit(c *gin.Context) error {
	p, err := s.audit(c)
	if err != nil {
		return err
	}
	b := auditView{AuditPage: p, Query: c.Request.URL.Query()}
	for _, table := range slices.Sorted(tablesOfTrail()) {
		b.Tables = append(b.Tables, bankChoice{table, auditTables[table]})
	}
	if day := deposit.Day(c.Query("day")); day != "" {
		if b.Seal, err = s.Reconcile.DaySeal(c.Request.Context(), day); err != nil {
			return err
		}
	}
	return s.show(c, "audit", "", view{Title: "审计", Menu: "/audit", Body: b})
}

var auditColumns = []sheet.Column{{Title: "时间", Width: 20}, {Title: "经办", Width: 18}, {Title: "对象", Width: 14}, {Title: "编号", Kind: sheet.Number, Width: 16}, {Title: "原状态", Width: 16},
	{Title: "事项", Width: 22}, {Title: "说明", Width: 60}}

func (s *server) exportAudit(c *gin.Context) error {
	q, err := auditQuery(c)
	if err != nil {
		return err
	}
	q.Limit = maxLimit
	book := sheet.NewExport("审计", auditColumns)
	err = fillBook(book, func(cursor string) ([]AuditEvent, string, error) {
		q.After = cursor
		page, err := s.auditPage(c, q)
		return page.Events, page.Next, err
	}, func(e *AuditEvent) []any {
		return []any{deposit.Wall(e.At), e.By, auditTable(e.Table), e.Row.String(), auditWord(e.Was), auditWord(e.Became), e.Note}
	})
	if err != nil {
		return err
	}
	filters := [][2]string{{"日期", string(q.Day)}, {"经办", q.By}, {"对象", auditTable(q.Table)}, s.madeAt()}
	return giveBook(c, book, filters, "audit.xlsx", "审计-"+string(s.today())+".xlsx")
}
