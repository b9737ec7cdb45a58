package platform

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

func TestPutLotSaidAgainChangesNothing(t *testing.T) {
	each(t, func(h house) {
		lot, isNew, err := h.desk.PutLot(ctx, "platform", lotA)
		if err != nil || !isNew {
			h.Fatal(isNew, err)
		}
		before := h.written()
		again := lotA
		again.Number, again.OpensAt = " "+lotA.Number+"　", lotA.OpensAt.UTC().Add(time.Microsecond)
		told, isNew, err := h.desk.PutLot(ctx, "platform", again)
		if err != nil || isNew || told.ID != lot.ID || told.Version != 1 || h.written() != before {
			h.Errorf("said again: %+v new=%v %v, written %s, before %s", told, isNew, err, h.written(), before)
		}
		read, err := LotByNumber(ctx, h.db, lotA.Number)
		if err != nil || !same(read, told) || read.State != LotAnnounced || !read.OpensAt.Equal(lotA.OpensAt) || !read.OpenedAt.IsZero() {
			h.Errorf("read %+v, %v; put %+v", read, err, told)
		}
	})
}

func TestPutLotChangesAndTouchesItsLeases(t *testing.T) {
	each(t, func(h house) {
		h.putLot(lotA)
		h.putBid(bidOrder(lotA.Number, "海岳建设有限公司", "9001"))
		h.putBid(bidOrder(lotA.Number, "海岳建设有限公司", "9002"))
		h.putBid(BidOrder{Lot: lotA.Number, Bidder: "明湖路桥有限公司"})
		h.untouch()
		for name, change := range map[string]func(*LotOrder){
			"deposit": func(o *LotOrder) { o.Deposit++ },
			"opening": func(o *LotOrder) { o.OpensAt = o.OpensAt.Add(time.Hour) },
			"single":  func(o *LotOrder) { o.SinglePayment = true },
			"basic":   func(o *LotOrder) { o.BasicAccountRequired = true },
			"name":    func(o *LotOrder) { o.Name = "" },
			"dept":    func(o *LotOrder) { o.Department = "政府采购科" },
		} {
			o, was := lotA, h.putLot(lotA)
			h.untouch()
			change(&o)
			lot, isNew, err := h.desk.PutLot(ctx, "platform", o)
			if read, _ := LotByNumber(ctx, h.db, lotA.Number); err != nil || isNew || lot.Version != was.Version+1 || !same(read, lot) {
				h.Errorf("%s: %+v, read %+v, new=%v, %v", name, lot, read, isNew, err)
			}
			h.wantTouched("/明湖路桥有限公司", "9001/海岳建设有限公司", "9002/海岳建设有限公司")
		}
		events, err := sqldb.Events.All(ctx, h.db, "WHERE table_name = ? AND by_whom = ? ORDER BY seq", "lots", "platform")
		if err != nil || len(events) != 6 || slices.ContainsFunc(events, func(e sqldb.Event) bool { return e.Became != "CHANGED" || !strings.Contains(e.Note, " → ") }) {
			h.Errorf("%+v %v", events, err)
		}
	})
}

func TestOpenedLotKeepsDepositAndOpening(t *testing.T) {
	each(t, func(h house) {
		o := lotA
		o.OpensAt = at("2026-06-10 09:00:00")
		h.putLot(o)
		h.record(EventOrder{Number: "1", Kind: EventOpened, Lot: o.Number, HappenedAt: o.OpensAt})
		for _, c := range []struct {
			name   string
			change func(*LotOrder)
			code   string
		}{
			{"deposit", func(o *LotOrder) { o.Deposit++ }, "lot_opened"},
			{"opening", func(o *LotOrder) { o.OpensAt = o.OpensAt.Add(time.Hour) }, "lot_opened"},
			{"name", func(o *LotOrder) { o.Name = "更正" }, ""},
		} {
			changed, before := o, h.written()
			c.change(&changed)
			_, _, err := h.desk.PutLot(ctx, "test", changed)
			wantRefused(t, err, deposit.Conflict, c.code, "opening_at")
			if c.code != "" && h.written() != before {
				h.Errorf("%s: refused, and yet something was written", c.name)
			}
		}
	})
}

// An opening and a change of the opening's hour, told to two replicas at once: one of them finds what the other did.
// No lot may come out as opened before its hour (invariant I32).
func TestOpeningAndPostponingAtOnce(t *testing.T) {
	replicas(t, func(h house, a, b *Desk) {
		opened, postponed := 0, 0
		for i := range 40 {
			o := lotA
			o.Number, o.OpensAt = fmt.Sprint("L", i), at("2026-06-10 09:00:00")
			h.putLot(o)
			var wg sync.WaitGroup
			var opening, postponing error
			wg.Go(func() {
				_, opening = a.Record(ctx, "test", EventOrder{Number: o.Number, Kind: EventOpened, Lot: o.Number, HappenedAt: o.OpensAt})
			})
			wg.Go(func() {
				later := o
				later.OpensAt = o.OpensAt.Add(time.Hour)
				_, _, postponing = b.PutLot(ctx, "test", later)
			})
			wg.Wait()
			lot, err := LotByNumber(ctx, h.db, o.Number)
			switch {
			case err != nil || !lot.OpenedAt.IsZero() && lot.OpenedAt.Before(lot.OpensAt):
				h.Fatalf("%+v %v; opening %v, postponing %v", lot, err, opening, postponing)
			case opening == nil && deposit.AsRefusal(postponing).Code == "lot_opened":
				opened++
			case postponing == nil && deposit.AsRefusal(opening).Code == "opening_early":
				postponed++
			default:
				h.Errorf("opening %v, postponing %v", opening, postponing)
			}
		}
		h.Logf("opened %d, postponed %d", opened, postponed)
	})
}

func TestPutLotRefusesWhatIsNoLot(t *testing.T) {
	each(t, func(h house) {
		for _, c := range []struct {
			name        string
			spoil       func(*LotOrder)
			code, field string
		}{
			{"no number", func(o *LotOrder) { o.Number = " " }, "field_missing", "number"},
			{"64 characters", func(o *LotOrder) { o.Number = strings.Repeat("标", 64) }, "", ""},
			{"65 characters", func(o *LotOrder) { o.Number = strings.Repeat("标", 65) }, "field_too_long", "number"},
			{"a line break", func(o *LotOrder) { o.Number = "A\nB" }, "field_malformed", "number"},
			{"no UTF-8", func(o *LotOrder) { o.Name = "\xc4\xe3" }, "field_malformed", "name"},
			{"no name", func(o *LotOrder) { o.Number, o.Name = "Z", "" }, "", ""},
			{"no department", func(o *LotOrder) { o.Department = "" }, "field_missing", "department"},
			{"no deposit", func(o *LotOrder) { o.Deposit = 0 }, "deposit_out_of_range", "deposit"},
			{"a negative deposit", func(o *LotOrder) { o.Deposit = -1 }, "deposit_out_of_range", "deposit"},
			{"one fen", func(o *LotOrder) { o.Number, o.Deposit = "Y", 1 }, "", ""},
			{"a billion yuan", func(o *LotOrder) { o.Number, o.Deposit = "X", deposit.MaxFen }, "", ""},
			{"a fen more", func(o *LotOrder) { o.Deposit = deposit.MaxFen + 1 }, "deposit_out_of_range", "deposit"},
			{"no opening", func(o *LotOrder) { o.OpensAt = time.Time{} }, "field_missing", "opening_at"},
			{"the year 200", func(o *LotOrder) { o.OpensAt = time.Date(200, 1, 1, 0, 0, 0, 0, time.UTC) }, "time_malformed", "opening_at"},
			{"the year 12026", func(o *LotOrder) { o.OpensAt = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) }, "time_malformed", "opening_at"},
		} {
			h.Run(c.name, func(t *testing.T) {
				o := lotA
				c.spoil(&o)
				lot, _, err := h.desk.PutLot(ctx, "test", o)
				wantRefused(t, err, deposit.Invalid, c.code, c.field)
				if err == nil && lot.Name == "" {
					t.Error("a lot without a name")
				}
			})
		}
		_, err := LotByNumber(ctx, h.db, "nowhere")
		wantRefused(t, err, deposit.NotFound, "lot_unknown", "lot")
	})
}

func TestLotsOpeningIsHalfOpen(t *testing.T) {
	each(t, func(h house) {
		for number, opens := range map[string]string{"a": "2026-06-12 09:00:00", "b": "2026-06-12 23:59:59", "c": "2026-06-13 00:00:00", "d": "2026-06-11 23:59:59"} {
			o := lotA
			o.Number, o.OpensAt = number, at(opens)
			h.putLot(o)
		}
		day := deposit.Day("2026-06-12")
		lots, err := LotsOpening(ctx, h.db, day.Start(), day.Add(1).Start())
		if err != nil || len(lots) != 2 || lots[0].Number != "a" || lots[1].Number != "b" {
			h.Errorf("%+v %v", lots, err)
		}
		byID, err := LotsByID(ctx, h.db, []sqldb.ID{lots[0].ID, lots[1].ID, 42})
		if err != nil || len(byID) != 2 || !same(byID[lots[1].ID], lots[1]) {
			h.Errorf("%+v %v", byID, err)
		}
	})
}
