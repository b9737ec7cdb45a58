package api

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	lot = `{"name":"东昌府区道路改造一标段","department":"建设工程科","deposit":"800000.00","opening_at":"2026-06-20T09:00:00+08:00"}`
	bid = `{"lot":"LC-1","bidder":"聊城市东昌建设工程有限公司","bidder_account":"6212000000000000005","bank":"open","sub_account":"000147",` +
		`"lease_from":"2026-06-01T00:00:00+08:00","lease_to":"2026-06-30T00:00:00Z"}`
	event = `{"number":"E-1","kind":"opening_postponed","lot":"LC-1","happened_at":"2026-06-12T11:00:00+08:00","opening_at":"2026-06-21T01:00:00Z"}`
)

func TestLot(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var made, same, changed Lot
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "").into(&made)
		if made.Number != "LC-1" || made.Deposit.String() != "800000.00" || made.State != "ANNOUNCED" || made.OpenedAt != nil || made.ID == 0 {
			t.Errorf("got %+v", made)
		}
		got := h.json("PUT", "/v1/lots/LC-1", with(lot, "09:00:00+08:00", "01:00:00Z")).want(200, "")
		if got.into(&same); same.Version != made.Version || !strings.Contains(got.Body.String(), `"opening_at":"2026-06-20T09:00:00+08:00"`) {
			t.Errorf("the same instant in another zone: %s", got.Body)
		}
		h.json("PUT", "/v1/lots/LC-1", with(lot, "800000.00", "500000")).want(200, "").into(&changed)
		if changed.Version != made.Version+1 || changed.ID != made.ID || changed.Deposit.String() != "500000.00" {
			t.Errorf("got %+v", changed)
		}
		if h.judge != 3 {
			t.Errorf("the judge was woken %d times", h.judge)
		}
		for _, number := range []string{"聊城/2026+7", "a b", "100%"} {
			h.json("PUT", "/v1/lots/"+url.PathEscape(number), lot).want(201, "").into(&made)
			if made.Number != number {
				t.Errorf("lot %q became %q", number, made.Number)
			}
		}
	})
}

func TestBadLots(t *testing.T) {
	cases := []struct {
		name, body string
		status     int
		faults     string
	}{
		{"empty", "", 400, ""},
		{"no JSON", "{", 400, " json_malformed"},
		{"something after the end", lot + "{}", 400, " json_malformed"},
		{"a list", "[]", 400, " field_type"},
		{"not UTF-8", with(lot, "东昌府区", "\xc1\xc4"), 400, " json_encoding"},
		{"half a surrogate", with(lot, "东昌府区", `\ud800`), 400, "/name text_encoding"},
		{"a key twice", with(lot, `"deposit"`, `"deposit":"1.00","deposit"`), 400, "/deposit field_twice"},
		{"nested deeply", with(lot, `"800000.00"`, strings.Repeat("[", 100)+strings.Repeat("]", 100)), 400, "/deposit" + strings.Repeat("/0", 7) + " json_too_deep"},
		{"an unknown field", with(lot, `"deposit"`, `"x/y":1,"deposit"`), 400, "/x~1y field_unknown"},
		{"its own number", with(lot, `"deposit"`, `"number":"LC-2","deposit"`), 400, "/number field_unknown"},
		{"money as a number", with(lot, `"800000.00"`, `800000.00`), 400, "/deposit field_type"},
		{"money as 1e400", with(lot, `"800000.00"`, `1e400`), 400, "/deposit field_type"},
		{"no deposit", with(lot, `"deposit":"800000.00",`, ``), 400, "/deposit field_missing"},
		{"a null deposit", with(lot, `"800000.00"`, `null`), 400, "/deposit field_missing"},
		{"three decimals", with(lot, "800000.00", "800000.001"), 422, "/deposit amount_decimals"},
		{"negative", with(lot, "800000.00", "-1.00"), 422, "/deposit amount_negative"},
		{"nothing", with(lot, "800000.00", "0.00"), 422, "/deposit amount_zero"},
		{"above a milliard", with(lot, "800000.00", "1000000000.01"), 422, "/deposit amount_too_large"},
		{"exponent", with(lot, "800000.00", "8e5"), 422, "/deposit amount_malformed"},
		{"no such day", with(lot, "2026-06-20", "2026-02-30"), 422, "/opening_at time_malformed"},
		{"no zone", with(lot, "+08:00", ""), 422, "/opening_at time_malformed"},
		{"the year 1026", with(lot, "2026-06-20", "1026-06-20"), 422, "/opening_at time_out_of_range"},
		{"a line break in the name", with(lot, "东昌府区", `东昌\n府区`), 422, "/name text_control"},
		{"a long name", with(lot, "东昌府区", strings.Repeat("长", 200)), 422, "/name text_too_long"},
		{"no boolean", with(lot, `"deposit"`, `"single_payment":"yes","deposit"`), 400, "/single_payment field_type"},
		{"all at once", `{"deposit":"1.001","opening_at":7}`, 400, "/department field_missing, /deposit amount_decimals, /opening_at field_type"},
	}
	each(t, func(t *testing.T, h *house) {
		for _, c := range cases {
			got := h.json("PUT", "/v1/lots/LC-1", c.body)
			if got.Code != c.status || c.faults != "" && got.pointers() != c.faults {
				t.Errorf("%s: got %d %s, want %d %s", c.name, got.Code, got.Body, c.status, c.faults)
			}
		}
		h.send("PUT", "/v1/lots/LC-1", []byte(lot), "Content-Type", "text/plain").want(415, "content_type")
		h.send("PUT", "/v1/lots/LC-1", []byte(lot)).want(415, "content_type")
		h.json("PUT", "/v1/lots/LC-1", with(lot, "东昌府区", strings.Repeat("长", maxOrder))).want(413, "body_too_large")
		h.json("PUT", "/v1/lots/"+url.PathEscape(strings.Repeat("长", 65)), lot).want(422, "")
		if h.count("lots") != 0 || h.judge != 0 {
			t.Error("a refused lot left something")
		}
	})
}

func TestBid(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("POST", "/v1/bids", bid).want(404, "lot_unknown")
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		var made, same Bid
		h.json("POST", "/v1/bids", bid).want(201, "").into(&made)
		h.json("POST", "/v1/bids", bid).want(200, "").into(&same)
		if made != same || made.Lot != "LC-1" || made.State != "LIVE" {
			t.Errorf("got %+v, then %+v", made, same)
		}
		got := h.json("POST", "/v1/bids", with(bid, "东昌建设工程", "水城建设")).want(409, "lease_overlaps")
		if strings.Contains(got.Body.String(), "东昌") {
			t.Errorf("the other bidder's name is told: %s", got.Body)
		}
		if got := h.json("POST", "/v1/bids", with(bid, `"bank":"open"`, `"bank":"nobody"`)).want(422, "bank_unknown").pointers(); got != "/bank bank_unknown" {
			t.Error(got)
		}
		h.json("POST", "/v1/bids", with(bid, `"bank":"open",`, ``)).want(400, "field_missing") // two banks are configured
		h.json("POST", "/v1/bids", `{"lot":"LC-1","bidder":"聊城市水城建设有限公司"}`).want(201, "")
	})
}

func TestBidOfTheOnlyBank(t *testing.T) {
	only := strings.Split(banksYAML, "  - {code: line")[0]
	h := newHouse(t, "sqlite:"+t.TempDir()+"/deposit.db", only)
	h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
	h.json("POST", "/v1/bids", with(bid, `"bank":"open",`, ``)).want(201, "")
	h.json("POST", "/v1/bids", bid).want(200, "")
}

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("POST", "/v1/platform/events", event).want(404, "lot_unknown")
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		h.json("POST", "/v1/platform/events", event).want(201, "")
		var e Event
		h.json("POST", "/v1/platform/events", event).want(200, "").into(&e)
		if !e.Known || e.Number != "E-1" {
			t.Errorf("got %+v", e)
		}
		h.json("POST", "/v1/platform/events", with(event, "2026-06-21", "2026-06-22")).want(409, "event_number_reused")
		if got := h.json("POST", "/v1/platform/events", with(event, "opening_postponed", "OPENED")).want(422, "event_kind_unknown").pointers(); got != "/kind event_kind_unknown" {
			t.Error(got)
		}
		if got := h.json("POST", "/v1/platform/events", with(event, `,"opening_at":"2026-06-21T01:00:00Z"`, "")).want(422, "").pointers(); !strings.HasPrefix(got, "/opening_at ") {
			t.Errorf("a new opening that is not told: %s", got)
		}
		earlier := with(with(event, "E-1", "E-3"), "2026-06-21", "2026-06-20")
		if got := h.json("POST", "/v1/platform/events", earlier).want(409, "not_postponed").pointers(); got != "/opening_at not_postponed" {
			t.Error(got)
		}
		h.json("POST", "/v1/platform/events", with(earlier, "opening_postponed", "opening_moved")).want(201, "")
		h.json("POST", "/v1/platform/events", event).want(200, "") // said again after it was overtaken: still known
		h.agreeEarlier("LC-1", "2026-06-20T09:00:00+08:00")
		opened := `{"number":"E-2","kind":"opened","lot":"LC-1","happened_at":"2026-06-12T11:30:00+08:00"}`
		h.json("POST", "/v1/platform/events", opened).want(409, "opening_early")
		h.now = h.now.AddDate(0, 0, 8)
		h.json("POST", "/v1/platform/events", with(opened, "06-12T11", "06-20T09")).want(201, "")
		var after Lot
		h.json("PUT", "/v1/lots/LC-1", lot).want(200, "").into(&after)
		if after.State != "OPENED" || after.OpenedAt == nil || !after.OpenedAt.Equal(noon.AddDate(0, 0, 8).Add(-150*time.Minute)) {
			t.Errorf("an opened lot: %+v", after)
		}
		h.json("PUT", "/v1/lots/LC-1", with(lot, "800000.00", "1.00")).want(409, "lot_opened")
	})
}

func TestSync(t *testing.T) {
	numbered := with(lot, "{", `{"number":"LC-1",`)
	whole := `{"lots":[` + numbered + `,` + with(numbered, "LC-1", "LC-2") + `],"bids":[` + bid + `],"events":[` + event + `]}`
	each(t, func(t *testing.T, h *house) {
		broken := with(whole, `,"events"`, `,"events":[],"evens"`)
		if got := h.json("POST", "/v1/platform/sync", broken).want(400, "field_unknown").pointers(); got != "/evens field_unknown" {
			t.Error(got)
		}
		if got := h.json("POST", "/v1/platform/sync", with(whole, `"lot":"LC-1","bidder"`, `"lot":"LC-3","bidder"`)).want(404, "lot_unknown").pointers(); got != "/bids/0/lot lot_unknown" {
			t.Error(got)
		}
		late := with(with(whole, `"deposit":"800000.00","opening_at":"2026-06-20T09:00:00+08:00"}],`, `"deposit":"1.234","opening_at":"2026-06-20T09:00:00+08:00"}],`), `"kind":"opening_postponed"`, `"kind":""`)
		if got := h.json("POST", "/v1/platform/sync", late).want(400, "body_invalid").pointers(); got != "/lots/1/deposit amount_decimals, /events/0/kind field_missing" {
			t.Error(got)
		}
		if h.count("lots")+h.count("bids")+h.count("platform_events") != 0 {
			t.Error("all or nothing")
		}
		var done Sync
		h.json("POST", "/v1/platform/sync", whole).want(200, "").into(&done)
		if done != (Sync{Lots: 2, Bids: 1, Events: 1}) {
			t.Errorf("got %+v", done)
		}
		h.json("POST", "/v1/platform/sync", `{"bids":[`+bid+`],"events":[`+event+`]}`).want(200, "").into(&done)
		if done != (Sync{Unchanged: 2}) {
			t.Errorf("said again: %+v", done)
		}
		h.json("POST", "/v1/platform/sync", `{"lots":[`+strings.Repeat(numbered+",", maxSync/len(numbered)+1)+numbered+`]}`).want(413, "body_too_large")
	})
}
