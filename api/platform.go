package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Lot is a lot as it is known.
type Lot struct {
	ID                   sqldb.ID          `json:"id"`
	Number               string            `json:"number"`
	Name                 string            `json:"name"`
	Department           string            `json:"department"`
	Deposit              deposit.Fen       `json:"deposit"`
	OpeningAt            time.Time         `json:"opening_at"`
	OpenedAt             *time.Time        `json:"opened_at,omitempty"`
	EarlierWished        *time.Time        `json:"earlier_wished,omitempty"` // an earlier opening that two persons have not agreed on yet
	SinglePayment        bool              `json:"single_payment"`
	BasicAccountRequired bool              `json:"basic_account_required"`
	Numbering            string            `json:"numbering"`
	State                platform.LotState `json:"state"`
	Version              int64             `json:"version"`
}

// Bid is a bid as it is known.
type Bid struct {
	ID            sqldb.ID          `json:"id"`
	Lot           string            `json:"lot"`
	Bidder        string            `json:"bidder"`
	BidderAccount string            `json:"bidder_account"`
	State         platform.BidState `json:"state"`
	Version       int64             `json:"version"`
}

// The most characters of what the platform says; the schema keeps no more.
const (
	mostNumber = 64
	mostSigner = 80 // a person, or a department
	mostName   = 200
	mostNote   = 400
	mostBank   = 32
	mostSub    = 40

	mostBankCode = 14
)

func (s *server) putLot(c *gin.Context) error {
	number, err := param(c, "number")
	if err != nil {
		return err
	}
	f, err := body(c)
	if err != nil {
		return err
	}
	order := lotOf(f)
	order.Number = number
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	lot, created, err := s.Platform.PutLot(c.Request.Context(), author(c), order)
	if err != nil {
		return inBody(err)
	}
	wished, err := platform.EarlierWished(c.Request.Context(), s.DB, lot)
	if err != nil {
		return err
	}
	s.Judge()
	c.JSON(statusOf(created), Lot{EarlierWished: inShanghaiIf(wished), ID: lot.ID, Number: lot.Number, Name: lot.Name, Department: lot.Department, Deposit: lot.Deposit,
		OpeningAt: inShanghai(lot.OpensAt), OpenedAt: inShanghaiIf(lot.OpenedAt), SinglePayment: lot.SinglePayment,
		BasicAccountRequired: lot.BasicAccountRequired, Numbering: strings.ToLower(string(lot.Numbering)), State: lot.State, Version: lot.Version})
	return nil
}

// lotOf reads a lot but for its number, which stands in the path or, in bulk, beside the rest.
func lotOf(f *form) platform.LotOrder {
	o := platform.LotOrder{Name: f.textIf("name", mostName), Department: f.text("department", mostNumber), Deposit: f.yuan("deposit"),
		OpensAt: f.instant("opening_at"), SinglePayment: f.flag("single_payment"), BasicAccountRequired: f.flag("basic_account_required")}
	said := f.textIf("numbering", mostNumber)
	o.Numbering = numberings[said]
	if said != "" && o.Numbering == "" {
		f.fault(false, "numbering", "numbering_unknown", "没有这种子账号分配方式；可用："+strings.Join(slices.Sorted(maps.Keys(numberings)), "、"))
	}
	return o
}

// numberings is how JSON calls the ways in which bids get their numbers.
var numberings = map[string]platform.Numbering{"per_bid": platform.PerBid, "per_lot": platform.PerLot}

func (s *server) postBid(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	order := s.bidOf(f)
	f.done()
	if err := f.err(); err != nil {
		return err
	}
	bid, created, err := s.Platform.PutBid(c.Request.Context(), author(c), order)
	if err != nil {
		return inBody(err)
	}
	s.Judge()
	c.JSON(statusOf(created), Bid{ID: bid.ID, Lot: order.Lot, Bidder: bid.Bidder, BidderAccount: bid.BidderAccount, State: bid.State, Version: bid.Version})
	return nil
}

// bidOf reads a bid and the lease of its sub-account.
func (s *server) bidOf(f *form) platform.BidOrder {
	o := platform.BidOrder{Lot: f.text("lot", mostNumber), Bidder: f.text("bidder", mostName), BidderAccount: f.textIf("bidder_account", mostNumber),
		SubAccount: f.textIf("sub_account", mostSub), LeaseFrom: f.instantIf("lease_from"), LeaseTo: f.instantIf("lease_to")}
	if b := s.bankNamed(f, o.SubAccount != ""); b != nil {
		o.Bank = b.Code
	}
	return o
}

// bankNamed reads which bank is meant. It may be left out where there is only one, or where none is needed: nil.
func (s *server) bankNamed(f *form, needed bool) *bank.Bank {
	code := f.textIf("bank", mostBank)
	only := s.Banks.Only()
	switch {
	case code != "":
		b, err := s.Banks.Bank(code)
		if err != nil {
			refusal := deposit.AsRefusal(err)
			f.fault(false, "bank", refusal.Code, refusal.Text)
		}
		return b
	case needed && only == nil:
		f.fault(true, "bank", "field_missing", "配置了多家银行，请用 bank 写明子账号属于哪家")
	case needed:
		return only
	}
	return nil
}

// Sync is what a bulk delivery changed.
type Sync struct {
	Lots      int `json:"lots"`
	Bids      int `json:"bids"`
	Events    int `json:"events"`
	Unchanged int `json:"unchanged"`
}

func (s *server) postSync(c *gin.Context) error {
	f, err := body(c)
	if err != nil {
		return err
	}
	order := s.syncOf(f)
	if err := f.err(); err != nil {
		return err
	}
	result, err := s.Platform.Sync(c.Request.Context(), author(c), order)
	if err != nil {
		return inBody(err)
	}
	s.Judge()
	s.Tend()
	c.JSON(http.StatusOK, Sync(result))
	return nil
}

func (s *server) syncOf(f *form) (order platform.SyncOrder) {
	for _, lot := range f.list("lots") {
		o := lotOf(lot)
		o.Number = lot.text("number", mostNumber)
		lot.done()
		order.Lots = append(order.Lots, o)
	}
	for _, bid := range f.list("bids") {
		order.Bids = append(order.Bids, s.bidOf(bid))
		bid.done()
	}
	for _, event := range f.list("events") {
		order.Events = append(order.Events, eventOf(event))
		event.done()
	}
	f.done()
	return order
}

func statusOf(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func inShanghai(t time.Time) time.Time { return t.In(deposit.Shanghai) }

func inShanghaiIf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(deposit.Shanghai)
	return &t
}
