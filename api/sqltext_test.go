package api

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"depositd/migrations/sqldb"
	"depositd/migrations/sqldb/sqldbtest"
)

// What a caller sends goes to the database as a value and never as text: whatever is sent, the engine is given the same SQL.
func TestSQLIsOurs(t *testing.T) {
	sqldbtest.EachURL(t, func(t *testing.T, url string) {
		tame := sqlOf(t, url, "x")
		sqldbtest.Empty(t, url)
		hostile := sqlOf(t, url, "'; DROP TABLE entries; --")
		if len(tame) < 30 {
			t.Errorf("only %d texts were given to the engine", len(tame))
		}
		for _, text := range hostile {
			if strings.Contains(text, "DROP TABLE") || !slices.Contains(tame, text) {
				t.Errorf("only what was sent made it %s", text)
			}
		}
		for _, text := range tame {
			if !slices.Contains(hostile, text) {
				t.Errorf("what was sent kept the engine from %s", text)
			}
		}
	})
}

// sqlOf plays some requests with a text put into all that they say, and gives every SQL text that came of it.
func sqlOf(t *testing.T, url, text string) []string {
	t.Helper()
	faults := &sqldbtest.Faults{}
	h := houseOn(t, url, banksYAML, func(t testing.TB, url string, now func() time.Time) *sqldb.DB {
		sqldbtest.Open(t, url, now)
		db, err := sqldb.OpenWith(context.Background(), url, now, faults.Between)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		sqldbtest.Unlock(t, db)
		return db
	})
	h.cookie(everybody)
	h.bearer()
	faults.Texts()
	escaped := strings.NewReplacer(" ", "%20", ";", "%3B", "'", "%27").Replace(text)
	play := func(method, target, body string, header ...string) {
		request := httptest.NewRequest(method, strings.ReplaceAll(target, "~", escaped), strings.NewReader(strings.ReplaceAll(body, "~", text)))
		request.Header.Set("Content-Type", jsonType)
		request.Header.Set(idempotencyKey, "test-"+sqldb.NewID().String())
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		h.credentials(request)
		h.play(request)
	}
	for _, target := range []string{"/v1/findings?department=~&bank=~", "/v1/findings?cursor=~", "/v1/refunds?bank=~", "/v1/refund-lists?department=~", "/v1/refund-batches?bank=~",
		"/v1/reports/~", "/v1/credits/~", "/v1/sub-accounts/~/diagnosis"} {
		play("GET", target, "")
	}
	play("PUT", "/v1/lots/LC~", with(lot, `"建设工程科"`, `"科~"`))
	play("POST", "/v1/bids", with(with(bid, "LC-1", "LC~"), "聊城市东昌建设工程有限公司", "公司~"))
	play("POST", "/v1/platform/events", `{"number":"E~","lot":"LC~","kind":"opened","happened_at":"2026-06-12T09:30:00+08:00"}`)
	play("POST", "/v1/refund-freezes", `{"bank":"line","reason":"~"}`, idempotencyKey, "key-~-0000000000000")
	play("POST", "/v1/refund-lists", listBody("科~", "", strings.Replace(lineOf(0), creditSerial(0), "~", 1)))
	named := strings.ReplaceAll(notice, "聊城市东昌建设工程有限公司", "公司"+text)
	h.push("msg-1", named)
	play("POST", "/v1/banks/line/statements?name=~", strings.ReplaceAll(strings.ReplaceAll(statement, "6550100000000000017", lineParent), "水城", "~"))
	if _, err := h.server.Reconcile.JudgeAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return faults.Texts()
}

// The harness proves itself: a text that was put together is noticed.
func TestSQLIsOursNotices(t *testing.T) {
	faults := &sqldbtest.Faults{}
	url := "sqlite:" + t.TempDir() + "/deposit.db"
	sqldbtest.Open(t, url, time.Now)
	db, err := sqldb.OpenWith(t.Context(), url, time.Now, faults.Between)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	sent := "x'y"
	if _, err := sqldb.Value[int](t.Context(), db, "SELECT COUNT(*) FROM lots WHERE number = '"+strings.ReplaceAll(sent, "'", "''")+"'"); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(faults.Texts(), func(text string) bool { return strings.Contains(text, "x''y") }) {
		t.Error("a text with what was sent in it went unnoticed")
	}
}
