//go:build !linux

package ingest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

type rawConn = syscall.RawConn

// socket is a bound UDP socket that is read one datagram at a time: the plain way, for systems without recvmmsg.
type socket struct {
	addr       netip.AddrPort
	granted    int    // bytes of receive buffer; what was asked for, since not every system tells
	handedOver bool   // false: that is for Linux
	onlyIPv6   bool   // it is :: and IPv4 does not reach it
	waiting    int    // of one that was handed over
	name       string // of one that was handed over

	conn   *net.UDPConn
	buffer [64 << 10]byte
	length int
	from   netip.AddrPort
}

func listen(addr Bindable, buffer int) (*socket, error) {
	conn, onlyIPv6, err := bind(addr, func(uintptr) error { return nil })
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadBuffer(buffer); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &socket{addr: local, granted: buffer, conn: conn, onlyIPv6: onlyIPv6}, nil
}

// receive waits for a datagram, but for no longer than patience, and returns how many it has received.
func (s *socket) receive(patience time.Duration) (int, error) {
	return s.receiveUntil(time.Now().Add(min(patience, time.Second))) // interrupt may come before the deadline is set.
}

// receiveNow receives a datagram that waits in the socket.
func (s *socket) receiveNow() (int, error) { return s.receiveUntil(time.Now().Add(time.Millisecond)) }

func (s *socket) receiveUntil(deadline time.Time) (int, error) {
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, from, err := s.conn.ReadFromUDPAddrPort(s.buffer[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.length, s.from = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

// isFull is false: there is one datagram at a time.
func (s *socket) isFull() bool { return false }

// datagram returns the datagram of the last batch, valid until the next one, and where it came from.
func (s *socket) datagram(int) ([]byte, netip.AddrPort) { return s.buffer[:s.length], s.from }

// drops is always 0: these systems do not tell what the socket's buffer had no room for.
func (s *socket) drops() (uint32, error) { return 0, nil }

// interrupt makes the receive that waits now return at once. It may be called from any goroutine.
func (s *socket) interrupt() { _ = s.conn.SetReadDeadline(time.Now()) }

func (s *socket) Close() error { return s.conn.Close() }
