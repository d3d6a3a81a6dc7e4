package sender

import (
	"context"
	"math"
	"time"
)

const (
	wakeInterval = 250 * time.Microsecond // what is due within it is sent together
	maxDue       = 1024                   // and calls at most this many datagrams due at once
	maxBehind    = time.Second            // later than this, the schedule is moved instead of caught up with
)

// Pace is how fast, how many and how long. The zero value of each field means without that limit.
type Pace struct {
	Rate     float64       // datagrams a second
	Count    int           // datagrams in all
	Duration time.Duration // from Start on
}

// Pacer keeps to an absolute schedule: datagram n is due at start + n/Rate, so that neither rounding nor a late wake-up
// makes it drift. After more than a second of delay (a suspended process, a blocked source of messages) the schedule
// starts anew instead of flooding the receiver.
type Pacer struct {
	pace  Pace
	start time.Time // of the schedule
	end   time.Time // zero: none
	base  int       // datagrams called due before start
	done  int       // datagrams called due in all
}

// Start begins the schedule now.
func (p Pace) Start() *Pacer {
	pacer := &Pacer{pace: p, start: time.Now()}
	if p.Duration > 0 {
		pacer.end = pacer.start.Add(p.Duration)
	}
	return pacer
}

// Next blocks until a quantum of datagrams is due, and returns how many are; 0 when the count or the time is used up.
func (p *Pacer) Next(ctx context.Context) (int, error) {
	for {
		now, quantum := time.Now(), p.quantum()
		if n := p.due(now); n >= quantum || p.finished(now) {
			p.done += n
			return n, ctx.Err()
		}
		wake := p.start.Add(p.offset(p.done - p.base + quantum - 1))
		if !p.end.IsZero() && p.end.Before(wake) {
			wake = p.end
		}
		if err := WaitUntil(ctx, wake); err != nil {
			return 0, err
		}
	}
}

func (p *Pacer) finished(now time.Time) bool {
	return p.left() == 0 || !p.end.IsZero() && !now.Before(p.end)
}

// left is how many datagrams the count still allows.
func (p *Pacer) left() int {
	if p.pace.Count <= 0 {
		return math.MaxInt
	}
	return p.pace.Count - p.done
}

// due is how many datagrams are due at now, within the limits.
func (p *Pacer) due(now time.Time) int {
	if p.finished(now) {
		return 0
	}
	if p.pace.Rate <= 0 {
		return min(maxDue, p.left())
	}
	if now.Sub(p.start)-p.offset(p.done-p.base) > maxBehind {
		p.start, p.base = now, p.done
	}
	scheduled := 1 + int(now.Sub(p.start).Seconds()*p.pace.Rate)
	return min(max(scheduled-(p.done-p.base), 0), maxDue, p.left())
}

// offset is when datagram n (from 0 on) is due, after the start.
func (p *Pacer) offset(n int) time.Duration {
	return time.Duration(math.Ceil(float64(n) / p.pace.Rate * float64(time.Second)))
}

// quantum is how many datagrams are worth waking up for. A sender that took fewer would, at rates that it can just keep,
// never rest: it would take them in ever smaller batches, which cost it twice as much.
func (p *Pacer) quantum() int {
	return min(1+int(p.pace.Rate*wakeInterval.Seconds()), maxDue, p.left())
}

// WaitUntil blocks until t, to within some tens of microseconds on Linux and without spinning, or until ctx ends.
func WaitUntil(ctx context.Context, t time.Time) error {
	// The runtime's timers wake up to a millisecond late, so they do all but the last two.
	const coarse = 2 * time.Millisecond
	if d := time.Until(t) - coarse; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if d := time.Until(t); d > 0 {
		nap(d)
	}
	return ctx.Err()
}
