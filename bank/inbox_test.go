package bank

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// What came in one millisecond is told whole and once, however small the pages are and whether a lot is sealed or not; and a
// cursor names no message.
func TestInboxOfOneMillisecond(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		ctx, db := context.Background(), sqldbtest.Open(t, url, func() time.Time { return batchNow })
		at := []time.Time{batchNow, batchNow, batchNow, batchNow.Add(-time.Millisecond), batchNow.Add(-time.Millisecond), batchNow.Add(-time.Second)}
		var rows []StoredMessage
		for i, t := range at {
			raw := fmt.Append(nil, "file ", i)
			rows = append(rows, StoredMessage{ID: sqldb.ID(i + 1), Bank: "lcyh", ExternalID: fmt.Sprint("f", i), Source: "FILE", Kind: KindStatement, Outcome: New,
				Digest: hash(raw), Size: int64(len(raw)), ReceivedAt: t, Body: raw})
		}
		if err := db.Write(ctx, "test", func(tx *sqldb.Tx) error { return messages.Insert(ctx, tx, rows...) }); err != nil {
			t.Fatal(err)
		}
		for _, until := range []time.Time{{}, batchNow.Add(-time.Minute)} {
			for size := 1; size <= len(rows)+1; size++ {
				var told []sqldb.ID
				for q := (InboxQuery{Until: until, Limit: size}); len(told) <= len(rows); {
					page, next, err := Inbox(ctx, db, q)
					if err != nil {
						t.Fatal(err)
					}
					for i := range page {
						told = append(told, page[i].ID)
					}
					if q.After = next; next == "" {
						break
					}
				}
				if want := []sqldb.ID{3, 2, 1, 5, 4, 6}; !slices.Equal(told, want) {
					t.Errorf("until %v, pages of %d: told %v, want %v", until, size, told, want)
				}
			}
		}
		for _, bad := range []string{"x", inboxPlace{"2026-06-15", 1}.String(), inboxPlace{sqldb.At(batchNow), 0}.String(), inboxPlace{sqldb.At(batchNow), mostAtOnce + 1}.String()} {
			if _, _, err := Inbox(ctx, db, InboxQuery{After: bad}); err == nil {
				t.Errorf("the cursor %q is taken", bad)
			}
		}
	})
}
