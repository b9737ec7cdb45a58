package platform

import (
	"context"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// The veil over what bidders paid. The law keeps secret who they are and how many (招标投标法 §22; 重庆市招标投标条例 §16:
// 投标保证金交纳情况在开标前应当保密), until their lot is opened. Whatever is read for people stands under one of these rules:
//
//  1. A lot is sealed until the event of its opening was recorded, whatever the clock says, or until it has ended without
//     one (流标, 终止): then its money goes back (条例 §31) and there is no competition left to protect. A lot that is
//     announced again is sealed again.
//  2. What belongs to a lot is seen once the lot is open, by eyes that reach its department: LotSeen.
//  3. What belongs to no lot – money on the parent account, on a number that nobody held, balances, sums and counts of an
//     account's day – can be any lot's that was announced by then. It is seen once none of those is sealed, by eyes that
//     reach everything: NobodysSeen. A payer to the parent account is a bidder like any other.
//  4. What is said of an open lot never rests on the bids of a sealed one: see reconcile's hearing.
//
// Rules 2 and 3 are conditions in the statement that reads, never a look at the clock or a step after reading. What they ask
// is public, when a lot was announced and opened: that a row is not shown tells nothing of what it holds.

const (
	openLot   = "(opened_at > '1000-01-01 00:00:00.000' OR state IN ('FAILED','TERMINATED'))"
	sealedLot = "opened_at = '1000-01-01 00:00:00.000' AND state NOT IN ('FAILED','TERMINATED')"
)

// Sealed says that nothing may be told yet of who bids for the lot, and how many.
func (l Lot) Sealed() bool {
	return l.OpenedAt.IsZero() && l.State != LotFailed && l.State != LotTerminated
}

// LotSeen is the condition that the lot whose key stands in a column may be seen by these eyes, and its arguments.
func LotSeen(column string, eyes deposit.Sight) (condition string, args []any) {
	if eyes.Blind() {
		return "1 = 0", nil
	}
	condition = "EXISTS (SELECT 1 FROM lots WHERE lots.id = " + column + " AND " + openLot
	if !eyes.Everything() {
		departments := eyes.Departments()
		condition += " AND lots.department IN " + sqldb.In(len(departments))
		for _, d := range departments {
			args = append(args, d)
		}
	}
	return condition + ")", args
}

// NobodysSeen is the condition that what is no lot's, and was known at the instant in a column, may be seen by these eyes.
func NobodysSeen(column string, eyes deposit.Sight) string {
	if !eyes.Everything() {
		return "1 = 0"
	}
	return "NOT EXISTS (SELECT 1 FROM lots WHERE " + sealedLot + " AND announced_at <= " + column + ")"
}

// Seen is the condition for a row whose lot stands in one column, 0 where it is no lot's, and since when it was known in
// another.
func Seen(lot, known string, eyes deposit.Sight) (condition string, args []any) {
	ofLot, args := LotSeen(lot, eyes)
	return "(" + lot + " <> 0 AND " + ofLot + " OR " + lot + " = 0 AND " + NobodysSeen(known, eyes) + ")", args
}

// SealedSince is when the first of the lots that are sealed now was announced; sqldb.Forever where none is. What was known
// before is no secret of theirs.
func SealedSince(ctx context.Context, r sqldb.Reader) (since time.Time, err error) {
	rows, err := sqldb.Select(ctx, r, func(t *time.Time) []any { return []any{sqldb.Wall(t)} },
		"SELECT announced_at FROM lots WHERE "+sealedLot+" ORDER BY announced_at LIMIT 1")
	if err != nil || len(rows) == 0 {
		return sqldb.Forever, err
	}
	return rows[0], nil
}

// CountSealed is how many lots are sealed now, which is public: it is how many tenders were announced and not opened.
func CountSealed(ctx context.Context, r sqldb.Reader) (int, error) {
	return sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM lots WHERE "+sealedLot)
}
