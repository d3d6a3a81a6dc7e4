package summary

import "hbjournal/sink/journal/presence"

// maxBootsKept bounds the instants of boots kept for a host, the latest ones. All are counted.
const maxBootsKept = 32

// host is what is known of one name.
type host struct {
	tally   Tally
	span    span
	beats   pulse
	boots   int64
	reboots []int64 // instants of the latest boots, in the order they came
	times   timeline
}

// span is the first and the last instant of something, in Unix milliseconds. It is empty while n is 0.
type span struct {
	n           int64
	first, last int64
}

func (s *span) add(at int64) {
	s.merge(span{n: 1, first: at, last: at})
}

func (s *span) merge(u span) {
	switch {
	case u.n == 0:
	case s.n == 0:
		*s = u
	default:
		s.n, s.first, s.last = s.n+u.n, min(s.first, u.first), max(s.last, u.last)
	}
}

// heard counts a message, in bucket of the timeline.
func (h *host) heard(at int64, size int, bucket int64) {
	h.tally.add(size)
	h.span.add(at)
	if h.beats.beats == 0 {
		h.times.add(bucket, 1)
	}
}

// beat counts a message that was heard as a beat too.
func (h *host) beat(at, interval, bucket int64) {
	if h.beats.beats == 0 {
		h.times.reset()
	}
	h.times.add(bucket, 1)
	h.beats.beat(at, interval)
}

func (h *host) boot(at int64) {
	h.boots++
	h.keepBoots(at)
}

func (h *host) keepBoots(at ...int64) {
	h.reboots = append(h.reboots, at...)
	if extra := len(h.reboots) - maxBootsKept; extra > 0 {
		h.reboots = append(h.reboots[:0], h.reboots[extra:]...)
	}
}

// reset forgets everything but keeps the memory.
func (h *host) reset() {
	h.times.reset()
	*h = host{times: h.times, reboots: h.reboots[:0]}
}

// merge adds what a later stretch of the journal knows of the same host.
func (h *host) merge(later *host) {
	h.tally.merge(&later.tally)
	h.span.merge(later.span)
	switch {
	case h.beats.beats > 0 && later.beats.beats == 0:
	case h.beats.beats == 0 && later.beats.beats > 0:
		h.times.reset()
		h.times.merge(&later.times)
	default:
		h.times.merge(&later.times)
	}
	h.beats.merge(later.beats)
	h.boots += later.boots
	h.keepBoots(later.reboots...)
}

// pulse follows the beats of a host. Beats must come in the journal's order.
type pulse struct {
	beats       int64
	missed      int64
	first, last int64 // Unix milliseconds; valid if beats > 0
	interval    int64 // milliseconds, as the last beat promised; 0 if it promised nothing
	silence     gap   // the longest time in which a promised beat did not come
}

// gap is a stretch of time between two beats, in Unix milliseconds.
type gap struct {
	from, to int64
}

func (g gap) length() int64 { return g.to - g.from }

// beat notes a beat that promises the next after interval milliseconds.
func (p *pulse) beat(at, interval int64) {
	p.merge(pulse{beats: 1, first: at, last: at, interval: interval})
}

// merge appends the beats that follow. The pause between the two is judged by the interval promised before it.
func (p *pulse) merge(later pulse) {
	if later.beats == 0 {
		return
	}
	if p.beats == 0 {
		*p = later
		return
	}
	p.pause(later.first)
	p.beats += later.beats
	p.missed += later.missed
	if later.silence.length() > p.silence.length() {
		p.silence = later.silence
	}
	p.last, p.interval = later.last, later.interval
}

// pause judges the time from the last beat until at: how many beats should have come before at, but did not.
func (p *pulse) pause(at int64) {
	missed := presence.Missed(at-p.last, p.interval, presence.DefaultGrace)
	if missed == 0 {
		return
	}
	p.missed += missed
	if g := (gap{p.last, at}); g.length() > p.silence.length() {
		p.silence = g
	}
}

// until returns the pulse with the silence from the last beat to the end of the report judged as well.
func (p pulse) until(end int64) pulse {
	if p.beats > 0 {
		p.pause(end)
	}
	return p
}
