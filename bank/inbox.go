package bank

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// InboxRow is a kept message without its bytes.
type InboxRow struct {
	ID         sqldb.ID  `json:"id"`
	Bank       string    `json:"bank"`
	ExternalID string    `json:"external_id"`
	Source     string    `json:"source"`
	Kind       string    `json:"kind"`
	Outcome    Outcome   `json:"outcome"`
	Code       string    `json:"code"` // why it was refused
	Detail     string    `json:"detail"`
	SHA256     string    `json:"sha256"` // of a message that is kept whole; "" of a file
	Size       int64     `json:"size"`
	ReceivedAt time.Time `json:"received_at"`

	body []byte
}

var inbox = sqldb.NewTable("messages", "id, bank, external_id, source, kind, outcome, code, size, received_at, body",
	func(m *InboxRow) []any {
		return []any{&m.ID, &m.Bank, &m.ExternalID, &m.Source, &m.Kind, &m.Outcome, &m.Code, &m.Size, sqldb.Wall(&m.ReceivedAt), sqldb.Sealed("messages", &m.ID, &m.Detail, &m.body)}
	})

// InboxQuery asks for messages; an empty field asks for nothing.
type InboxQuery struct {
	Bank    string
	Kind    string
	Outcome Outcome
	Day     deposit.Day // on which it came
	Until   time.Time   // of notices that were taken, only those that came before; zero: all
	After   string      // the cursor of the page before
	Limit   int         // at most mostMessages
}

const mostMessages = 200

// Inbox lists what banks have sent, the newest first, a page at a time; next is the cursor of the page after, "" at the end.
func Inbox(ctx context.Context, r sqldb.Reader, q InboxQuery) (page []InboxRow, next string, err error) {
	if q.Limit <= 0 || q.Limit > mostMessages {
		q.Limit = mostMessages
	}
	where, args := []string{"1 = 1"}, []any{}
	only := func(wanted bool, text string, values ...any) {
		if wanted {
			where, args = append(where, text), append(args, values...)
		}
	}
	only(q.Bank != "", "bank = ?", q.Bank)
	only(q.Kind != "", "kind = ?", q.Kind)
	only(q.Outcome != "", "outcome = ?", q.Outcome)
	if q.Day != "" {
		only(true, "received_at >= ? AND received_at < ?", sqldb.At(q.Day.Start()), sqldb.At(q.Day.Add(1).Start()))
	}
	only(!q.Until.IsZero(), "(kind <> 'NOTICE' OR outcome = 'REFUSED' OR received_at < ?)", sqldb.At(q.Until))
	from := inboxPlace{}
	if q.After != "" {
		if from, err = readPlace(q.After); err != nil {
			return nil, "", err
		}
		only(true, "received_at <= ?", from.at)
	}
	page, err = inbox.All(ctx, r, "WHERE "+strings.Join(where, " AND ")+" ORDER BY received_at DESC, id DESC LIMIT ? OFFSET ?", append(args, q.Limit+1, from.told)...)
	for i := range page {
		page[i].hash()
	}
	if err != nil || len(page) <= q.Limit {
		return page, "", err
	}
	page = page[:q.Limit]
	return page, from.after(page).String(), nil
}

// hash tells the hash of the bytes, of which the database holds a tag alone, and lets the bytes go.
func (m *InboxRow) hash() {
	if len(m.body) > 0 {
		m.SHA256, m.body = hash(m.body), nil
	}
}

// inboxPlace is where a page ends: at an instant, of whose messages so many were told. They are counted and not named by the
// last one's key, since a file's key is made of what stands in it and must not be told before an opening.
type inboxPlace struct {
	at   string
	told int
}

// mostAtOnce is how many messages of one millisecond a place counts; more cannot be received in it.
const mostAtOnce = 10_000

// after is the place behind a page that began at p.
func (p inboxPlace) after(page []InboxRow) inboxPlace {
	end := inboxPlace{at: sqldb.At(page[len(page)-1].ReceivedAt)}
	for i := range page {
		if sqldb.At(page[i].ReceivedAt) == end.at {
			end.told++
		}
	}
	if end.at == p.at {
		end.told += p.told
	}
	return end
}

func (p inboxPlace) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.at + "|" + strconv.Itoa(p.told)))
}

func readPlace(cursor string) (p inboxPlace, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	at, told, ok := strings.Cut(string(text), "|")
	n, countErr := strconv.Atoi(told)
	_, timeErr := time.Parse(deposit.WallTime, at)
	if err != nil || !ok || countErr != nil || n < 1 || n > mostAtOnce || timeErr != nil {
		return p, deposit.Refuse(deposit.Invalid, "cursor_malformed", "翻页游标无效，请从第一页重新查询")
	}
	return inboxPlace{at, n}, nil
}
