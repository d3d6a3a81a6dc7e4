package rotate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// maxFirstLine is how much of a first line is read for its time.
const maxFirstLine = 64 << 10

// rotateIfDueLocked rotates if the period that the live file was begun in is over. An empty file belongs to none. A
// rotation that is refused is tried again, and until then the open file goes on.
func (f *File) rotateIfDueLocked() {
	if f.opts.RotateEvery == 0 || f.size == 0 {
		return
	}
	now := f.opts.Now()
	if f.due.IsZero() {
		f.due = f.schedule().next(earlier(f.begunLocked(now), now))
	}
	if !now.Before(f.due) {
		_ = f.tryRotateLocked("time") // It has logged and counted what went wrong.
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// forgetClockLocked has the end of the period computed anew after the clock was set back, so that it does not lie too far
// ahead.
func (f *File) forgetClockLocked() {
	if f.due.IsZero() {
		return
	}
	f.due = earlier(f.due, f.schedule().next(f.opts.Now()))
}

func (f *File) schedule() schedule { return schedule{f.opts.RotateEvery, f.opts.Location} }

// begunLocked is when the first line of the live file was written; if the line does not tell, when the last one was.
func (f *File) begunLocked(now time.Time) time.Time {
	line, err := firstLine(f.path)
	if begun, ok := f.opts.WrittenAt(line); ok && err == nil {
		return begun
	}
	if info, err := f.live.Stat(); err == nil {
		return info.ModTime()
	}
	return now
}

func firstLine(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|openNoFollow, 0)
	if err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(io.LimitReader(file, maxFirstLine)).ReadBytes('\n')
	return bytes.TrimSuffix(line, []byte("\n")), errors.Join(err, file.Close())
}
