package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/refund"
)

// Batch is what one bank is told to pay from one parent account.
type Batch struct {
	ID            sqldb.ID    `json:"id"`
	Sealed        bool        `json:"sealed"` // of sealed refunds: the total is secret, and none is signed
	Number        string      `json:"number"`
	Bank          string      `json:"bank"`
	ParentAccount string      `json:"parent_account"`
	Count         int         `json:"count"`
	Total         deposit.Fen `json:"total"`
	Digest        string      `json:"digest"` // what approvals sign
	MadeBy        string      `json:"made_by"`
	MadeAt        time.Time   `json:"made_at"`
	CheckedBy     string      `json:"checked_by"`
	CheckedAt     *time.Time  `json:"checked_at,omitempty"`
	ReleasedBy    string      `json:"released_by"`
	ReleasedAt    *time.Time  `json:"released_at,omitempty"`
	State         string      `json:"state"`
	StateName     string      `json:"state_name"`
	Version       int64       `json:"version"`
}

func batchOf(b *refund.Batch) Batch {
	return Batch{ID: b.ID, Sealed: b.Sealed, Number: b.Number, Bank: b.Bank, ParentAccount: b.ParentAccount, Count: b.Count, Total: b.Total, Digest: b.Digest,
		MadeBy: b.MadeBy, MadeAt: inShanghai(b.MadeAt), CheckedBy: b.CheckedBy, CheckedAt: inShanghaiIf(b.CheckedAt), ReleasedBy: b.ReleasedBy, ReleasedAt: inShanghaiIf(b.ReleasedAt),
		State: b.State, StateName: refund.BatchStateName(b.State), Version: b.Version}
}

func batchesOf(all []refund.Batch) []Batch {
	told := make([]Batch, len(all))
	for i := range all {
		told[i] = batchOf(&all[i])
	}
	return told
}

// BatchPage is some batches; Next, where there are more, is the cursor of the next page.
type BatchPage struct {
	Batches []Batch `json:"batches"`
	Next    string  `json:"next,omitempty"`
}

// BatchLines is a batch with its lines, in the order in which they are signed.
type BatchLines struct {
	Batch
	Refunds []Refund `json:"refunds"`
}

// mostComposed is how many lines one request makes batches of: as many as a list has.
const mostComposed = 5000

// postBatches makes batches of drafts: one for each bank and parent account, at most five hundred lines each.
func (s *server) postBatches(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	lines := f.ids("lines", mostComposed)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	made, err := s.Refund.Compose(c.Request.Context(), by, lines)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, BatchPage{Batches: batchesOf(made)})
	return nil
}

// act reads what a person asks for: who it is, and the body.
func (s *server) act(c *gin.Context) (by string, f *form, err error) {
	if err := onlyParameters(c); err != nil {
		return "", nil, err
	}
	if by, err = s.person(c); err != nil {
		return "", nil, err
	}
	f, err = body(c)
	return by, f, err
}

// actOnOne is act on what the path names.
func (s *server) actOnOne(c *gin.Context) (id sqldb.ID, by string, f *form, err error) {
	if id, err = idParam(c); err != nil {
		return 0, "", nil, err
	}
	by, f, err = s.act(c)
	return id, by, f, err
}

func (s *server) getBatches(c *gin.Context) error {
	if err := onlyParameters(c, "state", "bank", "limit", "cursor"); err != nil {
		return err
	}
	q := refund.BatchQuery{State: c.Query("state"), Bank: c.Query("bank"), After: c.Query("cursor")}
	if q.State != "" && refund.BatchStateName(q.State) == "" {
		return badParameter("state", "state_unknown", "没有这种批次状态，见 /v1/openapi.yaml")
	}
	var err error
	if q.Limit, err = limit(c); err != nil {
		return err
	}
	page, next, err := s.Refund.Batches(c.Request.Context(), s.sight(c), q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, BatchPage{batchesOf(page), next})
	return nil
}

func (s *server) getBatch(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	return s.showBatch(c, id)
}

// getBatchDiagnosis tells all that is on record of a batch, where its failures lie, and what can be submitted again.
func (s *server) getBatchDiagnosis(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	if err := onlyParameters(c); err != nil {
		return err
	}
	found, err := s.Refund.Diagnose(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, found)
	return nil
}

func (s *server) showBatch(c *gin.Context, id sqldb.ID) error {
	b, lines, err := s.Refund.BatchWithLines(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	tag(c, b.Version)
	c.JSON(http.StatusOK, BatchLines{batchOf(&b), s.refundsOf(lines)})
	return nil
}

func (s *server) checkBatch(c *gin.Context, seen int64) error {
	return s.signBatch(c, seen, s.Refund.Check)
}

func (s *server) releaseBatch(c *gin.Context, seen int64) error {
	return s.signBatch(c, seen, s.Refund.Release)
}

// signBatch takes a person's signature: the version and digest seen, and count and total entered again by hand.
func (s *server) signBatch(c *gin.Context, seen int64, sign func(context.Context, string, refund.Signature) (refund.Batch, error)) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	signature := refund.Signature{Batch: id, Version: seen, Digest: f.text("digest", mostNumber), Count: int(f.number("count")), Total: f.yuanIf("total")}
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	b, err := sign(c.Request.Context(), by, signature)
	if err != nil {
		return err
	}
	tag(c, b.Version)
	c.JSON(http.StatusOK, batchOf(&b))
	return nil
}

// takeOut takes lines that were not sent out of a batch; its approvals are void then.
func (s *server) takeOut(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	lines, note, cancel := f.ids("lines", mostComposed), strings.TrimSpace(f.text("note", mostNote)), f.flag("cancel")
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	if _, err := s.Refund.TakeOut(c.Request.Context(), by, id, seen, lines, note, cancel); err != nil {
		return err
	}
	return s.showBatch(c, id)
}

// ResultTaken says how many messages of ours a result was about.
type ResultTaken struct {
	Messages int `json:"messages"`
}

// postResult takes a bank's result file, as the bank wrote it. It may be taken again.
func (s *server) postResult(c *gin.Context) error {
	if err := onlyParameters(c, "bank"); err != nil {
		return err
	}
	by, err := s.person(c)
	if err != nil {
		return err
	}
	if c.Query("bank") == "" {
		return badParameter("bank", "field_missing", "请用 bank 参数写明银行代码")
	}
	b, err := s.Banks.Bank(c.Query("bank"))
	if err != nil {
		return err
	}
	if !b.Pays() {
		return deposit.Refuse(deposit.Conflict, "bank_cannot_pay", "该银行没有配置付款格式（banks.yaml 的 payout）")
	}
	raw, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return err
	}
	named, err := s.Refund.Result(c.Request.Context(), by, b, raw)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, ResultTaken{named})
	return nil
}
