package cli

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// mount mounts something for the time of the test, and skips the test where that is not allowed.
func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("mount %s: %v: %s", strings.Join(args, " "), err, out)
	}
	target := args[len(args)-1]
	t.Cleanup(func() {
		if out, err := exec.Command("umount", target).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", target, err, out)
		}
	})
}

// tmpfs mounts a small memory file system.
func tmpfs(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	mount(t, "-t", "tmpfs", "-o", options, "tmpfs", dir)
	return dir
}

// fill fills the file system to the last byte, with a file that is removed to free it.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if n, err := file.Write(make([]byte, size)); err != nil || n < size {
			size /= 2
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestFullDiskLosesNothingThatFitsInTheBufferAndCountsTheRest(t *testing.T) {
	mountPoint := tmpfs(t, "size=4m")
	dir, filler := filepath.Join(mountPoint, "journal"), filepath.Join(mountPoint, "filler")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=100kB", "JOURNAL_MAX_BACKUPS=10", "JOURNAL_BUFFER_SIZE=1MiB")
	l := loadFor(t, v.udp)
	l.send(3000)
	v.untilReceived(t, 3000)
	v.untilWritten(t)
	before := readJournal(t, dir)

	fill(t, filler)
	l.send(12_000) // About 2 MB: half does not fit in the buffer.
	v.untilNotReady(t, "no space left on device")
	v.untilReceived(t, 15_000)
	lost := v.ledgerOK(t).Queue
	if lost == 0 {
		t.Fatal("nothing was dropped; the test sends too little")
	}
	during := readJournal(t, dir)
	if len(during.files) > len(before.files)+1 {
		t.Errorf("files: got %v while the disk was full, before it %v", during.files, before.files)
	}
	during.wantInOrder(t)
	if len(during.numbers) < len(before.numbers) {
		t.Errorf("entries: got %d while the disk was full, before it %d", len(during.numbers), len(before.numbers))
	}

	remove(t, filler)
	v.untilReady(t)
	v.untilWritten(t)
	eventually(t, "the gap is noted", func() bool { return v.stats(t).Notes > 0 })
	l.send(10)
	v.untilReceived(t, 15_010)
	v.terminate(t)
	after := readJournal(t, dir)
	after.wantInOrder(t)
	if after.gaps["queue"] != lost {
		t.Errorf("gap: got %d lost in the journal's notes, want %d", after.gaps["queue"], lost)
	}
	// Ten backups of 100 kB hold all that was not dropped only in part; what is there ends with the last message.
	if last := after.numbers[len(after.numbers)-1]; last != 15_009 {
		t.Errorf("last entry: got number %d, want 15009", last)
	}
	for text, want := range map[string]int{`"message":"journal degraded`: 1, `"message":"journal recovered`: 1} {
		if got := v.logCount(t, text); got != want {
			t.Errorf("log lines with %s: got %d, want %d", text, got, want)
		}
	}
}

func TestLogNeverEndsWithRecoveredWhileTheDiskIsFull(t *testing.T) {
	mountPoint := tmpfs(t, "size=8m")
	dir, filler := filepath.Join(mountPoint, "journal"), filepath.Join(mountPoint, "filler")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=100kB", "JOURNAL_MAX_BACKUPS=10", "JOURNAL_BUFFER_SIZE=1MiB")
	l := loadFor(t, v.udp)
	lastWord := func() (message string) {
		for _, line := range logLines(t, v.logText(t)) {
			if strings.HasPrefix(line.Message, "journal degraded") || strings.HasPrefix(line.Message, "journal recovered") {
				message, _, _ = strings.Cut(line.Message, ":")
			}
		}
		return message
	}
	for round := range 3 {
		fill(t, filler)
		l.send(12_000)
		v.untilNotReady(t, "no space left on device")
		if got := lastWord(); got != "journal degraded" {
			t.Errorf("round %d: got %q as the log's last word while the disk is full", round, got)
		}
		eventually(t, "the loss is logged", func() bool { return v.logCount(t, "journal loses entries") > 0 })
		remove(t, filler)
		v.untilReady(t)
	}
	v.untilWritten(t)
	v.terminate(t)
	if got := lastWord(); got != "journal recovered" {
		t.Errorf("got %q as the log's last word when all is well", got)
	}
}

func TestFullDiskKeepsEveryByteItHad(t *testing.T) {
	mountPoint := tmpfs(t, "size=4m")
	dir, filler := filepath.Join(mountPoint, "journal"), filepath.Join(mountPoint, "filler")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=50kB", "JOURNAL_MAX_BACKUPS=0")
	l := loadFor(t, v.udp)
	for round := range 5 {
		l.send(1000)
		fill(t, filler)
		l.send(1000)
		v.untilNotReady(t, "no space left on device")
		readJournal(t, dir).wantInOrder(t)
		remove(t, filler)
		v.untilReady(t)
		v.untilReceived(t, 2000*(round+1))
		v.untilWritten(t)
	}
	v.terminate(t)
	w := readJournal(t, dir)
	w.wantAll(t, 10_000)
}

func TestNoInodeLeftRefusesRotationAndLosesNothing(t *testing.T) {
	mountPoint := tmpfs(t, "size=4m,nr_inodes=6") // Root, filler, journal and its state directory, lock, live file.
	dir, filler := filepath.Join(mountPoint, "journal"), filepath.Join(mountPoint, "filler")
	if err := os.WriteFile(filler, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=20kB")
	l := loadFor(t, v.udp)
	l.send(500)
	v.untilReceived(t, 500)
	v.untilWritten(t)
	if ready, why := v.ready(t); !ready || !strings.Contains(why, "warning: rotate") {
		t.Errorf("/readyz: got %v, %q; want ready with a warning", ready, why)
	}
	remove(t, filler)
	eventually(t, "it rotates", func() bool {
		l.send(10)
		return v.stats(t).Rotations["size"] > 0
	})
	v.terminate(t)
	readJournal(t, dir).wantAll(t, len(l.sent))
	if got := v.logCount(t, "cannot be rotated"); got != 1 {
		t.Errorf("log lines about the refusal: got %d, want 1", got)
	}
}

func TestFileSizeLimitDoesNotKillAndIsHealedByRaisingIt(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"))
	l := loadFor(t, v.udp)
	setLimit := func(bytes uint64) {
		t.Helper()
		limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(v.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Skip("limits of another process cannot be set:", err)
		}
	}
	setLimit(20_000)
	l.send(500)
	v.untilNotReady(t, "file too large")
	v.untilReceived(t, 500)
	w := readJournal(t, v.dir)
	w.wantInOrder(t)
	if n := len(w.numbers); n == 0 || n == 500 {
		t.Errorf("entries within the limit: got %d, want some", n)
	}
	setLimit(unix.RLIM_INFINITY)
	v.untilReady(t)
	v.untilWritten(t)
	v.terminate(t)
	w = readJournal(t, v.dir)
	w.wantAll(t, 500)
}

func TestImmutableFileDegradesUntilItIsFreed(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"))
	live := filepath.Join(v.dir, "messages.journal")
	l := loadFor(t, v.udp)
	l.send(10)
	v.untilReceived(t, 10)
	v.untilWritten(t)
	chattr := func(flag string) {
		t.Helper()
		if out, err := exec.Command("chattr", flag, live).CombinedOutput(); err != nil {
			t.Skipf("chattr: %v: %s", err, out)
		}
	}
	chattr("+i")
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", live).Run() })
	l.send(100)
	v.untilNotReady(t, "operation not permitted")
	chattr("-i")
	v.untilReady(t)
	v.untilReceived(t, len(l.sent))
	v.untilWritten(t)
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantAll(t, 110)
}

// TestDirectoryThatMayNotBeWrittenOrEntered runs the daemon as nobody, whom modes stop.
func TestDirectoryThatMayNotBeWrittenOrEntered(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	const nobody = 65534
	place := publicDir(t)
	dir := filepath.Join(place, "journal")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	v := &victim{served: served{dir: dir}, launch: launch{
		dir: place, stderr: filepath.Join(t.TempDir(), "log"), program: copyOfMyself(t, place),
		attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}},
		environ: []string{
			"JOURNAL_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "JOURNAL_MAX_SIZE=20kB", "JOURNAL_MAX_BACKUPS=0",
		},
	}}
	v.restart(t)
	l := loadFor(t, v.udp)
	for _, mode := range []os.FileMode{0o555, 0, 0o755} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		l.send(500)
		v.untilReceived(t, len(l.sent))
		v.untilWritten(t)
		if ready, why := v.ready(t); !ready {
			t.Errorf("mode %v: got not ready, %s", mode, why)
		}
	}
	eventually(t, "it rotates again", func() bool {
		l.send(10)
		return v.stats(t).Rotations["size"] > 0
	})
	v.terminate(t)
	readJournal(t, dir).wantAll(t, len(l.sent))
}

// publicDir is a directory that every user can reach.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hbjournal") //nolint:usetesting // T.TempDir is closed to other users.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyOfMyself puts this test binary where every user can run it.
func copyOfMyself(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hbjournal")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBlockedLogHoldsUpNothing gives the daemon a standard error that nobody reads.
func TestBlockedLogHoldsUpNothing(t *testing.T) {
	v := startVictim(t, filepath.Join(t.TempDir(), "journal"), "JOURNAL_MAX_SIZE=2000", "JOURNAL_MAX_BACKUPS=0", "JOURNAL_FSYNC=never")
	l := loadFor(t, v.udp)
	v.terminate(t)
	cmd := exec.Command(os.Args[0])
	cmd.Args, cmd.Env = []string{"hbjournal"}, append(v.launch.environ, "LISTEN_ADDR="+v.udp, "HTTP_ADDR="+v.http)
	cmd.Stderr = fullPipe(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait() //nolint:errcheck // It is killed.
	defer cmd.Process.Kill()
	eventually(t, "it listens", func() bool { return answers(v.http) })
	l.send(2000) // That is 200 rotations, each with its line.
	v.untilReceived(t, 2000)
	v.untilWritten(t)
	readJournal(t, v.dir).wantAll(t, 2000)
}

// answers reports whether somebody listens there.
func answers(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// fullPipe returns the end of a pipe that takes nothing more, since nobody reads the other one.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return w
}
