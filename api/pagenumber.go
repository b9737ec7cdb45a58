package api

import (
	"strings"

	"github.com/gin-gonic/gin"

	"depositd/platform/deposit"
	"depositd/reconcile"
)

// numberPage is the pools, and what is known of the number that was asked about.
type numberPage struct {
	Watches   bool // the visitor sees how full the pools are, and
	Reads     bool // whose number one is
	Pools     []poolCard
	Banks     []bankChoice
	Number    string
	Bank      string
	Diagnosis *reconcile.Diagnosis
	Refusal   string // why there is none
}

// pageNumbers shows the pools to who watches them; with a number, to who reads what is leased, why it cannot be credited – the bank is asked, so that it takes as long as the bank does.
func (s *server) pageNumbers(c *gin.Context) error {
	if err := onlyParameters(c, "number", "bank"); err != nil {
		return err
	}
	ctx := c.Request.Context()
	p := numberPage{Banks: s.bankChoices(), Number: strings.TrimSpace(c.Query("number")), Bank: c.Query("bank")}
	var err error
	if p.Watches = s.caller(c).Has(poolWatchers()...); p.Watches {
		if p.Pools, err = s.poolCards(ctx); err != nil {
			return err
		}
	}
	p.Reads = s.caller(c).Has(readers...)
	switch {
	case p.Number != "" && !p.Reads:
		return roleMissing(readers)
	case p.Number != "":
		p.Diagnosis, err = s.Keeper.Diagnose(ctx, s.sight(c), p.Bank, p.Number)
		switch {
		case deposit.IsKind(err, deposit.NotFound), deposit.IsKind(err, deposit.Invalid):
			p.Refusal = deposit.AsRefusal(err).Text
		case err != nil:
			return err
		}
	}
	return s.show(c, "numbers", "", view{Title: "子账号", Menu: "/numbers", Body: &p})
}
