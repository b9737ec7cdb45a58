package reconcile

import (
	"context"
	"fmt"
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

// invariant is a query that gives the rows which must not be.
type invariant struct {
	code, title string
	query       string // one column: a key
}

// invariants are those of the house so far; each is shown able to fire by a test that breaks it. The numbers are those of
// the safety page.
var invariants = []invariant{
	{"I02", "每笔入账有且只有一个判定或在待判队列中", "SELECT e.id FROM entries AS e LEFT JOIN matches AS m ON m.entry_id = e.id LEFT JOIN unjudged AS u ON u.entry_id = e.id WHERE e.direction = 'C' AND m.entry_id IS NULL AND u.entry_id IS NULL"},
	{"I05", "期初＋收－付＝期末（声称相符的对账单）", "SELECT s.id FROM statements AS s WHERE s.proof = 'OK' AND s.opening + s.credit_sum - s.debit_sum <> s.closing"},
	{"I08", "完整对账单的合计等于其各行入账之和", "SELECT s.id FROM statements AS s LEFT JOIN " +
		"(SELECT g.file_id, SUM(CASE WHEN e.direction = 'C' THEN e.amount ELSE -e.amount END) AS net FROM sightings AS g JOIN entries AS e ON e.id = g.entry_id WHERE g.source = 'S' GROUP BY g.file_id) AS x " +
		"ON x.file_id = s.id WHERE s.state = 'COMPLETE' AND s.fault_count = 0 AND s.credit_sum - s.debit_sum <> COALESCE(x.net, 0) AND NOT EXISTS (SELECT 1 FROM conflicts AS c WHERE c.file_id = s.id)"},
	{"I09", "每笔入账至少有一处来源", "SELECT e.id FROM entries AS e WHERE NOT EXISTS (SELECT 1 FROM sightings AS g WHERE g.entry_id = e.id)"},
	{"I12", "判定与入账时刻有效的子账号租约一致", "SELECT m.entry_id FROM matches AS m JOIN entries AS e ON e.id = m.entry_id JOIN leases AS l ON l.id = m.lease_id " +
		"WHERE l.sub_account <> e.sub_account OR l.bank <> e.bank OR l.bid_id <> m.bid_id AND l.bid_id <> 0 OR l.lot_id <> m.lot_id OR e.booked_at < l.leased_from OR e.booked_at >= l.leased_to"},
	{"I13", "同一子账号的租约互不重叠", "SELECT a.id FROM (SELECT sub_account, bank FROM leases GROUP BY sub_account, bank HAVING COUNT(*) > 1) AS n " +
		"JOIN leases AS a ON a.sub_account = n.sub_account AND a.bank = n.bank JOIN leases AS b ON a.sub_account = b.sub_account AND a.bank = b.bank AND a.id < b.id " +
		"WHERE a.leased_from < b.leased_to AND b.leased_from < a.leased_to"},
	{"I14", "子账号隔离期满才再次出租", "SELECT b.id FROM leases AS a JOIN leases AS b ON b.sub_account = a.sub_account AND b.bank = a.bank AND b.id <> a.id WHERE b.leased_from >= a.leased_from AND b.leased_from < a.barred_until"},
	{"I16", "计入保证金的金额不超过入账金额", "SELECT m.entry_id FROM matches AS m JOIN entries AS e ON e.id = m.entry_id WHERE m.counted < 0 OR m.counted > e.amount AND NOT EXISTS (SELECT 1 FROM conflicts AS c WHERE c.entry_id = e.id AND c.amount >= m.counted)"},
	{"I17", "只有收款才有判定", "SELECT m.entry_id FROM matches AS m LEFT JOIN entries AS e ON e.id = m.entry_id WHERE e.id IS NULL OR e.direction <> 'C'"},
	{"I32", "开标不早于计划时间", "SELECT l.id FROM lots AS l WHERE l.opened_at > '1000-01-01 00:00:00.000' AND l.opened_at < l.opens_at"},
	{"I41", "未完全匹配的入账都有差异记录", "SELECT m.entry_id FROM matches AS m LEFT JOIN findings AS f ON f.subject = m.entry_id AND f.kind IN ('CREDIT','CONFLICT','ORPHAN') " +
		"WHERE m.reasons <> '' AND m.reasons NOT LIKE 'PARTIAL_PAYMENT%' AND f.id IS NULL"},
	{"I42", "已关闭的日终有完整对账单", "SELECT c.id FROM closings AS c LEFT JOIN statements AS s ON s.id = c.statement_id AND s.state = 'COMPLETE' WHERE c.state = 'CLOSED' AND s.id IS NULL"},
	{"I43", "每处来源都有入账和原始报文或对账单", "SELECT g.entry_id FROM sightings AS g LEFT JOIN entries AS e ON e.id = g.entry_id LEFT JOIN messages AS m ON m.id = g.file_id AND g.source = 'N' " +
		"LEFT JOIN statements AS s ON s.id = g.file_id AND g.source = 'S' WHERE e.id IS NULL OR m.id IS NULL AND s.id IS NULL"},
	{"I44", "号池中未出租的子账号没有未结束的租约", "SELECT n.id FROM numbers AS n JOIN leases AS l ON l.sub_account = n.sub_account AND l.bank = n.bank " +
		"WHERE n.parent_account <> '' AND n.state IN ('FREE','QUARANTINED','RETIRED') AND l.leased_to = '9999-12-31 00:00:00.000'"},
}

// Verify runs every invariant on the live database and recomputes the seals of the audit trail.
func (d *Desk) Verify(ctx context.Context) ([]Check, error) { return d.verify(ctx, lastDay) }

// lastDay is later than every day there is.
const lastDay = deposit.Day("9999-12-31")

// verify is Verify with the seals up to a day.
func (d *Desk) verify(ctx context.Context, sealed deposit.Day) ([]Check, error) {
	all := make([]Check, len(invariants)+1)
	seal := &all[len(invariants)]
	*seal = Check{Code: "I29", Title: "审计日志与每日封印一致"}
	runs := []func() error{func() error {
		broken, err := d.brokenSeals(ctx, sealed)
		if len(broken) > 0 {
			seal.Count, seal.Sample = int64(len(broken)), broken[0]
		}
		return err
	}}
	for i, one := range invariants {
		runs = append(runs, func() (err error) { all[i], err = d.check(ctx, one); return err })
	}
	return all, together(runs...)
}

// check counts the rows that break an invariant.
func (d *Desk) check(ctx context.Context, one invariant) (Check, error) {
	type counted struct {
		N   int64
		Key sqldb.ID
	}
	c := Check{Code: one.code, Title: one.title}
	rows, err := sqldb.Select(ctx, d.db, func(c *counted) []any { return []any{&c.N, &c.Key} }, "SELECT COUNT(*), COALESCE(MIN(x.id), 0) FROM ("+strings.Replace(one.query, " FROM ", " AS id FROM ", 1)+") AS x")
	if err != nil {
		return c, fmt.Errorf("check %s: %w", one.code, err)
	}
	if c.Count = rows[0].N; c.Count > 0 {
		c.Sample = rows[0].Key.String()
	}
	return c, nil
}

// findViolations opens a finding for each invariant that does not hold, and settles those that hold again. Seals that were
// made a moment ago, after the given day, need no second look.
func (d *Desk) findViolations(ctx context.Context, by string, day, sealed deposit.Day) error {
	checks, err := d.verify(ctx, sealed)
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
				Detail: fmt.Sprintf("%s %s：%d 处，例如 %s", c.Code, c.Title, c.Count, c.Sample)})
		}
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return keep(ctx, tx, KindCheck, subjects, wanted) })
}
