package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"depositd/reconcile"
)

// strangers pushes credits on numbers that nobody has, and has them judged.
func (h *house) strangers(n int) {
	h.t.Helper()
	for i := range n {
		h.push(fmt.Sprint("msg-", i), with(with(notice, "000042", fmt.Sprintf("%06d", i)), `"000147"`, `"999999"`)).want(200, "")
	}
	if _, err := h.server.Reconcile.JudgeAll(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

func TestFindings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.strangers(3)
		var page FindingPage
		h.get("/v1/findings").want(200, "").into(&page)
		if len(page.Findings) != 3 || page.Next != "" || page.Findings[0].Code != reconcile.UnknownSubAccount {
			t.Fatalf("got %+v", page)
		}
		seen := map[string]bool{}
		target := "/v1/findings?limit=1&day=2026-06-12&bank=open&code=UNKNOWN_SUB_ACCOUNT&state=OPEN"
		for next := ""; ; {
			var one FindingPage
			h.get(target+"&cursor="+next).want(200, "").into(&one)
			if len(one.Findings) != 1 {
				t.Fatalf("a page of %d", len(one.Findings))
			}
			seen[one.Findings[0].ID.String()] = true
			if next = one.Next; next == "" {
				break
			}
		}
		if len(seen) != 3 {
			t.Errorf("pages show %d findings", len(seen))
		}
		for _, none := range []string{"day=2026-06-13", "bank=line", "code=MATCHED", "state=SETTLED", "department=x"} {
			var empty FindingPage
			if got := h.get("/v1/findings?"+none).want(200, ""); !strings.Contains(got.Body.String(), `"findings":[]`) {
				t.Errorf("%s: %s", none, got.Body)
			} else if got.into(&empty); len(empty.Findings) != 0 {
				t.Errorf("%s: %+v", none, empty)
			}
		}
	})
}

func TestBadQuestions(t *testing.T) {
	cases := []struct{ target, code, parameter string }{
		{"/v1/findings?limit=0", "limit_malformed", "limit"},
		{"/v1/findings?limit=201", "limit_malformed", "limit"},
		{"/v1/findings?limit=1e1", "limit_malformed", "limit"},
		{"/v1/findings?cursor=!", "cursor_malformed", ""},
		{"/v1/findings?cursor=MjAyNi0wNi0xMg", "cursor_malformed", ""},
		{"/v1/findings?day=2026-02-30", "day_malformed", "day"},
		{"/v1/findings?code=X", "code_unknown", "code"},
		{"/v1/findings?state=open", "state_unknown", "state"},
		{"/v1/findings?dya=2026-06-12", "parameter_unknown", "dya"},
		{"/v1/findings?day=2026-06-12&day=2026-06-13", "parameter_twice", "day"},
		{"/v1/reports/2026-02-30", "day_malformed", "day"},
		{"/v1/reports/today", "day_malformed", "day"},
		{"/v1/reports/2026-06-12?x=1", "parameter_unknown", "x"},
		{"/v1/credits/7", "id_malformed", "id"},
		{"/v1/credits/zzzzzzzzzzzzz", "id_malformed", "id"},
	}
	each(t, func(t *testing.T, h *house) {
		for _, c := range cases {
			if got := h.get(c.target).want(400, c.code); c.parameter != "" && got.problem().Errors[0].Parameter != c.parameter {
				t.Errorf("%s: %s", c.target, got.Body)
			}
		}
		h.get("/v1/credits/0000000000002").want(404, "credit_unknown")
	})
}

func TestMoveFinding(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.strangers(1)
		var page FindingPage
		h.get("/v1/findings").into(&page)
		f := page.Findings[0]
		moves := "/v1/findings/" + f.ID.String() + "/moves"
		say := func(act string, version int64) *answer {
			return h.move(everybody, moves, version, fmt.Sprintf(`{"act":%q,"note":"已与银行核实"}`, act))
		}
		say("explain", f.Version+1).want(412, "changed_meanwhile")
		say("reopen", f.Version).want(409, "state_forbids")
		say("burn", f.Version).want(422, "act_unknown")
		var moved FindingMoved
		say("explain", f.Version).want(200, "").into(&moved)
		if moved.Version != f.Version+1 || moved.ID != f.ID {
			t.Errorf("got %+v", moved)
		}
		say("explain", f.Version).want(409, "state_forbids")
		say("settle", moved.Version).want(200, "")
		h.move(everybody, moves, 3, `{"act":"reopen","note":" "}`).want(422, "note_required")
		if got := h.move(everybody, moves, 3, `{"act":7}`).want(400, "body_invalid").pointers(); got != "/act field_type, /note field_missing" {
			t.Error(got)
		}
		h.move(everybody, "/v1/findings/0000000000002/moves", 1, `{"act":"settle","note":"x"}`).want(404, "")
		h.get("/v1/findings?state=SETTLED").into(&page)
		if len(page.Findings) != 1 {
			t.Errorf("got %+v", page)
		}
	})
}

func TestCreditAndReport(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.strangers(1)
		var page FindingPage
		h.get("/v1/findings").into(&page)
		var credit reconcile.CreditView
		got := h.get("/v1/credits/"+page.Findings[0].Credit.String()).want(200, "")
		if got.into(&credit); credit.Verdict != reconcile.UnknownSubAccount || credit.Amount.String() != "800000.00" || len(credit.Sightings) != 1 {
			t.Errorf("got %s", got.Body)
		}
		if !strings.Contains(got.Body.String(), `"booked_at":"2026-06-12T09:29:58+08:00"`) {
			t.Errorf("got %s", got.Body)
		}
		var report reconcile.Report
		h.get("/v1/reports/2026-06-12").want(200, "").into(&report)
		if report.Counts[reconcile.UnknownSubAccount] != 1 || len(report.Findings) != 1 {
			t.Errorf("got %+v", report)
		}
		h.get("/v1/reports/2026-06-13").want(200, "")
	})
}
