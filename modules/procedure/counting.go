package procedure

// lastDay is the last day of a deadline that an event on the day first starts.
//
// Counting goes by the European Convention on the Calculation of Time-Limits
// (ETS 76), articles 3 to 5, with the three ways of treating the first and last
// day that the documents need:
//
//	next-day   the day of the event does not count
//	inclusive  it does
//	francs     neither it nor the last day counts (Côte d'Ivoire, CPCCA art. 430)
//
// Extensions are added to the length before the day that francs leaves out, and
// a closed last day is seen to at the very end.
func lastDay(c *Calendar, counting Counting, closed LastDay, first Day, length Length, added []Length) Day {
	var last Day
	if counting == Inclusive {
		last = c.including(first, length)
	} else {
		last = c.after(first, length)
	}
	for _, more := range added {
		last = c.after(last, more)
	}
	if counting == Francs {
		last++
		if length.Unit == CourtDays {
			last = c.onOrAfter(last)
		}
	}
	switch closed {
	case NextCourtDay:
		return c.onOrAfter(last)
	case PreviousCourtDay:
		return c.onOrBefore(last)
	}
	return last
}

// after goes a length on from a day that does not count itself.
func (c *Calendar) after(day Day, length Length) Day {
	switch length.Unit {
	case Weeks:
		return day + Day(7*length.Count)
	case Months:
		day, _ = day.addMonths(length.Count)
		return day
	case Years:
		day, _ = day.addMonths(12 * length.Count)
		return day
	case CourtDays:
		for range length.Count {
			day = c.onOrAfter(day + 1)
		}
		return day
	}
	return day + Day(length.Count)
}

// including goes a length on from a day that counts. Months end on the day
// before the one with the same number: from 1 January one month is January. When
// the last month has no such day, it ends with that month.
func (c *Calendar) including(first Day, length Length) Day {
	months := length.Count
	switch length.Unit {
	case Years:
		months *= 12
	case Months:
	default:
		return c.after(first-1, length)
	}
	last, exact := first.addMonths(months)
	if exact {
		last--
	}
	return last
}

// onOrAfter is the first court day that is not before a day.
func (c *Calendar) onOrAfter(day Day) Day {
	for !c.CourtDay(day) {
		day++
	}
	return day
}

// onOrBefore is the last court day that is not after a day.
func (c *Calendar) onOrBefore(day Day) Day {
	for !c.CourtDay(day) {
		day--
	}
	return day
}
