package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
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
	if err != nil && deposit.AsRefusal(err).Code == "pool_exhausted" && s.openNumber(c, order) {
		lease, _, err = s.Platform.Allocate(c.Request.Context(), author(c), order)
		isNew = true // the bid got it from the queue meanwhile
	}
	if err != nil {
		return err
	}
	s.Judge()
	c.JSON(statusOf(isNew), SubAccount{Bank: lease.Bank, SubAccount: lease.SubAccount, LeasedFrom: inShanghai(lease.From)})
	return nil
}

// openingTime is how long a bidder waits for the bank to open a number; what takes longer goes on behind him, and he asks again.
const openingTime = 8 * time.Second

// openNumber has the bank open a number for a bid that waits, where it opens them one by one. That it fails is logged by its
// code and kept as a call; the bid waits on, and the next round tries again.
func (s *server) openNumber(c *gin.Context, o platform.NumberOrder) (came bool) {
	b, err := s.Banks.Bank(o.Bank)
	if err != nil || !s.Keeper.Opens(b) {
		return false
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), openingTime)
	defer cancel()
	if _, err := s.Keeper.TopUp(ctx, author(c), b, o.Parent); err != nil {
		s.Tend()
		s.Log.Warn("the bank opens no number", "request", c.GetString(requestID), "bank", b.Code, "code", deposit.AsRefusal(err).Code)
	}
	return true
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

// PoolList is every pool of sub-accounts.
type PoolList struct {
	Pools []reconcile.PoolView `json:"pools"`
}

func (s *server) getPools(c *gin.Context) error {
	if err := onlyParameters(c); err != nil {
		return err
	}
	pools, err := s.Keeper.Pools(c.Request.Context())
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, PoolList{pools})
	return nil
}

func (s *server) getDiagnosis(c *gin.Context) error {
	number, err := param(c, "number")
	if err != nil {
		return err
	}
	if err := onlyParameters(c, "bank"); err != nil {
		return err
	}
	diagnosis, err := s.Keeper.Diagnose(c.Request.Context(), s.sight(c), c.Query("bank"), number)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, diagnosis)
	return nil
}
