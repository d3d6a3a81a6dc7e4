package cli

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// kills is how often TestKillAtAnyInstant kills. Every tenth life is long enough to check what must be there.
const kills = 200

// killBound is how old a message can be and still be missing after a kill: 10 ms by design, the rest for a machine on
// which the daemon has to wait for its turn.
const killBound = 250 * time.Millisecond

// lifetime is when a victim had started, and when it was killed.
type lifetime struct{ from, killed time.Time }

func TestKillAtAnyInstantLeavesWholeLinesAndLosesNothingOld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=1500", "JOURNAL_MAX_BACKUPS=0", "JOURNAL_FSYNC=never")
	v.launch.environ = append(v.launch.environ, "LISTEN_ADDR="+v.udp) // The same port in each life.
	l := loadFor(t, v.udp)
	l.perMilli = 1 // That is a hundred rotations a second; with many more, lines wait for them.
	stop, sending := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sending)
		for !isClosed(stop) {
			l.send(50)
		}
	}()
	var lives []lifetime
	for i := range kills {
		life := time.Duration(rand.IntN(30)) * time.Millisecond
		if i%10 == 0 {
			life += 2 * killBound
		}
		from := time.Now()
		<-time.After(life)
		lives = append(lives, lifetime{from, time.Now()})
		v.kill()
		wantNoStray(t, dir)
		v.restart(t)
	}
	close(stop)
	<-sending
	v.terminate(t)
	w := readJournal(t, dir)
	w.wantInOrder(t)
	wantLives(t, w, l, lives)
	t.Logf("%d kills, %d messages sent, %d in the journal, %d files", kills, len(l.sent), len(w.numbers), len(w.files))
	if len(w.files) < kills {
		t.Errorf("files: got %d, want more than %d, so that kills fall into rotations", len(w.files), kills)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wantNoStray wants the pattern messages.journal* to match nothing but the live file and backups with our names.
func wantNoStray(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "messages.journal*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		rest := strings.TrimPrefix(filepath.Base(path), "messages.journal")
		if _, err := time.Parse(".20060102-150405", rest); rest != "" && err != nil {
			t.Errorf("stray file after a kill: %s", path)
		}
	}
}

// wantLives wants all that was sent during the lives but what was younger than killBound when they ended, and says how
// old the oldest message was that each kill cost.
func wantLives(t *testing.T, w *written, l *load, lives []lifetime) {
	t.Helper()
	checked := 0
	oldest := make([]time.Duration, len(lives))
	for number, at := range l.sent {
		i := slices.IndexFunc(lives, func(life lifetime) bool { return at.After(life.from) && at.Before(life.killed) })
		if i < 0 {
			continue
		}
		age := lives[i].killed.Sub(at)
		if age > killBound {
			checked++
		}
		if _, found := slices.BinarySearch(w.numbers, number); found {
			continue
		}
		oldest[i] = max(oldest[i], age)
		if age > killBound {
			t.Errorf("message %d is missing, though it was sent %v before the next kill", number, age)
		}
	}
	if checked == 0 {
		t.Error("no message was old enough to be checked")
	}
	slices.Sort(oldest)
	t.Logf("%d messages were older than %v when the daemon was killed; the oldest that a kill cost was, in the median, %v old, in one of ten more than %v, at the most %v",
		checked, killBound, oldest[len(oldest)/2], oldest[len(oldest)*9/10], oldest[len(oldest)-1])
}

// TestStoppedDaemonCountsExactlyWhatTheKernelDropped fills a small socket buffer while nobody reads it.
func TestStoppedDaemonCountsExactlyWhatTheKernelDropped(t *testing.T) {
	const count = 20_000
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"), "LISTEN_BUFFER=64KiB")
	l := loadFor(t, v.udp)
	for range 2 {
		signalTo(t, v, "STOP")
		for range count / 2 {
			l.sent = append(l.sent, time.Now())
			if _, err := fmt.Fprintf(l.conn, `{"n":%d}`, len(l.sent)-1); err != nil {
				t.Fatal(err)
			}
		}
		signalTo(t, v, "CONT")
		eventually(t, "all are accounted for", func() bool {
			ledger := v.ledgerOK(t)
			return ledger.Received+ledger.Kernel == uint64(len(l.sent))
		})
	}
	kernel := v.ledgerOK(t).Kernel
	last := v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantInOrder(t)
	if kernel == 0 || uint64(len(w.numbers))+w.gaps["kernel"] != count || w.gaps["kernel"] != kernel {
		t.Errorf("got %d in the journal, %d lost by its notes, %d by the ledger; want these to be the %d sent",
			len(w.numbers), w.gaps["kernel"], kernel, count)
	}
	if last.Received != uint64(len(w.numbers)) {
		t.Errorf("received: got %d, want the %d in the journal", last.Received, len(w.numbers))
	}
	if v.logCount(t, "kernel dropped journal messages") == 0 {
		t.Error("the log does not tell of the losses")
	}
	t.Logf("%d sent = %d journaled + %d lost in the kernel", count, len(w.numbers), kernel)
}

func signalTo(t *testing.T, v *victim, name string) {
	t.Helper()
	if err := v.cmd.Process.Signal(signals()[name]); err != nil {
		t.Fatal(err)
	}
}

// TestKernelLossesBeforeTheStopAreCounted drops datagrams and stops the daemon before its next look at the counter.
func TestKernelLossesBeforeTheStopAreCounted(t *testing.T) {
	const count = 5000
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"), "LISTEN_BUFFER=16KiB")
	l := loadFor(t, v.udp)
	signalTo(t, v, "STOP")
	for i := range count {
		if _, err := fmt.Fprintf(l.conn, `{"n":%d}`, i); err != nil {
			t.Fatal(err)
		}
	}
	signalTo(t, v, "TERM")
	signalTo(t, v, "CONT")
	if code, err := v.exit(); err != nil || code != exitDone {
		t.Fatalf("exit: got %d, %v", code, err)
	}
	w := readJournal(t, v.dir)
	if w.gaps["kernel"] == 0 || len(w.numbers)+int(w.gaps["kernel"]) != count {
		t.Errorf("got %d in the journal and %d lost by its notes, want %d together", len(w.numbers), w.gaps["kernel"], count)
	}
}

func TestSecondDaemonOnOneJournalIsRefusedAndHarmsNothing(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"))
	environ := []string{"JOURNAL_DIR=" + v.dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=off"}
	run(t, environ, "serve").want(t, exitFailed, fmt.Sprintf("held by pid %d", v.cmd.Process.Pid), "JOURNAL_DIR")
	l := loadFor(t, v.udp)
	l.send(10)
	v.untilReceived(t, 10)
	v.terminate(t)
	readJournal(t, v.dir).wantAll(t, 10)
	if _, err := os.Stat(filepath.Join(v.dir, ".messages.journal.d", "lock")); err != nil {
		t.Error(err)
	}
}
