package bank

import (
	"context"
	"errors"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// Number is a sub-account of a bank.
type Number struct{ Bank, SubAccount string }

// Unjudged gives entries that wait for a verdict, at most so many.
func Unjudged(ctx context.Context, r sqldb.Reader, most int) ([]Pending, error) {
	return unjudged.All(ctx, r, "ORDER BY entry_id, cause LIMIT ?", most)
}

// Judged takes entries off the list of those that wait, in the transaction that stores their verdicts. What came up
// meanwhile stays on it.
func Judged(ctx context.Context, tx *sqldb.Tx, done []Pending) error {
	var fresh []sqldb.ID
	for _, p := range done {
		if p.Cause == 0 {
			fresh = append(fresh, p.EntryID)
		} else if _, err := tx.Exec(ctx, "DELETE FROM unjudged WHERE entry_id = ? AND cause = ?", p.EntryID, p.Cause); err != nil {
			return err
		}
	}
	return sqldb.Chunks(fresh, func(in string, args []any) error {
		_, err := tx.Exec(ctx, "DELETE FROM unjudged WHERE cause = 0 AND entry_id IN "+in, args...)
		return err
	})
}

// Requeue asks for another verdict on entries, because of something that came up.
func Requeue(ctx context.Context, tx *sqldb.Tx, ids ...sqldb.ID) error {
	again := make([]Pending, len(ids))
	for i, id := range ids {
		again[i] = Pending{id, tx.NewID()}
	}
	return unjudged.Insert(ctx, tx, again...)
}

// EntriesByID reads entries, in no particular order.
func EntriesByID(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (all []Entry, err error) {
	err = sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := entries.All(ctx, r, "WHERE id IN "+in, args...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// EntryByID reads one entry; ErrNone if there is none.
func EntryByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (Entry, error) {
	return entries.One(ctx, r, "WHERE id = ?", id)
}

// EntriesOn reads every entry on the given sub-accounts.
func EntriesOn(ctx context.Context, r sqldb.Reader, numbers []Number) (all []Entry, err error) {
	names := make([]string, len(numbers))
	wanted := make(map[Number]bool, len(numbers))
	for i, n := range numbers {
		names[i], wanted[n] = n.SubAccount, true
	}
	err = sqldb.Chunks(names, func(in string, args []any) error {
		rows, err := entries.All(ctx, r, "WHERE sub_account IN "+in, args...)
		for _, e := range rows {
			if wanted[Number{e.Bank, e.SubAccount}] {
				all = append(all, e)
			}
		}
		return err
	})
	return all, err
}

// ReversalsOf reads the entries that take back, by serial, one of the given serials on a parent account, or that name no
// serial and stand on one of the given sub-accounts.
func ReversalsOf(ctx context.Context, r sqldb.Reader, serials []string, numbers []string) ([]Entry, error) {
	var ids []sqldb.ID
	take := func(where string) func(string, []any) error {
		return func(in string, args []any) error {
			rows, err := reversals.All(ctx, r, where+in, args...)
			for _, row := range rows {
				ids = append(ids, row.EntryID)
			}
			return err
		}
	}
	if err := errors.Join(sqldb.Chunks(serials, take("WHERE reversal_of <> '' AND reversal_of IN ")), sqldb.Chunks(numbers, take("WHERE reversal_of = '' AND sub_account IN "))); err != nil {
		return nil, err
	}
	return EntriesByID(ctx, r, ids)
}

// BySerial finds the credits that have one of the given serials.
func BySerial(ctx context.Context, r sqldb.Reader, bank, parent string, serials []string) (all []Entry, err error) {
	err = sqldb.Chunks(serials, func(in string, args []any) error {
		rows, err := entries.All(ctx, r, "WHERE bank = ? AND parent_account = ? AND direction = 'C' AND serial IN "+in, append([]any{bank, parent}, args...)...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// CreditsBySerial finds a bank's credits of a day that have one of the given serials, whichever of its parent accounts they are on.
func CreditsBySerial(ctx context.Context, r sqldb.Reader, b *Bank, day deposit.Day, serials []string) (all []Entry, err error) {
	for _, parent := range b.ParentAccounts { // each by itself: without it all of the day's entries would be read
		err := sqldb.Chunks(serials, func(in string, args []any) error {
			rows, err := entries.All(ctx, r, "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND direction = 'C' AND reversal = '' AND serial IN "+in, append([]any{day, b.Code, parent}, args...)...)
			all = append(all, rows...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ConflictsOf reads the contradictions kept beside the given entries.
func ConflictsOf(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (all []Conflict, err error) {
	err = sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := conflicts.All(ctx, r, "WHERE entry_id IN "+in+" ORDER BY entry_id, seen_at, id", args...)
		all = append(all, rows...)
		return err
	})
	return all, err
}

// SightingsOf tells where one entry was seen, the first time first.
func SightingsOf(ctx context.Context, r sqldb.Reader, id sqldb.ID) ([]Sighting, error) {
	return sightings.All(ctx, r, "WHERE entry_id = ? ORDER BY seen_at, source, file_id", id)
}

// PayersOn are the names of all who stand on an account's day.
func PayersOn(ctx context.Context, r sqldb.Reader, b Book, day deposit.Day) ([]string, error) {
	all, err := sqldb.Select(ctx, r, func(e *Entry) []any { return []any{&e.ID, SealedPayer(e)} },
		"SELECT id, sealed FROM entries WHERE booking_date = ? AND bank = ? AND parent_account = ? ORDER BY id", day, b.Bank, b.ParentAccount)
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].PayerName
	}
	return names, err
}

// OnStatement says which of the entries a complete statement has.
func OnStatement(ctx context.Context, r sqldb.Reader, ids []sqldb.ID) (map[sqldb.ID]bool, error) {
	stated := make(map[sqldb.ID]bool, len(ids))
	err := sqldb.Chunks(ids, func(in string, args []any) error {
		rows, err := sqldb.Select(ctx, r, func(id *sqldb.ID) []any { return []any{id} },
			"SELECT g.entry_id FROM sightings AS g JOIN statements AS s ON s.id = g.file_id WHERE g.source = 'S' AND s.state = 'COMPLETE' AND g.entry_id IN "+in, args...)
		for _, id := range rows {
			stated[id] = true
		}
		return err
	})
	return stated, err
}

// DebitsOnStatement streams the debits of an account's day that a complete statement has, in the order of their keys.
func DebitsOnStatement(ctx context.Context, db *sqldb.DB, b Book, day deposit.Day, f func(*Entry) error) error {
	return entries.Each(ctx, db, "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND direction = 'D' AND "+
		"EXISTS (SELECT 1 FROM sightings AS g JOIN statements AS s ON s.id = g.file_id WHERE g.entry_id = entries.id AND g.source = 'S' AND s.state = 'COMPLETE') ORDER BY id",
		[]any{day, b.Bank, b.ParentAccount}, f)
}

// StatementOf is the bank's word on an account's day: the highest complete revision; ErrNone before it came.
func StatementOf(ctx context.Context, r sqldb.Reader, bank, parent string, day deposit.Day) (StatementRow, error) {
	return statements.One(ctx, r, "WHERE bank = ? AND parent_account = ? AND day = ? AND state = ? ORDER BY revision DESC LIMIT 1", bank, parent, day, Complete)
}

// StatementBefore is the last complete statement of an account before a day; ErrNone if there is none.
func StatementBefore(ctx context.Context, r sqldb.Reader, bank, parent string, day deposit.Day) (StatementRow, error) {
	return statements.One(ctx, r, "WHERE bank = ? AND parent_account = ? AND day < ? AND state = ? ORDER BY day DESC, revision DESC LIMIT 1", bank, parent, day, Complete)
}

// Book is a parent account of a bank that has something booked.
type Book struct{ Bank, ParentAccount string }

// BooksOn lists the parent accounts that have entries or a statement on a day.
func BooksOn(ctx context.Context, r sqldb.Reader, day deposit.Day) ([]Book, error) {
	return sqldb.Select(ctx, r, func(b *Book) []any { return []any{&b.Bank, &b.ParentAccount} },
		"SELECT bank, parent_account FROM entries WHERE booking_date = ? UNION SELECT bank, parent_account FROM statements WHERE day = ? ORDER BY 1, 2", day, day)
}

// MessageByID reads a kept message; of a file, Body is empty and Parts gives the bytes.
func MessageByID(ctx context.Context, r sqldb.Reader, id sqldb.ID) (StoredMessage, error) {
	return messages.One(ctx, r, "WHERE id = ?", id)
}

// MessageByExternalID gives the key of the message that came first under an id of its sender.
func MessageByExternalID(ctx context.Context, r sqldb.Reader, bank, externalID string) (sqldb.ID, error) {
	return sqldb.Value[sqldb.ID](ctx, r, "SELECT id FROM messages WHERE bank = ? AND external_id = ?", bank, externalID)
}
