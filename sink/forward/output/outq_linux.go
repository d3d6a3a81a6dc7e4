package output

import (
	"net"

	"golang.org/x/sys/unix"
)

// canAsk says that this system tells what became of what was written.
const canAsk = true

// unacknowledged is how many bytes the peer's kernel has not yet said to hold, our end of the stream among them; over says
// that it never will. Where that cannot be asked, 0.
func unacknowledged(conn *net.TCPConn) (n int, over bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info *unix.TCPInfo
	asked := raw.Control(func(fd uintptr) {
		// In this order: a connection that ends well has everything acknowledged before its state says that it has ended.
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		}
	})
	if asked != nil || err != nil {
		return 0, false
	}
	return n, info.State == unix.BPF_TCP_CLOSE
}

// hasEnded reports whether the peer has ended its side of the stream, as far as this machine's kernel has heard.
func hasEnded(conn *net.TCPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var info *unix.TCPInfo
	asked := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	return asked == nil && err == nil && info.State != unix.BPF_TCP_ESTABLISHED
}
