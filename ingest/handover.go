package ingest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
)

// ErrHandedOver is wrapped by the errors of Listen about sockets that were handed over and cannot be used.
var ErrHandedOver = errors.New("take over socket")

// openSockets opens a socket for each of o.Addrs, or none: the one that was handed over for the address, or a new one. A
// socket that was handed over for nothing is an error, since what is sent there would wait in it for ever.
func openSockets(o Options) (sockets []*socket, err error) {
	handed, err := adoptAll(o.HandedOver, o.BufferBytes)
	if err != nil {
		return nil, err
	}
	if len(o.Addrs) == 0 {
		return handed, nil
	}
	addrs, err := resolveAll(o.Addrs)
	if err != nil {
		return nil, errors.Join(err, closeAll(handed))
	}
	sockets, left := assign(handed, addrs)
	if len(left) > 0 {
		err := fmt.Errorf("%w %s: it is none of the addresses to listen on, %q", ErrHandedOver, left[0].bound(), o.Addrs)
		return nil, errors.Join(err, closeAll(handed))
	}
	for i, addr := range addrs {
		if sockets[i] != nil {
			continue
		}
		if sockets[i], err = listen(addr, o.BufferBytes); err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", o.Addrs[i], err), closeAll(sockets))
		}
	}
	return sockets, nil
}

// assign finds for each of addrs the socket that was handed over for it, nil if there is none, and returns those left.
func assign(handed []*socket, addrs []Bindable) (sockets, left []*socket) {
	sockets, left = make([]*socket, len(addrs)), slices.Clone(handed)
	for i, addr := range addrs {
		if n := slices.IndexFunc(left, func(s *socket) bool { return s.serves(addr) }); n >= 0 {
			sockets[i] = left[n]
			left = slices.Delete(left, n, n+1)
		}
	}
	return sockets, left
}

// adoptAll makes sockets of files, all or none, and closes the files.
func adoptAll(files []*os.File, buffer int) (sockets []*socket, err error) {
	for i, f := range files {
		s, adoptErr := adopt(f, buffer)
		switch {
		case adoptErr != nil:
			err = errors.Join(err, fmt.Errorf("%w %d of %d, %s: %w", ErrHandedOver, i+1, len(files), f.Name(), adoptErr))
		case slices.ContainsFunc(sockets, func(other *socket) bool { return other.addr == s.addr }):
			err = errors.Join(err, fmt.Errorf("%w %d of %d, %s: another one was handed over for %s too; leave one of them",
				ErrHandedOver, i+1, len(files), f.Name(), s.bound()), s.Close())
		default:
			sockets = append(sockets, s)
		}
		_ = f.Close() // The socket is ours by another descriptor.
	}
	if err != nil {
		return nil, errors.Join(err, closeAll(sockets))
	}
	return sockets, nil
}

func closeAll(sockets []*socket) error {
	var errs []error
	for _, s := range sockets {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// serves reports whether a socket that was handed over is the one to be had for addr.
func (s *socket) serves(addr Bindable) bool {
	here := s.addr.Addr()
	switch {
	case addr.Port != s.addr.Port():
		return false
	case addr.IP.IsValid():
		return addr.IP.WithZone("") == here.Unmap().WithZone("") && (addr.IP.Zone() == "" || addr.IP.Zone() == here.Zone())
	case here.Is6():
		return here.IsUnspecified() && !s.onlyIPv6
	}
	return here.IsUnspecified() && !hasIPv6()
}

// bound says for people where the socket is bound.
func (s *socket) bound() string {
	if s.onlyIPv6 {
		return s.addr.String() + " (IPv6 only)"
	}
	return s.addr.String()
}

// hasIPv6 reports whether this machine has IPv6 at all: then every address is [::], and not 0.0.0.0.
func hasIPv6() bool {
	conn, err := net.ListenPacket("udp6", "[::]:0")
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
