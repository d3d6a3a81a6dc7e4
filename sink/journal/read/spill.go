package read

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// wholeSize is the size of a plain file up to its last whole line, for which it waits a moment if the file is growing.
func (f *file) wholeSize(ctx context.Context) (int64, error) {
	for try := 0; ; try++ {
		info, err := f.raw.Stat()
		if err != nil || info.Size() == 0 {
			return 0, err
		}
		last := make([]byte, 1)
		if _, err := f.raw.ReadAt(last, info.Size()-1); err != nil {
			return 0, fmt.Errorf("read %s: %w", f.Path, err)
		}
		if last[0] == '\n' || !f.growing() || try == tailTries {
			return info.Size(), nil
		}
		if err := wait(ctx, tailWait); err != nil {
			return 0, err
		}
	}
}

// spill writes the text of a compressed file, or of a pipe, into a temporary file without a name, since it can only be
// read forwards, and must not fill the memory. It is covered there: see cloak. What is corrupt of it gives a *CorruptError, and the text before it.
func (f *file) spill(ctx context.Context) (io.ReaderAt, int64, error) {
	if err := f.begin(); err != nil {
		return nil, 0, err
	}
	temp, err := os.CreateTemp("", "hbjournal-*")
	if err != nil {
		return nil, 0, f.noRoom(err)
	}
	// Systems that cannot remove an open file refuse this one; it is removed once more when it is closed.
	_ = os.Remove(temp.Name())
	f.closes = append(f.closes, tempFile{temp})
	covered := &cloaked{file: tempFile{temp}}
	if covered.cloak, err = newCloak(); err != nil {
		return nil, 0, f.noRoom(err)
	}
	text := &cancelReader{ctx: ctx, r: f.text}
	size, err := io.Copy(covered, text)
	switch {
	case err == nil || ctx.Err() != nil || isCanceled(err):
	case text.err != nil:
		err = &CorruptError{Path: f.Path, Offset: size, Err: text.err}
	default:
		err = f.noRoom(err)
	}
	return covered, size, err
}

// A tempFile is removed when it is closed.
type tempFile struct{ *os.File }

func (t tempFile) Close() error {
	err := t.File.Close()
	_ = os.Remove(t.Name()) // It is gone already, where an open file can be removed.
	return err
}

// ErrTempDir says that the text of a compressed file found no room in the temporary directory.
var ErrTempDir = errors.New("the temporary directory cannot be used")

// noRoom is the error for a temporary file that could not be made or written. It does not wrap what went wrong, which is
// not about a file of the journal.
func (f *file) noRoom(err error) error {
	return fmt.Errorf("read %s backwards: %w: %s", f.Path, ErrTempDir, err.Error())
}

// A cancelReader ends with its context, and tells the errors of reading from those of writing.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
	err error // what reading failed with, other than the end
}

func (c *cancelReader) Read(p []byte) (n int, err error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	if n, err = c.r.Read(p); err != io.EOF {
		c.err = err
	}
	return n, err
}
