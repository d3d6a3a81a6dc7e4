package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"hbjournal/sink/forward/stream"
)

// askEvery is how often missing lines are asked for again.
const askEvery = time.Minute

// hole has the lines before a message sent again.
func (a *Archiver) hole(r *receiver, mark stream.Mark) {
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
	if a.talk == nil || len(a.missed) > 0 {
		return
	}
	now := a.opts.Now()
	for name, f := range a.talk.allFigures() {
		r := a.receivers[name]
		if r == nil || !r.known || r.Journal != f.Journal || f.Number <= r.Number || now.Sub(f.seen) < quiet || now.Sub(r.moved) < quiet {
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
