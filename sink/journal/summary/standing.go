package summary

import (
	"cmp"
	"math"
	"slices"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// State is whether a host keeps what it promised.
type State uint8

// The kinds of State, from good to bad. Unpromised is a host that never said when its next beat comes.
const (
	Unpromised State = iota
	OK               // its next beat is not due yet
	Late             // its next beat is due, by less than half an interval
	Gone             // its next beat is missed: it is silent
)

// Standing is how a host stands at one instant.
type Standing struct {
	State    State
	LastBeat journal.Instant // none if it never sent any
	Due      journal.Instant // when the beat after the last one should have come; none if it was not promised
	Missed   int64           // beats in a row that should have come since, but did not
}

// Standing returns how h stands at now, by the same rule as the report judges the silence at its end.
func (h *Host) Standing(now time.Time) Standing {
	s := Standing{LastBeat: h.LastBeat}
	interval := int64(math.Round(h.Interval * 1000))
	if h.LastBeat == 0 || interval <= 0 {
		return s
	}
	at := journal.InstantOf(now)
	s.State, s.Due, s.Missed = OK, h.LastBeat+journal.Instant(interval), presence.Missed(int64(at-h.LastBeat), interval, presence.DefaultGrace)
	switch {
	case s.Missed > 0:
		s.State = Gone
	case at > s.Due:
		s.State = Late
	}
	return s
}

// SilentHosts returns the hosts that are silent at the report's end, those that fell silent first in front.
func (r *Report) SilentHosts() []*Host {
	var silent []*Host
	for i := range r.Hosts {
		if h := &r.Hosts[i]; h.Silent {
			silent = append(silent, h)
		}
	}
	slices.SortStableFunc(silent, func(a, b *Host) int { return cmp.Compare(a.LastBeat, b.LastBeat) })
	return silent
}
