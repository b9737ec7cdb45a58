package reconcile_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/reconcile"
)

// A keeperCase is a step of the keeper's, which calls the bank.
type keeperCase struct {
	name    string
	numbers string // in banks.yaml's words
	called  bool
	stage   func(k *kept)
	bank    func(sim *banksim.Sim) // what the bank has by then
	run     func(ctx context.Context, k *kept) error
}

const lent = "p1"

func lends(sim *banksim.Sim) { sim.Lend("", lent, "K") }

func stocks(sim *banksim.Sim) { sim.Stock("", lent, "p2", "p3") }

// waited has a bid that waits for a number.
func waited(k *kept) {
	k.t.Helper()
	k.lot("L1", "1000.00", "2026-06-30 15:00:00")
	k.ask(k.wanting("L1", dongchang))
}

// held has a bid that has its number.
func held(k *kept) {
	k.t.Helper()
	k.load(lent)
	waited(k)
}

// drained has a number that is to be released.
func drained(k *kept) {
	held(k)
	k.happens(platform.EventTerminated, "L1")
}

// deaf has an outage, in which money came to the number.
func deaf(k *kept) {
	held(k)
	for _, at := range []string{"2026-06-12 12:31:00", "2026-06-12 12:41:00"} {
		*k.now = wall(at)
		_, err := reconcile.Beat(context.Background(), k.db, "test", false, false)
		k.must(err)
	}
}

func books(sim *banksim.Sim) {
	lends(sim)
	sim.Credit(banksim.Transfer{SubAccount: lent, With: banksim.Party{Name: dongchang, Account: "A"}, Amount: fen("1000.00"), At: wall("2026-06-12 12:35:00")})
}

var keeperCases = []keeperCase{
	{"TopUp", "{from: open}", true, waited, stocks, func(ctx context.Context, k *kept) error {
		_, err := k.keeper.TopUp(ctx, "tend", k.lcyh, keeperParent)
		return err
	}},
	{"TopUp by a rule", `{from: rule, rule: "{parent}-{0001..0002}"}`, false, func(*kept) {}, lends, func(ctx context.Context, k *kept) error {
		_, err := k.keeper.TopUp(ctx, "tend", k.lcyh, keeperParent)
		return err
	}},
	{"ReleaseDue", "{from: open}", true, drained, lends, func(ctx context.Context, k *kept) error {
		_, err := k.keeper.ReleaseDue(ctx, "tend", k.lcyh)
		return err
	}},
	{"ConfirmReleased", "load", false, func(k *kept) {
		drained(k)
		credit := paid("1", lent, dongchang, "1000.00", "10:00:00")
		back := credit
		back.Serial, back.Direction = "2", bank.Debit
		k.house.state("0.00", "0.00", credit, back)
		k.close()
	}, lends, func(ctx context.Context, k *kept) error {
		return unlessSaid(k.keeper.ConfirmReleased(ctx, "张会计", k.lcyh, lent))
	}},
	{"Tend", "{from: open}", true, func(k *kept) {
		drained(k)
		k.lot("L2", "1000.00", "2026-06-30 15:00:00")
		k.ask(k.wanting("L2", weihe))
	}, func(sim *banksim.Sim) { lends(sim); sim.Stock("", "p2", "p3") }, func(ctx context.Context, k *kept) error {
		_, err := k.keeper.Tend(ctx, "tend")
		return err
	}},
	{"Nightly", "{from: load, low_water: 5}", true, func(k *kept) {
		drained(k)
		k.push(paid("1", lent, dongchang, "1000.00", "10:00:00"))
		_, err := k.reconcile.JudgeAll(context.Background())
		k.must(err)
		k.load("p2")
	}, lends, func(ctx context.Context, k *kept) error { return k.keeper.Nightly(ctx, "nightly", theDay) }},
	{"AskMissed", "load", true, deaf, books, func(ctx context.Context, k *kept) error { return k.keeper.AskMissed(ctx, "watch") }},
	{"Beat", "load", false, func(k *kept) {
		_, err := reconcile.Beat(context.Background(), k.db, "test", false, false)
		k.must(err)
	}, lends, func(ctx context.Context, k *kept) error {
		_, err := reconcile.Beat(ctx, k.db, "test", false, false)
		return err
	}},
	{"NoteProgram", "load", false, func(*kept) {}, lends, func(ctx context.Context, k *kept) error {
		return reconcile.NoteProgram(ctx, k.db, "cli", "v1", "abc")
	}},
}

// keeps is what has to come out the same: of the numbers, who has them, what is asked of the bank, what is found, and what was told.
// When it was, how often the bank was called, and what was found for a while, is not of it.
func keeps(t testing.TB, url string) string {
	t.Helper()
	var all []string
	for _, query := range []string{"SELECT sub_account || parent_account || state FROM numbers ORDER BY sub_account", "SELECT sub_account || (leased_to > '9000-01-01 00:00:00.000') FROM leases ORDER BY sub_account",
		"SELECT state FROM number_asks ORDER BY state", "SELECT sub_account || reason FROM number_holds ORDER BY sub_account", "SELECT state || sub_account FROM number_openings ORDER BY state",
		"SELECT bank_free || ' ' || bank_total || forecast_on || colour || low FROM pool_states", "SELECT kind || code || state FROM findings WHERE state <> 'CLEARED' ORDER BY kind, code", "SELECT serial FROM entries ORDER BY serial",
		"SELECT cause || state FROM outages ORDER BY cause", "SELECT table_name || was || became || COUNT(*) FROM events WHERE table_name <> 'findings' GROUP BY table_name, was, became ORDER BY table_name, was, became",
		"SELECT DISTINCT code || subject FROM calls WHERE code NOT IN ('G00003', 'G00004') AND outcome = 'DONE' ORDER BY code, subject", "SELECT COUNT(*) FROM heartbeats WHERE beat_at > '2026-06-12 12:45:00.000'"} {
		all = append(all, strings.Join(sqldbtest.Strings(t, url, query), ","))
	}
	return strings.Join(all, "\n")
}

// keeping is a step over a database that fails, with a bank of its own each time, which has to have the same numbers out in the end.
func keeping(t *testing.T, c *keeperCase) sqldbtest.Trial {
	t.Helper()
	url := sqldbtest.Place(t)
	h := keep(t, url, c.numbers, c.called)
	c.stage(h)
	h.must(h.db.Close())
	began := h.now.Add(2 * time.Minute)
	now := began
	var k *kept
	return sqldbtest.Trial{URL: url, Now: func() time.Time { return now }, Steps: true, Modes: sqldbtest.InTurn(4),
		Fresh: func() { k, now = nil, began },
		Shape: func(t testing.TB, url string) string {
			out := []string{}
			if k != nil {
				_, out = k.sim.Numbers("")
			}
			return keeps(t, url) + fmt.Sprint("\nthe bank's: ", out)
		},
		Sound: func(t testing.TB, db *sqldb.DB) string { return broken(houseOf(t, db, &now), "broken") },
		Run: func(ctx context.Context, db *sqldb.DB) error {
			if k == nil {
				k = keptOver(t, houseOf(t, db, &now), c.numbers, c.called)
				c.bank(k.sim)
			} else if c.called {
				now = now.Add(31 * time.Minute) // a bank that was not heard, or said no, is left alone for half an hour
			}
			return c.run(ctx, k)
		}}
}

// TestTortureEveryStepFails: whatever call to the database fails while the keeper deals with a bank, no number is given twice or
// lost on the way, here or there, and the next round ends where an undisturbed one does.
func TestTortureEveryStepFails(t *testing.T) {
	sqldbtest.Unwatched(t)
	for _, c := range keeperCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			keeping(t, &c).Holds(t)
		})
	}
}

// No method that writes is forgotten, of this desk and of those that it stands upon.
func TestEveryMethodIsDisturbed(t *testing.T) {
	var names []string
	for _, c := range useCases {
		names = append(names, c.name)
	}
	for _, c := range slices.Concat(findingCases, platformCases, bankCases) {
		names = append(names, c.name)
	}
	for _, c := range keeperCases {
		names = append(names, c.name)
	}
	for _, one := range []struct {
		desk   any
		others []string
	}{
		{&reconcile.Desk{}, []string{"Join", "Checkpoint", "HoldTo", "DaysToClose", "StatusOf", "Finding", "Findings", "CountFindings", "Ageing", "DaysOfAge", "Workdays", "Inbox", "Message",
			"Overview", "Backlog", "Report", "Mismatches", "DaySeal", "Invariants", "Verify", "Told", "Credit", "CreditsBySerial"}},
		{&reconcile.Keeper{}, []string{"Watch", // asks as AskMissed does; that a bank was not heard is what it sees, and no error
			"Opens", "Pools", "Findings", "Forecast", "Unreleased", "Diagnose"}},
		{&platform.Desk{}, nil},
		{&bank.Desk{}, []string{"Refuse", // keeps every message that is refused, each time that it comes
			"CallsAbout", "LastCalls", "AskedSince", "CallsSince"}},
	} {
		for _, wrong := range sqldbtest.Forgotten(one.desk, names, one.others...) {
			t.Errorf("%s: %s", reflect.TypeOf(one.desk), wrong)
		}
	}
}
