package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/people"
	"depositd/refund"
)

// linePages is one payment with what the bank said of it, payments made by hand, and the stop of all payments.
func (s *server) linePages(readers []Role) []Route {
	finance := []Role{people.FinanceMaker, people.FinanceChecker}
	signers := []Role{people.FinanceMaker, people.FinanceChecker, people.Leader}
	return []Route{
		{"GET", "/refunds/lines/:id", readers, s.pageLine, "", 0, shortly},
		{"POST", "/refunds/lines/:id", finance, s.actOnLine, formType, maxForm, shortly},
		{"POST", "/refunds/lines/:id/reveal", revealers, s.revealOnPage(under("/refunds/lines/"), s.Refund.RevealPayee), formType, maxForm, shortly},
		{"GET", "/refunds/by-hand", readers, s.pageByHand, "", 0, shortly},
		{"POST", "/refunds/by-hand", finance, s.enterByHand, formType, maxForm, shortly},
		{"GET", "/refunds/freezes", readers, s.pageFreezes, "", 0, shortly},
		{"POST", "/refunds/freezes", signers, s.stopPayments, formType, maxForm, shortly},
		{"POST", "/refunds/freezes/:id/lift", signers, s.liftPayments, formType, maxForm, shortly},
	}
}

// linePage is a payment and what a person may say of it.
type linePage struct {
	RefundStory
	Acts   []findingChoice
	Reveal *revealForm // nil: not for the visitor
}

// lineActs are what people call their words on a payment.
var lineActs = map[string]string{"confirm_hand": "确认已由网银付出", "cancel": "撤销", "disprove": "证实未付（须两人、两日对账单）", "vouch": "证实已付（须两人）", "return": "确认退汇"}

func (s *server) pageLine(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	story, err := s.Refund.Story(c.Request.Context(), s.sight(c), id)
	if err != nil {
		return err
	}
	who := s.caller(c)
	p := linePage{RefundStory: s.storyOf(&story)}
	if may := s.keepRights(c); may.Reveal && !story.Sealed {
		p.Reveal = new(may.RevealAt("/refunds/lines/", id))
	}
	if who.Has(people.FinanceMaker, people.FinanceChecker) && !story.Sealed {
		p.Acts = lineChoices(&p.Refund)
	}
	return s.show(c, "line", "", view{Title: p.Serial, Menu: "/refunds", Crumbs: []crumb{{"/refunds/lists/" + p.List.String(), p.ListNumber}}, Body: &p})
}

// lineChoices are the words that a payment as it stands can be met with.
func lineChoices(r *Refund) (all []findingChoice) {
	offer := func(wanted bool, act string) {
		if wanted {
			all = append(all, findingChoice{Act: act, Name: lineActs[act]})
		}
	}
	offer(r.State == refund.Draft && r.Channel == refund.ByHand, "confirm_hand")
	offer(r.State == refund.Draft && r.Batch == 0, "cancel")
	offer(r.State == refund.Unknown, "vouch")
	offer(r.State == refund.Unknown || r.State == refund.Accepted, "disprove")
	offer(r.State == refund.Paid, "return")
	return all
}

func (s *server) actOnLine(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	if err := s.actOn(c.Request.Context(), by, id, f.number("version"), f); err != nil {
		return err
	}
	return seeOther(c, "/refunds/lines/"+id.String())
}

// handPage is the form for a payment made by hand, and those that wait for a second person.
type handPage struct {
	Banks   []bankChoice
	Offices []string
	Waiting []Refund
	May     bool
}

func (s *server) pageByHand(c *gin.Context) (err error) {
	if err := onlyParameters(c); err != nil {
		return err
	}
	p := handPage{Banks: s.bankChoices(), May: s.caller(c).Has(people.FinanceMaker, people.FinanceChecker)}
	lines, _, err := s.Refund.Lines(c.Request.Context(), s.sight(c), refund.LineQuery{State: refund.Draft, Channel: refund.ByHand})
	if err != nil {
		return err
	}
	p.Waiting = s.refundsOf(lines)
	if p.Offices, err = s.offices(c.Request.Context()); err != nil {
		return err
	}
	return s.show(c, "byhand", "", view{Title: "网银付款", Menu: "/refunds", Body: p})
}

func (s *server) enterByHand(c *gin.Context) error {
	by, f, err := s.orderOnPage(c)
	if err != nil {
		return err
	}
	done, faults, err := s.enterHandPayment(c, by, f)
	if err != nil {
		return err
	}
	if len(faults) > 0 || len(done.Lines) == 0 {
		return problem(http.StatusUnprocessableEntity, "list_refused", "未登记，请改正后重新提交", handFaults(faults)...)
	}
	return seeOther(c, "/refunds/lines/"+done.Lines[0].ID.String())
}

// handFaults are the faults of the one row that a payment made by hand is.
func handFaults(all []ListFault) []Fault {
	told := make([]Fault, len(all))
	for i, f := range all {
		told[i] = Fault{Code: f.Code, Detail: f.Text}
	}
	return told
}

// freezePage is what is stopped, and the form that stops.
type freezePage struct {
	Freezes []Freeze
	Banks   []stoppable
	May     bool
}

// stoppable is a bank and its parent accounts.
type stoppable struct {
	bankChoice
	Parents []string
}

func (s *server) pageFreezes(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	standing, err := platform.Freezes(c.Request.Context(), s.DB)
	if err != nil {
		return err
	}
	p := freezePage{May: s.caller(c).Has(people.FinanceMaker, people.FinanceChecker, people.Leader)}
	if p.Freezes, err = s.freezesOf(c, standing...); err != nil {
		return err
	}
	for _, b := range s.Banks.All() {
		p.Banks = append(p.Banks, stoppable{bankChoice{b.Code, b.Name}, b.ParentAccounts})
	}
	return s.show(c, "freezes", "", view{Title: "停付", Menu: "/refunds", Body: p})
}

// stopPayments takes what is to be stopped as "bank account", "bank", or nothing for all.
func (s *server) stopPayments(c *gin.Context) error {
	by, f, err := s.orderOnPage(c)
	if err != nil {
		return err
	}
	if of, ok := f.fields["of"].(string); ok {
		delete(f.fields, "of")
		code, parent, _ := strings.Cut(of, " ")
		f.fields["bank"] = code
		if parent != "" {
			f.fields["parent_account"] = parent
		}
	}
	if _, err := s.stop(c, by, f); err != nil {
		return err
	}
	return seeOther(c, "/refunds/freezes")
}

func (s *server) liftPayments(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	if err := s.lift(c, by, id, f); err != nil {
		return err
	}
	return seeOther(c, "/refunds/freezes")
}

// lift ends a stop by a page's form.
func (s *server) lift(c *gin.Context, by string, id sqldb.ID, f *form) error {
	version, note := f.number("version"), f.text("note", mostNote)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	_, err := s.Platform.LiftFreeze(c.Request.Context(), by, id, version, note)
	return err
}
