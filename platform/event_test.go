package platform

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// stand puts a lot that should have opened at nine this morning, with one bid, straight into a state.
func (h house) stand(number string, lot LotState, bid BidState) (Lot, Bid) {
	h.Helper()
	l := Lot{ID: sqldb.NewID(), Number: number, Name: number, Department: "建设工程科", Deposit: yuan("100000.00"), OpensAt: at("2026-06-10 09:00:00"), State: lot, Version: 1}
	b := Bid{ID: sqldb.NewID(), LotID: l.ID, Bidder: "海岳建设有限公司", BidderKey: "海岳建设有限公司", State: bid, Version: 1}
	err := h.db.Write(ctx, "test", func(tx *sqldb.Tx) error {
		if err := lots.Insert(ctx, tx, l); err != nil {
			return err
		}
		return bids.Insert(ctx, tx, b)
	})
	if err != nil {
		h.Fatal(err)
	}
	return l, b
}

// event is one of a kind that happened at ten, an hour after the lot's opening, whole in its fields.
func event(number string, kind EventKind, lot string) EventOrder {
	o := EventOrder{Number: number, Kind: kind, Lot: lot, HappenedAt: at("2026-06-10 10:00:00")}
	if eventKinds[kind].bidder == '!' {
		o.Bidder = "海岳建设有限公司"
	}
	if eventKinds[kind].opensAt == '!' {
		o.OpensAt = at("2026-06-20 09:00:00")
	}
	if kind == EventBidWithdrawn {
		o.HappenedAt = at("2026-06-10 08:00:00")
	}
	return o
}

// Every kind of event in every state of a lot, and of a bid: what is on the map is done, what is not is refused and
// leaves no trace.
func TestEveryEventInEveryState(t *testing.T) {
	each(t, func(h house) {
		for kind := range eventKinds {
			ofBid := eventKinds[kind].bidder == '!'
			for state := range lotStateNames {
				if !ofBid {
					lot, _ := h.stand(fmt.Sprint(kind, state), state, BidLive)
					h.walk(kind, lot.Number, lotMoves[string(state)][string(kind)], func() string {
						after, err := LotByNumber(ctx, h.db, lot.Number)
						return string(after.State) + errText(err)
					})
				}
			}
			for state := range bidStateNames {
				if ofBid {
					lot, bid := h.stand(fmt.Sprint(kind, state), LotAnnounced, state)
					h.walk(kind, lot.Number, bidMoves[string(state)][string(kind)], func() string {
						after, err := BidsByID(ctx, h.db, []sqldb.ID{bid.ID})
						return string(after[bid.ID].State) + errText(err)
					})
				}
			}
		}
		n, err := sqldb.Value[int](ctx, h.db, "SELECT COUNT(*) FROM events")
		if err != nil || n != 13 {
			h.Errorf("%d steps in the audit trail (%v), the machines have 13", n, err)
		}
	})
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

func (h house) walk(kind EventKind, lot, want string, state func() string) {
	h.Helper()
	was, before := state(), h.written()
	known, err := h.desk.Record(ctx, "test", event("N"+lot, kind, lot))
	if want == "" {
		wantRefused(h.T, err, deposit.Conflict, "state_forbids", "kind")
		if state() != was || h.written() != before {
			h.Errorf("%s on %s: refused, but something was written", kind, lot)
		}
		return
	}
	if err != nil || known || state() != want {
		h.Errorf("%s on %s: %s, want %s; known=%v %v", kind, lot, state(), want, known, err)
	}
	h.wantTouched("/海岳建设有限公司")
}

func TestRecordIsIdempotentByNumber(t *testing.T) {
	each(t, func(h house) {
		h.stand("L", LotAnnounced, BidLive)
		h.stand("M", LotAnnounced, BidLive)
		o := event("E-1", EventBidWithdrawn, "L")
		o.Note = "书面撤回"
		h.record(o)
		before := h.written()
		for _, c := range []struct {
			name  string
			alter func(*EventOrder)
			code  string
		}{
			{"said again", func(*EventOrder) {}, ""},
			{"in another spelling", func(o *EventOrder) { o.Number, o.Bidder = " E-1 ", "海岳建设 有限公司" }, ""},
			{"by another zone", func(o *EventOrder) { o.HappenedAt = o.HappenedAt.UTC() }, ""},
			{"another kind", func(o *EventOrder) { *o = event("E-1", EventOpened, "L") }, "event_number_reused"},
			{"another lot", func(o *EventOrder) { o.Lot = "M" }, "event_number_reused"},
			{"another bidder", func(o *EventOrder) { o.Bidder = "明湖路桥有限公司" }, "event_number_reused"},
			{"another time", func(o *EventOrder) { o.HappenedAt = o.HappenedAt.Add(time.Millisecond) }, "event_number_reused"},
			{"another note", func(o *EventOrder) { o.Note = "" }, "event_number_reused"},
		} {
			h.Run(c.name, func(t *testing.T) {
				again := o
				c.alter(&again)
				known, err := h.desk.Record(ctx, "test", again)
				wantRefused(t, err, deposit.Conflict, c.code, "number")
				if known != (c.code == "") || h.written() != before {
					t.Errorf("known=%v, written %s, before %s", known, h.written(), before)
				}
			})
		}
	})
}

// The opening is the platform's event, and never before its hour (invariant I32).
func TestOpening(t *testing.T) {
	rules := []struct {
		name       string
		events     []EventOrder
		code       string
		wantState  LotState
		wantOpens  string
		wantOpened string
	}{
		{"one second early", []EventOrder{{Kind: EventOpened, HappenedAt: at("2026-06-10 08:59:59")}}, "opening_early", LotAnnounced, "2026-06-10 09:00:00", ""},
		{"on the second", []EventOrder{{Kind: EventOpened, HappenedAt: at("2026-06-10 09:00:00")}}, "", LotOpened, "2026-06-10 09:00:00", "2026-06-10 09:00:00"},
		{"late", []EventOrder{{Kind: EventOpened, HappenedAt: at("2026-06-10 09:07:00")}}, "", LotOpened, "2026-06-10 09:00:00", "2026-06-10 09:07:00"},
		{"postponed", []EventOrder{{Kind: EventOpeningMoved, HappenedAt: noon, OpensAt: at("2026-06-18 09:00:00")}}, "", LotAnnounced, "2026-06-18 09:00:00", ""},
		{"postponed, and opened at the old hour",
			[]EventOrder{{Kind: EventOpeningMoved, HappenedAt: at("2026-06-10 08:00:00"), OpensAt: at("2026-06-10 11:00:00")}, {Kind: EventOpened, HappenedAt: at("2026-06-10 09:00:00")}},
			"opening_early", LotAnnounced, "2026-06-10 11:00:00", ""},
		{"postponed, and opened",
			[]EventOrder{{Kind: EventOpeningMoved, HappenedAt: at("2026-06-10 08:00:00"), OpensAt: at("2026-06-10 11:00:00")}, {Kind: EventOpened, HappenedAt: at("2026-06-10 11:00:00")}},
			"", LotOpened, "2026-06-10 11:00:00", "2026-06-10 11:00:00"},
		{"moved once opened",
			[]EventOrder{{Kind: EventOpened, HappenedAt: at("2026-06-10 09:00:00")}, {Kind: EventOpeningMoved, HappenedAt: noon, OpensAt: at("2026-06-18 09:00:00")}},
			"state_forbids", LotOpened, "2026-06-10 09:00:00", "2026-06-10 09:00:00"},
		{"failed and announced again",
			[]EventOrder{{Kind: EventOpened, HappenedAt: at("2026-06-10 09:00:00")}, {Kind: EventFailed, HappenedAt: at("2026-06-10 10:00:00")}, {Kind: EventRetendered, HappenedAt: noon, OpensAt: at("2026-07-01 09:00:00")}},
			"", LotAnnounced, "2026-07-01 09:00:00", ""},
	}
	each(t, func(h house) {
		for i, c := range rules {
			h.Run(c.name, func(t *testing.T) {
				number := fmt.Sprint("L", i)
				h.stand(number, LotAnnounced, BidLive)
				var err error
				for j, o := range c.events {
					if err != nil {
						t.Fatal(err)
					}
					o.Number, o.Lot = fmt.Sprint(number, j), number
					_, err = h.desk.Record(ctx, "test", o)
				}
				if (err != nil) != (c.code != "") || err != nil && deposit.AsRefusal(err).Code != c.code {
					t.Errorf("%v, want %q", err, c.code)
				}
				lot, err := LotByNumber(ctx, h.db, number)
				if err != nil || lot.State != c.wantState || deposit.Wall(lot.OpensAt) != c.wantOpens || deposit.Wall(lot.OpenedAt) != c.wantOpened {
					t.Errorf("%+v %v", lot, err)
				}
			})
		}
	})
}

// 撤回 before the deadline, 撤销 after it: the bidder's hour decides, not ours, nor the opening's.
func TestWithdrawingAndRevoking(t *testing.T) {
	rules := []struct {
		name string
		kind EventKind
		at   string
		code string
		want BidState
	}{
		{"withdrawn a second before", EventBidWithdrawn, "2026-06-10 08:59:59", "", BidWithdrawn},
		{"withdrawn on the second", EventBidWithdrawn, "2026-06-10 09:00:00", "withdrawn_late", BidLive},
		{"revoked a second before", EventBidRevoked, "2026-06-10 08:59:59", "revoked_early", BidLive},
		{"revoked on the second", EventBidRevoked, "2026-06-10 09:00:00", "", BidRevoked},
	}
	each(t, func(h house) {
		for i, c := range rules {
			for _, state := range []LotState{LotAnnounced, LotOpened} {
				h.Run(c.name+", told while "+string(state), func(t *testing.T) {
					number := fmt.Sprint(state, i)
					_, bid := h.stand(number, state, BidLive)
					_, err := h.desk.Record(ctx, "test", EventOrder{Number: number, Kind: c.kind, Lot: number, Bidder: bid.Bidder, HappenedAt: at(c.at)})
					wantRefused(t, err, deposit.Conflict, c.code, "happened_at")
					if after, err := BidsByID(ctx, h.db, []sqldb.ID{bid.ID}); err != nil || after[bid.ID].State != c.want {
						t.Errorf("%+v %v", after, err)
					}
				})
			}
		}
	})
}

func TestRecordRefusesWhatIsNoEvent(t *testing.T) {
	each(t, func(h house) {
		h.stand("L", LotAnnounced, BidLive)
		for _, c := range []struct {
			name        string
			kind        EventKind
			spoil       func(*EventOrder)
			refusal     deposit.Kind
			code, field string
		}{
			{"no number", EventOpened, func(o *EventOrder) { o.Number = "" }, deposit.Invalid, "field_missing", "number"},
			{"no lot", EventOpened, func(o *EventOrder) { o.Lot = "" }, deposit.Invalid, "field_missing", "lot"},
			{"another lot", EventOpened, func(o *EventOrder) { o.Lot = "M" }, deposit.NotFound, "lot_unknown", "lot"},
			{"another bidder", EventBidRevoked, func(o *EventOrder) { o.Bidder = "明湖路桥有限公司" }, deposit.NotFound, "bid_unknown", "bidder"},
			{"another winner", EventAwardNotice, func(o *EventOrder) { o.Bidder = "明湖路桥有限公司" }, deposit.NotFound, "bid_unknown", "bidder"},
			{"no kind", "", func(*EventOrder) {}, deposit.Invalid, "event_kind_unknown", "kind"},
			{"another kind", "CLOSED", func(*EventOrder) {}, deposit.Invalid, "event_kind_unknown", "kind"},
			{"no time", EventOpened, func(o *EventOrder) { o.HappenedAt = time.Time{} }, deposit.Invalid, "field_missing", "happened_at"},
			{"five minutes ahead", EventFailed, func(o *EventOrder) { o.HappenedAt = noon.Add(5*time.Minute + time.Millisecond) }, deposit.Invalid, "event_in_future", "happened_at"},
			{"withdrawn by nobody", EventBidWithdrawn, func(o *EventOrder) { o.Bidder = "" }, deposit.Invalid, "field_missing", "bidder"},
			{"opened by a bidder", EventOpened, func(o *EventOrder) { o.Bidder = "海岳建设有限公司" }, deposit.Invalid, "field_unexpected", "bidder"},
			{"moved to nowhere", EventOpeningMoved, func(o *EventOrder) { o.OpensAt = time.Time{} }, deposit.Invalid, "opening_past", "opening_at"},
			{"moved to the past", EventOpeningMoved, func(o *EventOrder) { o.OpensAt = o.HappenedAt }, deposit.Invalid, "opening_past", "opening_at"},
			{"opened with a new opening", EventOpened, func(o *EventOrder) { o.OpensAt = noon }, deposit.Invalid, "field_unexpected", "opening_at"},
			{"a long note", EventOpened, func(o *EventOrder) { o.Note = strings.Repeat("长", 401) }, deposit.Invalid, "field_too_long", "note"},
		} {
			h.Run(c.name, func(t *testing.T) {
				o, before := event("E", c.kind, "L"), h.written()
				c.spoil(&o)
				_, err := h.desk.Record(ctx, "test", o)
				wantRefused(t, err, c.refusal, c.code, c.field)
				if h.written() != before {
					t.Error("refused, and yet something was written")
				}
			})
		}
	})
}

// What an event says is kept whole, and the step it makes stands in the audit trail.
func TestRecordKeepsTheEvent(t *testing.T) {
	each(t, func(h house) {
		lot, bid := h.stand("L", LotOpened, BidLive)
		o := event("E-7", EventAwardNotice, "L")
		o.Bidder, o.Note = bid.Bidder, strings.Repeat("注", 400)
		h.record(o)
		row, err := platformEvents.One(ctx, h.db, "WHERE number = ?", "E-7")
		if err != nil || row.LotID != lot.ID || row.BidID != bid.ID || row.Kind != EventAwardNotice || row.Note != o.Note ||
			!row.HappenedAt.Equal(o.HappenedAt) || !row.OpensAt.IsZero() || !row.ReceivedAt.Equal(noon) {
			h.Errorf("%+v %v", row, err)
		}
		steps, err := sqldb.Events.All(ctx, h.db, "WHERE row_id = ? ORDER BY seq", lot.ID)
		if err != nil || !slices.ContainsFunc(steps, func(e sqldb.Event) bool {
			return e.Was == "OPENED" && e.Became == "AWARDED" && strings.HasPrefix(e.Note, "发出中标通知书（事件 E-7）：注")
		}) {
			h.Errorf("%+v %v", steps, err)
		}
	})
}
