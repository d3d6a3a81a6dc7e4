package summary

import (
	"slices"
	"time"
)

// Presence says what was heard of a host in one column of a heartbeat map.
type Presence uint8

// The kinds of Presence, from nothing to all.
const (
	Absent  Presence = iota // before the host's first message
	Silent                  // nothing came though something was due, for the whole column
	Broken                  // silent for a part of it, or less than half of what usually comes
	Thin                    // less than nine tenths of what usually comes
	Present                 // what usually comes
)

// Column is one column of a host's heartbeat map.
type Column struct {
	From, To time.Time
	Presence Presence
	Count    int64 // as Host.Counts
	Boots    int
}

// Columns divides the timeline into n columns of whole buckets, fewer if there are not so many, and says for each what was
// heard of h. An empty bucket is silent if, at its end or the report's, the next message was overdue by half an interval.
func (r *Report) Columns(h *Host, n int) []Column {
	share := r.bucketShares(h)
	n = min(n, len(share))
	columns := make([]Column, 0, max(n, 0))
	for i := range n {
		from, to := i*len(share)/n, (i+1)*len(share)/n
		c := Column{From: r.bucketStart(from), To: r.bucketStart(to), Presence: inColumn(share[from:to])}
		for _, m := range h.Counts[from:to] {
			c.Count += int64(m)
		}
		for _, booted := range h.BootedAt {
			if at := booted.Time(); !at.Before(c.From) && at.Before(c.To) {
				c.Boots++
			}
		}
		columns = append(columns, c)
	}
	return columns
}

// Start returns when the first bucket of the timeline begins.
func (r *Report) Start() time.Time { return r.bucketStart(0) }

// End returns when the last bucket of the timeline ends.
func (r *Report) End() time.Time { return r.bucketStart(len(r.Timeline.Counts)) }

// bucketStart returns when bucket i of the timeline begins.
func (r *Report) bucketStart(i int) time.Time {
	return time.UnixMilli(int64(r.Timeline.Start)).UTC().Add(time.Duration(i) * r.Timeline.Step)
}

// absent is the share of a bucket before the host's first message.
const absent = -1

// bucketShares returns for each bucket which share of what usually comes came, 0 to 1, or absent.
func (r *Report) bucketShares(h *Host) []float64 {
	shares := make([]float64, len(h.Counts))
	usual, due := float64(usualCount(h.Counts)), h.dueAfter()
	last := -1 // the last bucket with a message
	for i, n := range h.Counts {
		switch {
		case n > 0 && (last < 0 || i == len(h.Counts)-1 || usual < minUsual):
			shares[i], last = 1, i // the first and the last bucket are not whole, and few messages say little
		case n > 0:
			shares[i], last = min(1, float64(n)/usual), i
		case last < 0:
			shares[i] = absent
		case r.bucketEnd(i).Sub(r.bucketEnd(last)) <= due:
			shares[i] = 1
		}
	}
	return shares
}

// minUsual is the count of a bucket from which on fewer mean something.
const minUsual = 4

// bucketEnd returns when bucket i ends, or the report if that is sooner.
func (r *Report) bucketEnd(i int) time.Time {
	if end := r.bucketStart(i + 1); end.Before(r.To.Time()) {
		return end
	}
	return r.To.Time()
}

// dueAfter returns how long after a message the next is overdue: one and a half intervals, or three times the mean
// distance of its messages where the host promises none.
func (h *Host) dueAfter() time.Duration {
	if h.Interval > 0 {
		return time.Duration(1.5 * h.Interval * float64(time.Second))
	}
	return 3 * h.Last.Sub(h.First) / time.Duration(max(1, h.Messages-1))
}

// usualCount returns the median of the counts that are not zero.
func usualCount(counts []uint32) uint32 {
	busy := slices.DeleteFunc(slices.Clone(counts), func(n uint32) bool { return n == 0 })
	if len(busy) == 0 {
		return 0
	}
	slices.Sort(busy)
	return busy[len(busy)/2]
}

// inColumn sums up the buckets of one column. A column in which a host appears is judged from then on.
func inColumn(shares []float64) Presence {
	const nearlyAll, half = 0.9, 0.5
	sum, n, silent := 0.0, 0, 0
	for _, s := range shares {
		if s == absent {
			continue
		}
		n++
		sum += s
		if s == 0 {
			silent++
		}
	}
	switch {
	case n == 0:
		return Absent
	case silent == n:
		return Silent
	case silent > 0 || sum < half*float64(n):
		return Broken
	case sum < nearlyAll*float64(n):
		return Thin
	}
	return Present
}

// Rate returns the messages a second of each bucket of the timeline, counts being those of the timeline itself or of one
// ID. Of the first and the last bucket only what the report covers counts, but half the bucket and a second at least.
func (r *Report) Rate(counts []uint32) []float64 {
	rates := make([]float64, len(counts))
	for i, n := range counts {
		from := r.bucketStart(i)
		if from.Before(r.From.Time()) {
			from = r.From.Time()
		}
		covered := max(r.bucketEnd(i).Sub(from), r.Timeline.Step/2, time.Second)
		rates[i] = float64(n) / covered.Seconds()
	}
	return rates
}
