package bank

import (
	"context"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// arrival is a message on its way in, and how it fared: both are true only when it is committed.
type arrival struct {
	Message
	receipt Receipt
	refused error // the message is at fault, and nothing of it is kept
}

// messageHeads is of messages what tells whether one comes again.
var messageHeads = sqldb.NewTable("messages", "id, external_id, sha256, outcome", func(m *StoredMessage) []any {
	return []any{&m.ID, &m.ExternalID, &m.Digest, &m.Outcome}
})

// arrive keeps messages of one bank that came at the same time. Nearly always all of them, and their entries, are new: so they
// are stored as if they were, and only if a key says that one is not, what is known of any of them is asked.
func arrive(ctx context.Context, tx *sqldb.Tx, all []*arrival) error {
	return arriveKnowing(ctx, tx, all, !tx.Hopeful())
}

// arriveKnowing decides each message in its turn, as if those before it were stored already, and at last stores all. With ask
// it finds out first, at once for all of them, what is known; without, ErrTaken says that something is.
func arriveKnowing(ctx context.Context, tx *sqldb.Tx, all []*arrival, ask bool) error {
	known := make(map[string]StoredMessage, len(all))
	if ask {
		if err := knownMessages(ctx, tx, all, known); err != nil {
			return err
		}
	}
	told := make([]Entry, 0, len(all))
	for _, a := range all {
		if _, again := known[a.ExternalID]; !again {
			told = append(told, a.Entries...)
		}
	}
	n, err := readNotices(ctx, tx, told, ask)
	if err != nil {
		return err
	}
	fresh := make([]StoredMessage, 0, len(all))
	for _, a := range all {
		a.receipt, a.refused = Receipt{}, nil
		if first, again := known[a.ExternalID]; again {
			a.receipt, a.refused = answerAgain(&first, &a.Message)
			continue
		}
		id := tx.NewID()
		t := n.take(a.Entries, id)
		a.receipt = Receipt{MessageID: id, Outcome: t.outcome(), Entries: t.fresh}
		stored := keep(&a.Message, tx, id, a.receipt.Outcome, nil)
		known[a.ExternalID], fresh = stored, append(fresh, stored)
	}
	return n.store(ctx, fresh)
}

// knownMessages looks up, by their ids, which of a bank's messages were here before.
func knownMessages(ctx context.Context, r sqldb.Reader, all []*arrival, known map[string]StoredMessage) error {
	ids := make([]string, len(all))
	for i, a := range all {
		ids[i] = a.ExternalID
	}
	return sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := messageHeads.All(ctx, r, "WHERE bank = ? AND external_id IN "+in, append([]any{all[0].Bank}, args...)...)
		for _, m := range rows {
			known[m.ExternalID] = m
		}
		return err
	})
}

// ReplayDiffers is the code of the refusal of a message whose id was used before for other bytes.
const ReplayDiffers = "replay_differs"

// answerAgain is what a message hears whose id was here before.
func answerAgain(first *StoredMessage, m *Message) (Receipt, error) {
	if first.Digest != m.SHA256 {
		return Receipt{}, deposit.Refuse(deposit.Invalid, ReplayDiffers, "报文编号 ", m.ExternalID, " 已用于另一份内容；请换用新的编号重发")
	}
	return Receipt{MessageID: first.ID, Outcome: first.Outcome, Replayed: true}, nil
}
