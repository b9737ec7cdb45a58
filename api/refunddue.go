package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
	"depositd/reconcile"
	"depositd/refund"
)

// Proposal is money that should go back and is on no list yet. What does not apply is empty.
type Proposal struct {
	Credit        sqldb.ID        `json:"credit"`
	Sealed        bool            `json:"sealed"` // its lot is sealed: only that a withdrawn bid's deposit goes back, by which rule and day
	Bank          string          `json:"bank"`
	ParentAccount string          `json:"parent_account"`
	SubAccount    string          `json:"sub_account"`
	BookingDate   deposit.Day     `json:"booking_date,omitempty"`
	Serial        string          `json:"bank_serial"`
	Received      deposit.Fen     `json:"received"`
	PayerName     deposit.Name    `json:"payer_name"`
	PayerAccount  deposit.Account `json:"payer_account"`
	PayerBank     string          `json:"payer_bank"`
	PayerBankCode string          `json:"payer_bank_code"`
	Lot           string          `json:"lot"`
	Bidder        deposit.Name    `json:"bidder"`
	Department    string          `json:"department"` // who is to list it
	Cause         refund.Cause    `json:"cause"`
	CauseName     string          `json:"cause_name"`
	Amount        deposit.Fen     `json:"amount"`
	Rule          string          `json:"rule"`
	Basis         string          `json:"basis"`
	StartEvent    string          `json:"start_event"`
	StartDay      string          `json:"start_day"`
	DueOn         string          `json:"due_on"`
	Provisional   bool            `json:"provisional"`
	DaysLeft      *int            `json:"days_left,omitempty"`
	OverdueFee    deposit.Fen     `json:"overdue_fee"` // owed by today for being late, where a rule says so
	WaitsFor      refund.Waiting  `json:"waits_for"`
	WaitsForName  string          `json:"waits_for_name"`
	WaitsSince    *time.Time      `json:"waits_since,omitempty"`
}

func proposalsOf(all []refund.Proposal) []Proposal {
	told := make([]Proposal, len(all))
	for i := range all {
		told[i] = proposalOf(&all[i])
	}
	return told
}

func proposalOf(p *refund.Proposal) Proposal {
	e := &p.Receipt.Entry
	told := Proposal{Credit: e.ID, Sealed: p.Sealed, Bank: e.Bank, ParentAccount: e.ParentAccount, SubAccount: e.SubAccount, BookingDate: e.BookingDate, Serial: e.Serial, Received: e.Amount,
		PayerName: deposit.Name(e.PayerName), PayerAccount: deposit.Account(e.PayerAccount), PayerBank: e.PayerBank, PayerBankCode: e.PayerBankCode, Lot: p.Receipt.Lot.Number, Bidder: deposit.Name(p.Receipt.Bid.Bidder),
		Department: p.Receipt.Lot.Department, Cause: p.Ground.Cause, CauseName: p.Ground.Cause.Chinese(), Amount: p.Amount, WaitsFor: refund.ForDepartment,
		WaitsForName: refund.ForDepartment.Chinese(), WaitsSince: inShanghaiIf(p.Ground.At)}
	if told.Department == "" || p.Sealed {
		told.Department = string(reconcile.Finance)
	}
	if l := &p.Limit; p.HasLimit {
		told.Rule, told.Basis, told.StartEvent, told.StartDay = l.Rule.ID, l.Rule.Basis, l.Start.Chinese(), string(l.StartDay)
		told.DueOn, told.Provisional, told.DaysLeft, told.OverdueFee = string(l.Day), l.Provisional, &l.DaysLeft, p.Fee
	}
	return told
}

// ProposalPage is some proposals; Next, where there are more, is the cursor of the next page.
type ProposalPage struct {
	Proposals []Proposal `json:"proposals"`
	Next      string     `json:"next,omitempty"`
}

func (s *server) getProposals(c *gin.Context) error {
	if err := onlyParameters(c, "department", "limit", "cursor"); err != nil {
		return err
	}
	size, err := limit(c)
	if err != nil {
		return err
	}
	page, next, err := s.Refund.Proposals(c.Request.Context(), s.sight(c), refund.ProposalQuery{Department: c.Query("department"), After: c.Query("cursor"), Limit: size})
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, ProposalPage{proposalsOf(page), next})
	return nil
}

// Due is what has to go back soon, or should have, the earliest day first, and with whom each waits.
type Due struct {
	Today     deposit.Day `json:"today"`
	Until     deposit.Day `json:"until"`
	Proposals []Proposal  `json:"proposals"` // on no list yet
	Refunds   []Refund    `json:"refunds"`   // on their way
	Stale     []Proposal  `json:"stale"`     // long past their day, or without one (沉淀保证金)
}

// The days that are looked ahead: a week unless asked otherwise.
const (
	defaultAhead = 7
	mostAhead    = 366
)

func (s *server) getDue(c *gin.Context) error {
	if err := onlyParameters(c, "department", "days"); err != nil {
		return err
	}
	days := defaultAhead
	if said := c.Query("days"); said != "" {
		n, err := strconv.Atoi(said)
		if err != nil || n < 0 || n > mostAhead {
			return badParameter("days", "days_malformed", "days 应为 0 到 "+strconv.Itoa(mostAhead)+" 的整数")
		}
		days = n
	}
	o, err := s.Refund.DueWithin(c.Request.Context(), s.sight(c), c.Query("department"), days)
	if err != nil {
		return err
	}
	today := deposit.DayOf(s.DB.Now())
	c.JSON(http.StatusOK, Due{Today: today, Until: today.Add(days), Proposals: proposalsOf(o.Proposals), Refunds: s.refundsOf(o.Lines), Stale: proposalsOf(o.Stale)})
	return nil
}
