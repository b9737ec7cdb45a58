package api

import (
	"fmt"
	"strings"
	"testing"

	"depositd/migrations/sqldb"
)

// pool loads numbers into the pool of a bank's only parent account.
func (h *house) pool(bank string, numbers ...string) {
	h.t.Helper()
	b, err := h.server.Banks.Bank(bank)
	if err == nil {
		_, err = h.server.Platform.LoadNumbers(h.t.Context(), "test", bank, b.Parent(), numbers)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// bidder is a bid without a number.
func (h *house) bidder(lot, name string) string {
	h.t.Helper()
	var made Bid
	h.json("POST", "/v1/bids", fmt.Sprintf(`{"lot":%q,"bidder":%q}`, lot, name)).want(201, "").into(&made)
	return made.ID.String()
}

func TestSubAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		h.pool("open", "000147")
		first, second := "/v1/bids/"+h.bidder("LC-1", "聊城市东昌建设工程有限公司")+"/sub-account", "/v1/bids/"+h.bidder("LC-1", "水城建设有限公司")+"/sub-account"
		var made, same SubAccount
		woken := h.judge
		h.json("POST", first, `{"bank":"open"}`).want(201, "").into(&made)
		h.json("POST", first, `{"bank":"open","parent_account":"6550100000000000017"}`).want(200, "").into(&same)
		if made != same || made.SubAccount != "000147" || made.Bank != "open" || h.judge == woken {
			t.Errorf("got %+v, then %+v", made, same)
		}
		got := h.json("POST", second, `{"bank":"open"}`).want(409, "pool_exhausted")
		if !strings.Contains(got.Body.String(), "等候队列") || strings.Contains(got.Body.String(), "东昌") {
			t.Errorf("an empty pool says %s", got.Body)
		}
		h.pool("open", "000148")
		h.json("POST", second, `{"bank":"open"}`).want(200, "").into(&made) // it was served when the number came
		if made.SubAccount != "000148" {
			t.Errorf("got %+v", made)
		}
	})
}

func TestBadSubAccounts(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.json("PUT", "/v1/lots/LC-1", lot).want(201, "")
		h.pool("open", "000147")
		bid := "/v1/bids/" + h.bidder("LC-1", "聊城市东昌建设工程有限公司") + "/sub-account"
		for _, c := range []struct {
			name, path, body string
			status           int
			code             string
		}{
			{"which of the banks", bid, `{}`, 400, "field_missing"},
			{"no such bank", bid, `{"bank":"nobody"}`, 422, "bank_unknown"},
			{"no such parent account", bid, `{"bank":"open","parent_account":"3705018860000000123"}`, 422, "parent_unknown"},
			{"an unknown field", bid, `{"bank":"open","lot":"LC-1"}`, 400, "field_unknown"},
			{"nothing", bid, ``, 400, "body_empty"},
			{"no such bid", "/v1/bids/" + sqldb.ID(7).String() + "/sub-account", `{"bank":"open"}`, 404, "bid_unknown"},
			{"no key", "/v1/bids/LC-1/sub-account", `{"bank":"open"}`, 400, "id_malformed"},
		} {
			if got := h.json("POST", c.path, c.body); got.Code != c.status || !strings.Contains(got.Body.String(), `"`+c.code+`"`) {
				t.Errorf("%s: got %d %s, want %d %s", c.name, got.Code, got.Body, c.status, c.code)
			}
		}
		h.json("POST", "/v1/platform/events", `{"number":"E-2","kind":"terminated","lot":"LC-1","happened_at":"2026-06-12T11:00:00+08:00"}`).want(201, "")
		h.json("POST", bid, `{"bank":"open"}`).want(409, "lot_closed")
		if h.count("leases") != 0 || h.count("number_asks") != 0 {
			t.Error("a refused bid left something")
		}
	})
}

// The bids of a lot with one number are answered the same one.
func TestSubAccountOfALot(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var made Lot
		shared := with(lot, `"deposit"`, `"numbering":"per_lot","deposit"`)
		h.json("PUT", "/v1/lots/LC-1", shared).want(201, "").into(&made)
		if made.Numbering != "per_lot" {
			t.Errorf("got %+v", made)
		}
		h.json("PUT", "/v1/lots/LC-1", with(lot, `"deposit"`, `"numbering":"per_head","deposit"`)).want(422, "numbering_unknown")
		h.pool("open", "000147", "000148")
		var first, second SubAccount
		h.json("POST", "/v1/bids/"+h.bidder("LC-1", "聊城市东昌建设工程有限公司")+"/sub-account", `{"bank":"open"}`).want(201, "").into(&first)
		h.json("POST", "/v1/bids/"+h.bidder("LC-1", "水城建设有限公司")+"/sub-account", `{"bank":"open"}`).want(200, "").into(&second)
		if first != second {
			t.Errorf("got %+v and %+v", first, second)
		}
		if got := h.json("PUT", "/v1/lots/LC-1", with(lot, `"deposit"`, `"numbering":"per_bid","deposit"`)).want(409, "lot_numbered").pointers(); got != "/numbering lot_numbered" {
			t.Error(got)
		}
		h.json("PUT", "/v1/lots/LC-1", lot).want(200, "").into(&made)
		if made.Numbering != "per_lot" {
			t.Errorf("left out, the numbering became %q", made.Numbering)
		}
	})
}
