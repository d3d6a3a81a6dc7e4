package presence

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"time"
)

// Change is what happened to a host.
type Change string

// The changes.
const (
	Fell Change = "silent"
	Back Change = "back" // it was silent, and beat for one clean interval
	Boot Change = "boot"
	// Doubt takes Fell back: a loss came to be known, later than that, because of which it could not have been heard. The next change is
	// Back with its next beat, or Fell once that is missed too.
	Doubt Change = "unknown"
)

// Event is a change. The same journal always gives the same events.
type Event struct {
	ID       string // made of the change, the name and the time it was due: two that have the same are the same
	Change   Change
	Name     string
	Address  string
	Due      time.Time     // when it was due to be said, whenever it could be
	Last     time.Time     // its last beat before it; zero if it sent none
	Interval time.Duration // that it promised with that; 0: none
	Missed   int64         // beats, if it fell silent or is back
}

// Changes goes on to an instant, and returns the changes up to it since the last call, in the order in which they came to be
// known. As with Judge, the entries up to it should have been added.
func (b *Board) Changes(now time.Time) []Event {
	b.advance(millis(now))
	events := b.events
	b.events = nil
	return events
}

// Standing returns the events by which those hosts fell silent that are so now, in the order of their times.
func (b *Board) Standing() []Event {
	var events []Event
	for _, h := range b.hosts {
		if h.told {
			events = append(events, b.event(Fell, h, h.fell+b.opt.For.Milliseconds()))
		}
	}
	slices.SortFunc(events, func(a, b Event) int { return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Name, b.Name)) })
	return events
}

func (b *Board) tell(what Change, h *host, due int64) {
	if b.opt.Events {
		b.events = append(b.events, b.event(what, h, due))
	}
}

func (b *Board) event(what Change, h *host, due int64) Event {
	one := Event{
		ID: eventID(what, h.name, due), Change: what, Name: h.name, Address: h.from.Unmap().String(), Due: instant(due),
		Last: instant(h.beat), Interval: time.Duration(h.interval) * time.Millisecond,
	}
	switch what {
	case Fell:
		one.Missed = h.missed + max(1, b.missedBy(h, due))
	case Back, Doubt:
		one.Missed = h.missed
	}
	return one
}

// eventID is like the id that an output gives an entry: 26 letters and digits.
func eventID(what Change, name string, due int64) string {
	sum := sha256.Sum256([]byte(string(what) + "\x00" + strconv.FormatInt(due, 10) + "\x00" + name))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:26]
}
