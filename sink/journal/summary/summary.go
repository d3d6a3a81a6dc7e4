package summary

import (
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
)

// The bounds of what is told apart. Names beyond them are counted together as "other".
const (
	maxHosts   = 16384
	maxSources = 16384
	maxIDs     = 64
	maxPlugins = 256
	maxFields  = 512 // of all plugins together; further fields are not followed
)

// latestMillis is the end of the year 9999. Later and earlier instants than the epoch are moved to the nearest of the two.
const latestMillis = 253_402_300_799_999

// Summary is the figures of a stretch of a journal. It is not safe for use by several goroutines at once.
type Summary struct {
	total       Tally
	seen        span  // of the entries counted or skipped; only whether its n is 0 means something
	latest      int64 // instant of the entry counted or skipped last; before seen.last if the clock was set back
	from, until int64 // what Cover was told, in Unix milliseconds; 0: nothing
	unnamed     Tally
	ids         table[kind]
	hosts       table[host]
	plugins     table[plugin]
	sources     table[Tally]
	notes       notes

	step   int   // of widthMillis, for all timelines
	width  int64 // widthMillis(step)
	lo, hi int64 // first and last bucket in use; valid if seen.n > 0

	fieldBudget int
	unfollowed  int64  // values of fields that are beyond the bounds
	pairs       []pair // scratch of Add
	fields      fieldReader
}

// kind is what is known of one message ID.
type kind struct {
	tally Tally
	times timeline
}

func (k *kind) merge(later *kind) {
	k.tally.merge(&later.tally)
	k.times.merge(&later.times)
}

func (k *kind) reset() {
	k.tally.reset()
	k.times.reset()
}

// New returns an empty Summary.
func New() *Summary {
	return &Summary{
		ids:         newTable[kind](maxIDs),
		hosts:       newTable[host](maxHosts),
		plugins:     newTable[plugin](maxPlugins),
		sources:     newTable[Tally](maxSources),
		width:       widthMillis(0),
		fieldBudget: maxFields,
	}
}

// Add counts e, which must follow the entries added before in the order of the journal. It keeps nothing of e.
func (s *Summary) Add(e *journal.Entry) {
	at, size := clampMillis(e.Millis), len(e.Line)+len("\n")
	bucket := s.reach(at)
	s.total.add(size)

	s.pairs = settle(appendPairs(s.pairs[:0], e.Message))
	m := readMessage(s.pairs)
	k := s.ids.row(m.id)
	k.tally.add(size)
	k.times.add(bucket, 1)
	if m.journals() {
		s.notes.note(at, e.Message)
		return
	}
	address := e.Source.Addr().As16()
	s.sources.row(address[:]).add(size)
	if s.notes.wrapped(s.pairs) {
		s.unnamed.add(size)
		return
	}
	s.addHost(&m, at, size, bucket)
	if len(m.plugin) > 0 {
		p := s.plugins.row(m.plugin)
		p.tally.add(size)
		s.unfollowed += s.fields.add(p, s.pairs, &s.fieldBudget)
	}
}

// Skip notes that the journal went on at the instant of e, though e is not to be counted: a host's silence is judged up to
// the last entry of the journal, not only to the last one that a filter let through.
func (s *Summary) Skip(e *journal.Entry) {
	s.reach(clampMillis(e.Millis))
}

// Cover notes that the figures are to be about the range from one instant until another, zero being none. Until is where
// they end, though nothing came any more: silence is judged up to it. From only says where a range begins in which there
// is nothing at all; else the first entry begins it.
func (s *Summary) Cover(from, until time.Time) {
	s.from, s.until = int64(journal.InstantOf(from)), int64(journal.InstantOf(until))
	if s.seen.n > 0 && s.until > s.seen.last {
		s.reach(clampMillis(s.until - 1)) // The instant itself is not in the range, and takes no bucket.
	}
}

// ends returns up to when silence is judged.
func (s *Summary) ends() int64 { return max(s.latest, s.until) }

func (s *Summary) addHost(m *message, at int64, size int, bucket int64) {
	if len(m.name) == 0 {
		s.unnamed.add(size)
		return
	}
	h := s.hosts.row(m.name)
	h.heard(at, size, bucket)
	if string(m.id) == "HTB" && h != s.hosts.other { // what the other hosts share is not one pulse
		h.beat(at, presence.Interval(m.every), bucket)
	}
	if presence.Booted(m.boot) {
		h.boot(at)
	}
}

// Merge adds later, the summary of the stretch of the journal that follows this one's. Later may be Reset afterwards, and is of
// no other use.
func (s *Summary) Merge(later *Summary) {
	if later.seen.n == 0 {
		return
	}
	step := max(s.step, later.step)
	s.widenTo(step)
	later.widenTo(step)
	s.reach(later.seen.first)
	s.reach(later.seen.last)
	later.widenTo(s.step)
	s.latest = later.latest

	s.total.merge(&later.total)
	s.unnamed.merge(&later.unnamed)
	s.notes.merge(&later.notes)
	s.unfollowed += later.unfollowed
	s.ids.merge(&later.ids, (*kind).merge)
	s.hosts.merge(&later.hosts, (*host).merge)
	s.sources.merge(&later.sources, (*Tally).merge)
	s.plugins.merge(&later.plugins, func(to, from *plugin) { s.unfollowed += to.merge(from, &s.fieldBudget) })
}

// Reset empties the Summary, and keeps its memory for the next stretch of the same journal.
func (s *Summary) Reset() {
	s.total, s.unnamed, s.notes, s.seen = Tally{}, Tally{}, notes{}, span{}
	s.latest, s.from, s.until, s.unfollowed = 0, 0, 0, 0
	s.ids.reset((*kind).reset)
	s.hosts.reset((*host).reset)
	s.sources.reset((*Tally).reset)
	if s.fieldBudget < maxFields/2 {
		s.plugins, s.fieldBudget = newTable[plugin](maxPlugins), maxFields
	}
	s.plugins.reset((*plugin).reset)
}

// reach makes the buckets cover the instant at, wider if need be, and returns the bucket that holds it.
func (s *Summary) reach(at int64) int64 {
	bucket := floorDiv(at, s.width)
	if s.seen.n == 0 {
		s.lo, s.hi = bucket, bucket
	}
	s.seen.add(at)
	s.latest = at
	s.lo, s.hi = min(s.lo, bucket), max(s.hi, bucket)
	for s.hi-s.lo >= maxBuckets {
		s.widenTo(s.step + 1)
		bucket = floorDiv(at, s.width)
	}
	return bucket
}

func (s *Summary) widenTo(step int) {
	if step == s.step {
		return
	}
	from := s.step
	ratio := widthMillis(step) / s.width
	s.ids.each(func(k *kind) { k.times.widen(from, step) })
	s.hosts.each(func(h *host) { h.times.widen(from, step) })
	s.step, s.width = step, widthMillis(step)
	s.lo, s.hi = floorDiv(s.lo, ratio), floorDiv(s.hi, ratio)
}

func clampMillis(at int64) int64 {
	return min(max(at, 0), latestMillis)
}

func instant(millis int64) journal.Instant { return journal.Instant(clampMillis(millis)) }
