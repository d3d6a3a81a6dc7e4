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
