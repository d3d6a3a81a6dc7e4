package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// adopt makes a socket of one that someone else has bound and holds. Its buffer is never lowered.
func adopt(f *os.File, buffer int) (*socket, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	addr, err := boundUDP(fd)
	if err == nil {
		err = raiseBuffer(fd, buffer)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	s, err := newSocket(fd, addr)
	if err != nil {
		return nil, err
	}
	s.handedOver, s.name = true, nameOf(fd)
	if addr.Addr().Is6() {
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		s.onlyIPv6 = err == nil && only != 0
	}
	s.waiting, err = s.waitingBytes()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// nameOf names a socket for as long as it lives, whoever holds it: by the kernel's cookie, which counts up from each boot,
// and by the boot. Where /proc does not tell that, the cookie must do. It is empty on a kernel that has no cookies; such a
// one (before 4.6) does not tell of drops either.
func nameOf(fd int) string {
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	const enough = 13 // of its 36 digits and dashes
	return fmt.Sprintf("%x.%s", cookie, boot[:min(len(boot), enough)])
}

// boundUDP is the address that the UDP socket fd is bound to. Any other descriptor is an error that says what it is.
func boundUDP(fd int) (netip.AddrPort, error) {
	var none netip.AddrPort
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if errors.Is(err, unix.ENOTSOCK) {
		return none, errors.New("it is no socket; in a socket unit, ListenDatagram= makes one")
	}
	if err != nil {
		return none, os.NewSyscallError("getsockopt SO_PROTOCOL", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return none, os.NewSyscallError("getsockname", err)
	}
	var addr netip.AddrPort
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		addr = netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		addr = netip.AddrPortFrom(withZone(netip.AddrFrom16(name.Addr), name.ZoneId), uint16(name.Port))
	}
	if protocol != unix.IPPROTO_UDP || !addr.IsValid() {
		return none, errors.New("it is no UDP socket; in a socket unit, ListenDatagram=PORT makes one")
	}
	if addr.Port() == 0 {
		return none, errors.New("it is not bound to a port")
	}
	return addr, nil
}

// raiseBuffer gives the socket a receive buffer of this size, if that is more than it has. Without privilege the kernel
// gives less than is asked for, perhaps less than there is, so a socket of our own tells beforehand.
func raiseBuffer(fd, bytes int) error {
	has, err := grantedBuffer(fd)
	if err != nil || has >= bytes {
		return err
	}
	if would, err := ProbeBuffer(bytes); err != nil || would <= has {
		return err
	}
	return setBuffer(fd, bytes)
}

// ProbeBuffer is how large a receive buffer the kernel would give this process that asks for so many bytes.
func ProbeBuffer(bytes int) (granted int, err error) {
	probe, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(probe)
	if err := setBuffer(probe, bytes); err != nil {
		return 0, err
	}
	return grantedBuffer(probe)
}

// waitingBytes is how much of the receive buffer is taken by datagrams that nobody has read yet.
func (s *socket) waitingBytes() (int, error) {
	info, err := s.memory()
	if err != nil {
		return 0, fmt.Errorf("look what waits in %s: %w", s.addr, err)
	}
	const skMeminfoRmemAlloc = 0
	return int(info[skMeminfoRmemAlloc]), nil
}
