package bank

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// book is one statement of a file: a parent account's day.
type book struct {
	parent string
	day    deposit.Day
}

// loading is the Sink that stores a statement file as it streams by, some thousands of lines a transaction. While one sheet
// of lines is stored the next is read.
type loading struct {
	ctx     context.Context
	desk    *Desk
	by      string
	bank    *Bank
	message sqldb.ID

	open    map[book]*StatementRow
	said    map[book]Statement
	current *StatementRow
	sheet   sheet // of current, whose lines are not stored yet
	faults  int
	find    finder
	storing chan error // holds one: how the sheet fares that is being stored; nil when none is
	spare   []Entry    // the room of that sheet's lines
}

// Begin finds or makes the row of a statement; the same account and day may begin again later in the file.
func (l *loading) Begin(s Statement) error {
	if s.ParentAccount == "" {
		s.ParentAccount = l.bank.Parent()
	}
	if !slices.Contains(l.bank.ParentAccounts, s.ParentAccount) {
		return deposit.Refuse(deposit.Invalid, "parent_account_unknown", "对账单的账号 ", s.ParentAccount, " 不是银行 ", l.bank.Code, " 的母账户，请核对文件或 banks.yaml")
	}
	if s.Currency != "" && s.Currency != "CNY" {
		return deposit.Refuse(deposit.Invalid, "currency_unsupported", "对账单币种为 ", s.Currency, "，只支持人民币 CNY")
	}
	if err := l.settle(); err != nil {
		return err
	}
	b := book{s.ParentAccount, s.Day}
	if l.open[b] == nil {
		row, err := l.row(b)
		if err != nil {
			return err
		}
		l.open[b] = row
	}
	l.current = l.open[b]
	return nil
}

// row gives the statement's row: the one a broken import left, the one whose next page this is, or a new revision.
func (l *loading) row(b book) (*StatementRow, error) {
	var row StatementRow
	err := l.desk.db.Write(l.ctx, l.by, func(tx *sqldb.Tx) error {
		rows, err := statements.All(l.ctx, tx, "WHERE bank = ? AND parent_account = ? AND day = ? ORDER BY revision DESC", l.bank.Code, b.parent, b.day)
		if err != nil {
			return err
		}
		if done, err := isImported(l.ctx, tx, l.message); err != nil || done { // somebody else has, and its correction may be there too
			return cmp.Or(err, errImporting())
		}
		revision := 1
		if len(rows) > 0 {
			row, revision = rows[0], rows[0].Revision+1
			if row.State == Partial {
				return nil
			}
			if row.State == Loading && row.MessageID == l.message {
				row.CreditCount, row.CreditSum, row.DebitCount, row.DebitSum, row.FaultCount, row.Balances = 0, 0, 0, 0, 0, ""
				return nil
			}
		}
		row = StatementRow{ID: tx.NewID(), MessageID: l.message, Bank: l.bank.Code, ParentAccount: b.parent, Day: b.day, Revision: revision,
			Currency: "CNY", Proof: ProofNone, State: Loading, ImportedAt: tx.Now}
		return statements.Insert(l.ctx, tx, row)
	})
	if errors.Is(err, sqldb.ErrTaken) {
		err = errImporting()
	}
	return &row, err
}

// Entry takes a line of the statement that began last.
func (l *loading) Entry(e *Entry) error {
	line := *e
	line.ParentAccount = l.current.ParentAccount
	if err := l.bank.admit(&line); err != nil {
		refusal := deposit.AsRefusal(err)
		return l.Fault(Fault{Line: l.sheet.ordinal + len(l.sheet.lines) + l.faults + 1, Column: 1, Code: refusal.Code, Text: refusal.Text, Raw: line.Serial})
	}
	l.sheet.lines = append(l.sheet.lines, line)
	if len(l.sheet.lines) < linesAtOnce {
		return nil
	}
	return l.turn()
}

// Fault keeps a record that could not be read; the statement goes on but does not prove anything any more.
func (l *loading) Fault(f Fault) error {
	l.faults++
	if l.current != nil {
		l.current.FaultCount++
	}
	l.sheet.bad = append(l.sheet.bad, storedFault{l.message, Fault{f.Line, f.Column, cut(f.Code, 40), cut(f.Text, 400), cut(strings.ToValidUTF8(f.Raw, "\ufffd"), 4000)}})
	return nil
}

// End takes what the file says at the end of a statement.
func (l *loading) End(s Statement) error {
	if l.said == nil {
		l.said = map[book]Statement{}
	}
	b := book{l.current.ParentAccount, l.current.Day}
	if before, more := l.said[b]; more {
		s = joined(before, s)
	}
	l.said[b] = s
	return l.settle()
}

// joined is what two statements of one account's day in one file say together: the first one's opening, the last one's
// closing, and claims that were made for one of them only count for nothing.
func joined(a, b Statement) Statement {
	if a.Opening != nil {
		b.Opening = a.Opening
	}
	if b.Closing == nil {
		b.Closing = a.Closing
	}
	b.Declared = Undeclared
	return b
}

// turn lets the lines that wait be stored, once the sheet before them is, and goes on with an empty one.
func (l *loading) turn() error {
	if err := l.stored(); err != nil {
		return err
	}
	if len(l.sheet.lines) == 0 && len(l.sheet.bad) == 0 {
		return nil
	}
	full := l.sheet
	full.row = l.current
	l.sheet = sheet{ordinal: full.ordinal + len(full.lines), lines: l.spare[:0]}
	l.spare = full.lines
	storing := make(chan error, 1)
	l.storing = storing
	go func() { storing <- l.store(&full) }()
	return nil
}

// stored waits for the sheet that is being stored.
func (l *loading) stored() error {
	if l.storing == nil {
		return nil
	}
	err := <-l.storing
	l.storing = nil
	return err
}

// settle stores the lines that wait and waits for that.
func (l *loading) settle() error {
	if err := l.turn(); err != nil {
		return err
	}
	return l.stored()
}

// clashes bounds how often a sheet is stored anew because another replica has stored one of its entries meanwhile.
const clashes = 5

func (l *loading) store(s *sheet) error {
	var repeats map[int]bool
	var err error
	for range clashes {
		err = l.desk.db.Write(l.ctx, l.by, func(tx *sqldb.Tx) (err error) {
			if len(s.lines) > 0 {
				if repeats, err = s.store(l.ctx, tx, &l.find); err != nil {
					return err
				}
			}
			return storeFaults(l.ctx, tx, s.bad)
		})
		if !errors.Is(err, sqldb.ErrTaken) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("store lines of a statement: %w", err)
	}
	for i := range s.lines {
		if !repeats[s.ordinal+i] { // the same line again is the same money
			s.row.count(&s.lines[i])
		}
	}
	return nil
}

func storeFaults(ctx context.Context, tx *sqldb.Tx, bad []storedFault) error {
	for _, f := range bad { // rarely any
		there, err := sqldb.Value[int](ctx, tx, "SELECT COUNT(*) FROM faults WHERE message_id = ? AND line = ? AND col = ?", f.MessageID, f.Line, f.Column)
		if err != nil {
			return err
		}
		if there == 0 {
			if err := faults.Insert(ctx, tx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete stores the figures of every statement in the file, makes each the bank's word on its day, and notes that the file
// is in: all or nothing, so that a file whose import broke off here is not taken for a correction of itself.
func (l *loading) complete(name string) ([]StatementRow, error) {
	if err := l.settle(); err != nil {
		return nil, err
	}
	if len(l.open) == 0 {
		return nil, deposit.Refuse(deposit.Invalid, "statement_empty", "文件中没有对账单")
	}
	var all []StatementRow
	for b, row := range l.open {
		row.conclude(l.said[b])
		all = append(all, *row)
	}
	slices.SortFunc(all, func(a, b StatementRow) int {
		return strings.Compare(a.ParentAccount+string(a.Day), b.ParentAccount+string(b.Day))
	})
	next := make([]string, len(all))
	for i, row := range all {
		act := "complete"
		if !l.said[book{row.ParentAccount, row.Day}].LastPage {
			act = "page"
		}
		var err error
		if next[i], err = StatementMoves.Next(row.State, act); err != nil {
			return nil, err
		}
	}
	err := l.desk.db.Write(l.ctx, l.by, func(tx *sqldb.Tx) error {
		for i := range all {
			if err := l.finish(tx, &all[i], next[i]); err != nil {
				return err
			}
		}
		return tx.Note(l.ctx, "messages", l.message, imported, cut(name, 400))
	})
	if errors.Is(err, sqldb.ErrStale) {
		return nil, errImporting()
	}
	for i := range all {
		all[i].State, all[i].Version = next[i], all[i].Version+1
	}
	return all, err
}

func errImporting() error {
	return deposit.Refuse(deposit.Conflict, "file_being_imported", "同一对账单正由他人导入，请稍候查看结果")
}

func (l *loading) finish(tx *sqldb.Tx, row *StatementRow, next string) error {
	n, err := tx.Exec(l.ctx, "UPDATE statements SET message_id = ?, opening = ?, closing = ?, balances = ?, credit_count = ?, credit_sum = ?, "+
		"debit_count = ?, debit_sum = ?, declared = ?, fault_count = ?, proof = ?, gap = ?, imported_at = ? WHERE id = ? AND version = ?",
		l.message, row.Opening, row.Closing, row.Balances, row.CreditCount, row.CreditSum,
		row.DebitCount, row.DebitSum, row.Declared, row.FaultCount, row.Proof, row.Gap, sqldb.At(tx.Now), row.ID, row.Version)
	if err != nil {
		return err
	}
	if n != 1 {
		return sqldb.ErrStale
	}
	return tx.Move(l.ctx, sqldb.Move{Table: "statements", ID: row.ID, Version: row.Version, From: row.State, To: next,
		Note: fmt.Sprintf("贷 %d 笔，借 %d 笔，%s", row.CreditCount, row.DebitCount, row.Proof)})
}
