package reconcile

import (
	"context"
	"errors"

	"depositd/migrations/sqldb"
)

// turn is how often judges have stored verdicts. What a judge decides rests on facts that he reads outside of his transaction, so he
// reads the turn before them and takes it with what he stores: between the two nobody else has stored a verdict, or taken a
// change off the list that this one has not seen.
type turn int64

// errOvertaken says that another judge has stored verdicts meanwhile: whoever hears it looks again.
var errOvertaken = errors.New("another judge has stored verdicts meanwhile")

func turnOf(ctx context.Context, r sqldb.Reader) (turn, error) {
	return sqldb.Value[turn](ctx, r, "SELECT COALESCE(MAX(turn), 0) FROM judge_turns")
}

// take moves the turn on; errOvertaken when somebody else has.
func (n turn) take(ctx context.Context, tx *sqldb.Tx) error {
	if n == 0 {
		if _, err := tx.Exec(ctx, "INSERT INTO judge_turns (id, turn) VALUES (1, 1)"); !errors.Is(err, sqldb.ErrTaken) {
			return err
		}
		return errOvertaken
	}
	moved, err := tx.Exec(ctx, "UPDATE judge_turns SET turn = turn + 1 WHERE id = 1 AND turn = ?", n)
	if err == nil && moved != 1 {
		err = errOvertaken
	}
	return err
}
