//go:build unix

package cli

import (
	"os"
	"syscall"
)

// reopenSignals make the daemon reopen its journal file.
func reopenSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

// rotateSignals make the daemon rotate its journal now.
func rotateSignals() []os.Signal { return []os.Signal{syscall.SIGUSR1} }
