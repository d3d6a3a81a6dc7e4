package read

import (
	"context"
	"errors"
	"io"
	"os"
)

// parking is how a source that reads one of very many journals lets go of its open file while the others are read. A plain
// file is closed, and opened again wherever it is then; the text of a compressed one, which cannot be entered in the
// middle, is set aside.
type parking struct {
	room   *scratch // nil: the source is never parked
	parked bool     // the current file is closed, and is to be opened before it is read on
}

// setAside puts the text of f, from where it is to be read on, into the scratch, and closes the file.
func (p *parking) setAside(ctx context.Context, f *file) (*extent, int64, error) {
	if err := f.begin(); err != nil {
		return nil, 0, &CorruptError{Path: f.Path, Err: err}
	}
	e, err := p.hold(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	if err = e.err; err != nil {
		err = &CorruptError{Path: f.Path, Offset: e.size, Err: err}
	}
	return e, e.size, err
}

// hold puts what is left of the text of f into the scratch, and closes the file.
func (p *parking) hold(ctx context.Context, f *file) (*extent, error) {
	e, err := p.room.hold(ctx, f.text)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, f.noRoom(err)
	}
	if err := f.close(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	f.raw, f.closes = nil, []io.Closer{e}
	return e, nil
}

// letGo closes a file that is to be opened again.
func (f *file) letGo() error {
	err := f.close()
	f.raw = nil
	return err
}

// adopt takes what g has opened again.
func (f *file) adopt(g *file) {
	from := f.from
	*f = *g
	f.from = from
}

// sameInode reports whether f and g are one file by their inodes alone.
func (f *file) sameInode(g *file) bool { return f.info != nil && os.SameFile(f.info, g.info) }

// park implements parker.
func (s *stream) park(ctx context.Context) error {
	f := s.cur
	if f == nil || s.parked || f.raw == nil || !f.regular {
		return nil
	}
	if at, _ := f.random(); at != nil {
		s.parked = true
		return f.letGo()
	}
	e, err := s.hold(ctx, f)
	if err != nil {
		return err
	}
	f.text = e.reader()
	s.lines.text = f.text
	return nil
}

// wake opens the current file again, and goes to where it was left.
func (s *stream) wake(b *Block) error {
	f := s.cur
	g := s.files.again(f)
	if g == nil {
		s.cur, s.parked = nil, false
		b.Path = f.Path
		b.Fault = &CorruptError{Path: f.Path, Offset: s.lines.offset, Err: ErrMissed}
		return nil
	}
	s.parked = false
	f.adopt(g)
	if err := f.begin(); err != nil {
		return err
	}
	read := s.lines.offset + int64(len(s.lines.rest)) + s.lines.long
	if at, _ := f.random(); at != nil {
		err := f.goTo(read)
		s.lines.text = f.text
		return err
	}
	s.lines.text = f.text
	_, err := io.CopyN(io.Discard, f.text, read)
	if err == io.EOF {
		err = nil
	}
	return err
}

// pass takes note of how far the current file was read.
func (s *stream) pass() {
	if end := s.cur.at(s.lines.offset); s.end == nil || !s.cur.placeless() {
		s.end = &end
	}
}

// park implements parker.
func (s *Back) park(context.Context) error {
	if f := s.cur; f != nil && !s.parked && f.raw != nil {
		if at, _ := f.random(); at != nil {
			s.parked = true
			return f.letGo()
		}
	}
	return nil
}

// wake opens the current file again. If it was compressed meanwhile, its text is set aside.
func (s *Back) wake(ctx context.Context, b *Block) error {
	f := s.cur
	g := s.files.again(f)
	s.parked = false
	if g == nil {
		s.cur = nil
		b.Path = f.Path
		b.Fault = &CorruptError{Path: f.Path, Offset: s.end, Err: ErrMissed}
		return nil
	}
	f.adopt(g)
	if at, _ := f.random(); at != nil {
		s.text = at
		return nil
	}
	text, size, err := s.setAside(ctx, f)
	if text != nil {
		s.text, s.end = text, min(s.end, size)
	}
	if errors.As(err, &b.Fault) {
		b.Path, err = f.Path, nil
	}
	return err
}
