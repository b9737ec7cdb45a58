package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// LotState is where a lot stands between its announcement and its contract.
type LotState string

// The states of a lot; lotMoves says how one follows the other.
const (
	LotAnnounced  LotState = "ANNOUNCED"
	LotOpened     LotState = "OPENED"
	LotAwarded    LotState = "AWARDED"
	LotSigned     LotState = "SIGNED"
	LotFailed     LotState = "FAILED"
	LotTerminated LotState = "TERMINATED"
)

var lotStateNames = map[LotState]string{
	LotAnnounced:  "已公告",
	LotOpened:     "已开标",
	LotAwarded:    "已发中标通知书",
	LotSigned:     "已签合同",
	LotFailed:     "流标",
	LotTerminated: "已终止",
}

// Chinese is the state's name for people.
func (s LotState) Chinese() string { return lotStateNames[s] }

// Numbering says how the bids of a lot get their sub-accounts.
type Numbering string

// The ways. Under PerLot the payer's name is the only link between a credit and a bid.
const (
	PerBid Numbering = "PER_BID" // 一标一人一号
	PerLot Numbering = "PER_LOT" // 一标一号
)

var numberingNames = map[Numbering]string{PerBid: "一标一人一号", PerLot: "一标一号"}

// Chinese is the way's name for people.
func (n Numbering) Chinese() string { return numberingNames[n] }

// Lot is what bidders bid for and pay one deposit each for (标段; also a land parcel, a property on sale).
type Lot struct {
	ID         sqldb.ID
	Number     string // the platform's, unique
	Name       string
	Department string      // the business department whose lot it is
	Deposit    deposit.Fen // what each bid has to pay in
	OpensAt    time.Time   // scheduled opening: the deadline of bids and deposits, and nothing else
	OpenedAt   time.Time   // zero until the event of its opening; never before OpensAt. What may be seen hangs on it alone

	SinglePayment        bool // the whole deposit in one payment
	BasicAccountRequired bool // from the bidder's basic account only (招标投标法实施条例 §26)
	Numbering            Numbering

	AnnouncedAt time.Time // to us, or announced again

	State   LotState
	Version int64
}

var lots = sqldb.NewTable("lots", lotColumns, lotRow)

const lotColumns = "id, number, name, department, deposit, opens_at, opened_at, single_payment, basic_account_required, numbering, announced_at, state, version"

func lotRow(l *Lot) []any {
	return []any{&l.ID, &l.Number, &l.Name, &l.Department, &l.Deposit, sqldb.Wall(&l.OpensAt), sqldb.Wall(&l.OpenedAt),
		&l.SinglePayment, &l.BasicAccountRequired, &l.Numbering, sqldb.Wall(&l.AnnouncedAt), &l.State, &l.Version}
}

// LotOrder is the whole of a lot as the platform wants it to be: what PUT /v1/lots/{number} says.
type LotOrder struct {
	Number     string      // 1–64 characters
	Name       string      // at most 200; empty: the number
	Department string      // 1–64 characters
	Deposit    deposit.Fen // 1 fen to deposit.MaxFen
	OpensAt    time.Time

	SinglePayment, BasicAccountRequired bool

	Numbering Numbering // empty: as it is, PerBid for a new lot
}

// PutLot makes the lot what the order says; said again, nothing changes. A change is noted and touches every lease of
// the lot. An opening may be put off freely; one that becomes earlier is kept as a wish until two persons have agreed (see
// AgreeEarlier). Once the lot is opened its deposit and its opening stand: Conflict "lot_opened"; once one of its numbers
// was leased, its numbering: Conflict "lot_numbered".
func (d *Desk) PutLot(ctx context.Context, by string, o LotOrder) (lot Lot, isNew bool, err error) {
	err = d.write(ctx, by, func(tx *sqldb.Tx) error {
		done, err := putLots(ctx, tx, "", []LotOrder{o})
		if err == nil {
			lot, isNew = done[0].lot, done[0].outcome == created
		}
		return err
	})
	return lot, isNew, err
}

// LotByNumber reads the lot of that number; NotFound "lot_unknown".
func LotByNumber(ctx context.Context, r sqldb.Reader, number string) (Lot, error) {
	lot, err := lots.One(ctx, r, "WHERE number = ?", number)
	if errors.Is(err, sqldb.ErrNone) {
		return Lot{}, unknownLot()
	}
	return lot, err
}

func unknownLot() error {
	return deposit.Refuse(deposit.NotFound, "lot_unknown", "lot 标段不存在，请核对标段编号，或先推送该标段")
}

// LotsByID reads lots, however many; a key that there is none of is missing in the answer.
func LotsByID(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (map[sqldb.ID]Lot, error) {
	rows, err := allIn(ctx, r, lots, "id", ids, "id")
	byID := make(map[sqldb.ID]Lot, len(rows))
	for _, lot := range rows {
		byID[lot.ID] = lot
	}
	return byID, err
}

// LotsOpening lists the lots whose scheduled opening is in [from, to), in its order.
func LotsOpening(ctx context.Context, r sqldb.Reader, from, to time.Time) ([]Lot, error) {
	return lots.All(ctx, r, "WHERE opens_at >= ? AND opens_at < ? ORDER BY opens_at, number", sqldb.At(from), sqldb.At(to))
}

func lotsByNumber(ctx context.Context, r sqldb.Reader, numbers []string) (map[string]Lot, error) {
	rows, err := allIn(ctx, r, lots, "number", numbers, "number")
	byNumber := make(map[string]Lot, len(rows))
	for _, lot := range rows {
		byNumber[lot.Number] = lot
	}
	return byNumber, err
}

type lotDone struct {
	lot     Lot
	outcome outcome
}

// putLots is PutLot for many; list names them in refusals.
func putLots(ctx context.Context, tx *sqldb.Tx, list string, orders []LotOrder) ([]lotDone, error) {
	orders, err := checkLots(list, orders)
	if err != nil {
		return nil, err
	}
	known, err := lotsByNumber(ctx, tx, distinct(orders, func(o LotOrder) string { return o.Number }))
	if err != nil {
		return nil, err
	}
	done := make([]lotDone, len(orders))
	var fresh []Lot
	var touched []sqldb.ID
	for i, o := range orders {
		was, ok := known[o.Number]
		if !ok {
			done[i] = lotDone{o.announce(tx), created}
			fresh = append(fresh, done[i].lot)
		} else if done[i], err = changeLot(ctx, tx, was, o); err != nil {
			return nil, inElement(list, i, err)
		} else if done[i].outcome == changed {
			touched = append(touched, was.ID)
		}
		known[o.Number] = done[i].lot
	}
	if err := lots.Insert(ctx, tx, fresh...); err != nil {
		return nil, err
	}
	if err := tx.Notes(ctx, "lots", distinct(fresh, func(l Lot) sqldb.ID { return l.ID }), "CREATED", ""); err != nil {
		return nil, err
	}
	return done, touchLots(ctx, tx, touched)
}

// checkLots gives the orders trimmed and whole. Two different orders for one lot cannot both be meant.
func checkLots(list string, orders []LotOrder) ([]LotOrder, error) {
	checked := make([]LotOrder, len(orders))
	said := make(map[string]LotOrder, len(orders))
	for i, o := range orders {
		if err := o.check(); err != nil {
			return nil, inElement(list, i, err)
		}
		if before, ok := said[o.Number]; ok && !before.equal(o) {
			return nil, inElement(list, i, deposit.Refuse(deposit.Invalid, "lot_twice", "number 同一标段在一次推送中出现两次且内容不同，请只保留一条"))
		}
		checked[i], said[o.Number] = o, o
	}
	return checked, nil
}

func (o *LotOrder) check() error {
	if err := requireText("number", &o.Number, 64); err != nil {
		return err
	}
	if err := allowText("name", &o.Name, 200); err != nil {
		return err
	}
	if o.Name == "" {
		o.Name = o.Number
	}
	if err := requireText("department", &o.Department, 64); err != nil {
		return err
	}
	if o.Deposit < 1 || o.Deposit > deposit.MaxFen {
		return deposit.Refuse(deposit.Invalid, "deposit_out_of_range", "deposit 保证金须在 0.01 元至十亿元之间")
	}
	if o.Numbering != "" && o.Numbering.Chinese() == "" {
		return deposit.Refuse(deposit.Invalid, "numbering_unknown", "numbering 子账号分配方式不存在，请核对接口文档")
	}
	return requireTime("opening_at", &o.OpensAt)
}

func (o LotOrder) equal(p LotOrder) bool {
	sameTime := o.OpensAt.Equal(p.OpensAt)
	o.OpensAt, p.OpensAt = time.Time{}, time.Time{}
	return sameTime && o == p
}

func (o LotOrder) announce(tx *sqldb.Tx) Lot {
	return o.applied(Lot{ID: tx.NewID(), Number: o.Number, Numbering: PerBid, AnnouncedAt: tx.Now, State: LotAnnounced, Version: 1})
}

// applied is the lot with what an order may say of it.
func (o LotOrder) applied(lot Lot) Lot {
	lot.Name, lot.Department, lot.Deposit, lot.OpensAt = o.Name, o.Department, o.Deposit, o.OpensAt
	lot.SinglePayment, lot.BasicAccountRequired = o.SinglePayment, o.BasicAccountRequired
	lot.Numbering = cmp.Or(o.Numbering, lot.Numbering)
	return lot
}

func changeLot(ctx context.Context, tx *sqldb.Tx, was Lot, o LotOrder) (lotDone, error) {
	lot := o.applied(was)
	if was.State == LotAnnounced && lot.OpensAt.Before(was.OpensAt) {
		if err := wishEarlier(ctx, tx, was, lot.OpensAt); err != nil {
			return lotDone{}, err
		}
		lot.OpensAt = was.OpensAt
	}
	differs := lotDiffers(was, lot)
	if len(differs) == 0 {
		return lotDone{was, unchanged}, nil
	}
	if !was.OpenedAt.IsZero() && (lot.Deposit != was.Deposit || !lot.OpensAt.Equal(was.OpensAt)) {
		return lotDone{}, deposit.Refuse(deposit.Conflict, "lot_opened", "opening_at 标段已开标，保证金金额和开标时间不能再改；请核对标段编号")
	}
	if lot.Numbering != was.Numbering {
		if err := notNumbered(ctx, tx, lot); err != nil {
			return lotDone{}, err
		}
	}
	n, err := tx.Exec(ctx, "UPDATE lots SET name = ?, department = ?, deposit = ?, opens_at = ?, single_payment = ?, "+
		"basic_account_required = ?, numbering = ?, version = version + 1 WHERE id = ? AND version = ?",
		lot.Name, lot.Department, lot.Deposit, sqldb.At(lot.OpensAt), lot.SinglePayment, lot.BasicAccountRequired, lot.Numbering, lot.ID, lot.Version)
	if err != nil {
		return lotDone{}, fmt.Errorf("change lot: %w", err)
	}
	if n != 1 {
		return lotDone{}, fmt.Errorf("change lot: %w", sqldb.ErrStale)
	}
	lot.Version++
	return lotDone{lot, changed}, tx.Note(ctx, "lots", lot.ID, "CHANGED", strings.Join(differs, "；"))
}

// notNumbered refuses another numbering for a lot of whose numbers one was leased already, or is waited for.
func notNumbered(ctx context.Context, r sqldb.Reader, lot Lot) error {
	n, err := sqldb.Value[int](ctx, r, "SELECT (SELECT COUNT(*) FROM leases WHERE lot_id = ?) + (SELECT COUNT(*) FROM number_asks WHERE lot_id = ?)", lot.ID, lot.ID)
	if err == nil && n > 0 {
		err = deposit.Refuse(deposit.Conflict, "lot_numbered", "numbering 标段已分配或申请子账号，分配方式不能再改")
	}
	return err
}

// lotDiffers says in Chinese, for the audit trail, what an order changes.
func lotDiffers(was, lot Lot) (differs []string) {
	differ := func(is bool, what string, from, to any) {
		if is {
			differs = append(differs, fmt.Sprint(what, " ", from, " → ", to))
		}
	}
	differ(was.Name != lot.Name, "名称", was.Name, lot.Name)
	differ(was.Department != lot.Department, "科室", was.Department, lot.Department)
	differ(was.Deposit != lot.Deposit, "保证金", was.Deposit, lot.Deposit)
	differ(!was.OpensAt.Equal(lot.OpensAt), "开标时间", deposit.Wall(was.OpensAt), deposit.Wall(lot.OpensAt))
	differ(was.SinglePayment != lot.SinglePayment, "须一次足额", was.SinglePayment, lot.SinglePayment)
	differ(was.BasicAccountRequired != lot.BasicAccountRequired, "须基本账户", was.BasicAccountRequired, lot.BasicAccountRequired)
	differ(was.Numbering != lot.Numbering, "子账号分配方式", was.Numbering.Chinese(), lot.Numbering.Chinese())
	return differs
}
