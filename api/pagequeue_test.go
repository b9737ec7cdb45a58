package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"depositd/reconcile"
)

// The queue is asked for one's own work, for what nobody has taken, and by age; its cards are counted beside it, by the same filters.
func TestQueueOwnersAndAges(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.misremitted()
		h.strangers(2)
		counts := func(query string) (n int64) {
			t.Helper()
			var told FindingCounts
			h.get("/v1/findings/counts?"+query).want(200, "").into(&told)
			page := h.page(maker, "GET", "/findings?counts=1&"+query, nil, "HX-Request", "true").shows(200, `<ul class="reasons"`)
			if strings.Contains(page.Body.String(), "<tr") || strings.Contains(page.Body.String(), "counts=1") {
				t.Errorf("the cards hold more than themselves: %s", page.Body)
			}
			if shown := strings.Count(h.page(maker, "GET", "/findings?"+query, nil).shows(200, "正在按原因计数").Body.String(), "<tr data-row"); int64(shown) != told.Findings {
				t.Errorf("%s: %d shown, %d counted", query, shown, told.Findings)
			}
			return told.Findings
		}
		all := counts("state=TODO")
		var page FindingPage
		h.get("/v1/findings?code=UNKNOWN_SUB_ACCOUNT").want(200, "").into(&page)
		h.page(maker, "POST", "/findings/"+page.Findings[0].ID.String(), url.Values{"act": {"take"}, "version": {"1"}})
		if mine, nobodys := counts("owner="+url.QueryEscape(maker)), counts("owner="+reconcile.Nobody+"&state=TODO"); mine != 1 || nobodys != all-1 {
			t.Errorf("%d of %d are mine, %d nobody's", mine, all, nobodys)
		}
		if n := counts("state=TODO&age=T1"); n != all {
			t.Errorf("%d of %d are of today", n, all)
		}
		for _, at := range []struct {
			days int
			age  string
		}{{3, "T1"}, {5, "T3"}, {10, "T7"}, {30, "OVER"}} { // from a Friday, with a make-up working day and three holidays ahead
			h.now = time.Date(2026, 6, 12, 15, 0, 0, 0, time.Local).AddDate(0, 0, at.days)
			for _, band := range []string{"T1", "T3", "T7", "OVER"} {
				if n := counts("state=TODO&age=" + band); (n == all) != (band == at.age) || n != 0 && n != all {
					t.Errorf("%d days on, %d of %d are of %s", at.days, n, all, band)
				}
			}
		}
		h.get("/v1/findings?age=T2").want(400, "age_unknown")
	})
}

// What was done in bulk is taken back in bulk, as new lines of the audit trail.
func TestBulkUndo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.misremitted()
		h.strangers(2)
		do := func(state, act, note string) {
			t.Helper()
			got := h.page(maker, "POST", "/findings/bulk?code=UNKNOWN_SUB_ACCOUNT&state="+state, url.Values{"act": {act}, "note": {note}, "count": {"2"}, "total": {"1600000.00"}})
			if got.Code != http.StatusSeeOther {
				t.Fatalf("%s: %d %s", act, got.Code, got.Body)
			}
		}
		do("OPEN", "settle", "统一办结")
		h.page(maker, "GET", "/findings/bulk?code=UNKNOWN_SUB_ACCOUNT&state=SETTLED", nil).shows(200, "将要处理 2 笔", "撤销")
		do("SETTLED", "reopen", "办结有误")
		var page FindingPage
		h.get("/v1/findings?code=UNKNOWN_SUB_ACCOUNT&state=OPEN").want(200, "").into(&page)
		if len(page.Findings) != 2 {
			t.Fatalf("%d are open again", len(page.Findings))
		}
		var story reconcile.FindingView
		h.get("/v1/findings/"+page.Findings[0].ID.String()).want(200, "").into(&story)
		var trail []string
		for _, step := range story.History {
			trail = append(trail, step.Became+" "+step.Note)
		}
		if got := strings.Join(trail, ", "); !strings.HasSuffix(got, "SETTLED 统一办结, OPEN 办结有误") {
			t.Errorf("the trail is %s", got)
		}
	})
}
