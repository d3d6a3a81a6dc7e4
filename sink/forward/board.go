package forward

import (
	"maps"
	"sync"
	"time"

	"hbjournal/sink/journal"
)

// State is what an output is doing.
type State string

// The states of an output.
const (
	Working State = "ok"      // it takes lines, or there are none
	Waiting State = "waiting" // there is trouble, which will be tried again
	Failing State = "failing" // it refuses all lines for one reason
	Stopped State = "stopped" // it cannot be right as it is configured
)

// Figures are what there is to see of an output.
type Figures struct {
	Name    string    `json:"name"`
	Address string    `json:"address"`
	State   State     `json:"state"`
	Since   time.Time `json:"since"`           // of the state
	Class   Class     `json:"class,omitempty"` // of the trouble
	Error   string    `json:"error,omitempty"` // the last one, also of a trouble that is over
	Totals
	RefusedBy map[string]int64 `json:"refused_by,omitempty"` // lines, by the receiver's code
	Retries   map[Class]int64  `json:"retries,omitempty"`
	Cursor    string           `json:"cursor"` // behind what was dealt with
	Number    int64            `json:"number"`
	DeadBytes int64            `json:"dead_bytes"`
	LagBytes  int64            `json:"lag_bytes"`
	HeldBytes int64            `json:"held_bytes"`        // of backups that it still needs
	Oldest    time.Time        `json:"oldest,omitzero"`   // when the first line that is not sent was received; zero: there is none
	LastAck   time.Time        `json:"last_ack,omitzero"` // zero: none since the start

	Seconds Histogram `json:"-"` // of what Send took
}

// LagSeconds is how old the first line is that was not sent.
func (f Figures) LagSeconds(now time.Time) float64 {
	if f.Oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(f.Oldest).Seconds())
}

// Histogram counts durations.
type Histogram struct {
	Counts [len(Bounds) + 1]uint64 // by the first of Bounds that is not less; the last: more than all
	Sum    time.Duration
}

// Bounds are those of a Histogram, in seconds.
var Bounds = [...]float64{0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60}

func (h *Histogram) add(d time.Duration) {
	i := 0
	for i < len(Bounds) && d.Seconds() > Bounds[i] {
		i++
	}
	h.Counts[i]++
	h.Sum += d
}

// maxCodes bounds the codes that refusals are counted by: they are the receiver's words.
const maxCodes = 32

// board is what a Loop shows to others.
type board struct {
	mu     sync.Mutex
	now    func() time.Time
	f      Figures
	tries  int       // of the trouble
	said   time.Time // when the log was told last
	looked time.Time
}

func (b *board) init(opt Options) {
	b.now = opt.Now
	b.f = Figures{
		Name: opt.Name, Address: opt.Address, State: Working, Since: opt.Now(),
		RefusedBy: map[string]int64{}, Retries: map[Class]int64{},
	}
}

// Figures may be called at any time, by anyone.
func (l *Loop) Figures() Figures {
	b := &l.board
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.f
	f.RefusedBy, f.Retries = maps.Clone(f.RefusedBy), maps.Clone(f.Retries)
	return f
}

func (b *board) change(f func(*Figures)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.f)
}

// totals shows what was made durable.
func (b *board) totals(r Record) {
	b.change(func(f *Figures) {
		f.Totals, f.Cursor, f.Number, f.DeadBytes = r.Figures, r.Cursor.String(), r.Number, r.Dead
	})
}

func (b *board) sending(part *Batch) {
	millis, timed := journal.LineTime(part.Line(0))
	b.change(func(f *Figures) {
		if timed {
			f.Oldest = time.UnixMilli(millis)
		}
	})
}

func (b *board) sent(took time.Duration) { b.change(func(f *Figures) { f.Seconds.add(took) }) }

func (b *board) took() { b.change(func(f *Figures) { f.LastAck = b.now() }) }

func (b *board) idle() {
	b.change(func(f *Figures) { f.Oldest, f.LagBytes = time.Time{}, 0 })
}

func (b *board) holds(bytes int64) { b.change(func(f *Figures) { f.HeldBytes = bytes }) }

func (b *board) behind(bytes int64) { b.change(func(f *Figures) { f.LagBytes = bytes }) }

func (b *board) refused(letters []pendingLetter) {
	b.change(func(f *Figures) {
		for _, l := range letters {
			code := l.Code
			if _, known := f.RefusedBy[code]; !known && len(f.RefusedBy) >= maxCodes {
				code = "other"
			}
			f.RefusedBy[code] += int64(max(1, l.Count))
		}
	})
}

// trouble counts one, and returns since when there has been trouble, and how often in a row.
func (b *board) trouble(t *TroubleError) (since time.Time, tries int) {
	b.change(func(f *Figures) {
		state := Waiting
		if t.Class == Refusals {
			state = Failing
		}
		if f.State == Working {
			f.Since, b.tries = b.now(), 0
		}
		b.tries++
		f.State, f.Class, f.Error = state, t.Class, printable(t.Error(), maxReason)
		f.Retries[t.Class]++
		since, tries = f.Since, b.tries
	})
	return since, tries
}

// class is that of the trouble that there is; "": none.
func (b *board) class() (class Class) {
	b.change(func(f *Figures) { class = f.Class })
	return class
}

// toSay reports whether the log is to be told of a trouble.
func (b *board) toSay(changed bool) (say bool) {
	b.change(func(*Figures) {
		if now := b.now(); changed || now.Sub(b.said) >= sayEvery {
			b.said, say = now, true
		}
	})
	return say
}

// works ends a trouble, and reports whether there was one.
func (b *board) works() (since time.Time, was bool) {
	b.change(func(f *Figures) {
		since, was = f.Since, f.State != Working
		if was {
			f.State, f.Class, f.Since = Working, "", b.now()
		}
	})
	return since, was
}

func (b *board) stopped(err error) {
	b.change(func(f *Figures) {
		f.State, f.Error, f.Since = Stopped, printable(err.Error(), maxReason), b.now()
	})
}

// toLook reports whether it is time to find out how far behind the output is.
func (b *board) toLook() (look bool) {
	b.change(func(*Figures) {
		if now := b.now(); now.Sub(b.looked) >= time.Second {
			b.looked, look = now, true
		}
	})
	return look
}
