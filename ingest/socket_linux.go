package ingest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many datagrams one system call receives at the most.
	batchSize = 128
	// bufferSize holds any datagram.
	bufferSize = 64 << 10
	// bufferStride keeps the beginnings of the buffers, where small datagrams lie, from sharing cache sets.
	bufferStride = bufferSize + 4096 + 64

	// busyBatch is how many datagrams at once say that there is load. Then the socket is left alone for gatherPause
	// before it is read again: waking up costs more than a datagram does.
	busyBatch   = 8
	gatherPause = 2 * time.Millisecond
)

type rawConn = syscall.RawConn

// socket is a bound UDP socket that is read in batches. The runtime's poller knows nothing of it: a thread that waits
// in poll for one socket wakes up for less.
//
// UDP_GRO would receive many datagrams as one where they were sent as one, but when the buffer is full the kernel then
// counts all of them as one drop, and the ledger would not add up.
type socket struct {
	addr    netip.AddrPort
	granted int // bytes of receive buffer

	fd      int
	wakeup  int // an eventfd
	polled  [2]unix.PollFd
	last    int // datagrams of the last batch
	buffers []byte
	headers [batchSize]mmsghdr
	iovecs  [batchSize]unix.Iovec
	names   [batchSize]unix.RawSockaddrInet6 // large enough for IPv4 too
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

func listen(addr string, buffer int) (*socket, error) {
	conn, err := bind(addr, func(fd uintptr) error { return setBuffer(int(fd), buffer) })
	if err != nil {
		return nil, err
	}
	local := conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	fd, err := duplicate(conn)
	if err := errors.Join(err, conn.Close()); err != nil {
		return nil, err
	}
	wakeup, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(fd))
	}
	s := &socket{addr: local, fd: fd, wakeup: wakeup}
	s.prepare()
	s.granted, err = grantedBuffer(fd)
	return s, err
}

// duplicate returns a descriptor of conn's socket that the runtime's poller does not know. (That of conn.File it does,
// and then each datagram wakes up a thread for nothing.)
func duplicate(conn syscall.Conn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var duplicate int
	var dupErr error
	err = raw.Control(func(fd uintptr) { duplicate, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return duplicate, errors.Join(err, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", dupErr))
}

// setBuffer asks for a receive buffer: beyond net.core.rmem_max, if we have the privilege.
func setBuffer(fd, bytes int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) == nil {
		return nil
	}
	return os.NewSyscallError("setsockopt SO_RCVBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes))
}

// grantedBuffer undoes the doubling with which the kernel accounts for its own overhead: socket(7).
func grantedBuffer(fd int) (int, error) {
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	return doubled / 2, os.NewSyscallError("getsockopt SO_RCVBUF", err)
}

func (s *socket) prepare() {
	s.polled = [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.wakeup), Events: unix.POLLIN}}
	s.buffers = make([]byte, batchSize*bufferStride)
	for i := range s.headers {
		s.iovecs[i].Base = &s.buffers[i*bufferStride]
		s.iovecs[i].SetLen(bufferSize)
		h := &s.headers[i].header
		h.Iov = &s.iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&s.names[i]))
	}
}

// receive waits for datagrams, but for no longer than about a second, and returns how many it has received.
func (s *socket) receive() (int, error) {
	if s.last < batchSize {
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
	return s.receiveNow()
}

// wait lets datagrams gather if there is load; otherwise it waits for the first one. interrupt cuts either short.
func (s *socket) wait() error {
	// The runtime's monitor takes a goroutine that only ever calls the kernel for one that hogs its processor, and then
	// wakes up thousands of times a second to see to it. Yielding once a round keeps it quiet.
	runtime.Gosched()
	fds, timeout := s.polled[:], unix.NsecToTimespec(int64(time.Second))
	if s.last >= busyBatch {
		fds, timeout = s.polled[1:], unix.NsecToTimespec(int64(gatherPause))
	}
	_, err := unix.Ppoll(fds, &timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return nil
	}
	return os.NewSyscallError("ppoll", err)
}

// receiveNow receives what waits in the socket, at most a batch. It never waits, so the runtime need not know of the call.
func (s *socket) receiveNow() (int, error) {
	for i := range s.headers {
		s.headers[i].header.Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.headers)), batchSize,
		unix.MSG_DONTWAIT, 0, 0)
	s.last = 0
	switch errno {
	case 0:
		s.last = int(n)
		return s.last, nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, os.NewSyscallError("recvmmsg", errno)
}

// datagram returns the i-th datagram of the last batch, valid until the next one, and where it came from.
func (s *socket) datagram(i int) ([]byte, netip.AddrPort) {
	b := s.buffers[i*bufferStride:]
	return b[:s.headers[i].length:bufferSize], sourceOf(&s.names[i])
}

func sourceOf(name *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	addr := netip.AddrFrom16(name.Addr).Unmap()
	if name.Scope_id != 0 && addr.Is6() {
		addr = addr.WithZone(strconv.FormatUint(uint64(name.Scope_id), 10))
	}
	return netip.AddrPortFrom(addr, port)
}

// drops is the kernel's count of datagrams that the socket's buffer had no room for. It wraps.
func (s *socket) drops() (uint32, error) {
	var info [9]uint32 // SK_MEMINFO_VARS of linux/sock_diag.h
	const skMeminfoDrops = 8
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return info[skMeminfoDrops], nil
}

// interrupt makes the receive that waits now, or the next one, return at once. It may be called from any goroutine.
func (s *socket) interrupt() {
	_, _ = unix.Write(s.wakeup, binary.NativeEndian.AppendUint64(nil, 1)) // Fails only when it is already set.
}

func (s *socket) Close() error { return errors.Join(unix.Close(s.fd), unix.Close(s.wakeup)) }
