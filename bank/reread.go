package bank

import (
	"bytes"
	"context"
	"errors"
	"io"

	"depositd/migrations/sqldb"
)

// Reread decodes a kept message again, for a person to look at: the entries as they were read then, without keys.
func (b *Bank) Reread(raw []byte) ([]Entry, error) {
	found, _, err := b.read(raw)
	return found, err
}

// Text is bytes of a message as people read them, whatever its charset; what is none of it is shown as U+FFFD.
func (b *Bank) Text(raw []byte) string {
	sample := raw[:min(len(raw), sniffed)]
	text, err := io.ReadAll(Sniff(sample, b.Charset).Reader(bytes.NewReader(raw)))
	if err != nil {
		return string(raw)
	}
	return string(text)
}

// sniffed is how much of a message tells its charset.
const sniffed = 4 << 10

// InboxRowByID reads a message without its bytes; ErrNone if there is none. A statement's key finds the message that brought it.
func InboxRowByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (InboxRow, error) {
	m, err := inbox.One(ctx, r, "WHERE id = ?", id)
	m.hash()
	if !errors.Is(err, sqldb.ErrNone) {
		return m, err
	}
	s, err := statements.One(ctx, r, "WHERE id = ?", id)
	if err != nil {
		return m, err
	}
	return inbox.One(ctx, r, "WHERE id = ?", s.MessageID)
}

// Head reads the first bytes of what a message brought: all of a notice, of a file no more than its first part.
func Head(ctx context.Context, r sqldb.Reader, id sqldb.ID, most int) ([]byte, error) {
	m, err := MessageByID(ctx, r, id)
	body := m.Body
	if err == nil && len(body) == 0 {
		part, partErr := fileParts.One(ctx, r, "WHERE message_id = ? ORDER BY part LIMIT 1", id)
		if body = part.Body; partErr != nil && !errors.Is(partErr, sqldb.ErrNone) {
			err = partErr
		}
	}
	return body[:min(len(body), most)], err
}

// FaultRow is a record of a file that could not be read.
type FaultRow struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Code   string `json:"code"`
	Text   string `json:"detail"`
	Raw    string `json:"raw"`
}

// FaultsIn lists the first of the records of a file that could not be read.
func FaultsIn(ctx context.Context, r sqldb.Reader, id sqldb.ID, most int) ([]FaultRow, error) {
	rows, err := faults.All(ctx, r, "WHERE message_id = ? ORDER BY line, col LIMIT ?", id, most)
	all := make([]FaultRow, len(rows))
	for i, f := range rows {
		all[i] = FaultRow{f.Line, f.Column, f.Code, f.Text, f.Raw}
	}
	return all, err
}

// StatementsIn lists the statements that a message brought.
func StatementsIn(ctx context.Context, r sqldb.Reader, id sqldb.ID) ([]StatementRow, error) {
	return statements.All(ctx, r, "WHERE message_id = ? ORDER BY parent_account, day, revision", id)
}
