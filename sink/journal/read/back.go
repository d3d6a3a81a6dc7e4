package read

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"hbjournal/sink/journal"
)

// A Back is a Source that reads a journal backwards: the live file first, each file from its end.
type Back struct {
	files   sequence
	ordered bool // as for a stream
	bounds
	current
	text  io.ReaderAt // of cur
	end   int64       // cur is still to be read up to here: behind a newline, or the end of the file
	ended bool
	start *Cursor // behind the newest line; nil before the first file was opened
	parking
}

// openBack starts a backward reading of one journal; room is for what is set aside while others are read, and may be nil.
func openBack(opt Options, room *scratch) *Back {
	s := &Back{bounds: boundsOf(opt), ordered: true, parking: parking{room: room}}
	if len(opt.Paths) == 0 {
		s.files = newBackChain(opt)
		return s
	}
	named, ordered := newList(opt)
	slices.Reverse(named.named)
	s.files, s.ordered = named, ordered
	return s
}

// Read implements Source.
func (s *Back) Read(ctx context.Context, b *Block) error {
	for ctx.Err() == nil {
		b.reset()
		b.Reverse = true
		if s.ended {
			return io.EOF
		}
		if s.parked {
			if err := s.wake(ctx, b); err != nil || b.Fault != nil {
				return unlessDone(ctx, b, err)
			}
		}
		if s.cur == nil {
			if err := s.open(ctx, b); err != nil || b.Fault != nil {
				return unlessDone(ctx, b, err)
			}
		}
		if err := s.fill(b); err != nil || len(b.Data) > 0 || b.Fault != nil {
			return err
		}
	}
	return ctx.Err()
}

// Ends implements Backward.
func (s *Back) Ends() []*Cursor {
	if s.start == nil {
		return []*Cursor{{}}
	}
	return []*Cursor{s.start}
}

// open goes to the next file that may hold entries of the time asked for. If the file is broken, the fault comes first, in
// a block of its own, since it stands behind all that can be read; the lines before it follow.
func (s *Back) open(ctx context.Context, b *Block) error {
	f, err := s.files.next()
	if errors.As(err, &b.Fault) {
		b.Path = b.Fault.Path
		return nil
	}
	if err != nil {
		return err
	}
	s.cur = f
	if s.ordered && f.fingerprint.timed && s.over(f.fingerprint.millis) {
		s.end = 0
		return nil
	}
	switch {
	case f.plain:
		s.text = f.raw
		s.end, err = f.wholeSize(ctx)
	case f.clear != nil:
		s.text, s.end = f.random()
	case s.room != nil && f.regular:
		s.text, s.end, err = s.setAside(ctx, f)
	default:
		s.text, s.end, err = f.spill(ctx)
	}
	if end := f.at(s.end); s.start == nil && !f.placeless() {
		s.start = &end
	}
	if errors.As(err, &b.Fault) {
		b.Path = f.Path
		return nil
	}
	return err
}

// fill puts the lines before s.end into b, as many as fit. At the start of the file it closes it.
func (s *Back) fill(b *Block) error {
	b.Path = s.cur.Path
	for size := int64(b.size()); s.end > 0; size *= 2 {
		start := max(0, s.end-size)
		buf := b.sized(int(size) / 2)[:s.end-start]
		if _, err := s.text.ReadAt(buf, start); err != nil {
			return s.lost(b, err)
		}
		s.cur.countPlain(len(buf))
		cut := 0
		if start > 0 {
			cut = bytes.IndexByte(buf[:len(buf)-1], '\n') + 1
		}
		if cut > 0 || start == 0 {
			b.Data, b.Offset, s.end = buf[cut:], start+int64(cut), start+int64(cut)
			b.start = s.cur.at(b.Offset)
			s.ended = s.ordered && s.before(b.Data)
			return nil
		}
		if size >= maxLine {
			return s.skipLong(b, start)
		}
	}
	return s.closeFile()
}

// lost gives up the rest of a file that cannot be read, or has shrunk.
func (s *Back) lost(b *Block, err error) error {
	b.Fault = &CorruptError{Path: s.cur.Path, Offset: s.end, Err: err}
	return s.closeFile()
}

// skipLong passes over a line of more than maxLine bytes, of which all behind before was read.
func (s *Back) skipLong(b *Block, before int64) error {
	s.end = 0
	for before > 0 && s.end == 0 {
		start := max(0, before-blockBytes)
		buf := b.buf[:before-start]
		if _, err := s.text.ReadAt(buf, start); err != nil {
			return s.lost(b, err)
		}
		s.end = start + int64(bytes.LastIndexByte(buf, '\n')+1)
		if s.end == start {
			s.end = 0
		}
		before = start
	}
	b.Fault = &CorruptError{Path: s.cur.Path, Offset: s.end, Err: errTooLong}
	return nil
}

// before reports whether data proves that nothing in front of it is to be read.
func (s *Back) before(data []byte) bool {
	millis, timed := journal.LineTime(data)
	return timed && s.since != 0 && millis < s.since-maxStepBack.Milliseconds()
}
