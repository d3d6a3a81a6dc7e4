package cli

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holder binds a UDP socket as a socket unit with ReceiveBuffer=64M does, and returns its address and a file of it.
func holder(t *testing.T) (addr string, socket *os.File) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if socket, err = conn.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	if err := unix.SetsockoptInt(int(socket.Fd()), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20); err != nil {
		t.Skip("64 MiB of receive buffer need a privilege:", err)
	}
	return conn.LocalAddr().String(), socket
}

// startHandedOver starts a daemon with a socket that outlives it.
func startHandedOver(t *testing.T, environ ...string) (v *victim, addr string) {
	t.Helper()
	addr, socket := holder(t)
	v = &victim{}
	work := t.TempDir()
	v.dir = filepath.Join(work, "journal")
	v.launch = launch{dir: work, stderr: filepath.Join(work, "log"), sockets: []*os.File{socket}}
	v.launch.environ = append([]string{"JOURNAL_DIR=" + v.dir, "HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "HOME=" + work}, environ...)
	v.restart(t)
	if v.udp != addr {
		t.Fatalf("the daemon listens on %s, want %s, which was handed over", v.udp, addr)
	}
	return v, addr
}

// restarts is how often the tests of handed-over sockets end the daemon and start it again.
const restarts = 20

// sendMeanwhile sends 10,000 numbered messages a second while the daemon is ended this many times by end, and started
// again each time.
func sendMeanwhile(t *testing.T, v *victim, addr string, end func()) *load {
	t.Helper()
	l := loadFor(t, addr)
	stop, sending := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sending)
		for !isClosed(stop) {
			l.send(50)
		}
	}()
	for range restarts {
		<-time.After(time.Duration(50+rand.IntN(100)) * time.Millisecond)
		end()
		v.restart(t)
	}
	close(stop)
	<-sending
	return l
}

func TestRestartLosesNoDatagramOfASocketThatIsHandedOver(t *testing.T) {
	v, addr := startHandedOver(t)
	l := sendMeanwhile(t, v, addr, func() { v.terminate(t) })
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantAll(t, len(l.sent))
	if len(w.gaps) > 0 {
		t.Errorf("gaps: got %v, want none", w.gaps)
	}
	t.Logf("%d restarts, %d messages", restarts, len(l.sent))
}

// TestKillLosesTwentyMillisecondsOfASocketThatIsHandedOver: what was read and not yet written, and nothing else.
func TestKillLosesTwentyMillisecondsOfASocketThatIsHandedOver(t *testing.T) {
	const most = 200 // of 10,000 a second
	v, addr := startHandedOver(t)
	l := sendMeanwhile(t, v, addr, func() { v.kill() })
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantInOrder(t)
	next, lost, worst := 0, 0, 0
	for _, n := range append(w.numbers, len(l.sent)) {
		worst = max(worst, n-next)
		lost += n - next
		next = n + 1
	}
	if worst > most || lost > restarts*most {
		t.Errorf("lost: got %d at one kill and %d in all, want at most %d a kill", worst, lost, most)
	}
	t.Logf("%d kills, %d messages, %d lost, at most %d at a kill", restarts, len(l.sent), lost, worst)
}

func TestHandedOverSocketThatIsNotToBeListenedOnIsAnErrorOfTheStart(t *testing.T) {
	addr, socket := holder(t)
	work := t.TempDir()
	l := launch{dir: work, stderr: filepath.Join(work, "log"), sockets: []*os.File{socket}}
	l.environ = []string{"JOURNAL_DIR=" + work, "HTTP_ADDR=off", "LOG_FORMAT=json", "HOME=" + work, "LISTEN_ADDR=127.0.0.1:0"}
	_, err := start(l)
	if err == nil {
		t.Fatal("the daemon started")
	}
	for _, want := range []string{"exit status 1", "take over socket " + addr + ": it is none of the addresses to listen on", "socket unit"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// TestHandedOverSocketForAnotherProcessIsLeftAlone: LISTEN_PID says whom it is for.
func TestHandedOverSocketForAnotherProcessIsLeftAlone(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"), "LISTEN_FDS=1", "LISTEN_PID=1")
	if !strings.Contains(v.logText(t), `"handed_over":false`) {
		t.Errorf("the log does not say that the socket is our own:\n%s", v.logText(t))
	}
	v.terminate(t)
}
