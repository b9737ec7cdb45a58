package reconcile

import (
	"context"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// MessageReused opens a finding on a message whose id came again with other bytes, signed all the same: a fault of the
// bank's system, or somebody who has its key. However often it comes, it is one finding until a person has settled it.
func (d *Desk) MessageReused(ctx context.Context, code, externalID string) error {
	return d.db.Write(ctx, code, func(tx *sqldb.Tx) error {
		first, err := bank.MessageByExternalID(ctx, tx, code, externalID)
		if err != nil {
			return err
		}
		found := Finding{Subject: first, Code: MessageReused, Reasons: string(MessageReused), Day: deposit.DayOf(tx.Now), Bank: code, Department: string(IT),
			Detail: "报文编号 " + externalID + " 再次出现而内容不同：后一份已拒收并留存；请与银行核实是系统差错还是有人冒用密钥"}
		return keep(ctx, tx, KindMessage, []sqldb.ID{first}, []Finding{found})
	})
}
