package refund

import (
	"context"
	"encoding/base64"
	"slices"

	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// Proposal is money that should go back and is on no list yet.
type Proposal struct {
	Receipt  *reconcile.Receipt
	Ground   Ground
	Amount   deposit.Fen // what is left of it
	Limit    Limit
	HasLimit bool        // a rule says by when
	Fee      deposit.Fen // what is owed besides for the days that it is overdue (超期资金占用费), by today
	Sealed   bool        // its lot is sealed: the credit's key, the rule and the day are all that is told
}

// ProposalQuery asks for proposals, a page at a time.
type ProposalQuery struct {
	Department string // "" is every one's
	After      string // the cursor of the page before
	Limit      int    // at most mostProposals
}

// mostProposals is how many a page holds at most.
const mostProposals = 200

// endedOrWrong finds, by key, the credits that may have to go back: those whose verdict says so, and those whose bid or lot
// has come to an end, of which something is left.
const endedOrWrong = "SELECT m.entry_id FROM matches AS m LEFT JOIN bids AS b ON b.id = m.bid_id LEFT JOIN lots AS l ON l.id = m.lot_id " +
	"LEFT JOIN receipts AS r ON r.entry_id = m.entry_id JOIN entries AS e ON e.id = m.entry_id " +
	"WHERE m.entry_id > ? AND COALESCE(r.reserved, 0) < e.amount AND (m.verdict IN ('PAID_TO_PARENT','UNKNOWN_SUB_ACCOUNT','WRONG_SUB_ACCOUNT','THIRD_PARTY_PAYER'," +
	"'LATE_CREDIT','NOT_BASIC_ACCOUNT','UNDERPAID','DUPLICATE_PAYMENT','OVERPAID') OR b.state = 'WITHDRAWN' OR l.state IN ('AWARDED','SIGNED','FAILED','TERMINATED')) " +
	"AND (? = '' OR COALESCE(l.department, ?) = ?) AND "

// Proposals lists what should go back by itself, as far as it may be seen: money that is no deposit, the excess of one, and
// deposits whose bid was withdrawn or whose lot has ended, each with its rule and last day. Of a sealed lot withdrawn bids are
// told, blind, to eyes that reach everything and ask for no department. next is the cursor of the page after, "" at the end.
func (d *Desk) Proposals(ctx context.Context, eyes deposit.Sight, q ProposalQuery) (page []Proposal, next string, err error) {
	if q.Limit <= 0 || q.Limit > mostProposals {
		q.Limit = mostProposals
	}
	after, err := readAfter(q.After)
	if err != nil {
		return nil, "", err
	}
	seen, more := platform.Seen("m.lot_id", "e.first_seen", eyes)
	if eyes.Everything() && q.Department == "" {
		seen = "(" + seen + " OR m.lot_id <> 0 AND b.state = 'WITHDRAWN')"
	}
	args := slices.Concat([]any{after, q.Department, string(reconcile.Finance), q.Department}, more, []any{q.Limit + 1})
	keys, err := sqldb.Select(ctx, d.db, func(id *sqldb.ID) []any { return []any{id} }, endedOrWrong+seen+" ORDER BY m.entry_id LIMIT ?", args...)
	if err != nil {
		return nil, "", err
	}
	if len(keys) > q.Limit {
		keys = keys[:q.Limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(keys[q.Limit-1].String()))
	}
	page, err = d.propose(ctx, keys)
	return page, next, err
}

func readAfter(cursor string) (sqldb.ID, error) {
	if cursor == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	id, idErr := sqldb.ParseID(string(text))
	if err != nil || idErr != nil {
		return 0, deposit.Refuse(deposit.Invalid, "cursor_malformed", "翻页游标无效，请从第一页重新查询")
	}
	return id, nil
}

// propose says of credits what of them should go back, and by when.
func (d *Desk) propose(ctx context.Context, keys []sqldb.ID) (all []Proposal, err error) {
	x := &examination{desk: d, now: d.db.Now(), reserved: map[sqldb.ID]deposit.Fen{}}
	orders := make([]Order, len(keys))
	for i, id := range keys {
		orders[i].Credit = id
	}
	if err := x.gather(ctx, d.db, orders); err != nil {
		return nil, err
	}
	today := deposit.DayOf(x.now)
	for _, id := range keys {
		r := x.receipts[id]
		if r == nil || !sealedOpen(r) {
			continue
		}
		left := r.Net() - x.reserved[id]
		for _, g := range Grounds(r, x.events[r.Lot.ID]) {
			p := Proposal{Receipt: r, Ground: g, Amount: min(left, g.Most)}
			p.Limit, p.HasLimit = Due(d.rules, x.calendar, situationOf(r, g, x.events[r.Lot.ID], today))
			if fee, ok := d.rules.OverdueFee(p.Limit.Rule, p.Amount, p.Limit.Day, today); ok && p.HasLimit {
				p.Fee = fee.Amount
			}
			if p.Amount <= 0 || p.HasLimit && p.Limit.Rule.Treatment != GoesBack {
				continue
			}
			left -= p.Amount
			if withdrawnBlind(r) {
				p = p.sealed()
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// Waiting says whom a refund waits for.
type Waiting string

// Whom it may be.
const (
	ForDepartment Waiting = "DEPARTMENT" // to put it on a list
	ForMaker      Waiting = "MAKER"
	ForChecker    Waiting = "CHECKER"
	ForReleaser   Waiting = "RELEASER"
	ForUs         Waiting = "SENDER"
	ForBank       Waiting = "BANK"
	ForStatement  Waiting = "STATEMENT"
)

var waitingNames = map[Waiting]string{ForDepartment: "业务科室提交名单", ForMaker: "综合科组批", ForChecker: "综合科复核", ForReleaser: "领导放行", ForUs: "系统发送",
	ForBank: "银行处理", ForStatement: "对账单证明"}

// Chinese says it to people.
func (w Waiting) Chinese() string { return waitingNames[w] }

// WaitsFor says whom a line waits for; "" when it is done with.
func (l *Line) WaitsFor() Waiting {
	switch l.State {
	case Draft:
		if l.BatchID == 0 {
			return ForMaker
		}
		return ForChecker
	case Checked:
		return ForReleaser
	case Released, Sending:
		return ForUs
	case Accepted, Unknown:
		return ForBank
	case Paid:
		return ForStatement
	}
	return ""
}

// Overview is what has to go back soon, or should have.
type Overview struct {
	Proposals []Proposal // on no list yet, the earliest day first
	Lines     []LineView // on their way, the earliest day first
	Stale     []Proposal // aged: their day is long past, or none came in all that time (沉淀保证金)
}

// staleAfter is how long after its last day unreturned money counts as forgotten (沉淀).
const staleAfter = 90

// aged says that the money should have gone back long ago: by its last day, or where it has none since its ground came to be.
func (p *Proposal) aged(today deposit.Day) bool {
	if p.HasLimit {
		return p.Limit.DaysLeft < -staleAfter
	}
	return deposit.DayOf(p.Ground.At).DaysTo(today) > staleAfter
}

// DueWithin lists what is overdue or due within so many days and may be seen, of one department or of all.
func (d *Desk) DueWithin(ctx context.Context, eyes deposit.Sight, department string, days int) (o Overview, err error) {
	today := deposit.DayOf(d.db.Now())
	until := today.Add(days)
	q := ProposalQuery{Department: department}
	for {
		page, next, err := d.Proposals(ctx, eyes, q)
		if err != nil {
			return o, err
		}
		for _, p := range page {
			switch {
			case p.aged(today):
				o.Stale = append(o.Stale, p)
			case p.HasLimit && p.Limit.Day <= until:
				o.Proposals = append(o.Proposals, p)
			}
		}
		if next == "" {
			break
		}
		q.After = next
	}
	slices.SortStableFunc(o.Proposals, func(a, b Proposal) int { return a.Limit.DaysLeft - b.Limit.DaysLeft })
	rows, err := d.onTheirWay(ctx, eyes, department, until)
	if err != nil {
		return o, err
	}
	o.Lines, err = d.View(ctx, rows)
	return o, err
}

// mostDue bounds the lines that are shown as due; the earliest come first.
const mostDue = 2000

func (d *Desk) onTheirWay(ctx context.Context, eyes deposit.Sight, department string, until deposit.Day) ([]Line, error) {
	var f filter
	seen, args := lineSeen(eyes)
	f.only(true, "state IN ('DRAFT','CHECKED','RELEASED','SENDING','ACCEPTED','UNKNOWN') AND due_on <> '' AND due_on <= ?", string(until))
	f.only(true, seen, args...)
	open, args := lineOpen()
	f.only(department != "", open, args...)
	f.only(department != "", "department = ?", department)
	return lines.All(ctx, d.db, f.tail("ORDER BY due_on, id LIMIT ?"), append(f.args, mostDue)...)
}
