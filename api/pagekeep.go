package api

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/people"
	"depositd/reconcile"
	"depositd/refund"
)

// keepPages is one credit with all that is done with its money, and what keeps or redirects it.
func (s *server) keepPages(readers []Role) []Route {
	lists, finance := handsOn(), []Role{people.FinanceMaker, people.FinanceChecker}
	signers := append(slices.Clone(finance), people.Leader)
	return []Route{
		{"GET", "/credits", readers, s.pageCredits, "", 0, shortly},
		{"GET", "/credits/:id", readers, s.pageCredit, "", 0, shortly},
		{"POST", "/credits/:id/reveal", revealers, s.revealOnPage(under("/credits/"), s.Reconcile.Reveal), formType, maxForm, shortly},
		{"GET", "/refunds/dispositions", readers, s.pageDispositions, "", 0, shortly},
		{"POST", "/refunds/dispositions", lists, s.disposeOnPage, formType, maxForm, shortly},
		{"POST", "/refunds/dispositions/:id", signers, s.moveDispositionOnPage, formType, maxForm, shortly},
		{"GET", "/refunds/changes", readers, s.pageChanges, "", 0, shortly},
		{"POST", "/refunds/changes", lists, s.proposeChangeOnPage, formType, maxForm, shortly},
		{"POST", "/refunds/changes/:id", append(slices.Clone(lists), people.Leader), s.moveChangeOnPage, formType, maxForm, shortly},
		{"POST", "/refunds/changes/:id/reveal", revealers, s.revealOnPage(under("/refunds/changes#"), s.Refund.RevealChange), formType, maxForm, shortly},
	}
}

// creditFinder looks for a credit by what a bank slip says.
type creditFinder struct {
	Query  url.Values
	Banks  []bankChoice
	Asked  bool
	Found  []bank.Entry
	Serial string
}

// pageCredits finds a credit by bank, day and serial, and goes on to it where there is one alone.
func (s *server) pageCredits(c *gin.Context) error {
	if err := onlyParameters(c, "bank", "booking_date", "bank_serial"); err != nil {
		return err
	}
	f := creditFinder{Query: c.Request.URL.Query(), Banks: s.bankChoices(), Serial: c.Query("bank_serial")}
	day, err := dayIf(c, "booking_date")
	if err != nil {
		return err
	}
	if f.Asked = day != "" && f.Serial != ""; f.Asked {
		b, err := s.Banks.Bank(c.Query("bank"))
		if err != nil {
			return err
		}
		if f.Found, err = s.Reconcile.CreditsBySerial(c.Request.Context(), s.sight(c), b, day, f.Serial); err != nil {
			return err
		}
	}
	if len(f.Found) == 1 {
		return seeOther(c, "/credits/"+f.Found[0].ID.String())
	}
	return s.show(c, "credits", "", view{Title: "查找入账", Menu: "/refunds", Body: &f})
}

func (s *server) pageCredit(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	p, err := s.creditPage(c, id)
	if err != nil {
		return err
	}
	return s.show(c, "credit", "", view{Title: p.Serial, Menu: "/refunds", Crumbs: []crumb{{"/credits", "入账"}}, Body: p})
}

// keptAt is what a page on which dispositions and payee changes are acted on shows of them.
type keptAt struct {
	Dispositions []Disposition
	Changes      []PayeeChange
	May          keepRights
}

// keepRights are what the visitor may do of it; the desk says it again when it is done.
type keepRights struct {
	Propose, Sign, SignChange, ByHand, Reveal bool
	Name                                      string
	proving
}

// RevealAt is the form that asks for what is masked of a row.
func (r keepRights) RevealAt(path string, id sqldb.ID) revealForm {
	return revealForm{path + id.String() + "/reveal", r.proving}
}

func (s *server) keepRights(c *gin.Context) keepRights {
	who := s.caller(c)
	finance := who.Has(people.FinanceMaker, people.FinanceChecker)
	return keepRights{Propose: who.Has(handsOn()...), Sign: finance || who.Has(people.Leader), SignChange: who.Has(append(handsOn(), people.Leader)...),
		ByHand: finance, Reveal: who.Has(revealers...), Name: who.Name, proving: provingOf(who, s.DB.Now())}
}

// creditPage is a credit, where it came from, and all that is done with its money.
type creditPage struct {
	keptAt
	*reconcile.CreditView
	Refunds  []Refund
	Keepings []refund.Keeping
	Offices  []string
	Mine     string
}

func (s *server) creditPage(c *gin.Context, id sqldb.ID) (*creditPage, error) {
	ctx, eyes := c.Request.Context(), s.sight(c)
	credit, err := s.Reconcile.Credit(ctx, eyes, id)
	if err != nil {
		return nil, err
	}
	p := creditPage{keptAt: keptAt{May: s.keepRights(c)}, CreditView: credit, Keepings: refund.Keepings(), Mine: s.caller(c).Department}
	lines, _, err := s.Refund.Lines(ctx, eyes, refund.LineQuery{Credit: id})
	if err != nil {
		return nil, err
	}
	p.Refunds = s.refundsOf(lines)
	kept, _, err := s.Refund.DispositionPage(ctx, eyes, refund.KeepQuery{Credit: id})
	if err != nil {
		return nil, err
	}
	changed, _, err := s.Refund.ChangePage(ctx, eyes, refund.KeepQuery{Credit: id})
	if err != nil {
		return nil, err
	}
	p.Dispositions, p.Changes = dispositionsOf(kept), changesOf(changed)
	p.Offices, err = s.offices(ctx)
	return &p, err
}

// keepList is the dispositions or the payee changes of all credits.
type keepList struct {
	keptAt
	Query  url.Values
	States map[string]string
	Next   string
}

func (s *server) pageDispositions(c *gin.Context) error {
	page, err := s.dispositionPage(c)
	if err != nil {
		return err
	}
	b := keepList{keptAt{Dispositions: page.Dispositions, May: s.keepRights(c)}, c.Request.URL.Query(), dispositionStates, page.Next}
	return s.show(c, "dispositions", "", view{Title: "扣留与处置", Menu: "/refunds", Body: b})
}

func (s *server) pageChanges(c *gin.Context) error {
	page, err := s.changePage(c)
	if err != nil {
		return err
	}
	b := keepList{keptAt{Changes: page.Changes, May: s.keepRights(c)}, c.Request.URL.Query(), refund.ChangeStates, page.Next}
	return s.show(c, "changes", "", view{Title: "收款变更", Menu: "/refunds", Body: b})
}

// orderOnPage reads a form that asks for something to be done with a credit.
func (s *server) orderOnPage(c *gin.Context) (by string, f *form, err error) {
	if by, err = s.person(c); err != nil {
		return "", nil, err
	}
	f, err = formOf(c)
	return by, f, err
}

func (s *server) disposeOnPage(c *gin.Context) error {
	by, f, err := s.orderOnPage(c)
	if err != nil {
		return err
	}
	if keep, ok := f.fields["keep"].(string); ok { // the page's one choice is a kind and, but for holding, a purpose
		delete(f.fields, "keep")
		kind, purpose, redirected := strings.Cut(keep, " ")
		if f.fields["kind"] = kind; redirected {
			f.fields["purpose"] = purpose
		}
	}
	x, err := s.dispose(c, by, f)
	if err != nil {
		return err
	}
	return seeOther(c, "/credits/"+x.EntryID.String()+"#kept")
}

func (s *server) moveDispositionOnPage(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	m, err := moveOf(f, id, f.number("version"), dispositionActs)
	if err != nil {
		return err
	}
	x, err := s.Refund.MoveDisposition(c.Request.Context(), by, s.sight(c), m)
	if err != nil {
		return err
	}
	return seeOther(c, "/credits/"+x.EntryID.String()+"#kept")
}

func (s *server) proposeChangeOnPage(c *gin.Context) error {
	by, f, err := s.orderOnPage(c)
	if err != nil {
		return err
	}
	p, err := s.proposeChange(c, by, f)
	if err != nil {
		return err
	}
	return seeOther(c, "/credits/"+p.EntryID.String()+"#changed")
}

func (s *server) moveChangeOnPage(c *gin.Context) error {
	id, by, f, err := s.formOnOne(c, "version")
	if err != nil {
		return err
	}
	m, err := moveOf(f, id, f.number("version"), changeActs)
	if err != nil {
		return err
	}
	p, err := s.takeChange(c, by, m)
	if err != nil {
		return err
	}
	return seeOther(c, "/credits/"+p.EntryID.String()+"#changed")
}

// under is where a page of one thing is.
func under(path string) func(sqldb.ID) string {
	return func(id sqldb.ID) string { return path + id.String() }
}
