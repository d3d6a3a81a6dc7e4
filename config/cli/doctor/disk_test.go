package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hbjournal/sink/rotate"
)

func wantRow(t *testing.T, got Row, status Status, texts ...string) {
	t.Helper()
	if got.Status != status {
		t.Errorf("got %s: %s; want %s", got.Status, got.line(), status)
	}
	for _, text := range texts {
		if !strings.Contains(got.line(), text) {
			t.Errorf("got %q, want it to hold %q", got.line(), text)
		}
	}
	if bad := got.Status == Warn || got.Status == Fail; bad && got.Cure == "" {
		t.Errorf("got no cure for %q", got.line())
	}
}

// makeDir makes the journal's directory with a mode.
func (e *examination) makeDir(t *testing.T, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.Mkdir(e.Journal.Dir, 0o700), os.Chmod(e.Journal.Dir, mode)); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryIsLookedAtAsItStands(t *testing.T) {
	e := machine{}.examine(t)
	wantRow(t, e.look(t, "directory"), Note, "is missing")
	e.makeDir(t, 0o750)
	wantRow(t, e.look(t, "directory"), OK, "mode 0750", fmt.Sprintf("uid %d", os.Getuid()))
	if err := os.Chmod(e.Journal.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	wantRow(t, e.look(t, "directory"), Warn, "every user can plant or remove files", "sudo chmod o-w ")
	if err := os.Chmod(e.Journal.Dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	wantRow(t, e.look(t, "directory"), Note, "sticky")
	if err := os.Remove(e.Journal.Dir); err != nil {
		t.Fatal(err)
	}
	put(t, e.Root, file("journal", ""))
	wantRow(t, e.look(t, "directory"), Fail, "is a file", "mv ")
	e.Journal.Dir += "/below"
	wantRow(t, e.look(t, "directory"), Fail, "not a directory", "namei -l")
	e.Journal.Disabled = true
	wantRow(t, e.look(t, "directory"), Skip, "journal_enabled=false")
}

func TestLiveFileMustBeARegularOneThatTakesItsMode(t *testing.T) {
	e := machine{}.examine(t)
	wantRow(t, e.look(t, "live-file"), OK, "made at the start")
	put(t, e.Root, file("journal/messages.journal", "x"))
	e.UID = os.Getuid()
	wantRow(t, e.look(t, "live-file"), OK, "mode 0644", "journal_file_mode=0640")
	e.UID += 12345
	wantRow(t, e.look(t, "live-file"), Fail, "may not give it its mode", "sudo chown ")
	put(t, e.Root, file("journal/messages.journal", "-> elsewhere"))
	wantRow(t, e.look(t, "live-file"), Fail, "no regular file", "mv ")
	put(t, e.Root, file("journal", "a file"))
	wantRow(t, e.look(t, "live-file"), Fail, "not a directory", "namei -l")
}

func TestAnErrorOfWritingGetsItsCure(t *testing.T) {
	f := func(uid int, err error, status Status, texts ...string) {
		t.Helper()
		e := machine{set: func(o *Options) { o.UID, o.Journal.Probe = uid, func() error { return err } }}.examine(t)
		wantRow(t, e.look(t, "write"), status, texts...)
	}
	refused := func(err error) error { return fmt.Errorf("try: %w", &fs.PathError{Op: "open", Path: "/x", Err: err}) }
	f(0, nil, OK, "uid 0 can make, write, sync, link and rename files")
	f(0, refused(syscall.ENOSPC), Fail, "no space left", "df -h ", "df -i ")
	f(0, refused(syscall.EROFS), Fail, "read-only", "mount -o remount,rw /")
	f(65532, refused(syscall.EACCES), Fail, "uid 65532: try: open /x: permission denied", "sudo chown -R 65532 ")
	f(0, refused(syscall.EPERM), Fail, "SELinux, AppArmor")
	f(0, fmt.Errorf("open: %w", rotate.ErrNotRegular), Fail, "mv ")
	f(0, refused(syscall.EIO), Fail, "input/output error", "config --check --try")
	wantRow(t, machine{}.examine(t).look(t, "write"), Skip)
}

func TestFileSystemIsKnownByItsMount(t *testing.T) {
	f := func(mounts string, status Status, texts ...string) {
		t.Helper()
		e := machine{}.examine(t)
		dir, err := filepath.EvalSymlinks(e.Root)
		if err != nil {
			t.Fatal(err)
		}
		put(t, e.Root, file("proc/self/mountinfo", healthy["proc/self/mountinfo"]+strings.ReplaceAll(mounts, "ROOT", dir)))
		wantRow(t, e.look(t, "file-system"), status, texts...)
	}
	at := func(kind, options string) string {
		return "30 21 0:5 / ROOT/journal rw - x x rw\n31 21 0:5 / ROOT " + options + " shared:3 master:1 - " + kind + " src rw\n32 21 0:5 / ROOT/other rw - zfs x rw\n"
	}
	f("", OK, "ext4, mounted at /")
	f(at("xfs", "rw"), OK, "xfs, mounted at ")
	f(at("tmpfs", "rw"), Warn, "lost when the machine stops", "JOURNAL_DIR=")
	f(at("overlay", "rw"), Warn, "lost with it", "docker run -v ")
	for _, kind := range []string{"nfs", "nfs4", "cifs", "9p", "fuse.sshfs"} {
		f(at(kind, "rw"), Warn, kind, "file server")
	}
	f(at("fuseblk", "rw"), OK, "fuseblk")
	f(at("ext4", "ro,relatime"), Fail, "read-only", "sudo mount -o remount,rw ")
	e := machine{files: file("proc/self/mountinfo", "gone")}.examine(t)
	wantRow(t, e.look(t, "file-system"), Skip, "this system has no")
	e = machine{files: file("proc/self/mountinfo", "21 1 8:1 / /elsewhere rw - ext4 x rw\n")}.examine(t)
	wantRow(t, e.look(t, "file-system"), Skip, "cannot see what is mounted")
	if got := unescaped(`/a\040b\134c`); got != `/a b\c` {
		t.Errorf("got mount point %q, want blanks and backslashes as they are", got)
	}
}

func TestRoomIsHeldAgainstWhatTheLimitsKeep(t *testing.T) {
	const mega = 1 << 20
	type limits struct{ file, total, free int64 }
	f := func(what string, l limits, backups int, free rotate.Room, kept stock, status Status, texts ...string) {
		t.Helper()
		e := machine{set: func(o *Options) {
			o.Journal.MaxBytes, o.Journal.MaxBackups, o.Journal.MaxTotalBytes, o.Journal.MinFreeBytes = l.file, backups, l.total, l.free
		}}.examine(t)
		t.Log(what)
		wantRow(t, e.roomRow(free, kept), status, texts...)
	}
	plenty := rotate.Room{FreeBytes: 2000 * mega, FreeFiles: -1}
	little := rotate.Room{FreeBytes: 500 * mega, FreeFiles: 1000}
	f("eleven files fit", limits{file: 100 * mega}, 10, plenty, stock{}, OK, "2.0 GiB free", "journal_max_size=104857600 x (journal_max_backups=10")
	f("they do not", limits{file: 100 * mega}, 10, little, stock{}, Warn, "would keep 1.1 GiB", "export JOURNAL_MAX_TOTAL_SIZE=471859200")
	f("most of them are there", limits{file: 100 * mega}, 10, little, stock{bytes: 700 * mega}, OK)
	f("a total fits", limits{100 * mega, 400 * mega, 0}, 10, little, stock{}, OK, "journal_max_total_size=419430400")
	f("a total does not", limits{100 * mega, 600 * mega, 0}, 10, little, stock{}, Warn, "would keep 600 MiB")
	f("what must be left free is kept", limits{100 * mega, 0, 10 * mega}, 10, little, stock{}, OK, "journal_min_free=10485760")
	f("no limit", limits{file: 100 * mega}, 0, plenty, stock{}, Note, "no limit on all files together", "JOURNAL_MAX_TOTAL_SIZE=")
	f("no limit, and it lasts", limits{}, 0, plenty, stock{aDay: 10 * mega}, Note, "10 MiB a day the disk is full in 200 days")
	f("no limit, and it does not", limits{}, 0, plenty, stock{aDay: 500 * mega}, Warn, "full in 4 days")
	f("full", limits{file: 100 * mega}, 10, rotate.Room{FreeFiles: 1000}, stock{bytes: 2000 * mega}, Fail, "0 B free", "df -h ")
	f("few inodes", limits{file: 100 * mega}, 10, rotate.Room{FreeBytes: 2000 * mega, FreeFiles: 7}, stock{}, Warn, "room for 7 more files", "df -i ")
	f("no inodes", limits{file: 100 * mega}, 10, rotate.Room{FreeBytes: 2000 * mega}, stock{}, Fail, "room for 0 more files")
}

func TestStockIsWhatTheJournalHasAndHowFastItGrows(t *testing.T) {
	e := machine{}.examine(t)
	if got, err := e.stock(); !errors.Is(err, fs.ErrNotExist) || got != (stock{}) {
		t.Errorf("got %+v, %v of no directory; want nothing", got, err)
	}
	put(t, e.Root, map[string]string{
		"journal/messages.journal":                 strings.Repeat("x", 10),
		"journal/messages.journal.20260328-000000": strings.Repeat("x", 100),
		"journal/messages.journal.20260328-120000": strings.Repeat("x", 200),
		"journal/messages.journal.20260329-000000": strings.Repeat("x", 300),
		"journal/messages.journal.old":             "xyz",
	})
	if got, err := e.stock(); err != nil || got != (stock{bytes: 610, backups: 3, aDay: 500}) {
		t.Errorf("got %+v, %v; want 610 bytes, 3 backups, 500 bytes a day", got, err)
	}
	wantRow(t, e.look(t, "room"), OK, "610 B in 3 backups")
}

func TestFsyncIsJudgedByItsMedian(t *testing.T) {
	const ms = time.Millisecond
	wantRow(t, fsyncRow([]time.Duration{ms, 2 * ms, 400 * ms}), OK, "after 2ms, at worst 400ms, of 3")
	wantRow(t, fsyncRow([]time.Duration{20 * ms, 30 * ms, 40 * ms}), Note, "after 30ms", "JOURNAL_FSYNC=5s")
	wantRow(t, fsyncRow([]time.Duration{200 * ms}), Warn, "after 200ms", "JOURNAL_FSYNC=5s")
	e := machine{}.examine(t)
	wantRow(t, e.look(t, "fsync"), e.look(t, "fsync").Status, "4 KiB are safe after")
	if isThere(e.Journal.Dir) {
		t.Errorf("got %s made, want nothing to stay", e.Journal.Dir)
	}
	put(t, e.Root, file("journal", "a file"))
	wantRow(t, e.look(t, "fsync"), Skip, "not a directory")
}

func TestLockSaysWhoHoldsIt(t *testing.T) {
	f := func(m machine, status Status, texts ...string) {
		t.Helper()
		wantRow(t, m.examine(t).look(t, "lock"), status, texts...)
	}
	const path = "journal/.messages.journal.d/lock"
	f(machine{daemon: noDaemon, files: file(path, "77\n")}, OK, "nobody holds it")
	f(machine{files: file(path, "77\n")}, OK, "the daemon, pid 77")
	f(machine{files: map[string]string{path: "78\n", "proc/78/comm": "x\n"}}, Note, "pid 78, while pid 77 left word", "ps -fp 78")
	f(machine{files: file(path, "99\n")}, Note, "not seen here")
	f(machine{}, Note, "does not say by whom", "lsof ")
	f(machine{daemon: func(d *Daemon) { d.LockErr = fs.ErrPermission }}, Skip, "permission denied")
}

func TestClockMustBeSynchronised(t *testing.T) {
	e := machine{}.examine(t)
	wantRow(t, e.clockRow(kernelClock{synchronised: true, maxError: time.Millisecond}), OK, "wrong by 1ms at most")
	wantRow(t, e.clockRow(kernelClock{synchronised: true, maxError: 3 * time.Second}), Note, "may be wrong by 3s")
	wantRow(t, e.clockRow(kernelClock{}), Warn, "not synchronised", "sudo timedatectl set-ntp true")
}

func TestLastEntryMustNotBeAheadOfTheClock(t *testing.T) {
	line := func(at time.Time) string {
		return fmt.Sprintf(`{"timestamp":%d.000,"datetime":"%s","source_ip":"10.0.0.7","source_port":4711,"message":{"ID":"HTB"}}`, at.Unix(), at.Format("2006-01-02T15:04:05")) + "\n"
	}
	f := func(text string, status Status, texts ...string) {
		t.Helper()
		e := machine{files: file("journal/messages.journal", text)}.examine(t)
		wantRow(t, e.look(t, "last-entry"), status, texts...)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	f(line(now.Add(-time.Second)), OK, "2026-03-28T11:59:59Z")
	f(line(now.Add(2*time.Hour)), Warn, "2h0m0s ahead of the clock")
	f(line(now.Add(2*time.Hour))+line(now)+"torn\n{\"timest", OK, "2026-03-28T12:00:00Z")
	f("", OK, "none yet")
	f("-> elsewhere", OK, "none yet")
	f("gone", OK, "none yet")
	e := machine{set: func(o *Options) { o.Journal.Disabled = true }}.examine(t)
	wantRow(t, e.look(t, "last-entry"), Skip, "journal_enabled=false")
}
