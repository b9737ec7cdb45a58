package api

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/people"
	"depositd/platform/people/peopletest"
)

const auditAdmin, systemAdmin, securityAdmin = "审计辛", "系统庚", "安全壬"

// administrators are the three who are kept apart.
func (h *house) administrators() {
	h.t.Helper()
	for name, role := range map[string]Role{auditAdmin: people.AuditAdmin, systemAdmin: people.SystemAdmin, securityAdmin: people.SecurityAdmin} {
		peopletest.Person(h.t, h.db, name, "", role)
	}
}

// trail reads the whole audit trail, page by page.
func (h *house) trail(query string) (all []AuditEvent, sealed bool) {
	h.t.Helper()
	for cursor := ""; ; {
		var p AuditPage
		h.send("GET", "/v1/events?limit=7&"+query+"&cursor="+cursor, nil, "Cookie", cookieName+"="+h.cookie(auditAdmin)).want(200, "").into(&p)
		all, sealed = append(all, p.Events...), p.Sealed
		if cursor = p.Next; cursor == "" {
			return all, sealed
		}
	}
}

// Whoever audits sees who did what, but of a day on which a lot was sealed only what is about accounts: there is an event for each payment.
func TestAuditTrail(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.administrators()
		h.page(systemAdmin, "POST", "/users/departments", url.Values{"name": {department}}).shows(303)
		h.misremitted()
		open, sealed := h.trail("")
		tables, seen := map[string]int{}, map[AuditEvent]bool{}
		for _, e := range open {
			tables[e.Table]++
			seen[e] = true
		}
		if sealed || tables["departments"] == 0 || tables["lots"] == 0 || tables["matches"] == 0 {
			t.Fatalf("sealed %v, events of %v", sealed, tables)
		}
		if stored := h.count("events"); len(open) < stored-2 || len(seen) < len(open)-2 { // the newest sessions' own
			t.Errorf("%d of %d events, %d apart", len(open), stored, len(seen))
		}
		if some, _ := h.trail("table=lots&day=2026-06-12"); len(some) != tables["lots"] {
			t.Errorf("%d of %d events of lots", len(some), tables["lots"])
		}
		h.page(auditAdmin, "GET", "/audit?day=2026-06-12", nil).shows(200, "判定", "尚无封印")
		h.page(auditAdmin, "GET", "/v1/events?cursor=x", nil, "Accept", jsonType).want(400, "cursor_malformed")

		h.json("PUT", "/v1/lots/LC-9", strings.ReplaceAll(lot, "2026-06-20T09", "2026-07-20T09")).want(201, "")
		h.now = h.now.AddDate(0, 0, 1)
		if err := h.server.Reconcile.CloseDay(context.Background(), "test", "2026-06-12"); err != nil {
			t.Fatal(err)
		}
		later, sealed := h.trail("")
		for _, e := range later {
			if e.Table == "findings" || e.Table == "closings" && e.At.Day() == 13 {
				t.Errorf("told while a lot is sealed: %+v", e)
			}
		}
		if !sealed {
			t.Error("it is not said that something is left out")
		}
		h.page(auditAdmin, "GET", "/audit", nil).shows(200, "有标段尚未开标", "新增", department)
	})
}

// A day's seal is held to the day's events.
func TestDaySeal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.administrators()
		h.misremitted()
		h.now = h.now.AddDate(0, 0, 1)
		if err := h.server.Reconcile.CloseDay(context.Background(), "test", "2026-06-12"); err != nil {
			t.Fatal(err)
		}
		h.page(auditAdmin, "GET", "/audit?day=2026-06-12", nil).shows(200, "与当日封印相符")
		sqldbtest.Exec(t, h.url, "UPDATE events SET by_whom = 'x' WHERE seq = 2")
		h.page(auditAdmin, "GET", "/audit?day=2026-06-12", nil).shows(200, "与当日封印不符")
		h.send("GET", "/v1/seals/2026-06-12", nil, "Cookie", cookieName+"="+h.cookie(auditAdmin)).want(200, "").shows(200, `"holds":false`)
	})
}

// An account is made on the pages by one administrator and gets its role from another; neither does the other's part.
func TestUserPages(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.administrators()
		h.page(systemAdmin, "POST", "/users/departments", url.Values{"name": {department}}).shows(303)
		form := url.Values{"name": {"经办癸"}, "staff": {"S7"}, "department": {department}, "roles": {"department", "department_head"}}
		h.page(systemAdmin, "POST", "/users", form).shows(200, "只显示这一次")
		h.page(systemAdmin, "POST", "/users", form).shows(409, "经办癸") // the form stays as it was filled in
		h.page(securityAdmin, "GET", "/users?state=asked", nil).shows(200, "经办癸", "科室负责人", systemAdmin+" 申请")
		u, err := h.server.People.UserNamed(context.Background(), "经办癸")
		if err != nil {
			t.Fatal(err)
		}
		place := "/users/" + u.ID.String()
		act := func(person, act, version string) *answer {
			t.Helper()
			return h.page(person, "POST", place, url.Values{"act": {act}, "version": {version}, "roles": {"department"}})
		}
		act(systemAdmin, "grant", "1").shows(403, "安全管理员")
		act(securityAdmin, "ask", "1").shows(403, "系统管理员")
		act(securityAdmin, "grant", "1").shows(303)
		act(securityAdmin, "grant", "1").shows(409, "已被他人修改")
		act(systemAdmin, "shout", "2").shows(400)
		act(systemAdmin, "reset", "2").shows(200, "只显示这一次")
		act(securityAdmin, "disable", "3").shows(303)
		h.page(auditAdmin, "GET", place, nil).shows(200, "停用")
		h.page(auditAdmin, "GET", "/audit?table=users&row="+u.ID.String(), nil).shows(200, "授予角色", "重置密码与动态口令", `href="`+place+`"`)
		h.page(auditAdmin, "POST", place, url.Values{"act": {"enable"}, "version": {"4"}}).shows(403)
	})
}
