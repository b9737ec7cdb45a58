package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"depositd/migrations/sqldb/sqldbtest"
	"depositd/platform/deposit"
	"depositd/reconcile"
)

// violations breaks each invariant once, in a way in which only a fault of ours or a stranger's hand could.
var violations = []struct {
	code   string
	by     string
	untold bool // the nightly job puts it right by itself, or leaves it to verify
}{
	{"I02", "DELETE FROM matches WHERE entry_id IN (SELECT id FROM entries WHERE serial = '5')", false},
	{"I05", "UPDATE statements SET proof = 'OK'", false},
	{"I08", "DELETE FROM conflicts", false},
	{"I09", "DELETE FROM sightings WHERE source = 'N'", false},
	{"I12", "UPDATE leases SET leased_from = '2026-06-12 23:00:00.000'", false},
	{"I13", "INSERT INTO leases (id, bank, sub_account, lot_id, bid_id, leased_from, leased_to, version) " +
		"SELECT 77, bank, sub_account, lot_id, bid_id, '2026-06-05 00:00:00.000', leased_to, 1 FROM leases WHERE sub_account = 'n3'", false},
	{"I14", "INSERT INTO leases (id, bank, sub_account, lot_id, bid_id, leased_from, leased_to, version, barred_until) " +
		"SELECT 78, bank, sub_account, lot_id, bid_id, '2026-05-01 00:00:00.000', '2026-05-02 00:00:00.000', 1, '2026-07-31 00:00:00.000' FROM leases WHERE sub_account = 'n3'", false},
	{"I16", "UPDATE matches SET counted = -1 WHERE entry_id IN (SELECT id FROM entries WHERE serial = '5')", false},
	{"I17", "INSERT INTO matches (entry_id, verdict, reasons, lease_id, bid_id, lot_id, counted, suggested_bid, judged_at, version) " +
		"SELECT id, 'MATCHED', '', 0, 0, 0, 0, 0, first_seen, 1 FROM entries WHERE direction = 'D'", false},
	{"I29", "UPDATE events SET sealed = '改过' WHERE at < '2026-06-13 00:00:00.000'", false},
	{"I32", "UPDATE lots SET opened_at = '2026-06-12 14:59:59.999'", false},
	{"I41", "DELETE FROM findings WHERE kind = 'CREDIT'", false},
	{"I42", "UPDATE closings SET state = 'CLOSED', statement_id = 0", true},
	{"I43", "DELETE FROM messages WHERE kind = 'NOTICE'", false},
	{"I44", "UPDATE numbers SET parent_account = '3705018860000000123', state = 'FREE'", false},
	{"I45", "UPDATE messages SET body = ''", true},
	{"I46", "UPDATE messages SET sha256 = 'x' WHERE kind = 'NOTICE'", true},
	{"I47", "DELETE FROM message_parts", true},
	{"I61", incidentRow("REPORTED", 1), false},
	{"I62", incidentRow("RECOVERED", 0), false},
	{"I63", incidentRow("CONFIRMED", 0), false},
}

// incidentRow inserts an incident that is not closed, with so many entries of a timeline that is not there.
func incidentRow(state string, entries int) string {
	never := strings.Repeat(", '1000-01-01 00:00:00.000'", 10)
	return "INSERT INTO incidents (id, number, plan_digest, scenario, branch, code, subject, source, drill, bank, parent_account, lot_id, department, scope, level, " +
		"suggested_level, suggested_why, fault_side, fault, version, closed_as, reported_by, state, entries, began_at, reported_at, confirmed_at, assessed_at, notice_start_at, plan_end_at, " +
		"notice_end_at, reviewed_at, dismissed_at, gone_at) VALUES (79, 'YJ-2026-0079', '', '5.1.1', '', '', '79', 'PERSON', 0, '', '', 0, '', '', '', '', '', '', '', 1, 0, '', " +
		fmt.Sprintf("'%s', %d%s)", state, entries, never)
}

// TestEveryInvariantCanFire: on a sound database none fires; each violation is seen by its own check, and the nightly job
// tells the IT department of it.
func TestEveryInvariantCanFire(t *testing.T) {
	eachBase(t, true, func(t *testing.T, url string, restore func(testing.TB)) {
		codes := []string{}
		for _, v := range violations {
			codes = append(codes, v.code)
			restore(t)
			h := reopen(t, url, &sqldbtest.Faults{})
			if fired := firing(h); len(fired) > 0 {
				t.Fatalf("on a sound database: %v", fired)
			}
			sqldbtest.Exec(t, url, v.by)
			if fired := firing(h); !slices.Contains(fired, v.code) {
				t.Errorf("%s is not seen: %v", v.code, fired)
			}
			if told := h.told(v.code, reconcile.Open); told == v.untold {
				t.Errorf("%s: the nightly job opened a finding: %v", v.code, told)
			}
			h.must(h.db.Close())
		}
		h := reopen(t, url, &sqldbtest.Faults{})
		checks, err := h.reconcile.Verify(context.Background())
		h.must(err)
		for _, c := range checks {
			if !slices.Contains(codes, c.Code) {
				t.Errorf("nothing shows that %s can fire", c.Code)
			}
		}
		h.must(h.db.Close())
	})
}

// TestViolationIsCleared: a finding on an invariant goes when the invariant holds again, and comes back with the violation.
func TestViolationIsCleared(t *testing.T) {
	eachBase(t, true, func(t *testing.T, url string, _ func(testing.TB)) {
		h := reopen(t, url, &sqldbtest.Faults{})
		for range 2 {
			sqldbtest.Exec(t, url, "UPDATE matches SET counted = -1 WHERE entry_id IN (SELECT id FROM entries WHERE serial = '5')")
			if !h.told("I16", reconcile.Open) {
				t.Error("no finding")
			}
			sqldbtest.Exec(t, url, "UPDATE matches SET counted = 0 WHERE entry_id IN (SELECT id FROM entries WHERE serial = '5')")
			if !h.told("I16", reconcile.Cleared) {
				t.Error("the finding stays")
			}
		}
		h.must(h.db.Close())
	})
}

// firing is the codes of the checks that fire.
func firing(h *house) (fired []string) {
	checks, err := h.reconcile.Verify(context.Background())
	h.must(err)
	for _, c := range checks {
		if c.Count > 0 {
			fired = append(fired, c.Code)
		}
	}
	return fired
}

// told runs the nightly job and says whether a finding on the invariant is in the given state.
func (h *house) told(code, state string) bool {
	h.t.Helper()
	h.close()
	page, _, err := h.reconcile.Findings(context.Background(), deposit.SightOfAll(), reconcile.FindingQuery{Code: reconcile.Violated, State: state})
	h.must(err)
	return slices.ContainsFunc(page, func(f reconcile.FindingRow) bool {
		return strings.HasPrefix(f.Detail, code+" ") && f.Department == string(reconcile.IT)
	})
}
