package bank

import "depositd/platform/deposit"

// longestRest is how many days may lie between the moment of a credit and the bank's accounting day: the longest public
// holiday and the weekend beside it.
const longestRest = 10

// otherDays are the days on which the other side may have put a booking; none for nearly all. A notice that tells no
// accounting day stands on the day of its clock, the statement, after the bank's cut-off or at a weekend, on the next. Without
// looking there one payment would be two: the same serial, side, amount and second are the same booking.
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
