package platform

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// AuditQuery asks for events of the audit trail; an empty field asks for nothing.
type AuditQuery struct {
	Day   deposit.Day
	By    string   // the whole name
	Table string   // as the trail has it: users, refunds, …
	Row   sqldb.ID // what it happened to
	After string   // the cursor that the page before gave
	Limit int
}

// aboutNobody are the tables whose events say nothing of who bids and pays, whenever they are read.
var aboutNobody = []any{"users", "tokens", "departments", "calendar_years", "seal_keys"}

// Audit reads the audit trail, the newest first; next is the cursor of the page after, "" where there is none. Of what is no
// matter of accounts and keys it gives what happened before the first of the sealed lots was announced: later events may be of
// its bidders, and there is one for each payment (rule 3 of the veil). short says that there is such a lot. An Invalid Refusal,
// cursor_malformed, for a cursor that was not given.
func Audit(ctx context.Context, r sqldb.Reader, q AuditQuery) (page []sqldb.Event, next string, short bool, err error) {
	since, err := SealedSince(ctx, r)
	if err != nil {
		return nil, "", false, err
	}
	at, shown, err := readAuditPlace(q.After)
	if err != nil {
		return nil, "", false, err
	}
	where, args := q.where(since, at)
	args = append(args, shown+q.Limit+1)
	all, err := sqldb.Events.All(ctx, r, "WHERE "+where+" ORDER BY at DESC, seq DESC LIMIT ?", args...)
	if err != nil {
		return nil, "", false, fmt.Errorf("read the audit trail: %w", err)
	}
	page = all[min(shown, len(all)):]
	if len(page) > q.Limit {
		page = page[:q.Limit]
		next = auditPlace(all[:shown+q.Limit])
	}
	return page, next, since.Before(sqldb.Forever), nil
}

func (q *AuditQuery) where(since time.Time, at string) (text string, args []any) {
	conditions := []string{"(at < ? OR table_name IN " + sqldb.In(len(aboutNobody)) + ")"}
	args = append([]any{sqldb.At(since)}, aboutNobody...)
	only := func(wanted bool, condition string, values ...any) {
		if wanted {
			conditions, args = append(conditions, condition), append(args, values...)
		}
	}
	only(at != "", "at <= ?", at)
	only(q.By != "", "by_whom = ?", q.By)
	only(q.Table != "", "table_name = ?", q.Table)
	only(q.Row != 0, "row_id = ?", q.Row)
	if q.Day != "" {
		only(true, "at >= ? AND at < ?", sqldb.At(q.Day.Start()), sqldb.At(q.Day.Add(1).Start()))
	}
	return strings.Join(conditions, " AND "), args
}

// A place in the trail is an instant and how many events of it were shown. The events' own numbers are no part of it, since
// they count those that are left out.
func auditPlace(shown []sqldb.Event) string {
	at := shown[len(shown)-1].At
	first := slices.IndexFunc(shown, func(e sqldb.Event) bool { return e.At.Equal(at) })
	return base64.RawURLEncoding.EncodeToString([]byte(sqldb.At(at) + "|" + strconv.Itoa(len(shown)-first)))
}

// mostAtOnce bounds how many events of one instant a cursor may pass over: a commit writes some thousands.
const mostAtOnce = 100_000

func readAuditPlace(cursor string) (at string, shown int, err error) {
	if cursor == "" {
		return "", 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, count, ok := strings.Cut(string(text), "|")
	shown, number := strconv.Atoi(count)
	if err != nil || number != nil || !ok || len(at) != len(sqldb.At(time.Time{})) || shown < 1 || shown > mostAtOnce {
		return "", 0, deposit.Refuse(deposit.Invalid, "cursor_malformed", "cursor 应取自上一页的 next")
	}
	return at, shown, nil
}
