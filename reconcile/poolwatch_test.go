package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/bank"
	"depositd/bank/banksim"
	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// nightly goes one night and tells what stands about pools and numbers: code and detail.
func (k *kept) nightly(heard bool) []string {
	k.t.Helper()
	if err := k.keeper.Nightly(context.Background(), "nightly", theDay); (err == nil) != heard {
		k.t.Errorf("the bank was heard: %v, %v", heard, err)
	}
	return k.standing()
}

func (k *kept) standing() (found []string) {
	k.t.Helper()
	rows, err := k.keeper.Findings(context.Background(), deposit.SightOfAll())
	k.must(err)
	for _, f := range rows {
		found = append(found, fmt.Sprint(f.Code, " ", f.Detail))
	}
	return found
}

func (k *kept) load(numbers ...string) {
	k.t.Helper()
	_, err := k.platform.LoadNumbers(context.Background(), "test", "lcyh", keeperParent, numbers)
	k.must(err)
}

func (k *kept) wantFound(what string, got []string, want ...string) {
	k.t.Helper()
	if !strings.Contains(strings.Join(want, " "), "POOL_FORECAST") { // pools as small as these may always run empty
		got = slices.DeleteFunc(got, func(f string) bool { return strings.HasPrefix(f, "POOL_FORECAST") })
	}
	if len(got) != len(want) {
		k.t.Errorf("%s: found %q, want %q", what, got, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			k.t.Errorf("%s: found %q, want %q", what, got[i], want[i])
		}
	}
}

// What is wrong with a pool is found, once, and cleared when it is over.
func TestPoolFindings(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		k := keep(t, url, "{from: load, low_water: 3}", true)
		k.load("n1", "n2", "n3")
		k.sim.Stock("", "n1", "n2", "n3")
		k.wantFound("all well", k.nightly(true))
		k.lot("L1", "1000.00", "2026-06-20 15:00:00")
		k.ask(k.wanting("L1", dongchang))
		k.wantFound("the day has been told", k.nightly(true))
		*k.now = k.now.Add(24 * time.Hour)
		k.wantFound("low", k.nightly(true), "POOL_LOW 可用子账号少于设定的 3 个")
		k.ask(k.wanting("L1", weihe))
		k.ask(k.wanting("L1", "甲公司"))
		k.ask(k.wanting("L1", "乙公司"))
		k.tend() // exhausted is found at once
		k.wantFound("exhausted", k.standing(), "POOL_EXHAUSTED 子账号已用完", "POOL_LOW")
		*k.now = k.now.Add(24 * time.Hour)
		k.wantFound("soon exhausted", k.nightly(true), "POOL_EXHAUSTED", "POOL_FORECAST", "POOL_LOW")
		k.load("n4", "n5", "n6", "n7", "n8")
		*k.now = k.now.Add(24 * time.Hour)
		k.wantFound("the bank's list is shorter", k.nightly(true), "POOL_FORECAST", "POOL_COUNT_DIFFERS 银行的子账号总数比本系统少 5 个")
		k.sim.Stock("", "n4", "n5", "n6", "n7", "n8", "n9")
		k.wantFound("and longer", k.nightly(true), "POOL_FORECAST", "POOL_COUNT_DIFFERS 银行的子账号总数比本系统多 1 个")
		k.sim.Fail("G00013", banksim.HungUp)
		k.wantFound("not heard, it stands", k.nightly(false), "POOL_FORECAST", "POOL_COUNT_DIFFERS")
		pools, err := k.keeper.Pools(context.Background())
		k.must(err)
		if len(pools) != 1 || !pools[0].Sealed || pools[0].Colour != platform.PoolRed || pools[0].Counts != nil || pools[0].BankWord != nil {
			t.Errorf("before the opening: %+v", pools)
		}
	})
}

// A number that waits for its release says since when and why, and is told of when it should be over.
func TestUnreleased(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "load", true)
	k.load("n1", "n2", "n3")
	k.sim.Stock("", "n2", "n3")
	k.sim.Lend("", "n1", "K")
	k.lot("L1", "1000.00", "2026-06-12 15:00:00")
	number := k.ask(k.wanting("L1", dongchang))
	k.book(number, dongchang, "1000.00", bank.Credit)
	withdrawn := k.ask(k.wanting("L1", weihe))
	k.opened++
	_, err := k.platform.Record(context.Background(), "platform", platform.EventOrder{Number: "W", Kind: platform.EventBidWithdrawn, Lot: "L1", Bidder: weihe, HappenedAt: *k.now})
	k.must(err)
	if all, err := k.keeper.Unreleased(context.Background()); err != nil || len(all) != 0 {
		t.Errorf("before the opening it is told that %s was withdrawn: %+v %v", withdrawn, all, err)
	}
	*k.now = k.now.Add(4 * time.Hour)
	k.happens(platform.EventFailed, "L1")
	why := func() map[string]reconcile.Blocked {
		all, err := k.keeper.Unreleased(context.Background())
		k.must(err)
		told := map[string]reconcile.Blocked{}
		for _, u := range all {
			told[u.SubAccount] = u.Blocked
			if u.Blocked.Chinese() == "" {
				t.Errorf("%s has no name", u.Blocked)
			}
		}
		return told
	}
	if got := why(); got[number] != reconcile.BlockedBalance || got[withdrawn] != reconcile.BlockedNothing {
		t.Errorf("after the end: %v", got)
	}
	k.wantFound("money has its days", k.nightly(true))
	k.sim.Fail("G00004", banksim.Refuses09)
	k.tend()
	k.wantFound("refused", k.nightly(true), "子账号 "+withdrawn+" 自 2026-06-12 12:30:00 起待释放：银行拒绝注销（09）")
	*k.now = k.now.Add(8 * 24 * time.Hour)
	got := k.nightly(true)
	if !slices.ContainsFunc(got, func(f string) bool {
		return strings.Contains(f, "子账号 "+number+" 自 2026-06-12 16:30:00 起待释放：资金未退清")
	}) {
		t.Errorf("money after its days: %q", got)
	}
	k.book(number, dongchang, "1000.00", bank.Debit)
	k.must(k.db.Write(context.Background(), "refund", func(tx *sqldb.Tx) error {
		return platform.HoldNumber(context.Background(), tx, "lcyh", number, "REFUND", 7)
	}))
	if got := why(); got[number] != reconcile.BlockedHeld {
		t.Errorf("a refund is under way: %v", got)
	}
	k.must(k.db.Write(context.Background(), "refund", func(tx *sqldb.Tx) error {
		return platform.UnholdNumber(context.Background(), tx, "lcyh", number, "REFUND", 7)
	}))
	k.sim.Lend("", number, "K1")
	k.sim.Lend("", withdrawn, "K2")
	k.tend()
	k.want(number, platform.NumberQuarantined)
	k.want(withdrawn, platform.NumberQuarantined)
	k.wantFound("released", k.nightly(true))
}

// What the bank says of a number against what we know: other credits, none at all, and a number that it gives to two.
func TestBanksWordOnNumbers(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), "open", true)
	k.sim.Stock("", "n1", "n2")
	k.lot("L1", "1000.00", "2026-06-12 15:00:00")
	first, second := k.wanting("L1", dongchang), k.wanting("L1", weihe)
	k.ask(first)
	k.tend()
	k.ask(second)
	k.sim.Fail("G00003", banksim.StillLeased)
	k.tend()
	k.wantFound("given twice, while it would tell of a bid", k.nightly(true))

	e := k.sim.Credit(banksim.Transfer{SubAccount: "n1", With: banksim.Party{Name: dongchang, Account: "A"}, Amount: fen("1000.00")})
	k.push(e)
	*k.now = k.now.Add(4 * time.Hour)
	k.happens(platform.EventFailed, "L1")
	_, err := k.reconcile.JudgeAll(context.Background())
	k.must(err)
	k.wantFound("the same credits, and a clash that goes on", k.nightly(true), "NUMBER_CLASH")
	k.sim.Fail("G00005", banksim.Forgotten)
	k.wantFound("a clash hides what else is wrong with the number", k.nightly(true), "NUMBER_CLASH")
	k.must(k.db.Write(context.Background(), "test", func(tx *sqldb.Tx) error {
		_, err := tx.Exec(context.Background(), "UPDATE number_openings SET state = 'OPENED' WHERE state = 'CLASHED'")
		return err
	}))
	k.wantFound("the clash is over", k.nightly(true))
	k.sim.Fail("G00005", banksim.Forgotten)
	k.wantFound("unknown to the bank", k.nightly(true), "NUMBER_UNKNOWN 子账号 n1：银行答复账号不存在（02）")
	k.sim.Credit(banksim.Transfer{SubAccount: "n1", With: banksim.Party{Name: dongchang, Account: "A"}, Amount: fen("500.00"), Fault: banksim.Lost})
	k.wantFound("a credit that we were not told of", k.nightly(true), "NUMBER_CREDITS_DIFFER 子账号 n1：银行有、本系统没有 1 笔")
	k.sim.Fail("G00005", banksim.HungUp)
	k.wantFound("not heard, it stands", k.nightly(false), "NUMBER_CREDITS_DIFFER")
	k.sim.Lend("", "n9", "K")
	k.wantFound("opened for nobody of ours", k.nightly(true), "POOL_COUNT_DIFFERS 银行的子账号已开立数比本系统多 1 个", "NUMBER_CREDITS_DIFFER")
}

// The numbers of a rule are loaded, once.
func TestRuleIsLoaded(t *testing.T) {
	k := keep(t, sqldb.FileURL(t.TempDir()+"/deposit.db"), `{from: rule, rule: "{parent}-{0001..0040}"}`, false)
	k.tend()
	k.tend()
	pools, err := k.keeper.Pools(context.Background())
	k.must(err)
	if len(pools) != 1 || pools[0].Sealed || pools[0].Counts.Free != 40 {
		t.Errorf("got %+v", pools)
	}
	k.want(keeperParent+"-0040", platform.NumberFree)
}

// What runs is noted when it is something else than before.
func TestProgramIsNoted(t *testing.T) {
	h := open(t, sqldb.FileURL(t.TempDir()+"/deposit.db"))
	for _, start := range []struct{ version, digest string }{{"v1", "a"}, {"v1", "a"}, {"v2", "a"}, {"v2", "b"}, {"v2", "b"}, {"v1", "a"}} {
		h.must(reconcile.NoteProgram(context.Background(), h.db, "serve", start.version, start.digest))
	}
	events, err := sqldb.Events.All(context.Background(), h.db, "WHERE table_name = 'program' ORDER BY seq")
	h.must(err)
	var notes []string
	for _, e := range events {
		notes = append(notes, e.Note)
	}
	if got := strings.Join(notes, " | "); got != "版本 v1，设置 a | 版本 v2，设置 a | 版本 v2，设置 b | 版本 v1，设置 a" {
		t.Error(got)
	}
}
