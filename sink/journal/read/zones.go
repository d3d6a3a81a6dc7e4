package read

import (
	"fmt"
	"time"

	"hbjournal/sink/journal"
)

// A zoneRun is entries that follow each other and whose datetimes are the same time ahead of UTC.
type zoneRun struct {
	path   string
	offset time.Duration
	first  instant // where it begins
	last   int64   // its latest time, in Unix milliseconds
}

// offsetOf is how far the datetime of e is ahead of its timestamp, to the second; false: no zone is.
func offsetOf(e *journal.Entry) (time.Duration, bool) {
	const west, east = -12 * time.Hour, 14 * time.Hour
	shown, err := time.Parse(journal.DatetimeLayout, e.Datetime())
	offset := shown.Sub(time.UnixMilli(e.Millis).Truncate(time.Second))
	return offset, err == nil && offset%(15*time.Minute) == 0 && offset >= west && offset <= east
}

// addZone adds an entry to the runs of a block.
func (c *checked) addZone(offset time.Duration, at instant) {
	if n := len(c.zones); n > 0 && c.zones[n-1].offset == offset {
		c.zones[n-1].last = max(c.zones[n-1].last, at.millis)
		return
	}
	c.zones = append(c.zones, zoneRun{path: c.path, offset: offset, first: at, last: at.millis})
}

// shortestZone is how long a zone is kept at least before the one before it comes back.
const shortestZone = time.Hour

// zones tells changes of the zone from datetimes that are wrong. The zone of a journal changes with the season, and when
// somebody sets another one: then it stays. What is ahead or behind only for a few lines, after which all is as before,
// is no zone. About a change the lines may stand in an order that is not quite that of their times, so a line from before it
// does not take the change back.
type zones struct {
	known   bool
	settled zoneRun   // the zone that holds
	other   []zoneRun // since then, too short so far to be a zone
}

// add takes the next run, and returns the faults that it shows.
func (z *zones) add(run zoneRun) (faults []*CorruptError) {
	switch {
	case !z.known:
		z.known, z.settled = true, run
	case run.offset == z.settled.offset && len(z.other) == 0:
	case run.offset == z.settled.offset && run.last < z.other[0].first.millis:
		// It is from before the change.
	case run.offset == z.settled.offset:
		for _, wrong := range z.other {
			faults = append(faults, wrong.fault(z.settled.offset))
		}
		z.other = nil
	default:
		z.change(run)
	}
	return faults
}

// change takes a run of another zone than the settled one.
func (z *zones) change(run zoneRun) {
	if n := len(z.other); n > 0 && z.other[n-1].offset == run.offset {
		z.other[n-1].last = max(z.other[n-1].last, run.last)
	} else {
		z.other = append(z.other, run)
	}
	newest := z.other[len(z.other)-1]
	if newest.last-newest.first.millis >= shortestZone.Milliseconds() {
		z.settled, z.other = newest, nil
	}
}

func (r zoneRun) fault(settled time.Duration) *CorruptError {
	return &CorruptError{
		Path: r.path, Line: r.first.line, Offset: r.first.offset,
		Err: fmt.Errorf("%w: %s instead of %s", ErrZone, offsetText(r.offset), offsetText(settled)),
	}
}

// offsetText is an offset as in RFC 3339, +09:00.
func offsetText(offset time.Duration) string {
	return time.Unix(0, 0).In(time.FixedZone("", int(offset.Seconds()))).Format("-07:00")
}
