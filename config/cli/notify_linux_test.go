package cli

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// serviceManager reads what daemons tell it.
type serviceManager struct {
	path string
	conn *net.UnixConn
}

func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") //nolint:usetesting // The names that tests get are too long for a socket.
	if err != nil {
		t.Fatal(err)
	}
	m := &serviceManager{path: filepath.Join(dir, "socket")}
	m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.conn.Close()
		os.RemoveAll(dir)
	})
	return m
}

// next is the next notification.
func (m *serviceManager) next(t *testing.T) string {
	t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// until reads notifications up to one with this text.
func (m *serviceManager) until(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		got := m.next(t)
		if strings.Contains(got, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the service manager was never told %q; the last was %q", text, got)
		}
	}
}

func TestServiceManagerIsToldOfTheWholeLife(t *testing.T) {
	m := newServiceManager(t)
	dir := filepath.Join(t.TempDir(), "journal")
	v := startVictim(t, dir, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=20000")
	if got, want := m.next(t), "READY=1\nSTATUS=receiving on "+v.udp+"\n"; got != want {
		t.Errorf("first: got %q, want %q", got, want)
	}
	m.until(t, "WATCHDOG=1\n")
	remove(t, filepath.Join(dir, "messages.journal"))
	do(t, os.Mkdir(filepath.Join(dir, "messages.journal"), 0o750)) // Nothing can be written there.
	m.until(t, "STATUS=path: ")
	m.until(t, "WATCHDOG=1\n") // It is no hang.
	do(t, os.Remove(filepath.Join(dir, "messages.journal")))
	m.until(t, "STATUS=receiving on ")
	v.terminate(t)
	m.until(t, "STOPPING=1\n")
}

// notify runs a notifying part, and returns what ends it.
func notify(t *testing.T, n *notifying) (stop func() error) {
	t.Helper()
	if n.status == nil {
		n.status = func() string { return "well" }
	}
	return namedPart{name: "notify", part: n}.start(n.log)
}

func TestWatchdogGetsNoSignWhileWritingHangs(t *testing.T) {
	m := newServiceManager(t)
	var moves atomic.Bool
	n := newNotifying(map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "20000"}, zerolog.Nop())
	asked := make(chan struct{}, 1)
	n.moves = func() bool {
		select {
		case asked <- struct{}{}:
		default:
		}
		return moves.Load()
	}
	stop := notify(t, n)
	m.until(t, "READY=1")
	for range 3 {
		<-asked
	}
	if err := m.conn.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := m.conn.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got a notification of %d bytes, %v, while nothing moves", n, err)
	}
	moves.Store(true)
	m.until(t, "WATCHDOG=1")
	stop()
}

// TestManagerThatDoesNotReadHoldsUpNobody: its socket is full after some notifications, and then a write waits.
func TestManagerThatDoesNotReadHoldsUpNobody(t *testing.T) {
	m := newServiceManager(t)
	var log bytes.Buffer
	n := newNotifying(map[string]string{"NOTIFY_SOCKET": m.path}, zerolog.New(&log))
	for range 2000 {
		n.tell("STATUS=x\n")
		if n.failed {
			break
		}
	}
	if !n.failed {
		t.Fatal("the socket takes everything")
	}
	n.moves = func() bool { return true }
	stop := notify(t, n)
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
	if got := strings.Count(log.String(), "does not take notifications"); got != 1 {
		t.Errorf("the log says it %d times, want once:\n%s", got, log.String())
	}
}

func TestNoManagerNoNotification(t *testing.T) {
	f := func(want string, environ map[string]string) {
		t.Helper()
		var log bytes.Buffer
		n := newNotifying(environ, zerolog.New(&log))
		if n != nil && n.watchdog != 0 || n == nil && want == "watchdog's time" {
			t.Errorf("%v: got %+v", environ, n)
		}
		if !strings.Contains(log.String(), want) || want == "" && log.Len() > 0 {
			t.Errorf("%v: the log says %q, want %q in it", environ, log.String(), want)
		}
	}
	m := newServiceManager(t)
	f("", nil)
	f("", map[string]string{"WATCHDOG_USEC": "1000000"})
	f(syscall.ENOENT.Error(), map[string]string{"NOTIFY_SOCKET": "/no/such/socket"})
	f("watchdog's time", map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "soon"})
	f("watchdog's time", map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "-1"})
	f("", map[string]string{"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
}
