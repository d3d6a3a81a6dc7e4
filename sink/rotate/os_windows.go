package rotate

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const openNoFollow = 0

// lockFile returns ErrLocked if another process holds the lock.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// noRoom reports whether err says that the disk, or our share of it, is full.
func noRoom(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// links is the number of names that the file has; here rotations rename, so it is always one.
func links(fs.FileInfo) uint64 { return 1 }

// syncDirectory does nothing: directories cannot be opened for that here.
func syncDirectory(string) error { return nil }

// tryAccess is left to the first file that is made.
func tryAccess(string) error { return nil }
