// Package sender puts datagrams on the wire: one at a time, or as a load of hundreds of thousands a second.
//
// A Sender owns one connected UDP socket. Add collects datagrams in a batch, in order, and Flush hands the batch to the
// kernel: on Linux with as few sendmmsg calls as possible, optionally with runs of equal-sized datagrams joined into one
// UDP_SEGMENT buffer; on other systems with a plain write for each. A Pacer says when how many datagrams are due:
//
//	s, err := sender.Dial(sender.Options{To: "127.0.0.1:50003"})
//	…
//	pacer := sender.Pace{Rate: 100_000, Count: 1_000_000}.Start()
//	for n, err := pacer.Next(ctx); n > 0 && err == nil; n, err = pacer.Next(ctx) {
//		for range n {
//			s.Add(datagram)
//		}
//		s.Flush()
//	}
//	err = s.Close()
//
// UDP has no answer, so «sent» means taken by the kernel. The one thing that is learned afterwards is that nothing
// listens at the other end: the ICMP answer to an earlier datagram comes back as ErrRefused from a later call.
package sender

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	// MaxDatagram is the most bytes that one UDP datagram over IPv4 can carry.
	MaxDatagram = 65_507

	maxSources   = 1 << 20   // addresses, from 127.1.0.0 on
	batchCount   = 256       // datagrams that Add collects before it flushes by itself
	batchBytes   = 256 << 10 // bytes after which Add flushes by itself
	refusalDelay = 20 * time.Millisecond
)

var (
	// ErrRefused is wrapped by the errors of Add, Flush, Send and Close when the host answered an earlier datagram with
	// «port unreachable»: nothing listens at that address.
	ErrRefused = errors.New("nothing listens there")

	// ErrTooLong is wrapped by the errors of Add and Send for a datagram of more than MaxDatagram bytes.
	ErrTooLong = errors.New("message does not fit into one UDP datagram")
)

// Options say where datagrams go, and how. The zero value of each field but To is its default.
type Options struct {
	// To is host:port of the receiver.
	To string

	// Sources is the number of addresses of 127.0.0.0/8 that datagrams leave from in turn, so that one machine looks
	// like many. It needs Linux and a receiver on 127.0.0.0/8; at most 1,048,576. 0: the socket's own address.
	Sources int

	// Segment joins consecutive datagrams of one size into one UDP_SEGMENT buffer, which the kernel takes apart again.
	// It needs Linux. With Sources, the datagrams of one buffer share a source.
	Segment bool

	// KeepGoing has Add, Flush and Send not return what may pass: that nothing listens there for the moment, or that there
	// is no way there. It is counted in Stats, and the name in To is looked up anew, since a receiver may come back at
	// another address. Close returns it all the same if it is so at the end.
	KeepGoing bool
}

// Stats count what became of the datagrams.
type Stats struct {
	Sent    int64 // datagrams that the kernel took
	Bytes   int64 // bytes in them
	Errors  int64 // datagrams that it did not take
	Refused int64 // times that the receiver's host said that nothing listens there
}

// Sender sends datagrams to one address. It is for one goroutine at a time.
type Sender struct {
	opts  Options
	conn  *net.UDPConn
	to    netip.AddrPort
	wire  wire
	buf   []byte // the datagrams of the batch, one after the other
	sizes []int  // and the length of each
	stats Stats

	lookedUp time.Time // when opts.To was, for the last time
}

// Dial resolves o.To and opens the socket. Nothing is sent.
func Dial(o Options) (*Sender, error) {
	s := &Sender{opts: o}
	addr, err := s.lookUp()
	if err != nil {
		return nil, err
	}
	if err := s.dial(addr); err != nil {
		return nil, fmt.Errorf("dial %s: %w", o.To, err)
	}
	return s, nil
}

func (s *Sender) lookUp() (*net.UDPAddr, error) {
	s.lookedUp = time.Now()
	addr, err := net.ResolveUDPAddr("udp", s.opts.To)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", s.opts.To, err)
	}
	return addr, nil
}

// dial opens a socket to addr instead of the one that there is, if there is one.
func (s *Sender) dial(addr *net.UDPAddr) error {
	conn, err := net.DialUDP("udp", nil, addr)
	if err != nil {
		return err
	}
	peer := conn.RemoteAddr().(*net.UDPAddr).AddrPort()
	to := netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	var w wire
	if err := errors.Join(checkSources(s.opts.Sources, to), w.open(conn, s.opts)); err != nil {
		return errors.Join(err, conn.Close())
	}
	if s.conn != nil {
		_ = s.conn.Close() // What it could still say is about an address that is no longer the receiver's.
	}
	s.conn, s.to, s.wire = conn, to, w
	return nil
}

func checkSources(n int, to netip.AddrPort) error {
	switch {
	case n < 0 || n > maxSources:
		return fmt.Errorf("%d sources: must be 0 to %d", n, maxSources)
	case n > 0 && !(to.Addr().Is4() && to.Addr().IsLoopback()):
		return fmt.Errorf("%d sources: only possible to an address of 127.0.0.0/8", n)
	}
	return nil
}

// To is the address that datagrams go to.
func (s *Sender) To() netip.AddrPort { return s.to }

// Stats are the counts so far. What waits in the batch is not in them yet.
func (s *Sender) Stats() Stats { return s.stats }

// Send sends what waits in the batch, then datagram, at once.
func (s *Sender) Send(datagram []byte) error {
	return errors.Join(s.Add(datagram), s.Flush())
}

// Add copies datagram into the batch, and flushes the batch once it is full.
func (s *Sender) Add(datagram []byte) error {
	if len(datagram) > MaxDatagram {
		s.stats.Errors++
		return fmt.Errorf("send %d bytes to %s: %w of at most %d bytes", len(datagram), s.to, ErrTooLong, MaxDatagram)
	}
	s.buf = append(s.buf, datagram...)
	s.sizes = append(s.sizes, len(datagram))
	if len(s.sizes) >= batchCount || len(s.buf) >= batchBytes {
		return s.Flush()
	}
	return nil
}

// Flush sends the batch. Every datagram of it is tried; the first error is returned, but for those that Options.KeepGoing
// is about.
func (s *Sender) Flush() error {
	if len(s.sizes) == 0 {
		return nil
	}
	err := s.wire.send(s.buf, s.sizes, &s.stats)
	s.buf, s.sizes = s.buf[:0], s.sizes[:0]
	if s.opts.KeepGoing && mayPass(err) {
		s.follow()
		return nil
	}
	return s.wrap(err)
}

// follow looks up anew where the receiver is, not more often than once a second, and goes on sending there.
func (s *Sender) follow() {
	if time.Since(s.lookedUp) < time.Second {
		return
	}
	addr, err := s.lookUp()
	if err != nil || addr.AddrPort().Addr().Unmap() == s.to.Addr() {
		return
	}
	_ = s.dial(addr) // If it fails, the old address may be the receiver's again.
}

// mayPass reports whether err is about the receiver or the way there, and not about what is sent.
func mayPass(err error) bool {
	if isRefused(err) {
		return true
	}
	for _, passing := range []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.ENOBUFS} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Close sends the batch, waits up to 20 ms for the host to say that nothing listens there, and closes the socket.
func (s *Sender) Close() error {
	return errors.Join(s.Flush(), s.awaitRefusal(), s.conn.Close())
}

// awaitRefusal reads the socket, since that is where a pending refusal shows itself on every system. Answers of the
// receiver, which hbjournal never gives, are thrown away.
func (s *Sender) awaitRefusal() error {
	if s.stats.Sent == 0 {
		return nil
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(refusalDelay)); err != nil {
		return s.wrap(err)
	}
	for {
		_, err := s.conn.Read(make([]byte, 1))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case isRefused(err):
			s.stats.Refused++
			return s.wrap(err)
		case err != nil:
			return nil // Anything else says nothing about what was sent.
		}
	}
}

// wrap puts the receiver's address, and ErrRefused for a refusal, around err.
func (s *Sender) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case isRefused(err):
		return fmt.Errorf("send to %s: %w", s.to, ErrRefused)
	}
	return fmt.Errorf("send to %s: %w", s.to, err)
}
