package web

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/summary"
)

const (
	bucketMillis = 2 * 60_000
	buckets      = 180 // of two minutes: six hours
	maxIDs       = 64  // that are told apart; the rest is counted together
	maxBoots     = 8   // that are kept of a host, the latest
	maxReasons   = 16  // of losses
	speedSeconds = 16  // that are counted each by itself, for the rate at present
)

// windowSpan is how much of the past a window shows.
const windowSpan = buckets * bucketMillis * time.Millisecond

// A window is what was received in the last hours, counted in buckets of time. It moves: the oldest bucket is forgotten for
// each new one. It is not safe for use by several goroutines at once.
type window struct {
	first  int64 // instant of the first entry counted, Unix milliseconds; 0: none yet
	newest int64 // number of the newest bucket
	ids    map[string]*kind
	hosts  map[string]*heard
	losses []loss // by reason
	speeds [speedSeconds]struct{ second, count int64 }
}

// kind is the messages of one ID.
type kind struct {
	newest int64
	counts [buckets]uint32
}

// heard is when one host was heard: its beats, or its messages as long as it never beat.
type heard struct {
	newest int64
	beats  bool
	gone   bool // it was forgotten
	boots  []int64
	counts [buckets]uint16

	missed     [buckets]uint16 // beats, by when the next one came
	beat, next int64           // instant of the last beat, and milliseconds until the next one that it promised
}

// loss is how many messages were lost for one reason, by when that was noted.
type loss struct {
	reason string
	newest int64
	counts [buckets]int64
}

func newWindow() *window { return &window{ids: map[string]*kind{}, hosts: map[string]*heard{}} }

// add counts an entry.
func (w *window) add(at int64, id string, h *heard, m *mark) {
	number := at / bucketMillis
	w.speed(at)
	if w.newest = max(w.newest, number); w.newest-number >= buckets {
		return
	}
	if w.first == 0 || at < w.first {
		w.first = at
	}
	k := w.kind(id)
	forward(&k.newest, number, k.counts[:])
	if k.newest-number < buckets {
		k.counts[number%buckets]++
	}
	if h != nil {
		h.add(at, number, m)
	}
}

// add counts a message of the host, in the bucket of that number.
func (h *heard) add(at, number int64, m *mark) {
	if m.beat && !h.beats {
		h.beats = true
		clear(h.counts[:])
	}
	forward(&h.newest, number, h.counts[:], h.missed[:])
	if h.newest-number >= buckets {
		return
	}
	if m.beat || !h.beats {
		raise(&h.counts[number%buckets], 1)
	}
	if m.beat {
		if h.beat > 0 {
			raise(&h.missed[number%buckets], presence.Missed(at-h.beat, h.next, presence.DefaultGrace))
		}
		h.beat, h.next = at, m.next
	}
	if m.boot {
		h.boots = append(h.boots, at)
		h.boots = h.boots[max(0, len(h.boots)-maxBoots):]
	}
}

// raise adds n, as far as there is room.
func raise(count *uint16, n int64) {
	*count = uint16(min(int64(*count)+max(n, 0), math.MaxUint16))
}

// speed counts an entry by the second.
func (w *window) speed(at int64) {
	second := at / 1000
	s := &w.speeds[second%speedSeconds]
	if s.second < second {
		s.second, s.count = second, 0
	}
	if s.second == second {
		s.count++
	}
}

// rate is the messages a second at present: the mean of the last ten whole seconds.
func (w *window) rate(now int64) float64 {
	const seconds = 10
	sum, last := int64(0), now/1000-1
	for _, s := range w.speeds {
		if s.second <= last && s.second > last-seconds {
			sum += s.count
		}
	}
	return float64(sum) / seconds
}

// host is what was heard of a name; nil: there is no room for it.
func (w *window) host(name string) *heard {
	h := w.hosts[name]
	if h == nil && len(w.hosts) < maxHosts {
		h = &heard{}
		w.hosts[name] = h
	}
	return h
}

const maxHosts = 16384

// forget drops hosts of which nothing is left in the window.
func (w *window) forget(now int64) {
	for name, h := range w.hosts {
		if now/bucketMillis-h.newest >= buckets {
			h.gone = true
			delete(w.hosts, name)
		}
	}
}

func (w *window) kind(id string) *kind {
	k := w.ids[id]
	if k == nil && len(w.ids) >= maxIDs {
		id = otherIDs
		k = w.ids[id]
	}
	if k == nil {
		k = &kind{}
		w.ids[id] = k
	}
	return k
}

// otherIDs stands for those that there is no room for. No name is as long.
const otherIDs = "\x00others"

// lose counts what a note says was lost.
func (w *window) lose(at int64, note journal.GapNote) {
	number := at / bucketMillis
	l := w.lossOf(string(presence.CutName([]byte(note.Reason))))
	forward(&l.newest, number, l.counts[:])
	if l.newest-number < buckets {
		l.counts[number%buckets] += int64(note.Lost)
	}
}

func (w *window) lossOf(reason string) *loss {
	for i := range w.losses {
		if w.losses[i].reason == reason || i == maxReasons-1 {
			return &w.losses[i]
		}
	}
	if len(w.losses) == maxReasons-1 {
		reason = "other reasons"
	}
	w.losses = append(w.losses, loss{reason: reason})
	return &w.losses[len(w.losses)-1]
}

// forward empties the buckets between newest and number, which becomes the newest, if it is newer.
func forward[T uint16 | uint32 | int64](newest *int64, number int64, all ...[]T) {
	for _, counts := range all {
		if number-*newest >= buckets {
			clear(counts)
			continue
		}
		for n := *newest + 1; n <= number; n++ {
			counts[n%buckets] = 0
		}
	}
	*newest = max(*newest, number)
}

// bucketsUpTo copies the counts of the buckets from the first shown at now on.
func bucketsUpTo[T uint16 | uint32 | int64](from, to, newest int64, counts []T) []uint32 {
	out := make([]uint32, to-from+1)
	for i := range out {
		if n := from + int64(i); n <= newest && newest-n < buckets {
			out[i] = uint32(min(int64(counts[n%buckets]), math.MaxUint32))
		}
	}
	return out
}

// report returns the figures as of now in the form that the charts of a report are made of. Its hosts are those of standing.
func (w *window) report(now time.Time, standing []presence.Host) *summary.Report {
	to := now.UnixMilli() / bucketMillis
	from := to - buckets + 1
	start := max(w.first, from*bucketMillis)
	if w.first == 0 {
		start = now.UnixMilli()
	}
	from = min(max(from, start/bucketMillis), to) // Entries may be of later than now.
	r := &summary.Report{
		From: journal.Instant(start), To: journal.InstantOf(now),
		Timeline: summary.Timeline{Start: journal.Instant(from * bucketMillis), Step: bucketMillis * time.Millisecond, Counts: make([]uint32, to-from+1)},
	}
	for id, k := range w.ids {
		row := summary.Kind{Row: summary.Row{Name: id, Other: id == otherIDs}, Counts: bucketsUpTo(from, to, k.newest, k.counts[:])}
		for i, n := range row.Counts {
			r.Timeline.Counts[i] += n
			row.Messages += int64(n)
		}
		if row.Messages > 0 {
			r.IDs = append(r.IDs, row)
			r.Total.Messages += row.Messages
		}
	}
	slices.SortFunc(r.IDs, func(a, b summary.Kind) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), strings.Compare(a.Name, b.Name))
	})
	for i := range standing {
		if h := w.hosts[standing[i].Name]; h != nil {
			r.Hosts = append(r.Hosts, beatsOf(&standing[i], h, from, to))
		}
	}
	return r
}

// beatsOf is one host of the heartbeat map.
func beatsOf(standing *presence.Host, h *heard, from, to int64) summary.Host {
	row := summary.Host{
		Row: summary.Row{Name: standing.Name}, Interval: standing.Interval.Seconds(), Counts: bucketsUpTo(from, to, h.newest, h.counts[:]),
		Last: journal.InstantOf(standing.Last), LastBeat: journal.InstantOf(standing.Beat), Beats: standing.Beats,
	}
	for _, n := range row.Counts {
		row.Messages += int64(n)
	}
	if first := slices.IndexFunc(row.Counts, func(n uint32) bool { return n > 0 }); first >= 0 {
		row.First = journal.Instant((from + int64(first)) * bucketMillis)
	}
	for _, at := range h.boots {
		if at >= from*bucketMillis {
			row.BootedAt, row.Boots = append(row.BootedAt, journal.Instant(at)), row.Boots+1
		}
	}
	row.Kept = 1
	for n := from; n <= to && h.beats; n++ {
		if n <= h.newest && h.newest-n < buckets {
			row.Missed += int64(h.missed[n%buckets])
		}
	}
	if standing.State == presence.Silent {
		row.Missed += standing.Missed
	}
	if row.Missed > 0 {
		row.Kept = float64(row.Messages) / float64(row.Messages+row.Missed)
	}
	return row
}

// lossRow is how much was lost for a reason.
type lossRow struct {
	Reason string
	Lost   int64
}

// lost is what was lost in the window, the most first.
func (w *window) lost(now int64) []lossRow {
	var rows []lossRow
	for i := range w.losses {
		l, sum := &w.losses[i], int64(0)
		for n := max(0, now/bucketMillis-buckets+1); n <= l.newest; n++ {
			if l.newest-n < buckets {
				sum += l.counts[n%buckets]
			}
		}
		if sum > 0 {
			rows = append(rows, lossRow{l.reason, sum})
		}
	}
	slices.SortFunc(rows, func(a, b lossRow) int { return cmp.Compare(b.Lost, a.Lost) })
	return rows
}
