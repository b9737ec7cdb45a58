package refund

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Answer is what a bank said of a message, as received.
type Answer struct {
	ID     sqldb.ID
	SendID sqldb.ID
	Kind   string
	SHA256 string
	Body   []byte
	At     time.Time
}

// What an answer is to.
const (
	KindAnswer = "ANSWER" // the message itself
	KindQuery  = "QUERY"  // our question about it
	KindResult = "RESULT" // nothing of ours: a notice or a result file that the bank sends by itself
)

var answers = sqldb.NewTable("refund_answers", "id, send_id, kind, body, at", func(a *Answer) []any {
	return []any{&a.ID, &a.SendID, &a.Kind, sqldb.Sealed("refund_answers", &a.ID, &a.SHA256, &a.Body), sqldb.Wall(&a.At)}
}).Holds(func(_ *sqldb.DB, a *Answer) (bool, error) { return a.SHA256 == hashOf(a.Body), nil })

// acts is what a bank's word makes of a line. What it does not know, and a payment it cannot find, is a line that nobody
// knows of: only the three facts of Disprove make it FAILED.
var acts = map[bank.PayStatus]string{
	bank.PayAccepted:   "accept",
	bank.PayProcessing: "accept",
	bank.PayPaid:       "pay",
	bank.PayReturned:   "pay", // paid first: that it came back is shown by the credit it came back with
	bank.PayFailed:     "reject",
	bank.PayCancelled:  "reject",
	bank.PayExpired:    "reject",
	bank.PayPartial:    "lose",
	bank.PayUnknown:    "lose",
	bank.PayNotFound:   "lose",
}

// Answered keeps what a bank said of a message, or of the one line of it that has the serial, and takes lines as far as that goes. The same answer again, an older one
// after a newer, or one in parts changes nothing that is settled: a line that is final stays what it is, and what
// contradicts it is noted for a person.
func (d *Desk) Answered(ctx context.Context, by string, b *bank.Bank, send sqldb.ID, serial, kind string, raw []byte) error {
	read, _ := b.ReadPayAnswer(raw) // what cannot be read makes every line unknown
	return d.again(func() error {
		return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			m, all, payout, err := sentAs(ctx, tx, b, send, serial)
			if err != nil {
				return err
			}
			if err := keepBankBatch(ctx, tx, &m, read.BankBatch); err != nil {
				return err
			}
			results := read.Results(payout)
			if err := answers.Insert(ctx, tx, Answer{ID: tx.NewID(), SendID: send, Kind: kind, SHA256: hashOf(raw), Body: raw, At: tx.Now}); err != nil {
				return err
			}
			for i := range all {
				if err := d.take(ctx, tx, &all[i], results[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// keepBankBatch keeps the bank's own number of a message, the first time it is told.
func keepBankBatch(ctx context.Context, tx *sqldb.Tx, m *Message, number string) error {
	if number == "" || m.BankBatch != "" {
		return nil
	}
	_, err := tx.Exec(ctx, "UPDATE refund_sends SET bank_batch = ? WHERE id = ? AND bank_batch = ''", number, m.ID)
	return err
}

// take does to one line what the bank says of it.
func (d *Desk) take(ctx context.Context, tx *sqldb.Tx, l *Line, r bank.PayResult) error {
	said := strings.TrimSpace(fmt.Sprint("银行：", bank.PayStatusNames[r.Status], " ", r.Code, " ", r.Text))
	act := acts[r.Status]
	next, err := LineMoves.Next(string(l.State), act)
	switch {
	case err == nil:
		if err := tx.Move(ctx, sqldb.Move{Table: "refunds", ID: l.ID, Version: l.Version, From: string(l.State), To: next, Note: said}); err != nil {
			return err
		}
		l.State, l.Version = State(next), l.Version+1
	case act == "reject" && l.State == Paid, act == "pay" && l.State == Failed:
		return tx.Note(ctx, "refunds", l.ID, "CONTRADICTED", said)
	case r.Code == bank.AnswerSilent && l.State != Sending:
		return nil // it says nothing of the line
	case l.State != Unknown && l.State != Accepted:
		return nil // it is settled; what comes late or twice says nothing new
	}
	if l.State == Failed {
		if err := unreserve(ctx, tx, byEntry([]Line{*l})); err != nil {
			return err
		}
	}
	if r.Status == l.Word && r.Code == l.Code && err != nil {
		_, err := tx.Exec(ctx, "UPDATE refunds SET asked_at = ? WHERE id = ?", sqldb.At(tx.Now), l.ID)
		return err
	}
	l.Said = r.Text
	return tx.UpdateAll(ctx, []sqldb.ID{l.ID}, "UPDATE refunds SET word = ?, code = ?, said = ?, bank_serial = ?, asked_at = ?, vouched = '', version = version + 1 WHERE version = ?",
		r.Status, r.Code, sealedSaid(l), orElse(r.BankSerial, l.BankSerial), sqldb.At(tx.Now), l.Version)
}

// Result takes a result that the bank sends by itself: each line it names by our serial gets what it says. Files and notices come
// twice, late, or in part. It says how many lines of ours it named.
func (d *Desk) Result(ctx context.Context, by string, b *bank.Bank, raw []byte) (named int, err error) {
	read, err := b.ReadPayAnswer(raw)
	if err != nil {
		return 0, err
	}
	found, err := d.messagesNamed(ctx, b, &read)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, deposit.Refuse(deposit.NotFound, "result_of_nobody", "结果中没有本系统的付款流水号或批次号，请核对文件")
	}
	for _, m := range found {
		if err := d.Answered(ctx, by, b, m, "", KindResult, raw); err != nil {
			return named, err
		}
		named++
	}
	return named, nil
}

// messagesNamed finds the messages of ours that a result is about: by the serials in its rows, by the bank's number of the
// batch, by ours.
func (d *Desk) messagesNamed(ctx context.Context, b *bank.Bank, a *bank.PayAnswer) ([]sqldb.ID, error) {
	var serials []string
	for i := range a.Rows {
		if a.Rows[i].Serial != "" {
			serials = append(serials, a.Rows[i].Serial)
		}
	}
	var found []sqldb.ID
	one := func(id *sqldb.ID) []any { return []any{id} }
	err := sqldb.Chunks(serials, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, d.db, one, "SELECT DISTINCT send_id FROM refunds WHERE bank = ? AND send_id <> 0 AND serial IN "+in, append([]any{b.Code}, args...)...)
		found = append(found, rows...)
		return err
	})
	if err != nil {
		return nil, err
	}
	number, part := numberAndPart(a.Batch)
	rows, err := sqldb.Select(ctx, d.db, one, "SELECT s.id FROM refund_sends AS s JOIN refund_batches AS b ON b.id = s.batch_id WHERE s.bank = ? AND "+
		"(? <> '' AND s.bank_batch = ? OR b.number = ? AND s.part = ?)", b.Code, a.BankBatch, a.BankBatch, number, part)
	found = append(found, rows...)
	slices.Sort(found)
	return slices.Compact(found), err
}

// messageNumber is what a message is called at the bank: its batch's number and its part.
func messageNumber(batch string, part int) string { return batch + "-" + strconv.Itoa(part) }

// numberAndPart takes a message's number apart; part 0 where it is none of ours.
func numberAndPart(message string) (batch string, part int) {
	at := strings.LastIndexByte(message, '-')
	if at < 0 {
		return message, 0
	}
	part, _ = strconv.Atoi(message[at+1:])
	return message[:at], part
}

// messageName is what a message is called at the bank, wherever it stands in a text.
var messageName = regexp.MustCompile(`PC-[0-9]{8}-[0-9]+-[0-9]+`)

// messageIn finds the message of ours that a remark names; 0 where it names none.
func messageIn(ctx context.Context, r sqldb.Reader, code, remark string) (sqldb.ID, error) {
	number, part := numberAndPart(messageName.FindString(remark))
	found, err := sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} },
		"SELECT s.id FROM refund_sends AS s JOIN refund_batches AS b ON b.id = s.batch_id WHERE s.bank = ? AND b.number = ? AND s.part = ?", code, number, part)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return found[0], nil
}
