package platform

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
)

// How large a crowd is: two replicas, sixteen who ask and give back, and fewer numbers than askers.
const (
	askers  = 16
	inPool  = 6
	perHead = 12 // acts of each
)

// crowdAct is what one of the crowd does: it asks for its bid's number, or gives its number back.
type crowdAct struct {
	asker  int
	back   bool
	number int8 // what is given back
}

// crowdModel is the pool done by one hand. An asker gets a number that nobody has, and the same one until it gives it
// back; it is told that there are none only where those before it in the queue need all that there are.
var crowdModel = porcupine.Model{
	Init: func() any { return poolState{free: 1<<inPool - 1} },
	Step: func(state, input, output any) (bool, any) {
		return state.(poolState).after(input.(crowdAct), output.(int8))
	},
}

// poolState is the pool as one who sees every act in turn would know it.
type poolState struct {
	free    uint32       // the numbers that nobody has
	waiting uint32       // who was told that there are none
	holds   [askers]int8 // number + 1
}

func (s poolState) after(act crowdAct, got int8) (bool, any) {
	me := uint32(1) << act.asker
	has, waits := s.holds[act.asker], s.waiting&me != 0
	switch {
	case act.back:
		s.free |= 1 << act.number
		s.holds[act.asker] = 0
		return has == act.number+1, s
	case has != 0:
		return got == has-1, s
	case got < 0:
		others := ones(s.waiting &^ me)
		s.waiting |= me
		return ones(s.free) <= others, s
	}
	taken := uint32(1) << got
	legal := s.free&taken != 0
	s.free &^= taken
	if waits {
		s.waiting &^= me
	}
	s.holds[act.asker] = got + 1
	return legal, s
}

func ones(set uint32) (n int) {
	for ; set != 0; set &= set - 1 {
		n++
	}
	return n
}

// What the model takes for a pool's doing, and what not.
func TestTheModelOfAPool(t *testing.T) {
	ask := func(asker int, got int8) [2]any { return [2]any{crowdAct{asker: asker}, got} }
	back := func(asker int, n int8) [2]any { return [2]any{crowdAct{asker: asker, back: true, number: n}, int8(0)} }
	for _, c := range []struct {
		name  string
		acts  [][2]any // one after the other
		legal bool
	}{
		{"two get two", [][2]any{ask(0, 3), ask(1, 4)}, true},
		{"two get one", [][2]any{ask(0, 3), ask(1, 3)}, false},
		{"one after the other", [][2]any{ask(0, 3), back(0, 3), ask(1, 3)}, true},
		{"asked again", [][2]any{ask(0, 3), ask(0, 3)}, true},
		{"asked again, another number", [][2]any{ask(0, 3), ask(0, 4)}, false},
		{"none while there are some", [][2]any{ask(0, -1)}, false},
		{"none where there are none", [][2]any{ask(0, 0), ask(1, 1), ask(2, 2), ask(3, 3), ask(4, 4), ask(5, 5), ask(6, -1)}, true},
		{"none where one came back", [][2]any{ask(0, 0), ask(1, 1), ask(2, 2), ask(3, 3), ask(4, 4), ask(5, 5), back(0, 0), ask(6, -1)}, false},
		{"none where one came back for another", [][2]any{ask(0, 0), ask(1, 1), ask(2, 2), ask(3, 3), ask(4, 4), ask(5, 5), ask(6, -1), back(0, 0), ask(7, -1), ask(6, 0)}, true},
		{"gives back what it has not", [][2]any{ask(0, 3), back(0, 2)}, false},
	} {
		var history []porcupine.Operation
		for i, act := range c.acts {
			history = append(history, porcupine.Operation{Input: act[0], Output: act[1], Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if porcupine.CheckOperations(crowdModel, history) != c.legal {
			t.Errorf("%s: not %v", c.name, c.legal)
		}
	}
}

// crowd is two replicas of the platform's desk, a lot and a pool, and a clock that goes on by a day whenever it is read,
// so that whatever is done is done on a day of its own.
type crowd struct {
	house
	desks    [2]*Desk
	dbs      [2]*sqldb.DB
	bids     [askers][]Bid
	allocate func(d *Desk, db *sqldb.DB, bid Bid) (string, error)
	began    time.Time

	mu      sync.Mutex
	trouble []string // what somebody was answered that is no answer
}

func (c *crowd) fails(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trouble = append(c.trouble, err.Error())
}

func newCrowd(t *testing.T, url string) *crowd {
	t.Helper()
	var days atomic.Int64
	clock := func() time.Time { return noon.AddDate(0, 0, int(days.Add(1))) }
	c := &crowd{dbs: [2]*sqldb.DB{sqldbtest.Open(t, url, clock), sqldbtest.Open(t, url, clock)}, began: time.Now()}
	c.house = house{t, c.dbs[0], NewDesk(c.dbs[0])}
	c.desks = [2]*Desk{c.desk, NewDesk(c.dbs[1])}
	c.allocate = func(d *Desk, _ *sqldb.DB, bid Bid) (string, error) {
		lease, _, err := d.Allocate(ctx, "test", NumberOrder{bid.ID, poolBank, poolParent})
		return lease.SubAccount, err
	}
	return c
}

// fill makes a lot with fresh bids for everybody, and a pool.
func (c *crowd) fill(round int) {
	c.Helper()
	lot := lotA
	lot.Number = fmt.Sprint("L", round)
	c.putLot(lot)
	all := c.bidders(lot.Number, askers*perHead)
	for i := range askers {
		c.bids[i] = all[i*perHead : (i+1)*perHead]
	}
	sqldbExec(clocked{house: c.house}, "DELETE FROM number_asks", "DELETE FROM numbers", "DELETE FROM leases")
	c.load(series("", inPool)...)
}

// run lets everybody ask and give back, and tells what each saw.
func (c *crowd) run(round int) []porcupine.Operation {
	c.Helper()
	c.fill(round)
	var all [askers][]porcupine.Operation
	var wg sync.WaitGroup
	for i := range askers {
		random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
		wg.Go(func() { all[i] = c.play(i, random) })
	}
	wg.Wait()
	var history []porcupine.Operation
	for _, some := range all {
		history = append(history, some...)
	}
	return history
}

// play is one of the crowd: it asks, asks again, gives back and begins anew with its next bid.
func (c *crowd) play(asker int, random *rand.Rand) (done []porcupine.Operation) {
	replica, bid, has := asker%2, 0, ""
	for range perHead {
		op := porcupine.Operation{ClientId: asker, Call: time.Since(c.began).Nanoseconds()}
		if has != "" && random.IntN(3) > 0 {
			act := crowdAct{asker: asker, back: true, number: place(has)}
			if err := c.giveBack(replica, has); err != nil {
				c.fails(err)
				return done
			}
			op.Input, op.Output = act, int8(0)
			has = ""
			bid++
		} else {
			number, err := c.allocate(c.desks[replica], c.dbs[replica], c.bids[asker][bid])
			if err != nil && deposit.AsRefusal(err).Code != "pool_exhausted" {
				c.fails(err)
				return done
			}
			has = number
			op.Input, op.Output = crowdAct{asker: asker}, place(number)
		}
		op.Return = time.Since(c.began).Nanoseconds()
		done = append(done, op)
	}
	return done
}

// place is a number's place in the pool, from 0; -1 for none.
func place(number string) int8 {
	var n int8
	_, _ = fmt.Sscanf(number, "%d", &n)
	return n - 1
}

// giveBack lets a number drain, releases it and makes it free, at once: the clock has gone on by more than its quarantine
// whenever it is looked at again.
func (c *crowd) giveBack(replica int, subAccount string) error {
	for {
		err := c.dbs[replica].Write(ctx, "test", func(tx *sqldb.Tx) error {
			n, err := NumberOf(ctx, tx, poolBank, subAccount)
			if err != nil {
				return err
			}
			if _, err = n.step(ctx, tx, actDrain, ""); err != nil {
				return err
			}
			if n, err = Release(ctx, tx, ReleaseOrder{poolBank, subAccount, 0, true, LeastQuarantine}); err != nil {
				return err
			}
			n.FreeSince = deposit.DayOf(noon).Start()
			_, err = n.step(ctx, tx, actFree, "")
			return err
		})
		if !errors.Is(err, sqldb.ErrStale) {
			return err
		}
	}
}

// sound says what is wrong with the leases that a crowd has left: two of one number at one time, or one within a quarantine.
func (c *crowd) sound() (wrong []string) {
	c.Helper()
	if n := c.overlapping(); n > 0 {
		wrong = append(wrong, fmt.Sprint(n, " pairs of leases overlap"))
	}
	n, err := sqldb.Value[int](ctx, c.db, "SELECT COUNT(*) FROM leases a JOIN leases b ON b.sub_account = a.sub_account AND b.bank = a.bank AND b.id <> a.id "+
		"WHERE b.leased_from >= a.leased_from AND b.leased_from < a.barred_until")
	if err != nil || n > 0 {
		wrong = append(wrong, fmt.Sprint(n, " leases begin within a quarantine ", err))
	}
	return wrong
}

// playedBy runs some rounds and tells what was wrong, and in how many of them the histories were those of no pool.
func playedBy(t *testing.T, url string, rounds int, allocate func(*Desk, *sqldb.DB, Bid) (string, error)) (impossible int, wrong []string) {
	t.Helper()
	c := newCrowd(t, url)
	if allocate != nil {
		c.allocate = allocate
	}
	for round := range rounds {
		history := c.run(round)
		found := append(c.sound(), c.trouble...)
		c.trouble = nil
		if result := porcupine.CheckOperationsTimeout(crowdModel, history, time.Minute); result != porcupine.Ok {
			found = append(found, fmt.Sprint("a history of ", len(history), " acts is ", result))
			impossible++
		}
		if len(found) > 0 {
			wrong = append(wrong, fmt.Sprint("round ", round, ": ", strings.Join(found, "; ")))
		}
	}
	return impossible, wrong
}

// Sixteen who ask and give back on two replicas see the pool as if one hand had done everything: no number twice, and
// none are said to be left only where none are.
func TestCrowdSeesOnePool(t *testing.T) {
	crowdSeesOnePool(t, 2)
}

func TestTortureCrowdSeesOnePool(t *testing.T) {
	if os.Getenv("TORTURE") == "" {
		t.Skip("TORTURE=1 plays two hundred crowds")
	}
	crowdSeesOnePool(t, 200)
}

func crowdSeesOnePool(t *testing.T, rounds int) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		if _, wrong := playedBy(t, url, rounds, nil); len(wrong) > 0 {
			t.Errorf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// Without the guard – look for a free number, then write that it is taken – the same crowd is caught at it.
func TestCrowdWithoutTheGuardIsCaught(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		const rounds = 4
		impossible, wrong := playedBy(t, url, rounds, lookThenTake)
		if impossible < rounds/2 || len(wrong) < rounds/2 {
			t.Errorf("of %d histories %d were seen to be impossible: %v", rounds, impossible, wrong)
		}
	})
}

// lookThenTake is the allocation that everybody writes first.
func lookThenTake(_ *Desk, db *sqldb.DB, bid Bid) (string, error) {
	if held, err := leases.All(ctx, db, "WHERE bid_id = ? ORDER BY id", bid.ID); err != nil || len(held) > 0 {
		return append(held, Lease{})[0].SubAccount, err
	}
	free, err := numbers.All(ctx, db, "WHERE state = 'FREE' ORDER BY id LIMIT 1")
	if err != nil {
		return "", err
	}
	if len(free) == 0 {
		return "", deposit.Refuse(deposit.Conflict, "pool_exhausted", "")
	}
	n := free[0]
	err = db.Write(ctx, "test", func(tx *sqldb.Tx) error {
		l := Lease{ID: tx.NewID(), Bank: n.Bank, SubAccount: n.SubAccount, LotID: bid.LotID, BidID: bid.ID, From: tx.Now.Add(time.Duration(bid.ID%86_400_000) * time.Millisecond), To: sqldb.Forever, Version: 1}
		if _, err := tx.Exec(ctx, "UPDATE numbers SET state = 'LEASED', lease_id = ?, version = version + 1 WHERE id = ?", l.ID, n.ID); err != nil {
			return err
		}
		return leases.Insert(ctx, tx, l)
	})
	return n.SubAccount, err
}

// Sixteen on two replicas empty the pool: no number twice, nobody without one while there are any, and whoever comes too
// late is told so and waits.
func TestCrowdEmptiesThePool(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		c := newCrowd(t, url)
		c.fill(0)
		const more = askers*4 - 5
		c.load(series("9", more-inPool)...)
		var given sync.Map
		var none atomic.Int32
		var wg sync.WaitGroup
		for i := range askers {
			wg.Go(func() {
				for j := range 4 {
					switch number, err := c.allocate(c.desks[i%2], c.dbs[i%2], c.bids[i][j]); {
					case err == nil:
						if other, twice := given.LoadOrStore(number, i); twice {
							c.Errorf("%s was given to %d and to %v", number, i, other)
						}
					case deposit.AsRefusal(err).Code == "pool_exhausted":
						none.Add(1)
					default:
						c.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if none.Load() != askers*4-more || c.waiting() != askers*4-more || c.counts()[NumberLeased] != more || c.counts()[NumberFree] != 0 {
			c.Errorf("%d were told that there are none, %d wait, %v", none.Load(), c.waiting(), c.counts())
		}
		if wrong := c.sound(); len(wrong) > 0 {
			c.Error(wrong)
		}
	})
}
