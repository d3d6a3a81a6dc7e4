package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ext4 mounts a small ext4 file system from an image file.
func ext4(t *testing.T) (image, dir string) {
	t.Helper()
	image, dir = filepath.Join(t.TempDir(), "image"), t.TempDir()
	if err := os.WriteFile(image, make([]byte, 16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "mkfs.ext4", "-q", "-e", "remount-ro", image)
	mount(t, "-o", "loop", image, dir)
	return image, dir
}

// tool runs a program of the system, and skips the test if it is missing or may not do it.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH"))
	cmd.Path, cmd.Err = name, nil
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		cmd.Path = path
	} else if path, err := exec.LookPath(name); err == nil {
		cmd.Path = path
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// btrfs mounts a small btrfs file system.
func btrfs(t *testing.T) (dir string) {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	do(t, os.WriteFile(image, nil, 0o600))
	do(t, os.Truncate(image, 128<<20))
	tool(t, "mkfs.btrfs", "-q", image)
	mount(t, "-o", "loop", image, dir)
	return dir
}

// quota mounts a btrfs file system with a directory in it that may hold 8 MB.
func quota(t *testing.T) (dir string) {
	t.Helper()
	mountPoint := btrfs(t)
	dir = filepath.Join(mountPoint, "limited")
	tool(t, "btrfs", "subvolume", "create", dir)
	tool(t, "btrfs", "quota", "enable", mountPoint)
	tool(t, "btrfs", "qgroup", "limit", "8M", dir)
	return dir
}

func TestExhaustedQuotaLosesNothing(t *testing.T) {
	place := quota(t)
	dir, filler := filepath.Join(place, "journal"), filepath.Join(place, "filler")
	v := startVictim(t, dir, "JOURNAL_MAX_SIZE=100kB", "JOURNAL_MAX_BACKUPS=0")
	l := loadFor(t, v.udp)
	l.send(1000)
	v.untilReceived(t, 1000)
	v.untilWritten(t)
	before := readJournal(t, dir)

	fill(t, filler)
	l.send(5000)
	v.untilNotReady(t, "quota exceeded")
	v.untilReceived(t, 6000)
	during := readJournal(t, dir)
	during.wantInOrder(t)
	if len(during.numbers) < len(before.numbers) {
		t.Errorf("entries: got %d over the quota, before it %d", len(during.numbers), len(before.numbers))
	}

	remove(t, filler)
	tool(t, "btrfs", "filesystem", "sync", place) // What was removed counts until then.
	v.untilReady(t)
	v.untilWritten(t)
	v.terminate(t)
	readJournal(t, dir).wantAll(t, 6000)
}

// TestDiskThatTurnsReadOnlyLosesNothing has the kernel find a fault in a file system, as it does with a dying disk. The
// operator mounts a repaired copy over it.
func TestDiskThatTurnsReadOnlyLosesNothing(t *testing.T) {
	image, mountPoint := ext4(t)
	v := startVictim(t, filepath.Join(mountPoint, "journal"), "JOURNAL_FSYNC=always", "JOURNAL_MAX_SIZE=20kB", "JOURNAL_MAX_BACKUPS=0")
	l := loadFor(t, v.udp)
	l.send(500)
	v.untilReceived(t, 500)
	v.untilWritten(t)
	v.terminateAndRestart(t) // What a rotation leaves to be synced later is now on the disk too.
	l.conn = loadFor(t, v.udp).conn

	device := filepath.Base(tool(t, "findmnt", "-no", "SOURCE", mountPoint))
	if err := os.WriteFile("/sys/fs/ext4/"+device+"/trigger_fs_error", []byte("1"), 0); err != nil {
		t.Skip("no fault can be put into the file system:", err)
	}
	l.send(500)
	v.untilNotReady(t, "read-only file system")
	v.untilReceived(t, 500)
	w := readJournal(t, v.dir)
	w.wantAll(t, 500)

	repaired := filepath.Join(t.TempDir(), "repaired")
	tool(t, "cp", image, repaired)
	_ = exec.Command("/usr/sbin/e2fsck", "-fy", repaired).Run() // 1 says that it has repaired something.
	mount(t, "-o", "loop", repaired, mountPoint)
	v.untilReady(t)
	v.untilWritten(t)
	v.terminate(t)
	w = readJournal(t, v.dir)
	w.wantAll(t, 1000)
}

func (v *victim) terminateAndRestart(t *testing.T) {
	t.Helper()
	v.terminate(t)
	v.restart(t)
}

// TestDiskThatDoesNotAnswerHoldsUpNothingElse freezes a file system: every write waits in the kernel.
func TestDiskThatDoesNotAnswerHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	_, mountPoint := ext4(t)
	v := startVictim(t, filepath.Join(mountPoint, "journal"))
	l := loadFor(t, v.udp)
	l.send(100)
	v.untilReceived(t, 100)
	v.untilWritten(t)
	tool(t, "fsfreeze", "-f", mountPoint)
	thaw := func() { _ = exec.Command("fsfreeze", "-u", mountPoint).Run() }
	defer thaw()
	l.send(1000)
	v.untilReceived(t, 1100)
	v.untilNotReady(t, "no answer from the disk")
	eventually(t, "the log tells of it", func() bool { return v.logCount(t, "no answer from the disk") > 0 })
	l.send(1000)
	v.untilReceived(t, 2100)
	thaw()
	v.untilReady(t)
	v.untilWritten(t)
	v.terminate(t)
	w := readJournal(t, v.dir)
	w.wantAll(t, 2100)
}

// waitsForDisk reports whether a thread of the daemon is in the kernel and cannot be interrupted.
func (v *victim) waitsForDisk(t *testing.T) bool {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", v.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(tasks, func(path string) bool {
		stat, _ := os.ReadFile(path) // The thread may have ended.
		return strings.Contains(string(stat), ") D ")
	})
}

func TestDaemonEndsInTimeThoughTheDiskDoesNotAnswer(t *testing.T) {
	for name, request := range map[string]string{"while it writes": "", "while it rotates": "USR1", "while it reopens": "HUP"} {
		t.Run(name, func(t *testing.T) { endsInTime(t, request) })
	}
}

// endsInTime has the daemon end beside a disk that does not answer, after another request that waits for it.
func endsInTime(t *testing.T, request string) {
	t.Parallel()
	_, mountPoint := ext4(t)
	v := startVictim(t, filepath.Join(mountPoint, "journal"), "SHUTDOWN_TIMEOUT=2s")
	l := loadFor(t, v.udp)
	tool(t, "fsfreeze", "-f", mountPoint)
	thaw := func() { _ = exec.Command("fsfreeze", "-u", mountPoint).Run() }
	defer thaw()
	eventually(t, "a sign of life waits for the disk", func() bool { return v.waitsForDisk(t) })
	l.send(100)
	v.untilReceived(t, 100)
	if request != "" {
		signalTo(t, v, request)
	}
	begin := time.Now()
	if err := v.cmd.Process.Signal(signals()["TERM"]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log has the ledger", func() bool { return v.logCount(t, `"message":"journal stopped"`) == 1 })
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("stopping took %v, want about 2s", took)
	}
	if v.logCount(t, `"missing":0`) != 1 {
		t.Errorf("the ledger does not add up:\n%s", v.logText(t))
	}
	thaw() // A process with a thread in the kernel is not gone before.
	if code, err := v.exit(); err != nil || code != exitFailed {
		t.Errorf("exit: got code %d, %v; want 1", code, err)
	}
	if v.logCount(t, "stop within shutdown_timeout=2s: close journal: ") != 1 || v.logCount(t, "no answer from the disk") == 0 || v.logCount(t, "%!") > 0 {
		t.Errorf("the error does not say what and why:\n%s", v.logText(t))
	}
}
