//go:build unix

package seal

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openNonblock keeps a FIFO that nobody reads from blocking us.
const openNonblock = syscall.O_NONBLOCK

// worldReadable reports whether everybody may read the file. Its group may: secrets are mounted like that into containers.
func worldReadable(info fs.FileInfo) bool { return info.Mode().Perm()&0o007 != 0 }

// syncDir makes the names in a directory safe from a power cut.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
