package refund

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Order is one line of a list as a department submits it. The credit is named by its key, or by bank, booking day and
// serial. Whatever else is said has to agree with the receipt; what is left empty is taken from it.
type Order struct {
	Row           int // where it stands in its list, from 1
	Credit        sqldb.ID
	Bank          string
	Day           deposit.Day
	Serial        string
	Lot           string // the lot's number
	Bidder        string
	Amount        deposit.Fen // 0: all that the cause allows
	PayeeName     string      // the payer, to the byte, unless a change was approved
	PayeeAccount  string
	PayeeBank     string
	PayeeBankCode string
	Cause         Cause // "" where only one applies
}

// ListOrder is a department's list.
type ListOrder struct {
	Eyes       deposit.Sight // how far the submitter's reach; of a credit beyond them nothing is said
	Department string
	Reference  string // the submitter's own number of the list, 1–64 characters: sent again it is the same list
	Note       string
	Lines      []Order
	ValidOnly  bool // store the lines that are right and leave the others out; else nothing is stored unless all are
	DryRun     bool // store nothing

	byHand string // the bank's number of the payment, when a person has made it already
}

// Fault is why a line cannot be paid as it was submitted: where, what, and what to do.
type Fault struct {
	Row    int    `json:"row"`
	Column string `json:"column"` // the field, as JSON calls it
	Code   string `json:"code"`
	Text   string `json:"text"`
}

// List is a department's list as it is kept.
type List struct {
	ID         sqldb.ID
	Number     string // TF-20260612-03
	Department string
	Reference  string
	Digest     string
	Note       string
	MadeBy     string
	MadeAt     time.Time
}

var lists = sqldb.NewTable("refund_lists", "id, number, department, reference, digest, sealed, made_by, made_at", func(l *List) []any {
	return []any{&l.ID, &l.Number, &l.Department, &l.Reference, sqldb.Tag("refund_lists", &l.Digest), sqldb.Sealed("refund_lists", &l.ID, &l.Note, &l.Digest), &l.MadeBy, sqldb.Wall(&l.MadeAt)}
})

// Submission is what became of a list.
type Submission struct {
	List   List   // zero when nothing was stored
	Lines  []Line // the lines stored, or in a dry run those that would be
	Faults []Fault
	Known  bool // the same list was submitted before; nothing changed
}

// mostOrders bounds a list: one transaction, and a file that a person made.
const mostOrders = 5000

// Submit checks a list line by line against the receipts and stores it, reserving each line's money. Without ValidOnly
// nothing is stored unless every line is right; the faults then say what is wrong. The same reference again is the same list:
// its lines come back, and other content under it is Conflict "list_reference_reused". A department that the eyes do not reach is Denied.
func (d *Desk) Submit(ctx context.Context, by string, o ListOrder) (Submission, error) {
	if err := o.check(); err != nil {
		return Submission{}, err
	}
	if o.DryRun {
		x, err := d.examine(ctx, d.db, d.db.Now(), d.db.NewID, &o)
		return Submission{Lines: x.lines, Faults: x.faults}, err
	}
	var s Submission
	err := d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) (err error) {
			s, err = d.submit(ctx, tx, &o)
			return err
		})
	})
	return s, err
}

func (o *ListOrder) check() error {
	o.Department, o.Reference = strings.TrimSpace(o.Department), strings.TrimSpace(o.Reference)
	switch {
	case o.Department == "":
		return deposit.Refuse(deposit.Invalid, "field_missing", "department 请写明提交名单的科室")
	case !o.Eyes.Reaches(o.Department):
		return deposit.Refuse(deposit.Denied, "department_foreign", "只能提交本科室的名单，请核对 department")
	case o.Reference == "" && !o.DryRun:
		return deposit.Refuse(deposit.Invalid, "field_missing", "reference 请填写本名单的编号（由科室自定，重复提交时用于识别）")
	case len(o.Lines) == 0:
		return deposit.Refuse(deposit.Invalid, "list_empty", "名单中没有退付明细")
	case len(o.Lines) > mostOrders:
		return deposit.Refuse(deposit.Invalid, "list_too_long", "一份名单最多 ", mostOrders, " 行，本次 ", len(o.Lines), " 行，请分开提交")
	}
	for i := range o.Lines {
		if o.Lines[i].Row == 0 {
			o.Lines[i].Row = i + 1
		}
	}
	return nil
}

// digest is of what the list says, so that a reference used for two lists is noticed.
func (o *ListOrder) digest() string {
	content, _ := json.Marshal([]any{o.Department, o.Note, o.Lines, o.ValidOnly, o.byHand}) // plain fields always print
	return hashOf(content)
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (d *Desk) submit(ctx context.Context, tx *sqldb.Tx, o *ListOrder) (Submission, error) {
	known, err := lists.One(ctx, tx, "WHERE department = ? AND reference = ?", o.Department, o.Reference)
	switch {
	case err == nil && known.Digest != o.digest():
		return Submission{}, deposit.Refuse(deposit.Conflict, "list_reference_reused", "编号 ", o.Reference, " 已用于另一份名单（", known.Number, "），请换用新的编号")
	case err == nil:
		all, err := lines.All(ctx, tx, "WHERE list_id = ? ORDER BY id", known.ID)
		return Submission{List: known, Lines: all, Known: true}, err
	case !errors.Is(err, sqldb.ErrNone):
		return Submission{}, err
	}
	x, err := d.examine(ctx, tx, tx.Now, tx.NewID, o)
	s := Submission{Lines: x.lines, Faults: x.faults}
	if err != nil || len(x.faults) > 0 && !o.ValidOnly || len(x.lines) == 0 {
		return s, err
	}
	s.List = List{ID: tx.NewID(), Department: o.Department, Reference: o.Reference, Digest: o.digest(), Note: o.Note, MadeBy: tx.By, MadeAt: tx.Now}
	if s.List.Number, err = nextNumber(ctx, tx, "TF", "refund_lists"); err != nil {
		return s, err
	}
	for i := range s.Lines {
		s.Lines[i].ListID = s.List.ID
	}
	if err := reserve(ctx, tx, byEntry(s.Lines), x.receipts); err != nil {
		return s, err
	}
	return s, errors.Join(lists.Insert(ctx, tx, s.List), lines.Insert(ctx, tx, s.Lines...),
		tx.Note(ctx, "refund_lists", s.List.ID, "SUBMITTED", fmt.Sprintf("%s：%d 笔，%s", s.List.Number, len(s.Lines), amountNoted(s.Lines))),
		tx.Notes(ctx, "refunds", ids(s.Lines), string(Draft), "名单 "+s.List.Number))
}

// nextNumber counts a day's lists or batches for people: TF-20260612-03. Of two that count to the same number the slower
// one is refused by the unique index, and runs again.
func nextNumber(ctx context.Context, r *sqldb.Tx, prefix, table string) (string, error) {
	day := prefix + "-" + strings.ReplaceAll(string(deposit.DayOf(r.Now)), "-", "") + "-"
	n, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM "+table+" WHERE number >= ? AND number < ?", day, day+"~")
	return fmt.Sprintf("%s%02d", day, n+1), err
}

// clashes is how often a use case runs again after another one was faster.
const clashes = 20

// again runs a use case again while another one was faster at a number or a row.
func (d *Desk) again(f func() error) (err error) {
	for range clashes {
		if err = f(); !errors.Is(err, sqldb.ErrTaken) && !errors.Is(err, sqldb.ErrStale) {
			return err
		}
	}
	return err
}

// creditName is what people call a credit by.
type creditName struct {
	bank   string
	day    deposit.Day
	serial string
}

func (o *Order) name() creditName { return creditName{o.Bank, o.Day, o.Serial} }

// resolve finds the credits that orders name by bank, day and serial. A name that several have, or none, leaves the order
// without one.
func (d *Desk) resolve(ctx context.Context, r sqldb.Reader, orders []Order) error {
	type page struct {
		bank string
		day  deposit.Day
	}
	serials := map[page][]string{}
	for _, o := range orders {
		if o.Credit == 0 && o.Serial != "" {
			serials[page{o.Bank, o.Day}] = append(serials[page{o.Bank, o.Day}], o.Serial)
		}
	}
	found := map[creditName][]sqldb.ID{}
	for on, in := range serials {
		b, err := d.banks.Bank(on.bank)
		if err != nil {
			continue // a bank that nobody knows has no credits
		}
		entries, err := bank.CreditsBySerial(ctx, r, b, on.day, in)
		if err != nil {
			return err
		}
		for _, e := range entries {
			name := creditName{e.Bank, e.BookingDate, e.Serial}
			found[name] = append(found[name], e.ID)
		}
	}
	for i := range orders {
		if named := found[orders[i].name()]; orders[i].Credit == 0 && len(named) == 1 {
			orders[i].Credit = named[0]
		}
	}
	return nil
}
