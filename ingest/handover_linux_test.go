package ingest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// held binds a UDP socket as the holder of a service's socket does, and returns it, and a file of it to hand over.
func held(t *testing.T, network, addr string) (*net.UDPConn, *os.File) {
	t.Helper()
	conn, err := net.ListenPacket(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.UDPConn).SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	f, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.UDPConn), f
}

// takeOver listens with sockets that were handed over.
func takeOver(t *testing.T, o Options) (*Listener, error) {
	t.Helper()
	l, err := Listen(o)
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
	}
	return l, err
}

func port(conn net.PacketConn) string {
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

func TestSocketIsTakenOverWithAllThatWaitsInIt(t *testing.T) {
	holder, f := held(t, "udp", "127.0.0.1:0")
	conn := dial(t, holder.LocalAddr().String())
	for range 300 {
		send(t, conn, `{"ID":"HTB"}`)
	}
	l, err := takeOver(t, Options{Addrs: []string{holder.LocalAddr().String()}, HandedOver: []*os.File{f}})
	if err != nil {
		t.Fatal(err)
	}
	r := l.readers[0]
	r.pipeline.to = &recorder{room: -1}
	r.round(r.socket.receive(time.Minute))
	if got := r.pipeline.to.(*recorder).entries; got != 300 {
		t.Errorf("got %d of 300 datagrams that waited", got)
	}
}

// TestHolderKeepsTheSocketOfAListenerThatEnds: what comes in between waits for the next one.
func TestHolderKeepsTheSocketOfAListenerThatEnds(t *testing.T) {
	holder, first := held(t, "udp", "127.0.0.1:0")
	addr := holder.LocalAddr().String()
	l, err := Listen(Options{Addrs: []string{addr}, HandedOver: []*os.File{first}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	send(t, dial(t, addr), `{"ID":"HTB"}`)
	next, err := holder.File()
	if err != nil {
		t.Fatal(err)
	}
	l, err = takeOver(t, Options{HandedOver: []*os.File{next}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := l.readers[0].socket.receive(time.Minute); n != 1 || err != nil {
		t.Errorf("got %d datagrams, %v; want the one that waited", n, err)
	}
}

func TestSocketsAreMatchedToAddresses(t *testing.T) {
	both, onlySix := held(t, "udp", "[::]:0")
	loopback, four := held(t, "udp4", "127.0.0.1:0")
	any4, anyFour := held(t, "udp4", "0.0.0.0:0")
	six, sixOnly := held(t, "udp6", "[::1]:0")
	f := func(s *socket, addr string, want bool) {
		t.Helper()
		bindable, err := Resolve("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.serves(bindable); got != want {
			t.Errorf("%s for %s: got %v, want %v", s.bound(), addr, got, want)
		}
	}
	of := func(file *os.File) *socket {
		sockets, err := adoptAll([]*os.File{file}, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = closeAll(sockets) })
		return sockets[0]
	}
	wild := of(onlySix)
	f(wild, ":"+port(both), true)
	f(wild, "[::]:"+port(both), true)
	f(wild, "0.0.0.0:"+port(both), false)
	f(wild, ":1", false)
	local := of(four)
	f(local, "127.0.0.1:"+port(loopback), true)
	f(local, "localhost:"+port(loopback), true)
	f(local, ":"+port(loopback), false)
	f(local, "127.0.0.2:"+port(loopback), false)
	f(of(sixOnly), "[::1]:"+port(six), true)
	everyFour := of(anyFour)
	f(everyFour, "0.0.0.0:"+port(any4), true)
	f(everyFour, ":"+port(any4), !hasIPv6())
}

// TestSocketForIPv6AloneIsNotEveryAddress: IPv4 would be deaf, and nobody would be told.
func TestSocketForIPv6AloneIsNotEveryAddress(t *testing.T) {
	holder, f := held(t, "udp6", "[::]:0")
	_, err := takeOver(t, Options{Addrs: []string{":" + port(holder)}, HandedOver: []*os.File{f}})
	if err == nil || !strings.Contains(err.Error(), "(IPv6 only): it is none of the addresses to listen on") {
		t.Errorf("got %v, want an error that says that the socket is for IPv6 only", err)
	}
}

func TestSocketsThatCannotBeTakenOver(t *testing.T) {
	f := func(what, want string, addrs []string, files ...*os.File) {
		t.Helper()
		_, err := takeOver(t, Options{Addrs: addrs, HandedOver: files})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", what, err, want)
		}
	}
	regular, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	f("a file", "it is no socket", nil, regular)
	f("a closed descriptor", "bad file descriptor", nil, os.NewFile(999, "LISTEN_FD_3"))

	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	stream, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	f("a TCP socket", "it is no UDP socket", nil, stream)

	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	f("a Unix datagram socket", "it is no UDP socket", nil, os.NewFile(uintptr(pair[0]), "unix"))

	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f("an unbound socket", "not bound to a port", nil, os.NewFile(uintptr(fd), "unbound"))

	holder, first := held(t, "udp", "127.0.0.1:0")
	second, err := holder.File()
	if err != nil {
		t.Fatal(err)
	}
	f("two for one address", "another one was handed over for "+holder.LocalAddr().String(), nil, first, second)

	other, stray := held(t, "udp", "127.0.0.1:0")
	f("one for nothing", "take over socket "+other.LocalAddr().String()+": it is none of the addresses to listen on",
		[]string{"127.0.0.1:0"}, stray)
}

func TestBufferOfASocketIsRaisedAndNeverLowered(t *testing.T) {
	f := func(has, asked, want int) {
		t.Helper()
		holder, file := held(t, "udp", "127.0.0.1:0")
		if err := holder.SetReadBuffer(has); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		l, err := takeOver(t, Options{HandedOver: []*os.File{file}, BufferBytes: asked, Log: zerolog.New(&log)})
		if err != nil {
			t.Fatal(err)
		}
		if got := int(l.ReceiveBuffer()); got != want {
			t.Errorf("buffer of %d, asked for %d: got %d, want %d", has, asked, got, want)
		}
		if !strings.Contains(log.String(), `"handed_over":true`) {
			t.Errorf("the log does not say that the socket was handed over: %s", log.String())
		}
	}
	f(200_000, 100_000, 200_000)
	f(100_000, 200_000, 200_000)
}

// TestWhatWaitedIsNotHeldAgainstItsSourcesRate: nobody knows when it came.
func TestWhatWaitedIsNotHeldAgainstItsSourcesRate(t *testing.T) {
	holder, file := held(t, "udp", "127.0.0.1:0")
	conn := dial(t, holder.LocalAddr().String())
	const waiting, limit, later = 2*batchSize + 3, 10, 50
	for range waiting {
		send(t, conn, `{"ID":"HTB"}`)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	l, err := takeOver(t, Options{HandedOver: []*os.File{file}, RateLimit: limit, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	r := l.readers[0]
	to := &recorder{room: -1}
	r.pipeline.to = to
	r.round(r.socket.receive(time.Minute))
	if to.entries != waiting {
		t.Errorf("got %d of the %d that waited", to.entries, waiting)
	}
	for range later {
		send(t, conn, `{"ID":"HTB"}`)
	}
	r.round(r.socket.receive(time.Minute))
	if got := to.entries - waiting; got != limit {
		t.Errorf("got %d of the %d that came later, want %d", got, later, limit)
	}
}

// TestDropsOfAnEarlierListenerAreNotToldAgain: the counter of a socket runs on.
func TestDropsOfAnEarlierListenerAreNotToldAgain(t *testing.T) {
	holder, file := held(t, "udp", "127.0.0.1:0")
	if err := holder.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	to := &recorder{room: -1}
	var log bytes.Buffer
	lose := func() (kernel uint64) {
		conn := dial(t, holder.LocalAddr().String())
		for range 100 {
			send(t, conn, `{"ID":"HTB"}`)
		}
		l, err := Listen(Options{HandedOver: []*os.File{file}, BufferBytes: 4096, Log: zerolog.New(&log)})
		if err != nil {
			t.Fatal(err)
		}
		if file, err = holder.File(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l.Serve(ctx, to)
		ledger := l.Intake(nil)
		if ledger.Kernel == 0 || ledger.Received+ledger.Kernel != 100 {
			t.Errorf("sent 100, ledger %+v", ledger)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return ledger.Kernel
	}
	first, before := lose(), time.Now()
	second := lose()
	if want := fmt.Sprintf("[kernel %d kernel %d]", first, second); fmt.Sprint(to.losses) != want || to.dropsNoted != uint32(first+second) {
		t.Errorf("noted %v, %d in all; want %s", to.losses, to.dropsNoted, want)
	}
	if to.dropsLast.Before(before) {
		t.Errorf("looked at last: got %v, want a time after %v", to.dropsLast, before)
	}
	if got := strings.Count(log.String(), "while nobody read the socket"); got != 2 {
		t.Errorf("the log tells of it %d times, want twice:\n%s", got, log.String())
	}
	_ = file.Close()
}

func TestSocketThatIsHandedOverHasANameOfItsOwnThatStays(t *testing.T) {
	holder, file := held(t, "udp", "127.0.0.1:0")
	_, other := held(t, "udp", "127.0.0.1:0")
	again, err := holder.File()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range []*os.File{file, again, other} {
		sockets, err := adoptAll([]*os.File{f}, 0)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, sockets[0].name)
		_ = closeAll(sockets)
	}
	if names[0] == "" || names[0] != names[1] || names[0] == names[2] || len(names[0]) > 32 {
		t.Errorf("got names %q, want two equal ones and another, of at most 32 bytes", names)
	}
}
