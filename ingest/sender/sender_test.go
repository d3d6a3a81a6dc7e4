package sender

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// receiver is a socket that the tests send to.
type receiver struct {
	*net.UDPConn
	t *testing.T
}

func listen(t *testing.T) receiver {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return receiver{conn, t}
}

// next returns the next datagram and its source.
func (r receiver) next() (string, netip.AddrPort) {
	r.t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, from, err := r.ReadFromUDPAddrPort(buf)
	if err != nil {
		r.t.Fatalf("read a datagram: %v", err)
	}
	return string(buf[:n]), from
}

func dial(t *testing.T, o Options) *Sender {
	t.Helper()
	s, err := Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func needLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("many sources and UDP_SEGMENT need Linux")
	}
}

func TestBatchArrivesWholeAndInOrder(t *testing.T) {
	f := func(name string, o Options) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			if o.Segment {
				needLinux(t)
			}
			r := listen(t)
			o.To = r.LocalAddr().String()
			s := dial(t, o)
			var want []string
			for i := range 600 {
				// Runs of equal sizes, longer than one buffer may hold, with an empty and a large datagram between.
				size := []int{40, 40, 40, 300, 0, 1401, 1401, 2000}[i/75]
				message := fmt.Sprintf("%0*d", size, i)[:size]
				want = append(want, message)
				if err := s.Add([]byte(message)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for i, message := range want {
				if got, _ := r.next(); got != message {
					t.Fatalf("datagram %d: got %q, want %q", i, got, message)
				}
			}
			wantStats := Stats{Sent: 600, Bytes: int64(len(strings.Join(want, "")))}
			if got := s.Stats(); got != wantStats {
				t.Errorf("got %+v, want %+v", got, wantStats)
			}
		})
	}
	f("one by one", Options{})
	f("segmented", Options{Segment: true})
}

func TestSendDoesNotWaitForTheBatch(t *testing.T) {
	r := listen(t)
	s := dial(t, Options{To: r.LocalAddr().String()})
	defer s.Close()
	if err := s.Send([]byte("now")); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.next(); got != "now" {
		t.Errorf("got %q, want %q", got, "now")
	}
}

func TestManySourcesTakeTurns(t *testing.T) {
	needLinux(t)
	for _, segment := range []bool{false, true} {
		r := listen(t)
		s := dial(t, Options{To: r.LocalAddr().String(), Sources: 300, Segment: segment})
		for i := range 600 {
			// Sizes that alternate keep UDP_SEGMENT from joining datagrams.
			if err := s.Add(bytes.Repeat([]byte("x"), 10+i%2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		seen := map[netip.Addr]int{}
		for range 600 {
			_, from := r.next()
			seen[from.Addr().Unmap()]++
		}
		if len(seen) != 300 {
			t.Errorf("segment %v: got %d sources, want 300", segment, len(seen))
		}
		last := netip.AddrFrom4([4]byte{127, 1, 1, 299 - 256})
		if seen[last] != 2 {
			t.Errorf("segment %v: got %d datagrams from %s, want 2", segment, seen[last], last)
		}
	}
}

func TestNothingListensIsToldAtTheLatestByClose(t *testing.T) {
	r := listen(t)
	to := r.LocalAddr().String()
	r.Close()
	s := dial(t, Options{To: to})
	err := errors.Join(s.Send([]byte("one")), s.Close())
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("got %v, want ErrRefused", err)
	}
	if !strings.Contains(err.Error(), to) {
		t.Errorf("got %q, want it to name %s", err, to)
	}
}

func TestRefusalLosesNoLaterDatagram(t *testing.T) {
	r := listen(t)
	to := r.LocalAddr().(*net.UDPAddr)
	r.Close()
	s := dial(t, Options{To: to.String()})
	if err := s.Send([]byte("early")); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", to)
	if err != nil {
		t.Skipf("the port has been taken: %v", err)
	}
	defer conn.Close()
	if err := s.Send([]byte("late")); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
	if got, _ := (receiver{conn, t}).next(); got != "late" {
		t.Errorf("got %q, want %q", got, "late")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := Stats{Sent: 2, Bytes: 9, Refused: 1}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestASenderThatKeepsGoingOutlivesItsReceiver(t *testing.T) {
	r := listen(t)
	to := r.LocalAddr().(*net.UDPAddr)
	r.Close()
	s := dial(t, Options{To: to.String(), KeepGoing: true})
	for range 3 {
		if err := s.Send([]byte("early")); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := net.ListenUDP("udp", to)
	if err != nil {
		t.Skipf("the port has been taken: %v", err)
	}
	defer conn.Close()
	if err := s.Send([]byte("late")); err != nil {
		t.Error(err)
	}
	if got, _ := (receiver{conn, t}).next(); got != "late" {
		t.Errorf("got %q, want %q", got, "late")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := Stats{Sent: 4, Bytes: 19, Refused: 3}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestASenderThatKeepsGoingFailsIfNothingListensAtTheEnd(t *testing.T) {
	r := listen(t)
	r.Close()
	s := dial(t, Options{To: r.LocalAddr().String(), KeepGoing: true})
	if err := s.Send([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, ErrRefused) {
		t.Errorf("got %v, want ErrRefused", err)
	}
}

// A container that restarts comes back at another address, of the same name.
func TestASenderThatKeepsGoingFollowsTheNameToAnotherAddress(t *testing.T) {
	gone, back := listen(t), listen(t)
	gone.Close()
	s := dial(t, Options{To: gone.LocalAddr().String(), KeepGoing: true})
	port := back.LocalAddr().(*net.UDPAddr).Port
	moved, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: port})
	if err != nil {
		t.Skipf("there is no 127.0.0.2: %v", err)
	}
	defer moved.Close()
	s.opts.To, s.lookedUp = moved.LocalAddr().String(), time.Time{}
	for range 2 {
		if err := s.Send([]byte("lost")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send([]byte("found")); err != nil {
		t.Fatal(err)
	}
	if got, _ := (receiver{moved, t}).next(); got != "found" {
		t.Errorf("got %q, want %q", got, "found")
	}
}

func TestTooLongDatagramIsRefusedAndTheLongestIsNot(t *testing.T) {
	r := listen(t)
	s := dial(t, Options{To: r.LocalAddr().String()})
	if err := s.Send(make([]byte, MaxDatagram+1)); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v, want ErrTooLong", err)
	}
	if err := s.Send(make([]byte, MaxDatagram)); err != nil {
		t.Error(err)
	}
	if got, _ := r.next(); len(got) != MaxDatagram {
		t.Errorf("got %d bytes, want %d", len(got), MaxDatagram)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := Stats{Sent: 1, Bytes: MaxDatagram, Errors: 1}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDialRefusesWhatCannotWork(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		_, err := Dial(o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want an error with %q", o, err, want)
		}
	}
	f(Options{To: "127.0.0.1"}, "missing port")
	f(Options{To: "127.0.0.1:99999"}, "invalid port")
	f(Options{To: "127.0.0.1:9", Sources: -1}, "must be 0 to 1048576")
	f(Options{To: "127.0.0.1:9", Sources: maxSources + 1}, "must be 0 to 1048576")
	f(Options{To: "192.0.2.1:9", Sources: 2}, "only possible to an address of 127.0.0.0/8")
}

func TestFullBatchAllocatesNothing(t *testing.T) {
	needLinux(t)
	r := listen(t)
	s := dial(t, Options{To: r.LocalAddr().String(), Sources: 10, Segment: true})
	defer s.Close()
	message := make([]byte, 100)
	batch := func() {
		for range batchCount {
			if err := s.Add(message); err != nil {
				t.Fatal(err)
			}
		}
	}
	// One object a call of the kernel, for the closure that RawConn needs, is what remains.
	if got := testing.AllocsPerRun(100, batch); got > 5 {
		t.Errorf("got %v allocations a batch of %d, want at most 5", got, batchCount)
	}
}

func BenchmarkAddAndFlush(b *testing.B) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for _, o := range []Options{{}, {Segment: true}, {Sources: 1000}, {Sources: 1000, Segment: true}} {
		b.Run(fmt.Sprintf("sources=%d/segment=%v", o.Sources, o.Segment), func(b *testing.B) {
			o.To = conn.LocalAddr().String()
			s, err := Dial(o)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			message := make([]byte, 260)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Add(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
