package reconcile

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// FindingQuery says which findings are wanted; an empty field wants all.
type FindingQuery struct {
	Day        deposit.Day
	Bank       string
	Code       Code
	State      string
	Todo       bool // those that somebody still has to see to: open or explained
	Department string
	Search     string     // part of a number, lot or serial, an amount, or the whole name of a payer or bidder, which are stored sealed
	IDs        []sqldb.ID // these alone; at most mostChosen
	After      string     // the cursor that the page before gave
	Limit      int        // at most mostFindings
}

// mostFindings is how many findings a page holds at most, mostChosen how many may be named one by one.
const (
	mostFindings = 200
	mostChosen   = 1000
)

// where is the condition of the query and its arguments.
func (q *FindingQuery) where() (text string, args []any) {
	parts := []string{"f.id <> 0"}
	only := func(wanted bool, text string, values ...any) {
		if wanted {
			parts, args = append(parts, text), append(args, values...)
		}
	}
	only(q.Day != "", "f.day = ?", string(q.Day))
	only(q.Bank != "", "f.bank = ?", q.Bank)
	only(q.Code != "", "f.code = ?", string(q.Code))
	only(q.State != "", "f.state = ?", q.State)
	only(q.Todo, "f.state NOT IN ('SETTLED','CLEARED')") // said so, the order of the days is read and not sorted for: what is to do is of late
	only(q.Department != "", "f.department = ?", q.Department)
	if len(q.IDs) > 0 {
		keys := make([]any, len(q.IDs))
		for i, id := range q.IDs {
			keys[i] = id
		}
		only(true, "f.id IN "+sqldb.In(len(keys)), keys...)
	}
	if q.Search != "" {
		text := "INSTR(e.sub_account, ?) > 0 OR INSTR(e.serial, ?) > 0 OR INSTR(l.number, ?) > 0"
		args = append(args, q.Search, q.Search, q.Search)
		if key := deposit.NameKey(q.Search); key != "" {
			text, args = text+" OR e.payer_tag = ? OR b.bidder_tag = ?", append(args, bank.TagsOfPayers([]string{key})[0], platform.TagOfBidder(key))
		}
		if fen, err := deposit.ParseBalance(strings.ReplaceAll(q.Search, ",", "")); err == nil {
			text, args = text+" OR f.amount = ?", append(args, fen)
		}
		parts = append(parts, "("+text+")")
	}
	return strings.Join(parts, " AND "), args
}

// Findings lists the findings that may be seen, the latest day first, a page at a time; next is the cursor of the page after, "" at the end.
func (d *Desk) Findings(ctx context.Context, eyes deposit.Sight, q FindingQuery) (page []FindingRow, next string, err error) {
	if q.Limit <= 0 || q.Limit > mostFindings {
		q.Limit = mostFindings
	}
	if err := q.check(); err != nil {
		return nil, "", err
	}
	where, args := q.where()
	if q.After != "" {
		day, id, err := readCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		where, args = where+" AND (f.day < ? OR f.day = ? AND f.id < ?)", append(args, day, day, id)
	}
	page, err = findingRows(ctx, d.db, eyes, where, "ORDER BY f.day DESC, f.id DESC LIMIT ?", append(args, q.Limit+1)...)
	if err != nil || len(page) <= q.Limit {
		return page, "", err
	}
	page = page[:q.Limit]
	last := page[q.Limit-1]
	return page, base64.RawURLEncoding.EncodeToString([]byte(string(last.Day) + "|" + last.ID.String())), nil
}

func (q *FindingQuery) check() error {
	if len(q.IDs) > mostChosen {
		return deposit.Refuse(deposit.Invalid, "too_many_chosen", "一次最多选择 ", mostChosen, " 条差异，请改用筛选条件")
	}
	return nil
}

func readCursor(s string) (deposit.Day, sqldb.ID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	text, key, ok := strings.Cut(string(b), "|")
	day, dayErr := deposit.ParseDay(text)
	id, idErr := sqldb.ParseID(key)
	if err != nil || !ok || dayErr != nil || idErr != nil {
		return "", 0, deposit.Refuse(deposit.Invalid, "cursor_malformed", "翻页游标无效，请从第一页重新查询")
	}
	return day, id, nil
}

// CodeCount is how many findings have a code, and the money concerned.
type CodeCount struct {
	Code     Code        `json:"code"`
	Findings int64       `json:"findings"`
	Amount   deposit.Fen `json:"amount"`
}

// CountFindings counts by code what Findings would list, in the order of Codes.
func (d *Desk) CountFindings(ctx context.Context, eyes deposit.Sight, q FindingQuery) ([]CodeCount, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	where, args := q.where()
	seen, more := findingSeen(eyes)
	all, err := sqldb.Select(ctx, d.db, func(c *CodeCount) []any { return []any{&c.Code, &c.Findings, &c.Amount} },
		"SELECT f.code, COUNT(*), COALESCE(SUM(f.amount), 0) FROM findings AS f "+q.joins()+"WHERE "+where+" AND "+seen+" GROUP BY f.code", append(args, more...)...)
	slices.SortFunc(all, func(a, b CodeCount) int { return slices.Index(codes, a.Code) - slices.Index(codes, b.Code) })
	return append([]CodeCount{}, all...), err
}

// Queue is Findings and, read at the same time, CountFindings of the query without its code.
func (d *Desk) Queue(ctx context.Context, eyes deposit.Sight, q FindingQuery) (page []FindingRow, next string, counts []CodeCount, err error) {
	counted := q
	counted.Code, counted.After = "", ""
	err = together(
		func() (err error) { page, next, err = d.Findings(ctx, eyes, q); return err },
		func() (err error) { counts, err = d.CountFindings(ctx, eyes, counted); return err })
	return page, next, counts, err
}

// joins are the tables that counting needs: what is searched for stands in all of them, what may be seen in the entries.
func (q *FindingQuery) joins() string {
	if q.Search != "" {
		return findingSubjects
	}
	return "LEFT JOIN entries AS e ON e.id = f.subject "
}
