//go:build !linux

package output

import "net"

// canAsk says that this system does not tell what became of what was written.
const canAsk = false

// unacknowledged can be asked on Linux only.
func unacknowledged(*net.TCPConn) (n int, over bool) { return 0, false }

// hasEnded can be asked on Linux only; elsewhere what was read tells it, a little later.
func hasEnded(*net.TCPConn) bool { return false }
