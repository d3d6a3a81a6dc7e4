package summary

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"hbjournal/sink/journal"
)

// Report is the figures of a Summary, sorted and ready to print. As JSON it is what `report -o json` prints.
type Report struct {
	From       journal.Instant `json:"from,omitzero"` // first entry, counted or skipped; else what Cover was told
	To         journal.Instant `json:"to,omitzero"`   // last entry, counted or skipped, or what Cover was told if that is later
	Total      Tally           `json:"total"`
	PerSecond  float64         `json:"messages_per_second"`
	Timeline   Timeline        `json:"timeline"`
	IDs        []Kind          `json:"ids"`                 // most messages first
	Hosts      []Host          `json:"hosts"`               // by name
	Unnamed    Tally           `json:"unnamed"`             // messages without a name
	Plugins    []Plugin        `json:"plugins"`             // most messages first
	Unfollowed int64           `json:"values_not_followed"` // numbers of plugin messages that are beyond the bounds
	Sources    []Row           `json:"sources"`             // most messages first
	Boots      int64           `json:"boots"`
	Missed     int64           `json:"missed_beats"`
	Invalid    Invalid         `json:"invalid"`
	Gaps       Gaps            `json:"gaps"`
	Duplicates Duplicates      `json:"duplicates"`
}

// Timeline is how messages spread over time: Counts[i] is for the bucket that begins at Start + i·Step.
type Timeline struct {
	Start       journal.Instant `json:"start,omitzero"`
	Step        time.Duration   `json:"-"`
	StepSeconds float64         `json:"step_seconds"`
	Counts      []uint32        `json:"counts"`
}

// Row is one name with its traffic. Other marks the row of all the names that there was no room for.
type Row struct {
	Name  string `json:"name"`
	Other bool   `json:"other,omitempty"`
	Tally
}

// Kind is one message ID, "" for messages without one, with its share of the Timeline.
type Kind struct {
	Row
	Counts []uint32 `json:"counts"`
}

// Host is one name that sent messages.
type Host struct {
	Row
	First    journal.Instant   `json:"first_seen"`
	Last     journal.Instant   `json:"last_seen"`
	LastBeat journal.Instant   `json:"last_beat,omitzero"`
	Beats    int64             `json:"beats"`
	Missed   int64             `json:"missed"`
	Interval float64           `json:"interval_seconds"` // as the last beat promised; 0 if none did
	Kept     float64           `json:"kept"`             // share of the beats promised that came, 0 to 1; 1 if none was promised
	Silence  Silence           `json:"longest_silence,omitzero"`
	Silent   bool              `json:"silent_at_end"` // a beat was due when the report ends
	Boots    int64             `json:"boots"`
	BootedAt []journal.Instant `json:"booted_at,omitempty"` // the latest, 32 at most
	Counts   []uint32          `json:"counts"`              // beats by the buckets of the Timeline; messages of a host without beats
}

// Silence is the longest time between two beats, or the last beat and the report's end, in which a beat was missed.
type Silence struct {
	From journal.Instant `json:"from"`
	To   journal.Instant `json:"to"`
}

// Length is how long it lasted.
func (s Silence) Length() time.Duration { return s.To.Sub(s.From) }

// Plugin is the traffic of one plugin, and its numeric fields in the order in which they were first seen.
type Plugin struct {
	Row
	Fields []Field `json:"fields"`
}

// Field is the spread of one numeric field. Median and P95 are within 1 %, the rest is exact.
type Field struct {
	Name   string  `json:"name"`
	Count  int64   `json:"count"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

// Gaps is what the journal notes as lost. List holds the first 100 notes.
type Gaps struct {
	Notes int64 `json:"notes"`
	Lost  int64 `json:"lost"`
	List  []Gap `json:"list,omitempty"`
}

// Duplicates is what the journal notes as received again, and not kept again.
type Duplicates struct {
	Notes int64 `json:"notes"`
	Count int64 `json:"count"`
}

// Report returns the figures so far. The Summary may be filled further afterwards.
func (s *Summary) Report() Report {
	r := Report{
		Total: s.total, Unnamed: s.unnamed, Invalid: s.notes.invalid, Unfollowed: s.unfollowed,
		Gaps:       Gaps{s.notes.gapCount, s.notes.lost, slices.Clone(s.notes.gaps)},
		Duplicates: Duplicates{s.notes.dupNotes, s.notes.duplicate},
	}
	r.From, r.To = instant(s.from), instant(s.until)
	if s.seen.n > 0 {
		r.From, r.To = instant(s.seen.first), max(r.To, instant(s.seen.last))
		r.Timeline.Start = instant(s.lo * s.width)
	}
	if seconds := r.To.Sub(r.From).Seconds(); seconds > 0 && s.seen.n > 0 {
		r.PerSecond = float64(s.total.Messages) / seconds
	}
	r.Timeline.Step = time.Duration(s.width) * time.Millisecond
	r.Timeline.StepSeconds = r.Timeline.Step.Seconds()
	r.IDs = s.reportKinds()
	r.Timeline.Counts = s.sumCounts(r.IDs)
	r.Hosts = s.reportHosts()
	for _, h := range r.Hosts {
		r.Boots += h.Boots
		r.Missed += h.Missed
	}
	r.Plugins = s.reportPlugins()
	r.Sources = s.reportSources()
	return r
}

// buckets is the number of buckets of the report's timeline.
func (s *Summary) buckets() int {
	if s.seen.n == 0 {
		return 0
	}
	return int(s.hi - s.lo + 1)
}

// rows turns the rows of t into those of a report, sorted by order; name says how a key reads.
func rows[R, T any](t *table[R], name func(string) string, make func(Row, *R) T, order func(a, b T) int) []T {
	out := []T{}
	for _, n := range t.inUse {
		out = append(out, make(Row{Name: name(n.name)}, &n.row))
	}
	slices.SortFunc(out, order)
	if t.other != nil {
		out = append(out, make(Row{Name: "other", Other: true}, t.other))
	}
	return out
}

func asIs(key string) string { return key }

// byTraffic orders rows by messages, most first, and by name where they are equal.
func byTraffic(a, b Row) int {
	return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Name, b.Name))
}

func (s *Summary) reportKinds() []Kind {
	return rows(&s.ids, asIs, func(row Row, k *kind) Kind {
		row.Tally = k.tally
		return Kind{row, k.times.slice(s.lo, s.buckets())}
	}, func(a, b Kind) int { return byTraffic(a.Row, b.Row) })
}

func (s *Summary) sumCounts(kinds []Kind) []uint32 {
	sum := make([]uint32, s.buckets())
	for _, k := range kinds {
		for i, n := range k.Counts {
			sum[i] += n
		}
	}
	return sum
}

func (s *Summary) reportHosts() []Host {
	return rows(&s.hosts, asIs, s.reportHost, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
}

func (s *Summary) reportHost(row Row, h *host) Host {
	row.Tally = h.tally
	beats := h.beats.until(s.ends())
	out := Host{
		Row: row, First: instant(h.span.first), Last: instant(h.span.last), LastBeat: instant(h.beats.last),
		Beats: beats.beats, Missed: beats.missed, Interval: float64(beats.interval) / 1000, Kept: 1,
		Silent: beats.missed > h.beats.missed, Boots: h.boots, Counts: h.times.slice(s.lo, s.buckets()),
	}
	if promised := beats.beats + beats.missed; promised > 0 {
		out.Kept = float64(beats.beats) / float64(promised)
	}
	if beats.silence.length() > 0 {
		out.Silence = Silence{instant(beats.silence.from), instant(beats.silence.to)}
	}
	for _, at := range h.reboots {
		out.BootedAt = append(out.BootedAt, instant(at))
	}
	return out
}

func (s *Summary) reportPlugins() []Plugin {
	return rows(&s.plugins, asIs, func(row Row, p *plugin) Plugin {
		row.Tally = p.tally
		out := Plugin{Row: row, Fields: []Field{}}
		for _, f := range p.fields {
			if f.count > 0 {
				out.Fields = append(out.Fields, Field{f.name, f.count, f.min, f.quantile(0.5), f.quantile(0.95), f.max})
			}
		}
		return out
	}, func(a, b Plugin) int { return byTraffic(a.Row, b.Row) })
}

func (s *Summary) reportSources() []Row {
	address := func(key string) string {
		a, _ := netip.AddrFromSlice([]byte(key))
		return a.Unmap().String()
	}
	return rows(&s.sources, address, func(row Row, t *Tally) Row {
		row.Tally = *t
		return row
	}, byTraffic)
}
