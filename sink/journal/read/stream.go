package read

import (
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"time"

	"hbjournal/sink/journal"
)

// Options say what a reading covers. Paths, if given, are the files; otherwise it is the journal Base in Dir, with all
// its backups. Journals, if given, stand in place of all that: they are merged by time, each in its own order.
type Options struct {
	Dir, Base string
	Paths     []string
	Journals  []Journal
	More      func() []Journal // those that have appeared beside Journals since it was called last, for FollowAll; may be nil
	Stdin     io.Reader        // what the path "-" reads

	// Since and Until bound the receipt of the entries, Since included and Until not; zero does not bound. A reading
	// only uses them to leave out what it need not look at: it still gives some entries outside, for a journal.Filter to drop.
	Since, Until time.Time

	// Decrypter reads what is encrypted; nil: such a file is a fault that wraps ErrEncrypted. Those of which the names prove
	// that they hold nothing of the time asked for are left out without a word.
	Decrypter Decrypter

	// Count, if not nil, counts the bytes read from the files, as they are on the disk.
	Count *atomic.Int64

	// Lean has a reading of several journals take little memory and few files: it is one of many at the same time.
	Lean bool

	// Every is how often one who follows looks for something new; less than 25 ms is 25 ms.
	Every time.Duration

	// Reverse reads from the newest entry to the oldest.
	Reverse bool
}

func (o *Options) every() time.Duration { return max(o.Every, pollEvery) }

// Open starts a reading. A missing file gives an error that wraps fs.ErrNotExist, here or at the first Read.
func Open(opt Options) (Source, error) {
	switch {
	case opt.Reverse:
		return OpenBack(opt), nil
	case len(opt.Journals) > 0:
		return openMerged(opt, false)
	}
	return openStream(opt, nil)
}

// openStream starts a forward reading of one journal; room is for what is set aside while others are read, and may be nil.
func openStream(opt Options, room *scratch) (*stream, error) {
	s := &stream{bounds: boundsOf(opt), ordered: true, parking: parking{room: room}}
	if len(opt.Paths) == 0 {
		s.files = newChain(opt)
	} else {
		var named *list
		named, s.ordered = newList(opt)
		s.files = named
	}
	if s.ordered && s.since != 0 {
		return s, s.files.seek(s.since)
	}
	return s, nil
}

// bounds are Since and Until in Unix milliseconds; without a Since 0, and without an Until the greatest time there is.
type bounds struct{ since, until int64 }

func boundsOf(opt Options) bounds {
	b := bounds{until: math.MaxInt64}
	if !opt.Since.IsZero() {
		b.since = opt.Since.UnixMilli()
	}
	if !opt.Until.IsZero() {
		b.until = opt.Until.UnixMilli()
	}
	return b
}

// over reports whether a line of this time proves that no later line is to be read.
func (b bounds) over(millis int64) bool {
	return millis-maxStepBack.Milliseconds() > b.until
}

// A stream reads files forwards.
type stream struct {
	files   sequence
	ordered bool // the times of the files follow each other, so that looking for a time may skip
	bounds
	current
	lines lines
	ended bool
	on    bool    // it is to be followed by more, so a line that is not whole yet is left to that
	end   *Cursor // behind what was read so far; nil before the first file was opened
	parking
}

// Read implements Source.
func (s *stream) Read(ctx context.Context, b *Block) error {
	for ctx.Err() == nil {
		b.reset()
		if s.ended {
			return io.EOF
		}
		if s.parked {
			if err := s.wake(b); err != nil || b.Fault != nil {
				return unlessDone(ctx, b, err)
			}
		}
		if s.cur == nil {
			if err := s.open(b); err != nil || b.Fault != nil {
				return unlessDone(ctx, b, err)
			}
		}
		if err := s.fill(ctx, b); err != nil || len(b.Data) > 0 || b.Fault != nil {
			return unlessDone(ctx, b, err)
		}
	}
	return ctx.Err()
}

// unlessDone returns err, or the error of ctx if its end may be what gave the block its fault.
func unlessDone(ctx context.Context, b *Block, err error) error {
	switch {
	case b.Fault == nil:
		return err
	case isCanceled(b.Fault):
		return b.Fault.Err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// isCanceled reports whether err comes from the end of a context. Options.Stdin may heed the parent of the reading's context,
// and then learns of the end a moment earlier.
func isCanceled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// open goes to the next file. That it cannot be opened is the fault of an empty block.
func (s *stream) open(b *Block) error {
	f, err := s.files.next()
	if errors.As(err, &b.Fault) {
		b.Path = b.Fault.Path
		return nil
	}
	if err != nil {
		return err
	}
	s.cur = f
	if err := f.begin(); err != nil {
		return err
	}
	s.lines.start(f.text, !f.regular)
	if !s.ordered {
		return nil
	}
	if f.fingerprint.timed && s.bounds.over(f.fingerprint.millis) {
		s.ended = true
		return io.EOF
	}
	return s.seek()
}

// seek moves to the asked time within a file that can be read at any offset.
func (s *stream) seek() error {
	if at, _ := s.cur.random(); at == nil || s.since == 0 {
		return nil
	}
	offset, err := s.cur.seekTime(s.since)
	if err == nil && offset > 0 {
		s.lines.offset, s.lines.number = offset, 0
		err = s.cur.goTo(offset)
		s.lines.text = s.cur.text
	}
	return err
}

// fill puts the next lines of the current file into b, or its fault, or at its end perhaps nothing.
func (s *stream) fill(ctx context.Context, b *Block) error {
	b.Path = s.cur.Path
	err := s.lines.next(b)
	for try := 0; err == io.EOF && s.cur.mayGrow() && s.lines.unfinished() && try < tailTries; try++ {
		if err := wait(ctx, tailWait); err != nil {
			return err
		}
		err = s.lines.next(b)
	}
	switch {
	case err == nil:
		b.start = s.cur.at(b.Offset)
		s.pass()
		s.ended = s.ordered && s.beyond(b.Data)
		return nil
	case err == io.EOF:
		if !s.on || !s.cur.growing() {
			s.lines.takeRest(b)
		}
		b.start = s.cur.at(b.Offset)
		s.pass()
		return s.closeFile()
	}
	b.Fault = &CorruptError{Path: s.cur.Path, Line: s.lines.number, Offset: s.lines.offset, Err: err}
	if errors.Is(err, errTooLong) {
		return nil
	}
	return s.closeFile()
}

// The end of the live file may be a line that is just being written: it gets this long to become whole.
const (
	tailTries = 20
	tailWait  = 5 * time.Millisecond
)

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// beyond reports whether data, which is whole lines, proves that nothing behind it is to be read.
func (s *stream) beyond(data []byte) bool {
	millis, timed := journal.LineTime(data)
	return timed && s.bounds.over(millis)
}
