package reconcile

import (
	"context"
	"slices"
	"time"

	"depositd/bank"
	"depositd/platform"
	"depositd/platform/deposit"
)

// PoolView is what may be seen of a pool. As long as it serves a lot that is not opened yet it is sealed: how many numbers are
// given out would tell how many bidders there are, and only the day's colour is shown (招标投标法 §22).
type PoolView struct {
	Bank       string              `json:"bank"`
	Parent     string              `json:"parent_account"`
	From       bank.Supply         `json:"numbers_from"`
	Colour     platform.PoolColour `json:"colour"`                // "" before the first forecast
	ForecastOn deposit.Day         `json:"forecast_on,omitempty"` // whose morning the colour stands for
	Sealed     bool                `json:"sealed"`
	Counts     *PoolNumbers        `json:"counts,omitempty"`
	BankWord   *BankWord           `json:"bank_word,omitempty"`
}

// PoolNumbers counts a pool by the states of its numbers, and who waits.
type PoolNumbers struct {
	Free        int `json:"free"`
	Leased      int `json:"leased"`
	Draining    int `json:"draining"`
	Quarantined int `json:"quarantined"`
	Retired     int `json:"retired"`
	Waiting     int `json:"waiting"`
}

// BankWord is what the bank said last of a parent account's numbers (G00013).
type BankWord struct {
	AskedAt time.Time `json:"asked_at"`
	Free    int       `json:"free"`
	Used    int       `json:"used"`
	Total   int       `json:"total"`
}

// Pools shows every pool. As long as any lot is sealed each pool is: that it serves one would tell that somebody bids.
func (k *Keeper) Pools(ctx context.Context) ([]PoolView, error) {
	sealed, err := anySealed(ctx, k.db)
	if err != nil {
		return nil, err
	}
	pools, err := k.pools(ctx)
	if sealed {
		pools = k.everyPool()
	}
	views := make([]PoolView, 0, len(pools))
	for _, p := range pools {
		v, err := k.view(ctx, p, sealed)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, err
}

// everyPool lists the parent accounts of all banks that have pools, with or without numbers: that one has its first would tell that somebody bids.
func (k *Keeper) everyPool() (all []platform.Pool) {
	for _, b := range k.banks.All() {
		for _, parent := range b.ParentAccounts {
			if b.Numbers.From == "" {
				continue // the trading platform brings its numbers
			}
			all = append(all, platform.Pool{Bank: b.Code, Parent: parent})
		}
	}
	return all
}

func (k *Keeper) view(ctx context.Context, p platform.Pool, sealed bool) (PoolView, error) {
	b, err := k.banks.Bank(p.Bank)
	if err != nil {
		return PoolView{}, err
	}
	s, err := poolStateOf(ctx, k.db, p)
	if err != nil {
		return PoolView{}, err
	}
	v := PoolView{Bank: p.Bank, Parent: p.Parent, From: b.Numbers.From, Colour: s.Colour, ForecastOn: s.ForecastOn, Sealed: sealed}
	if sealed {
		return v, nil
	}
	counts, err := platform.PoolCounts(ctx, k.db, p.Bank, p.Parent)
	if err != nil {
		return v, err
	}
	waiting, err := platform.Waiting(ctx, k.db, p.Bank, p.Parent)
	v.Counts = &PoolNumbers{counts[platform.NumberFree], counts[platform.NumberLeased], counts[platform.NumberDraining], counts[platform.NumberQuarantined],
		counts[platform.NumberRetired], waiting}
	if !s.AskedAt.IsZero() {
		v.BankWord = &BankWord{s.AskedAt, s.BankFree, s.BankTotal - s.BankFree, s.BankTotal}
	}
	return v, err
}

// Findings lists what stands about pools and numbers and may be seen.
func (k *Keeper) Findings(ctx context.Context, eyes deposit.Sight) ([]FindingRow, error) {
	all, err := findingRows(ctx, k.db, eyes, "f.kind IN ('POOL','NUMBER','WORD') AND f.state IN ('OPEN','EXPLAINED')", "")
	slices.SortFunc(all, inReportOrder)
	return all, err
}
