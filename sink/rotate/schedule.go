package rotate

import "time"

// schedule divides time into periods by the wall clock of a zone: they are counted from a Monday's midnight on that
// clock, so that hours, days, weeks and all that divides them begin where people expect.
//
// Where the clock jumps forward over the end of a period, the period ends with the jump. Where it goes back, a period
// lasts that much longer, unless it is a whole period or more that is repeated: then each time round is a period.
type schedule struct {
	every time.Duration
	zone  *time.Location
}

// next returns the end of the period that t is in: the first moment after t that belongs to another one.
func (s schedule) next(t time.Time) time.Time {
	for {
		clock, offset := s.clock(t)
		period := s.period(clock)
		end := t.Add((period+1)*s.every - clock)
		_, jump := t.In(s.zone).ZoneBounds()
		if jump.IsZero() || jump.After(end) {
			return end
		}
		clock, after := s.clock(jump)
		if s.period(clock) != period || offset-after >= s.every {
			return jump
		}
		t = jump
	}
}

// clock is what the wall clock shows at t, since midnight of a Monday long past, and its offset from UTC.
func (s schedule) clock(t time.Time) (clock, offset time.Duration) {
	_, seconds := t.In(s.zone).Zone()
	offset = time.Duration(seconds) * time.Second
	monday := time.Unix(-3*24*60*60, 0) // 1969-12-29
	return t.Add(offset).Sub(monday), offset
}

// period is the number of the period that the clock is in.
func (s schedule) period(clock time.Duration) time.Duration {
	n := clock / s.every
	if clock%s.every < 0 {
		n--
	}
	return n
}
