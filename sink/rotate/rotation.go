package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hbjournal/sink/names"
)

// backoff spaces the tries of what was refused: 100 ms at first, then twice as long each time, up to 5 s.
type backoff struct {
	cause error     // of the last refusal; nil: the last try went well
	last  time.Time // of the last try
	pause time.Duration
}

const (
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
)

// due reports whether another try may be made. A clock that was set back does not put it off.
func (b *backoff) due(now time.Time) bool {
	waited := now.Sub(b.last)
	return b.cause == nil || waited < 0 || waited >= b.pause
}

func (b *backoff) refused(cause error, now time.Time) {
	b.pause = min(max(2*b.pause, minPause), maxPause)
	b.cause, b.last = cause, now
}

// Rotate makes the live file a backup now, and starts a new one; reason is for the log and the figures. An empty live
// file stays: there are no empty backups.
func (f *File) Rotate(reason string) error {
	defer f.tidyIfAlone()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("rotate %s: %w", f.path, os.ErrClosed)
	}
	if err := f.settleLocked(); err != nil {
		return err
	}
	f.retry.last = time.Time{}
	return f.tryRotateLocked(reason)
}

// tryRotateLocked rotates unless that was refused a moment ago. It says so in the log when a refusal begins and ends.
func (f *File) tryRotateLocked(reason string) error {
	now := f.opts.Now()
	if !f.retry.due(now) {
		return f.retry.cause
	}
	bytes := f.size
	backup, err := f.rotateLocked(now)
	if err != nil {
		if f.retry.cause == nil {
			f.opts.Log.Warn().Err(err).Msg("journal cannot be rotated; going on in the open file and trying again")
		}
		f.retry.refused(err, now)
		f.figures.change(func(s *Stats) { s.RotateErr = err })
		return err
	}
	if f.retry.cause != nil {
		f.opts.Log.Info().Msg("journal can be rotated again")
	}
	f.retry = backoff{}
	f.figures.change(func(s *Stats) { s.RotateErr = nil })
	if backup != "" {
		f.figures.change(func(s *Stats) { s.Rotations[reason]++ })
		f.opts.Log.Info().Str("backup", backup).Int64("bytes", bytes).Str("reason", reason).Msg("journal rotated")
	}
	return nil
}

// rotateLocked gives the live file its backup name and puts a new one in its place; either both or neither. It returns
// the name of the backup, or "" if the live file is empty.
func (f *File) rotateLocked(now time.Time) (backup string, err error) {
	if f.size == 0 {
		return "", nil
	}
	if err := f.prepareLocked(); err != nil {
		return "", fmt.Errorf("rotate %s: %w", f.path, err)
	}
	next, err := makeNext(f.opts)
	if err != nil {
		return "", fmt.Errorf("rotate %s: %w", f.path, err)
	}
	info, err := next.Stat()
	if err == nil {
		backup, err = f.swapLocked(next.Name(), now)
	}
	if err != nil {
		return "", fmt.Errorf("rotate %s: %w", f.path, errors.Join(err, os.Remove(next.Name()), next.Close()))
	}
	f.noteRotatedLocked(backup, f.size)
	f.retireLocked(next, info, backup)
	return backup, nil
}

// makeNext opens the next live file in the state directory, ready to be renamed.
func makeNext(o Options) (*os.File, error) {
	path := filepath.Join(o.stateDir(), "next")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	next, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL|openNoFollow, o.FileMode)
	if err != nil {
		return nil, err
	}
	if err := next.Chmod(o.FileMode); err != nil {
		return nil, errors.Join(err, os.Remove(path), next.Close())
	}
	return next, nil
}

// swapLocked moves the live file to the first free backup name, and next over the live path. The live path is missing
// at no moment, but where the file system has no hard links.
func (f *File) swapLocked(next string, now time.Time) (backup string, err error) {
	f.witness.begin()
	defer f.witness.end()
	for {
		stamp := f.nextStampLocked(now)
		if stamp.Year() > 9999 {
			return "", fmt.Errorf("no name is free after that of %s", names.OfBackup(f.opts.Name, f.newest))
		}
		backup = names.OfBackup(f.opts.Name, stamp)
		err := f.swapOnto(next, filepath.Join(f.opts.Dir, backup))
		if err == nil || errors.Is(err, fs.ErrExist) {
			f.newest = stamp
		}
		if !errors.Is(err, fs.ErrExist) {
			return backup, err
		}
	}
}

// nextStampLocked is now, or a second after the newest backup if that is later: names never collide, and go up even
// when the clock goes back.
func (f *File) nextStampLocked(now time.Time) time.Time {
	local := now.In(f.opts.Location)
	stamp := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	if !stamp.After(f.newest) {
		stamp = f.newest.Add(time.Second)
	}
	return stamp
}

// swapOnto returns an error that is fs.ErrExist, having done nothing, if backup exists.
func (f *File) swapOnto(next, backup string) error {
	undo := os.Remove
	err := os.Link(f.path, backup)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = renameNew(f.path, backup)
		undo = func(string) error { return renameNew(backup, f.path) }
	}
	if err != nil {
		return err
	}
	if err := os.Rename(next, f.path); err != nil {
		return errors.Join(err, undo(backup))
	}
	return nil
}

// renameChecked is renameNew where the system cannot do it in one step.
func renameChecked(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
