package presence

import (
	"math"
	"slices"
	"sort"
	"time"

	"hbjournal/sink/journal"
)

// Span is a stretch of time.
type Span struct {
	From, To time.Time
}

// span is a stretch of time in Unix milliseconds.
type span struct {
	from, to int64
}

// receiver is a daemon that wrote one of the journals, known by the directory of it.
type receiver struct {
	place   string
	lives   []span // in which it listened, in order; none: not known
	gaps    []span // in which it lost what came, or nothing came from anybody
	heardAt int64  // when anything came last
	latest  int64  // instant of its last entry, whatever it was
	live    int    // hosts that should be heard, and were heard here last
	doubts  []*host
	parked  []*host
}

// mostSpans bounds the spans that are kept of a kind, the latest ones.
const mostSpans = 4096

// alive is for how long after its last sign of life a daemon is taken to be alive still, in milliseconds: it gives one a
// second.
const alive = 3000

func (b *Board) receiver(place string) *receiver {
	r := b.receivers[place]
	if r == nil {
		r = &receiver{place: place}
		b.receivers[place] = r
	}
	return r
}

// Alive says in which spans the daemon was alive that wrote the journal in the directory place, as far as is known: all of
// them, in order, the last one up to its last sign of life. What is due after that is judged only once more is known. It
// holds from the first span on; before it, what the journal itself says must do.
func (b *Board) Alive(place string, lives []Span) {
	r := b.receiver(place)
	r.lives = r.lives[:0]
	for _, life := range lives {
		one := span{millis(life.From), millis(life.To)}
		r.lives = add(before(r.lives, one.from), one, 0)
	}
	parked := r.parked
	r.parked = nil
	for _, h := range parked {
		h.parked = false
		if h.place < 0 && !h.gone {
			b.wait(h, b.due(h))
		}
	}
}

// before is what of spans is before an instant: that the clock was set back to it later, so those behind it were none of its time.
func before(spans []span, at int64) []span {
	for n := len(spans); n > 0 && spans[n-1].to > at; n-- {
		if spans[n-1].from < at {
			spans[n-1].to = at
			break
		}
		spans = spans[:n-1]
	}
	return spans
}

// Down says that nothing could be heard from one instant to another, by none of the receivers.
func (b *Board) Down(from, to time.Time) {
	b.downs = add(b.downs, span{millis(from), millis(to)}, 0)
}

func millis(t time.Time) int64 { return clampMillis(int64(journal.InstantOf(t))) }

// heard takes that something came to r.
func (b *Board) heard(r *receiver, at int64) {
	if len(r.doubts) > 0 {
		b.settle(r, at)
	}
	r.heardAt = max(r.heardAt, at)
}

// settle judges the hosts in doubt, now that something came.
func (b *Board) settle(r *receiver, at int64) {
	deaf := make([]bool, len(r.doubts))
	for i, h := range r.doubts {
		deaf[i] = b.inHole(h, at)
	}
	if slices.Contains(deaf, true) {
		r.gaps = add(r.gaps, span{r.heardAt, at}, 0)
	}
	doubts := r.doubts
	r.doubts = nil
	for i, h := range doubts {
		h.doubted = false
		if deaf[i] {
			b.judge(h)
		} else {
			b.miss(h, b.due(h))
		}
	}
}

// lost takes a note of losses that was written at an instant, and returns the time in which they were.
func (r *receiver) lost(gap journal.GapNote, at int64) span {
	from, to := clampMillis(int64(gap.First)), clampMillis(int64(gap.Last))
	if from == 0 || from > at {
		from = r.heardAt
	}
	if to == 0 || to > at {
		to = at
	}
	lost := span{min(from, to), to}
	r.gaps = add(r.gaps, lost, time.Second.Milliseconds())
	return lost
}

// A hearing is whether a beat could have been heard.
type hearing uint8

const (
	listening hearing = iota // it could
	deaf                     // it could not
	unsure                   // it is not known yet
	hole                     // nothing at all was heard: it depends on the others
)

// hearing tells whether the beat of h that is to be judged could have been heard, had it come by the instant to; for one
// that could not, until when it is so.
func (b *Board) hearing(h *host, to int64) (what hearing, until int64) {
	from := h.dueAt() - half(h.interval)
	r := h.receiver
	for _, spans := range [...][]span{b.downs, r.gaps} {
		if i := after(spans, from); i < len(spans) && spans[i].from <= to {
			return deaf, spans[i].to
		}
	}
	switch {
	case len(r.lives) > 0 && to >= r.lives[0].from:
		return r.lived(from, to)
	case r.live >= 2 && r.heardAt < h.dueAt():
		return hole, 0
	}
	return listening, 0
}

// lived is hearing by the spans of life.
func (r *receiver) lived(from, to int64) (what hearing, until int64) {
	i := after(r.lives, from)
	switch {
	case i == len(r.lives):
		return unsure, 0
	case r.lives[i].from > from:
		return deaf, r.lives[i].from
	case r.lives[i].to >= to:
		return listening, 0
	case i+1 < len(r.lives):
		return deaf, r.lives[i+1].from
	}
	return unsure, 0
}

// lastSign is when r is known to have lived last; the end of time if nothing is known of that.
func (r *receiver) lastSign() int64 {
	if len(r.lives) == 0 {
		return math.MaxInt64
	}
	return r.lives[len(r.lives)-1].to
}

// enter puts h among those in doubt, and reports whether it was not there yet.
func (r *receiver) enter(h *host) bool {
	if h.doubted {
		return false
	}
	h.doubted = true
	r.doubts = append(r.doubts, h)
	return true
}

// leave takes h out of those in doubt.
func (r *receiver) leave(h *host) {
	if h.doubted {
		h.doubted = false
		r.doubts = slices.DeleteFunc(r.doubts, func(other *host) bool { return other == h })
	}
}

// drop takes h from r.
func (r *receiver) drop(h *host) {
	r.leave(h)
	if h.counted {
		h.counted = false
		r.live--
	}
}

func (r *receiver) park(h *host) {
	if !h.parked {
		h.parked = true
		r.parked = append(r.parked, h)
	}
}

// inHole reports whether it is the receiver's fault that h, which is in doubt, was not heard up to an instant: nothing came
// from anybody for so long that h and another host at least missed a beat in that time alone.
func (b *Board) inHole(h *host, at int64) bool {
	length := at - h.receiver.heardAt
	return b.outlasts(length, h) && slices.ContainsFunc(h.receiver.doubts, func(other *host) bool {
		return other != h && b.outlasts(length, other)
	})
}

// outlasts reports whether h misses a beat in so much time, whenever it begins.
func (b *Board) outlasts(length int64, h *host) bool {
	return length >= h.interval+allowance(h.interval, b.opt.Grace)
}

// after returns the index of the first span that does not end before an instant.
func after(spans []span, at int64) int {
	return sort.Search(len(spans), func(i int) bool { return spans[i].to >= at })
}

// add adds one to spans that are in order, and makes one of those that are no further apart than near.
func add(spans []span, one span, near int64) []span {
	if one.to < one.from {
		return spans
	}
	from := after(spans, one.from-near)
	to := from
	for ; to < len(spans) && spans[to].from <= one.to+near; to++ {
		one = span{min(one.from, spans[to].from), max(one.to, spans[to].to)}
	}
	spans = slices.Replace(spans, from, to, one)
	return spans[max(0, len(spans)-mostSpans):]
}
