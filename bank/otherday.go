package bank

import (
	"context"

	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// longestRest is how many days may lie between the moment of a credit and the bank's accounting day: the longest public
// holiday and the weekend beside it.
const longestRest = 10

// findOnOtherDay recognises a booking that notice and statement put on different days: a notice that tells no accounting
// day stands on the day of its clock, the statement, after the bank's cut-off or at a weekend, on the next. Without it one
// payment would be two. The same serial, side, amount and second are the same booking, if only the other of the two has
// told of it so far. What is found is added to known.
func findOnOtherDay(ctx context.Context, tx *sqldb.Tx, seen []Entry, source Source, known map[Identity]Entry) error {
	for i := range seen {
		e := &seen[i]
		if _, there := known[e.Identity()]; there {
			continue
		}
		for _, day := range otherDays(e, source, deposit.DayOf(tx.Now)) {
			there, err := entries.All(ctx, tx, "WHERE booking_date = ? AND bank = ? AND parent_account = ? AND serial = ? AND serial_seq = ? AND direction = ? AND reversal = ? "+
				"AND amount = ? AND booked_at = ? AND NOT EXISTS (SELECT 1 FROM sightings AS s WHERE s.entry_id = entries.id AND s.source = ?)",
				day, e.Bank, e.ParentAccount, e.Serial, e.SerialSeq, e.Direction, e.Reversal, e.Amount, sqldb.At(e.BookedAt), source)
			if err != nil {
				return err
			}
			if len(there) == 1 {
				known[e.Identity()] = there[0]
				break
			}
		}
	}
	return nil
}

// otherDays are the days on which the other side may have put a booking; none for nearly all.
func otherDays(e *Entry, source Source, today deposit.Day) (days []deposit.Day) {
	clock := deposit.DayOf(e.BookedAt)
	switch {
	case source == FromStatement && clock != e.BookingDate:
		return []deposit.Day{clock}
	case source == FromNotice && clock == e.BookingDate && today > e.BookingDate: // it comes late: the statement may be here
		for n := 1; n <= longestRest; n++ {
			days = append(days, e.BookingDate.Add(n))
		}
	}
	return days
}
