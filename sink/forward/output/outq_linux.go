package output

import (
	"net"

	"golang.org/x/sys/unix"
)

// unacknowledged is how many bytes the peer's kernel has not yet said to hold, our end of the stream among them; known is
// false where that cannot be asked.
func unacknowledged(conn *net.TCPConn) (n int, known bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	asked := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n, asked == nil && err == nil
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
