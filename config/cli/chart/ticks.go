package chart

import "time"

// Tick is one mark of a time axis: where it stands, as a share of the axis, and what it says.
type Tick struct {
	At   float64
	Text string
}

// Ticks returns at most most marks of the time axis from one instant to another, at round clock times of the zone.
func Ticks(from, to time.Time, most int, zone *time.Location) []Tick {
	length := to.Sub(from)
	if length <= 0 || most < 1 {
		return nil
	}
	step, layout := tickStep(length, most)
	var out []Tick
	// The steps are steps of the clock on the wall, which may be put forward or back on the way.
	for wall := onTheWall(from, zone).Truncate(step); len(out) < most; wall = wall.Add(step) {
		at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
		if at.After(to) {
			break
		}
		if !at.Before(from) {
			out = append(out, Tick{float64(at.Sub(from)) / float64(length), tickText(at, layout)})
		}
	}
	return out
}

// onTheWall returns what the clock of the zone shows at an instant, as if it were UTC.
func onTheWall(at time.Time, zone *time.Location) time.Time {
	_, offset := at.In(zone).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// tickText is what a mark says. Where times of a day are marked, midnight says which day begins.
func tickText(at time.Time, layout string) string {
	if layout == clockLayout && at.Hour() == 0 && at.Minute() == 0 {
		layout = dayLayout
	}
	return at.Format(layout)
}

const (
	clockLayout = "15:04"
	dayLayout   = "Jan 2"
)

// tickStep returns the least round step that divides length into at most most parts, and how its instants are written.
func tickStep(length time.Duration, most int) (step time.Duration, layout string) {
	const day = 24 * time.Hour
	steps := []time.Duration{
		time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 28 * day,
	}
	step = steps[len(steps)-1]
	for _, s := range steps {
		if length/s < time.Duration(most) {
			step = s
			break
		}
	}
	for length/step >= time.Duration(most) {
		step *= 2
	}
	switch {
	case step < time.Minute:
		return step, "15:04:05"
	case step < day:
		return step, clockLayout
	case length < 365*day:
		return step, dayLayout
	}
	return step, "Jan 2006"
}
