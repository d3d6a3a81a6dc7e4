package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"hbjournal/config/cli/doctor"
)

// doctored is the report of the doctor, and its exit code.
type doctored struct {
	doctor.Report
	code int
	text string
}

// row is the row of this name, which must have the status, and hold the texts.
func (d doctored) row(t *testing.T, name string, status doctor.Status, texts ...string) {
	t.Helper()
	for _, r := range d.Rows {
		if r.Name != name {
			continue
		}
		all := r.Measured + " | " + r.Limit + " | " + r.Cure
		if r.Status != status {
			t.Errorf("%s: got %s: %s; want %s", name, r.Status, all, status)
		}
		for _, text := range texts {
			if !strings.Contains(all, text) {
				t.Errorf("%s: got %q, want it to hold %q", name, all, text)
			}
		}
		return
	}
	t.Errorf("got no row %s in %s", name, d.text)
}

// examined runs the doctor in this process with JSON, and as text, which must come to the same.
func examined(t *testing.T, environ []string, only string, more ...string) doctored {
	t.Helper()
	args := append([]string{"doctor", "--only", only}, more...)
	got := run(t, environ, append(args, "--json")...)
	d := doctored{code: got.code, text: got.stdout + got.stderr}
	if err := json.Unmarshal([]byte(got.stdout), &d.Report); err != nil {
		t.Fatalf("got no report: %v:\n%s", err, d.text)
	}
	text := run(t, environ, args...)
	if text.code != got.code || !strings.Contains(text.stdout, "\n"+string(d.Verdict)+": ") {
		t.Errorf("got exit code %d and verdict %s as JSON, want the same as text, which has %d:\n%s", got.code, d.Verdict, text.code, text.stdout)
	}
	return d
}

// examinedBy runs the doctor as a command of the shell in a process of its own, which may have another user.
func examinedBy(t *testing.T, shell string, attr *syscall.SysProcAttr, environ ...string) doctored {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", shell)
	cmd.Env, cmd.SysProcAttr, cmd.Dir = append(environ, "PATH="+os.Getenv("PATH"), "HOME=/nonexistent"), attr, "/"
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	d := doctored{code: cmd.ProcessState.ExitCode(), text: string(out)}
	if err := json.Unmarshal(out, &d.Report); err != nil {
		t.Fatalf("got no report: %v:\n%s", err, out)
	}
	return d
}

func TestDoctorNamesWhoHasThePort(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	addr := conn.LocalAddr().String()
	_, port, _ := net.SplitHostPort(addr)
	environ := []string{"LISTEN_ADDR=" + addr, "JOURNAL_DIR=" + t.TempDir()}
	d := examined(t, environ, "port")
	d.row(t, "port", doctor.Fail, fmt.Sprintf("%s is held by pid %d (", addr, os.Getpid()), "ss -ulpn 'sport = :"+port+"'")
	if d.code != exitFailed || d.Verdict != doctor.Fail || d.UID != os.Getuid() {
		t.Errorf("got exit code %d, verdict %s, uid %d; want 1, fail, %d", d.code, d.Verdict, d.UID, os.Getuid())
	}
	conn.Close()
	if d := examined(t, environ, "port"); d.code != exitDone || d.Verdict != doctor.OK {
		t.Errorf("got %s of a free port, want it ok", d.text)
	}
}

func TestDoctorSeesASocketOverrunNowAndOneThatDidOnce(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.UDPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	environ := []string{"LISTEN_ADDR=" + conn.LocalAddr().String(), "JOURNAL_DIR=" + t.TempDir()}
	stop, stopped := make(chan struct{}), make(chan struct{})
	l := loadFor(t, conn.LocalAddr().String())
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				l.send(10) // A pause is in it.
			}
		}
	}()
	d := examined(t, environ, "own-drops,udp-drops")
	strict := examined(t, environ, "own-drops", "--strict")
	close(stop)
	<-stopped
	d.row(t, "own-drops", doctor.Warn, "of them in the last", "LISTEN_BUFFER=8388608")
	d.row(t, "udp-drops", doctor.Warn, "the receive buffer of a socket")
	if d.code != exitDone || strict.code != exitFailed {
		t.Errorf("got exit code %d for a warning, and %d with --strict; want 0 and 1", d.code, strict.code)
	}
	d = examined(t, environ, "own-drops", "--strict")
	d.row(t, "own-drops", doctor.Note, "none of them in the last")
	if d.code != exitDone {
		t.Errorf("got exit code %d for a note, want 0", d.code)
	}
}

func TestDoctorSeesADiskThatIsSmallFullOrReadOnly(t *testing.T) {
	mountPoint := tmpfs(t, "size=8m,nr_inodes=200")
	dir := filepath.Join(mountPoint, "journal")
	environ := []string{"JOURNAL_DIR=" + dir}
	d := examined(t, environ, "disk")
	d.row(t, "file-system", doctor.Warn, "tmpfs, mounted at "+mountPoint, "JOURNAL_DIR=")
	d.row(t, "room", doctor.Warn, "the limits would keep 1.1 GiB", "JOURNAL_MAX_TOTAL_SIZE=")
	d.row(t, "write", doctor.OK)
	fill(t, filepath.Join(mountPoint, "filler"))
	d = examined(t, environ, "disk")
	d.row(t, "room", doctor.Fail, "0 B free", "df -h "+mountPoint)
	d.row(t, "write", doctor.Fail, "no space left on device", "df -h ")
	remove(t, filepath.Join(mountPoint, "filler"))
	for i := range 120 {
		if err := os.WriteFile(filepath.Join(mountPoint, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	examined(t, environ, "room").row(t, "room", doctor.Warn, "more files", "df -i ")
	tool(t, "mount", "-o", "remount,ro", mountPoint)
	d = examined(t, environ, "disk")
	d.row(t, "file-system", doctor.Fail, "read-only", "mount -o remount,rw "+mountPoint)
	d.row(t, "write", doctor.Fail, "read-only file system", "mount -o remount,rw "+mountPoint)
	if d.code != exitFailed {
		t.Errorf("got exit code %d, want 1", d.code)
	}
}

func TestDoctorSeesTheLimitsOfItsShell(t *testing.T) {
	environ := "JOURNAL_DIR=" + t.TempDir()
	d := examinedBy(t, "ulimit -f 2000; ulimit -n 64; exec hbjournal doctor --json --only system", nil, environ)
	d.row(t, "file-size", doctor.Fail, "journal_max_size=104857600", "ulimit -f unlimited")
	d.row(t, "open-files", doctor.Warn, "64 files", "ulimit -n 1024")
	if d.code != exitFailed {
		t.Errorf("got exit code %d, want 1", d.code)
	}
}

// TestDoctorTriesByItsOwnRights runs it as users whom modes stop.
func TestDoctorTriesByItsOwnRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	const nobody, other = 65534, 65533
	as := func(uid uint32) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	place := publicDir(t)
	dir, program := filepath.Join(place, "journal"), copyOfMyself(t, place)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, nobody, nobody), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("exec -a hbjournal %s doctor --json", program)
	bash := func(uid uint32) doctored {
		return examinedBy(t, "exec bash -c '"+command+"'", as(uid), "JOURNAL_DIR="+dir, "LISTEN_ADDR=127.0.0.1:0")
	}
	d := bash(nobody)
	d.row(t, "write", doctor.Fail, "uid 65534: ", "permission denied", "sudo chown -R 65534 "+dir)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	bash(nobody).row(t, "write", doctor.OK, "uid 65534 can make, write")

	v := &victim{served: served{dir: dir}, launch: launch{
		dir: place, stderr: filepath.Join(t.TempDir(), "log"), program: program, attr: as(nobody),
		environ: []string{"JOURNAL_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0"},
	}}
	v.restart(t)
	d = bash(nobody)
	d.row(t, "user", doctor.OK, "as the daemon (pid ")
	d.row(t, "port", doctor.OK, v.udp+" is held by the daemon")
	d = examinedBy(t, "exec bash -c '"+command+"'", as(other), "JOURNAL_DIR="+dir, "LISTEN_ADDR="+v.udp)
	d.row(t, "user", doctor.Note, "who receives on the port has uid 65534", "sudo -u nobody hbjournal doctor")
	d.row(t, "port", doctor.Note, "held by uid 65534, most likely by the daemon")
	d.row(t, "lock", doctor.Skip, "permission denied")
	v.terminate(t)
}

// TestWithoutProcNothingStops has a daemon and a doctor run where /proc is closed to them.
func TestWithoutProcNothingStops(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector writes into the log that it misses /proc; the run without it tests this")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can close /proc, and start a process as another user")
	}
	place := publicDir(t)
	dir, program, closed := filepath.Join(place, "journal"), copyOfMyself(t, place), filepath.Join(place, "closed")
	script := "#!/bin/sh\nmount -t tmpfs -o mode=0700 none /proc &&\nexec setpriv --reuid=65534 --regid=65534 --clear-groups " + program + ` "$@"` + "\n"
	if err := errors.Join(os.Mkdir(dir, 0o750), os.Chown(dir, 65534, 65534), os.WriteFile(closed, []byte(script), 0o755)); err != nil {
		t.Fatal(err)
	}
	apart := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	v := &victim{served: served{dir: dir}, launch: launch{
		dir: place, stderr: filepath.Join(t.TempDir(), "log"), program: closed, attr: apart,
		environ: []string{"JOURNAL_DIR=" + dir, "LISTEN_ADDR=127.0.0.1:0", "HTTP_ADDR=127.0.0.1:0", "HOME=/nonexistent", "PATH=" + os.Getenv("PATH")},
	}}
	v.restart(t)
	l := loadFor(t, v.udp)
	l.send(1000)
	v.untilReceived(t, 1000)
	d := examinedBy(t, "exec "+closed+" doctor --json", apart, "JOURNAL_DIR="+dir, "LISTEN_ADDR="+v.udp)
	if d.code != exitDone || d.UID != 65534 {
		t.Errorf("got exit code %d as uid %d, want 0 as 65534:\n%s", d.code, d.UID, d.text)
	}
	d.row(t, "port", doctor.OK, v.udp+" is held: as it left word, by the daemon")
	d.row(t, "own-drops", doctor.Skip, "cannot read /proc/net/udp: permission denied")
	d.row(t, "memory", doctor.Skip, "cannot read /proc/self/cgroup: permission denied")
	d.row(t, "write", doctor.OK)
	v.terminate(t)
	readJournal(t, dir).wantAll(t, 1000)
}

func TestDoctorHearsFromADaemonThatCannotWrite(t *testing.T) {
	mountPoint := tmpfs(t, "size=4m")
	v := startVictim(t, filepath.Join(mountPoint, "journal"))
	fill(t, filepath.Join(mountPoint, "filler"))
	loadFor(t, v.udp).send(100)
	v.untilNotReady(t, "no space left")
	d := examined(t, []string{"JOURNAL_DIR=" + v.dir}, "daemon")
	d.row(t, "daemon", doctor.Fail, "no space left on device", "journalctl -u hbjournal")
	remove(t, filepath.Join(mountPoint, "filler"))
	v.untilReady(t)
	v.terminate(t)
}

func TestDoctorChangesNothingAndDisturbsNoDaemon(t *testing.T) {
	v := startVictim(t, t.TempDir())
	l := loadFor(t, v.udp)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.send(20000)
	}()
	for range 2 {
		d := examined(t, []string{"JOURNAL_DIR=" + v.dir}, "net,disk,daemon")
		d.row(t, "own-drops", doctor.OK)
		d.row(t, "lock", doctor.OK)
		d.row(t, "receive-buffer", doctor.OK, "the daemon was granted")
	}
	<-done
	v.untilReceived(t, len(l.sent))
	v.untilWritten(t)
	before := tree(t, v.dir)
	examined(t, []string{"JOURNAL_DIR=" + v.dir}, "disk")
	if after := tree(t, v.dir); after != before {
		t.Errorf("got the directory changed from\n%sto\n%s", before, after)
	}
	if n := v.logCount(t, `"level":"warn"`) + v.logCount(t, `"level":"error"`); n > 0 {
		t.Errorf("got %d warnings in the log, want none:\n%s", n, v.logText(t))
	}
	v.terminate(t)
	readJournal(t, v.dir).wantAll(t, len(l.sent))
}

// tree lists all that lies in dir, with size and time.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every cure of this machine can be given to a shell as it stands.
func TestDoctorsCuresAreShellCommands(t *testing.T) {
	d := examined(t, []string{"JOURNAL_DIR=" + t.TempDir() + "/it's $HOME", "LISTEN_BUFFER=1GiB"}, "config,net,system,disk,clock")
	plain := regexp.MustCompile(`\x1b`)
	for _, r := range d.Rows {
		if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", r.Cure).CombinedOutput(); err != nil || plain.MatchString(r.Cure) {
			t.Errorf("%s: got the cure %q, which no shell takes: %s", r.Name, r.Cure, out)
		}
	}
}
