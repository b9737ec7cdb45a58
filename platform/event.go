package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// EventKind is what happened to a lot or to one bid on it.
type EventKind string

// The kinds of events. Where the law counts a refund's days from, it counts them from one of these.
const (
	EventOpened         EventKind = "OPENED"
	EventOpeningMoved   EventKind = "OPENING_MOVED" // postponed, or moved otherwise
	EventBidWithdrawn   EventKind = "BID_WITHDRAWN"
	EventBidRevoked     EventKind = "BID_REVOKED"
	EventAwardNotice    EventKind = "AWARD_NOTICE"
	EventContractSigned EventKind = "CONTRACT_SIGNED"
	EventFailed         EventKind = "FAILED"
	EventTerminated     EventKind = "TERMINATED"
	EventRetendered     EventKind = "RETENDERED" // the same lot, announced again with a new opening
)

// eventKinds holds each kind's name for people, and which of the optional fields it has: '-' never, '?' may, '!' must.
var eventKinds = map[EventKind]struct {
	name            string
	bidder, opensAt byte
}{
	EventOpened:         {"开标", '-', '-'},
	EventOpeningMoved:   {"开标时间变更", '-', '!'},
	EventBidWithdrawn:   {"撤回投标", '!', '-'},
	EventBidRevoked:     {"撤销投标", '!', '-'},
	EventAwardNotice:    {"发出中标通知书", '?', '-'},
	EventContractSigned: {"签订合同", '?', '-'},
	EventFailed:         {"流标", '-', '-'},
	EventTerminated:     {"终止招标", '-', '-'},
	EventRetendered:     {"重新招标", '-', '!'},
}

// Chinese is the kind's name for people.
func (k EventKind) Chinese() string { return eventKinds[k].name }

// lotMoves: a tender may fail even after its award (中标无效), but be terminated only before it (条例 §31).
var lotMoves = deposit.Machine{
	"ANNOUNCED":  {"OPENED": "OPENED", "OPENING_MOVED": "ANNOUNCED", "FAILED": "FAILED", "TERMINATED": "TERMINATED"},
	"OPENED":     {"AWARD_NOTICE": "AWARDED", "FAILED": "FAILED", "TERMINATED": "TERMINATED"},
	"AWARDED":    {"CONTRACT_SIGNED": "SIGNED", "FAILED": "FAILED"},
	"SIGNED":     {},
	"FAILED":     {"RETENDERED": "ANNOUNCED"},
	"TERMINATED": {"RETENDERED": "ANNOUNCED"},
}

var bidMoves = deposit.Machine{
	"LIVE":      {"BID_WITHDRAWN": "WITHDRAWN", "BID_REVOKED": "REVOKED"},
	"WITHDRAWN": {},
	"REVOKED":   {},
}

// EventOrder is what POST /v1/platform/events says.
type EventOrder struct {
	Number     string // the platform's, 1–64 characters, one for each event
	Kind       EventKind
	Lot        string    // the lot's number
	Bidder     string    // whose bid was withdrawn or revoked; the winner of an award or contract, where it is said
	HappenedAt time.Time // by the platform's clock
	OpensAt    time.Time // the new opening, of OPENING_MOVED and RETENDERED only
	Postponed  bool      // the opening was said to be postponed: it may only become later
	Note       string    // at most 400 characters
}

// eventRow is one event as it is kept.
type eventRow struct {
	ID         sqldb.ID
	Number     string
	Kind       EventKind
	LotID      sqldb.ID
	BidID      sqldb.ID
	HappenedAt time.Time
	OpensAt    time.Time
	Note       string
	Digest     string
	ReceivedAt time.Time
}

var platformEvents = sqldb.NewTable("platform_events", "id, number, kind, lot_id, bid_id, happened_at, opens_at, digest, sealed, received_at",
	func(e *eventRow) []any {
		return []any{&e.ID, &e.Number, &e.Kind, &e.LotID, &e.BidID, sqldb.Wall(&e.HappenedAt), sqldb.Wall(&e.OpensAt), sqldb.Tag("platform_events", &e.Digest), sqldb.Sealed("platform_events", &e.ID, &e.Note, &e.Digest),
			sqldb.Wall(&e.ReceivedAt)}
	})

// Record keeps an event and does what it says to its lot or bid; known tells that it was recorded before and nothing was
// done. Conflict "event_number_reused" where the number stood for another event, "state_forbids" where the lot or bid is
// past it, "opening_early" for an opening before its hour; NotFound "lot_unknown", "bid_unknown".
func (d *Desk) Record(ctx context.Context, by string, o EventOrder) (known bool, err error) {
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		done, err := recordEvents(ctx, tx, "", []EventOrder{o})
		known = err == nil && done[0] == unchanged
		return err
	})
	return known, err
}

// mostAhead is how far the platform's clock may be ahead of the database's. An opening dated tomorrow would show tomorrow's bidders.
const mostAhead = 5 * time.Minute

func (o *EventOrder) check(clock time.Time) error {
	for _, err := range []error{
		requireText("number", &o.Number, 64),
		requireText("lot", &o.Lot, 64),
		allowText("bidder", &o.Bidder, 200),
		allowText("note", &o.Note, 400),
		requireTime("happened_at", &o.HappenedAt),
		allowTime("opening_at", &o.OpensAt),
	} {
		if err != nil {
			return err
		}
	}
	kind, ok := eventKinds[o.Kind]
	switch {
	case !ok:
		return deposit.Refuse(deposit.Invalid, "event_kind_unknown", "kind 事件类型不存在，请核对接口文档")
	case o.HappenedAt.After(clock.Add(mostAhead)):
		return deposit.Refuse(deposit.Invalid, "event_in_future", "happened_at 事件时间晚于当前时间，请核对平台时钟")
	case kind.opensAt == '!' && !o.OpensAt.After(o.HappenedAt):
		return deposit.Refuse(deposit.Invalid, "opening_past", "opening_at 新的开标时间必须填写，且晚于事件时间")
	}
	if err := allowed(kind.bidder, "bidder", o.Bidder == "", kind.name); err != nil {
		return err
	}
	return allowed(kind.opensAt, "opening_at", o.OpensAt.IsZero(), kind.name)
}

func allowed(need byte, field string, empty bool, kind string) error {
	switch {
	case need == '!' && empty:
		return deposit.Refuse(deposit.Invalid, "field_missing", field, " 不能为空（", kind, "）")
	case need == '-' && !empty:
		return deposit.Refuse(deposit.Invalid, "field_unexpected", field, " 不适用于该事件（", kind, "），请删去")
	}
	return nil
}

// digest is of what the event means, so that another spelling of the bidder is no other event.
func (o EventOrder) digest() string {
	content, _ := json.Marshal([]string{string(o.Kind), o.Lot, deposit.NameKey(o.Bidder), sqldb.At(o.HappenedAt), sqldb.At(o.OpensAt), o.Note})
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// register is what one call of recordEvents works on.
type register struct {
	tx      *sqldb.Tx
	time    time.Time         // trusted
	digests map[string]string // of the events known, by number
	lots    map[string]Lot
	bids    map[bidName]*Bid

	fresh       []eventRow
	touchedLots []sqldb.ID
	touchedBids []sqldb.ID
	settled     []sqldb.ID // the lots whose numbers are needed no more, or again
}

// recordEvents is Record for many, in their order; list names them in refusals. unchanged is an event known before.
func recordEvents(ctx context.Context, tx *sqldb.Tx, list string, orders []EventOrder) ([]outcome, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	orders = slices.Clone(orders)
	now, err := tx.Trusted(ctx, distinct(orders, func(o EventOrder) time.Time { return o.HappenedAt })...)
	if err != nil {
		return nil, err
	}
	for i := range orders {
		if err := orders[i].check(now.Clock); err != nil {
			return nil, inElement(list, i, err)
		}
	}
	r, err := openRegister(ctx, tx, orders)
	if err != nil {
		return nil, err
	}
	r.time = now.Time
	done := make([]outcome, len(orders))
	for i, o := range orders {
		if done[i], err = r.record(ctx, o); err != nil {
			return nil, inElement(list, i, err)
		}
	}
	if err := platformEvents.Insert(ctx, tx, r.fresh...); err != nil {
		return nil, err
	}
	if err := drain(ctx, tx, r.settled); err != nil {
		return nil, err
	}
	if err := touchLots(ctx, tx, r.touchedLots); err != nil {
		return nil, err
	}
	return done, touchBids(ctx, tx, r.touchedBids)
}

func openRegister(ctx context.Context, tx *sqldb.Tx, orders []EventOrder) (*register, error) {
	r := &register{tx: tx, digests: map[string]string{}}
	known, err := allIn(ctx, tx, platformEvents, "number", distinct(orders, func(o EventOrder) string { return o.Number }), "number")
	if err != nil {
		return nil, err
	}
	for _, e := range known {
		r.digests[e.Number] = e.Digest
	}
	if r.lots, err = lotsByNumber(ctx, tx, distinct(orders, func(o EventOrder) string { return o.Lot })); err != nil {
		return nil, err
	}
	r.bids, err = bidsByName(ctx, tx, distinct(orders, func(o EventOrder) bidName { return bidName{r.lots[o.Lot].ID, deposit.NameKey(o.Bidder)} }))
	return r, err
}

func (r *register) record(ctx context.Context, o EventOrder) (outcome, error) {
	digest := o.digest()
	if before, ok := r.digests[o.Number]; ok {
		if before != digest {
			return 0, deposit.Refuse(deposit.Conflict, "event_number_reused", "number 该事件编号已用于内容不同的事件，请换用新的编号")
		}
		return unchanged, nil
	}
	lot, ok := r.lots[o.Lot]
	if !ok {
		return 0, unknownLot()
	}
	bid := r.bids[bidName{lot.ID, deposit.NameKey(o.Bidder)}]
	if bid == nil && o.Bidder != "" {
		return 0, deposit.Refuse(deposit.NotFound, "bid_unknown", "bidder 该标段没有这一投标人的投标，请核对名称，或先推送该投标")
	}
	if err := r.apply(ctx, lot, bid, o); err != nil {
		return 0, err
	}
	row := eventRow{ID: r.tx.NewID(), Number: o.Number, Kind: o.Kind, LotID: lot.ID, HappenedAt: o.HappenedAt, OpensAt: o.OpensAt,
		Note: o.Note, Digest: digest, ReceivedAt: r.tx.Now}
	if bid != nil {
		row.BidID = bid.ID
	}
	r.fresh = append(r.fresh, row)
	r.digests[o.Number] = digest
	return created, nil
}

func (r *register) apply(ctx context.Context, lot Lot, bid *Bid, o EventOrder) (err error) {
	note := strings.TrimSuffix(fmt.Sprint(o.Kind.Chinese(), "（事件 ", o.Number, "）：", o.Note), "：")
	if o.Kind == EventBidWithdrawn || o.Kind == EventBidRevoked {
		was := *bid
		if *bid, err = was.after(lot, o); err != nil {
			return err
		}
		bid.Version++
		r.touchedBids = append(r.touchedBids, bid.ID)
		r.settled = append(r.settled, lot.ID)
		return r.tx.Move(ctx, sqldb.Move{Table: "bids", ID: bid.ID, Version: was.Version, From: string(was.State), To: string(bid.State), Note: note})
	}
	if o.Kind == EventOpened {
		if done, err := r.openedByPersons(ctx, lot); done || err != nil {
			return err
		}
	}
	if o.Kind == EventOpeningMoved && lot.State == LotAnnounced && !o.Postponed && o.OpensAt.Before(lot.OpensAt) {
		return wishEarlier(ctx, r.tx, lot, o.OpensAt)
	}
	after, err := lot.after(o, r.time)
	if err != nil {
		return err
	}
	if o.Kind == EventRetendered {
		after.AnnouncedAt = r.tx.Now
	}
	r.touchedLots = append(r.touchedLots, lot.ID)
	if after.State != lot.State {
		r.settled = append(r.settled, lot.ID)
	}
	r.lots[o.Lot], err = moveLot(ctx, r.tx, lot, after, note)
	return err
}

// after is the lot after an event. An opening is refused before its hour by trusted time too: the platform's clock may be wrong.
func (l Lot) after(o EventOrder, trusted time.Time) (Lot, error) {
	next, err := lotMoves.Next(string(l.State), string(o.Kind))
	if err != nil {
		return l, forbidden("标段", l.State.Chinese(), o.Kind)
	}
	switch o.Kind {
	case EventOpened:
		if o.HappenedAt.Before(l.OpensAt) || trusted.Before(l.OpensAt) {
			return l, deposit.Refuse(deposit.Conflict, "opening_early", "happened_at 未到开标时间（", deposit.Wall(l.OpensAt),
				"），不能开标；如开标时间已提前，请先推送开标时间变更")
		}
		l.OpenedAt = o.HappenedAt
	case EventOpeningMoved, EventRetendered:
		if o.Postponed && !o.OpensAt.After(l.OpensAt) {
			return l, deposit.Refuse(deposit.Conflict, "not_postponed", "opens_at 推迟后的开标时间须晚于原定的 ", deposit.Wall(l.OpensAt), "；如为提前，请推送开标时间变更")
		}
		l.OpensAt, l.OpenedAt = o.OpensAt, time.Time{}
	}
	l.State = LotState(next)
	return l, nil
}

// after is the bid after an event. What separates withdrawing from revoking is the deadline of bids, which is the
// scheduled opening (招标投标法 §34), and when the bidder did it, not when we were told.
func (b Bid) after(lot Lot, o EventOrder) (Bid, error) {
	next, err := bidMoves.Next(string(b.State), string(o.Kind))
	early := o.HappenedAt.Before(lot.OpensAt)
	switch {
	case err != nil:
		return b, forbidden("投标", b.State.Chinese(), o.Kind)
	case o.Kind == EventBidWithdrawn && !early:
		return b, deposit.Refuse(deposit.Conflict, "withdrawn_late", "happened_at 已到投标截止时间（", deposit.Wall(lot.OpensAt), "），应推送撤销投标")
	case o.Kind == EventBidRevoked && early:
		return b, deposit.Refuse(deposit.Conflict, "revoked_early", "happened_at 未到投标截止时间（", deposit.Wall(lot.OpensAt), "），应推送撤回投标")
	}
	b.State = BidState(next)
	return b, nil
}

func forbidden(what, state string, kind EventKind) error {
	return deposit.Refuse(deposit.Conflict, "state_forbids", "kind ", what, "当前为“", state, "”，不接受“", kind.Chinese(), "”，请核对事件及其先后")
}

// moveLot writes what an event made of a lot: the step of its state, then its times.
func moveLot(ctx context.Context, tx *sqldb.Tx, was, lot Lot, note string) (Lot, error) {
	if lot.State != was.State {
		err := tx.Move(ctx, sqldb.Move{Table: "lots", ID: lot.ID, Version: lot.Version, From: string(was.State), To: string(lot.State), Note: note})
		if err != nil {
			return lot, err
		}
		lot.Version++
	} else if err := tx.Note(ctx, "lots", lot.ID, "CHANGED", note+"；"+strings.Join(lotDiffers(was, lot), "；")); err != nil {
		return lot, err
	}
	if lot.OpensAt.Equal(was.OpensAt) && lot.OpenedAt.Equal(was.OpenedAt) {
		return lot, nil
	}
	n, err := tx.Exec(ctx, "UPDATE lots SET opens_at = ?, opened_at = ?, announced_at = ?, version = version + 1 WHERE id = ? AND version = ?",
		sqldb.At(lot.OpensAt), sqldb.At(lot.OpenedAt), sqldb.At(lot.AnnouncedAt), lot.ID, lot.Version)
	if err != nil {
		return lot, fmt.Errorf("set the opening: %w", err)
	}
	if n != 1 {
		return lot, fmt.Errorf("set the opening: %w", sqldb.ErrStale)
	}
	lot.Version++
	return lot, nil
}
