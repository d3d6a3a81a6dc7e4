package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// NoFollow, a flag of os.OpenFile, has no meaning here.
const NoFollow = 0

// lockFile returns ErrInUse if another process holds the lock.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrInUse
	}
	return err
}

// SyncDirectory does nothing: directories cannot be opened for that here.
func SyncDirectory(string) error { return nil }
