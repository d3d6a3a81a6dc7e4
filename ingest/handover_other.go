//go:build !linux

package ingest

import (
	"errors"
	"os"
)

// adopt is for Linux, where systemd and its like hand sockets over.
func adopt(*os.File, int) (*socket, error) {
	return nil, errors.New("sockets can be handed over on Linux only")
}

// ProbeBuffer is for Linux, where the kernel tells how large a receive buffer it gives.
func ProbeBuffer(int) (int, error) {
	return 0, errors.New("this system does not tell how large a receive buffer is")
}
