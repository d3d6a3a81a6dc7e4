package presence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"hbjournal/sink/journal"
)

const (
	mostHosts     = 16384
	defaultForget = 24 * time.Hour
)

// Settle is how long after an instant the entries from before it can be taken to be in the file and read. Who judges by now
// takes it off.
const Settle = 500 * time.Millisecond

// stepBack is how far the time of an entry may lie behind the one before without the clock having been set back, in
// milliseconds: entries of one moment are not always written in their order, and several journals are merged.
const stepBack = 60_000

// patience is for how many intervals a host is in doubt that is the only one missing while nothing comes from the others.
const patience = 10

// Options say how hosts are judged.
type Options struct {
	Grace  float64       // intervals after a beat in which the next must come; more than 1, 0: 1.5
	For    time.Duration // for how long a host must have been silent before it counts as such
	Forget time.Duration // how long after it fell silent a host is forgotten; 0: 24 h
	Most   int           // hosts that are told apart; 0: 16384
	Events bool          // changes are kept for Changes, which then must be called now and then
}

// Board is the hosts of a journal, or of several. It is not safe for use by several goroutines at once.
type Board struct {
	opt       Options
	now       int64 // how far time has been gone through, Unix milliseconds
	hosts     map[string]*host
	ordered   []*host            // by name; nil once a host has come or gone
	fell      map[*host]struct{} // those that missed a beat, and are not back
	queue     queue
	receivers map[string]*receiver
	downs     []span // of all receivers
	events    []Event
	left      int64 // entries of hosts there was no room for
	latest    int64 // instant of the latest entry of a host
	one       Sightings
}

// New returns a Board without hosts.
func New(opt Options) *Board {
	if opt.Grace <= 1 {
		opt.Grace = DefaultGrace
	}
	if opt.Forget <= 0 {
		opt.Forget = defaultForget
	}
	if opt.Most <= 0 {
		opt.Most = mostHosts
	}
	return &Board{opt: opt, hosts: map[string]*host{}, fell: map[*host]struct{}{}, receivers: map[string]*receiver{}}
}

// Add takes the next entry. It keeps nothing of e.
func (b *Board) Add(e *journal.Entry) {
	b.one.Reset()
	b.one.Add(e)
	b.Take(&b.one)
}

// Skip takes that the journal went on at the instant of e, though its host is not to be judged.
func (b *Board) Skip(e *journal.Entry) {
	b.one.Reset()
	b.one.Skip(e)
	b.Take(&b.one)
}

// Take takes the entries of s, which follow all those before.
func (b *Board) Take(s *Sightings) {
	if s.of != b {
		s.of = b
		clear(s.hosts)
	}
	place, r := int32(-1), (*receiver)(nil)
	for i := range s.all {
		one := &s.all[i]
		if one.place != place {
			place, r = one.place, b.receiver(s.places[one.place])
		}
		b.take(s, one, r)
	}
}

func (b *Board) take(s *Sightings, one *sighting, r *receiver) {
	if one.at < r.latest-stepBack {
		b.setBack(r, one.at)
	}
	r.latest = max(r.latest, one.at)
	b.advance(one.at)
	if one.kind&kinds == note {
		if one.gap > 0 {
			b.reconsider(r, r.lost(s.gaps[one.gap-1], one.at), one.at)
		}
		return
	}
	b.heard(r, one.at)
	if one.name < 0 {
		return
	}
	h := s.hosts[one.name]
	if h == nil || h.gone {
		if h = b.host(s.names[one.name], one.at, r); h == nil {
			b.left++
			return
		}
		s.hosts[one.name] = h
	}
	b.latest = max(b.latest, one.at)
	b.sight(h, r, one)
}

// host returns the host of that name, a new one if there is room; nil: there is none.
func (b *Board) host(name string, at int64, r *receiver) *host {
	h := b.hosts[name]
	if h == nil && len(b.hosts) < b.opt.Most {
		h = &host{name: name, since: at, place: -1, receiver: r}
		b.hosts[name], b.ordered = h, nil
	}
	return h
}

// byName are the hosts in the order of their names.
func (b *Board) byName() []*host {
	if b.ordered == nil {
		b.ordered = slices.SortedFunc(maps.Values(b.hosts), func(x, y *host) int { return cmp.Compare(x.name, y.name) })
	}
	return b.ordered
}

// sight takes one message of a host.
func (b *Board) sight(h *host, r *receiver, one *sighting) {
	h.from, h.last = one.from, one.at
	if h.receiver != r {
		h.receiver.drop(h)
		h.receiver = r
		h.recount()
	}
	if one.kind&booted != 0 {
		h.booted = one.at
		b.tell(Boot, h, one.at)
	}
	if one.kind&kinds == beat {
		b.beat(h, one)
	}
	if h.place < 0 {
		b.wait(h, b.due(h))
	}
}

// beat takes a heartbeat.
func (b *Board) beat(h *host, one *sighting) {
	h.receiver.leave(h)
	if h.doubt {
		h.doubt = false
		b.tell(Back, h, one.at)
	}
	switch {
	case h.fell == 0:
	case !h.told || one.interval == 0 || h.returned > 0:
		b.back(h, one.at)
	default:
		h.missed += b.missedBy(h, one.at)
		h.returned = one.at
	}
	h.beats++
	h.beat, h.interval, h.nth = one.at, one.interval, 1
	h.recount()
	if due := b.due(h); h.place < 0 || due < h.key {
		b.wait(h, due)
	}
}

// back says that a silent host beats again.
func (b *Board) back(h *host, at int64) {
	if h.told {
		b.tell(Back, h, at)
	}
	h.fell, h.returned, h.missed, h.told, h.since = 0, 0, 0, false, at
	delete(b.fell, h)
}

// setBack goes back to an instant: the clock of r was set back. Nothing of what it is known for can be later.
func (b *Board) setBack(r *receiver, now int64) {
	r.latest, r.heardAt = now, min(r.heardAt, now)
	b.now = 0
	for _, other := range b.receivers {
		b.now = max(b.now, other.latest)
	}
	b.latest = min(b.latest, b.now)
	for _, h := range b.hosts {
		if h.receiver != r {
			continue
		}
		for _, at := range []*int64{&h.last, &h.beat, &h.fell, &h.quiet, &h.returned, &h.since, &h.booted} {
			*at = min(*at, now)
		}
		h.receiver.leave(h)
		h.nth = 1
		h.recount()
		b.wait(h, b.due(h))
	}
}

// advance goes through the time up to an instant, and judges each host when its next beat is missed.
func (b *Board) advance(to int64) {
	for len(b.queue) > 0 && b.queue[0].key <= to {
		h := b.queue[0]
		b.now = max(b.now, h.key)
		if due := b.due(h); due > h.key && !h.doubted {
			b.wait(h, due)
		} else {
			b.pass(h)
		}
	}
	b.now = max(b.now, to)
}

// due returns when h is to be looked at next.
func (b *Board) due(h *host) int64 {
	switch {
	case h.judged():
		return h.dueAt() + allowance(h.interval, b.opt.Grace)
	case h.fell > 0 && !h.told:
		return h.fell + b.opt.For.Milliseconds()
	case h.fell > 0:
		return h.quiet + b.opt.Forget.Milliseconds()
	}
	return h.last + b.opt.Forget.Milliseconds()
}

// pass does with h what is to be done at its instant.
func (b *Board) pass(h *host) {
	switch {
	case h.judged():
		b.judge(h)
	case h.fell > 0 && !h.told:
		b.fallen(h)
	default:
		b.forget(h)
	}
}

// judge judges the beat of h that should have come by now.
func (b *Board) judge(h *host) {
	at := b.due(h)
	what, until := b.hearing(h, at)
	if what != hole {
		h.receiver.leave(h)
	}
	switch what {
	case deaf:
		h.nth = h.after(until)
		b.wait(h, b.due(h))
	case unsure:
		b.unwait(h)
		h.receiver.park(h)
	case hole:
		if h.receiver.enter(h) {
			b.wait(h, at+patience*h.interval)
		} else if b.inHole(h, b.now) {
			b.unwait(h)
		} else {
			b.miss(h, at)
		}
	default:
		b.miss(h, at)
	}
}

// missedBy returns how many beats of h are missing at an instant since its last, of those that could have been heard.
func (b *Board) missedBy(h *host, at int64) int64 {
	return max(0, Missed(at-h.beat, h.interval, b.opt.Grace)-(h.nth-1))
}

// miss says that h did not send the beat that should have come by an instant.
func (b *Board) miss(h *host, at int64) {
	h.receiver.leave(h)
	h.quiet, h.returned = at, 0
	if h.fell == 0 {
		h.fell = at
	}
	b.fell[h] = struct{}{}
	h.recount()
	if !h.told && b.opt.For == 0 {
		b.fallen(h)
		return
	}
	b.wait(h, b.due(h))
}

// fallen says that h has been silent for as long as it takes to say so.
func (b *Board) fallen(h *host) {
	h.told, h.doubt, h.since = true, false, h.fell
	b.tell(Fell, h, h.fell+b.opt.For.Milliseconds())
	b.wait(h, b.due(h))
}

func (b *Board) forget(h *host) {
	b.unwait(h)
	h.receiver.drop(h)
	h.gone = true
	delete(b.fell, h)
	delete(b.hosts, h.name)
	b.ordered = nil
}
