package rotate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// ErrNotWhole is wrapped by the error of Write about bytes that do not end with a newline.
var ErrNotWhole = errors.New("not whole lines")

// liveFile is what a File asks of the open journal: the smallest seam at which a test can make a disk fail.
type liveFile interface {
	io.WriteCloser
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

// File is the live file of a journal with its backups. Its methods are safe for concurrent use, and wait for the disk.
type File struct {
	opts Options // immutable once open
	path string  // immutable once open

	mu        sync.Mutex
	lock      *os.File
	live      liveFile
	id        fs.FileInfo // of live, to tell it from another file at the same path
	size      int64       // bytes of whole lines in live
	torn      int64       // bytes of a broken line that a failed write left beyond size
	unmended  bool        // live ends with a torn line of an earlier life, for which there was no room elsewhere
	dirty     bool        // live has been written since it was last synced
	retired   []liveFile  // rotated away, not yet synced and closed
	moved     bool        // names have changed since SyncAll last synced the directory
	retireErr error       // of retired files that could not wait for Tidy; for Tidy to report
	newest    time.Time   // greatest stamp given or seen
	retry     backoff     // of a rotation that was refused
	due       time.Time   // end of the period of RotateEvery that live was begun in; zero: not known yet
	rotated   []stock     // backups made since takeStock was last called
	rotations uint64      // backups made
	closed    bool

	retiring sync.Mutex // held while retired files are synced
	unsynced error      // why a retired file could not be synced; guarded by retiring

	tidying   sync.Mutex // held while backups are removed or replaced
	unmet     string     // the limit that was last said to be impossible to keep; guarded by tidying
	inventory inventory  // guarded by tidying
	witness   witness    // of the directory
	packing   packing
	step      func(string) // nil but in tests

	reserve reserve
	figures figures
}

// maxRetired bounds the descriptors that wait for Tidy: beyond it a rotation waits for the disk.
const maxRetired = 32

// Write appends lines, which must be whole, each with its newline; if not, its error wraps ErrNotWhole. It rotates between
// two lines where the next would take the live file past MaxBytes. A rotation that is refused is no failure: the open file
// goes on.
//
// It returns how many bytes are in the file for good, which is a number of whole lines; with an error, the caller can
// try again with the rest. What was written of a broken line is cut off before anything else is written.
func (f *File) Write(lines []byte) (n int, err error) {
	if len(lines) > 0 && lines[len(lines)-1] != '\n' {
		return 0, fmt.Errorf("write %s: %w", f.path, ErrNotWhole)
	}
	defer f.tidyIfAlone()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, fmt.Errorf("write %s: %w", f.path, os.ErrClosed)
	}
	if err := f.settleLocked(); err != nil {
		return 0, err
	}
	f.rotateIfDueLocked()
	for n < len(lines) {
		written, err := f.appendLocked(f.nextLocked(lines[n:]))
		n += written
		if err != nil {
			f.figures.change(func(s *Stats) { s.WriteErrors++ })
			return n, err
		}
	}
	return n, nil
}

// nextLocked returns as many of lines as go into the live file now, after a rotation if not even one does.
func (f *File) nextLocked(lines []byte) []byte {
	fit := f.fittingLocked(lines)
	if fit > 0 {
		return lines[:fit]
	}
	if f.size > 0 && f.tryRotateLocked("size") != nil {
		return lines
	}
	if fit = f.fittingLocked(lines); fit > 0 {
		return lines[:fit]
	}
	return lines[:bytes.IndexByte(lines, '\n')+1]
}

// fittingLocked is the length of the whole lines that the limit leaves room for.
func (f *File) fittingLocked(lines []byte) int {
	room := f.opts.MaxBytes - f.size
	if f.opts.MaxBytes == 0 || int64(len(lines)) <= room {
		return len(lines)
	}
	if room <= 0 {
		return 0
	}
	return bytes.LastIndexByte(lines[:room], '\n') + 1
}

func (f *File) appendLocked(lines []byte) (int, error) {
	n, err := f.live.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err != nil {
		whole := bytes.LastIndexByte(lines[:n], '\n') + 1
		f.torn, n = int64(n-whole), whole
		err = fmt.Errorf("write %s: %w", f.path, cause(err))
	}
	f.setSizeLocked(f.size + int64(n))
	f.dirty = f.dirty || n > 0
	if n > 0 {
		f.opts.Sealer.Wrote(f.size)
	}
	if f.torn > 0 {
		err = errors.Join(err, f.cutLocked())
	}
	return n, err
}

// cause is err without the operation and the path, which whoever wraps it names.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// cutLocked removes what a failed write left beyond the last whole line.
func (f *File) cutLocked() error {
	if err := f.live.Truncate(f.size); err != nil {
		return fmt.Errorf("cut %s back to its last whole line: %w", f.path, cause(err))
	}
	f.torn = 0
	return nil
}

// settleLocked makes the live file fit to be written: the file at the path, with nothing torn at its end.
func (f *File) settleLocked() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrPermission) {
		info, err = f.live.Stat() // The path cannot be read, but the open file can still be written.
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.replaceLocked("removed")
	case err != nil:
		return fmt.Errorf("check journal: %w", err)
	case !os.SameFile(info, f.id):
		return f.replaceLocked("replaced")
	case f.unmended:
		return f.mendLaterLocked()
	case f.torn > 0 && info.Size() == f.size+f.torn:
		return f.cutLocked()
	case info.Size() != f.size:
		return f.acceptSizeLocked(info.Size())
	}
	f.torn = 0
	return nil
}

// mendLaterLocked does what a full disk kept Open from: nothing may be written behind a torn line, or the two run together.
func (f *File) mendLaterLocked() error {
	if err := f.mend(f.path); err != nil {
		return fmt.Errorf("mend the last line of %s: %w", f.path, cause(err))
	}
	info, err := f.live.Stat()
	if err != nil {
		return fmt.Errorf("check journal: %w", err)
	}
	f.unmended = false
	f.setSizeLocked(info.Size())
	f.opts.Sealer.Wrote(f.size)
	return nil
}

// acceptSizeLocked goes on at the end of a file that someone else appended to or cut. What they left unfinished there
// must not run into our next line.
func (f *File) acceptSizeLocked(found int64) error {
	if err := f.mend(f.path); err != nil {
		return fmt.Errorf("mend the last line of %s: %w", f.path, err)
	}
	info, err := f.live.Stat()
	if err != nil {
		return fmt.Errorf("check journal: %w", err)
	}
	f.figures.change(func(s *Stats) { s.ExternalChanges++ })
	f.opts.Log.Warn().Str("path", f.path).Int64("expected", f.size).Int64("found", found).
		Msg("journal file was changed in size by someone else; going on at its end")
	f.torn = 0
	f.opts.Sealer.Changed(f.size, info.Size())
	f.setSizeLocked(info.Size())
	return nil
}

func (f *File) setSizeLocked(size int64) {
	f.size = size
	f.figures.change(func(s *Stats) { s.Bytes = size })
}

// replaceLocked opens the path anew after someone took the live file away from it.
func (f *File) replaceLocked(how string) error {
	if err := f.reopenLocked(); err != nil {
		return err
	}
	f.figures.change(func(s *Stats) { s.ExternalChanges++ })
	f.opts.Log.Warn().Str("path", f.path).Msg("journal file was " + how + " by someone else; going on in a new one")
	return nil
}

// Check opens the path anew if the file there is no longer the open one, and rotates when that is due. Write does the same;
// Check is for the times when nothing is written. It also measures how much room the file system has.
func (f *File) Check() error {
	defer f.tidyIfAlone()
	f.measureRoom()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	if err := f.settleLocked(); err != nil {
		return err
	}
	f.forgetClockLocked()
	f.rotateIfDueLocked()
	return nil
}

// measureRoom keeps how much room the file system has.
func (f *File) measureRoom() {
	free, err := freeBytes(f.opts.Dir)
	if err != nil {
		free = -1
	}
	f.figures.change(func(s *Stats) { s.DiskFree = free })
}

// Reopen closes the live file and opens the path anew, making the file if it is gone: what to do after it was renamed.
func (f *File) Reopen() error {
	defer f.tidyIfAlone()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("reopen %s: %w", f.path, os.ErrClosed)
	}
	return f.reopenLocked()
}

func (f *File) reopenLocked() error {
	if err := f.prepareLocked(); err != nil {
		return err
	}
	if f.torn > 0 {
		// The file may be someone else's by now, and its disk may be gone: no reason not to go on in a new one.
		f.retireErr = errors.Join(f.retireErr, f.cutLocked())
	}
	if err := f.mend(f.path); err != nil {
		return fmt.Errorf("mend the last line of %s: %w", f.path, err)
	}
	live, info, err := openLive(f.opts)
	if err != nil {
		return err
	}
	f.retireLocked(live, info, "")
	return nil
}

// retireLocked makes live the live file; the old one, now backup, waits for Tidy to sync and close it.
func (f *File) retireLocked(live liveFile, info fs.FileInfo, backup string) {
	f.retired = append(f.retired, f.live)
	f.live, f.id, f.torn, f.dirty, f.due = live, info, 0, false, time.Time{}
	f.unmended, f.moved = false, true
	f.setSizeLocked(info.Size())
	f.opts.Sealer.Turned(backup, f.size)
	if f.opts.OnRotate != nil {
		f.opts.OnRotate()
	}
	if len(f.retired) > maxRetired {
		f.retireErr = errors.Join(f.retireErr, f.closeAll(f.retired))
		f.retired = nil
	}
}

// tidyIfAlone tidies up after a call that rotated, if nobody else was asked to.
func (f *File) tidyIfAlone() {
	if f.opts.OnRotate != nil {
		return
	}
	f.mu.Lock()
	untidy := len(f.retired) > 0
	f.mu.Unlock()
	if untidy {
		f.Tidy()
		f.Compress(nil)
	}
}

// Sync flushes what was written before the call to the disk. Writes go on meanwhile.
func (f *File) Sync() error {
	f.mu.Lock()
	live, dirty := f.live, f.dirty
	f.dirty = false
	f.mu.Unlock()
	if !dirty {
		return nil
	}
	// The file may be rotated away and closed meanwhile; then it has been synced as well.
	if err := live.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.dirty = true
		return fmt.Errorf("sync %s: %w", f.path, cause(err))
	}
	return nil
}

// Close syncs and closes the file, tidies up and frees the lock. Only the first call does anything.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	var cut error
	if f.torn > 0 {
		cut = f.cutLocked()
	}
	f.retired = append(f.retired, f.live)
	f.mu.Unlock()
	return errors.Join(cut, f.tidy(), f.reserve.close(), f.lock.Close())
}
