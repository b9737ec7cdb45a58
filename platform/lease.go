package platform

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Lease ties a sub-account to a bid, or to all bids of a lot, for the time [From, To). Numbers are finite and used again,
// so that a credit belongs to the bid whose lease was in force when the bank booked it. The leases of one number never
// overlap.
//
// The lease of a pool's number is in force until the number is released: what comes while it drains is still for the
// bid that held it, what comes later is nobody's, and the next lease begins after the quarantine at the earliest.
type Lease struct {
	ID         sqldb.ID
	Bank       string
	SubAccount string
	LotID      sqldb.ID
	BidID      sqldb.ID // 0 where the bids of the lot share the number
	From       time.Time
	To         time.Time // sqldb.Forever while its end is not known
	Version    int64
}

var leases = sqldb.NewTable("leases", leaseColumns, leaseRow)

const leaseColumns = "id, bank, sub_account, lot_id, bid_id, leased_from, leased_to, version"

func leaseRow(l *Lease) []any {
	return []any{&l.ID, &l.Bank, &l.SubAccount, &l.LotID, &l.BidID, sqldb.Wall(&l.From), sqldb.Wall(&l.To), &l.Version}
}

// InForce reports whether the lease covers an instant.
func (l Lease) InForce(t time.Time) bool { return !t.Before(l.From) && t.Before(l.To) }

func (l *Lease) overlaps(from, to time.Time) bool { return from.Before(l.To) && l.From.Before(to) }

// leaser is who leases a number: a bid, or a lot for all its bids.
type leaser struct{ lot, bid sqldb.ID }

func (l *Lease) leaser() leaser { return leaser{l.LotID, l.BidID} }

// leaser is who leases the bid's number.
func (b *Bid) leaser(lot Lot) leaser {
	if lot.Numbering == PerLot {
		return leaser{lot: lot.ID}
	}
	return leaser{b.LotID, b.ID}
}

// holder is the key of whoever leases.
func (l leaser) holder() sqldb.ID {
	if l.bid == 0 {
		return l.lot
	}
	return l.bid
}

// LeasesOf lists the leases of the bids; those of numbers that a lot's bids share are not among them.
func LeasesOf(ctx context.Context, r sqldb.Reader, bidIDs []sqldb.ID) ([]Lease, error) {
	return allIn(ctx, r, leases, "bid_id", bidIDs, "bid_id, sub_account, bank, leased_from")
}

func (l *Lease) number() number { return number{l.Bank, l.SubAccount} }

// readNumbers reads the numbers and their leases. The versions come first: whatever is committed between the two
// readings then shows as a version that has moved on.
func (b *book) readNumbers(ctx context.Context, named []number) error {
	named = slices.DeleteFunc(named, func(n number) bool { return n.subAccount == "" })
	b.numbers, b.leases = make(map[number]Number, len(named)), make(map[number][]*Lease, len(named))
	for _, n := range named {
		b.numbers[n] = Number{ID: b.tx.LoneID(), Bank: n.bank, SubAccount: n.subAccount, State: NumberLeased, Since: b.tx.Now}
	}
	subAccounts := distinct(named, func(n number) string { return n.subAccount })
	held, err := allIn(ctx, b.tx, numbers, "sub_account", subAccounts, "id")
	if err != nil {
		return err
	}
	for _, h := range held { // those of another bank do no harm
		b.numbers[h.number()] = h
	}
	rows, err := allIn(ctx, b.tx, leases, "sub_account", subAccounts, "sub_account, bank, leased_from")
	for i := range rows {
		b.leases[rows[i].number()] = append(b.leases[rows[i].number()], &rows[i])
	}
	return err
}

// guardNumbers moves on the version of each number whose leases the transaction changes. It fails with ErrStale or
// ErrTaken if another transaction did so since the versions were read, and the call is run again.
//
// That two transactions both saw a free range and both took it cannot happen then, on any isolation level: each of them
// has to move the same row from the same version, and only one can. That the ranges were looked at alone would not do:
// neither sees the other's row before it is committed.
func guardNumbers(ctx context.Context, tx *sqldb.Tx, held []Number) error {
	var fresh []Number
	byVersion := map[int64][]sqldb.ID{}
	for _, n := range held {
		switch {
		case n.Version == 0:
			n.Version = 1
			fresh = append(fresh, n)
		case n.State == NumberFree:
			if _, err := n.step(ctx, tx, actLease, "交易平台指定"); err != nil {
				return err
			}
		default:
			byVersion[n.Version] = append(byVersion[n.Version], n.ID)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(byVersion)) {
		ids := byVersion[version]
		slices.Sort(ids) // two calls that meet take the rows in one order
		var moved int64
		err := inLists(ids, func(in string, args []any) error {
			n, err := tx.Exec(ctx, "UPDATE numbers SET version = version + 1 WHERE version = ? AND id "+in, append([]any{version}, args...)...)
			moved += n
			return err
		})
		if err != nil {
			return fmt.Errorf("guard numbers: %w", err)
		}
		if moved != int64(len(ids)) {
			return fmt.Errorf("guard numbers: %w", sqldb.ErrStale)
		}
	}
	return numbers.Insert(ctx, tx, fresh...)
}

// lease does what an order says of its number: it adds a lease of the bid, or adjusts the one that overlaps the range.
//
// Without times, a lease that the bid has on the number stays as it is, so that an old order told again reopens nothing;
// where there is none, one begins now and has no end. Without LeaseFrom it is about the bid's latest lease of the number;
// LeaseTo sqldb.Forever opens that one again. With LeaseFrom, but without LeaseTo, the lease has no end.
//
// Where the bids of the lot share a number, the lease is the lot's. A number of a pool is given out only while it is free.
func (b *book) lease(ctx context.Context, who leaser, o BidOrder) (changed bool, err error) {
	if o.SubAccount == "" {
		return false, nil
	}
	n := number{o.Bank, o.SubAccount}
	from, to, ok := o.leaseRange(b.leases[n], who, b.calledAt)
	if !ok {
		return false, nil
	}
	if !from.Before(to) {
		return false, emptyLease()
	}
	own, err := ownLease(b.leases[n], who, from, to)
	switch {
	case err != nil:
		return false, err
	case own != nil && own.From.Equal(from) && own.To.Equal(to):
		return false, nil
	}
	if err := b.allowed(n, own, from); err != nil {
		return false, err
	}
	if own == nil {
		b.addLease(who, o, from, to)
		return true, nil
	}
	return true, b.changeLease(ctx, own, from, to)
}

// allowed holds the platform's word on a pool's number to the number's life: a new lease needs a free one, a change one
// that was not released since, and neither reaches back into a quarantine.
func (b *book) allowed(n number, own *Lease, from time.Time) error {
	held := b.numbers[n]
	if !held.pooled() {
		return nil
	}
	current := own != nil && own.ID == held.LeaseID
	leased := held.State == NumberLeased || held.State == NumberDraining || slices.ContainsFunc(b.leases[n], func(l *Lease) bool { return l.Version == 0 })
	switch {
	case leased && !current, !leased && (own != nil || held.State != NumberFree):
		return deposit.Refuse(deposit.Conflict, "number_not_free", "sub_account 该子账号属于号池且不是空闲状态，请改用申请子账号接口，或更换子账号")
	case from.Before(held.QuarantinedUntil):
		return deposit.Refuse(deposit.Conflict, "number_quarantined", "sub_account 该子账号的隔离期至 ", deposit.Wall(held.QuarantinedUntil), "，租用不能早于此时开始")
	}
	return nil
}

func emptyLease() error {
	return deposit.Refuse(deposit.Invalid, "lease_empty", "lease_to 租用结束时间须晚于开始时间")
}

// leaseRange is the range an order means; ok is false where it leaves a lease as it is.
func (o BidOrder) leaseRange(line []*Lease, who leaser, calledAt time.Time) (from, to time.Time, ok bool) {
	from, to = o.LeaseFrom, o.LeaseTo
	if from.IsZero() {
		var last *Lease
		for _, l := range line {
			if l.leaser() == who && (last == nil || last.From.Before(l.From)) {
				last = l
			}
		}
		switch {
		case last == nil:
			from = calledAt.Truncate(time.Second) // banks book to the second
		case to.IsZero():
			return from, to, false
		default:
			from = last.From
		}
	}
	if to.IsZero() {
		to = sqldb.Forever
	}
	return from, to, true
}

// ownLease finds the leaser's own lease within a range, nil if there is none yet. Anybody else's there is a Conflict.
func ownLease(line []*Lease, who leaser, from, to time.Time) (own *Lease, err error) {
	for _, l := range line {
		if !l.overlaps(from, to) {
			continue
		}
		if l.leaser() != who || own != nil {
			return nil, deposit.Refuse(deposit.Conflict, "lease_overlaps", "sub_account 该子账号在此期间已有租用，请先结束原租用或更换子账号")
		}
		own = l
	}
	return own, nil
}

func (b *book) addLease(who leaser, o BidOrder, from, to time.Time) {
	l := &Lease{ID: b.tx.NewID(), Bank: o.Bank, SubAccount: o.SubAccount, LotID: who.lot, BidID: who.bid, From: from, To: to}
	b.leases[l.number()] = append(b.leases[l.number()], l)
	if held := b.numbers[l.number()]; held.pooled() {
		held.LeaseID = l.ID
		b.numbers[l.number()] = held
	}
	b.freshLeases = append(b.freshLeases, l)
	b.moved = append(b.moved, l.number())
}

func (b *book) changeLease(ctx context.Context, l *Lease, from, to time.Time) error {
	note := "租用期 " + rangeText(l.From, l.To) + " → " + rangeText(from, to)
	l.From, l.To = from, to
	b.moved = append(b.moved, l.number())
	if l.Version == 0 {
		return nil
	}
	n, err := b.tx.Exec(ctx, "UPDATE leases SET leased_from = ?, leased_to = ?, version = version + 1 WHERE id = ? AND version = ?",
		sqldb.At(from), sqldb.At(to), l.ID, l.Version)
	if err != nil {
		return fmt.Errorf("change lease: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("change lease: %w", sqldb.ErrStale)
	}
	l.Version++
	return b.tx.Note(ctx, "leases", l.ID, "CHANGED", note)
}

func rangeText(from, to time.Time) string {
	if to.Equal(sqldb.Forever) {
		return deposit.Wall(from) + " 起"
	}
	return deposit.Wall(from) + " 至 " + deposit.Wall(to)
}
