package platform

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// LoadResult counts what became of a list of numbers.
type LoadResult struct {
	Loaded int // new in the pool
	Known  int // in it already
	Served int // of those who waited for a number
}

// loadedAtOnce is how many numbers one transaction takes up, for which all other writers wait: about a tenth of a second.
const loadedAtOnce = 2_000

// mostNumbers bounds one call. No bank known to us keeps more sub-accounts under one parent account.
const mostNumbers = 100_000

// LoadNumbers puts numbers into the pool of a parent account: those of a file, of a rule (see NumbersByRule), or one that
// the bank has just opened. Numbers that are there already stay as they are, so that it may be done again. A number that
// the platform has brought before joins the pool, drained first unless a lease of it has still to end.
//
// Invalid "numbers_invalid" tells the rows, counted from 1, of numbers that are malformed, are the parent account itself
// or stand in another parent account's pool; then none was loaded.
func (d *Desk) LoadNumbers(ctx context.Context, by, bank, parent string, subAccounts []string) (LoadResult, error) {
	var result LoadResult
	if err := checkNumbers(bank, parent, subAccounts); err != nil {
		return result, err
	}
	if err := d.checkForeign(ctx, bank, parent, subAccounts); err != nil {
		return result, err
	}
	all := distinct(subAccounts, strings.TrimSpace)
	for at := 0; at < len(all); at += loadedAtOnce {
		some := all[at:min(at+loadedAtOnce, len(all))]
		loaded := 0
		err := d.write(ctx, by, func(tx *sqldb.Tx) (err error) {
			loaded, err = loadNumbers(ctx, tx, bank, parent, some)
			return err
		})
		if err != nil {
			return result, err
		}
		result.Loaded += loaded
		result.Known += len(some) - loaded
	}
	var err error
	result.Served, err = d.Serve(ctx, by, bank, parent)
	return result, err
}

var numberForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)

func checkNumbers(bank, parent string, subAccounts []string) error {
	switch {
	case bank == "":
		return deposit.Refuse(deposit.Invalid, "field_missing", "bank 不能为空")
	case !numberForm.MatchString(parent):
		return deposit.Refuse(deposit.Invalid, "parent_malformed", "parent_account 母账户应为 1 到 40 个字母、数字或连字符")
	case len(subAccounts) > mostNumbers:
		return deposit.Refuse(deposit.Invalid, "numbers_too_many", "sub_account 一次最多导入 ", mostNumbers, " 个子账号，请分批导入")
	}
	var wrong []string
	for i, s := range subAccounts {
		switch s = strings.TrimSpace(s); {
		case !numberForm.MatchString(s):
			wrong = append(wrong, fmt.Sprint("第 ", i+1, " 行：子账号应为 1 到 40 个字母、数字或连字符"))
		case s == parent:
			wrong = append(wrong, fmt.Sprint("第 ", i+1, " 行：这是母账户本身"))
		}
	}
	return wrongRows(wrong)
}

// mostRows is how many faulty rows a refusal tells.
const mostRows = 20

func wrongRows(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	text := strings.Join(wrong[:min(len(wrong), mostRows)], "；")
	if len(wrong) > mostRows {
		text += fmt.Sprint("；等 ", len(wrong), " 处")
	}
	return deposit.Refuse(deposit.Invalid, "numbers_invalid", "sub_account ", text)
}

// checkForeign refuses numbers of another parent account's pool.
func (d *Desk) checkForeign(ctx context.Context, bank, parent string, subAccounts []string) error {
	known, err := NumbersNamed(ctx, d.db, bank, subAccounts)
	if err != nil {
		return err
	}
	var wrong []string
	for i, s := range subAccounts {
		if n, ok := known[strings.TrimSpace(s)]; ok && n.pooled() && n.Parent != parent {
			wrong = append(wrong, fmt.Sprint("第 ", i+1, " 行：该子账号属于另一母账户的号池"))
		}
	}
	return wrongRows(wrong)
}

// NumbersNamed reads numbers of a bank; those that were neither loaded nor ever leased are not in it.
func NumbersNamed(ctx context.Context, r sqldb.Reader, bank string, subAccounts []string) (map[string]Number, error) {
	rows, err := allIn(ctx, r, numbers, "sub_account", distinct(subAccounts, strings.TrimSpace), "sub_account, bank")
	named := make(map[string]Number, len(rows))
	for _, n := range rows {
		if n.Bank == bank {
			named[n.SubAccount] = n
		}
	}
	return named, err
}

// loadNumbers is one transaction of LoadNumbers.
func loadNumbers(ctx context.Context, tx *sqldb.Tx, bank, parent string, subAccounts []string) (loaded int, err error) {
	known, err := NumbersNamed(ctx, tx, bank, subAccounts)
	if err != nil {
		return 0, err
	}
	var fresh []Number
	for _, s := range subAccounts {
		n, ok := known[s]
		switch {
		case !ok:
			fresh = append(fresh, Number{ID: tx.LoneID(), Bank: bank, SubAccount: s, Parent: parent, State: NumberFree, Since: tx.Now,
				FreeSince: deposit.DayOf(tx.Now).Start(), Version: 1})
		case !n.pooled():
			if err := adopt(ctx, tx, n, parent); err != nil {
				return 0, err
			}
			loaded++
		case n.Parent != parent:
			return 0, sqldb.ErrStale // loaded elsewhere since it was looked at: the next look says so
		}
	}
	if err := numbers.Insert(ctx, tx, fresh...); err != nil {
		return 0, err
	}
	return loaded + len(fresh), tx.Notes(ctx, "numbers", distinct(fresh, func(n Number) sqldb.ID { return n.ID }), "LOADED", "")
}

// adopt takes a number that the platform has brought into the pool. Its latest lease decides: one that lasts keeps it
// LEASED, one that has ended leaves it to be released like any other.
func adopt(ctx context.Context, tx *sqldb.Tx, n Number, parent string) error {
	last, err := leases.All(ctx, tx, "WHERE sub_account = ? AND bank = ? ORDER BY leased_from DESC LIMIT 1", n.SubAccount, n.Bank)
	if err != nil {
		return err
	}
	state, lease := NumberDraining, sqldb.ID(0)
	if len(last) == 1 {
		lease = last[0].ID
		if last[0].To.After(tx.Now) {
			state = NumberLeased
		}
	}
	moved, err := tx.Exec(ctx, "UPDATE numbers SET parent_account = ?, lease_id = ?, version = version + 1 WHERE id = ? AND version = ? AND parent_account = ''",
		parent, lease, n.ID, n.Version)
	if err == nil && moved != 1 {
		err = sqldb.ErrStale
	}
	if err != nil {
		return fmt.Errorf("adopt a number: %w", err)
	}
	n.Parent, n.LeaseID = parent, lease
	n.Version++
	if err := tx.Note(ctx, "numbers", n.ID, "LOADED", "由交易平台指定的子账号转入号池"); err != nil || state == NumberLeased {
		return err
	}
	_, err = n.step(ctx, tx, actDrain, "租用已结束")
	return err
}

// NumbersByRule computes the numbers that a rule stands for: the pattern with its one run of # replaced by each of
// [first, last], with leading zeros, such as "37198######". Invalid "rule_malformed".
func NumbersByRule(pattern string, first, last int64) ([]string, error) {
	head, rest, _ := strings.Cut(pattern, "#")
	tail := strings.TrimLeft(rest, "#")
	digits := len(pattern) - len(head) - len(tail)
	switch {
	case digits == 0 || strings.Contains(tail, "#"):
		return nil, deposit.Refuse(deposit.Invalid, "rule_malformed", "pattern 号码规则应有且只有一段 #，如 37198######")
	case first < 0 || last < first || last-first >= mostNumbers:
		return nil, deposit.Refuse(deposit.Invalid, "rule_malformed", "pattern 号码范围应从小到大，且一次不超过 ", mostNumbers, " 个")
	case len(fmt.Sprint(last)) > digits:
		return nil, deposit.Refuse(deposit.Invalid, "rule_malformed", "pattern 号码规则只有 ", digits, " 位数字，放不下 ", last)
	}
	all := make([]string, 0, last-first+1)
	for n := first; n <= last; n++ {
		all = append(all, fmt.Sprintf("%s%0*d%s", head, digits, n, tail))
	}
	return all, nil
}

// Pool names a pool of numbers.
type Pool struct{ Bank, Parent string }

// Pools lists the pools that there are.
func Pools(ctx context.Context, r sqldb.Reader) ([]Pool, error) {
	return sqldb.Select(ctx, r, func(p *Pool) []any { return []any{&p.Bank, &p.Parent} },
		"SELECT bank, parent_account FROM numbers WHERE parent_account <> '' GROUP BY bank, parent_account ORDER BY bank, parent_account")
}

// PoolCounts counts the numbers of a pool by state; a state without numbers counts 0.
func PoolCounts(ctx context.Context, r sqldb.Reader, bank, parent string) (map[NumberState]int, error) {
	type count struct {
		state NumberState
		n     int
	}
	rows, err := sqldb.Select(ctx, r, func(c *count) []any { return []any{&c.state, &c.n} },
		"SELECT state, COUNT(*) FROM numbers WHERE bank = ? AND parent_account = ? GROUP BY state ORDER BY state", bank, parent)
	counts := make(map[NumberState]int, len(numberStateNames))
	for state := range numberStateNames {
		counts[state] = 0
	}
	for _, c := range rows {
		counts[c.state] = c.n
	}
	return counts, err
}

// EachNumber streams a pool's numbers in their order. The number is f's only until it returns.
func EachNumber(ctx context.Context, db *sqldb.DB, bank, parent string, f func(*Number) error) error {
	return numbers.Each(ctx, db, "WHERE bank = ? AND parent_account = ? ORDER BY sub_account", []any{bank, parent}, f)
}

// LeasesOn lists the leases that a number has ever had, the oldest first.
func LeasesOn(ctx context.Context, r sqldb.Reader, bank, subAccount string) ([]Lease, error) {
	return leases.All(ctx, r, "WHERE sub_account = ? AND bank = ? ORDER BY leased_from", subAccount, bank)
}

// StuckNumber is a number of a pool that is not released although its lot is finished or its bid withdrawn.
type StuckNumber struct {
	Bank, Parent, SubAccount string
	LotID, BidID             sqldb.ID // BidID 0: the lot's
	Since                    time.Time
	Holds                    int // how many rows of others, such as refunds under way, keep it
}

// Stuck lists the numbers that wait for their release, the longest waiting first.
func Stuck(ctx context.Context, r sqldb.Reader) ([]StuckNumber, error) {
	return sqldb.Select(ctx, r, func(s *StuckNumber) []any {
		return []any{&s.Bank, &s.Parent, &s.SubAccount, &s.LotID, &s.BidID, sqldb.Wall(&s.Since), &s.Holds}
	}, "SELECT n.bank, n.parent_account, n.sub_account, COALESCE(l.lot_id, 0), COALESCE(l.bid_id, 0), n.since, "+
		"(SELECT COUNT(*) FROM number_holds h WHERE h.sub_account = n.sub_account AND h.bank = n.bank) "+
		"FROM numbers n LEFT JOIN leases l ON l.id = n.lease_id WHERE n.state = 'DRAINING' ORDER BY n.since, n.id")
}
