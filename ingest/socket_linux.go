package ingest

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
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

	// busyRound is how many datagrams at once say that there is load. Then the socket is left alone for a while before
	// it is read again: waking up costs more than a datagram does.
	busyRound = 8

	// closePause is how soon datagrams come that come close upon each other.
	closePause = 2 * time.Millisecond
)

type rawConn = syscall.RawConn

// socket is a bound UDP socket that is read in batches. The runtime's poller does not know it, since under load it would
// wake up a thread for every datagram. It knows arrival: an epoll instance that has the socket in it only while there is
// nothing to do but to wait.
//
// UDP_GRO would receive many datagrams as one where they were sent as one, but when the buffer is full the kernel then
// counts all of them as one drop, and the intake would not add up.
type socket struct {
	addr       netip.AddrPort
	granted    int    // bytes of receive buffer
	handedOver bool   // it was bound by someone else, who goes on holding it
	onlyIPv6   bool   // it is :: and IPv4 does not reach it
	waiting    int    // bytes of its buffer that were taken when it was handed over
	name       string // of one that was handed over: what no other socket is called that its drops could be taken for

	fd          int
	epoll       int
	arrival     *os.File // of epoll
	arrivalConn syscall.RawConn
	interrupted atomic.Bool
	pause       time.Duration // for which the socket is left alone under load
	last        int           // datagrams of the last batch
	round       int           // datagrams since the last wait
	dense       bool          // they came close upon those before
	buffers     []byte
	headers     [batchSize]mmsghdr
	iovecs      [batchSize]unix.Iovec
	names       [batchSize]unix.RawSockaddrInet6 // large enough for IPv4 too
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

func listen(addr Bindable, buffer int) (*socket, error) {
	conn, onlyIPv6, err := bind(addr, func(fd uintptr) error { return setBuffer(int(fd), buffer) })
	if err != nil {
		return nil, err
	}
	local := conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()
	fd, err := duplicate(conn)
	if err := errors.Join(err, conn.Close()); err != nil {
		return nil, err
	}
	s, err := newSocket(fd, local)
	if err == nil {
		s.onlyIPv6 = onlyIPv6
	}
	return s, err
}

// newSocket makes a socket of the descriptor of a bound one, and owns the descriptor from then on.
func newSocket(fd int, addr netip.AddrPort) (s *socket, err error) {
	s = &socket{addr: addr, fd: fd}
	if err := s.openArrival(); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	s.prepare()
	s.granted, err = grantedBuffer(fd)
	s.pause = pauseFor(s.granted)
	return s, err
}

// pauseFor is how long a socket with this many bytes of buffer can be left alone under load: one millisecond, in which
// 500,000 datagrams a second fill 200 KiB, and at most four, so that a line is in the file within ten.
func pauseFor(granted int) time.Duration {
	const each = 256 << 10
	return time.Millisecond * time.Duration(min(max(granted/each, 1), 4))
}

// openArrival makes the epoll instance.
func (s *socket) openArrival() error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(epoll, true); err != nil { // The runtime's poller takes no other.
		return errors.Join(os.NewSyscallError("fcntl", err), unix.Close(epoll))
	}
	s.epoll, s.arrival = epoll, os.NewFile(uintptr(epoll), "epoll")
	s.arrivalConn, err = s.arrival.SyscallConn()
	return err
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

// receive waits for datagrams, but for no longer than patience, and returns how many it has received.
func (s *socket) receive(patience time.Duration) (int, error) {
	if !s.isFull() {
		if err := s.wait(patience); err != nil {
			return 0, err
		}
	}
	return s.receiveNow()
}

// wait ends a round: it lets datagrams gather under load, and else waits for the next.
func (s *socket) wait(patience time.Duration) error {
	busy := s.round >= busyRound
	s.round = 0
	if busy {
		return s.gather()
	}
	return s.await(patience)
}

// isFull reports whether the last batch was full, so that more may wait.
func (s *socket) isFull() bool { return s.last == batchSize }

// gather leaves the socket alone for a while. It does so in a system call of its own, since the runtime's timers would
// wake up another thread too.
func (s *socket) gather() error {
	// The runtime's monitor takes a goroutine that only ever calls the kernel for one that hogs its processor, and then
	// wakes up thousands of times a second to see to it. Yielding once a round keeps it quiet.
	runtime.Gosched()
	_, err := poll(nil, s.pause)
	return err
}

// poll waits in the kernel for one of fds, and reports whether it is ready.
func poll(fds []unix.PollFd, limit time.Duration) (bool, error) {
	timeout := unix.NsecToTimespec(limit.Nanoseconds())
	n, err := unix.Ppoll(fds, &timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n > 0, os.NewSyscallError("ppoll", err)
}

// await waits for a datagram, for no longer than patience. As long as they come close upon each other it does so in the
// kernel, which is the shorter way; but the runtime's monitor does not rest meanwhile, so it must not take long.
func (s *socket) await(patience time.Duration) error {
	start := time.Now()
	defer func() { s.dense = time.Since(start) < closePause }()
	if s.dense {
		ready, err := poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, closePause)
		if ready || err != nil {
			return err
		}
	}
	return s.awaitArrival(patience)
}

// awaitArrival waits for a datagram, for no longer than patience; interrupt cuts it short.
func (s *socket) awaitArrival(patience time.Duration) error {
	if err := s.arrival.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if s.interrupted.Load() { // It may have set its own deadline just before.
		return nil
	}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	err := s.arrivalConn.Read(func(epoll uintptr) bool {
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, s.fd, nil)))
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
		s.round += s.last
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
	return netip.AddrPortFrom(withZone(addr, name.Scope_id), port)
}

// withZone gives an IPv6 address the zone that the kernel knows by this number; 0 is none.
func withZone(addr netip.Addr, scope uint32) netip.Addr {
	if scope != 0 && addr.Is6() {
		return addr.WithZone(strconv.FormatUint(uint64(scope), 10))
	}
	return addr
}

// drops is the kernel's count of datagrams that the socket's buffer had no room for. It wraps.
func (s *socket) drops() (uint32, error) {
	const skMeminfoDrops = 8
	info, err := s.memory()
	return info[skMeminfoDrops], err
}

// memory is what SO_MEMINFO tells of the socket: SK_MEMINFO_VARS of linux/sock_diag.h.
func (s *socket) memory() (info [9]uint32, err error) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return info, os.NewSyscallError("getsockopt SO_MEMINFO", errno)
	}
	return info, nil
}

// interrupt makes the receive that waits now, and every later one, return at once. It may be called from any goroutine.
func (s *socket) interrupt() {
	s.interrupted.Store(true)
	_ = s.arrival.SetReadDeadline(time.Now()) // Fails only when it is closed.
}

func (s *socket) Close() error { return errors.Join(s.arrival.Close(), unix.Close(s.fd)) }
