package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"depositd/bank"
	"depositd/migrations/sqldb"
	"depositd/platform"
	"depositd/platform/deposit"
)

// CloseDay compares a day's statements with its notices, both ways, proves the balances, judges what the day changed, and
// reports. The statement is the truth: a line that was never pushed counts as paid at its booking time. It may be run
// again at any time, also when a later statement or notice has come; without news it changes nothing.
func (d *Desk) CloseDay(ctx context.Context, by string, day deposit.Day) (*Report, error) {
	if _, err := d.JudgeAll(ctx); err != nil {
		return nil, err
	}
	books, err := d.books(ctx, day)
	if err != nil {
		return nil, err
	}
	for _, b := range books {
		if err := errors.Join(d.closeBook(ctx, by, b, day), d.chainOn(ctx, by, b, day), d.orphansOn(ctx, by, b, day)); err != nil {
			return nil, fmt.Errorf("close %s of %s: %w", day, b.Bank, err)
		}
	}
	if err := d.openings(ctx, by, day); err != nil {
		return nil, fmt.Errorf("bids of %s: %w", day, err)
	}
	if _, err := d.JudgeAll(ctx); err != nil {
		return nil, err
	}
	if err := d.delayed(ctx, by, day, books); err != nil {
		return nil, fmt.Errorf("delayed notices of %s: %w", day, err)
	}
	if err := d.sealDays(ctx, by); err != nil {
		return nil, err
	}
	if err := d.findViolations(ctx, by, day); err != nil {
		return nil, err
	}
	return d.Report(ctx, day)
}

// books lists the accounts that have something on a day, and those of banks.yaml, of which a statement is expected.
func (d *Desk) books(ctx context.Context, day deposit.Day) ([]bank.Book, error) {
	books, err := bank.BooksOn(ctx, d.db, day)
	for _, b := range d.banks.All() {
		for _, parent := range b.ParentAccounts {
			if book := (bank.Book{Bank: b.Code, ParentAccount: parent}); !slices.Contains(books, book) {
				books = append(books, book)
			}
		}
	}
	return books, err
}

// expectsNotices says whether a bank pushes at all; one that does not misses none.
func (d *Desk) expectsNotices(code string) bool {
	b, err := d.banks.Bank(code)
	return err == nil && b.Notices != bank.None
}

// found collects findings while a comparison streams by.
type found struct {
	subjects []sqldb.ID
	wanted   []Finding
}

func (f *found) entry(e *bank.Entry, code Code, detail string) {
	f.wanted = append(f.wanted, Finding{Subject: e.ID, Code: code, Reasons: string(code), Day: e.BookingDate, Bank: e.Bank, ParentAccount: e.ParentAccount,
		Amount: e.Amount, Department: string(meanings[code].acts), Detail: detail})
	f.subjects = append(f.subjects, e.ID)
}

// place notes whose number each of the credits is on, as they were judged.
func (f *found) place(ctx context.Context, r sqldb.Reader) error {
	judged, err := matchesOf(ctx, r, f.subjects)
	for i := range f.wanted {
		m := judged[f.wanted[i].Subject]
		f.wanted[i].LotID, f.wanted[i].BidID = m.LotID, m.BidID
	}
	return err
}

// closeBook compares one account's day and keeps its findings.
func (d *Desk) closeBook(ctx context.Context, by string, b bank.Book, day deposit.Day) error {
	fig, err := d.look(ctx, b, day)
	if err != nil {
		return err
	}
	var missing, orphans found
	if fig.statement != nil {
		err = bank.NotOnStatement(ctx, d.db, b, day, fig.statement.ID, func(e *bank.Entry) error {
			orphans.entry(e, AdviceOrphan, "银行已推送，但当日对账单无此流水")
			return nil
		})
		if err == nil && d.expectsNotices(b.Bank) {
			err = bank.NeverPushed(ctx, d.db, b, day, fig.statement.ID, func(e *bank.Entry) error {
				missing.entry(e, AdviceMissing, "对账单有此流水，银行未推送到账通知")
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	if err := errors.Join(missing.place(ctx, d.db), orphans.place(ctx, d.db)); err != nil {
		return err
	}
	return d.db.Write(ctx, by, func(tx *sqldb.Tx) error {
		if fig.statement == nil {
			return keepClosing(ctx, tx, fig)
		}
		if err := keepOnDay(ctx, tx, KindMissing, b, day, missing); err != nil {
			return err
		}
		if err := keepOnDay(ctx, tx, KindOrphan, b, day, orphans); err != nil {
			return err
		}
		if err := keepProofs(ctx, tx, fig); err != nil {
			return err
		}
		return keepClosing(ctx, tx, fig)
	})
}

// chainOn compares an account's next day again where it no longer begins as it was found to: a corrected statement has
// moved the balance that it follows on.
func (d *Desk) chainOn(ctx context.Context, by string, b bank.Book, day deposit.Day) error {
	next, err := closings.One(ctx, d.db, "WHERE bank = ? AND parent_account = ? AND day > ? AND statement_id <> 0 ORDER BY day LIMIT 1", b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	fig, err := d.look(ctx, b, next.Day)
	if err != nil || fig.chain == next.Chain && fig.chain != ChainIsBroken {
		return err
	}
	return d.closeBook(ctx, by, b, next.Day)
}

// orphansOn compares the days again whose notices were on no statement until this one came: the bank books on another day
// than the notice's clock told.
func (d *Desk) orphansOn(ctx context.Context, by string, b bank.Book, day deposit.Day) error {
	s, err := bank.StatementOf(ctx, d.db, b.Bank, b.ParentAccount, day)
	if errors.Is(err, sqldb.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	days, err := bank.OrphansOn(ctx, d.db, b, s.ID)
	for _, earlier := range days {
		if earlier != day && err == nil {
			err = d.closeBook(ctx, by, b, earlier)
		}
	}
	return err
}

// keepOnDay makes the findings of a kind on an account's day be exactly those found. A credit that becomes an orphan, or
// ceases to be one, is judged again.
func keepOnDay(ctx context.Context, tx *sqldb.Tx, kind FindingKind, b bank.Book, day deposit.Day, f found) error {
	standing, err := findings.All(ctx, tx, "WHERE day = ? AND kind = ? AND bank = ? AND parent_account = ?", day, kind, b.Bank, b.ParentAccount)
	if err != nil {
		return err
	}
	is, was := map[sqldb.ID]bool{}, map[sqldb.ID]bool{}
	for _, one := range f.wanted {
		is[one.Subject] = true
	}
	subjects := f.subjects
	for _, old := range standing {
		was[old.Subject] = old.State != Cleared
		if !is[old.Subject] {
			subjects = append(subjects, old.Subject)
		}
	}
	if err := keep(ctx, tx, kind, subjects, f.wanted); err != nil || kind != KindOrphan {
		return err
	}
	for _, id := range subjects {
		if _, known := was[id]; is[id] && !known || !is[id] && was[id] {
			if err := bank.Requeue(ctx, tx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepProofs keeps the findings on a statement whose figures do not hold together, or that does not begin where the last
// one ended. Those on an earlier revision of it go with that revision.
func keepProofs(ctx context.Context, tx *sqldb.Tx, fig figures) error {
	s := fig.statement
	subject := []sqldb.ID{s.ID}
	base := Finding{Subject: s.ID, Day: fig.day, Bank: s.Bank, ParentAccount: s.ParentAccount, Department: string(Finance)}
	var balance, chain []Finding
	if why := s.Unproved(); why != "" {
		f := base
		f.Code, f.Reasons, f.Amount, f.Detail = BalanceMismatch, string(BalanceMismatch), s.Gap, why
		balance = append(balance, f)
	}
	if fig.chain == ChainIsBroken {
		f := base
		f.Code, f.Reasons, f.Amount = ChainBroken, string(ChainBroken), s.Opening-fig.before
		f.Detail = "期初 " + s.Opening.Grouped() + "，上一份对账单期末 " + fig.before.Grouped()
		chain = append(chain, f)
	}
	if err := keepOnDay(ctx, tx, KindBalance, fig.book, fig.day, found{subject, balance}); err != nil {
		return err
	}
	return keepOnDay(ctx, tx, KindChain, fig.book, fig.day, found{subject, chain})
}

// openings keeps the findings on bids that have no deposit though their lot opened on the day, and asks for another
// verdict on payments that were waiting for the rest.
func (d *Desk) openings(ctx context.Context, by string, day deposit.Day) error {
	lots, err := platform.LotsOpening(ctx, d.db, day.Start(), day.Add(1).Start())
	if err != nil {
		return err
	}
	byID := map[sqldb.ID]platform.Lot{}
	var ids []sqldb.ID
	for _, lot := range lots {
		if opened(lot, d.db.Now()) {
			byID[lot.ID], ids = lot, append(ids, lot.ID)
		}
	}
	bids, err := platform.BidsOf(ctx, d.db, ids)
	if err != nil || len(bids) == 0 {
		return err
	}
	for len(bids) > 0 {
		n := min(creditsAtOnce, len(bids))
		some := bids[:n]
		if err := d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return assess(ctx, tx, some, byID) }); err != nil {
			return err
		}
		bids = bids[n:]
	}
	return nil
}

func assess(ctx context.Context, tx *sqldb.Tx, bids []platform.Bid, lots map[sqldb.ID]platform.Lot) error {
	ids := make([]sqldb.ID, len(bids))
	for i, b := range bids {
		ids[i] = b.ID
	}
	sums, err := countedOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	var wanted []Finding
	for _, b := range bids {
		if p := (platform.Claim{Bid: b, Lot: lots[b.LotID]}); owes(p, sums[b.ID], tx.Now) {
			wanted = append(wanted, unpaid(p))
		}
	}
	if err := keep(ctx, tx, KindBid, ids, wanted); err != nil {
		return err
	}
	return sqldb.Chunks(ids, func(in string, args []any) error {
		waiting, err := matches.All(ctx, tx, "WHERE reasons LIKE 'PARTIAL_PAYMENT%' AND bid_id IN "+in, args...)
		for _, m := range waiting {
			err = errors.Join(err, bank.Requeue(ctx, tx, m.EntryID))
		}
		return err
	})
}

// delayed keeps the findings on credits that were in time, but whose first notice came after the opening.
func (d *Desk) delayed(ctx context.Context, by string, day deposit.Day, books []bank.Book) error {
	type late struct {
		ID     sqldb.ID
		Seen   time.Time
		Opened time.Time
	}
	rows, err := sqldb.Select(ctx, d.db, func(l *late) []any { return []any{&l.ID, sqldb.Wall(&l.Seen), sqldb.Wall(&l.Opened)} },
		"SELECT e.id, MIN(n.seen_at), MIN(l.opens_at) FROM entries AS e JOIN matches AS m ON m.entry_id = e.id JOIN lots AS l ON l.id = m.lot_id "+
			"JOIN sightings AS n ON n.entry_id = e.id AND n.source = 'N' WHERE e.booking_date = ? AND e.booked_at < l.opens_at "+
			"GROUP BY e.id HAVING MIN(n.seen_at) >= MIN(l.opens_at)", day)
	if err != nil {
		return err
	}
	seen := map[sqldb.ID]late{}
	var ids []sqldb.ID
	for _, l := range rows {
		seen[l.ID], ids = l, append(ids, l.ID)
	}
	entries, err := bank.EntriesByID(ctx, d.db, ids)
	if err != nil {
		return err
	}
	byBook := map[bank.Book]*found{}
	for _, b := range books {
		byBook[b] = &found{}
	}
	for i := range entries {
		e := &entries[i]
		byBook[bank.Book{Bank: e.Bank, ParentAccount: e.ParentAccount}].entry(e, AdviceDelayed, "开标 "+deposit.Wall(seen[e.ID].Opened)+"，通知 "+deposit.Wall(seen[e.ID].Seen)+" 才到")
	}
	for b, f := range byBook {
		if err := f.place(ctx, d.db); err != nil {
			return err
		}
		if err := d.db.Write(ctx, by, func(tx *sqldb.Tx) error { return keepOnDay(ctx, tx, KindDelayed, b, day, *f) }); err != nil {
			return err
		}
	}
	return nil
}
