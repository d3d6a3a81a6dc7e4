//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// reopenSignals make the daemon reopen its journal file.
func reopenSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// rotateSignals make the daemon rotate its journal now.
func rotateSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1} }

// surviveClosedPipes makes writing to a standard stream whose reader has gone away an error, and no longer the end of
// the process, until the returned function is called. The signal is caught and not ignored, since programs that are
// started would inherit that.
func surviveClosedPipes() (stop func()) {
	unread := make(chan os.Signal, 1)
	signal.Notify(unread, syscall.SIGPIPE)
	return func() { signal.Stop(unread) }
}

// openDeviceFlags keep the opening of a device from waiting for its other end, and from making it our terminal.
const openDeviceFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
