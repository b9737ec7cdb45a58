package platform

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
)

// span is who had a number from when to when, and until when nobody else may have it, as the schedule has seen it done.
type span struct {
	bidder             string
	from, to, barred   time.Time
	lot                string
	finished, released bool
}

const credits = 100 // of how many instants it is asked whose money it would be

// schedule is one pool of one number through some years, and what was done to it. A second number would let chance in:
// which of them is given out no seed decides.
type schedule struct {
	clocked
	random *rand.Rand
	name   string
	round  int
	lots   int
	spans  []*span
	spoil  string // a statement that undoes a rule after each act; "" for none

	wrong []string
}

func (s *schedule) complain(text ...any) {
	s.wrong = append(s.wrong, fmt.Sprint("round ", s.round, ": ", fmt.Sprint(text...)))
}

func (s *schedule) parent() string { return "parent-" + s.name }

func (s *schedule) number() string { return "n" + s.name }

// latest gives the last span, nil before the first.
func (s *schedule) latest() *span {
	if len(s.spans) == 0 {
		return nil
	}
	return s.spans[len(s.spans)-1]
}

// come lets a new bid on a new lot ask for a number.
func (s *schedule) come() error {
	s.lots++
	lot := fmt.Sprint("L", s.name, "-", s.lots)
	s.putLot(LotOrder{Number: lot, Department: "建设工程科", Deposit: 1, OpensAt: s.now.AddDate(9, 0, 0)})
	bid := s.bidder(lot, "B"+lot)
	_, _, err := s.desk.Allocate(ctx, "test", NumberOrder{bid.ID, poolBank, s.parent()})
	if err != nil {
		return s.terminate(lot) // an empty pool: it does not wait
	}
	s.spans = append(s.spans, &span{bidder: bid.Bidder, from: s.now.Truncate(time.Second), to: sqldb.Forever, barred: sqldb.Forever, lot: lot})
	return nil
}

func (s *schedule) terminate(lot string) error {
	_, err := s.desk.Record(ctx, "test", EventOrder{Number: "E" + lot, Kind: EventTerminated, Lot: lot, HappenedAt: *s.now})
	return err
}

func (s *schedule) finish() error {
	last := s.latest()
	if last == nil || last.finished {
		return nil
	}
	last.finished = true
	return s.terminate(last.lot)
}

func (s *schedule) giveUp() error {
	last := s.latest()
	if last == nil || !last.finished || last.released {
		return nil
	}
	last.released, last.to = true, s.now.Truncate(time.Second).Add(time.Second)
	last.barred = last.to.Add(Quarantine)
	return s.tryRelease(ReleaseOrder{poolBank, s.number(), 0, true, Quarantine})
}

func (s *schedule) late() error {
	last := s.latest()
	if last != nil && last.released && s.now.Add(Quarantine).After(last.barred) {
		last.barred = s.now.Add(Quarantine)
	}
	return s.write(func(tx *sqldb.Tx) error {
		_, err := RestartQuarantine(ctx, tx, poolBank, s.number(), Quarantine)
		return err
	})
}

func (s *schedule) night() error {
	_, err := s.desk.FreeDue(ctx, "test", *s.now)
	return err
}

// play does some acts at random times, and then asks of many instants whose money it would be.
func (s *schedule) play() (nobodys, again int) {
	s.Helper()
	if _, err := s.desk.LoadNumbers(ctx, "test", poolBank, s.parent(), []string{s.number()}); err != nil {
		s.Fatal(err)
	}
	*s.now = noon // no round is to reach the end of time
	began := *s.now
	acts := []func() error{s.come, s.come, s.come, s.finish, s.finish, s.finish, s.giveUp, s.giveUp, s.giveUp, s.late, s.night, s.night, s.night}
	for range 40 {
		s.pass(time.Duration(s.random.Int64N(int64(60 * 24 * time.Hour))).Truncate(time.Millisecond))
		if err := acts[s.random.IntN(len(acts))](); err != nil {
			s.Fatal(err)
		}
		if s.spoil != "" {
			sqldbExec(s.clocked, s.spoil)
		}
	}
	leases, err := LeasesOn(ctx, s.db, poolBank, s.number())
	if err != nil || len(leases) != len(s.spans) {
		s.Fatalf("%d leases, %d were seen, %v", len(leases), len(s.spans), err)
	}
	for i := 1; i < len(s.spans); i++ {
		if s.spans[i].from.Before(s.spans[i-1].barred) {
			s.complain("leased again at ", s.spans[i].from, ", barred until ", s.spans[i-1].barred)
		}
	}
	claims, err := Claims(ctx, s.db, []Ask{{Bank: poolBank, SubAccount: s.number()}})
	if err != nil {
		s.Fatal(err)
	}
	for range credits {
		at := began.Add(time.Duration(s.random.Int64N(int64(s.now.Sub(began))))).Truncate(time.Second)
		got, want := holders(claims[0], at), ""
		for _, one := range s.spans {
			if !at.Before(one.from) && at.Before(one.to) {
				want += one.bidder
			}
		}
		if want == "" {
			nobodys++
		}
		if got != want {
			s.complain("money at ", at, " is ", got, "'s, was ", want, "'s")
		}
	}
	return nobodys, len(s.spans) - 1
}

// holders names everybody whose lease is in force at an instant.
func holders(claims []Claim, at time.Time) (names string) {
	for _, c := range claims {
		if c.Lease.InForce(at) {
			names += c.Bid.Bidder
		}
	}
	return names
}

// Whatever happens to a pool in whatever order, money is his who had the number when the bank booked it, or nobody's,
// and nobody gets a number within another's quarantine, however late money prolongs it.
func TestNoScheduleGivesMoneyToALaterHolder(t *testing.T) {
	schedulesHold(t, 5)
}

func TestTortureSchedules(t *testing.T) {
	if os.Getenv("TORTURE") == "" {
		t.Skip("TORTURE=1 plays ten thousand schedules")
	}
	schedulesHold(t, 10_000)
}

func schedulesHold(t *testing.T, rounds int) {
	eachClock(t, func(h clocked) {
		nobodys, again, wrong := 0, 0, []string(nil)
		for round := range rounds {
			n, a, w := h.playSchedule(round, "")
			nobodys, again, wrong = nobodys+n, again+a, append(wrong, w...)
		}
		if len(wrong) > 0 || h.overlapping() != 0 {
			h.Errorf("%d pairs overlap\n%s", h.overlapping(), strings.Join(wrong, "\n"))
		}
		if all := rounds * credits; nobodys < all/20 || nobodys > all*19/20 || again < rounds {
			h.Errorf("of %d credits %d are nobody's, and %d numbers were leased again: this shows nothing", all, nobodys, again)
		}
	})
}

// The same schedules notice where a rule is broken.
func TestSchedulesNoticeABrokenRule(t *testing.T) {
	eachClock(t, func(h clocked) {
		for name, spoil := range map[string]string{
			"no quarantine":            "UPDATE numbers SET state = 'FREE', quarantined_until = '1000-01-01 00:00:00.000' WHERE state = 'QUARANTINED'",
			"the lease does not end":   "UPDATE leases SET leased_to = '9999-12-31 00:00:00.000'",
			"the lease ends too early": "UPDATE leases SET leased_to = leased_from",
		} {
			noticed := false
			for round := 0; round < 40 && !noticed; round++ {
				_, _, wrong := h.playSchedule(round, spoil)
				noticed = len(wrong) > 0
			}
			sqldbExec(h, "DELETE FROM leases", "DELETE FROM numbers")
			if !noticed {
				h.Errorf("%s: went unnoticed", name)
			}
		}
	})
}

func (h clocked) playSchedule(round int, spoil string) (nobodys, again int, wrong []string) {
	h.Helper()
	s := &schedule{clocked: h, random: rand.New(rand.NewPCG(20260612, uint64(round))), name: fmt.Sprint(round, "-", len(spoil)), round: round, spoil: spoil}
	nobodys, again = s.play()
	return nobodys, again, s.wrong
}
