package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hbjournal/sink/names"
)

// ErrNotRegular is wrapped by errors about a journal path at which something stands that is not a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Open makes the directory if it is missing, takes the lock, ends what a crash left half done, and opens the live file
// at its end. Its error wraps ErrLocked, ErrNotRegular, or that of the operation which failed.
func Open(o Options) (*File, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &File{opts: o, path: o.path(), reserve: reserve{opts: o}, witness: witness{dir: o.Dir}}
	f.figures.stats.Rotations = make(map[string]uint64)
	if err := f.prepareLocked(); err != nil {
		return nil, err
	}
	if err := f.recover(); err != nil {
		return nil, errors.Join(err, f.lock.Close())
	}
	if err := f.reserve.open(); err != nil {
		o.Log.Warn().Err(err).Msg("journal has no room in which to keep what is lost on a full disk; trying again when it is needed")
	}
	f.measureRoom()
	return f, nil
}

// prepareLocked makes the directories and takes the lock, unless that has been done and they are still there.
func (f *File) prepareLocked() error {
	for _, dir := range []string{f.opts.Dir, f.opts.stateDir()} {
		if err := makeDir(dir, f.opts.DirMode); err != nil {
			return err
		}
	}
	if f.lock != nil && sameFileAt(f.lock, filepath.Join(f.opts.stateDir(), "lock")) {
		return nil
	}
	lock, err := takeLock(f.opts.stateDir())
	if err != nil {
		return err
	}
	if f.lock != nil {
		_ = f.lock.Close() // Of a directory that is gone: it guards nothing any more.
	}
	f.lock = lock
	return nil
}

// makeDir makes dir and its parents. The mode of one that exists is its owner's business.
func makeDir(dir string, mode fs.FileMode) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("open journal directory %s: it is a file, not a directory", dir)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open journal directory: %w", err)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make journal directory: %w", err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		return fmt.Errorf("make journal directory: %w", err)
	}
	return nil
}

func sameFileAt(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}

// recover brings the files into order and opens the live one.
func (f *File) recover() error {
	backups, newest, err := names.BackupsAndNewest(f.opts.Dir, f.opts.Name)
	if err != nil {
		return err
	}
	f.newest = newest
	f.figures.change(func(s *Stats) { s.Backups = len(backups) })
	if err := f.finishRotation(backups); err != nil {
		return err
	}
	if f.opts.Encrypter != nil {
		// A copy that was left half done without an Encrypter could be read by all.
		if err := f.removePacked(); err != nil {
			return fmt.Errorf("remove what was left of a compression: %w", err)
		}
	}
	f.mendBackups(backups)
	err = f.mend(f.path)
	if f.unmended = noRoom(err); f.unmended {
		f.opts.Log.Warn().Err(err).Str("path", f.path).
			Msg("journal's last line is torn, and there is no room to keep it elsewhere; nothing is written until there is")
	} else if err != nil {
		return fmt.Errorf("mend the last line of %s: %w", f.path, err)
	}
	if f.live, f.id, err = openLive(f.opts); err != nil {
		return err
	}
	f.setSizeLocked(f.id.Size())
	return nil
}

// finishRotation ends a rotation that was killed between its link and its rename: the live path and the newest backup
// are then one file.
func (f *File) finishRotation(backups []names.Backup) error {
	live, err := os.Lstat(f.path)
	if err != nil || !live.Mode().IsRegular() || links(live) < 2 {
		return nil // Missing is fine, and anything else is openLive's to report.
	}
	for i := len(backups) - 1; i >= 0; i-- {
		info, err := os.Lstat(filepath.Join(f.opts.Dir, backups[i].Name))
		if err != nil || !os.SameFile(info, live) {
			continue
		}
		f.opts.Log.Warn().Str("backup", backups[i].Name).Msg("finishing a journal rotation that was cut short")
		next, err := makeNext(f.opts)
		if err != nil {
			return err
		}
		return errors.Join(os.Rename(next.Name(), f.path), next.Close())
	}
	return nil
}

// openLive opens the file at the live path for appending, making it if it is not there.
func openLive(o Options) (*os.File, fs.FileInfo, error) {
	if info, err := os.Lstat(o.path()); err == nil && !info.Mode().IsRegular() {
		return nil, nil, notRegular(o.path(), info)
	}
	live, err := os.OpenFile(o.path(), os.O_RDWR|os.O_APPEND|os.O_CREATE|openNoFollow, o.FileMode)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	info, err := live.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(o.path(), info)
	}
	if err == nil && info.Mode().Perm() != o.FileMode {
		err = live.Chmod(o.FileMode)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open journal: %w", err), live.Close())
	}
	return live, info, nil
}

func notRegular(path string, info fs.FileInfo) error {
	kind := map[fs.FileMode]string{
		fs.ModeSymlink: "a symbolic link", fs.ModeDir: "a directory", fs.ModeNamedPipe: "a FIFO",
		fs.ModeSocket: "a socket", fs.ModeDevice: "a device", fs.ModeDevice | fs.ModeCharDevice: "a device",
	}[info.Mode().Type()]
	return fmt.Errorf("open journal %s: it is %s: %w", path, kind, ErrNotRegular)
}
