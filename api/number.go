package api

import (
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
)

// SubAccount is the number that a bid pays its deposit to.
type SubAccount struct {
	Bank       string    `json:"bank"`
	SubAccount string    `json:"sub_account"`
	LeasedFrom time.Time `json:"leased_from"`
}

func (s *server) postSubAccount(c *gin.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	order := s.numberOf(f, id)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	lease, isNew, err := s.Platform.Allocate(c.Request.Context(), author(c), order)
	if err != nil {
		return err
	}
	s.Judge()
	c.JSON(statusOf(isNew), SubAccount{Bank: lease.Bank, SubAccount: lease.SubAccount, LeasedFrom: inShanghai(lease.From)})
	return nil
}

// numberOf reads which pool is meant. Bank and parent account may be left out where there is only one.
func (s *server) numberOf(f *form, bid sqldb.ID) platform.NumberOrder {
	o := platform.NumberOrder{Bid: bid, Parent: f.textIf("parent_account", mostSub)}
	b := s.bankNamed(f, true)
	switch {
	case b == nil:
		return o
	case o.Parent == "":
		if o.Parent = b.Parent(); o.Parent == "" {
			f.fault(true, "parent_account", "field_missing", "该银行配置了多个母账户，请用 parent_account 写明")
		}
	case !slices.Contains(b.ParentAccounts, o.Parent):
		f.fault(false, "parent_account", "parent_unknown", "该银行没有这一母账户，请核对 banks.yaml")
	}
	o.Bank = b.Code
	return o
}
