package platform

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// BidState says whether a bid still stands. The law keeps withdrawing (撤回, before the deadline) and revoking (撤销,
// after it) apart: only the second may cost the deposit (招标投标法实施条例 §35).
type BidState string

// The states of a bid; bidMoves says how one follows the other.
const (
	BidLive      BidState = "LIVE"
	BidWithdrawn BidState = "WITHDRAWN"
	BidRevoked   BidState = "REVOKED"
)

var bidStateNames = map[BidState]string{
	BidLive:      "有效",
	BidWithdrawn: "已撤回",
	BidRevoked:   "已撤销",
}

// Chinese is the state's name for people.
func (s BidState) Chinese() string { return bidStateNames[s] }

// Bid is one bidder's part in one lot.
type Bid struct {
	ID            sqldb.ID
	LotID         sqldb.ID
	Bidder        string // the name as the platform wrote it
	BidderKey     string // deposit.NameKey of it; a lot has one bid of each
	BidderAccount string // the registered basic account; empty where the platform did not say
	State         BidState
	Version       int64
}

var bids = sqldb.NewTable("bids", bidColumns, bidRow)

const bidColumns = "id, lot_id, bidder_tag, sealed, state, version"

func bidRow(b *Bid) []any {
	return []any{&b.ID, &b.LotID, sqldb.Tag(bidderTag, &b.BidderKey), SealedBidder(b), &b.State, &b.Version}
}

// bidderTag is the place of the tags of BidderKey.
const bidderTag = "bids.bidder"

// TagOfBidder is the argument by which a statement finds bids.bidder_tag for the key of a name.
func TagOfBidder(key string) any { return sqldb.Tag(bidderTag, &key) }

// SealedBidder is the column bids.sealed, which says whose bid it is, as a field of a query; the bid's ID has to stand before it.
func SealedBidder(b *Bid) any {
	return sqldb.Sealed("bids", &b.ID, &b.Bidder, &b.BidderKey, &b.BidderAccount)
}

// BidOrder is what POST /v1/bids says: that a bidder takes part in a lot, and which number was leased to the bid.
type BidOrder struct {
	Lot           string // the lot's number
	Bidder        string // 1–200 characters
	BidderAccount string // at most 64; empty says nothing and changes nothing

	Bank, SubAccount   string    // both or neither: a bid may have no number yet, or several, one order each
	LeaseFrom, LeaseTo time.Time // [from, to); see book.lease for what it means to leave one out
}

// PutBid enters the bid, or adjusts it and its lease; said again, nothing changes. NotFound "lot_unknown"; Conflict
// "lease_overlaps" where the number is another bid's within that time, "number_not_free" and "number_quarantined" where a
// pool's number is not to be had. A withdrawn bid is not revived.
func (d *Desk) PutBid(ctx context.Context, by string, o BidOrder) (bid Bid, isNew bool, err error) {
	calledAt := d.db.Now()
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		done, err := d.putBids(ctx, tx, "", []BidOrder{o}, calledAt)
		if err == nil {
			bid, isNew = *done[0].bid, done[0].outcome == created
		}
		return err
	})
	return bid, isNew, err
}

// BidsOf lists the bids on the lots.
func BidsOf(ctx context.Context, r sqldb.Reader, lotIDs []sqldb.ID) ([]Bid, error) {
	all, err := allIn(ctx, r, bids, "lot_id", lotIDs, "lot_id, id")
	slices.SortFunc(all, func(a, b Bid) int {
		return cmp.Or(cmp.Compare(a.LotID, b.LotID), cmp.Compare(a.BidderKey, b.BidderKey))
	})
	return all, err
}

// BidsByID reads bids, however many; a key that there is none of is missing in the answer.
func BidsByID(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (map[sqldb.ID]Bid, error) {
	rows, err := allIn(ctx, r, bids, "id", ids, "id")
	byID := make(map[sqldb.ID]Bid, len(rows))
	for _, bid := range rows {
		byID[bid.ID] = bid
	}
	return byID, err
}

// bidName is what a bid is known by.
type bidName struct {
	lot sqldb.ID
	key string
}

func (b *Bid) name() bidName { return bidName{b.LotID, b.BidderKey} }

func bidsByName(ctx context.Context, r sqldb.Reader, names []bidName) (map[bidName]*Bid, error) {
	found := make(map[bidName]*Bid, len(names))
	for part := range slices.Chunk(names, keysAtOnce/2) {
		part = filledUp(part)
		args := make([]any, 0, 2*len(part))
		for _, n := range part {
			args = append(args, n.lot, sqldb.Tag(bidderTag, new(n.key)))
		}
		or := strings.Repeat(" OR lot_id = ? AND bidder_tag = ?", len(part)-1)
		rows, err := bids.All(ctx, r, "WHERE lot_id = ? AND bidder_tag = ?"+or+" ORDER BY id", args...)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			found[rows[i].name()] = &rows[i]
		}
	}
	return found, nil
}

type bidDone struct {
	bid     *Bid
	outcome outcome
}

// putBids is PutBid for many; list names them in refusals.
func (d *Desk) putBids(ctx context.Context, tx *sqldb.Tx, list string, orders []BidOrder, calledAt time.Time) ([]bidDone, error) {
	orders, err := checkBids(list, orders)
	if err != nil {
		return nil, err
	}
	b, err := openBook(ctx, tx, orders, calledAt)
	if err != nil {
		return nil, err
	}
	done := make([]bidDone, len(orders))
	for i, o := range orders {
		if done[i], err = b.put(ctx, o); err != nil {
			return nil, inElement(list, i, err)
		}
	}
	return done, b.close(ctx, d.guard)
}

func checkBids(list string, orders []BidOrder) ([]BidOrder, error) {
	checked := slices.Clone(orders)
	for i := range checked {
		if err := checked[i].check(); err != nil {
			return nil, inElement(list, i, err)
		}
	}
	return checked, nil
}

func (o *BidOrder) check() error {
	for _, err := range []error{
		requireText("lot", &o.Lot, 64),
		requireText("bidder", &o.Bidder, 200),
		requireText("bidder", new(deposit.NameKey(o.Bidder)), 200), // a name of brackets only is none
		allowText("bidder_account", &o.BidderAccount, 64),
		allowText("bank", &o.Bank, 32),
		allowText("sub_account", &o.SubAccount, 40),
		allowTime("lease_from", &o.LeaseFrom),
		allowEnd("lease_to", &o.LeaseTo),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case (o.Bank == "") != (o.SubAccount == ""):
		return deposit.Refuse(deposit.Invalid, "number_incomplete", "sub_account 银行代码与子账号须同时填写")
	case o.SubAccount == "" && !(o.LeaseFrom.IsZero() && o.LeaseTo.IsZero()):
		return deposit.Refuse(deposit.Invalid, "number_incomplete", "sub_account 填写租用时间时必须填写银行代码和子账号")
	case !o.LeaseFrom.IsZero() && !o.LeaseTo.IsZero() && !o.LeaseFrom.Before(o.LeaseTo):
		return emptyLease()
	}
	return nil
}

// book is what one call of putBids works on: what its orders name, read in bulk; what is new, written in bulk. Rows that
// change are rare and are written as they change. Version 0 is a row that is not stored yet.
type book struct {
	tx       *sqldb.Tx
	calledAt time.Time
	lots     map[string]Lot
	bids     map[bidName]*Bid
	leases   map[number][]*Lease
	numbers  map[number]Number

	freshBids   []*Bid
	freshLeases []*Lease
	accounts    map[*Bid]string // what the call said already
	moved       []number        // whose leases the call changes
	touched     []sqldb.ID
}

func openBook(ctx context.Context, tx *sqldb.Tx, orders []BidOrder, calledAt time.Time) (*book, error) {
	b := &book{tx: tx, calledAt: calledAt, accounts: map[*Bid]string{}}
	var err error
	if b.lots, err = lotsByNumber(ctx, tx, distinct(orders, func(o BidOrder) string { return o.Lot })); err != nil {
		return nil, err
	}
	names := distinct(orders, func(o BidOrder) bidName { return bidName{b.lots[o.Lot].ID, deposit.NameKey(o.Bidder)} })
	if b.bids, err = bidsByName(ctx, tx, names); err != nil {
		return nil, err
	}
	return b, b.readNumbers(ctx, distinct(orders, func(o BidOrder) number { return number{o.Bank, o.SubAccount} }))
}

func (b *book) put(ctx context.Context, o BidOrder) (done bidDone, err error) {
	lot, ok := b.lots[o.Lot]
	if !ok {
		return done, unknownLot()
	}
	name := bidName{lot.ID, deposit.NameKey(o.Bidder)}
	bid, known := b.bids[name]
	if !known {
		bid = &Bid{ID: b.tx.NewID(), LotID: lot.ID, Bidder: o.Bidder, BidderKey: name.key, BidderAccount: o.BidderAccount, State: BidLive}
		b.bids[name] = bid
		b.freshBids = append(b.freshBids, bid)
	}
	if err := b.agrees(bid, o); err != nil {
		return done, err
	}
	bidChanged, err := b.change(ctx, bid, o)
	if err != nil {
		return done, err
	}
	leaseChanged, err := b.lease(ctx, bid.leaser(lot), o)
	if err != nil {
		return done, err
	}
	done = bidDone{bid: bid}
	switch {
	case !known:
		done.outcome = created
	case bidChanged || leaseChanged:
		done.outcome = changed
	default:
		return done, nil
	}
	b.touched = append(b.touched, bid.ID)
	return done, nil
}

// agrees refuses a call that names two accounts for one bid.
func (b *book) agrees(bid *Bid, o BidOrder) error {
	said := b.accounts[bid]
	if said != "" && o.BidderAccount != "" && said != o.BidderAccount {
		return deposit.Refuse(deposit.Invalid, "bid_twice", "bidder_account 同一投标在一次推送中出现两个不同的账号，请核对")
	}
	if o.BidderAccount != "" {
		b.accounts[bid] = o.BidderAccount
	}
	return nil
}

// change takes over another spelling of the name, or another account.
func (b *book) change(ctx context.Context, bid *Bid, o BidOrder) (bool, error) {
	account := o.BidderAccount
	if account == "" {
		account = bid.BidderAccount
	}
	if bid.Bidder == o.Bidder && bid.BidderAccount == account {
		return false, nil
	}
	var differs []string // in words only: the audit trail is read by more people than may see accounts
	if bid.Bidder != o.Bidder {
		differs = append(differs, "投标人名称写法变更")
	}
	if bid.BidderAccount != account {
		differs = append(differs, "投标人账号变更")
	}
	bid.Bidder, bid.BidderAccount = o.Bidder, account
	if bid.Version == 0 {
		return true, nil
	}
	n, err := b.tx.Exec(ctx, "UPDATE bids SET sealed = ?, version = version + 1 WHERE id = ? AND version = ?",
		SealedBidder(bid), bid.ID, bid.Version)
	if err != nil {
		return false, fmt.Errorf("change bid: %w", err)
	}
	if n != 1 {
		return false, fmt.Errorf("change bid: %w", sqldb.ErrStale)
	}
	bid.Version++
	return true, b.tx.Note(ctx, "bids", bid.ID, "CHANGED", strings.Join(differs, "；"))
}

// close writes what is new, once the numbers are this call's.
func (b *book) close(ctx context.Context, guard func(context.Context, *sqldb.Tx, []Number) error) error {
	held := make([]Number, 0, len(b.moved))
	for _, n := range distinct(b.moved, func(n number) number { return n }) {
		held = append(held, b.numbers[n])
	}
	if err := guard(ctx, b.tx, held); err != nil {
		return err
	}
	for _, bid := range b.freshBids {
		bid.Version = 1
	}
	for _, l := range b.freshLeases {
		l.Version = 1
	}
	if err := insertFresh(ctx, b.tx, "bids", bids, b.freshBids, func(bid *Bid) sqldb.ID { return bid.ID }); err != nil {
		return err
	}
	if err := insertFresh(ctx, b.tx, "leases", leases, b.freshLeases, func(l *Lease) sqldb.ID { return l.ID }); err != nil {
		return err
	}
	return touchBids(ctx, b.tx, b.touched)
}

func insertFresh[T any](ctx context.Context, tx *sqldb.Tx, name string, table sqldb.Table[T], fresh []*T, id func(*T) sqldb.ID) error {
	rows := make([]T, len(fresh))
	for i, row := range fresh {
		rows[i] = *row
	}
	if err := table.Insert(ctx, tx, rows...); err != nil {
		return err
	}
	return tx.Notes(ctx, name, distinct(fresh, id), "CREATED", "")
}
