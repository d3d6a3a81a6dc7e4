package fleet

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"hbjournal/sink/forward/stream"
)

// A reading has an engine read ahead of what is written, on a goroutine of its own.
type reading struct {
	engine Engine
	items  chan item

	mu     sync.Mutex
	turn   uint64 // counts the places that it was sent to
	behind Position
	cancel context.CancelFunc // of the turn
}

// item is a message, or word of where a reading began, or of why it has stopped for a while.
type item struct {
	turn    uint64
	began   *Position
	trouble error
	message Message
}

// aheadMessages are read at most before they are taken.
const aheadMessages = 8

func newReading(engine Engine, behind Position) *reading {
	return &reading{engine: engine, behind: behind, items: make(chan item, aheadMessages), cancel: func() {}}
}

// seek sends the reading to a place, and returns the turn of what comes from there on.
func (r *reading) seek(behind Position) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn++
	r.behind = behind
	r.cancel()
	return r.turn
}

// begin begins a turn.
func (r *reading) begin(ctx context.Context) (context.Context, uint64, Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, r.cancel = context.WithCancel(ctx)
	return ctx, r.turn, r.behind.clone()
}

// started notes where a turn really began.
func (r *reading) started(turn uint64, at Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if turn == r.turn {
		r.behind = at.clone()
	}
}

// reached notes how far a turn has come, to go on from there after trouble.
func (r *reading) reached(turn uint64, m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if turn == r.turn {
		r.behind.Offsets[m.Partition] = m.Offset
	}
}

const (
	shortestPause = 100 * time.Millisecond
	longestPause  = 5 * time.Second
)

// run reads until ctx ends.
func (r *reading) run(ctx context.Context) {
	defer close(r.items)
	pause := shortestPause
	for ctx.Err() == nil {
		turnCtx, turn, behind := r.begin(ctx)
		any, err := r.read(turnCtx, turn, behind)
		r.cancel()
		if any {
			pause = shortestPause
		}
		if err == nil || turnCtx.Err() != nil && ctx.Err() == nil && errors.Is(err, context.Canceled) {
			continue
		}
		if !r.give(ctx, item{turn: turn, trouble: err}) || !stream.Wait(ctx, pause/2+rand.N(pause/2)) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// read reads on from a place, and reports whether anything came.
func (r *reading) read(ctx context.Context, turn uint64, behind Position) (any bool, err error) {
	behind, err = r.engine.Start(ctx, behind)
	if err != nil {
		return false, err
	}
	r.started(turn, behind)
	if !r.give(ctx, item{turn: turn, began: &behind}) {
		return false, ctx.Err()
	}
	for {
		m, err := r.engine.Next(ctx)
		if err != nil {
			return any, err
		}
		any = true
		m.Payload = bytes.Clone(m.Payload)
		if !r.give(ctx, item{turn: turn, message: m}) {
			return any, ctx.Err()
		}
		r.reached(turn, m)
	}
}

// give hands an item over, and reports whether it was taken before ctx ended.
func (r *reading) give(ctx context.Context, i item) bool {
	select {
	case r.items <- i:
		return true
	case <-ctx.Done():
		return false
	}
}
