//go:build !linux && !darwin && !freebsd && !windows

package rotate

import (
	"errors"
	"os"
)

// freeBytes is not known here.
func freeBytes(dir string) (int64, error) {
	return 0, &os.PathError{Op: "statfs", Path: dir, Err: errors.ErrUnsupported}
}
