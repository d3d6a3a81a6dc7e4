package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listening serves o on loopback until the returned function is called, which waits for the end.
func listening(t testing.TB, o Options, to Appender) (*Listener, func()) {
	t.Helper()
	if o.Addrs == nil {
		o.Addrs = []string{"127.0.0.1:0"}
	}
	l, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { l.Serve(ctx, to) })
	return l, sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func send(t testing.TB, conn net.Conn, datagram string) {
	t.Helper()
	if _, err := conn.Write([]byte(datagram)); err != nil {
		t.Fatal(err)
	}
}

func TestListenerReceivesOnEveryAddressAndFamily(t *testing.T) {
	to := &recorder{room: -1}
	l, stop := listening(t, Options{Addrs: []string{"127.0.0.1:0", "[::1]:0", ":0"}}, to)
	defer stop()
	addrs := l.Addrs()
	port := addrs[2].Port()
	for i, target := range []string{
		addrs[0].String(), addrs[1].String(), fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("[::1]:%d", port),
	} {
		send(t, dial(t, target), fmt.Sprintf(`{"n":%d}`, i))
	}
	stop() // What waits in the sockets is read first.
	got := to.text()
	for i, source := range []string{"127.0.0.1", "::1", "127.0.0.1", "::1"} {
		if want := fmt.Sprintf(`"message":{"n":%d}}`, i); strings.Count(got, want) != 1 {
			t.Errorf("message %d is not there once: %s", i, got)
		}
		for line := range strings.Lines(got) {
			if strings.Contains(line, fmt.Sprintf(`{"n":%d}`, i)) && !strings.Contains(line, fmt.Sprintf(`"source_ip":"%s"`, source)) {
				t.Errorf("message %d: got %s want source %s", i, line, source)
			}
		}
	}
}

func TestListenerCutsNoDatagram(t *testing.T) {
	to := &recorder{room: -1}
	l, stop := listening(t, Options{}, to)
	conn := dial(t, l.Addrs()[0].String())
	sizes := []int{65_507, 65_506, 8, 30_000, 65_507}
	for _, size := range sizes {
		send(t, conn, `{"s":"`+strings.Repeat("x", size-8)+`"}`)
	}
	stop()
	lines := bytes.Split(bytes.TrimSpace([]byte(to.text())), []byte{'\n'})
	if len(lines) != len(sizes) {
		t.Fatalf("got %d lines, want %d; the first is %.300s, the last %.300s", len(lines), len(sizes), lines[0], lines[len(lines)-1])
	}
	for i, line := range lines {
		var entry struct{ Message json.RawMessage }
		if err := json.Unmarshal(line, &entry); err != nil || len(entry.Message) != sizes[i] {
			t.Errorf("datagram %d of %d bytes became a message of %d (%v)", i, sizes[i], len(entry.Message), err)
		}
	}
}

func TestListenerTakesAnEmptyDatagram(t *testing.T) {
	to := &recorder{room: -1}
	l, stop := listening(t, Options{}, to)
	send(t, dial(t, l.Addrs()[0].String()), "")
	stop()
	if want := `"message":{"_raw":"","_error":"empty datagram"}`; !strings.Contains(to.text(), want) {
		t.Errorf("got %q, want %s", to.text(), want)
	}
}

func TestListenerAccountsForEveryDatagramUnderLoad(t *testing.T) {
	const senders, each = 4, 5000
	to := &recorder{room: 12_000}
	l, stop := listening(t, Options{BufferBytes: 8 << 20}, to)
	var wg sync.WaitGroup
	for range senders {
		conn := dial(t, l.Addrs()[0].String())
		wg.Go(func() {
			for i := range each {
				if _, err := fmt.Fprintf(conn, `{"n":%d}`, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		for range 1000 {
			intake := l.Intake(nil)
			if sum := intake.Accepted + intake.Invalid + intake.Dropped["queue"]; intake.Received != sum {
				t.Errorf("%d received, %d accounted for", intake.Received, sum)
				return
			}
		}
	}()
	wg.Wait()
	<-looked
	stop()
	intake := l.Intake(nil)
	if intake.Received+intake.Kernel != senders*each || intake.Accepted != uint64(to.entries) {
		t.Errorf("sent %d, intake %+v, entries %d", senders*each, intake, to.entries)
	}
}

func TestListenerCountsWhatTheKernelDrops(t *testing.T) {
	const sent = 5000
	to := &recorder{room: -1}
	l, err := Listen(Options{Addrs: []string{"127.0.0.1:0"}, BufferBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	// Nobody reads yet, so the socket's buffer overflows for certain.
	conn := dial(t, l.Addrs()[0].String())
	for i := range sent {
		send(t, conn, fmt.Sprintf(`{"n":%d}`, i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.Serve(ctx, to)
	intake := l.Intake(nil)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a socket dropped")
	}
	if intake.Kernel == 0 || intake.Received+intake.Kernel != sent {
		t.Errorf("sent %d, intake %+v", sent, intake)
	}
	if want := fmt.Sprintf("[kernel %d]", intake.Kernel); fmt.Sprint(to.losses) != want {
		t.Errorf("noted %v, want %s", to.losses, want)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenSaysWhichAddressCannotBeBound(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(addr string, want error) {
		t.Helper()
		_, err := Listen(Options{Addrs: []string{"127.0.0.1:0", addr}})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), addr) {
			t.Errorf("Listen on %s: got %v, want %v with the address", addr, err, want)
		}
	}
	f(taken.LocalAddr().String(), syscall.EADDRINUSE)
	f("192.0.2.1:50003", syscall.EADDRNOTAVAIL)
	if _, err := Listen(Options{}); err == nil {
		t.Error("Listen without an address: got no error")
	}
}

func TestListenSaysWhenTheKernelGrantsLessBuffer(t *testing.T) {
	var log bytes.Buffer
	l, err := Listen(Options{Addrs: []string{"127.0.0.1:0"}, BufferBytes: 1 << 30, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	granted := l.readers[0].socket.granted
	if said := strings.Contains(log.String(), "sysctl -w net.core.rmem_max=1073741824"); said != (granted < 1<<30) {
		t.Errorf("%d bytes were granted, and the log says %s", granted, log.String())
	}
}

// BenchmarkLoopback is the whole receiving path, sender included.
func BenchmarkLoopback(b *testing.B) {
	l, stop := listening(b, Options{BufferBytes: 16 << 20}, Discard{})
	defer stop()
	conn := dial(b, l.Addrs()[0].String())
	datagram := []byte(`{"ID":"HTB","name":"webserver0001","interval":30,"ver":1,"seq":1000001}`)
	b.SetBytes(int64(len(datagram)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(datagram); err != nil {
			b.Fatal(err)
		}
	}
}
