//go:build !linux && !darwin && !freebsd && !windows

package rotate

import (
	"errors"
	"os"
)

// RoomIn is not known here.
func RoomIn(dir string) (Room, error) {
	return Room{}, &os.PathError{Op: "statfs", Path: dir, Err: errors.ErrUnsupported}
}
