package api

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// FindingPage is some findings; Next, where there are more, is the cursor of the next page.
type FindingPage struct {
	Findings []reconcile.FindingRow `json:"findings"`
	Next     string                 `json:"next,omitempty"`
}

func (s *server) getFindings(c *gin.Context) error {
	q, err := s.findingQuery(c, "limit", "cursor")
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

// mostSearched is how long a search text may be.
const mostSearched = 64

// stateTodo asks for the states in which somebody still has to see to a finding.
const stateTodo = "TODO"

// findingQuery reads which findings are wanted; more names the parameters that are known beside.
func (s *server) findingQuery(c *gin.Context, more ...string) (q reconcile.FindingQuery, err error) {
	if err := onlyParameters(c, append(more, "day", "bank", "code", "state", "department", "owner", "age", "search")...); err != nil {
		return q, err
	}
	q = reconcile.FindingQuery{Bank: c.Query("bank"), Code: reconcile.Code(c.Query("code")), State: c.Query("state"), Department: c.Query("department"), Owner: c.Query("owner"),
		Search: strings.TrimSpace(c.Query("search"))}
	if q.Day, err = dayIf(c, "day"); err != nil {
		return q, err
	}
	if q.State == stateTodo {
		q.State, q.Todo = "", true
	}
	switch {
	case q.Code != "" && q.Code.Name() == "":
		return q, badParameter("code", "code_unknown", "没有这种差错代码，见 /v1/openapi.yaml")
	case q.State != "" && reconcile.StateName[q.State] == "":
		return q, badParameter("state", "state_unknown", "state 应为 TODO、OPEN、EXPLAINED、SETTLED 或 CLEARED")
	case utf8.RuneCountInString(q.Search) > mostSearched:
		return q, badParameter("search", "text_too_long", "查找内容最多 64 个字符")
	}
	if age := c.Query("age"); age != "" {
		band := slices.IndexFunc(reconcile.Ages[:], func(a reconcile.Age) bool { return a.Code == age })
		if band < 0 {
			return q, badParameter("age", "age_unknown", "age 应为 T1、T3、T7 或 OVER")
		}
		if q.Since, q.Until, err = s.Reconcile.DaysOfAge(c.Request.Context(), band); err != nil {
			return q, err
		}
	}
	q.After = c.Query("cursor")
	q.Limit, err = limit(c)
	return q, err
}

// FindingCounts is how many findings a query finds, by code.
type FindingCounts struct {
	Findings int64                 `json:"findings"`
	Amount   deposit.Fen           `json:"amount"`
	Codes    []reconcile.CodeCount `json:"codes"`
}

func countsOf(codes []reconcile.CodeCount) FindingCounts {
	all := FindingCounts{Codes: codes}
	for _, c := range codes {
		all.Findings += c.Findings
		all.Amount += c.Amount
	}
	return all
}

func (s *server) getFindingCounts(c *gin.Context) error {
	q, err := s.findingQuery(c)
	if err != nil {
		return err
	}
	codes, err := s.Reconcile.CountFindings(c.Request.Context(), s.sight(c), q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, countsOf(codes))
	return nil
}

func (s *server) getFinding(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	v, err := s.Reconcile.Finding(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	tag(c, v.Version)
	c.JSON(http.StatusOK, v)
	return nil
}

// FindingMoved is a finding after a move.
type FindingMoved struct {
	ID      sqldb.ID `json:"id"`
	Version int64    `json:"version"`
}

// moveFinding lets a person confirm, explain, settle or reopen a finding; which acts there are, the machine knows.
func (s *server) moveFinding(c *gin.Context, seen int64) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	m := reconcile.FindingMove{ID: id, Version: seen, Act: f.text("act", mostNumber), Note: strings.TrimSpace(f.text("note", mostNote))}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	if err := s.Reconcile.MoveFinding(c.Request.Context(), author(c), s.sight(c), m); err != nil {
		return err
	}
	s.Judge() // a contradiction that is settled sets its credit free
	tag(c, seen+1)
	c.JSON(http.StatusOK, FindingMoved{ID: id, Version: seen + 1})
	return nil
}

// workOnFinding does one of the acts that are no move: comment, take, hand_over. It answers what the finding is then.
func (s *server) workOnFinding(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	w := workOf(f, seen)
	if err := f.err(); err != nil {
		return err
	}
	if err := s.work(c, by, id, w); err != nil {
		return err
	}
	v, err := s.Reconcile.Finding(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	tag(c, v.Version)
	c.JSON(http.StatusOK, v)
	return nil
}

// moveFindings does one act on all findings of a query, whose count and total the caller has seen.
func (s *server) moveFindings(c *gin.Context) error {
	q, err := s.findingQuery(c)
	if err != nil {
		return err
	}
	by, err := s.person(c)
	if err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	if f.fields["ids"] != nil {
		q.IDs = f.ids("ids", maxLimit)
	}
	sweep := reconcile.Sweep{Query: q, Act: f.text("act", mostNumber), Note: strings.TrimSpace(f.text("note", mostNote)), Count: f.number("count"), Total: f.balance("total")}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	if err := s.Reconcile.MoveFindings(c.Request.Context(), by, s.sight(c), sweep); err != nil {
		return err
	}
	s.Judge()
	c.JSON(http.StatusOK, FindingsMoved{sweep.Count})
	return nil
}

// FindingsMoved is how many findings one act has moved.
type FindingsMoved struct {
	Moved int64 `json:"moved"`
}
