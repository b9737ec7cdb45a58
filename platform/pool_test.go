package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// series is n numbers in sequence.
func series(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%06d", prefix, i+1)
	}
	return all
}

func (h house) counts() map[NumberState]int {
	h.Helper()
	counts, err := PoolCounts(ctx, h.db, poolBank, poolParent)
	if err != nil {
		h.Fatal(err)
	}
	maps.DeleteFunc(counts, func(_ NumberState, n int) bool { return n == 0 })
	return counts
}

// Thousands at once, twice, and with some new ones among them.
func TestLoadingIsIdempotent(t *testing.T) {
	eachClock(t, func(h clocked) {
		const many = loadedAtOnce + 1_000
		for _, c := range []struct {
			numbers []string
			want    LoadResult
		}{
			{series("37198", many), LoadResult{Loaded: many}},
			{series("37198", many+1), LoadResult{Loaded: 1, Known: many}},
			{[]string{" 37198000001 ", "37198000001"}, LoadResult{Known: 1}},
			{nil, LoadResult{}},
		} {
			if got := h.load(c.numbers...); got != c.want {
				h.Errorf("loaded %+v, want %+v", got, c.want)
			}
		}
		if got := h.counts(); len(got) != 1 || got[NumberFree] != many+1 {
			h.Errorf("counted %v", got)
		}
		var seen []string
		err := EachNumber(ctx, h.db, poolBank, poolParent, func(n *Number) error {
			seen = append(seen, n.SubAccount)
			if !n.FreeSince.Equal(at("2026-06-10 00:00:00")) || n.State != NumberFree || !n.Since.Equal(noon) || n.LeaseID != 0 {
				h.Fatalf("loaded as %+v", n)
			}
			return nil
		})
		if err != nil || !slices.Equal(seen, series("37198", many+1)) {
			h.Errorf("streamed %d numbers, %v", len(seen), err)
		}
		if pools, err := Pools(ctx, h.db); err != nil || len(pools) != 1 || pools[0] != (Pool{poolBank, poolParent}) {
			h.Errorf("pools %v %v", pools, err)
		}
	})
}

// A faulty row is told with its place, and then nothing is loaded.
func TestWhatIsNotLoaded(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		before := h.written()
		for _, c := range []struct {
			name, parent string
			numbers      []string
			code, text   string
		}{
			{"malformed", poolParent, []string{"1", "", "2", "3 4", "五"}, "numbers_invalid", "sub_account 第 2 行：子账号应为 1 到 40 个字母、数字或连字符；第 4 行"},
			{"too long", poolParent, []string{strings.Repeat("9", 41)}, "numbers_invalid", "sub_account 第 1 行"},
			{"the parent account", poolParent, []string{"1", poolParent}, "numbers_invalid", "sub_account 第 2 行：这是母账户本身"},
			{"another pool's", "3705018860000000999", []string{"1", "2", "9001"}, "numbers_invalid", "sub_account 第 3 行：该子账号属于另一母账户的号池"},
			{"no parent account", "", []string{"1"}, "parent_malformed", "parent_account "},
			{"many faults", poolParent, make([]string, 50), "numbers_invalid", "sub_account 第 1 行"},
			{"more than ever", poolParent, make([]string, mostNumbers+1), "numbers_too_many", "sub_account "},
		} {
			_, err := h.desk.LoadNumbers(ctx, "test", poolBank, c.parent, c.numbers)
			if r := deposit.AsRefusal(err); r.Kind != deposit.Invalid || r.Code != c.code || !strings.HasPrefix(r.Text, c.text) {
				h.Errorf("%s: %v", c.name, err)
			}
		}
		if h.written() != before || h.counts()[NumberFree] != 1 {
			h.Errorf("something was loaded: %v", h.counts())
		}
	})
}

// A number of the platform's joins the pool by its latest lease.
func TestNumbersOfThePlatformJoinThePool(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		for number, to := range map[string]time.Time{"lasting": sqldb.Forever, "later": at("2026-07-01 00:00:00"), "over": at("2026-06-05 00:00:00")} {
			o := bidOrder(lotA.Number, number, number)
			o.LeaseTo = to
			h.putBid(o)
		}
		if got := h.load("lasting", "later", "over", "new"); got != (LoadResult{Loaded: 4}) {
			h.Errorf("loaded %+v", got)
		}
		for number, want := range map[string]NumberState{"lasting": NumberLeased, "later": NumberLeased, "over": NumberDraining, "new": NumberFree} {
			h.wantState(number, want)
		}
		h.release("over")
		h.record(event("E", EventTerminated, lotA.Number))
		h.wantState("lasting", NumberDraining)
		h.release("lasting")
		leases, err := LeasesOn(ctx, h.db, poolBank, "over")
		if err != nil || len(leases) != 1 || !leases[0].To.Equal(at("2026-06-05 00:00:00")) {
			h.Errorf("a lease that had ended is now %+v, %v", leases, err)
		}
	})
}

// The platform may bring a free number of the pool; what is not free it does not get, and a quarantine it does not reach
// back into.
func TestThePlatformsWordOnThePool(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		h.load("9001")
		o := BidOrder{Lot: lotA.Number, Bidder: "海岳", Bank: poolBank, SubAccount: "9001"}
		bid := h.putBid(o)
		h.wantState("9001", NumberLeased)
		if got := h.ask(bid); got != "9001" {
			h.Errorf("asked after the platform's word: %q", got)
		}
		before := h.written()
		h.putBid(o)
		if h.written() != before {
			h.Error("said again, something changed")
		}
		o.Bidder, o.LeaseFrom, o.LeaseTo = "明湖", at("2026-05-01 00:00:00"), at("2026-05-02 00:00:00")
		_, _, err := h.desk.PutBid(ctx, "test", o)
		wantRefused(h.T, err, deposit.Conflict, "number_not_free", "sub_account")

		h.pass(time.Hour)
		h.record(event("E", EventTerminated, lotA.Number))
		h.release("9001")
		h.pass(Quarantine + time.Second)
		h.free()
		h.wantState("9001", NumberFree)
		h.putLot(LotOrder{Number: "B", Department: "建设工程科", Deposit: 1, OpensAt: at("2026-12-01 09:00:00")})
		o = BidOrder{Lot: "B", Bidder: "明湖", Bank: poolBank, SubAccount: "9001", LeaseFrom: at("2026-07-01 00:00:00")}
		_, _, err = h.desk.PutBid(ctx, "test", o)
		wantRefused(h.T, err, deposit.Conflict, "number_quarantined", "sub_account")
		o.Bidder, o.Lot, o.LeaseFrom, o.LeaseTo = "海岳", lotA.Number, time.Time{}, at("2026-06-11 00:00:00")
		_, _, err = h.desk.PutBid(ctx, "test", o) // the old lease, after its release
		wantRefused(h.T, err, deposit.Conflict, "number_not_free", "sub_account")
		h.putBid(BidOrder{Lot: "B", Bidder: "明湖", Bank: poolBank, SubAccount: "9001"})
		h.wantState("9001", NumberLeased)
	})
}

func TestNumbersByRule(t *testing.T) {
	for _, c := range []struct {
		pattern     string
		first, last int64
		want        string
		fails       bool
	}{
		{"37198######", 8, 11, "37198000008 37198000009 37198000010 37198000011", false},
		{"3705-##-A", 0, 1, "3705-00-A 3705-01-A", false},
		{"##", 99, 99, "99", false},
		{"##", 99, 100, "", true},
		{"37198", 1, 2, "", true},
		{"#7#", 1, 2, "", true},
		{"######", 2, 1, "", true},
		{"######", -1, 1, "", true},
		{"######", 1, mostNumbers, "", false},
		{"######", 0, mostNumbers, "", true},
	} {
		got, err := NumbersByRule(c.pattern, c.first, c.last)
		if c.fails {
			wantRefused(t, err, deposit.Invalid, "rule_malformed", "pattern")
		} else if err != nil || int64(len(got)) != c.last-c.first+1 || c.want != "" && strings.Join(got, " ") != c.want {
			t.Errorf("%s %d-%d: %v, %v", c.pattern, c.first, c.last, got, err)
		}
	}
}
