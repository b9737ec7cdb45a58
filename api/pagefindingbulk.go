package api

import (
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/reconcile"
)

// findingBulk is what one act would be done on: how many, how much, and the first of them.
type findingBulk struct {
	Query   url.Values
	Filters [][2]string
	IDs     []sqldb.ID
	Counts  FindingCounts
	First   []reconcile.FindingRow
	Acts    []findingChoice
}

// bulkShown is how many of the findings the preview shows.
const bulkShown = 20

// bulkActs are the acts that are done on many at once.
var bulkActs = []findingChoice{{"confirm", "确认", ""}, {"explain", "说明", ""}, {"settle", "办结", ""}, {"reopen", "撤销（恢复为待处理）", ""}}

// bulkQuery is what an act on many is done on: the findings that were ticked, or else all that the filters find.
func (s *server) bulkQuery(c *gin.Context) (q reconcile.FindingQuery, err error) {
	if q, err = s.findingQuery(c, "id", "cursor", "limit", "open"); err != nil {
		return q, err
	}
	q.After = ""
	q.IDs, err = tickedIDs(strings.Split(c.Query("id"), ","))
	return q, err
}

// previewBulk shows what an act would be done on.
func (s *server) previewBulk(c *gin.Context) error {
	q, err := s.bulkQuery(c)
	if err != nil {
		return err
	}
	b := findingBulk{Query: c.Request.URL.Query(), Filters: s.filterLines(q), IDs: q.IDs, Acts: bulkActs}
	codes, err := s.Reconcile.CountFindings(c.Request.Context(), s.sight(c), q)
	if err != nil {
		return err
	}
	b.Counts = countsOf(codes)
	q.Limit = bulkShown
	if b.First, _, err = s.Reconcile.Findings(c.Request.Context(), s.sight(c), q); err != nil {
		return err
	}
	return s.show(c, "bulk", "", view{Title: "批量处理", Menu: "/findings", Body: b})
}

// chooseBulk goes on from the ticks of the queue to the preview, whose address then names them.
func (s *server) chooseBulk(c *gin.Context) error {
	if _, err := s.findingQuery(c, findingParameters...); err != nil {
		return err
	}
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	query := c.Request.URL.Query()
	query.Del("open")
	if ids := chosen(c, "id"); len(ids) > 0 {
		query.Set("id", strings.Join(ids, ","))
	}
	return seeOther(c, "/findings/bulk?"+query.Encode())
}

func tickedIDs(texts []string) (all []sqldb.ID, err error) {
	for _, text := range texts {
		if text == "" {
			continue
		}
		id, err := sqldb.ParseID(text)
		if err != nil {
			return nil, badParameter("id", "id_malformed", "id 应为 13 位小写字母和数字的编号")
		}
		all = append(all, id)
	}
	return all, nil
}

// actInBulk does the act on what the preview showed.
func (s *server) actInBulk(c *gin.Context) error {
	q, err := s.bulkQuery(c)
	if err != nil {
		return err
	}
	by, err := s.person(c)
	if err != nil {
		return err
	}
	f, err := formOf(c, "count")
	if err != nil {
		return err
	}
	sweep := reconcile.Sweep{Query: q, Act: f.act([]string{"confirm", "explain", "settle", "reopen"}), Note: f.text("note", mostNote), Count: f.number("count"), Total: f.balance("total")}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	if err := s.Reconcile.MoveFindings(c.Request.Context(), by, s.sight(c), sweep); err != nil {
		return err
	}
	s.Judge()
	query := c.Request.URL.Query()
	query.Del("id")
	return seeOther(c, "/findings?"+query.Encode())
}
