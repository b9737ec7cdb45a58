package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"depositd/platform/people"
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

// A page offers what its visitor may do and see, and nothing besides: who watches does not act, and raw messages and pools are for
// few (safety page §7.3).
func TestPagesOfferTheRolesOwn(t *testing.T) {
	h := local(t)
	h.misremitted()
	h.strangers(2)
	var page FindingPage
	h.get("/v1/findings?code=UNKNOWN_SUB_ACCOUNT").want(200, "").into(&page)
	f := page.Findings[0]
	at := func(role Role, target string) string {
		request := httptest.NewRequest("GET", target, nil)
		request.Header.Set("Accept", "text/html")
		h.stands(request, string(role), role)
		return h.play(request).shows(200).Body.String()
	}
	for _, c := range []struct {
		role                      Role
		acts, files, pools, reads bool
	}{
		{people.FinanceMaker, true, true, true, true}, {people.FinanceChecker, true, true, false, true}, {people.Leader, false, false, false, true},
		{people.Auditor, false, true, true, true}, {people.Department, true, false, false, true}, {people.ITOperator, false, false, true, false},
	} {
		numbers := at(c.role, "/numbers")
		if strings.Contains(numbers, "<h2>号池") != c.pools || strings.Contains(numbers, "子账号诊断") != c.reads {
			t.Errorf("%s: the page of numbers is another's", c.role)
		}
		if !c.reads {
			continue
		}
		if home := at(c.role, "/"); strings.Contains(home, `id="pools"`) != c.pools || strings.Contains(home, `href="/messages`) != c.files {
			t.Errorf("%s: the overview is another's", c.role)
		}
		if queue := at(c.role, "/findings"); strings.Contains(queue, "批量处理…") != c.acts {
			t.Errorf("%s: the queue is another's", c.role)
		}
		if c.role == people.Department { // the money is no lot's
			continue
		}
		drawer := at(c.role, "/findings?open="+f.ID.String())
		if strings.Contains(drawer, `value="explain"`) != c.acts || strings.Contains(drawer, `value="comment"`) != c.acts || strings.Contains(drawer, `<a href="/messages/`) != c.files {
			t.Errorf("%s: the drawer is another's", c.role)
		}
		if credit := at(c.role, "/credits/"+f.Credit.String()); strings.Contains(credit, `<a href="/messages/`) != c.files {
			t.Errorf("%s: the credit is another's", c.role)
		}
	}
}
