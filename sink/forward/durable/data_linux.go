package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncData forces the content of a file to the disk, whose size has not changed.
func SyncData(file *os.File) error {
	for {
		if err := unix.Fdatasync(int(file.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
