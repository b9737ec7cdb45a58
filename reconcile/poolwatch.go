package reconcile

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// Nightly asks the banks what they say of the numbers, makes the day's forecasts and keeps the findings on pools and
// numbers (plan 4.6.1); calls that nobody asks about any more are forgotten. A bank that does not answer keeps nothing else from being done; what was found by its word stands.
func (k *Keeper) Nightly(ctx context.Context, by string, day deposit.Day) error {
	unheard := k.askBanks(ctx, by, day)
	pools, err := k.pools(ctx)
	if err != nil {
		return err
	}
	for _, p := range pools {
		if err := k.forecastToday(ctx, by, p); err != nil {
			return fmt.Errorf("forecast a pool: %w", err)
		}
	}
	_, forgotten := k.bank.ForgetCalls(ctx, by, k.db.Now().AddDate(0, 0, -bank.KeptCallDays))
	return errors.Join(unheard, forgotten, k.findPools(ctx, by, day, poolNight), k.findUnreleased(ctx, by, day))
}

// poolFinding is a finding about a pool as a whole. What it tells is no count: how many numbers are given out is secret.
func poolFinding(p platform.Pool, code Code, day deposit.Day, detail string) Finding {
	return Finding{Subject: poolSubject(p, code), Code: code, Reasons: string(code), Day: day, Bank: p.Bank, ParentAccount: p.Parent, Department: string(IT), Detail: detail}
}

// poolSubject is the key of a pool and a code, which have no row of their own.
func poolSubject(p platform.Pool, code Code) sqldb.ID {
	key := fnv.New64a()
	_, _ = fmt.Fprint(key, p.Bank, "|", p.Parent, "|", code) // never fails
	return sqldb.ID(key.Sum64()>>1 | 1)
}

// What is found of pools at night, and what at any time: all but that bids are waiting could tell by its moment that
// somebody has bid.
var (
	poolNight = []Code{PoolExhausted, PoolForecast, PoolLow, PoolCountDiffers}
	poolNow   = []Code{PoolExhausted}
)

// findPools keeps the findings of some codes on pools.
func (k *Keeper) findPools(ctx context.Context, by string, day deposit.Day, codes []Code) error {
	pools, err := k.pools(ctx)
	if err != nil {
		return err
	}
	var wanted []Finding
	var spared []sqldb.ID
	for _, p := range pools {
		found, err := k.lookAt(ctx, p, day)
		if err != nil {
			return err
		}
		wanted = append(wanted, slices.DeleteFunc(found, func(f Finding) bool { return !slices.Contains(codes, f.Code) })...)
		for _, code := range poolNight {
			if !slices.Contains(codes, code) {
				spared = append(spared, poolSubject(p, code))
			}
		}
	}
	return k.keepAll(ctx, by, KindPool, spared, wanted)
}

func (k *Keeper) lookAt(ctx context.Context, p platform.Pool, day deposit.Day) (found []Finding, err error) {
	b, err := k.banks.Bank(p.Bank)
	if err != nil {
		return nil, err
	}
	counts, err := platform.PoolCounts(ctx, k.db, p.Bank, p.Parent)
	if err != nil {
		return nil, err
	}
	waiting, err := platform.Waiting(ctx, k.db, p.Bank, p.Parent)
	if err != nil {
		return nil, err
	}
	s, err := poolStateOf(ctx, k.db, p)
	if err != nil {
		return nil, err
	}
	closed, err := k.closedNumbers(ctx, p)
	if err != nil {
		return nil, err
	}
	if waiting > 0 && counts[platform.NumberFree] == 0 {
		found = append(found, poolFinding(p, PoolExhausted, day, "子账号已用完，有投标在等候；请立即增补子账号"))
	}
	if s.Low {
		found = append(found, poolFinding(p, PoolLow, day, fmt.Sprint("可用子账号少于设定的 ", b.Numbers.LowWater, " 个")))
	}
	if s.Colour == platform.PoolRed {
		found = append(found, poolFinding(p, PoolForecast, day, fmt.Sprint("在银行增补所需的 ", max(1, b.Numbers.LeadDays), " 天内用完的可能超过 1%，请现在就向银行申请增补")))
	}
	if detail := countsDiffer(b, s, counts, closed); detail != "" && k.db.Now().Sub(s.AskedAt) < wordHolds {
		found = append(found, poolFinding(p, PoolCountDiffers, day, detail))
	}
	return found, nil
}

// wordHolds is how long a bank's count is held against ours: until the next night's.
const wordHolds = 26 * time.Hour

// countsDiffer tells how a bank's count (G00013) differs from ours. Where it opens numbers one by one, those open there
// are to be those of our pool that it has not closed; elsewhere it counts the list that it gave us.
func countsDiffer(b *bank.Bank, s poolState, counts map[platform.NumberState]int, closed int) string {
	if s.AskedAt.IsZero() {
		return ""
	}
	ours := 0
	for _, n := range counts {
		ours += n
	}
	name, diff := "总数", s.BankTotal-ours
	if b.Numbers.From == bank.OnDemand {
		if s.BankTotal < ours {
			return fmt.Sprint("银行的子账号总数比本系统已知的少 ", ours-s.BankTotal, " 个")
		}
		name, diff = "已开立数", s.BankTotal-s.BankFree-(ours-closed)
	}
	switch {
	case diff > 0:
		return fmt.Sprint("银行的子账号", name, "比本系统多 ", diff, " 个")
	case diff < 0:
		return fmt.Sprint("银行的子账号", name, "比本系统少 ", -diff, " 个")
	}
	return ""
}

// askBanks asks the banks that can be called for their counts, and for the credits of numbers that look wrong.
func (k *Keeper) askBanks(ctx context.Context, by string, day deposit.Day) error {
	pools, err := k.pools(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range pools {
		line := k.lines[p.Bank]
		if line == nil || line.Bank().Adapter.Calls.Left == nil {
			continue
		}
		if err := k.askLeft(ctx, by, line, p); err != nil {
			failed = append(failed, fmt.Errorf("ask %s for its numbers: %w", p.Bank, err))
		}
	}
	return errors.Join(append(failed, k.askCredits(ctx, by, day))...)
}

func (k *Keeper) askLeft(ctx context.Context, by string, line *bank.Line, p platform.Pool) error {
	left, call, err := line.Left(ctx, bank.OfParent{Parent: p.Parent})
	if noted := k.bank.NoteCall(ctx, call); noted != nil || err != nil {
		return errors.Join(err, noted)
	}
	return k.keepPool(ctx, by, p, func(s *poolState) { s.AskedAt, s.BankFree, s.BankTotal = call.BeganAt, left.Free, left.Total })
}

// suspect is a number of which the bank is asked what came in on it.
type suspect struct {
	number platform.Number
	parent string
}

// suspectsAtOnce bounds the numbers of a bank that one night asks for.
const suspectsAtOnce = 100

// suspects lists the numbers of a bank that look wrong: those that drain with money on them, those with late money, and those
// of which a statement told what no notice had. Numbers of lots that are not opened yet are left alone until then.
func (k *Keeper) suspects(ctx context.Context, code string) ([]suspect, error) {
	stuck, err := k.Unreleased(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range stuck {
		if u.Bank == code && u.Balance != 0 {
			names = append(names, u.SubAccount)
		}
	}
	late, err := platform.HeldFor(ctx, k.db, holdForLateMoney)
	if err != nil {
		return nil, err
	}
	for _, h := range late {
		if h.Bank == code {
			names = append(names, h.SubAccount)
		}
	}
	missing, err := sqldb.Select(ctx, k.db, func(s *string) []any { return []any{s} }, "SELECT e.sub_account FROM findings f JOIN entries e ON e.id = f.subject LEFT JOIN lots t ON t.id = f.lot_id "+
		"WHERE f.kind = 'MISSING' AND f.state IN ('OPEN','EXPLAINED') AND f.bank = ? AND e.sub_account <> '' AND COALESCE(t.state, '') <> 'ANNOUNCED' "+
		"GROUP BY e.sub_account ORDER BY e.sub_account", code)
	if err != nil {
		return nil, err
	}
	names = append(names, missing...)
	known, err := platform.NumbersNamed(ctx, k.db, code, names)
	var all []suspect
	for _, name := range names {
		if n, ok := known[name]; ok && n.Parent != "" && !slices.ContainsFunc(all, func(s suspect) bool { return s.number.ID == n.ID }) {
			all = append(all, suspect{n, n.Parent})
		}
	}
	return all[:min(len(all), suspectsAtOnce)], err
}
