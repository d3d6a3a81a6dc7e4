package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A reading is one run of a command that reads entries: all that such commands do in the same way, from the call to the
// exit code. It works out the selection, warns of faults in the files, shows progress to those who wait, ends at the first
// interrupt, and says what became of it. What is done with the entries is the command's own.
type reading struct {
	*selection
	env    Env
	out    *output
	faults faults
	bar    *progress

	quiet     bool  // nothing is printed before the end, so progress may be shown on the same terminal
	endless   bool  // it follows the journal: an interrupt is how it ends, and no failure
	sayNone   bool  // that no entry was found is said, with what there is
	failEmpty bool  // and it is a failure
	entries   int64 // that were found so far
}

// reading prepares the selection for the FILE arguments. Faults of the call beside those of the selection are given as
// fault, so that all are reported at once.
func (s *selection) reading(args []string, fault error) (*reading, error) {
	if err := errors.Join(fault, s.prepare(args)); err != nil {
		return nil, err
	}
	return &reading{selection: s, env: s.environ, out: newOutput(s.environ.Stdout), faults: s.faults()}, nil
}

// errEnough ends a reading that has all that was asked for.
var errEnough = errors.New("enough")

// blockedFor is how long a reading that was interrupted may take to stop, and then to conclude, before it is taken to be
// blocked.
const blockedFor = 400 * time.Millisecond

// run lets read go through the entries, and conclude print what they come to, also if it was interrupted before the last
// one; conclude may be nil. It returns the error of the command.
//
// A system call on a pipe cannot be interrupted. If one keeps the reading from ending, run returns without it: the
// goroutine that is blocked there is left to the end of the process, which follows.
func (r *reading) run(ctx context.Context, read func(context.Context) error, conclude func(interrupted bool) error) error {
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	if r.options.Stdin != nil {
		r.options.Stdin = &wakingReader{ctx: ctx, r: r.options.Stdin}
	}
	r.bar = startProgress(r)
	stopped, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		err := read(ctx)
		close(stopped)
		ended <- r.finish(ctx, err, conclude)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-stopped:
	case <-time.After(blockedFor):
		return errBlocked
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(blockedFor):
		return errBlocked
	}
}

var errBlocked = errors.New("interrupted while it waited for a pipe")

// finish ends a reading that err has ended: nil or errEnough, if all went well.
func (r *reading) finish(ctx context.Context, err error, conclude func(interrupted bool) error) error {
	r.bar.finish()
	interrupted := errors.Is(err, context.Canceled) && ctx.Err() != nil
	if errors.Is(err, errEnough) || interrupted && r.endless {
		err, interrupted = nil, false
	}
	if (err == nil || interrupted) && conclude != nil {
		if failed := conclude(interrupted); failed != nil {
			err, interrupted = failed, false
		}
	}
	if failed := r.out.flush(); failed != nil && (err == nil || interrupted) {
		err, interrupted = failed, false
	}
	if err == nil && r.entries == 0 && r.faults.count == 0 && r.sayNone {
		r.sayEmpty(ctx, "no entry")
	}
	return r.ending(err, interrupted)
}

// ending is the error of the command, from what ended its reading.
func (r *reading) ending(err error, interrupted bool) error {
	switch {
	case isClosedPipe(err):
		return nil
	case interrupted:
		return fmt.Errorf("interrupted after %s", plural(r.entries, "entry"))
	case err != nil:
		return r.explain(err)
	case r.faults.count > 0:
		return r.faults.err()
	case r.entries == 0 && r.failEmpty:
		return errors.New("no entry matches (--fail-empty)")
	}
	return nil
}

// sameInterrupt is how soon a second signal may follow the first and be the same one: timeout(1) sends each to the process
// and to its group.
const sameInterrupt = 200 * time.Millisecond

// untilInterrupted gives the context of a command that reads: it ends at the first interrupt, and a second one ends the
// process. A closed pipe becomes an error of writing to it, and does not kill the process.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(sameInterrupt, stop) })
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return ctx, func() {
		signal.Stop(pipe)
		stop()
	}
}

// A wakingReader gives what r reads until ctx ends, also while r waits for more.
type wakingReader struct {
	ctx     context.Context
	r       io.Reader
	buf     []byte
	pending chan readResult // of a Read of r that was begun; nil: none
	rest    []byte          // that was read, and not given yet
	err     error           // of r, once it failed
}

type readResult struct {
	n   int
	err error
}

func (w *wakingReader) Read(p []byte) (int, error) {
	if len(w.rest) == 0 && w.err == nil {
		if err := w.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.rest)
	if w.rest = w.rest[n:]; n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, w.err
}

// fill reads from r on a goroutine of its own, which ends with that Read.
func (w *wakingReader) fill() error {
	if w.pending == nil {
		if w.buf == nil {
			w.buf = make([]byte, 64<<10)
		}
		w.pending = make(chan readResult, 1)
		go func(done chan<- readResult) {
			n, err := w.r.Read(w.buf)
			done <- readResult{n, err}
		}(w.pending)
	}
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case got := <-w.pending:
		w.rest, w.err, w.pending = w.buf[:got.n], got.err, nil
		return nil
	}
}
