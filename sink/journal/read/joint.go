package read

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// errIdle is what a source that is polled gives while there is nothing new.
var errIdle = errors.New("nothing new")

// A joint follows several journals: what there is already is read by a merged of its own, and what comes by polling a
// Follower of each.
type joint struct {
	opt    Options
	before *merged // what there is already; nil: it was read
	*merged
	polled time.Time
	pause  time.Duration // from one poll to the next
	looked time.Time     // for journals that have appeared
}

// Looking whether something is new in very many journals takes its time: a small part of it all, and then they are left alone.
const (
	pollRest  = 20 // times as long as it took
	maxPause  = time.Second
	lookEvery = time.Second
)

func newJoint(opt Options, at []*Cursor) (Source, error) {
	j := &joint{opt: opt}
	if at != nil {
		j.follow(at)
		return j, nil
	}
	var err error
	if j.before, err = openMerged(opt, true); err != nil {
		return nil, err
	}
	return j, nil
}

// follow makes the followers, from the positions of the journals on.
func (j *joint) follow(at []*Cursor) {
	j.merged = newMerged(j.opt, &scratch{})
	j.looked = time.Now()
	for i, journal := range j.opt.Journals {
		if at[i] != nil {
			j.add(journal, &poller{opt: j.opt.of(journal), at: *at[i], held: heldOf(len(at))})
		}
	}
}

// heldOf is how many files each of n followers may hold open after its current one.
func heldOf(n int) int { return max(1, maxAwake/n) }

// look adds the journals that have appeared, from their beginnings on.
func (j *joint) look() {
	if j.opt.More == nil || !j.started || time.Since(j.looked) < lookEvery {
		return
	}
	j.looked = time.Now()
	more := j.opt.More()
	if len(more) == 0 {
		return
	}
	n := len(j.all) + len(more)
	j.unit = unitOf(n)
	for _, f := range j.all {
		f.block.unit = j.unit
		f.source.(*poller).hold(heldOf(n))
	}
	for _, journal := range more {
		j.add(journal, &poller{opt: j.opt.of(journal), held: heldOf(n)})
		j.idle = append(j.idle, j.all[len(j.all)-1])
	}
}

// Read implements Source. It waits until there is something to read, and returns the error of ctx when that ends.
func (j *joint) Read(ctx context.Context, b *Block) error {
	if j.before != nil {
		if err := j.before.Read(ctx, b); err != io.EOF {
			return err
		}
		ends, err := j.before.Ends(), j.before.Close()
		if j.before = nil; err != nil {
			return err
		}
		j.follow(ends)
	}
	for {
		if err := j.poll(ctx); err != nil {
			return err
		}
		if err := j.merged.Read(ctx, b); err != io.EOF {
			return err
		}
		if len(j.idle) == 0 && j.opt.More == nil {
			return io.EOF // None of them can be read.
		}
		if err := wait(ctx, max(j.opt.every(), j.pause)); err != nil {
			return err
		}
	}
}

// poll sees whether there is something new in the journals that had nothing.
func (j *joint) poll(ctx context.Context) error {
	began := time.Now()
	if began.Sub(j.polled) < max(j.opt.every(), j.pause) {
		return ctx.Err()
	}
	j.look()
	idle := j.idle
	j.idle = nil
	for i, f := range idle {
		err := j.load(ctx, f)
		switch {
		case errors.Is(err, errIdle):
			j.idle = append(j.idle, f)
		case err != nil:
			j.idle = append(j.idle, idle[i:]...)
			return err
		default:
			heap.Push(&j.heap, f)
		}
	}
	j.polled = time.Now()
	j.pause = min(maxPause, pollRest*j.polled.Sub(began))
	return ctx.Err()
}

// Close implements Source.
func (j *joint) Close() error {
	var err error
	if j.before != nil {
		err = j.before.Close()
	}
	if j.merged != nil {
		err = errors.Join(err, j.merged.Close())
	}
	return err
}

// A poller is a Source that gives what comes in one journal, and errIdle while there is nothing. A Follower of it is there
// only while something comes, if there are very many journals.
type poller struct {
	opt  Options
	at   Cursor
	held int
	f    *Follower   // nil while it is parked
	seen os.FileInfo // the live file, as it was before it was last read to its end; nil: there may be more
}

// Read implements Source.
func (p *poller) Read(ctx context.Context, b *Block) error {
	live, err := os.Stat(filepath.Join(p.opt.Dir, p.opt.Base))
	if errors.Is(err, fs.ErrNotExist) && p.f == nil || err == nil && p.unchanged(live) {
		return errIdle
	}
	if p.f == nil {
		if p.f, err = Follow(p.opt, p.at); err != nil {
			p.f = nil
			return err
		}
		p.f.polled, p.f.held = true, p.held
	}
	p.seen = nil
	if err = p.f.Read(ctx, b); errors.Is(err, errIdle) && p.f.chain.current() {
		p.seen = live
	}
	return err
}

// unchanged reports whether the live file is as it was when there was nothing more to read.
func (p *poller) unchanged(live os.FileInfo) bool {
	return p.seen != nil && os.SameFile(p.seen, live) && p.seen.Size() == live.Size() && p.seen.ModTime().Equal(live.ModTime())
}

// hold bounds how many files are held open after the current one.
func (p *poller) hold(held int) {
	p.held = held
	if p.f != nil {
		p.f.held = held
	}
}

// park implements parker.
func (p *poller) park(context.Context) error {
	if p.f == nil {
		return nil
	}
	p.at = p.f.position()
	return p.Close()
}

// Close implements Source.
func (p *poller) Close() error {
	if p.f == nil {
		return nil
	}
	err := p.f.Close()
	p.f = nil
	return err
}
