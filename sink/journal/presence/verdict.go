package presence

import (
	"slices"
	"time"

	"hbjournal/sink/journal"
)

// State is how a host stands.
type State string

// The states. They hold until the next beat, or until the next one is due.
const (
	Silent     State = "silent"     // it missed a beat, or came back but not for a whole interval yet
	Unknown    State = "unknown"    // its beats could not be heard: whose fault it is that none came is not known
	Late       State = "late"       // its beat is due, but may come yet
	Unpromised State = "unpromised" // it never said when its next beat comes, so nothing can be said of it
	OK         State = "ok"         // its next beat is not due yet
)

// States are all states, the worst first.
func States() []State { return []State{Silent, Unknown, Late, Unpromised, OK} }

// Host is how one host stands.
type Host struct {
	Name      string
	Address   string // that it was heard from last
	Journal   string // the directory of the journal that heard it last
	State     State
	Last      time.Time     // its last message, whatever it was
	Beat      time.Time     // its last beat; zero if it sent none
	Interval  time.Duration // after which it promised the next; 0: it did not
	Due       time.Time     // when the next beat is due, or the first one that did not come; zero: none was promised
	Since     time.Time     // when it fell silent, when what is due was, when it came back, or was seen first
	Missed    int64         // beats that should have come since it fell silent, but did not
	Returning bool          // it is silent but beats again, not yet for a whole interval
	Booted    time.Time     // zero: never
	Beats     int64
}

// Verdict is how all hosts stand at one instant.
type Verdict struct {
	Now    time.Time
	Hosts  []Host // the worst first: silent ones by since when, the others by name
	Counts map[State]int
	Left   int64     // entries of hosts that there was no room for
	Latest time.Time // the latest entry of a host; zero: there was none

	// Ahead is by how much the journal is later than now: its clock was, or ours is, wrong. What it says of now is nothing.
	Ahead time.Duration
}

// Judge goes on to an instant, and returns how the hosts stand there. The entries up to it should have been added: one that
// waits to be read yet may be missed.
func (b *Board) Judge(now time.Time) Verdict {
	at := millis(now)
	v := Verdict{Now: now, Counts: map[State]int{}, Left: b.left, Latest: instant(b.latest)}
	if at < b.now-stepBack {
		v.Ahead = time.Duration(b.now-at) * time.Millisecond
	}
	b.advance(at)
	hosts := b.byName()
	states := make([]State, len(hosts))
	for i, h := range hosts {
		states[i] = b.state(h, b.now)
		v.Counts[states[i]]++
	}
	v.Hosts = make([]Host, 0, len(hosts))
	for _, state := range States() {
		for i, h := range hosts {
			if states[i] == state {
				v.Hosts = append(v.Hosts, b.stands(h, state, b.now))
			}
		}
	}
	slices.SortStableFunc(v.Hosts[:v.Counts[Silent]], func(a, b Host) int { return a.Since.Compare(b.Since) })
	return v
}

func (b *Board) stands(h *host, state State, at int64) Host {
	one := Host{
		Name: h.name, Address: h.addressText(), Journal: h.receiver.place, State: state,
		Last: instant(h.last), Beat: instant(h.beat), Interval: time.Duration(h.interval) * time.Millisecond,
		Since: instant(h.since), Booted: instant(h.booted), Beats: h.beats, Returning: h.told && h.returned > 0,
	}
	if h.interval > 0 {
		one.Due = instant(h.dueAt())
	}
	switch {
	case one.State == Late || one.State == Unknown:
		one.Since = instant(h.beat + h.interval)
	case one.Returning:
		one.Missed = h.missed
	case one.State == Silent:
		one.Due = instant(h.beat + h.nth*h.interval)
		one.Missed = h.missed + max(1, b.missedBy(h, at))
	}
	return one
}

// addressText is the address that the host was heard from last. The text is kept: most are heard from one, and all are asked often.
func (h *host) addressText() string {
	if h.address == "" || h.addressOf != h.from {
		h.address, h.addressOf = h.from.Unmap().String(), h.from
	}
	return h.address
}

// state returns how h stands at an instant up to which it was judged.
func (b *Board) state(h *host, at int64) State {
	switch {
	case h.interval == 0:
		return Unpromised
	case h.told:
		return Silent
	case h.fell > 0:
		return Late
	case h.nth > 1 || h.doubted && b.inHole(h, at):
		return Unknown
	case at <= h.dueAt():
		return OK
	}
	switch what, _ := b.hearing(h, at); {
	case what == deaf, what == unsure && at-h.receiver.lastSign() > alive:
		return Unknown
	}
	return Late
}

func instant(millis int64) time.Time { return journal.Instant(millis).Time() }

// Now returns how far the board has gone through time; the zero time before the first entry.
func (b *Board) Now() time.Time { return instant(b.now) }
