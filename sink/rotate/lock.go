package rotate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked is wrapped by the error of Open when another process writes the journal.
var ErrLocked = errors.New("another process writes this journal")

// takeLock locks <state>/lock for as long as the returned file is open; the kernel frees it however the process ends.
// The file holds the pid, for the error message of the second process only.
func takeLock(stateDir string) (*os.File, error) {
	lock, err := openLock(filepath.Join(stateDir, "lock"))
	if err != nil {
		return nil, err
	}
	// The lock holds without the pid: on a full disk it cannot be written, and that is no reason not to start.
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if n, err := lock.WriteAt([]byte(pid), 0); err == nil {
		_ = lock.Truncate(int64(n))
	}
	return lock, nil
}

// openLock opens the lock, making it if it is missing, and locks it.
func openLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openNoFollow, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := lockFile(lock); err != nil {
		holder, _ := os.ReadFile(path)
		return nil, errors.Join(fmt.Errorf("lock %s (held by pid %s): %w", path, pidText(holder), err), lock.Close())
	}
	return lock, nil
}

// Held reports whether a process writes the journal base in dir now. It holds the lock itself for a moment to find out.
func Held(dir, base string) (bool, error) {
	lock, err := os.OpenFile(filepath.Join(StateDir(dir, base), "lock"), os.O_RDWR|openNoFollow, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at lock: %w", err)
	}
	err = lockFile(lock)
	if closed := lock.Close(); err == nil {
		err = closed
	}
	if errors.Is(err, ErrLocked) {
		return true, nil
	}
	return false, err
}

func pidText(holder []byte) string {
	if pid := strings.TrimSpace(string(holder)); pid != "" {
		return pid
	}
	return "unknown"
}
