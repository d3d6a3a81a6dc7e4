package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Try does what Open and a rotation do, with files of its own in the state directory, and undoes it: it makes the
// directories that are missing, takes the lock, writes, syncs, links and renames. The journal's files it only opens. Its
// error wraps what that of Open does.
func Try(o Options) error { return try(o, true) }

// Probe is Try without the lock, so that it can be done while another process writes the journal.
func Probe(o Options) error { return try(o, false) }

func try(o Options, withLock bool) (err error) {
	if o, err = o.withDefaults(); err != nil {
		return err
	}
	var undo undoing
	defer func() { err = errors.Join(err, undo.all()) }()
	for _, dir := range []string{o.Dir, o.stateDir()} {
		undoDir, err := TryDir(dir, o.DirMode)
		undo.add(undoDir)
		if err != nil {
			return err
		}
	}
	undo.keepTime(o.stateDir())
	if withLock {
		if err := undo.tryLock(o.stateDir()); err != nil {
			return err
		}
	}
	return errors.Join(undo.tryRotation(o), tryLive(o))
}

// TryDir makes dir and its parents as far as they are missing. undo, which is never nil, removes them again, but for
// those in which something else has been put, and lets the directory that they were made in keep its time.
func TryDir(dir string, mode fs.FileMode) (undo func() error, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return func() error { return nil }, err
	}
	var u undoing
	for missing := dir; ; missing = filepath.Dir(missing) {
		if _, err := os.Lstat(missing); err == nil || missing == filepath.Dir(missing) {
			u.keepTime(missing)
			break
		}
		defer func() { u.add(func() error { return removeEmpty(missing) }) }() // The outermost is added first.
	}
	return u.all, makeDir(dir, mode)
}

// removeEmpty removes a directory that is there and holds nothing.
func removeEmpty(dir string) error {
	inside, err := os.ReadDir(dir)
	if err != nil || len(inside) > 0 {
		return nil // It was not made, or is in use by now.
	}
	return os.Remove(dir)
}

// undoing is what is left to be undone.
type undoing struct{ steps []func() error }

func (u *undoing) add(step func() error) { u.steps = append(u.steps, step) }

// all undoes everything, the last first.
func (u *undoing) all() error {
	var errs []error
	for _, step := range slices.Backward(u.steps) {
		errs = append(errs, step())
	}
	u.steps = nil
	return errors.Join(errs...)
}

// keepTime has the directory keep the time of its last change, as far as that is allowed.
func (u *undoing) keepTime(dir string) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return
	}
	u.add(func() error {
		_ = os.Chtimes(dir, time.Time{}, info.ModTime()) // Of another's directory it cannot be set, which does no harm.
		return nil
	})
}

// tryLock takes the lock until all is undone, and leaves in it what it holds.
func (u *undoing) tryLock(stateDir string) error {
	path := filepath.Join(stateDir, "lock")
	_, errBefore := os.Lstat(path)
	lock, err := openLock(path)
	if err != nil {
		return err
	}
	u.add(lock.Close)
	if errors.Is(errBefore, fs.ErrNotExist) {
		u.add(func() error { return os.Remove(path) })
	}
	return nil
}

// tryRotation makes a file, gives it a second name, and renames another over it.
func (u *undoing) tryRotation(o Options) error {
	dir, err := os.MkdirTemp(o.stateDir(), "try-*")
	if err != nil {
		return fmt.Errorf("try to rotate: %w", err)
	}
	u.add(func() error { return os.RemoveAll(dir) })
	live, next := filepath.Join(dir, "live"), filepath.Join(dir, "next")
	for _, path := range []string{live, next} {
		if err := tryWrite(path, o); err != nil {
			return fmt.Errorf("try to write in %s: %w", o.Dir, err)
		}
	}
	f := File{opts: o, path: live}
	if err := f.swapOnto(next, filepath.Join(dir, "backup")); err != nil {
		return fmt.Errorf("try to rotate: %w", err)
	}
	if err := tryAccess(o.Dir); err != nil {
		return fmt.Errorf("try to write in %s: %w", o.Dir, err)
	}
	return nil
}

// tryWrite makes a file of some bytes with the journal's mode.
func tryWrite(path string, o Options) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|os.O_EXCL|openNoFollow, o.FileMode)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, 4096))
	err = errors.Join(err, file.Chmod(o.FileMode))
	if !o.NoSync {
		err = errors.Join(err, file.Sync())
	}
	return errors.Join(err, file.Close())
}

// tryLive opens the live file, if there is one, and leaves it as it is.
func tryLive(o Options) error {
	info, err := os.Lstat(o.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.Mode().IsRegular():
		return notRegular(o.path(), info)
	case err == nil:
		err = tryOpen(o.path())
	}
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	return nil
}

func tryOpen(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|openNoFollow, 0)
	if err != nil {
		return err
	}
	return file.Close()
}
