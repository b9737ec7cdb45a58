package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/api/sheet"
	"depositd/platform/deposit"
	"depositd/platform/people"
	"depositd/refund"
)

// batchesPage is the batches, and the lines that wait to be put into one.
type batchesPage struct {
	BatchPage
	Drafts  []Refund
	Sum     deposit.Fen
	More    bool // there are more drafts than are shown
	MayMake bool
}

func (s *server) pageBatches(c *gin.Context) error {
	if err := onlyParameters(c, "state", "bank", "limit", "cursor"); err != nil {
		return err
	}
	size, err := limit(c)
	if err != nil {
		return err
	}
	ctx, eyes := c.Request.Context(), s.sight(c)
	page, next, err := s.Refund.Batches(ctx, eyes, refund.BatchQuery{State: c.Query("state"), Bank: c.Query("bank"), After: c.Query("cursor"), Limit: size})
	if err != nil {
		return err
	}
	drafts, more, err := s.Refund.Lines(ctx, eyes, refund.LineQuery{State: refund.Draft, Loose: true, Channel: refund.ByBank, Limit: maxLimit})
	if err != nil {
		return err
	}
	b := batchesPage{BatchPage: BatchPage{batchesOf(page), next}, Drafts: s.refundsOf(drafts), More: more != "", MayMake: s.caller(c).Has(people.FinanceMaker)}
	for i := range b.Drafts {
		b.Sum += b.Drafts[i].Amount
	}
	return s.show(c, "batches", "", view{Title: "批次", Menu: "/refunds", Body: b})
}

// composeBatches makes batches of the ticked lines.
func (s *server) composeBatches(c *gin.Context) error {
	by, err := s.person(c)
	if err != nil {
		return err
	}
	if err := c.Request.ParseForm(); err != nil {
		return err
	}
	ids, err := tickedIDs(chosen(c, "line"))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return problem(http.StatusUnprocessableEntity, "nothing_chosen", "请先勾选要组批的退付")
	}
	made, err := s.Refund.Compose(c.Request.Context(), by, ids)
	if err != nil {
		return err
	}
	if len(made) == 1 {
		return seeOther(c, "/refunds/batches/"+made[0].ID.String())
	}
	return seeOther(c, "/refunds/batches")
}

// batchPage is a batch before a person who may sign it, or watches it go out.
type batchPage struct {
	BatchLines
	Progress  []progress
	Done      int
	Running   bool // something is still on its way
	Diagnosis *refund.Diagnosis
	Again     int  // lines that can be submitted again
	Check     bool // the visitor may check it now, or
	Release   bool // release it
	TakeOut   bool
	Why       string // why the visitor may not sign what waits for a signature
	proving
}

// progress is how many lines of a batch stand somewhere.
type progress struct {
	Name  string
	Tone  string
	Count int
	Sum   deposit.Fen
}

// tones are the classes of the states that are good or bad news.
var tones = map[refund.State]string{refund.Paid: "good", refund.Failed: "bad", refund.Returned: "bad", refund.Unknown: "warn"}

func (s *server) pageBatch(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	b, lines, err := s.Refund.BatchWithLines(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	p := batchPage{BatchLines: BatchLines{batchOf(&b), s.refundsOf(lines)}}
	p.count()
	p.rights(s.caller(c), s.DB.Now())
	if p.State == refund.Started {
		if p.Diagnosis, err = s.Refund.Diagnose(c.Request.Context(), s.sight(c), id); err != nil {
			return err
		}
		for _, l := range p.Diagnosis.Again {
			p.Again += len(l.Lines)
		}
	}
	return s.show(c, "batch", "running", view{Title: b.Number, Menu: "/refunds", Crumbs: []crumb{{"/refunds/batches", "批次"}}, Body: &p})
}

// count counts the lines by where they stand.
func (p *batchPage) count() {
	at := map[refund.State]int{}
	for i := range p.Refunds {
		l := &p.Refunds[i]
		if _, there := at[l.State]; !there {
			at[l.State] = len(p.Progress)
			p.Progress = append(p.Progress, progress{Name: l.StateName, Tone: tones[l.State]})
		}
		one := &p.Progress[at[l.State]]
		one.Count++
		one.Sum += l.Amount
		switch l.WaitsFor {
		case refund.ForUs, refund.ForBank:
			p.Running = true
		case "", refund.ForStatement:
			p.Done++
		}
	}
}

// rights says what the visitor may do with the batch as it stands; the desk says it again when it is done.
func (p *batchPage) rights(who Caller, now time.Time) {
	p.TakeOut = who.Has(people.FinanceMaker, people.FinanceChecker) && (p.State == refund.Submitted || p.State == refund.BatchChecked)
	p.proving = provingOf(who, now)
	switch {
	case p.State == refund.Submitted && who.Has(people.FinanceChecker) && who.Name == p.MadeBy:
		p.Why = "复核人不能是制单人"
	case p.State == refund.Submitted:
		p.Check = who.Has(people.FinanceChecker)
	case p.State == refund.BatchChecked && who.Has(people.Leader) && (who.Name == p.MadeBy || who.Name == p.CheckedBy):
		p.Why = "放行人不能是制单人或复核人"
	case p.State == refund.BatchChecked:
		p.Release = who.Has(people.Leader)
	}
}

func (s *server) checkOnPage(c *gin.Context) error { return s.signOnPage(c, s.Refund.Check) }

// releaseOnPage takes the leader's signature, with a fresh proof of who signs where the last one is too old.
func (s *server) releaseOnPage(c *gin.Context) error {
	if err := s.proveIfStale(c); err != nil {
		return err
	}
	return s.signOnPage(c, s.Refund.Release)
}

// signOnPage takes a signature: the version and digest that the page showed, and count and total as the person has entered them.
func (s *server) signOnPage(c *gin.Context, sign func(context.Context, string, refund.Signature) (refund.Batch, error)) error {
	id, by, f, err := s.formOnOne(c, "version", "count")
	if err != nil {
		return err
	}
	if text, ok := f.fields["total"].(string); ok {
		f.fields["total"] = strings.ReplaceAll(text, ",", "")
	}
	signature := refund.Signature{Batch: id, Version: f.number("version"), Digest: f.text("digest", mostNumber), Count: int(f.number("count")), Total: f.yuanIf("total")}
	if err := f.err(); err != nil {
		return err
	}
	if _, err := sign(c.Request.Context(), by, signature); err != nil {
		return err
	}
	return seeOther(c, "/refunds/batches/"+id.String())
}

// takeOutOnPage takes the ticked lines out of a batch, or cancels them.
func (s *server) takeOutOnPage(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	version, note := f.number("version"), f.text("note", mostNote)
	if err := f.err(); err != nil {
		return err
	}
	ids, err := tickedIDs(chosen(c, "line"))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return problem(http.StatusUnprocessableEntity, "nothing_chosen", "请先勾选要移出的退付")
	}
	if _, err := s.Refund.TakeOut(c.Request.Context(), by, id, version, ids, note, c.PostForm("cancel") == "1"); err != nil {
		return err
	}
	return seeOther(c, "/refunds/batches/"+id.String())
}

// exportCorrected gives the failed lines as a list to correct and to upload again; they are not paid, and come with new numbers.
func (s *server) exportCorrected(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	found, err := s.Refund.Diagnose(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	var rows []map[string]string
	remarks := append([]string{}, listRemarks...)
	for _, l := range found.Again {
		for _, one := range l.Lines {
			rows = append(rows, map[string]string{"lot": one.Lot, "bidder": one.Bidder.String(), "bank": one.Bank, "booking_date": string(one.Day), "bank_serial": one.Serial, "amount": one.Amount.String(),
				"payee_name": one.PayeeName.String(), "payee_account": one.PayeeAccount.String(), "payee_bank": one.PayeeBank, "payee_bank_code": one.PayeeBankCode, "cause": one.Cause.Chinese()})
			if one.Correct != "" {
				remarks = append(remarks, "流水号 "+one.Serial+"："+one.Correct)
			}
		}
	}
	if len(rows) == 0 {
		return deposit.Refuse(deposit.Conflict, "nothing_failed", "该批次没有已证实未付、可以重新提交的退付")
	}
	file, err := sheet.Filled(listSheet, listColumns, remarks, rows)
	if err != nil {
		return err
	}
	attach(c, "corrected.xlsx", "退付名单-待更正-"+found.Batch+".xlsx")
	c.Data(http.StatusOK, xlsxType, file)
	return nil
}
