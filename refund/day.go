package refund

import (
	"context"
	"errors"
	"math"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// sentDay is what has gone out from one parent account in one day. It is kept beside the lines so that a message costs the
// same however many went before it.
type sentDay struct {
	Bank          string
	ParentAccount string
	Day           deposit.Day
	Sent          deposit.Fen
}

var sentDays = sqldb.NewTable("refund_days", "bank, parent_account, day, sent", func(s *sentDay) []any {
	return []any{&s.Bank, &s.ParentAccount, &s.Day, &s.Sent}
})

// dayOf is the day on which a line counts that goes out at an instant.
func dayOf(l *Line, at time.Time) sentDay {
	return sentDay{Bank: l.Bank, ParentAccount: l.ParentAccount, Day: deposit.DayOf(at)}
}

// noLimit is of what a person has paid already.
const noLimit = deposit.Fen(math.MaxInt64)

// countSent adds to what an account sends in a day, by one statement that looks at the limit; Conflict "day_limit" where it
// would be more.
func countSent(ctx context.Context, tx *sqldb.Tx, day sentDay, more, limit deposit.Fen) error {
	for {
		n, err := tx.Exec(ctx, "UPDATE refund_days SET sent = sent + ? WHERE bank = ? AND parent_account = ? AND day = ? AND sent <= ?",
			more, day.Bank, day.ParentAccount, day.Day, limit-more)
		if err != nil || n == 1 {
			return err
		}
		_, err = sentDays.One(ctx, tx, "WHERE bank = ? AND parent_account = ? AND day = ?", day.Bank, day.ParentAccount, day.Day)
		switch {
		case err == nil || errors.Is(err, sqldb.ErrNone) && more > limit:
			return deposit.Refuse(deposit.Conflict, "day_limit", "超过该母账户当日退付限额，次日继续")
		case !errors.Is(err, sqldb.ErrNone):
			return err
		}
		day.Sent = more
		if err := sentDays.Insert(ctx, tx, day); !errors.Is(err, sqldb.ErrTaken) { // else another replica has made the row meanwhile
			return err
		}
	}
}

// countUnsent takes back what was counted and never reached the bank.
func countUnsent(ctx context.Context, tx *sqldb.Tx, day sentDay, less deposit.Fen) error {
	n, err := tx.Exec(ctx, "UPDATE refund_days SET sent = sent - ? WHERE bank = ? AND parent_account = ? AND day = ? AND sent >= ?",
		less, day.Bank, day.ParentAccount, day.Day, less)
	if err == nil && n != 1 {
		err = sqldb.ErrStale
	}
	return err
}
