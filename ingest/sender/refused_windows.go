package sender

import (
	"errors"
	"syscall"
)

// Windows reports the refusal of an earlier datagram as a reset connection.
func isRefused(err error) bool { return errors.Is(err, syscall.WSAECONNRESET) }
