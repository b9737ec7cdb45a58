package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

func (s *server) getReport(c *gin.Context) error {
	text, err := param(c, "day")
	if err != nil {
		return err
	}
	day, err := deposit.ParseDay(text)
	if err != nil {
		return badParameter("day", "day_malformed", "日期不存在或格式不对，应如 2026-06-12")
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	report, err := s.Reconcile.Report(c.Request.Context(), s.sight(c), day)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, report)
	return nil
}

// FindingPage is some findings; Next, where there are more, is the cursor of the next page.
type FindingPage struct {
	Findings []reconcile.FindingRow `json:"findings"`
	Next     string                 `json:"next,omitempty"`
}

func (s *server) getFindings(c *gin.Context) error {
	q, err := findingQuery(c)
	if err != nil {
		return err
	}
	rows, next, err := s.Reconcile.Findings(c.Request.Context(), s.sight(c), q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, FindingPage{Findings: rows, Next: next})
	return nil
}

func findingQuery(c *gin.Context) (q reconcile.FindingQuery, err error) {
	if err := onlyParameters(c, "day", "bank", "code", "state", "department", "limit", "cursor"); err != nil {
		return q, err
	}
	q = reconcile.FindingQuery{Bank: c.Query("bank"), Code: reconcile.Code(c.Query("code")), State: c.Query("state"), Department: c.Query("department")}
	if day := c.Query("day"); day != "" {
		if q.Day, err = deposit.ParseDay(day); err != nil {
			return q, badParameter("day", "day_malformed", "日期不存在或格式不对，应如 2026-06-12")
		}
	}
	if q.Code != "" && q.Code.Name() == "" {
		return q, badParameter("code", "code_unknown", "没有这种差错代码，见 /v1/openapi.yaml")
	}
	if q.State != "" && reconcile.StateName[q.State] == "" {
		return q, badParameter("state", "state_unknown", "state 应为 OPEN、EXPLAINED、SETTLED 或 CLEARED")
	}
	q.After = c.Query("cursor")
	q.Limit, err = limit(c)
	return q, err
}

func (s *server) getCredit(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	credit, err := s.Reconcile.Credit(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, credit)
	return nil
}

// FindingMoved is a finding after a move.
type FindingMoved struct {
	ID      sqldb.ID `json:"id"`
	Version int64    `json:"version"`
}

// moveFinding lets a person explain, settle or reopen a finding; which acts there are, the machine knows.
func (s *server) moveFinding(c *gin.Context, seen int64) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	act, note := f.text("act", mostNumber), strings.TrimSpace(f.text("note", mostNote))
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	move := reconcile.FindingMove{ID: id, Version: seen, Act: act, Note: note}
	if err := s.Reconcile.MoveFinding(c.Request.Context(), author(c), s.sight(c), move); err != nil {
		return err
	}
	s.Judge() // a contradiction that is settled sets its credit free
	tag(c, seen+1)
	c.JSON(http.StatusOK, FindingMoved{ID: id, Version: seen + 1})
	return nil
}
