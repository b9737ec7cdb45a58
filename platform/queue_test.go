package platform

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

func (h house) waiting() int {
	h.Helper()
	n, err := Waiting(ctx, h.db, poolBank, poolParent)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// A bid that asks gets a number, and gets the same one however often it asks and whatever became of it meanwhile.
func TestAllocationIsIdempotent(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		h.load("9001", "9002")
		bid := h.bidder(lotA.Number, "海岳")
		h.untouch()
		h.pass(1500 * time.Millisecond)
		lease, isNew, err := h.desk.Allocate(ctx, "test", NumberOrder{bid.ID, poolBank, poolParent})
		if err != nil || !isNew || lease.BidID != bid.ID || lease.LotID != bid.LotID || !lease.From.Equal(noon.Add(time.Second)) || !lease.To.Equal(sqldb.Forever) {
			h.Errorf("got %+v new=%v %v", lease, isNew, err)
		}
		h.wantTouched(lease.SubAccount + "/海岳")
		before := h.written()
		again := func() {
			h.Helper()
			same, isNew, err := h.desk.Allocate(ctx, "test", NumberOrder{bid.ID, poolBank, poolParent})
			if err != nil || isNew || same.ID != lease.ID || same.SubAccount != lease.SubAccount || h.written() != before {
				h.Errorf("asked again: %+v new=%v %v", same, isNew, err)
			}
		}
		again()
		h.record(event("E", EventTerminated, lotA.Number))
		before = h.written()
		again()
	})
}

func TestWhoGetsNoNumber(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.load("9001")
		refused := func(name string, bid sqldb.ID, kind deposit.Kind, code string) {
			h.Helper()
			before := h.written()
			_, _, err := h.desk.Allocate(ctx, "test", NumberOrder{bid, poolBank, poolParent})
			if r := deposit.AsRefusal(err); r.Kind != kind || r.Code != code || h.written() != before {
				h.Errorf("%s: %v", name, err)
			}
		}
		refused("no such bid", 7, deposit.NotFound, "bid_unknown")
		for state := range bidStateNames {
			if _, bid := h.stand(string(state), LotAnnounced, state); state != BidLive {
				refused(string(state), bid.ID, deposit.Conflict, "bid_not_live")
			}
		}
		for state := range lotStateNames {
			if _, bid := h.stand("lot "+string(state), state, BidLive); state != LotAnnounced {
				refused(string(state), bid.ID, deposit.Conflict, "lot_closed")
			}
		}
		h.wantState("9001", NumberFree)
	})
}

// Where the pool is empty bids wait, once each, in the order of asking; numbers that come back go to them first.
func TestTheQueueIsServedFirst(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		var crowd []Bid
		for i := range 6 {
			crowd = append(crowd, h.bidder(lotA.Number, fmt.Sprint("竞争者", i)))
		}
		for _, bid := range crowd[:5] {
			h.pass(time.Second)
			if got := h.ask(bid); got != "" {
				h.Errorf("got %q of an empty pool", got)
			}
			h.ask(bid) // it does not lose its place
		}
		if n := h.waiting(); n != 5 {
			h.Errorf("%d wait", n)
		}
		_, _, err := h.desk.Allocate(ctx, "test", NumberOrder{crowd[0].ID, poolBank, poolParent})
		if r := deposit.AsRefusal(err); r.Kind != deposit.Conflict || r.Code != "pool_exhausted" {
			h.Errorf("an empty pool says %v", err)
		}
		withdrawn := event("W", EventBidWithdrawn, lotA.Number)
		withdrawn.Bidder = "竞争者1"
		h.record(withdrawn)
		if n := h.waiting(); n != 4 {
			h.Errorf("%d wait after a withdrawal", n)
		}
		h.putBid(bidOrder(lotA.Number, "竞争者2", "own")) // has one from the platform now
		if got := h.load("9001", "9002"); got.Served != 2 {
			h.Errorf("loading two numbers served %d", got.Served)
		}
		h.pass(time.Second)
		var got []string
		for _, bid := range []Bid{crowd[5], crowd[4], crowd[3], crowd[2], crowd[0]} { // whoever comes is not served before them
			got = append(got, h.ask(bid))
		}
		if got[0] != "" || got[1] != "" || got[2] == "" || got[3] != "own" || got[4] == "" || got[2] == got[4] {
			h.Errorf("got %q", got)
		}
		if n := h.waiting(); n != 2 {
			h.Errorf("%d wait", n)
		}
		if got := h.load("9003"); got.Served != 1 || h.ask(crowd[4]) != "9003" || h.ask(crowd[5]) != "" {
			h.Errorf("the last in the queue: %+v", got)
		}
	})
}

// Numbers that come back from their quarantine serve the queue too; one who asks for another pool leaves this one's.
func TestTheQueueIsServedByWhatComesBack(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		h.putLot(LotOrder{Number: "B", Department: "建设工程科", Deposit: 1, OpensAt: at("2027-06-12 09:00:00")})
		h.load("9001")
		h.ask(h.bidder(lotA.Number, "海岳"))
		h.record(event("E", EventTerminated, lotA.Number))
		h.release("9001")
		first, second := h.bidder("B", "明湖"), h.bidder("B", "东昌")
		h.ask(first)
		h.pass(time.Second)
		h.ask(second)
		_, _, err := h.desk.Allocate(ctx, "test", NumberOrder{first.ID, "CCB", "1"})
		if err == nil || h.waiting() != 1 {
			h.Errorf("asked at another bank: %v; %d wait here", err, h.waiting())
		}
		h.pass(Quarantine + time.Minute)
		if n := h.free(); n != 1 || h.waiting() != 0 {
			h.Errorf("%d became free, %d wait", n, h.waiting())
		}
		if got := h.ask(second); got != "9001" {
			h.Errorf("got %q", got)
		}
	})
}

// bidders is many new bids on a lot, without a number.
func (h house) bidders(lot string, many int) []Bid {
	h.Helper()
	orders := make([]BidOrder, many)
	for i := range orders {
		orders[i] = BidOrder{Lot: lot, Bidder: fmt.Sprintf("竞争者%04d", i)}
	}
	if _, err := h.desk.Sync(ctx, "test", SyncOrder{Bids: orders}); err != nil {
		h.Fatal(err)
	}
	known, err := LotByNumber(ctx, h.db, lot)
	if err != nil {
		h.Fatal(err)
	}
	all, err := BidsOf(ctx, h.db, []sqldb.ID{known.ID})
	if err != nil || len(all) != many {
		h.Fatalf("%d bids, %v", len(all), err)
	}
	return all
}

// A queue longer than one transaction serves is served wholly, also by one who asks at its end.
func TestALongQueue(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		const many = servedAtOnce*2 + 10
		all := h.bidders(lotA.Number, many)
		lot := all[0].LotID
		err := h.write(func(tx *sqldb.Tx) error {
			for _, bid := range all[:many-1] {
				if err := numberAsks.Insert(ctx, tx, numberAsk{ID: bid.ID, LotID: lot, BidID: bid.ID, Bank: poolBank, Parent: poolParent, AskedAt: noon, State: askWaiting, Version: 1}); err != nil {
					return err
				}
			}
			for _, s := range series("9", many) {
				n := Number{ID: tx.NewID(), Bank: poolBank, SubAccount: s, Parent: poolParent, State: NumberFree, Version: 1}
				if err := numbers.Insert(ctx, tx, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			h.Fatal(err)
		}
		h.pass(time.Minute)
		if got := h.ask(all[many-1]); got == "" || h.waiting() != 0 || h.counts()[NumberLeased] != many || h.overlapping() != 0 {
			h.Errorf("got %q, %d wait, %v", got, h.waiting(), h.counts())
		}
	})
}

// The bids of a lot that shares a number get one number together, by the pool as by the platform's word.
func TestOneNumberForALot(t *testing.T) {
	eachClock(t, func(h clocked) {
		shared := lotA
		shared.Numbering = PerLot
		lot := h.putLot(shared)
		h.load("9001", "9002")
		a, b := h.bidder(lotA.Number, "海岳"), h.bidder(lotA.Number, "明湖")
		h.untouch()
		got := h.ask(a)
		h.wantTouched("/明湖", "/海岳", got+"/")
		if got == "" || h.ask(b) != got || h.counts()[NumberLeased] != 1 {
			h.Errorf("one got %q, the other %q; %v", got, h.ask(b), h.counts())
		}
		shared.Numbering = PerBid
		_, _, err := h.desk.PutLot(ctx, "test", shared)
		wantRefused(h.T, err, deposit.Conflict, "lot_numbered", "numbering")
		shared.Numbering = ""
		if after := h.putLot(shared); after.Numbering != PerLot || after.Version != lot.Version {
			h.Errorf("left out, the numbering became %+v", after)
		}

		withdrawn := event("W", EventBidWithdrawn, lotA.Number)
		withdrawn.Bidder = "海岳"
		h.record(withdrawn)
		h.wantState(got, NumberLeased) // the others' too
		answers, err := Claims(ctx, h.db, []Ask{{Bank: poolBank, SubAccount: got}, {Bank: poolBank, SubAccount: got, PayerKey: "海岳"}, {PayerKey: "明湖"}, {Bank: poolBank, SubAccount: got, PayerKey: "东昌"}})
		if err != nil {
			h.Fatal(err)
		}
		var told []string
		for _, claims := range answers {
			line := ""
			for _, c := range claims {
				line += c.Bid.Bidder + "/" + c.Lease.SubAccount + " "
			}
			told = append(told, line)
		}
		if want := []string{"/" + got + " ", "/" + got + " 海岳/" + got + " ", "明湖/" + got + " ", "/" + got + " "}; !slices.Equal(told, want) {
			h.Errorf("claims %q, want %q", told, want)
		}

		other := LotOrder{Number: "B", Department: "建设工程科", Deposit: 1, OpensAt: lotA.OpensAt, Numbering: PerLot}
		h.putLot(other)
		for _, bidder := range []string{"东昌", "临清", "东昌"} {
			h.putBid(bidOrder("B", bidder, "by the platform"))
		}
		if got := h.ask(h.bidder("B", "冠县")); got != "by the platform" {
			h.Errorf("asked after the platform's word: %q", got)
		}
		_, _, err = h.desk.PutBid(ctx, "test", bidOrder(lotA.Number, "东昌", "by the platform"))
		wantRefused(h.T, err, deposit.Conflict, "lease_overlaps", "sub_account")
		h.record(event("E", EventTerminated, lotA.Number))
		h.wantState(got, NumberDraining)
	})
}

// Whoever looks at the numbers of two bids cannot tell how many bids came between: the order in which numbers are given out
// is neither the order of loading nor that of the numbers.
func TestTheOrderOfNumbersTellsNothing(t *testing.T) {
	const many = 60
	eachClock(t, func(h clocked) {
		random := rand.New(rand.NewPCG(1, 2))
		h.desk.draw = func() sqldb.ID { return sqldb.ID(random.Uint64() >> 1) }
		h.load(series("37198", many)...)
		h.putLot(lotA)
		var given []string
		for _, bid := range h.bidders(lotA.Number, many) {
			given = append(given, h.ask(bid))
		}
		rising, sum := 0, 0.0
		for i := 1; i < many; i++ {
			if strings.Compare(given[i-1], given[i]) < 0 {
				rising++
			}
			var a, b int
			_, _ = fmt.Sscanf(given[i-1], "37198%d", &a)
			_, _ = fmt.Sscanf(given[i], "37198%d", &b)
			sum += max(float64(a-b), float64(b-a))
		}
		// By chance half of the neighbours rise (2.3 is one standard deviation), and they are a third of the range apart (2 is one).
		if mean := sum / (many - 1); rising < many/2-11 || rising > many/2+11 || mean < many/3.0-9 || mean > many/3.0+9 {
			h.Errorf("of %d neighbours %d rise, and they are %.1f apart", many-1, rising, mean)
		}
		if slices.Sort(given); !slices.Equal(given, series("37198", many)) {
			h.Error("not every number was given out once")
		}
	})
}

// Those that are free since an earlier day are given out first.
func TestTheLongestFreeComeFirst(t *testing.T) {
	eachClock(t, func(h clocked) {
		h.putLot(lotA)
		var want [][]string
		for day := range 3 {
			some := series(fmt.Sprint("day", 9-day), 4)
			h.load(some...)
			want = append(want, some)
			h.pass(24 * time.Hour)
		}
		crowd := h.bidders(lotA.Number, 12)
		for day, some := range want {
			var got []string
			for _, bid := range crowd[4*day : 4*day+4] {
				got = append(got, h.ask(bid))
			}
			if slices.Sort(got); !slices.Equal(got, some) {
				h.Errorf("after %d days' numbers: %q, want %q", day, got, some)
			}
		}
	})
}
