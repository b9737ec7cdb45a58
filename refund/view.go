package refund

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

var causeNames = map[Cause]string{Won: "中标人退还", Lost: "未中标退还", BidWithdrawn: "撤回投标", LotFailed: "流标", LotEnded: "终止招标", PaidByHand: "已由网银付款"}

// Chinese is the cause's name for people; a verdict's is the verdict's.
func (c Cause) Chinese() string {
	if name := causeNames[c]; name != "" {
		return name
	}
	return reconcile.Code(c).Name()
}

// Causes are the causes a line can be submitted with, in the order in which people are shown them.
func Causes() []Cause {
	all := []Cause{Lost, Won, BidWithdrawn, LotFailed, LotEnded}
	for _, verdict := range []reconcile.Code{reconcile.LateCredit, reconcile.UnknownSubAccount, reconcile.WrongSubAccount, reconcile.DuplicatePayment, reconcile.Overpaid,
		reconcile.Underpaid, reconcile.ThirdPartyPayer, reconcile.NotBasicAccount, reconcile.PaidToParent} {
		all = append(all, Cause(verdict))
	}
	return all
}

// Context is what people need to see beside a line.
type Context struct {
	Lot    string    // the lot's number
	Bidder string    // whose bid it was
	List   string    // the list's number
	Batch  string    // the batch's number; "" where the line is in none
	Since  time.Time // since when it waits for whom it waits for
	Sealed bool      // its lot is sealed: only that it goes back by its rule is told
}

// LineView is a line with its context.
type LineView struct {
	Line
	Context
}

// LineQuery asks for lines; an empty field asks for nothing.
type LineQuery struct {
	State      State
	Department string
	Batch      sqldb.ID
	Loose      bool // in no batch
	List       sqldb.ID
	Credit     sqldb.ID
	Channel    string
	DueBy      deposit.Day // due on that day at the latest
	After      string      // the cursor of the page before
	Limit      int         // at most mostViewed
}

// mostViewed is how many rows a page holds at most.
const mostViewed = 200

// filter collects the conditions of a query, whose texts are constants.
type filter struct {
	where []string
	args  []any
}

func (f *filter) only(wanted bool, text string, args ...any) {
	if wanted {
		f.where, f.args = append(f.where, text), append(f.args, args...)
	}
}

func (f *filter) tail(rest string) string {
	if len(f.where) == 0 {
		return rest
	}
	return "WHERE " + strings.Join(f.where, " AND ") + " " + rest
}

// Lines lists the lines that may be seen, the earliest due day first, a page at a time; next is the cursor of the page after,
// "" at the end. A question for what is not told of a sealed line is not answered by it.
func (d *Desk) Lines(ctx context.Context, eyes deposit.Sight, q LineQuery) (page []LineView, next string, err error) {
	var f filter
	seen, args := lineSeen(eyes)
	f.only(true, seen, args...)
	open, args := lineOpen()
	f.only(q.Department != "" || q.Credit != 0, open, args...)
	f.only(q.State != "", "state = ?", q.State)
	f.only(q.Department != "", "department = ?", q.Department)
	f.only(q.Batch != 0, "batch_id = ?", q.Batch)
	f.only(q.Loose, "batch_id = 0")
	f.only(q.List != 0, "list_id = ?", q.List)
	f.only(q.Credit != 0, "entry_id = ?", q.Credit)
	f.only(q.Channel != "", "channel = ?", q.Channel)
	f.only(q.DueBy != "", "due_on <> '' AND due_on <= ?", string(q.DueBy))
	if q.After != "" {
		due, id, err := readPlace(q.After)
		if err != nil {
			return nil, "", err
		}
		if _, err := deposit.ParseDay(due); due != "" && err != nil {
			return nil, "", badPlace()
		}
		f.only(true, "(due_on > ? OR due_on = ? AND id > ?)", due, due, id)
	}
	size := pageSize(q.Limit)
	rows, err := lines.All(ctx, d.db, f.tail("ORDER BY due_on, id LIMIT ?"), append(f.args, size+1)...)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > size {
		rows = rows[:size]
		next = place(rows[size-1].DueOn, rows[size-1].ID)
	}
	page, err = d.View(ctx, rows)
	return page, next, err
}

func pageSize(asked int) int {
	if asked <= 0 || asked > mostViewed {
		return mostViewed
	}
	return asked
}

// place is the cursor after a row, by what the rows are ordered by.
func place(key string, id sqldb.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key + "|" + id.String()))
}

func readPlace(cursor string) (key string, id sqldb.ID, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	key, rest, ok := strings.Cut(string(text), "|")
	id, idErr := sqldb.ParseID(rest)
	if err != nil || !ok || idErr != nil {
		return "", 0, badPlace()
	}
	return key, id, nil
}

func badPlace() error {
	return deposit.Refuse(deposit.Invalid, "cursor_malformed", "翻页游标无效，请从第一页重新查询")
}

// View gives lines their context, and takes out of those of sealed lots what may not be told.
func (d *Desk) View(ctx context.Context, all []Line) ([]LineView, error) {
	var lotIDs, bidIDs, listIDs, batchIDs []sqldb.ID
	for i := range all {
		lotIDs, bidIDs = append(lotIDs, all[i].LotID), append(bidIDs, all[i].BidID)
		listIDs, batchIDs = append(listIDs, all[i].ListID), append(batchIDs, all[i].BatchID)
	}
	lots, err := platform.LotsByID(ctx, d.db, lotIDs)
	if err != nil {
		return nil, err
	}
	bids, err := platform.BidsByID(ctx, d.db, bidIDs)
	if err != nil {
		return nil, err
	}
	ofList, err := byID(ctx, d.db, lists, listIDs, func(l *List) sqldb.ID { return l.ID })
	if err != nil {
		return nil, err
	}
	ofBatch, err := byID(ctx, d.db, batches, batchIDs, func(b *Batch) sqldb.ID { return b.ID })
	views := make([]LineView, len(all))
	for i, l := range all {
		batch := ofBatch[l.BatchID]
		if lot := lots[l.LotID]; l.LotID != 0 && lot.Sealed() {
			views[i] = LineView{l.sealed(), Context{List: ofList[l.ListID].Number, Batch: batch.Number, Since: l.since(&batch), Sealed: true}}
			continue
		}
		views[i] = LineView{l, Context{Lot: lots[l.LotID].Number, Bidder: bids[l.BidID].Bidder, List: ofList[l.ListID].Number, Batch: batch.Number, Since: l.since(&batch)}}
	}
	return views, err
}

// byID reads rows by their keys, some hundreds at a time.
func byID[T any](ctx context.Context, r sqldb.Reader, table sqldb.Table[T], keys []sqldb.ID, key func(*T) sqldb.ID) (map[sqldb.ID]T, error) {
	found := make(map[sqldb.ID]T, len(keys))
	err := sqldb.Chunks(distinct(keys), func(in string, args []any) error {
		rows, err := table.All(ctx, r, "WHERE id IN "+in, args...)
		for i := range rows {
			found[key(&rows[i])] = rows[i]
		}
		return err
	})
	return found, err
}

func distinct(keys []sqldb.ID) (once []sqldb.ID) {
	seen := map[sqldb.ID]bool{0: true}
	for _, id := range keys {
		if !seen[id] {
			seen[id], once = true, append(once, id)
		}
	}
	return once
}

// since is when a line began to wait for whom it waits for.
func (l *Line) since(b *Batch) time.Time {
	switch l.WaitsFor() {
	case ForMaker:
		return l.MadeAt
	case ForChecker:
		return b.MadeAt
	case ForReleaser:
		return b.CheckedAt
	case ForUs:
		return b.ReleasedAt
	case ForBank, ForStatement:
		return l.SentAt
	}
	return time.Time{}
}

// Told is one answer of the bank that is about a line's message.
type Told struct {
	Kind   string // ANSWER, QUERY, RESULT
	At     time.Time
	SHA256 string
	Size   int
}

// Sent is the message a line went out in.
type Sent struct {
	Part      int
	BankBatch string
	SHA256    string
	Size      int
	MadeAt    time.Time
}

// Debit is the debit of a statement that proves a payment.
type Debit struct {
	Entry   bank.Entry
	FoundBy string
}

// Story is everything that is known of a line.
type Story struct {
	LineView
	Sent     *Sent // nil until its message is stored
	Answers  []Told
	Debit    *Debit   // nil until the statement has it
	Comeback sqldb.ID // the credit it came back with
	History  []sqldb.Event
}

// Story reads one line with all that happened to it; NotFound "refund_unknown" where it may not be seen. Of a sealed line the
// steps are told and nothing of what was sent, said and noted.
func (d *Desk) Story(ctx context.Context, eyes deposit.Sight, id sqldb.ID) (s Story, err error) {
	seen, args := lineSeen(eyes)
	l, err := lines.One(ctx, d.db, "WHERE id = ? AND "+seen, append([]any{id}, args...)...)
	if errors.Is(err, sqldb.ErrNone) {
		return s, unknownRefund()
	}
	if err != nil {
		return s, err
	}
	views, err := d.View(ctx, []Line{l})
	if err != nil {
		return s, err
	}
	s.LineView = views[0]
	if s.History, err = sqldb.Events.All(ctx, d.db, "WHERE table_name = 'refunds' AND row_id = ? ORDER BY seq", id); err != nil {
		return s, err
	}
	if s.Sealed {
		for i := range s.History {
			s.History[i].Note = ""
		}
		return s, nil
	}
	return s, errors.Join(d.exchanged(ctx, &s), d.proof(ctx, &s))
}

// exchanged reads what was sent and said.
func (d *Desk) exchanged(ctx context.Context, s *Story) error {
	if s.SendID == 0 {
		return nil
	}
	m, err := sends.One(ctx, d.db, "WHERE id = ?", s.SendID)
	if err != nil {
		return err
	}
	s.Sent = &Sent{m.Part, m.BankBatch, m.SHA256, len(m.Body), m.MadeAt}
	said, err := answers.All(ctx, d.db, "WHERE send_id = ? ORDER BY at, id", s.SendID)
	for _, a := range said {
		s.Answers = append(s.Answers, Told{a.Kind, a.At, a.SHA256, len(a.Body)})
	}
	return err
}

// proof reads what statements say of the line.
func (d *Desk) proof(ctx context.Context, s *Story) error {
	proven, err := debits.All(ctx, d.db, "WHERE refund_id = ?", s.ID)
	if err != nil {
		return err
	}
	for _, one := range proven {
		e, err := bank.EntryByID(ctx, d.db, one.EntryID)
		if err != nil {
			return err
		}
		s.Debit = &Debit{e, one.FoundBy}
	}
	back, err := comebacks.All(ctx, d.db, "WHERE refund_id = ?", s.ID)
	for _, one := range back {
		s.Comeback = one.EntryID
	}
	return err
}
