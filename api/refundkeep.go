package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/refund"
)

// Disposition keeps money of a credit here: held, forfeited or converted, by a sealed paper and two persons.
type Disposition struct {
	ID          sqldb.ID               `json:"id"`
	Credit      sqldb.ID               `json:"credit"`
	Kind        refund.DispositionKind `json:"kind"`
	Purpose     string                 `json:"purpose"`
	PurposeName string                 `json:"purpose_name"`
	Amount      deposit.Fen            `json:"amount"`
	Document    string                 `json:"document"`
	Reason      string                 `json:"reason"`
	MadeBy      string                 `json:"made_by"`
	ApprovedBy  string                 `json:"approved_by"`
	MadeAt      time.Time              `json:"made_at"`
	State       string                 `json:"state"`
	StateName   string                 `json:"state_name"`
	Version     int64                  `json:"version"`
}

var dispositionStates = map[string]string{refund.Proposed: "待批准", refund.Standing: "已生效", refund.LiftedOff: "已解除", refund.Declined: "未批准"}

func dispositionOf(x *refund.Disposition) Disposition {
	return Disposition{ID: x.ID, Credit: x.EntryID, Kind: x.Kind, Purpose: x.Purpose, PurposeName: x.PurposeName(), Amount: x.Amount, Document: x.Document, Reason: x.Reason,
		MadeBy: x.MadeBy, ApprovedBy: x.ApprovedBy, MadeAt: inShanghai(x.MadeAt), State: x.State, StateName: dispositionStates[x.State], Version: x.Version}
}

// DispositionPage is some dispositions; Next, where there are more, is the cursor of the next page.
type DispositionPage struct {
	Dispositions []Disposition `json:"dispositions"`
	Next         string        `json:"next,omitempty"`
}

func (s *server) postDisposition(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	x, err := s.dispose(c, by, f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, dispositionOf(&x))
	return nil
}

// dispose reads an order to keep money here and gives it.
func (s *server) dispose(c *gin.Context, by string, f *form) (refund.Disposition, error) {
	order := refund.DispositionOrder{Eyes: s.sight(c), EntryID: f.id("credit"), Kind: refund.DispositionKind(f.text("kind", mostNumber)), Amount: f.yuanIf("amount"), Purpose: f.textIf("purpose", mostNumber),
		Document: f.text("document", mostNumber), Reason: f.textIf("reason", mostNote)}
	f.done()
	if err := f.err(); err != nil {
		return refund.Disposition{}, err
	}
	return s.Refund.Dispose(c.Request.Context(), by, order)
}

func (s *server) getDispositions(c *gin.Context) error {
	page, err := s.dispositionPage(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// dispositionPage is the page of dispositions that is asked for.
func (s *server) dispositionPage(c *gin.Context) (page DispositionPage, err error) {
	q, err := keepQuery(c, dispositionStates)
	if err != nil {
		return page, err
	}
	rows, next, err := s.Refund.DispositionPage(c.Request.Context(), s.sight(c), q)
	page = DispositionPage{Dispositions: dispositionsOf(rows), Next: next}
	return page, err
}

func dispositionsOf(rows []refund.Disposition) []Disposition {
	told := make([]Disposition, len(rows))
	for i := range rows {
		told[i] = dispositionOf(&rows[i])
	}
	return told
}

// keepQuery asks for what concerns a credit, or stands in a state.
func keepQuery(c *gin.Context, states map[string]string) (q refund.KeepQuery, err error) {
	if err := onlyParameters(c, "credit", "state", "limit", "cursor"); err != nil {
		return q, err
	}
	q.State, q.After = c.Query("state"), c.Query("cursor")
	if q.State != "" && states[q.State] == "" {
		return q, badParameter("state", "state_unknown", "没有这种状态，见 /v1/openapi.yaml")
	}
	if q.Credit, err = idIf(c, "credit"); err != nil {
		return q, err
	}
	q.Limit, err = limit(c)
	return q, err
}

// What people do with a disposition, and with a payee change.
var (
	dispositionActs = []string{"approve", "refuse", "lift"}
	changeActs      = []string{"review", "approve", "confirm", "refuse"}
)

// moveOf reads a step and the opinion on it.
func moveOf(f *form, id sqldb.ID, seen int64, acts []string) (refund.Move, error) {
	m := refund.Move{ID: id, Version: seen, Act: f.act(acts), Note: strings.TrimSpace(f.text("note", mostNote))}
	f.done()
	return m, f.err()
}

func (s *server) moveDisposition(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	m, err := moveOf(f, id, seen, dispositionActs)
	if err != nil {
		return err
	}
	x, err := s.Refund.MoveDisposition(c.Request.Context(), by, s.sight(c), m)
	if err != nil {
		return err
	}
	tag(c, x.Version)
	c.JSON(http.StatusOK, dispositionOf(&x))
	return nil
}

// PayeeChange lets a credit go back to another account than it came from.
type PayeeChange struct {
	ID             sqldb.ID        `json:"id"`
	Credit         sqldb.ID        `json:"credit"`
	PayeeName      deposit.Name    `json:"payee_name"`
	PayeeAccount   deposit.Account `json:"payee_account"`
	PayeeBank      string          `json:"payee_bank"`
	PayeeBankCode  string          `json:"payee_bank_code"`
	Evidence       string          `json:"evidence"`
	EvidenceSHA256 string          `json:"evidence_sha256"`
	MadeBy         string          `json:"made_by"`
	ReviewedBy     string          `json:"reviewed_by"`
	ApprovedBy     string          `json:"approved_by"`
	ConfirmedBy    string          `json:"confirmed_by"`
	MadeAt         time.Time       `json:"made_at"`
	EffectiveAt    *time.Time      `json:"effective_at,omitempty"`
	State          string          `json:"state"`
	StateName      string          `json:"state_name"`
	Version        int64           `json:"version"`
}

func changeOf(p *refund.PayeeChange) PayeeChange {
	return PayeeChange{ID: p.ID, Credit: p.EntryID, PayeeName: deposit.Name(p.PayeeName), PayeeAccount: deposit.Account(p.PayeeAccount), PayeeBank: p.PayeeBank, PayeeBankCode: p.PayeeBankCode, Evidence: p.Evidence,
		EvidenceSHA256: p.EvidenceSHA256, MadeBy: p.MadeBy, ReviewedBy: p.ReviewedBy, ApprovedBy: p.ApprovedBy, ConfirmedBy: p.ConfirmedBy, MadeAt: inShanghai(p.MadeAt),
		EffectiveAt: inShanghaiIf(p.EffectiveAt), State: p.State, StateName: refund.ChangeStates[p.State], Version: p.Version}
}

// PayeeChangePage is some changes; Next, where there are more, is the cursor of the next page.
type PayeeChangePage struct {
	Changes []PayeeChange `json:"changes"`
	Next    string        `json:"next,omitempty"`
}

func (s *server) postChange(c *gin.Context) error {
	by, f, err := s.act(c)
	if err != nil {
		return err
	}
	p, err := s.proposeChange(c, by, f)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, changeOf(&p))
	return nil
}

// proposeChange reads a changed payee and enters it.
func (s *server) proposeChange(c *gin.Context, by string, f *form) (refund.PayeeChange, error) {
	order := refund.ChangeOrder{Eyes: s.sight(c), EntryID: f.id("credit"), PayeeName: f.text("payee_name", mostName), PayeeAccount: f.text("payee_account", mostNumber), PayeeBank: f.textIf("payee_bank", mostName),
		PayeeBankCode: f.textIf("payee_bank_code", mostBankCode), Evidence: f.text("evidence", mostNote), EvidenceSHA256: f.textIf("evidence_sha256", mostNumber)}
	f.done()
	if err := f.err(); err != nil {
		return refund.PayeeChange{}, err
	}
	return s.Refund.ProposeChange(c.Request.Context(), by, order)
}

func (s *server) getChanges(c *gin.Context) error {
	page, err := s.changePage(c)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// changePage is the page of payee changes that is asked for.
func (s *server) changePage(c *gin.Context) (page PayeeChangePage, err error) {
	q, err := keepQuery(c, refund.ChangeStates)
	if err != nil {
		return page, err
	}
	rows, next, err := s.Refund.ChangePage(c.Request.Context(), s.sight(c), q)
	return PayeeChangePage{Changes: changesOf(rows), Next: next}, err
}

func changesOf(rows []refund.PayeeChange) []PayeeChange {
	told := make([]PayeeChange, len(rows))
	for i := range rows {
		told[i] = changeOf(&rows[i])
	}
	return told
}

// changeRoles is who takes which step of a changed payee: the business department reviews, or finance where the money is no lot's;
// finance approves, and a leader confirms. Whoever has a doubt may refuse.
var changeRoles = map[string][]Role{"review": {people.Department, people.FinanceMaker}, "approve": {people.FinanceChecker}, "confirm": {people.Leader}}

// takeChange takes one step, for JSON and page alike.
func (s *server) takeChange(c *gin.Context, by string, m refund.Move) (p refund.PayeeChange, err error) {
	if roles, held := changeRoles[m.Act]; held && !s.caller(c).Has(roles...) {
		return p, roleMissing(roles)
	}
	return s.Refund.MoveChange(c.Request.Context(), by, s.sight(c), m)
}

func (s *server) moveChange(c *gin.Context, seen int64) error {
	id, by, f, err := s.actOnOne(c)
	if err != nil {
		return err
	}
	m, err := moveOf(f, id, seen, changeActs)
	if err != nil {
		return err
	}
	p, err := s.takeChange(c, by, m)
	if err != nil {
		return err
	}
	tag(c, p.Version)
	c.JSON(http.StatusOK, changeOf(&p))
	return nil
}
