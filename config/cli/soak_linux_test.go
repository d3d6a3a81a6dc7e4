package cli

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hbjournal/sink/names"

	"golang.org/x/sys/unix"
)

// soak is a long run under load with a fault every few seconds. Every datagram carries a number, also those that are no
// JSON, so that each can be found again in the files or among the counted losses.
type soak struct {
	*victim
	moved string // directory of files that were taken away from the daemon
	lives []oneLife

	mu   sync.Mutex // held while nothing may be sent
	load *load

	seen  []uint8 // how often each number was found in files that have been read and removed
	notes map[string]uint64
	files int // that have been read

	untold uint64 // kernel drops that the daemon had not yet counted when it was killed

	taken, harvested int // numbers of the next file to be moved, and of the next one there to be read
}

// oneLife is one run of the daemon.
type oneLife struct {
	first, end int       // numbers sent in it: first up to end
	lost       uint64    // of these, as counted by the daemon; if it was killed, also by the kernel
	killed     time.Time // zero: it ended by itself, and its ledger is exact
}

// TestSoak is run by scripts/soak, which sets SOAK_DURATION.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("SOAK_DURATION"))
	if err != nil {
		t.Skip("scripts/soak runs this")
	}
	s := newSoak(t)
	stop := s.sendUntilStopped()
	end := time.Now().Add(duration)
	order := slices.Sorted(maps.Keys(soakFaults))
	for i, faults := 0, map[string]int{}; time.Now().Before(end); i++ {
		if i%len(order) == 0 {
			rand.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		}
		fault := order[i%len(order)]
		faults[fault]++
		soakFaults[fault](t, s)
		s.untilReady(t)
		<-time.After(time.Duration(rand.IntN(2000)) * time.Millisecond)
		s.harvest(t, 2)
		if t.Failed() || i%20 == 0 {
			t.Logf("%v left, after %s: %d datagrams, %d files, faults %v", time.Until(end).Round(time.Second), fault, s.sentSoFar(), s.files, faults)
		}
	}
	stop()
	s.endLife(t)
	run(t, []string{"JOURNAL_DIR=" + s.dir, "HOME=" + t.TempDir()}, "verify").want(t, exitDone)
	s.harvest(t, 0)
	s.settle(t)
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	mountPoint := tmpfs(t, "size=16m")
	s := &soak{moved: filepath.Join(mountPoint, "moved"), notes: map[string]uint64{}}
	if err := os.Mkdir(s.moved, 0o750); err != nil {
		t.Fatal(err)
	}
	s.victim = startVictim(t, filepath.Join(mountPoint, "journal"),
		"JOURNAL_MAX_SIZE=100kB", "JOURNAL_MAX_BACKUPS=0", "JOURNAL_BUFFER_SIZE=1MiB", "LISTEN_BUFFER=256KiB")
	s.launch.environ = append(s.launch.environ, "LISTEN_ADDR="+s.udp)
	s.load = loadFor(t, s.udp)
	s.lives = []oneLife{{}}
	return s
}

// sendUntilStopped sends 500 datagrams a second, of all kinds.
func (s *soak) sendUntilStopped() (stop func()) {
	stopping := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for !isClosed(stopping) {
			<-tick.C
			s.send(5)
		}
	})
	return func() {
		close(stopping)
		sending.Wait()
	}
}

func (s *soak) send(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.sendLocked()
	}
}

func (s *soak) sendLocked() {
	number := len(s.load.sent)
	s.load.sent = append(s.load.sent, time.Now())
	datagram := fmt.Appendf(nil, `{"ID":"HTB","name":"webserver1","n":%d}`, number)
	switch rand.IntN(20) {
	case 0:
		datagram = datagram[:len(datagram)-1] // Cut JSON, which is kept as text.
	case 1:
		var out bytes.Buffer
		w := zlib.NewWriter(&out)
		_, _ = w.Write(datagram)
		_ = w.Close()
		datagram = out.Bytes()
	case 2:
		datagram = fmt.Appendf(nil, `{"ID":"PLG", "pad":"%s", "n":%d}`, strings.Repeat("x", rand.IntN(8000)), number)
	}
	s.load.write(datagram)
}

func (s *soak) sentSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.load.sent)
}

// endLife stops the daemon in peace, with nothing sent meanwhile, and keeps its ledger.
func (s *soak) endLife(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accountLocked(t)
	s.terminate(t)
}

// accountLocked waits until the daemon has counted all that was sent in its lifetime, and keeps what it lost of that.
func (s *soak) accountLocked(t *testing.T) {
	t.Helper()
	now := &s.lives[len(s.lives)-1]
	now.end = len(s.load.sent)
	eventually(t, "all that was sent is accounted for", func() bool {
		l := s.ledgerOK(t)
		now.lost = l.Kernel + l.Queue
		return l.Received+l.Kernel == uint64(now.end-now.first) && l.Queued == 0
	})
}

func (s *soak) beginLife(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives = append(s.lives, oneLife{first: len(s.load.sent)})
	s.restart(t)
}

// killAndRestart kills the daemon while messages come in. It counts what the kernel dropped only once a second, and a
// kill does not wait for that; but the kernel can be asked from outside.
func (s *soak) killAndRestart(t *testing.T) {
	t.Helper()
	<-time.After(time.Duration(rand.IntN(50)) * time.Millisecond)
	s.mu.Lock()
	counted := s.ledgerOK(t)
	signalTo(t, s.victim, "STOP")
	dropped := kernelDrops(t, s.udp)
	now := &s.lives[len(s.lives)-1]
	now.end, now.killed = len(s.load.sent), time.Now()
	now.lost = counted.Queue + dropped
	s.untold += dropped - counted.Kernel
	s.kill()
	s.mu.Unlock()
	wantNoStray(t, s.dir)
	s.beginLife(t)
}

// kernelDrops is the last column of /proc/net/udp for the socket that is bound to addr: datagrams that it had no room for.
func kernelDrops(t *testing.T, addr string) uint64 {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	do(t, err)
	number, err := strconv.Atoi(port)
	do(t, err)
	table, err := os.ReadFile("/proc/net/udp")
	do(t, err)
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 13 || !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", number)) {
			continue
		}
		drops, err := strconv.ParseUint(fields[12], 10, 64)
		do(t, err)
		return drops
	}
	t.Fatalf("no socket of %s in /proc/net/udp", addr)
	return 0
}

func live(s *soak) string { return filepath.Join(s.dir, "messages.journal") }

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// takeAway moves or links the live file to where the soak finds it again.
func (s *soak) takeAway(t *testing.T, how func(from, to string) error) {
	t.Helper()
	if err := how(live(s), filepath.Join(s.moved, strconv.Itoa(s.taken))); err == nil {
		s.taken++
	} else if !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// soakFaults are what happens to the daemon, by name.
var soakFaults = map[string]func(t *testing.T, s *soak){
	"kill":    func(t *testing.T, s *soak) { s.killAndRestart(t) },
	"restart": func(t *testing.T, s *soak) { s.endLife(t); s.beginLife(t) },
	"hangup":  func(t *testing.T, s *soak) { signalTo(t, s.victim, "HUP") },
	"rotate":  func(t *testing.T, s *soak) { signalTo(t, s.victim, "USR1") },
	"rename":  func(t *testing.T, s *soak) { s.takeAway(t, os.Rename) },
	"logrotate": func(t *testing.T, s *soak) {
		s.takeAway(t, os.Rename)
		signalTo(t, s.victim, "HUP")
	},
	"remove": func(t *testing.T, s *soak) {
		signalTo(t, s.victim, "STOP") // So that nothing is written between the link and the removal.
		s.takeAway(t, os.Link)
		do(t, os.Remove(live(s)))
		signalTo(t, s.victim, "CONT")
	},
	"full disk": func(t *testing.T, s *soak) {
		filler := filepath.Join(s.moved, "..", "filler")
		fill(t, filler)
		s.untilNotReady(t, "no space left on device")
		<-time.After(time.Duration(rand.IntN(3000)) * time.Millisecond)
		remove(t, filler)
	},
	"full buffer": func(t *testing.T, s *soak) {
		filler := filepath.Join(s.moved, "..", "filler")
		fill(t, filler)
		s.untilNotReady(t, "no space left on device")
		for range 100 {
			s.send(50)
		}
		remove(t, filler)
	},
	"stop": func(t *testing.T, s *soak) {
		signalTo(t, s.victim, "STOP")
		s.send(2000) // More than the socket holds.
		signalTo(t, s.victim, "CONT")
	},
	"file size limit": func(t *testing.T, s *soak) {
		// The log is a file too. It must not reach the limit within a line, of which the rest would be missing.
		limit := unix.Rlimit{Cur: uint64(min(4096, size(s.launch.stderr))), Max: unix.RLIM_INFINITY}
		do(t, unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
		s.send(100)
		s.untilNotReady(t, "file too large")
		limit.Cur = unix.RLIM_INFINITY
		do(t, unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
	},
	"directory in the way": func(t *testing.T, s *soak) {
		s.takeAway(t, os.Rename)
		for os.Mkdir(live(s), 0o750) != nil { // The daemon may have made a new file by then.
			s.takeAway(t, os.Rename)
		}
		s.untilNotReady(t, "it is a directory")
		do(t, os.Remove(live(s)))
	},
	"state directory lost": func(t *testing.T, s *soak) {
		do(t, os.RemoveAll(filepath.Join(s.dir, ".messages.journal.d")))
		signalTo(t, s.victim, "USR1")
	},
}

var numbered = regexp.MustCompile(`\\?"n\\?":(\d+)`)

// harvest reads and removes the files but for the newest backups, of which one may still be the live file, and the newest
// that were taken away. With keep 0 it reads all, and the live file too.
func (s *soak) harvest(t *testing.T, keep int) {
	t.Helper()
	backups, err := names.Backups(s.dir, "messages.journal")
	do(t, err)
	for _, b := range backups[:max(0, len(backups)-keep)] {
		s.harvestFile(t, filepath.Join(s.dir, b.Name))
	}
	for ; s.harvested < s.taken-keep; s.harvested++ { // The last ones may still be written for a moment.
		s.harvestFile(t, filepath.Join(s.moved, strconv.Itoa(s.harvested)))
	}
	if keep == 0 {
		s.harvestFile(t, live(s))
	}
}

func (s *soak) harvestFile(t *testing.T, path string) {
	t.Helper()
	w := written{gaps: s.notes}
	w.readFile(t, path) // Fails the test if a line is not whole.
	text, err := os.ReadFile(path)
	do(t, err)
	for line := range strings.Lines(string(text)) {
		found := numbered.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		number, err := strconv.Atoi(found[1])
		do(t, err)
		for number >= len(s.seen) {
			s.seen = append(s.seen, make([]uint8, number+1000)...)
		}
		s.seen[number]++
	}
	s.files++
	do(t, os.Remove(path))
}

// settle wants each number to be in the files once, or to be among the losses that were counted when it was sent.
func (s *soak) settle(t *testing.T) {
	t.Helper()
	var lost, unknown uint64
	for number, times := range s.seen {
		if times > 1 {
			t.Errorf("datagram %d is in the journal %d times", number, times)
		}
	}
	for i, l := range s.lives {
		missing, old := s.missing(l)
		switch {
		case l.killed.IsZero() && missing != l.lost:
			t.Errorf("lifetime %d, datagrams %d to %d: got %d missing, want the %d that were counted", i, l.first, l.end, missing, l.lost)
		case old > l.lost:
			t.Errorf("lifetime %d, datagrams %d to %d: got %d missing that were older than %v at the kill, want %d at most",
				i, l.first, l.end, old, killBound, l.lost)
		}
		lost += l.lost
		unknown += missing - min(missing, l.lost)
	}
	t.Logf("%d datagrams in %d lives: all in %d files once, but for %d counted losses (%d of them by the kernel alone, just before "+
		"a kill) and %d that were younger than %v at a kill; notes %v", len(s.load.sent), len(s.lives), s.files, lost, s.untold, unknown,
		killBound, s.notes)
}

// missing counts what was sent in a lifetime and is in no file; old is the part that no kill excuses.
func (s *soak) missing(l oneLife) (all, old uint64) {
	for number := l.first; number < l.end; number++ {
		if number < len(s.seen) && s.seen[number] > 0 {
			continue
		}
		all++
		if l.killed.IsZero() || s.load.sent[number].Before(l.killed.Add(-killBound)) {
			old++
		}
	}
	return all, old
}
