package web

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
	"hbjournal/sink/journal/summary"
)

// A gathering is what one reading of the journals comes to: how each host stands, and what came in the last hours.
type gathering struct {
	now    func() time.Time
	since  time.Time // where it begins
	target int64     // instant of the newest line when it began, Unix milliseconds; 0: there was none
	part   bool      // it begins later than it should
	spare  sync.Pool // of stretches
	under  atomic.Int64
	waits  atomic.Int64 // since when the reading waits for something new, Unix nanoseconds; 0: it does not
	ticked atomic.Int64 // when the process was last seen to run, Unix nanoseconds
	woke   atomic.Int64 // when it went on after it had been held up, Unix nanoseconds; 0: it never was
	looked atomic.Int64 // instant up to which it was read, Unix milliseconds

	mu        sync.Mutex
	board     *presence.Board
	window    *window
	encrypted map[string]bool // files that were left out
	faults    int             // others
	lastFault string
	tidied    int64 // bucket in which hosts were last looked for that are out of the window
}

func newGathering(now func() time.Time, since time.Time, target int64) *gathering {
	g := &gathering{
		now: now, since: since, target: target, board: presence.New(presence.Options{}), window: newWindow(), encrypted: map[string]bool{},
	}
	g.spare.New = func() any { return &stretch{} }
	return g
}

// of has the gathering tell those of the journals apart that are in one directory. It must not have begun.
func (g *gathering) of(journals []read.Journal) {
	places := read.PlacesOf(journals)
	g.spare.New = func() any { return &stretch{sightings: presence.Sightings{Place: places.Of}} }
}

// A stretch is what one block of the journal says. Its memory is used again.
type stretch struct {
	sightings presence.Sightings
	marks     []mark
	notes     []note
	faults    []*read.CorruptError
	last      int64 // instant of the last entry
	names     names
	ids       names
	hosts     []*heard // by name
	of        *window  // that they belong to
	scanner   read.Scanner
	values    [4][]byte
}

// mark is what the window needs of an entry.
type mark struct {
	at         int64
	id, name   int32 // name is less than 0 without one
	beat, boot bool
	next       int64 // milliseconds until the beat that this one promises
}

// note is a note of a loss.
type note struct {
	at   int64
	loss journal.GapNote
}

// names gives names numbers.
type names struct {
	all  []string
	byID map[string]int32
}

func (n *names) of(name []byte) int32 {
	if i, ok := n.byID[string(name)]; ok {
		return i
	}
	if n.byID == nil {
		n.byID = map[string]int32{}
	}
	i := int32(len(n.all))
	n.all = append(n.all, string(name))
	n.byID[n.all[i]] = i
	return i
}

var fields = journal.NewLookup("ID", "name", "boot", "interval")

// look reads a block. It runs on several goroutines.
func (g *gathering) look(b *read.Block) *stretch {
	s := g.spare.Get().(*stretch)
	s.reset()
	s.scanner.OnFault = func(f *read.CorruptError) { s.faults = append(s.faults, f) }
	begin := g.now().Add(-windowSpan - bucketMillis*time.Millisecond).UnixMilli()
	end := g.now().Add(time.Hour).UnixMilli() // What is later was written when the clock was wrong, and would move the window.
	for s.scanner.Reset(b); s.scanner.Next(); {
		e := s.scanner.Entry()
		s.sightings.Add(e)
		if s.last = e.Millis; e.Millis >= begin && e.Millis <= end {
			s.mark(e)
		}
	}
	return s
}

func (s *stretch) reset() {
	const most = 2 * maxHosts // names that are kept
	s.sightings.Reset()
	s.marks, s.notes, s.faults, s.last = s.marks[:0], s.notes[:0], s.faults[:0], 0
	if len(s.names.all) > most || len(s.ids.all) > most {
		s.names, s.ids, s.hosts, s.of = names{}, names{}, nil, nil
	}
}

func (s *stretch) mark(e *journal.Entry) {
	fields.Values(e.Message, s.values[:])
	id, name := presence.Name(s.values[0]), presence.Name(s.values[1])
	m := mark{at: e.Millis, id: s.ids.of(id), name: -1}
	if string(id) == noteID {
		if loss, ok := journal.ParseGapNote(e.Message); ok {
			s.notes = append(s.notes, note{e.Millis, loss})
		}
	} else if len(name) > 0 {
		m.name, m.beat, m.boot = s.names.of(name), string(id) == beatID, presence.Booted(s.values[2])
		if m.beat {
			m.next = presence.Interval(s.values[3])
		}
	}
	s.marks = append(s.marks, m)
}

const (
	noteID = "JRN"
	beatID = "HTB"
)

// take adds what a block said. Blocks come in the order of the journal.
func (g *gathering) take(s *stretch) {
	g.add(s)
	if s.last > 0 {
		g.looked.Store(s.last)
	}
	g.spare.Put(s)
	g.under.Add(-1)
}

func (g *gathering) add(s *stretch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.board.Take(&s.sightings)
	s.knowHosts(g.window)
	for i := range s.marks {
		m := &s.marks[i]
		var h *heard
		if m.name >= 0 {
			if h = s.hosts[m.name]; h == nil || h.gone {
				h = g.window.host(s.names.all[m.name])
				s.hosts[m.name] = h
			}
		}
		g.window.add(m.at, s.ids.all[m.id], h, m)
	}
	for _, n := range s.notes {
		g.window.lose(n.at, n.loss)
	}
	for _, f := range s.faults {
		g.fault(f)
	}
	if bucket := s.last / bucketMillis; bucket > g.tidied {
		g.tidied = bucket
		g.window.forget(s.last)
	}
}

// knowHosts makes room for what the window knows of the names in s.
func (s *stretch) knowHosts(w *window) {
	if s.of != w {
		s.of = w
		clear(s.hosts)
	}
	for len(s.hosts) < len(s.names.all) {
		s.hosts = append(s.hosts, nil)
	}
}

func (g *gathering) fault(f *read.CorruptError) {
	const most = 1000 // files that are told apart
	if errors.Is(f, read.ErrEncrypted) {
		if len(g.encrypted) < most {
			g.encrypted[f.Path] = true
		}
		return
	}
	g.faults++
	g.lastFault = f.Error()
}

// hasBegun reports whether all was read that there was when the reading began. Where the clock was set back, the last line is not the
// newest one: then it is known from the reading having waited for long.
func (g *gathering) hasBegun() bool {
	const long = 2 * time.Second
	return g.target == 0 || g.looked.Load() >= g.target || g.looked.Load() > 0 && g.idle(long)
}

// idle reports whether the reading has waited for something new for so long. While the process was held up, as by a signal or a
// container that was frozen, it did not wait: there may be something.
func (g *gathering) idle(rest time.Duration) bool {
	now, waits := time.Now().UnixNano(), g.waits.Load()
	if ticked := g.ticked.Load(); ticked != 0 && now-ticked > heldUp.Nanoseconds() {
		return false
	}
	return waits != 0 && g.under.Load() == 0 && now-max(waits, g.woke.Load()) > rest.Nanoseconds()
}

// heldUp is a pause between two ticks after which the process counts as having been held up.
const heldUp = 4 * livesEvery

// tick notes that the process runs.
func (g *gathering) tick(now time.Time) {
	if before := g.ticked.Swap(now.UnixNano()); now.UnixNano()-before > heldUp.Nanoseconds() {
		g.woke.Store(now.UnixNano())
	}
}

// isCaughtUp reports whether what is known is of the present.
func (g *gathering) isCaughtUp() bool {
	const rest, near = 60 * time.Millisecond, time.Second
	return g.hasBegun() && (g.idle(rest) || g.now().UnixMilli()-g.looked.Load() < near.Milliseconds())
}

// lives tells the board when the daemons listened, as far as they have left word of it.
func (g *gathering) lives(of func() map[string][]presence.Span) {
	if of == nil {
		return
	}
	all := of()
	g.mu.Lock()
	defer g.mu.Unlock()
	for dir, spans := range all {
		g.board.Alive(dir, spans)
	}
}

// followLives does so again and again, until ctx is done.
func (g *gathering) followLives(ctx context.Context, of func() map[string][]presence.Span) {
	tick := time.NewTicker(livesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.tick(time.Now())
			g.lives(of)
		}
	}
}

// livesEvery is how often it is looked whether daemons still give signs of life. They give one a second.
const livesEvery = 250 * time.Millisecond

// judge says how the hosts stand now, as far as the journal was read.
func (g *gathering) judge() presence.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.board.Judge(g.instant())
}

// instant is now, unless the reading is behind. Lines take a moment from their receipt to here.
func (g *gathering) instant() time.Time {
	now := g.now()
	if !g.isCaughtUp() {
		return time.UnixMilli(g.looked.Load())
	}
	return now.Add(-presence.Settle)
}

// A paced is a source that tells the gathering what is under way.
type paced struct {
	read.Source
	g *gathering
}

// Read implements read.Source.
func (p *paced) Read(ctx context.Context, b *read.Block) error {
	p.g.waits.Store(time.Now().UnixNano())
	err := p.Source.Read(ctx, b)
	p.g.waits.Store(0)
	if err == nil {
		p.g.under.Add(1)
	}
	return err
}

// report is what came in the last hours, with the hosts of standing.
func (g *gathering) report(now time.Time, standing []presence.Host) *summary.Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.window.report(now, standing)
}

// speed is the messages a second at present, and what was lost in the last hours.
func (g *gathering) speed(now time.Time) (rate float64, lost []lossRow) {
	at := g.instant()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.window.rate(at.UnixMilli()), g.window.lost(now.UnixMilli())
}
