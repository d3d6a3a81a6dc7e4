package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"hbjournal/sink/forward/stream"
)

const (
	// openJournals may be open at once. Each has four files: the live one, its lock, its reserve, and its position while that is written.
	openJournals = 60
	atOnce       = 8 // journals are made durable at once
	retryEvery   = 5 * time.Second
)

// round makes durable what waits: the lines of each receiver, then its place, then how far the engine's messages are dealt with.
// What is durable then is confirmed. A receiver whose journal cannot be written is left out until it can; a full disk holds up all.
func (a *Archiver) round(ctx context.Context) error {
	a.lastRound = a.opts.Now()
	var errs []error
	all := make([]*receiver, 0, len(a.dirty))
	for r := range a.dirty {
		all = append(all, r)
	}
	for some := range slices.Chunk(all, openJournals/2) {
		if err := a.makeRoom(some); err != nil {
			errs = append(errs, err)
		}
		errs = append(errs, a.flush(ctx, some)...)
	}
	full := isFull(errors.Join(errs...))
	if full != a.full {
		a.full = full
		a.figures.count(func(f *Figures) { f.Full = full })
		if !full {
			a.log.over("round", "what was received can be made durable again")
		}
	}
	if full || ctx.Err() != nil { // What was not written because ctx ended is in no place, and not missed either.
		return errors.Join(append(errs, ctx.Err())...)
	}
	if len(all) > 0 {
		a.figures.count(func(f *Figures) { f.LastWrite = a.lastRound })
	}
	if err := a.savePosition(); err != nil {
		return err
	}
	a.tellProgress()
	return nil
}

// tellProgress says which messages are dealt with here, for those that all archivers have confirmed to be purged.
func (a *Archiver) tellProgress() {
	if a.talk == nil {
		return
	}
	last := make(map[string]uint64, len(a.receivers))
	for name, r := range a.receivers {
		switch {
		case !r.known: // Others may need what it had.
			passed := r.passed
			if c, _ := a.talk.confirmed(name); c.Stream == a.saved.Stream {
				passed = max(passed, c.Sequence)
			}
			if passed > 0 {
				last[name] = passed
			}
		case r.Stream == a.saved.Stream:
			last[name] = r.safe.Offset
		}
	}
	a.talk.progress(a.saved, last)
}

// flush makes the journals of some receivers durable.
func (a *Archiver) flush(ctx context.Context, some []*receiver) []error {
	errs := make([]error, len(some))
	limit := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, r := range some {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			before := len(r.buf)
			errs[i] = r.flush(ctx)
			a.figures.moves()
			r.written = before - len(r.buf)
		})
	}
	wg.Wait()
	for i, r := range some {
		a.buffered -= int64(r.written)
		if errs[i] != nil {
			errs[i] = fmt.Errorf("receiver %s: %w", r.name, errs[i])
			if !isFull(errs[i]) && ctx.Err() == nil {
				a.leave(r, errs[i])
			}
			continue
		}
		r.first = 0
		delete(a.dirty, r)
		r.log.over("flush", "the journal can be written again")
		a.confirm(r)
	}
	return errs
}

// isFull reports whether an error is that the disk is full.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// leave goes on without a receiver whose journal cannot be written. Its messages are read again when it can.
func (a *Archiver) leave(r *receiver, err error) {
	r.log.warn("flush", err, "the journal cannot be written; going on without this receiver, and trying again")
	delete(a.dirty, r)
	a.buffered -= int64(len(r.buf))
	if r.first > 0 {
		r.missed.note(r.Partition, r.first)
	}
	r.first, r.missing, r.retry = 0, true, a.opts.Now()
	_ = r.close()
	r.forget()
	if errors.Is(err, errNoPlace) {
		r.lose(a.position.Stream)
		r.retry = time.Time{} // What comes again tells where the place is.
	}
}

// confirm has it told what is durable.
func (a *Archiver) confirm(r *receiver) {
	if a.talk == nil || r.Journal == "" {
		return
	}
	a.talk.confirm(r.name, stream.Confirmation{
		Journal: r.Journal, Number: r.Number, To: r.To, Last: r.Last, Sequence: r.Offset, Stream: r.Stream, At: a.opts.Now().UTC(),
	})
}

// makeRoom closes the journals that were not used for longest, so that some can be opened.
func (a *Archiver) makeRoom(some []*receiver) error {
	var open []*receiver
	need := 0
	for _, r := range some {
		if r.file == nil {
			need++
		}
	}
	for _, r := range a.receivers {
		if r.file != nil && !slices.Contains(some, r) {
			open = append(open, r)
		}
	}
	inUse := len(some) - need
	over := len(open) + inUse + need - openJournals
	if over <= 0 {
		return nil
	}
	slices.SortFunc(open, func(x, y *receiver) int { return x.used.Compare(y.used) })
	var errs []error
	for _, r := range open[:min(over, len(open))] {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}

// tick does what waits for a time.
func (a *Archiver) tick() {
	now := a.opts.Now()
	if since := now.Sub(a.lastTick); since >= 0 && since < time.Second {
		return
	}
	a.lastTick = now
	a.tellReceivers()
	a.compareFigures()
	a.retry(now)
	a.releaseHolds(now)
}

// tellReceivers counts how the receivers are.
func (a *Archiver) tellReceivers() {
	waiting, failing := 0, 0
	for _, r := range a.receivers {
		switch {
		case r.missing || !r.known:
			failing++
		case !r.asked.IsZero():
			waiting++
		}
	}
	a.figures.count(func(f *Figures) { f.Receivers, f.Waiting, f.Failing = len(a.receivers), waiting, failing })
}

// retry looks whether the journals of receivers that were left can be written again, and goes back to what these have missed, and to
// what is to be read before a message that came early.
func (a *Archiver) retry(now time.Time) {
	for _, r := range a.receivers {
		if !r.missing || now.Sub(r.retry) < retryEvery {
			continue
		}
		r.retry = now
		if err := r.probe(); err != nil {
			r.log.warn("flush", err, "the journal cannot be written; going on without this receiver, and trying again")
			continue
		}
		r.missing, r.again = false, true
	}
	a.goBack()
}
