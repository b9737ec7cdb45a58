package bank

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// partSize is how many bytes of a file one row keeps.
const partSize = 1 << 20

// linesAtOnce is how many lines of a statement share a transaction: enough that its commit does not count and that
// neighbours in an index meet, few enough that notices do not wait long behind it, some tenths of a second.
const linesAtOnce = 4000

// ImportResult is what an import came to.
type ImportResult struct {
	MessageID  sqldb.ID
	Known      bool // the very same file was imported before; nothing changed
	Statements []StatementRow
	Faults     int
}

type filePart struct {
	MessageID sqldb.ID
	Part      int
	Body      []byte
}

var fileParts = sqldb.NewTable("message_parts", "message_id, part, body", func(p *filePart) []any {
	return []any{&p.MessageID, &p.Part, sqldb.SealedAt("message_parts", &p.MessageID, []*int{&p.Part}, &p.Body)}
})

type storedFault struct {
	MessageID sqldb.ID
	Fault
}

var faults = sqldb.NewTable("faults", "message_id, line, col, code, sealed", func(f *storedFault) []any {
	return []any{&f.MessageID, &f.Line, &f.Column, &f.Code, sqldb.SealedAt("faults", &f.MessageID, []*int{&f.Line, &f.Column}, &f.Text, &f.Raw)}
})

// isImported says whether a file's statements are complete.
func isImported(ctx context.Context, r sqldb.Reader, message sqldb.ID) (bool, error) {
	done, err := sqldb.Value[int](ctx, r, "SELECT COUNT(*) FROM events WHERE row_id = ? AND became = ?", message, imported)
	return done > 0, err
}

// Import reads a bank's end-of-day file: its bytes are kept first, then its lines become entries as they stream by, and
// at the end its figures are proved. A file that breaks off leaves its statements incomplete and is refused; importing
// the whole file, or the same file again, goes on where that ended. The file is read twice.
func (d *Desk) Import(ctx context.Context, by string, b *Bank, name string, file io.ReadSeeker) (ImportResult, error) {
	if b.StatementAdapter == nil || b.StatementAdapter.Statement == nil {
		return ImportResult{}, deposit.Refuse(deposit.Invalid, "statement_unsupported", "银行 ", b.Code, " 未配置对账单格式，请在 banks.yaml 中设置 statement")
	}
	message, err := d.keepFile(ctx, by, b, name, file)
	if err != nil {
		return ImportResult{}, err
	}
	result := ImportResult{MessageID: message}
	result.Known, err = isImported(ctx, d.db, message)
	if err != nil {
		return result, err
	}
	if result.Known {
		result.Statements, err = statements.All(ctx, d.db, "WHERE message_id = ? ORDER BY parent_account, day", message)
		return result, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return result, fmt.Errorf("read the statement again: %w", err)
	}
	load := &loading{ctx: ctx, desk: d, by: by, bank: b, message: message, open: map[book]*StatementRow{}}
	if err := b.StatementAdapter.Statement(b, file, load); err != nil {
		return result, errors.Join(err, load.settle())
	}
	result.Statements, err = load.complete(name)
	result.Faults = load.faults
	return result, err
}

// imported is what a file's message has become, in the events, when every line of it is stored.
const imported = "IMPORTED"

// keepFile stores the bytes of a file under the hash of them, and gives the key under which they stand.
func (d *Desk) keepFile(ctx context.Context, by string, b *Bank, name string, file io.ReadSeeker) (sqldb.ID, error) {
	digest := sha256.New()
	_, err := file.Seek(0, io.SeekStart)
	size, copied := io.Copy(digest, file)
	if err := errors.Join(err, copied); err != nil {
		return 0, fmt.Errorf("read the statement: %w", err)
	}
	if size == 0 {
		return 0, deposit.Refuse(deposit.Invalid, "file_empty", "文件为空")
	}
	sum, err := d.db.Tag(tagOfMessage, hex.EncodeToString(digest.Sum(nil)))
	if err != nil {
		return 0, err
	}
	known, err := messages.One(ctx, d.db, "WHERE bank = ? AND external_id = ?", b.Code, "file:"+sum)
	if err == nil {
		return known.ID, nil
	}
	if !errors.Is(err, sqldb.ErrNone) {
		return 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("read the statement again: %w", err)
	}
	id := fileKey(b.Code, sum)
	for part := 0; ; part++ {
		body := make([]byte, partSize)
		n, err := io.ReadFull(file, body)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, fmt.Errorf("read the statement: %w", err)
		}
		if err := d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
			there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM message_parts WHERE message_id = ? AND part = ?", id, part)
			if err != nil || there > 0 {
				return err
			}
			return fileParts.Insert(ctx, tx, filePart{id, part, body[:n]})
		}); err != nil && !errors.Is(err, sqldb.ErrTaken) { // taken: somebody keeps the same bytes at the same time
			return 0, err
		}
	}
	err = d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		return messages.Insert(ctx, tx, StoredMessage{ID: id, Bank: b.Code, ExternalID: "file:" + sum, Source: "FILE", Kind: "STATEMENT", Outcome: New,
			Detail: cut(name, 400), Digest: sum, Size: size, ReceivedAt: tx.Now, Body: []byte{}})
	})
	if errors.Is(err, sqldb.ErrTaken) { // somebody imported the same file at the same time
		return 0, deposit.Refuse(deposit.Conflict, "file_being_imported", "同一文件正在导入，请稍候查看结果")
	}
	return id, err
}

// fileKey is the key of a file's message. It follows from the bytes, so that the parts which a broken import left are
// found again.
func fileKey(bank, sum string) sqldb.ID {
	digest := sha256.Sum256([]byte(bank + " " + sum))
	return sqldb.ID(binary.BigEndian.Uint64(digest[:8])>>1 | 1)
}
