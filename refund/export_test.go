package refund

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
)

// Seed plants a bug for a test to find – a bank's word that is taken for another one – and gives the cure.
func Seed(word bank.PayStatus, act string) (cure func()) {
	before := acts[word]
	acts[word] = act
	return func() { acts[word] = before }
}

// Write stores a line with another payee than it was made with, by a hand that has the keys.
func (l *Line) Write(ctx context.Context, tx *sqldb.Tx) error {
	_, err := tx.Exec(ctx, "UPDATE refunds SET payee_tag = ?, sealed = ?, sub_account = ? WHERE id = ?", sqldb.Tag(payeeTag, &l.PayeeAccount), sealedPayee(l), l.SubAccount, l.ID)
	return err
}
