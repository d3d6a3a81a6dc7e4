package read

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData forces what a file holds to the disk. Its descriptor may be for reading only. A file system that keeps nothing
// back, or is mounted read-only, does not know the call.
func syncData(file *os.File) error {
	for {
		err := unix.Fdatasync(int(file.Fd()))
		switch {
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOTSUP):
			return nil
		case !errors.Is(err, unix.EINTR):
			return err
		}
	}
}
