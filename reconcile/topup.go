package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// The states of a number that a bank is asked to open.
const (
	openingWanted  = "WANTED"  // asked for, or to be asked for again with the same key
	openingOpened  = "OPENED"  // the bank has opened it
	openingRefused = "REFUSED" // the bank has said no: whoever waits is asked for anew, with another key
	openingClashed = "CLASHED" // the bank gave a number that somebody holds by our books
)

// OpeningMoves is how it goes on with one.
var OpeningMoves = deposit.Machine{
	openingWanted:  {"open": openingOpened, "refuse": openingRefused, "clash": openingClashed},
	openingOpened:  {},
	openingRefused: {},
	openingClashed: {},
}

// opening is a number that a bank is asked to open.
type opening struct {
	ID         sqldb.ID
	Bank       string
	Parent     string
	SubAccount string
	WantedAt   time.Time
	State      string
	Version    int64
}

var openings = sqldb.NewTable("number_openings", "id, bank, parent_account, sub_account, wanted_at, state, version", func(o *opening) []any {
	return []any{&o.ID, &o.Bank, &o.Parent, &o.SubAccount, sqldb.Wall(&o.WantedAt), &o.State, &o.Version}
})

// key is what the bank knows the opening by (InstSeq): 1 to 12 digits and letters, whatever becomes of their case.
func (o *opening) key() string { return strconv.FormatInt(int64(o.ID)&(1<<62-1), 36) }

// openFor is how long a number is to take money: lots are postponed by months, never by a year.
const openFor = 365 * 24 * time.Hour

// openedAtOnce bounds how many numbers one round opens for a pool, one call each.
const openedAtOnce = 50

// Opens reports whether a bank opens its numbers one by one as they are needed.
func (k *Keeper) Opens(b *bank.Bank) bool {
	return b.Numbers.From == bank.OnDemand && k.lines[b.Code] != nil
}

// TopUp brings numbers into a pool: those of a rule, all of them; at a bank that opens them one by one, as many as bids wait
// for. It tells how many came, and stops at the first that the bank does not open.
func (k *Keeper) TopUp(ctx context.Context, by string, b *bank.Bank, parent string) (came int, err error) {
	switch {
	case b.Numbers.From == bank.Computed:
		return k.loadRule(ctx, by, b, parent)
	case !k.Opens(b):
		return 0, nil
	}
	select {
	case k.gates[b.Code] <- struct{}{}:
		defer func() { <-k.gates[b.Code] }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for asked := 0; asked < openedAtOnce && err == nil; asked++ {
		var o *opening
		if o, err = k.wanted(ctx, by, b.Code, parent); err != nil || o == nil {
			break
		}
		var usable bool
		if usable, err = k.open(ctx, by, b, *o); usable {
			came++
		}
	}
	if err != nil {
		err = fmt.Errorf("open numbers at %s: %w", b.Code, err)
	}
	return came, err
}

// loadRule puts the numbers of a rule into the pool, unless they are there.
func (k *Keeper) loadRule(ctx context.Context, by string, b *bank.Bank, parent string) (loaded int, err error) {
	counts, err := platform.PoolCounts(ctx, k.db, b.Code, parent)
	if err != nil {
		return 0, err
	}
	there := 0
	for _, n := range counts {
		there += n
	}
	if there >= b.Numbers.Rule.Count() {
		return 0, nil
	}
	for some := range slices.Chunk(slices.Collect(b.Numbers.Rule.Of(parent)), ruleAtOnce) {
		result, err := k.platform.LoadNumbers(ctx, by, b.Code, parent, some)
		loaded += result.Loaded
		if err != nil {
			return loaded, fmt.Errorf("load the numbers of %s: %w", b.Code, err)
		}
	}
	return loaded, nil
}

// ruleAtOnce is how many numbers of a rule are handed over in one call.
const ruleAtOnce = 50_000

// wanted is the next number to ask the bank for: one whose outcome is still unknown, else a new one for a bid that waits;
// nil if nobody does.
func (k *Keeper) wanted(ctx context.Context, by, code, parent string) (next *opening, err error) {
	err = k.write(ctx, by, func(tx *sqldb.Tx) error {
		next = nil
		open, err := openings.All(ctx, tx, "WHERE state = 'WANTED' AND bank = ? AND parent_account = ? ORDER BY wanted_at, id LIMIT 1", code, parent)
		if err != nil {
			return err
		}
		if len(open) > 0 {
			next = &open[0]
			return nil
		}
		waiting, err := platform.Waiting(ctx, tx, code, parent)
		if err != nil || waiting == 0 {
			return err
		}
		next = &opening{ID: tx.NewID(), Bank: code, Parent: parent, WantedAt: tx.Now, State: openingWanted, Version: 1}
		return openings.Insert(ctx, tx, *next)
	})
	return next, err
}

// open asks the bank for one number and takes what it gives into the pool. A call with an unknown outcome, or one that
// the bank's own trouble ended, is asked again later with the same key.
func (k *Keeper) open(ctx context.Context, by string, b *bank.Bank, o opening) (usable bool, err error) {
	opened, call, err := k.lines[b.Code].OpenNumber(ctx, bank.Opening{Parent: o.Parent, Key: o.key(), Until: o.WantedAt.Add(openFor).Truncate(time.Second)})
	if noted := k.bank.NoteCall(ctx, call); noted != nil {
		return false, noted
	}
	switch {
	case err == nil && opened.Number == "": // opened before, and the bank does not say which it was
		return false, k.conclude(ctx, by, o, "clash", "")
	case err == nil:
		return k.take(ctx, by, o, opened.Number)
	case call.Outcome == bank.CallRefused && deposit.IsKind(err, deposit.Conflict):
		if moved := k.conclude(ctx, by, o, "refuse", ""); moved != nil {
			return false, moved
		}
	}
	return false, err
}

// take brings a number that the bank has opened into the pool. One that somebody holds by our books stays his; one that is
// in quarantine waits for its end, and is then open at the bank.
func (k *Keeper) take(ctx context.Context, by string, o opening, number string) (usable bool, err error) {
	known, err := platform.NumbersNamed(ctx, k.db, o.Bank, []string{number})
	if err != nil {
		return false, err
	}
	n, there := known[number]
	switch {
	case o.SubAccount == number: // it was taken before, and this is not the first who comes to conclude it
	case there && n.Parent != o.Parent, n.State == platform.NumberLeased, n.State == platform.NumberDraining, n.State == platform.NumberRetired:
		return false, k.conclude(ctx, by, o, "clash", number)
	}
	if err := k.given(ctx, by, o, number, n.ID); err != nil {
		return false, err
	}
	if _, err := k.platform.LoadNumbers(ctx, by, o.Bank, o.Parent, []string{number}); err != nil {
		return false, err
	}
	if _, err := k.platform.FreeDue(ctx, by, k.db.Now()); err != nil {
		return false, err
	}
	after, err := platform.NumberOf(ctx, k.db, o.Bank, number)
	if err != nil {
		return false, err
	}
	return after.State != platform.NumberQuarantined, k.conclude(ctx, by, o, "open", number)
}

// given notes which number the bank has given, before anything is done with it, so that who asks again does not take it for
// somebody else's; and that it is open at the bank.
func (k *Keeper) given(ctx context.Context, by string, o opening, number string, id sqldb.ID) error {
	return k.write(ctx, by, func(tx *sqldb.Tx) error {
		stands, err := openings.One(ctx, tx, "WHERE id = ?", o.ID)
		if err != nil {
			return err
		}
		if stands.State == openingWanted && stands.SubAccount != number {
			if err := nameNumber(ctx, tx, stands, number); err != nil {
				return err
			}
		}
		return platform.UnholdNumber(ctx, tx, o.Bank, number, holdWhileClosed, id)
	})
}

func nameNumber(ctx context.Context, tx *sqldb.Tx, o opening, number string) error {
	n, err := tx.Exec(ctx, "UPDATE number_openings SET sub_account = ?, version = version + 1 WHERE id = ? AND version = ?", number, o.ID, o.Version)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("name the number of an opening: %w", err)
	}
	return nil
}

// conclude ends an opening. That another replica, asking with the same key, was faster is no error.
func (k *Keeper) conclude(ctx context.Context, by string, o opening, act, number string) error {
	return k.write(ctx, by, func(tx *sqldb.Tx) error {
		stands, err := openings.One(ctx, tx, "WHERE id = ?", o.ID)
		if err != nil || stands.State != openingWanted || act == "clash" && number != "" && stands.SubAccount == number {
			return err
		}
		if stands.SubAccount != number {
			if err := nameNumber(ctx, tx, stands, number); err != nil {
				return err
			}
			stands.Version++
		}
		next, err := OpeningMoves.Next(stands.State, act)
		if err != nil {
			return err
		}
		return tx.Move(ctx, sqldb.Move{Table: "number_openings", ID: o.ID, Version: stands.Version, From: stands.State, To: next})
	})
}
