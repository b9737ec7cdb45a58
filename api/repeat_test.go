package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"depositd/api/once"
	"depositd/migrations/sqldb"
)

// The same request under its key is answered as the first time and takes effect once, whichever replica has it.
func TestRepeatIsAnsweredAsBefore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		const freeze = `{"bank":"line","reason":"付款异常"}`
		send := func(person, key, body string) *answer {
			return h.as(person, "POST", "/v1/refund-freezes", jsonType, body, idempotencyKey, key)
		}
		first := send(maker, "key-0000000000001", freeze).want(201, "")
		before := h.count("events")
		h.server.once = once.NewDesk(h.db) // another replica, or a restart
		again := send(maker, `"key-0000000000001"`, freeze).want(201, "")
		if again.Body.String() != first.Body.String() || again.Header().Get("Content-Type") != first.Header().Get("Content-Type") ||
			again.Header().Get("Idempotency-Replayed") != "true" || first.Header().Get("Idempotency-Replayed") != "" || h.count("events") != before {
			t.Errorf("first %s, then %s", first.Body, again.Body)
		}
		send(maker, "key-0000000000001", with(freeze, "付款", "收款")).want(422, "idempotency_key_reused")
		send(checker, "key-0000000000001", freeze).want(201, "") // keys are the caller's own
		kept, err := sqldb.Value[string](t.Context(), h.db, "SELECT answer FROM once WHERE caller = ?", maker)
		if err != nil || len(kept) < 50 || strings.Contains(kept, "line") {
			t.Errorf("the answer is kept as %q (%v)", kept, err)
		}
		// A refused request may be mended and sent again under its key.
		send(maker, "key-0000000000002", `{"bank":"nobody","reason":"x"}`).want(404, "")
		send(maker, "key-0000000000002", freeze).want(201, "")

		h.now = h.now.Add(once.Kept)
		if n, err := h.server.once.Forget(t.Context(), "nightly"); n != 0 || err != nil {
			t.Errorf("%d answers forgotten too early (%v)", n, err)
		}
		h.now = h.now.Add(time.Millisecond)
		if n, err := h.server.once.Forget(t.Context(), "nightly"); n != 3 || err != nil || h.count("once") != 0 {
			t.Errorf("%d answers forgotten (%v)", n, err)
		}
	})
}

// While a request is being answered nobody else answers it; once its process must have died, the next one does.
func TestRequestInFlight(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := once.Request{Caller: maker, Key: "key-0000000000001", Says: []byte("f"), Within: time.Minute}
		first, before, err := h.server.once.Begin(t.Context(), r)
		if before != nil || err != nil {
			t.Fatal(before, err)
		}
		refused := func(says string) string {
			r := r
			r.Says = []byte(says)
			_, _, err := h.server.once.Begin(t.Context(), r)
			return problemOf(err).Code
		}
		if refused("f") != "request_in_flight" || refused("g") != "idempotency_key_reused" {
			t.Error("a request in flight was begun again")
		}
		h.now = h.now.Add(time.Minute)
		second, before, err := h.server.once.Begin(t.Context(), r)
		if before != nil || err != nil {
			t.Fatal("nobody takes over from a dead process: ", before, err)
		}
		if err := h.server.once.Finish(t.Context(), first, once.Answer{Status: 200}); err == nil {
			t.Error("a zombie's answer is kept")
		}
		if err := h.server.once.Finish(t.Context(), second, once.Answer{Status: 201, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if _, before, err := h.server.once.Begin(t.Context(), r); err != nil || before.Status != 201 || string(before.Body) != "x" {
			t.Error(before, err)
		}
	})
}

// Twenty at once under one key come to one effect.
func TestRepeatsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var all sync.WaitGroup
		codes := make([]int, 20)
		cookie := &http.Cookie{Name: cookieName, Value: h.cookie(maker)}
		for i := range codes {
			all.Go(func() {
				request := httptest.NewRequest("POST", "/v1/refund-freezes", strings.NewReader(`{"bank":"line","reason":"x"}`))
				request.AddCookie(cookie)
				request.Header.Set("Content-Type", jsonType)
				request.Header.Set(idempotencyKey, "key-0000000000001")
				codes[i] = h.play(request).Code
			})
		}
		all.Wait()
		made, _ := sqldb.Value[int](t.Context(), h.db, "SELECT COUNT(*) FROM events WHERE table_name = 'freezes'")
		for _, code := range codes {
			if code != 201 && code != 409 && code != 503 {
				t.Errorf("answered %v", codes)
				break
			}
		}
		if made != 1 || h.count("freezes") != 1 {
			t.Errorf("%d effects, answered %v", made, codes)
		}
	})
}

func TestKeysAreAskedFor(t *testing.T) {
	h := local(t)
	ask := func(key ...string) string {
		request := httptest.NewRequest("POST", "/v1/refund-freezes", strings.NewReader(`{"bank":"line","reason":"x"}`))
		request.AddCookie(&http.Cookie{Name: cookieName, Value: h.cookie(maker)})
		request.Header.Set("Content-Type", jsonType)
		request.Header[http.CanonicalHeaderKey(idempotencyKey)] = key
		got := h.play(request)
		return fmt.Sprint(got.Code, " ", got.problem().Code)
	}
	for want, key := range map[string][]string{
		"400 idempotency_key_missing":     nil,
		"400 idempotency_key_malformed":   {"fifteen-letters"},
		"400 idempotency_key_malformed ":  {"key-0000000000001", "key-0000000000001"},
		"400 idempotency_key_malformed  ": {`"key-0000000000001`},
	} {
		if got := ask(key...); got != strings.TrimSpace(want) {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
	if h.count("freezes") != 0 {
		t.Error("it was taken without a key")
	}
}

// A version must be named, as one entity tag.
func TestVersionsAreAskedFor(t *testing.T) {
	h := local(t)
	h.strangers(1)
	var page FindingPage
	h.get("/v1/findings").into(&page)
	moves := "/v1/findings/" + page.Findings[0].ID.String() + "/moves"
	const body = `{"act":"explain","note":"x"}`
	h.json("POST", moves, body).want(428, "version_required")
	for _, tag := range []string{"1", `W/"1"`, "*", `"1", "2"`, `"0"`, `""`} {
		h.send("POST", moves, []byte(body), "Content-Type", jsonType, "If-Match", tag).want(400, "version_malformed")
	}
	got := h.move(everybody, moves, page.Findings[0].Version, body).want(200, "")
	if got.Header().Get("ETag") != versionOf(page.Findings[0].Version+1) {
		t.Errorf("the version then is told as %q", got.Header().Get("ETag"))
	}
}

// The document says of the same routes as the table that they need a key; and of those that act on one thing that they
// need its version.
func TestDocumentedConditions(t *testing.T) {
	h := local(t)
	for _, r := range h.server.routes() {
		if !strings.HasPrefix(r.Path, "/v1/") && r.onlyOnce() {
			t.Errorf("%s %s: a form bears no key", r.Method, r.Path)
		}
		if h.server.pageRoles[r.Path] != nil {
			continue
		}
		item := document().Paths.Value(regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.Path, "{$1}"))
		parameters := item.GetOperation(r.Method).Parameters
		key, version := parameters.GetByInAndName("header", idempotencyKey), parameters.GetByInAndName("header", "If-Match")
		if (key != nil && key.Required) != r.onlyOnce() {
			t.Errorf("%s %s: a key is documented %v, needed %v", r.Method, r.Path, key != nil, r.onlyOnce())
		}
		if version == nil {
			continue
		}
		request := httptest.NewRequest(r.Method, strings.NewReplacer(":id", "0000000000002").Replace(r.Path), strings.NewReader("{}"))
		request.Header.Set("Content-Type", jsonType)
		request.Header.Set(idempotencyKey, "key-0000000000001")
		h.credentials(request)
		if got := h.play(request); got.Code != 428 {
			t.Errorf("%s %s: without a version %d", r.Method, r.Path, got.Code)
		}
	}
}
