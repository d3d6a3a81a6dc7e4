package read

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// A scratch is one temporary file for the texts of many compressed files, so that none of them takes an open file of its own.
// It has no name, so nothing is left of it after a crash, and each text is covered in it: see cloak. The zero value makes the file when the first text comes.
type scratch struct {
	file *os.File
	free []int64 // offsets of chunks that are not in use
	end  int64   // of the chunks
}

// chunkBytes is the unit in which texts are kept. Less than that takes no more of the disk than it needs.
const chunkBytes = 256 << 10

// hold keeps what is left of r. The error is that of the scratch; what r failed with is kept by the extent.
func (s *scratch) hold(ctx context.Context, r io.Reader) (*extent, error) {
	if s.file == nil {
		file, err := os.CreateTemp("", "hbjournal-*")
		if err != nil {
			return nil, err
		}
		// Systems that cannot remove an open file refuse this one; it is removed once more when it is closed.
		_ = os.Remove(file.Name())
		s.file = file
	}
	covering, err := newCloak()
	if err != nil {
		return nil, err
	}
	e := &extent{scratch: s, cloak: covering}
	buf := make([]byte, chunkBytes)
	for e.err == nil {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, e.Close())
		}
		var n int
		n, e.err = fill(r, buf)
		if n == 0 {
			continue
		}
		e.cloak.cover(buf[:n], e.size)
		at := s.take()
		e.chunks, e.size = append(e.chunks, at), e.size+int64(n)
		if _, err := s.file.WriteAt(buf[:n], at); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	if e.err == io.EOF {
		e.err = nil
	}
	return e, nil
}

// fill reads p full, unless r ends or fails before.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

func (s *scratch) take() int64 {
	if n := len(s.free); n > 0 {
		at := s.free[n-1]
		s.free = s.free[:n-1]
		return at
	}
	at := s.end
	s.end += chunkBytes
	return at
}

// Close lets go of the file, and of all texts in it.
func (s *scratch) Close() error {
	if s.file == nil {
		return nil
	}
	err := tempFile{s.file}.Close()
	s.file = nil
	return err
}

// An extent is one text in a scratch. Closing it gives its room to others.
type extent struct {
	scratch *scratch
	cloak   cloak
	chunks  []int64
	size    int64
	err     error // what its reader failed with behind the text; nil: it came to its end
}

// ReadAt implements io.ReaderAt.
func (e *extent) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < e.size {
		within := off % chunkBytes
		most := min(int64(len(p)-n), chunkBytes-within, e.size-off)
		m, err := e.scratch.file.ReadAt(p[n:n+int(most)], e.chunks[off/chunkBytes]+within)
		e.cloak.cover(p[n:n+m], off)
		n, off = n+m, off+int64(m)
		if err != nil && m < int(most) {
			return n, fmt.Errorf("read temporary file: %w", err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (e *extent) Close() error {
	e.scratch.free = append(e.scratch.free, e.chunks...)
	e.chunks, e.size = nil, 0
	return nil
}

// reader reads the text, and then gives the error that stood behind it.
func (e *extent) reader() io.Reader {
	text := io.Reader(io.NewSectionReader(e, 0, e.size))
	if e.err == nil {
		return text
	}
	return io.MultiReader(text, failing{e.err})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
