package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"hbjournal/sink/forward/stream"
)

// askEvery is how often missing lines are asked for again.
const askEvery = time.Minute

// holdFor is how long the stream is kept from what it holds behind a hole on: the receiver may not have all of that any more when it
// fills the hole. One that never comes back must not have the stream run full.
const holdFor = 2 * askEvery

// A hold is what the stream holds of one receiver behind a hole.
type hold struct {
	since    time.Time // when the hole was found; zero: there is none
	messages firsts    // behind it
	of       string    // journal of those
	number   int64     // of the first line in them; 0: there are none
	next     int64     // behind the last line in them
	gone     gone
}

// gone are lines that a receiver has said not to have any more.
type gone struct {
	journal  string
	from, to int64
	reason   string
}

// note notes a message behind the hole.
func (h *hold) note(m Message, mark stream.Mark, now time.Time) {
	if h.since.IsZero() {
		h.since = now
	}
	if h.over(now) {
		return
	}
	h.messages.note(m.Partition, m.Offset)
	switch {
	case h.number == 0:
		h.of, h.number, h.next = mark.Journal, mark.Number, mark.Next()
	case h.of == mark.Journal:
		h.number, h.next = min(h.number, mark.Number), max(h.next, mark.Next())
	}
}

// over reports whether the receiver had its time.
func (h *hold) over(now time.Time) bool { return !h.since.IsZero() && now.Sub(h.since) > holdFor }

// release lets the stream be purged.
func (h *hold) release() { h.messages, h.of, h.number, h.next = nil, "", 0, 0 }

// overtakes reports whether a message, which tells that the lines before it are gone, stands behind some that the stream holds.
func (h *hold) overtakes(next int64, m stream.Mark) bool {
	return h.number > 0 && h.of == m.Journal && h.number < m.Number && h.next > next
}

// fills returns why the lines from next up to those of a message are known to be gone, and false if they are not.
func (h *hold) fills(next int64, m stream.Mark) (reason string, ok bool) {
	g := h.gone
	if g.journal != m.Journal || next < g.from || m.Number > g.to {
		return "", false
	}
	return g.reason, true
}

// releaseHolds lets the stream be purged of what waited for receivers that had their time.
func (a *Archiver) releaseHolds(now time.Time) {
	for _, r := range a.receivers {
		if r.hold.number > 0 && r.hold.over(now) {
			r.hold.release()
			r.log.log.Warn().Int64("from", r.Number).Msg("the receiver does not send its missing lines; the stream is not kept for them any more")
		}
	}
}

// early has what the stream holds read before a message that overtakes it.
func (a *Archiver) early(r *receiver, m Message, mark stream.Mark) {
	r.hold.gone = gone{mark.Journal, mark.Gone.From, r.hold.number, mark.Gone.Reason}
	r.hold.note(m, mark, a.opts.Now())
	r.again = true
}

// hole has the lines before a message sent again.
func (a *Archiver) hole(r *receiver, m Message, mark stream.Mark) {
	r.hold.note(m, mark, a.opts.Now())
	if r.asked.IsZero() {
		a.figures.count(func(f *Figures) { f.Holes++ })
		r.log.log.Warn().Int64("from", r.Number).Int64("to", mark.Number).Msg("lines are missing in the stream; asking the receiver for them")
	}
	a.ask(r, mark.Journal)
}

// ask asks for the lines from the receiver's place on, unless that was done a moment ago.
func (a *Archiver) ask(r *receiver, journalID string) {
	now := a.opts.Now()
	if since := now.Sub(r.asked); a.talk == nil || !r.asked.IsZero() && since >= 0 && since < askEvery {
		return
	}
	r.asked = now
	var nonce [8]byte
	_, _ = rand.Read(nonce[:]) // Never fails.
	a.figures.count(func(f *Figures) { f.Asked++ })
	a.talk.ask(r.name, stream.Request{
		Journal: journalID, Number: r.Number, From: r.To, At: now.UTC(), ID: hex.EncodeToString(nonce[:]),
	})
}

// healed notes that the next lines came.
func (a *Archiver) healed(r *receiver) {
	r.moved = a.opts.Now()
	if r.hold.next <= r.Number { // Until then the receiver may find that it has less than the stream.
		r.hold.since = time.Time{}
		r.hold.release()
	}
	if r.asked.IsZero() {
		return
	}
	r.asked = time.Time{}
	a.figures.count(func(f *Figures) { f.Healed++ })
	r.log.log.Info().Int64("number", r.Number).Msg("the missing lines came")
}

// quiet is how long a receiver's lines may be on their way.
const quiet = 10 * time.Second

// compareFigures asks for what receivers say they have shipped and the stream does not give.
func (a *Archiver) compareFigures() {
	if a.talk == nil {
		return
	}
	now := a.opts.Now()
	for name, f := range a.talk.allFigures() {
		r := a.receivers[name]
		if r == nil || !r.known || len(r.missed) > 0 || r.Journal != f.Journal || f.Number <= r.Number || now.Sub(f.seen) < quiet || now.Sub(r.moved) < quiet {
			continue
		}
		if r.asked.IsZero() {
			a.figures.count(func(f *Figures) { f.Holes++ })
			r.log.log.Warn().Int64("from", r.Number).Int64("to", f.Number).
				Msg("the receiver has shipped lines that the stream does not hold; asking for them")
		}
		a.ask(r, f.Journal)
	}
}
