package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Check is an invariant of the stored data and how many rows break it; zero is good.
type Check struct {
	Code   string `json:"code"`
	Title  string `json:"title"`
	Count  int64  `json:"count"`
	Sample string `json:"sample"` // the key of one of them
}

// Invariant says, as a condition in SQL, of which rows of a reading it is broken.
type Invariant struct{ Code, Title, Broken string }

// Reading is one pass over some rows, in which all is looked at that can be seen in it. What is stored sealed only Apart can
// compare.
type Reading struct {
	Key, From  string
	Invariants []Invariant
	Apart      func(ctx context.Context, db *sqldb.DB) (Check, error) // instead of all else
}

// readings hold the invariants of the house so far; each is shown able to fire by a test that breaks it. The numbers are
// those of the safety page.
var readings = []Reading{
	{Key: "e.id", From: "entries AS e", Invariants: []Invariant{
		{"I02", "每笔入账有且只有一个判定或在待判队列中", "e.direction = 'C' AND NOT EXISTS (SELECT 1 FROM matches AS m WHERE m.entry_id = e.id) AND NOT EXISTS (SELECT 1 FROM unjudged AS u WHERE u.entry_id = e.id)"},
		{"I09", "每笔入账至少有一处来源", "NOT EXISTS (SELECT 1 FROM sightings AS g WHERE g.entry_id = e.id)"},
	}},
	{Key: "s.id", From: "statements AS s", Invariants: []Invariant{
		{"I05", "期初＋收－付＝期末（声称相符的对账单）", "s.proof = 'OK' AND s.opening + s.credit_sum - s.debit_sum <> s.closing"},
	}},
	{Key: "s.id", From: "statements AS s LEFT JOIN (SELECT g.file_id, SUM(CASE WHEN e.direction = 'C' THEN e.amount ELSE -e.amount END) AS net " +
		"FROM sightings AS g JOIN entries AS e ON e.id = g.entry_id WHERE g.source = 'S' GROUP BY g.file_id) AS x ON x.file_id = s.id", Invariants: []Invariant{
		{"I08", "完整对账单的合计等于其各行入账之和", "s.state = 'COMPLETE' AND s.fault_count = 0 AND s.credit_sum - s.debit_sum <> COALESCE(x.net, 0) AND NOT EXISTS (SELECT 1 FROM conflicts AS c WHERE c.file_id = s.id)"},
	}},
	{Key: "m.entry_id", From: "matches AS m LEFT JOIN entries AS e ON e.id = m.entry_id LEFT JOIN leases AS l ON l.id = m.lease_id", Invariants: []Invariant{
		{"I12", "判定与入账时刻有效的子账号租约一致", "l.sub_account <> e.sub_account OR l.bank <> e.bank OR l.bid_id <> m.bid_id AND l.bid_id <> 0 OR l.lot_id <> m.lot_id OR e.booked_at < l.leased_from OR e.booked_at >= l.leased_to"},
		{"I16", "计入保证金的金额不超过入账金额", "m.counted < 0 OR m.counted > e.amount AND NOT EXISTS (SELECT 1 FROM conflicts AS c WHERE c.entry_id = e.id AND c.amount >= m.counted)"},
		{"I17", "只有收款才有判定", "e.id IS NULL OR e.direction <> 'C'"},
		{"I41", "未完全匹配的入账都有差异记录", "m.reasons <> '' AND m.reasons NOT LIKE 'PARTIAL_PAYMENT%' AND NOT EXISTS (SELECT 1 FROM findings AS f WHERE f.subject = m.entry_id AND f.kind IN ('CREDIT','CONFLICT','ORPHAN'))"},
	}},
	{Key: "a.id", From: "(SELECT sub_account, bank FROM leases GROUP BY sub_account, bank HAVING COUNT(*) > 1) AS n JOIN leases AS a ON a.sub_account = n.sub_account AND a.bank = n.bank " +
		"JOIN leases AS b ON a.sub_account = b.sub_account AND a.bank = b.bank AND a.id < b.id", Invariants: []Invariant{
		{"I13", "同一子账号的租约互不重叠", "a.leased_from < b.leased_to AND b.leased_from < a.leased_to"},
	}},
	{Key: "b.id", From: "leases AS a JOIN leases AS b ON b.sub_account = a.sub_account AND b.bank = a.bank AND b.id <> a.id", Invariants: []Invariant{
		{"I14", "子账号隔离期满才再次出租", "b.leased_from >= a.leased_from AND b.leased_from < a.barred_until"},
	}},
	{Key: "n.id", From: "numbers AS n JOIN leases AS l ON l.sub_account = n.sub_account AND l.bank = n.bank", Invariants: []Invariant{
		{"I44", "号池中未出租的子账号没有未结束的租约", "n.parent_account <> '' AND n.state IN ('FREE','QUARANTINED','RETIRED') AND l.leased_to = '9999-12-31 00:00:00.000'"},
	}},
	{Key: "l.id", From: "lots AS l", Invariants: []Invariant{
		{"I32", "开标不早于计划时间", "l.opened_at > '1000-01-01 00:00:00.000' AND l.opened_at < l.opens_at"},
	}},
	{Key: "c.id", From: "closings AS c LEFT JOIN statements AS s ON s.id = c.statement_id AND s.state = 'COMPLETE'", Invariants: []Invariant{
		{"I42", "已关闭的日终有完整对账单", "c.state = 'CLOSED' AND s.id IS NULL"},
	}},
	{Key: "i.id", From: "incidents AS i LEFT JOIN (SELECT incident_id, COUNT(*) AS n, MAX(seq) AS last FROM incident_timeline GROUP BY incident_id) AS t ON t.incident_id = i.id", Invariants: []Invariant{
		{"I61", "应急事件的时间线连续无缺", "COALESCE(t.n, 0) <> i.entries OR COALESCE(t.last, 0) <> i.entries"},
		{"I62", "应急事件的阶段与是否结束一致", "i.closed_as <> CASE WHEN i.state IN ('RECOVERED','REVIEWED','DISMISSED') THEN i.id ELSE 0 END"},
		{"I63", "已确认的应急事件有确认签署", "i.state NOT IN ('REPORTED','DISMISSED') AND NOT EXISTS (SELECT 1 FROM incident_signatures AS s WHERE s.incident_id = i.id AND s.act = 'confirm')"},
	}},
	{Key: "g.entry_id", From: "sightings AS g LEFT JOIN entries AS e ON e.id = g.entry_id LEFT JOIN messages AS m ON m.id = g.file_id AND g.source = 'N' " +
		"LEFT JOIN statements AS s ON s.id = g.file_id AND g.source = 'S'", Invariants: []Invariant{
		{"I43", "每处来源都有入账和原始报文或对账单", "e.id IS NULL OR m.id IS NULL AND s.id IS NULL"},
	}},
}

// Invariants runs every invariant on the live database and recomputes the seals of the audit trail.
func (d *Desk) Invariants(ctx context.Context) ([]Check, error) { return d.verify(ctx, lastDay) }

// Verify is Invariants, and opens all that is stored sealed.
func (d *Desk) Verify(ctx context.Context) ([]Check, error) {
	checks, err := d.Invariants(ctx)
	if err != nil {
		return nil, err
	}
	opened, err := d.vaultChecks(ctx)
	return append(checks, opened...), err
}

// Told is checks as they may be shown: while a lot is sealed, whether each holds, and neither how many rows break it nor which.
func (d *Desk) Told(ctx context.Context, checks []Check) ([]Check, error) {
	sealed, err := anySealed(ctx, d.db)
	if err != nil || !sealed {
		return checks, err
	}
	told := slices.Clone(checks)
	for i := range told {
		told[i].Count, told[i].Sample = min(told[i].Count, 1), ""
	}
	return told, nil
}

// lastDay is later than every day there is.
const lastDay = deposit.Day("9999-12-31")

// verify is Invariants with the seals up to a day, beside something else that reads much.
func (d *Desk) verify(ctx context.Context, sealed deposit.Day, beside ...func() error) ([]Check, error) {
	seal := Check{Code: "I29", Title: "审计日志与每日封印一致"}
	runs := append(beside, func() error {
		broken, err := d.brokenSeals(ctx, sealed)
		if len(broken) > 0 {
			seal.Count, seal.Sample = int64(len(broken)), broken[0]
		}
		return err
	})
	all := slices.Concat(readings, d.beside.Readings)
	parts := make([][]Check, len(all))
	for i, one := range all {
		runs = append(runs, func() (err error) { parts[i], err = one.Look(ctx, d.db); return err })
	}
	err := together(runs...)
	checks := slices.Concat(parts...)
	slices.SortFunc(checks, func(a, b Check) int { return strings.Compare(a.Code, b.Code) })
	return append(checks, seal), err
}

// Look counts the rows that break each invariant of a reading.
func (one *Reading) Look(ctx context.Context, db *sqldb.DB) ([]Check, error) {
	if one.Apart != nil {
		check, err := one.Apart(ctx, db)
		if errors.Is(err, sqldb.ErrSealed) { // it is not known of what does not open
			check.Count, err = check.Count+1, nil
		}
		return []Check{check}, err
	}
	checks := make([]Check, len(one.Invariants))
	samples := make([]sqldb.ID, len(checks))
	columns := make([]string, len(checks))
	for i, v := range one.Invariants {
		checks[i] = Check{Code: v.Code, Title: v.Title}
		columns[i] = "COALESCE(SUM(CASE WHEN " + v.Broken + " THEN 1 ELSE 0 END), 0), COALESCE(MIN(CASE WHEN " + v.Broken + " THEN " + one.Key + " END), 0)"
	}
	fields := func(*struct{}) (all []any) {
		for i := range checks {
			all = append(all, &checks[i].Count, &samples[i])
		}
		return all
	}
	if _, err := sqldb.Select(ctx, db, fields, "SELECT "+strings.Join(columns, ", ")+" FROM "+one.From); err != nil {
		return nil, fmt.Errorf("check %s: %w", checks[0].Code, err)
	}
	for i := range checks {
		if checks[i].Count > 0 {
			checks[i].Sample = samples[i].String()
		}
	}
	return checks, nil
}

// findViolations seals the past days, opens a finding for each invariant that does not hold, and clears those of invariants
// that hold again. The seals that are made meanwhile need no second look.
func (d *Desk) findViolations(ctx context.Context, by string, day deposit.Day) error {
	last, err := d.lastSeal(ctx)
	if err != nil {
		return err
	}
	checks, err := d.verify(ctx, last.Day, func() error { return d.sealDays(ctx, by, last) })
	if err != nil {
		return err
	}
	var subjects []sqldb.ID
	var wanted []Finding
	for _, c := range checks {
		number, err := strconv.Atoi(strings.TrimPrefix(c.Code, "I")) // an invariant has no row: its number is its key
		if err != nil {
			return err
		}
		subject := sqldb.ID(number)
		subjects = append(subjects, subject)
		if c.Count > 0 {
			wanted = append(wanted, Finding{Subject: subject, Code: Violated, Reasons: string(Violated), Day: day, Department: string(IT),
				Detail: fmt.Sprintf("%s %s；有几处见 depositd verify", c.Code, c.Title)})
		}
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return keep(ctx, tx, KindCheck, subjects, wanted) })
}
