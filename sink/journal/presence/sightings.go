package presence

import (
	"net/netip"
	"path/filepath"
	"time"

	"hbjournal/sink/journal"
)

// Sightings are what a Board needs of a stretch of a journal, so that several goroutines can read stretches of it, each into
// Sightings of its own, and one hand them to the Board in their order. The zero value is ready for use.
type Sightings struct {
	// Place says in which journal the file at a path is, by a text that Board.Alive is given too. Nil: each directory has one, and is it.
	Place func(path string) string

	all     []sighting
	gaps    []journal.GapNote
	names   []string
	hosts   []*host // by name, as far as of knows them
	of      *Board
	byName  map[string]int32
	places  []string // of the journals
	byPlace map[string]int32
	path    string // whose directory is places[place]
	place   int32
	values  [4][]byte
}

// sighting is what is kept of one entry.
type sighting struct {
	at       int64
	interval int64 // milliseconds; 0: none is promised
	from     netip.Addr
	name     int32 // of names; less than 0: none
	place    int32
	gap      int32 // of gaps, if it is a gap note
	kind     kind
}

type kind uint8

const (
	other  kind = iota // the journal went on, and no more
	note               // an entry of the journal's own
	seen               // a message of a host
	beat               // its heartbeat
	booted             // a bit beside the kinds
)

const kinds = booted - 1

var fields = journal.NewLookup("ID", "name", "interval", "boot")

// Add takes what e says; nothing of e is kept.
func (s *Sightings) Add(e *journal.Entry) {
	fields.Values(e.Message, s.values[:])
	one := sighting{at: clampMillis(e.Millis), name: -1, place: s.placeOf(e.Path)}
	id, name := s.values[0], Name(s.values[1])
	switch {
	case string(journal.TextBytes(id)) == "JRN":
		one.kind = note
		if gap, ok := journal.ParseGapNote(e.Message); ok {
			one.gap = int32(len(s.gaps)) + 1
			s.gaps = append(s.gaps, gap)
		}
	case len(name) > 0:
		one.name, one.from, one.kind = s.nameOf(name), e.Source.Addr(), seen
		if string(journal.TextBytes(id)) == "HTB" {
			one.kind, one.interval = beat, Interval(s.values[2])
		}
		if Booted(s.values[3]) {
			one.kind |= booted
		}
	}
	s.all = append(s.all, one)
}

// Skip takes that the journal went on at the instant of e, though e is not to be counted.
func (s *Sightings) Skip(e *journal.Entry) {
	if journal.IsNote(e.Message) {
		s.Add(e)
		return
	}
	s.all = append(s.all, sighting{at: clampMillis(e.Millis), name: -1, place: s.placeOf(e.Path)})
}

// Reset forgets all entries, and keeps the memory, unless names have filled it.
func (s *Sightings) Reset() {
	if len(s.names) > mostHosts {
		*s = Sightings{Place: s.Place, all: s.all[:0]}
		return
	}
	s.all, s.gaps = s.all[:0], s.gaps[:0]
}

// Begin is the instant of the first entry.
func (s *Sightings) Begin() (at time.Time, ok bool) {
	if len(s.all) == 0 {
		return at, false
	}
	return instant(s.all[0].at), true
}

// End is the instant of the last entry.
func (s *Sightings) End() (at time.Time, ok bool) {
	if len(s.all) == 0 {
		return at, false
	}
	return instant(s.all[len(s.all)-1].at), true
}

func (s *Sightings) nameOf(name []byte) int32 {
	if i, ok := s.byName[string(name)]; ok {
		return i
	}
	if s.byName == nil {
		s.byName = map[string]int32{}
	}
	i := int32(len(s.names))
	s.names, s.hosts = append(s.names, string(name)), append(s.hosts, nil)
	s.byName[s.names[i]] = i
	return i
}

// placeOf is the number of the journal in which a file is.
func (s *Sightings) placeOf(path string) int32 {
	if len(s.places) > 0 && path == s.path {
		return s.place
	}
	if s.byPlace == nil {
		s.byPlace = map[string]int32{}
	}
	dir := filepath.Dir(path)
	if s.Place != nil {
		dir = s.Place(path)
	}
	i, ok := s.byPlace[dir]
	if !ok {
		i = int32(len(s.places))
		s.places, s.byPlace[dir] = append(s.places, dir), i
	}
	s.path, s.place = path, i
	return i
}

// latestMillis is the end of the year 9999. Later and earlier instants than the epoch are moved to the nearest of the two.
const latestMillis = 253_402_300_799_999

func clampMillis(at int64) int64 { return min(max(at, 0), latestMillis) }
