//go:build !linux

package doctor

import (
	"errors"
	"os"
)

// readClock is for Linux.
func readClock() (kernelClock, error) { return kernelClock{}, errors.ErrUnsupported }

// syncData makes what was written to a file safe.
func syncData(file *os.File) error { return file.Sync() }
