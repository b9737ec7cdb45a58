package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Keeper runs the pools of sub-accounts together with the banks that own the numbers: it has numbers opened, gives them
// back, and holds the bank's word against ours. Every step may be run again, and on several replicas; no call to a bank
// is made within a transaction.
type Keeper struct {
	db       *sqldb.DB
	banks    *bank.Set
	bank     *bank.Desk
	platform *platform.Desk
	lines    map[string]*bank.Line    // of the banks that can be called
	gates    map[string]chan struct{} // of this process, one opens numbers at a bank for all who wait

	mu      sync.Mutex
	rhythms map[string]learnt // of the banks' pushing, learnt once a day
}

// NewKeeper makes the keeper of a database's pools. serial gives each call to a bank its number.
func NewKeeper(db *sqldb.DB, banks *bank.Set, b *bank.Desk, p *platform.Desk, serial func() string) (*Keeper, error) {
	k := &Keeper{db: db, banks: banks, bank: b, platform: p, lines: map[string]*bank.Line{}, gates: map[string]chan struct{}{}, rhythms: map[string]learnt{}}
	for _, one := range banks.All() {
		if one.Reach.URL == "" {
			continue
		}
		line, err := bank.NewLine(one, db.Now, serial)
		if err != nil {
			return nil, err
		}
		k.lines[one.Code], k.gates[one.Code] = line, make(chan struct{}, 1)
	}
	return k, nil
}

// Tended counts what a round of the keeper's did.
type Tended struct{ Opened, Drained, Released, Freed int }

// Tend goes one round over all pools: numbers that nobody needs any more drain, those that are paid back are released,
// those whose quarantine is over become free, and for bids that still wait numbers are opened; what is then to be said of the pools
// is found. A bank that fails stops no other.
func (k *Keeper) Tend(ctx context.Context, by string) (t Tended, err error) {
	if t.Drained, err = k.platform.DrainDue(ctx, by); err != nil {
		return t, fmt.Errorf("drain numbers: %w", err)
	}
	var failed []error
	for _, b := range k.banks.All() {
		n, err := k.ReleaseDue(ctx, by, b)
		t.Released += n
		failed = append(failed, err)
	}
	failed = append(failed, k.forgiveLate(ctx, by))
	if t.Freed, err = k.platform.FreeDue(ctx, by, k.db.Now()); err != nil {
		return t, errors.Join(append(failed, fmt.Errorf("free numbers: %w", err))...)
	}
	for _, b := range k.banks.All() {
		for _, parent := range b.ParentAccounts {
			n, err := k.TopUp(ctx, by, b, parent)
			t.Opened += n
			failed = append(failed, err)
		}
	}
	failed = append(failed, k.findPools(ctx, by, deposit.DayOf(k.db.Now()), poolNow))
	return t, errors.Join(failed...)
}

// write runs f, and runs it again when somebody else was faster.
func (k *Keeper) write(ctx context.Context, by string, f func(*sqldb.Tx) error) (err error) {
	for range mostClashes {
		err = k.db.Write(ctx, by, f)
		if !errors.Is(err, sqldb.ErrStale) && !errors.Is(err, sqldb.ErrTaken) {
			return err
		}
	}
	return err
}

// mostClashes is how often a step is run again because another replica changed the same rows first.
const mostClashes = 20
