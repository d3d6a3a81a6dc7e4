// Package ingest is the receiving side: it turns UDP datagrams into journal lines.
//
//	socket ─recvmmsg─> reader goroutine: guard → decode → line → batch of whole lines ─> Appender
//
// Each socket has one reader goroutine, and the reader never touches the disk: an Appender takes or refuses a batch at
// once. What happens to each datagram is counted in the Intake, losses in the kernel included.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Options of a Listener. Addrs or HandedOver is required; every other zero value is the default given with its field.
type Options struct {
	// Addrs are host:port. An address of IPv4 is for IPv4 alone, 0.0.0.0 too; an empty host is every address of both; so
	// is ::, unless its port is taken for IPv4, by another of Addrs or by another program. Port 0 is any free one.
	Addrs       []string
	BufferBytes int // receive buffer asked of the kernel for each socket; 0: 4 MiB

	// HandedOver are UDP sockets that were bound by whoever started the process, and that outlive it. One that is bound to
	// an address of Addrs is used for it, with at least the buffer that it has; without Addrs all of them are used. Listen
	// closes the files.
	HandedOver []*os.File

	MaxMessageBytes int            // of a message after inflating; what is larger is kept undecoded; 0: 1 MiB
	DropInvalid     bool           // drop and count what is no JSON object, instead of wrapping it
	Location        *time.Location // of the datetime field; nil: UTC

	Gateways []netip.Addr // sources that hide the senders if all datagrams come from one of them, which is logged

	AllowFrom []netip.Prefix // sources whose datagrams are taken; empty: all
	RateLimit int            // datagrams a second that are taken from one source address; 0: no limit

	Include []Rule // messages that match one of these are journaled; empty: all
	Exclude []Rule // but none that matches one of these

	DedupWindow time.Duration // within it, copies of a message from the same address are not journaled; 0: they are

	DrainTimeout time.Duration // for reading what waits in the sockets when Serve is told to stop; 0: 5 s

	Now func() time.Time // nil: time.Now
	Log zerolog.Logger   // sockets, kernel losses; at debug level each message; zero value: silent
}

func (o Options) withDefaults() (Options, error) {
	if len(o.Addrs) == 0 && len(o.HandedOver) == 0 {
		return o, errors.New("listen: no address given")
	}
	if o.BufferBytes < 0 || o.MaxMessageBytes < 0 || o.RateLimit < 0 || o.DedupWindow < 0 || o.DrainTimeout < 0 {
		return o, fmt.Errorf("listen: BufferBytes %d, MaxMessageBytes %d, RateLimit %d, DedupWindow %v and DrainTimeout %v must not be negative",
			o.BufferBytes, o.MaxMessageBytes, o.RateLimit, o.DedupWindow, o.DrainTimeout)
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 4 << 20
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// Listener receives on one or more UDP sockets.
type Listener struct {
	opts    Options
	readers []*reader
}

// Listen binds all the addresses that no socket was handed over for, or none. Datagrams wait in the sockets' buffers
// until Serve reads them. Its error wraps ErrSameAddress, ErrHandedOver, or that of the operation which failed.
func Listen(o Options) (*Listener, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	sockets, err := openSockets(o)
	if err != nil {
		return nil, err
	}
	l := &Listener{opts: o}
	g, seed := newGuard(o), maphash.MakeSeed()
	for _, s := range sockets {
		r := newReader(s, o, g)
		r.hosts.seed = seed
		l.readers = append(l.readers, r)
		logSocket(o.Log, s, o.BufferBytes)
	}
	return l, nil
}

// logSocket says where we listen, and what to do if the kernel granted less buffer than was asked for.
func logSocket(log zerolog.Logger, s *socket, asked int) {
	granted := s.granted
	if granted >= asked {
		log.Info().Stringer("addr", s.addr).Int("buffer", granted).Bool("handed_over", s.handedOver).
			Bool("only_ipv6", s.onlyIPv6).Msg("listening for journal messages")
		return
	}
	hint := fmt.Sprintf("sysctl -w net.core.rmem_max=%d", asked)
	if s.handedOver {
		hint += fmt.Sprintf(", or ReceiveBuffer=%d in the socket unit", asked)
	}
	log.Warn().Stringer("addr", s.addr).Int("buffer", granted).Int("asked", asked).Bool("handed_over", s.handedOver).
		Bool("only_ipv6", s.onlyIPv6).Str("hint", hint).
		Msg("listening for journal messages, with a smaller receive buffer than listen_buffer: bursts may be lost")
}

// Addrs are the addresses that the sockets are bound to, in the order of Options.Addrs.
func (l *Listener) Addrs() []netip.AddrPort {
	addrs := make([]netip.AddrPort, len(l.readers))
	for i, r := range l.readers {
		addrs[i] = r.socket.addr
	}
	return addrs
}

// ReceiveBuffer is how many bytes of receive buffer the kernel has granted, for all sockets together.
func (l *Listener) ReceiveBuffer() int64 {
	var sum int64
	for _, r := range l.readers {
		sum += int64(r.socket.granted)
	}
	return sum
}

// Serve receives until ctx is done; then it reads what still waits in the sockets and returns. It is called once.
func (l *Listener) Serve(ctx context.Context, to Appender) {
	var wg sync.WaitGroup
	for _, r := range l.readers {
		wg.Go(func() { r.run(ctx, to) })
	}
	wg.Wait()
}

// Intake sums up what became of the datagrams, at this moment. While during runs, if it is not nil, nothing is received:
// what it finds in the Appender is of the same moment. It must be quick.
func (l *Listener) Intake(during func()) Intake {
	for _, r := range l.readers {
		r.pipeline.mu.Lock()
		defer r.pipeline.mu.Unlock()
	}
	var sum Intake
	for _, r := range l.readers {
		sum.add(r.pipeline.intake)
		sum.FilteredBy = added(sum.FilteredBy, r.pipeline.filter.counts())
	}
	if during != nil {
		during()
	}
	return sum
}

// TakeHosts is how many source addresses datagrams have come from since the last call, within one in a hundred.
func (l *Listener) TakeHosts() int {
	sum := make([]uint64, hostBits/64)
	for _, r := range l.readers {
		r.pipeline.mu.Lock()
		r.hosts.moveTo(sum)
		r.pipeline.mu.Unlock()
	}
	return countHosts(sum)
}

// Close closes the sockets. It is for after Serve, or instead of it.
func (l *Listener) Close() error {
	var errs []error
	for _, r := range l.readers {
		errs = append(errs, r.socket.Close())
	}
	return errors.Join(errs...)
}

// bind opens a UDP socket whose buffer is set before the first datagram can come in, and reports whether it is :: for
// IPv6 alone.
func bind(addr Bindable, control func(fd uintptr) error) (conn *net.UDPConn, onlyIPv6 bool, err error) {
	config := net.ListenConfig{Control: func(_, _ string, raw rawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = control(fd) }); e != nil {
			return e
		}
		return err
	}}
	onlyIPv6, err = addr.Bind(func(network, addr string) error {
		bound, err := config.ListenPacket(context.Background(), network, addr)
		if err == nil {
			conn = bound.(*net.UDPConn)
		}
		return err
	})
	return conn, onlyIPv6, err
}
