//go:build unix

package durable

import (
	"errors"
	"os"
	"syscall"
)

// NoFollow is a flag of os.OpenFile that keeps a symbolic link planted at the path from leading us elsewhere, and a FIFO from blocking us.
const NoFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// lockFile returns ErrInUse if another process holds the lock.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// SyncDirectory makes renames within dir safe from a power cut.
func SyncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
