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
