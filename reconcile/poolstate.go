package reconcile

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// poolState is what is kept of a pool beside its numbers: the bank's last word and the day's forecast.
type poolState struct {
	Bank, Parent string

	AskedAt             time.Time // zero: the bank was never asked
	BankFree, BankTotal int

	ForecastOn deposit.Day // "": there is none yet
	Colour     platform.PoolColour
	Low        bool // fewer numbers are free than banks.yaml wants
}

var poolStates = sqldb.NewTable("pool_states", "bank, parent_account, asked_at, bank_free, bank_total, forecast_on, colour, low", func(p *poolState) []any {
	return []any{&p.Bank, &p.Parent, sqldb.Wall(&p.AskedAt), &p.BankFree, &p.BankTotal, &p.ForecastOn, &p.Colour, &p.Low}
})

// poolStateOf reads it; a pool of which nothing is kept yet has a state without word and forecast.
func poolStateOf(ctx context.Context, r sqldb.Reader, p platform.Pool) (poolState, error) {
	s, err := poolStates.One(ctx, r, "WHERE bank = ? AND parent_account = ?", p.Bank, p.Parent)
	if errors.Is(err, sqldb.ErrNone) {
		return poolState{Bank: p.Bank, Parent: p.Parent}, nil
	}
	return s, err
}

// keepPool changes what is kept of a pool.
func (k *Keeper) keepPool(ctx context.Context, by string, p platform.Pool, change func(*poolState)) error {
	return k.write(ctx, by, func(tx *sqldb.Tx) error {
		s, err := poolStateOf(ctx, tx, p)
		if err != nil {
			return err
		}
		change(&s)
		n, err := tx.Exec(ctx, "UPDATE pool_states SET asked_at = ?, bank_free = ?, bank_total = ?, forecast_on = ?, colour = ?, low = ? WHERE bank = ? AND parent_account = ?",
			sqldb.At(s.AskedAt), s.BankFree, s.BankTotal, s.ForecastOn, s.Colour, s.Low, s.Bank, s.Parent)
		if err != nil || n == 1 {
			return err
		}
		return poolStates.Insert(ctx, tx, s)
	})
}

// pools lists the pools of the banks in banks.yaml that have numbers or in which somebody waits.
func (k *Keeper) pools(ctx context.Context) ([]platform.Pool, error) {
	there, err := platform.Pools(ctx, k.db)
	if err != nil {
		return nil, err
	}
	var all []platform.Pool
	for _, b := range k.banks.All() {
		for _, parent := range b.ParentAccounts {
			p := platform.Pool{Bank: b.Code, Parent: parent}
			waiting, err := platform.Waiting(ctx, k.db, p.Bank, p.Parent)
			if err != nil {
				return nil, err
			}
			if waiting > 0 || slices.Contains(there, p) {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// Forecast predicts when a pool runs empty. What a bank still has to open counts as free, but for the numbers among it that
// rest here. It stands for the day: the same day's word of the bank and the same numbers give the same.
func (k *Keeper) Forecast(ctx context.Context, p platform.Pool) (platform.Prediction, error) {
	b, err := k.banks.Bank(p.Bank)
	if err != nil {
		return platform.Prediction{}, err
	}
	calendar, err := platform.Calendar(ctx, k.db)
	if err != nil {
		return platform.Prediction{}, err
	}
	works := func(d deposit.Day) bool { works, _ := calendar.Works(d); return works }
	today := deposit.DayOf(k.db.Now())
	o := platform.ForecastOrder{Pool: p, Today: today, Works: works, LeadDays: max(1, b.Numbers.LeadDays), Quarantine: quarantineOf(k.banks, p.Bank)}
	if b.Numbers.From == bank.OnDemand {
		s, err := poolStateOf(ctx, k.db, p)
		if err != nil {
			return platform.Prediction{}, err
		}
		resting, err := k.closedNumbers(ctx, p)
		if err != nil {
			return platform.Prediction{}, err
		}
		o.Added = []platform.NumbersOn{{Day: today, Count: max(0, s.BankFree-resting)}}
	}
	seed := fnv.New64a()
	_, _ = fmt.Fprint(seed, p.Bank, "|", p.Parent, "|", today)                     // never fails
	return platform.Forecast(ctx, k.db, o, rand.New(rand.NewPCG(seed.Sum64(), 0))) //nolint:gosec // the same day's forecast is to be the same
}

// closedNumbers counts the numbers of a pool that the bank has closed and may open again.
func (k *Keeper) closedNumbers(ctx context.Context, p platform.Pool) (int, error) {
	return platform.CountHeld(ctx, k.db, p.Bank, p.Parent, holdWhileClosed)
}

// forecastToday says how a pool stands for the day. As long as it is sealed that is said once a day: said anew, the moment
// at which it turns would tell that somebody had bid.
func (k *Keeper) forecastToday(ctx context.Context, by string, p platform.Pool) error {
	s, err := poolStateOf(ctx, k.db, p)
	if err != nil {
		return err
	}
	sealed, err := anySealed(ctx, k.db)
	today := deposit.DayOf(k.db.Now())
	if err != nil || sealed && s.ForecastOn == today {
		return err
	}
	prediction, err := k.Forecast(ctx, p)
	switch {
	case deposit.IsKind(err, deposit.NotFound): // no number was ever there
		return nil
	case err != nil:
		return err
	}
	low, err := k.isLow(ctx, p, s)
	if err != nil {
		return err
	}
	return k.keepPool(ctx, by, p, func(kept *poolState) { kept.ForecastOn, kept.Colour, kept.Low = today, prediction.Colour(), low })
}

// isLow says whether fewer numbers can be given out than banks.yaml wants; of a bank that opens them one by one those count
// that it says it has left, once it was asked.
func (k *Keeper) isLow(ctx context.Context, p platform.Pool, s poolState) (bool, error) {
	b, err := k.banks.Bank(p.Bank)
	if err != nil {
		return false, err
	}
	counts, err := platform.PoolCounts(ctx, k.db, p.Bank, p.Parent)
	if err != nil {
		return false, err
	}
	free := counts[platform.NumberFree]
	if b.Numbers.From != bank.OnDemand {
		return free < b.Numbers.LowWater, nil
	}
	closed, err := k.closedNumbers(ctx, p)
	return !s.AskedAt.IsZero() && free+max(0, s.BankFree-closed) < b.Numbers.LowWater, err
}
