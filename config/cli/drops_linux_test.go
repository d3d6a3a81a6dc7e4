package cli

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"hbjournal/sink/journal"
)

// small is a receive buffer that some dozens of messages fill.
const small = 16 << 10

// droppedBy is the kernel's count of what a socket had no room for.
func droppedBy(t *testing.T, socket *os.File) uint64 {
	t.Helper()
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, socket.Fd(), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	const drops = 8 // SK_MEMINFO_DROPS of linux/sock_diag.h
	return uint64(info[drops])
}

// overrun sends n messages at once.
func (l *load) overrun(n int) {
	for range n {
		l.sent = append(l.sent, time.Now())
		l.write(fmt.Appendf(nil, `{"ID":"HTB","name":"webserver1","interval":30,"n":%d}`, len(l.sent)-1))
	}
}

// gapNotes are the notes about what the kernel dropped in the live file.
func gapNotes(t *testing.T, dir string) (notes []journal.GapNote) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "messages.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		entry, err := journal.ParseLine([]byte(strings.TrimSuffix(line, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if note, ok := journal.ParseGapNote(entry.Message); ok && note.Reason == "kernel" {
			notes = append(notes, note)
		}
	}
	return notes
}

// wantDrops wants the notes of a journal to say that the kernel dropped this, each, and all else that was sent to be there.
func wantDrops(t *testing.T, dir string, sent int, want ...uint64) {
	t.Helper()
	var got []uint64
	var lost uint64
	for _, note := range gapNotes(t, dir) {
		got = append(got, note.Lost)
		lost += note.Lost
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes about drops: got %d, want %d", got, want)
	}
	if in := len(readJournal(t, dir).numbers); uint64(in)+lost != uint64(sent) {
		t.Errorf("got %d messages and %d lost by the notes, want %d together", in, lost, sent)
	}
}

// startSmall starts a daemon whose socket has a small buffer, and outlives it.
func startSmall(t *testing.T) (v *victim, socket *os.File, l *load) {
	t.Helper()
	addr, socket := holderOf(t, small)
	v = handedOver(t, []*os.File{socket}, "LISTEN_BUFFER=4KiB")
	v.restart(t)
	return v, socket, loadFor(t, addr)
}

func TestDropsWhileNobodyReadsAreOneNoteOfTheNextStart(t *testing.T) {
	v, socket, l := startSmall(t)
	v.terminate(t)
	stopped := time.Now()
	l.overrun(2000)
	dropped := droppedBy(t, socket)
	if dropped == 0 {
		t.Fatal("nothing was dropped; the test sends too little")
	}
	started := time.Now()
	v.restart(t)
	eventually(t, "all is accounted for", func() bool {
		f := v.ledgerOK(t)
		return f.Received+f.Kernel == 2000 && f.Queued == 0 && len(gapNotes(t, v.dir)) > 0
	})
	if f := v.ledgerOK(t); f.Kernel != dropped {
		t.Errorf("ledger: got %d dropped by the kernel, want %d", f.Kernel, dropped)
	}
	if _, metrics := v.get(t, "/metrics"); !strings.Contains(string(metrics), fmt.Sprintf("\njournal_dropped_total{reason=\"kernel\"} %d\n", dropped)) {
		t.Errorf("the metrics do not tell of %d dropped:\n%s", dropped, metrics)
	}
	wantDrops(t, v.dir, 2000, dropped)
	note := gapNotes(t, v.dir)[0]
	if first, last := note.First.Time(), note.Last.Time(); first.After(stopped) || first.Before(stopped.Add(-patience)) || last.Before(started.Truncate(time.Millisecond)) {
		t.Errorf("the note is about %v to %v, want from before %v, the stop, to after %v, the start", first, last, stopped, started)
	}
	if v.logCount(t, fmt.Sprintf(`"lost":%d,`, dropped)) != 1 || v.logCount(t, "while nobody read the socket") != 1 {
		t.Errorf("the log does not tell of it once:\n%s", v.logText(t))
	}
	v.terminate(t)
	for range 2 {
		v.restart(t)
		v.terminate(t)
	}
	wantDrops(t, v.dir, 2000, dropped)
	run(t, []string{"JOURNAL_DIR=" + v.dir, "HOME=" + t.TempDir()}, "verify").
		want(t, exitDone, fmt.Sprintf(": %d messages lost (kernel) from ", dropped), "0 faults, 1 gap")
}

func TestDropsThatAreNotedAreNotNotedAgainAfterAKill(t *testing.T) {
	v, socket, l := startSmall(t)
	var want []uint64
	for range 3 {
		v.kill()
		before := droppedBy(t, socket)
		l.overrun(1000)
		want = append(want, droppedBy(t, socket)-before)
		v.restart(t)
		eventually(t, "all is in the file", func() bool { // Else the kill costs more than what it is about.
			f := v.ledgerOK(t)
			return f.Received+f.Kernel == 1000 && f.Queued == 0 && len(gapNotes(t, v.dir)) == len(want)
		})
	}
	v.kill()
	v.restart(t)
	v.terminate(t)
	wantDrops(t, v.dir, len(l.sent), want...)
}

// whileOverrun sends more than the daemon can read, all the time, while it is ended this many times by end, and started
// again each time.
func whileOverrun(t *testing.T, v *victim, l *load, times int, end func()) {
	t.Helper()
	stop, sending := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sending)
		for !isClosed(stop) {
			l.overrun(500)
			<-time.After(time.Millisecond)
		}
	}()
	for range times {
		<-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond)
		end()
		v.restart(t)
	}
	close(stop)
	<-sending
	v.terminate(t)
}

// notedSoFar is notedDrops while the daemon writes, of whose last line a reader may see a part only.
func notedSoFar(t *testing.T, dir string) uint64 {
	t.Helper()
	w := &written{gaps: map[string]uint64{}, live: true}
	w.readFile(t, filepath.Join(dir, "messages.journal"))
	return w.gaps["kernel"]
}

// notedDrops is the sum of the notes about drops.
func notedDrops(t *testing.T, dir string) uint64 {
	t.Helper()
	return readJournal(t, dir).gaps["kernel"]
}

func TestStopsWhileTheSocketOverrunsCountEachDropOnce(t *testing.T) {
	v, socket, l := startSmall(t)
	whileOverrun(t, v, l, 5, func() { v.terminate(t) })
	w, dropped := readJournal(t, v.dir), droppedBy(t, socket)
	w.wantInOrder(t)
	if noted := w.gaps["kernel"]; dropped == 0 || noted != dropped || len(w.numbers)+int(noted) != len(l.sent) {
		t.Errorf("got %d messages and %d lost by the notes, want %d together, of which the kernel dropped %d",
			len(w.numbers), noted, len(l.sent), dropped)
	}
	t.Logf("%d messages, %d of them dropped", len(l.sent), dropped)
}

func TestKillsWhileTheSocketOverrunsCountEachDropOnce(t *testing.T) {
	v, socket, l := startSmall(t)
	whileOverrun(t, v, l, 12, func() { v.kill() }) // Not v.kill: that is the first process of v.
	if noted, dropped := notedDrops(t, v.dir), droppedBy(t, socket); dropped == 0 || noted != dropped {
		t.Errorf("the notes tell of %d drops, the kernel of %d", noted, dropped)
	}
}

func TestEachSocketHasADropCounterOfItsOwn(t *testing.T) {
	addr1, first := holderOf(t, small)
	addr2, second := holderOf(t, small)
	v := handedOver(t, []*os.File{first, second}, "LISTEN_BUFFER=4KiB")
	l1, l2 := loadFor(t, addr1), loadFor(t, addr2)
	l1.overrun(700)
	l2.overrun(1500)
	sum := droppedBy(t, first) + droppedBy(t, second)
	v.restart(t)
	eventually(t, "it is noted", func() bool { return notedSoFar(t, v.dir) == sum })
	v.terminate(t)

	v.launch.sockets = []*os.File{second} // The other is not handed over once, and then in another place.
	l2.overrun(300)
	sum = droppedBy(t, first) + droppedBy(t, second)
	v.restart(t)
	v.terminate(t)
	if got := notedDrops(t, v.dir); got != sum {
		t.Errorf("the notes tell of %d drops, the kernel of %d", got, sum)
	}
	l1.overrun(900)
	sum = droppedBy(t, first) + droppedBy(t, second)
	v.launch.sockets = []*os.File{second, first}
	v.restart(t)
	v.terminate(t)
	if got := notedDrops(t, v.dir); got != sum {
		t.Errorf("in another order, the notes tell of %d drops, the kernel of %d", got, sum)
	}
}

// TestNewSocketOnTheSameAddressBeginsAtZero: what the one before it dropped is nothing to it.
func TestNewSocketOnTheSameAddressBeginsAtZero(t *testing.T) {
	v, socket, l := startSmall(t)
	v.terminate(t)
	l.overrun(1000)
	before := droppedBy(t, socket)
	v.restart(t)
	v.terminate(t)
	wantDrops(t, v.dir, 1000, before)

	addr := v.udp
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	v.launch.sockets = []*os.File{rebound(t, addr)}
	again := loadFor(t, addr)
	again.sent = l.sent
	again.overrun(500) // Less than was noted of the other one.
	now := droppedBy(t, v.launch.sockets[0])
	v.restart(t)
	v.terminate(t)
	wantDrops(t, v.dir, 1500, before, now)
}

// rebound binds a socket with a small buffer to an address that is free again.
func rebound(t *testing.T, addr string) *os.File {
	t.Helper()
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadBuffer(small); err != nil {
		t.Fatal(err)
	}
	socket, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket
}

// TestWhatWaitedOverARestartIsNotLimitedByItsRate: it bears the time at which it was read, so it seems to come at once.
func TestWhatWaitedOverARestartIsNotLimitedByItsRate(t *testing.T) {
	v, addr := startHandedOver(t, "RATE_LIMIT=10")
	v.terminate(t)
	l := loadFor(t, addr)
	l.overrun(1000)
	started := time.Now()
	v.restart(t)
	v.untilReceived(t, 1000)
	l.overrun(1000) // These have not waited.
	v.untilReceived(t, 2000)
	v.untilWritten(t)
	stats := v.stats(t)
	if in := stats.Ledger.Journaled; in < 1010 || in > 1000+10*uint64(1+patience/time.Second) || stats.Ledger.Limited["rate"] != 2000-in {
		t.Errorf("ledger: got %+v, want the 1000 that waited, and some ten more", stats.Ledger)
	}
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantInOrder(t)
	if len(w.numbers) < 1010 || w.numbers[999] != 999 {
		t.Errorf("got %d messages, want all that waited", len(w.numbers))
	}
	if first := firstEntry(t, v.dir); first.Before(started.Truncate(time.Millisecond)) {
		t.Errorf("timestamp: got %v, want that of the reading, after %v", first, started)
	}
}

// firstEntry is the time of the first line of the live file.
func firstEntry(t *testing.T, dir string) time.Time {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "messages.journal"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	entry, err := journal.ParseLine([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(entry.Millis)
}

// TestDropsAreNotedWhenTheDiskHasRoomAgain: a disk that is full at the start takes no note.
func TestDropsAreNotedWhenTheDiskHasRoomAgain(t *testing.T) {
	place := tmpfs(t, "size=1m")
	addr, socket := holderOf(t, small)
	v := handedOver(t, []*os.File{socket}, "LISTEN_BUFFER=4KiB", "SHUTDOWN_TIMEOUT=1s", "JOURNAL_DIR="+place)
	v.dir = place
	v.restart(t)
	v.terminate(t)
	filler := filepath.Join(place, "filler")
	fill(t, filler)
	l := loadFor(t, addr)
	l.overrun(20_000) // More than the last block of the live file takes is waiting, too.
	dropped := droppedBy(t, socket)
	v.restart(t)
	v.kill()
	v.restart(t)
	v.kill()
	remove(t, filler)
	v.restart(t)
	eventually(t, "it is noted", func() bool { return notedSoFar(t, place) >= dropped })
	v.terminate(t)
	v.restart(t)
	v.terminate(t)
	if got := notedDrops(t, place); got != dropped {
		t.Errorf("the notes tell of %d drops, the kernel of %d", got, dropped)
	}
}
