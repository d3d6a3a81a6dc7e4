package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"hbjournal/sink/journal"
	"hbjournal/sink/journal/presence"
	"hbjournal/sink/journal/read"
)

// A watch follows the journals, and knows how they are at present. It reads the newest part first, so that something can be
// shown at once, while another reading goes through the last day; both go on with what comes, until the second has caught up.
type watch struct {
	opt    Options
	roster *roster

	mu    sync.Mutex
	shown *gathering // what is shown; nil: nothing was read yet
	whole *gathering // on its way to be shown; nil: it is
	fault string     // why nothing can be read at present
}

const (
	// quickBytes is how much of the newest is read first.
	quickBytes = 16 << 20
	// tryAgain is how often a journal is looked for that is not there, or cannot be read.
	tryAgain = time.Second
	// reach is how far back is read: hosts are forgotten a day after they fell silent.
	reach = 24 * time.Hour
)

func newWatch(opt Options, r *roster) *watch { return &watch{opt: opt, roster: r} }

// run reads until ctx is done, again and again if it cannot.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		w.fail(err)
		select {
		case <-ctx.Done():
		case <-time.After(tryAgain):
		}
	}
}

// fail notes why nothing is read. The log is told once of each reason.
func (w *watch) fail(err error) {
	text := "the journal has ended"
	if err != nil {
		text = err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		text = "there is no journal at " + w.opt.Title + " yet"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != text {
		w.opt.Log.Warn().Msg("cannot follow the journal: " + text)
	}
	w.fault = text
}

// follow reads what there is, and what comes.
func (w *watch) follow(ctx context.Context) error {
	since := w.opt.Now().Add(-reach)
	quick, latest, err := w.newest(ctx, since)
	if err != nil {
		return err
	}
	if !quick.After(since) {
		return w.gather(ctx, newGathering(w.opt.Now, since, latest), true)
	}
	short, stop := context.WithCancel(ctx)
	var both sync.WaitGroup
	defer both.Wait()
	defer stop()
	part := newGathering(w.opt.Now, quick, latest)
	part.part = true
	both.Go(func() { _ = w.gather(short, part, false) }) // Whatever is wrong, the other reading meets it too.
	return w.gather(ctx, newGathering(w.opt.Now, since, latest), true, stop)
}

// newest is when the newest part of the journals begins, so much that it is read in a moment, or since, if that is before it;
// and the instant of the newest line, in Unix milliseconds; 0: there is none.
func (w *watch) newest(ctx context.Context, since time.Time) (begin time.Time, latest int64, err error) {
	opt := w.roster.options()
	opt.Since = since
	source := read.OpenBack(opt)
	defer source.Close()
	var block read.Block
	for left := quickBytes; left > 0; left -= len(block.Data) {
		if err := source.Read(ctx, &block); err == io.EOF {
			return since, latest, nil
		} else if err != nil {
			return since, latest, err
		}
		if latest == 0 {
			last := bytes.TrimSuffix(block.Data, []byte("\n"))
			latest, _ = journal.LineTime(last[bytes.LastIndexByte(last, '\n')+1:])
		}
	}
	if millis, timed := journal.LineTime(block.Data); timed {
		return time.UnixMilli(millis), latest, nil
	}
	return since, latest, nil
}

// gather reads into g, and shows it: the whole reading once it has caught up. Then it calls done.
func (w *watch) gather(ctx context.Context, g *gathering, whole bool, done ...func()) error {
	opt := w.roster.options()
	opt.Since = g.since
	source, err := read.FollowAll(opt, nil)
	if err != nil {
		return err
	}
	defer source.Close()
	g.of(opt.Each())
	w.begin(g, whole)
	g.lives(w.lives())
	alive, end := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer end()
	beside.Go(func() { g.followLives(alive, w.lives()) })
	if whole {
		beside.Go(func() { w.settle(alive, g, done) })
	}
	return read.Ordered(ctx, &paced{source, g}, g.look, func(s *stretch) error {
		g.take(s)
		return nil
	})
}

// lives gives when the daemons of the journals listened; nil: nobody knows.
func (w *watch) lives() func() map[string][]presence.Span {
	if w.opt.Lives == nil {
		return nil
	}
	return func() map[string][]presence.Span { return w.opt.Lives(w.roster.all()) }
}

// settle shows g once it has caught up, and calls done.
func (w *watch) settle(ctx context.Context, g *gathering, done []func()) {
	const every = 50 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !g.hasBegun() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	w.mu.Lock()
	w.shown, w.whole = g, nil
	w.mu.Unlock()
	for _, do := range done {
		do()
	}
}

// begin shows g, unless there is one to be shown while this is on its way.
func (w *watch) begin(g *gathering, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = ""
	if whole {
		w.whole = g
	}
	if !whole || w.shown == nil {
		w.shown = g
	}
}

// current is what is to be shown, and the reading that is on its way to take its place; nil: there is none.
func (w *watch) current() (shown, whole *gathering, fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown, w.whole, w.fault
}
