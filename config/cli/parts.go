package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// part is one of the things that a daemon does beside the others. What it needs is open already when it is made, so that
// what cannot work is an error of the start.
type part interface {
	// Serve works until ctx is done. Then it ends what it has begun, within a time that it or addFor bounds, and returns
	// when that is done and what it holds is free. A part that cannot go on returns its error earlier, and the others
	// go on without it.
	Serve(ctx context.Context) error
}

// namedPart is a part under the name by which the log calls it.
type namedPart struct {
	name string
	part
	patience time.Duration // how long its end may take; 0: it bounds that itself
}

// parts are those of one daemon, in the order in which they start. What others lean on stands before them.
type parts []namedPart

func (p *parts) add(name string, part part) { *p = append(*p, namedPart{name: name, part: part}) }

// addFor adds a part that waits for a disk, which may never answer. After patience it is left to the end of the process.
func (p *parts) addFor(patience time.Duration, name string, part part) {
	*p = append(*p, namedPart{name, part, patience})
}

// start has all of them serve, each on a goroutine of its own. The returned function stops them from the last to the
// first, each when those behind it have ended, and returns what went wrong in that.
func (p parts) start(log zerolog.Logger) (stop func() error) {
	var stops []func() error
	for _, part := range p {
		stops = append(stops, part.start(log))
	}
	return func() error {
		var errs []error
		for _, stop := range slices.Backward(stops) {
			errs = append(errs, stop())
		}
		return errors.Join(errs...)
	}
}

// start has the part serve until the returned function is called. If it fails before, the log is told at once, since
// nobody waits for its error then.
func (p namedPart) start(log zerolog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := p.Serve(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error().Err(err).Str("part", p.name).Msg("a part of hbjournal has failed; the others go on without it")
			err = nil
		}
		ended <- err
	}()
	return func() error {
		cancel()
		if p.patience == 0 {
			return <-ended
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(p.patience):
			return fmt.Errorf("stop %s: no end within %v: does the disk answer?", p.name, p.patience)
		}
	}
}
