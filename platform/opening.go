package platform

import (
	"context"
	"fmt"
	"slices"
	"time"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// wordKind is what persons say together of a lot's opening.
type wordKind string

const (
	saidOpened  wordKind = "OPENED"  // it was opened, though the platform has not told us
	saidEarlier wordKind = "EARLIER" // it may become earlier, as the platform wishes
)

// openingWord is one person's word. At step 0 it is the platform's wish; two persons are steps 1 and 2.
type openingWord struct {
	ID      sqldb.ID
	LotID   sqldb.ID
	Kind    wordKind
	OpensAt time.Time
	Step    int
	Person  string
	Reason  string
	SaidAt  time.Time
}

var openingWords = sqldb.NewTable("opening_words", "id, lot_id, kind, opens_at, step, person, sealed, said_at", func(w *openingWord) []any {
	return []any{&w.ID, &w.LotID, &w.Kind, sqldb.Wall(&w.OpensAt), &w.Step, &w.Person, sqldb.SealedIfAny("opening_words", &w.ID, &w.Reason), sqldb.Wall(&w.SaidAt)}
})

// Agreement is how far two persons have come with a lot's opening.
type Agreement struct {
	Lot     Lot // as it is afterwards
	Persons []string
	Done    bool // both have said it
}

// earlierNotice is how long before an earlier opening it must be settled: bidders have to be told, and nobody shall bring
// an opening about from one hour to the next (safety page §7.4).
const earlierNotice = 24 * time.Hour

// wishEarlier keeps the platform's wish for an earlier opening. Said again, nothing changes.
func wishEarlier(ctx context.Context, tx *sqldb.Tx, lot Lot, opensAt time.Time) error {
	if err := inNotice(ctx, tx, opensAt); err != nil {
		return err
	}
	said, err := wordsOn(ctx, tx, lot, saidEarlier, opensAt)
	if err != nil || len(said) > 0 {
		return err
	}
	wish := openingWord{ID: tx.NewID(), LotID: lot.ID, Kind: saidEarlier, OpensAt: opensAt, Person: "", SaidAt: tx.Now}
	if err := openingWords.Insert(ctx, tx, wish); err != nil {
		return err
	}
	return tx.Note(ctx, "lots", lot.ID, "EARLIER_WISHED", "平台要求开标时间提前："+deposit.Wall(lot.OpensAt)+" → "+deposit.Wall(opensAt)+"，待两人同意")
}

// inNotice refuses an opening that trusted time is nearer to than the notice: neither a clock set back nor one set forward makes
// it shorter.
func inNotice(ctx context.Context, tx *sqldb.Tx, opensAt time.Time) error {
	now, err := tx.Trusted(ctx)
	if err != nil || !opensAt.Before(now.Time.Add(earlierNotice)) {
		return err
	}
	return deposit.Refuse(deposit.Conflict, "notice_short", "opening_at 开标时间提前须至少提前 24 小时确定，请改为更晚的时间，或维持原定时间")
}

func wordsOn(ctx context.Context, r sqldb.Reader, lot Lot, kind wordKind, opensAt time.Time) ([]openingWord, error) {
	return openingWords.All(ctx, r, "WHERE lot_id = ? AND kind = ? AND opens_at = ? ORDER BY step", lot.ID, kind, sqldb.At(opensAt))
}

// Word is what a person says of a lot's opening, and why.
type Word struct {
	By     string
	Eyes   deposit.Sight // a department opens its own lots
	Lot    string        // its number
	Reason string        // 1–400 characters
}

// lot is the lot that the word is on: another department's is, to who may say nothing of it, not there.
func (w Word) lot(ctx context.Context, tx *sqldb.Tx) (Lot, error) {
	lot, err := LotByNumber(ctx, tx, w.Lot)
	if err == nil && !w.Eyes.Reaches(lot.Department) {
		err = unknownLot()
	}
	return lot, err
}

// AgreeEarlier is a person's consent that a lot's opening becomes earlier, as the platform wishes it. With the second
// person's it does, at least 24 hours ahead. NotFound "lot_unknown", "earlier_unasked"; Denied "same_person"; Conflict
// "notice_short", "state_forbids".
func (d *Desk) AgreeEarlier(ctx context.Context, w Word, opensAt time.Time) (a Agreement, err error) {
	if err := requireText("reason", &w.Reason, 400); err != nil {
		return a, err
	}
	if err := requireTime("opening_at", &opensAt); err != nil {
		return a, err
	}
	err = d.write(ctx, w.By, func(tx *sqldb.Tx) error {
		lot, err := w.lot(ctx, tx)
		if err != nil {
			return err
		}
		said, err := wordsOn(ctx, tx, lot, saidEarlier, opensAt)
		switch {
		case err != nil:
			return err
		case len(said) == 0 || !opensAt.Before(lot.OpensAt):
			return deposit.Refuse(deposit.NotFound, "earlier_unasked", "opening_at 平台没有要求把开标时间提前到这一时间，请核对")
		case lot.State != LotAnnounced:
			return forbidden("标段", lot.State.Chinese(), EventOpeningMoved)
		}
		if err := inNotice(ctx, tx, opensAt); err != nil {
			return err
		}
		if a, err = say(ctx, tx, lot, openingWord{Kind: saidEarlier, OpensAt: opensAt, Reason: w.Reason}, said[1:]); err != nil || !a.Done {
			return err
		}
		earlier := lot
		earlier.OpensAt = opensAt
		if a.Lot, err = moveLot(ctx, tx, lot, earlier, fmt.Sprint(EventOpeningMoved.Chinese(), "（", a.Persons[0], "、", a.Persons[1], " 两人同意）")); err != nil {
			return err
		}
		return touchLots(ctx, tx, []sqldb.ID{lot.ID})
	})
	return a, err
}

// SayOpened is a person's word that a lot was opened, for when the platform cannot say so. With the second person's the lot
// is open. NotFound "lot_unknown"; Denied "same_person"; Conflict "opening_early" before its hour by the database's clock,
// "state_forbids".
func (d *Desk) SayOpened(ctx context.Context, w Word) (a Agreement, err error) {
	if err := requireText("reason", &w.Reason, 400); err != nil {
		return a, err
	}
	err = d.write(ctx, w.By, func(tx *sqldb.Tx) error {
		lot, err := w.lot(ctx, tx)
		if err != nil {
			return err
		}
		now, err := tx.Trusted(ctx)
		if err != nil {
			return err
		}
		opening := EventOrder{Number: "KB-" + lot.ID.String() + "-" + lot.OpensAt.Format("20060102150405"), Kind: EventOpened, Lot: w.Lot, HappenedAt: now.Clock}
		if _, err := lot.after(opening, now.Time); err != nil {
			return err
		}
		said, err := wordsOn(ctx, tx, lot, saidOpened, lot.OpensAt)
		if err != nil {
			return err
		}
		if a, err = say(ctx, tx, lot, openingWord{Kind: saidOpened, OpensAt: lot.OpensAt, Reason: w.Reason}, said); err != nil || !a.Done {
			return err
		}
		opening.Note = fmt.Sprint(a.Persons[0], "、", a.Persons[1], " 两人确认：", w.Reason)
		if _, err := recordEvents(ctx, tx, "", []EventOrder{opening}); err != nil {
			return err
		}
		a.Lot, err = LotByNumber(ctx, tx, w.Lot)
		return err
	})
	return a, err
}

// say keeps the transaction's author's word beside what was said before him.
func say(ctx context.Context, tx *sqldb.Tx, lot Lot, w openingWord, before []openingWord) (a Agreement, err error) {
	a.Lot = lot
	for _, b := range before {
		a.Persons = append(a.Persons, b.Person)
	}
	switch {
	case slices.Contains(a.Persons, tx.By):
		return a, deposit.Refuse(deposit.Denied, "same_person", "您已经签过，须由另一人确认")
	case len(a.Persons) >= 2:
		return a, deposit.Refuse(deposit.Conflict, "state_forbids", "已由两人确认，不必重复")
	}
	w.ID, w.LotID, w.Step, w.Person, w.SaidAt = tx.NewID(), lot.ID, len(a.Persons)+1, tx.By, tx.Now
	if err := openingWords.Insert(ctx, tx, w); err != nil {
		return a, err
	}
	a.Persons = append(a.Persons, tx.By)
	a.Done = len(a.Persons) == 2
	return a, tx.Note(ctx, "lots", lot.ID, fmt.Sprint(w.Kind, "_SAID_", w.Step), w.Reason)
}

// openedByPersons says that two persons had opened the lot before the platform told it: its word is kept and changes nothing.
func (r *register) openedByPersons(ctx context.Context, lot Lot) (bool, error) {
	if lot.State != LotOpened {
		return false, nil
	}
	said, err := wordsOn(ctx, r.tx, lot, saidOpened, lot.OpensAt)
	return len(said) == 2, err
}

// EarlierWished is the earliest opening that the platform wishes for a lot and two persons have not agreed on; zero where none.
func EarlierWished(ctx context.Context, r sqldb.Reader, lot Lot) (time.Time, error) {
	wished, err := openingWords.All(ctx, r, "WHERE lot_id = ? AND kind = ? AND step = 0 AND opens_at < ? ORDER BY opens_at LIMIT 1", lot.ID, saidEarlier, sqldb.At(lot.OpensAt))
	if err != nil || len(wished) == 0 {
		return time.Time{}, err
	}
	return wished[0].OpensAt, nil
}
